"""What was recovered of one model of a pilot, opened: raw rows, sides of the split, held-out answers, features, model.

Input: the folder that recovery wrote for the model. Output: `OpenModel`, whose features and model give scores of raw
rows.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.data.splits import HOLDOUT, SPLIT, TRAIN
from proveout.model import model_io
from proveout.records.adopted_notebook import RenamedClass
from proveout.recovery import model_form
from proveout.recovery.handover import FEATURES, HELD_OUT, MODEL, RAW, SIDES, STATE
from proveout.recovery.model_form import Unpackable
from proveout.settings import load_module

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


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

    def named(self, renamed: Sequence[RenamedClass]) -> Any:
        """The model, with other names for its classes. Raises: Unpackable if they cannot be renamed."""
        return model_form.with_classes(self.model, renamed)

    def can_rename(self) -> bool:
        """Whether the classes of the model can get other names."""
        try:
            self.named([RenamedClass(was=one, now=f"{one}'") for one in self.classes()])
        except Unpackable:
            return False
        return True


def read(folder: Path, *, function: str = "features") -> OpenModel:
    """The model in `folder`. `function` is the name of its features. Raises: BundleError if it cannot be opened."""
    import pandas as pd

    return OpenModel(
        folder=folder,
        raw=pd.read_parquet(folder / RAW).reset_index(drop=True),
        side=pd.read_parquet(folder / SIDES)[SPLIT],
        held_out=pd.read_parquet(folder / HELD_OUT),
        features=getattr(load_module(folder / FEATURES), function),
        model=model_io.load(folder / MODEL),
    )
