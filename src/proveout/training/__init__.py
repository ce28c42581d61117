"""Training: the notebook engine, the bundle, and what flows are built from."""
