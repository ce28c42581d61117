"""The model: bundles, their formats, and opening them safely."""
