"""The schema: the one reading of a pandera model, and everything that is made from it."""
