"""Questions: what a check can ask of a candidate in one line; each answer is `Evidence`."""
