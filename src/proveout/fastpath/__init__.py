"""The fast path: features and fitted steps on NumPy blocks, used only where the answers equal the pipeline's."""
