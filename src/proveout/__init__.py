"""proveout takes a pilot notebook to production and proves, with pytest, that it belongs there."""

__version__ = "0.1.0"


def load_ipython_extension(shell: object) -> None:
    """`%load_ext proveout` in a notebook: see `magics`."""
    from proveout.magics import load

    load(shell)
