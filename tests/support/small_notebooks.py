"""Notebooks of a few cells, written as Jupyter does."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def write_notebook(file: Path, cells: Sequence[str], *, metadata: Mapping[str, Any] | None = None) -> Path:
    """A notebook of these code cells in `file`."""
    written = [
        {
            "cell_type": "code",
            "source": source,
            "metadata": {},
            "outputs": [],
            "execution_count": None,
            "id": f"c{place}",
        }
        for place, source in enumerate(cells)
    ]
    document = {"nbformat": 4, "nbformat_minor": 5, "metadata": dict(metadata or {}), "cells": written}
    file.write_text(json.dumps(document), encoding="utf-8")
    return file
