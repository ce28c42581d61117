"""Does a bundle of the adopted project answer what the pilot did? If not, the first cell where they part.

Input: what was recovered of the pilot, and the bundle that the project's own flow has packed. Output: `Parity`.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.fastpath import tolerance
from proveout.model.bundle import OpenBundle
from proveout.pilot.adopt.recovered_model import OpenModel
from proveout.records.adopted_notebook import RenamedClass
from proveout.recovery import state_files
from proveout.recovery.features_writer import ROW
from proveout.recovery.handover import STATE
from proveout.task.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Parity:
    """Of the pilot's held-out rows: how many the bundle answers as the pilot did, and how far apart the others are.

    `parted` is the first cell where the run of the project was another than that of the pilot; empty if it was none.
    """

    rows: int
    equal: int
    largest: float
    parted: str

    @property
    def holds(self) -> bool:
        """Whether every held-out row has the pilot's answer."""
        return self.equal == self.rows


def compare(
    opened: OpenModel, bundle: OpenBundle, folder: Path, *, renamed: Sequence[RenamedClass], cell: int
) -> Parity:
    """The held-out rows of the pilot, asked of its own model and of the bundle: the same scores, and the same classes.

    Args:
        folder: of the bundle.
        renamed: classes that the project calls otherwise.
        cell: of the prediction.
    """
    import numpy as np

    rows = opened.raw.iloc[opened.held_out["row"].tolist()].reset_index(drop=True)
    model = opened.named(renamed)
    before, after = bundle.ask(model, opened.inputs(rows)), bundle.predict(rows)
    allowed = tolerance.tolerance(model)
    apart = tolerance.apart(after, before, max(allowed.answers, allowed.fitted))
    differing = apart if apart.ndim == 1 else apart.any(axis=1)
    if bundle.task.name != "regression":
        # A row at the threshold has the same score and may have another answer.
        answers = [_named(one, renamed, bundle.task) for one in opened.held_out["answer"].tolist()]
        differing |= np.array(
            [said != one for said, one in zip(bundle.task.labels(after).tolist(), answers, strict=True)]
        )
    equal = int((~differing).sum())
    parted = "" if equal == len(rows) else _first_difference(opened, bundle, folder, cell)
    return Parity(rows=len(rows), equal=equal, largest=float(np.abs(after - before).max()), parted=parted)


def _named(answer: Any, renamed: Sequence[RenamedClass], task: Task) -> Any:
    """An answer of the pilot's model, as the project calls it."""
    named = next((one.now for one in renamed if one.was == answer), answer)
    return named == 1 if task.name == "binary" else named


def _first_difference(opened: OpenModel, bundle: OpenBundle, folder: Path, cell: int) -> str:
    sides: NDArray[Any] = bundle.membership()["split"].astype(object).to_numpy()
    if (
        len(sides) != len(opened.side)
        or not (
            (sides == opened.side.to_numpy()) | (opened.side.isna().to_numpy() & bundle.membership()["split"].isna())
        ).all()
    ):
        return "the split: other rows were held out. A split that draws by a generator of its own needs a seed"
    was, now = opened.folder / STATE, folder / "code" / STATE
    changed = [name for name in state_files.names(was) if name != ROW and not _same(name, was, now)]
    if changed:
        first = min(changed, key=_place)
        return f"cell {_place(first)[0]}: what it learns from the rows came out otherwise"
    return f"cell {cell}: the model came out otherwise. Give it a random_state, and one thread (n_jobs=1)"


def _place(name: str) -> tuple[int, int]:
    """The cell and the call that a name of the state is made of, as `cell11_3`."""
    found = re.match(r"cell(-?\d+)_(\d+)", name)
    return (int(found[1]), int(found[2])) if found else (10**6, 0)


def _same(name: str, was: Path, now: Path) -> bool:
    def content(folder: Path) -> tuple[str, list[bytes]]:
        node = state_files.node(folder, name)
        files = [folder / file for file in state_files.files_of(node)]
        return json.dumps(node, sort_keys=True), [file.read_bytes() for file in files]

    try:
        return content(was) == content(now)
    except (OSError, KeyError):
        return False
