"""An adopted notebook in a run: its kernel records, its reading call gets the snapshot's rows, its model is recovered.

Input: the record of the adopted notebook, and the rows. Output: the recovered model, its files in a folder.
"""

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.errors import BundleError, ConfigError
from proveout.model.stated_metrics import OWN
from proveout.records.adopted_notebook import AdoptedNotebook
from proveout.records.json_form import from_json, to_json
from proveout.settings import Settings

if TYPE_CHECKING:
    from proveout.recovery.recovery_report import RecoveredModel

_SIDE = "__import__('proveout.recovery.kernel_side', fromlist=['begin'])"
_OTHER_CELL = -1  # a cell that the pilot did not have
CELL = "proveout"  # the metadata of a cell: {"cell": its place in the pilot's file}
# The pilot's own names of metrics for those of a task, where both mean the same number.
_METRICS = {
    "accuracy_score": "accuracy",
    "mean_absolute_error": "mae",
    "root_mean_squared_error": "rmse",
    "r2_score": "r2",
}
_SCORE = {"binary": "accuracy", "multiclass": "accuracy", "regression": "r2"}

Ask = Callable[[str], str]
"""Evaluates an expression in the kernel, and gives its repr."""


def read(settings: Settings) -> AdoptedNotebook | None:
    """What adopt wrote of the project's notebook; None for a project that is not adopted. Raises: ConfigError."""
    if settings.adopted is None:
        return None
    file = settings.root / settings.adopted
    try:
        return from_json(AdoptedNotebook, file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"adopted in [tool.proveout]: {settings.adopted}",
            f"it cannot be read: {str(error).splitlines()[0]}",
            "Restore the file as `proveout adopt` wrote it",
        ) from error


@dataclass(frozen=True, kw_only=True)
class RecordedRun:
    """What the kernel of a run is told. `root`: below it files are looked for that the notebook reads elsewhere."""

    adopted: AdoptedNotebook
    rows: Path  # Parquet, the raw rows of the snapshot
    root: Path

    def begin(self, ask: Ask) -> None:
        """Before the first cell."""
        given = f"root={str(self.root)!r}, adopted={to_json(self.adopted)!r}, rows={str(self.rows)!r}"
        ask(f"{_SIDE}.begin(get_ipython(), {given})")

    def admits(self, ask: Ask, cell: Any) -> bool:
        """Before each cell: whether it runs."""
        number = _number(cell)
        if number in self.adopted.skipped_cells:
            return False
        ask(f"{_SIDE}.cell({number})")
        return True

    def may_raise(self, cell: Any) -> bool:
        """Whether the model needs nothing of what may be missing then."""
        return _number(cell) in {*self.adopted.raising_cells, *self.adopted.idle_cells}

    def finish(self, ask: Ask, folder: Path) -> "RecoveredModel":
        """After the last cell: the model, its files in `folder`. Raises: BundleError if it is not recovered."""
        from proveout.recovery.recovery_report import RecoveredModel

        told = ask(f"{_SIDE}.end_with({to_json(self.adopted)!r}, {str(folder)!r})")
        found = from_json(RecoveredModel, ast.literal_eval(told))
        if found.handed is None:
            why = found.reason or "the inputs of its model were not reproduced"
            raise BundleError(
                found.model,
                f"its columns cannot be computed from raw rows: {why}",
                "Adopt the notebook again: proveout adopt says which statement it is",
            )
        return found


def _number(cell: Any) -> int:
    number: int = cell.metadata.get(CELL, {}).get("cell", _OTHER_CELL)
    return number


def other_outcomes(settings: Settings, folder: Path) -> int:
    """How many held-out rows have another outcome in the notebook than by the project's target.

    A notebook that fills the holes of its target, with the mean for one, measures on outcomes that nobody knows.

    Args:
        folder: with what the run handed over.
    """
    import pandas as pd

    from proveout.data import features
    from proveout.recovery import handover
    from proveout.recovery.tables import equal_rows

    held = pd.read_parquet(folder / handover.HELD_OUT)
    adopted = read(settings)
    if "truth" not in held or adopted is None:
        return 0
    known = features.labels(settings, pd.read_parquet(folder / handover.RAW)).iloc[held["row"]]
    if settings.task != "regression":
        return int(known.isna().sum())  # codes and names differ, and the gate measures by names
    return int((~equal_rows(known.to_numpy(dtype=float, na_value=float("nan")), held["truth"].to_numpy())).sum())


def check_learned(settings: Settings, folder: Path) -> None:
    """Return if no row without an outcome was learned from, as none was in the pilot. Raises: ConfigError.

    Of two scores that are not known yet, a comparison makes a draw, and nothing else would say so.

    Args:
        folder: with what the run handed over.
    """
    import pandas as pd

    from proveout.data import features
    from proveout.data.splits import SPLIT, TRAIN
    from proveout.recovery import handover

    adopted = read(settings)
    if adopted is None or adopted.learns_unknown:
        return
    learned = (pd.read_parquet(folder / handover.SIDES)[SPLIT] == TRAIN).to_numpy(dtype=bool)
    unknown = features.labels(settings, pd.read_parquet(folder / handover.RAW)[learned]).isna().sum()
    if unknown:
        raise ConfigError(
            settings.notebook,
            f"it learned from {unknown:,} rows that have no outcome yet by {settings.target}, as if they had one",
            "Leave them out in the cell that reads the rows: dropna(subset=[...]) with the columns of the outcome",
        )


def metrics(found: "RecoveredModel", *, comparable: bool = True) -> Mapping[str, float]:
    """What the pilot measured, by the task's names of metrics where these are the same; else by its own.

    Args:
        comparable: whether it measured on the outcomes that the project has; else no name is that of a task's metric,
            nor is that of a metric with options of its own.
    """
    if not comparable:
        return {f"{OWN}{one.name}": one.value for one in found.metrics}
    if found.found < found.asked:  # on other rows too, that no request is like
        return {}
    named = {**_METRICS, "score": _SCORE[found.task]}
    return {named.get(one.name, one.name) if one.plain else f"{OWN}{one.name}": one.value for one in found.metrics}
