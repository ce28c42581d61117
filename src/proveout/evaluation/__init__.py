"""The helpers of checks: each asks one question about a candidate in one line, and returns `Evidence`."""
