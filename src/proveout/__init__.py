"""proveout takes a pilot notebook to production and proves, with pytest, that it belongs there."""

__version__ = "0.1.0"
