"""What a recorded notebook's model leaves behind, and what these files answer."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
from recorded_notebook import last_model, recorded
from small_pilots import IMPORTS

from proveout.model import model_io
from proveout.recovery.handover import HandedOver, hand_over
from proveout.recovery.verification import Recovery


def handed_over(cells: list[str], folder: Path, **asked: Any) -> tuple[Recovery, HandedOver]:
    """The last model of a notebook with these cells, its files in `folder`."""
    with recorded([IMPORTS, *cells]) as tape:
        one, found = last_model(tape)
        return found, hand_over(tape, one, found, folder, **asked)


def module(folder: Path) -> ModuleType:
    """The features as a project loads them."""
    spec = importlib.util.spec_from_file_location("recovered_features", folder / "features.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def answers(folder: Path, rows: pd.DataFrame) -> Any:
    """What the files answer to raw rows."""
    return model_io.load(folder / "model.skops").predict(module(folder).features(rows))
