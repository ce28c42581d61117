"""Gate: the pytest plugin and the verdict."""
