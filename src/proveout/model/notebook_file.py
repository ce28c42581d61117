"""Reading a notebook's file. Input: a path. Output: the document in nbformat's current form, or ConfigError."""

import warnings
from pathlib import Path
from typing import Any

import nbformat
from nbformat.warnings import MissingIDFieldWarning

from proveout.errors import ConfigError

_LANGUAGE = (("kernelspec", "language"), ("language_info", "name"))


def read(notebook: Path) -> Any:
    """The notebook in `notebook`, in the current format. Raises: ConfigError if it is invalid, or not Python."""
    if not notebook.is_file():
        problem = "it is a folder" if notebook.is_dir() else "there is no such notebook"
        raise ConfigError(str(notebook), problem, "Correct `notebook` in [tool.proveout]")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MissingIDFieldWarning)  # it gives each cell one
            document = nbformat.v4.upgrade(nbformat.reads(notebook.read_text(encoding="utf-8-sig"), as_version=4))
        languages = {document.metadata.get(where, {}).get(key) for where, key in _LANGUAGE} - {None}
        # Check only what is needed, because many editors write slightly invalid notebooks.
        _ = [(cell.cell_type, cell.source, cell.metadata) for cell in document.cells]
    except Exception as error:  # nbformat and its converters may raise anything on other files
        problem = f"it is no notebook that Jupyter could read ({str(error).strip().splitlines()[0][:200]})"
        raise ConfigError(str(notebook), problem, "Save it again in Jupyter") from error
    if languages and not any(str(language).lower().startswith(("python", "ipython")) for language in languages):
        raise ConfigError(str(notebook), f"it is written in {languages.pop()}", "proveout runs notebooks in Python")
    return document
