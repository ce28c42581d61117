"""Functions for checks: each measures one property of a candidate in one line, and returns `Evidence`."""
