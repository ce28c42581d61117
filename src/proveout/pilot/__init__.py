"""Pilot: creates a proveout project from a notebook or a table."""
