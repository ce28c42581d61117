"""Where the run of the project parts from the pilot's: the first cell is named."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from proveout.pilot.adopt import parity
from proveout.records.adopted_notebook import RenamedClass
from proveout.records.answer import TaskFacts
from proveout.recovery import state_files
from proveout.recovery.handover import STATE
from proveout.task import task as tasks

RAW = pd.DataFrame({"x": np.arange(12.0)})
SIDE = pd.Series(["train"] * 8 + ["holdout"] * 3 + [None], dtype=object)
FITTED = LogisticRegression().fit(RAW.to_numpy(), RAW["x"] > 5)
OTHER = LogisticRegression(C=0.01).fit(RAW.to_numpy(), RAW["x"] > 5)


def _pilot(folder: Path, state: dict[str, Any]) -> Any:
    state_files.write(state, folder / STATE)
    held = pd.DataFrame({"row": [8, 9, 10], "answer": [True, True, True]})
    return SimpleNamespace(
        folder=folder, raw=RAW, side=SIDE, held_out=held, inputs=lambda rows: rows, named=lambda renamed: FITTED
    )


def _bundle(folder: Path, state: dict[str, Any], *, model: Any, side: "pd.Series[Any]" = SIDE) -> Any:
    state_files.write(state, folder / "code" / STATE)
    return SimpleNamespace(
        task=tasks.of(TaskFacts(task="binary", threshold=0.5)),
        ask=lambda asked, columns: asked.predict_proba(columns.to_numpy())[:, 1],
        predict=lambda rows: model.predict_proba(rows.to_numpy())[:, 1],
        membership=lambda: pd.DataFrame({"split": side.astype("category")}),
    )


STATE_NOW = {"row": RAW.head(1), "cell3_1": 0.5, "cell10_2": [1, 2], "cell4_7": FITTED}


def _compared(tmp_path: Path, state: dict[str, Any], **bundle: Any) -> parity.Parity:
    pilot, packed = tmp_path / "pilot", tmp_path / "bundle"
    return parity.compare(_pilot(pilot, STATE_NOW), _bundle(packed, state, **bundle), packed, renamed=(), cell=11)


def test_the_same_answers_hold(tmp_path: Path) -> None:
    """Nothing is asked about the way then."""
    found = _compared(tmp_path, {**STATE_NOW, "cell3_1": 0.6}, model=FITTED)

    assert (found.holds, found.rows, found.equal, found.parted) == (True, 3, 3, "")


def test_the_same_scores_with_another_class_do_not_hold(tmp_path: Path) -> None:
    """Half of the trees say yes: the pilot's `predict` says no then, and a threshold of one half says yes."""
    pilot = _pilot(tmp_path / "pilot", STATE_NOW)
    pilot.held_out = pilot.held_out.assign(answer=["yes", "yes", "no"])
    names = (RenamedClass(was="no", now=False), RenamedClass(was="yes", now=True))

    found = parity.compare(
        pilot, _bundle(tmp_path / "b", STATE_NOW, model=FITTED), tmp_path / "b", renamed=names, cell=11
    )

    assert (found.equal, found.largest) == (2, 0.0)


@pytest.mark.parametrize(
    ("state", "side", "said"),
    [
        (STATE_NOW, SIDE, "cell 11: the model came out otherwise"),
        ({**STATE_NOW, "cell10_2": [1, 3], "cell4_7": OTHER}, SIDE, "cell 4: what it learns"),
        ({**STATE_NOW, "cell10_2": [1, 3], "row": RAW.tail(1)}, SIDE, "cell 10: what it learns"),
        (STATE_NOW, SIDE.iloc[::-1].reset_index(drop=True), "the split: other rows were held out"),
    ],
    ids=["the model", "an encoder", "a list", "the split"],
)
def test_the_first_cell_that_came_out_otherwise_is_named(
    state: dict[str, Any], side: "pd.Series[Any]", said: str, tmp_path: Path
) -> None:
    """In the order of the cells, and not of their names as text."""
    found = _compared(tmp_path, state, model=OTHER, side=side)

    assert not found.holds
    assert found.parted.startswith(said)
