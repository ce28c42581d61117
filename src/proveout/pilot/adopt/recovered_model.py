"""What was recovered of one model of a pilot, opened: raw rows, sides of the split, held-out answers, features, model.

Input: the folder that recovery wrote for the model. Output: `OpenModel`, whose features and model give scores of raw
rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.data.splits import HOLDOUT, TRAIN
from proveout.model import model_io
from proveout.settings import load_module

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

FEATURES = "features.py"
STATE = "state"
MODEL = "model.skops"


@dataclass(frozen=True, kw_only=True, eq=False)
class OpenModel:
    """A recovered model. `held_out` has columns `row` (place in `raw`), `truth` and `answer`, as in the pilot."""

    folder: Path
    raw: "pd.DataFrame"
    side: "pd.Series[Any]"  # of each raw row: train, holdout, or null for a row that the pilot filtered out
    held_out: "pd.DataFrame"
    features: "Callable[[pd.DataFrame], pd.DataFrame]"
    model: Any

    @cached_property
    def train_rows(self) -> "NDArray[np.intp]":
        """Places of the training rows in `raw`."""
        return (self.side == TRAIN).to_numpy(dtype=bool).nonzero()[0]

    @cached_property
    def holdout_rows(self) -> "NDArray[np.intp]":
        """Places of the held-out rows in `raw`."""
        return (self.side == HOLDOUT).to_numpy(dtype=bool).nonzero()[0]

    @property
    def files(self) -> dict[str, bytes]:
        """The features and their state, by path from the folder of the code."""
        state = sorted(file for file in (self.folder / STATE).rglob("*") if file.is_file())
        return {
            file.relative_to(self.folder).as_posix(): file.read_bytes() for file in (self.folder / FEATURES, *state)
        }

    def inputs(self, rows: "pd.DataFrame") -> "pd.DataFrame":
        """What the model is given for raw rows, or for requests."""
        return self.features(rows.reset_index(drop=True))

    def classes(self) -> list[Any]:
        """The classes of the model, in the order of its scores; empty for a regression."""
        found = getattr(self.model, "classes_", ())
        return [one.item() if hasattr(one, "item") else one for one in found]


def read(folder: Path) -> OpenModel:
    """The model in `folder`. Raises: BundleError if its file cannot be opened."""
    import pandas as pd

    return OpenModel(
        folder=folder,
        raw=pd.read_parquet(folder / "raw.parquet").reset_index(drop=True),
        side=pd.read_parquet(folder / "sides.parquet")["split"],
        held_out=pd.read_parquet(folder / "heldout.parquet"),
        features=load_module(folder / FEATURES).features,
        model=model_io.load(folder / MODEL),
    )
