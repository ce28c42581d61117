"""The import of a name that no cell of a notebook imports: its author did so in a cell that is gone.

Input: a name that was not defined. Output: the line that everybody writes for it, if it can mean one thing only.
"""

from collections.abc import Iterator

_ALIASES = {
    "np": "import numpy as np",
    "pd": "import pandas as pd",
    "plt": "import matplotlib.pyplot as plt",
    "sns": "import seaborn as sns",
    "json": "import json",
    "math": "import math",
    "os": "import os",
    "pickle": "import pickle",
    "random": "import random",
    "re": "import re",
    "sys": "import sys",
    "warnings": "import warnings",
}


def import_of(name: str) -> str | None:
    """The line that imports a common module by its usual name, or what scikit-learn calls so; None for other names.

    >>> import_of("train_test_split")
    'from sklearn.model_selection import train_test_split'
    """
    if name in _ALIASES:
        return _ALIASES[name]
    found = {module for known, module in _of_sklearn() if known == name}
    return f"from {found.pop()} import {name}" if len(found) == 1 else None


def _of_sklearn() -> Iterator[tuple[str, str]]:
    """The public names of scikit-learn, each with its module."""
    from sklearn.utils.discovery import all_estimators, all_functions

    for name, known in (*all_estimators(), *all_functions()):
        public = [part for part in known.__module__.split(".") if not part.startswith("_")]
        yield name, ".".join(public)
