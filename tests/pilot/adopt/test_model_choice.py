"""Which model becomes the project's: the one with the best held-out answers, or the one that is named."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from proveout.errors import UsageError
from proveout.pilot.adopt import model_choice
from proveout.pilot.adopt.model_choice import NoModel
from proveout.pilot.adopt.pilot_run import PilotRun, RaisedCell
from proveout.records.adopted_notebook import CallPlace
from proveout.recovery.handover import HELD_OUT, HandedOver
from proveout.recovery.recovery_report import RecoveredModel, RecoveredNotebook

PLACE = CallPlace(cell=7, statement=0, call=1, turn=0)
HANDED = HandedOver(function="features", state=("state.json",), columns=(), source_form="frame", note="")
ONE = RecoveredModel(
    model="sklearn.svm._classes.SVC", level="raw", reason="", task="binary", target="y", metrics=(),
    line="first.predict(X_test)", cells=(1, 7), raised_cells=(), found=4, asked=4, alone=4, singles=4, place=PLACE,
    source=PLACE, folder="model_0", handed=HANDED,
)  # fmt: skip
TRUTH = [1, 0, 1, 0]


def _written(folder: Path, *answers: list[float]) -> None:
    for number, given in enumerate(answers):
        (folder / f"model_{number}").mkdir()
        held = pd.DataFrame({"row": range(4), "answer": given, "truth": TRUTH})
        held.to_parquet(folder / f"model_{number}" / HELD_OUT)


def _run(*models: RecoveredModel) -> PilotRun:
    found = RecoveredNotebook(models=models, fits=1, predictions=1, redirected=(), seconds=0.1)
    return PilotRun(recovered=found, raised=(RaisedCell(index=3, problem="KeyError: 'age'"),), seconds=0.1)


FOREST = replace(ONE, model="sklearn.ensemble._forest.RandomForestClassifier", line="rf.predict(X)", folder="model_1")
LAST = replace(FOREST, line="again.predict(X)", folder="model_2")


def test_the_best_on_held_out_rows_comes_first_and_of_equals_the_last(tmp_path: Path) -> None:
    """Measured in one way for all: what each author's cell prints may be another metric."""
    _written(tmp_path, [1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 0, 0])

    found = model_choice.candidates("n.ipynb", _run(ONE, FOREST, LAST), tmp_path)

    assert [one.model.folder for one in found] == ["model_2", "model_1", "model_0"]
    assert [one.quality for one in found] == [0.75, 0.75, 0.5]


def test_of_a_regression_the_smallest_error_is_the_best(tmp_path: Path) -> None:
    """More is better for the rank, whatever the metric."""
    _written(tmp_path, [1.5, 0.5, 1.5, 0.5], [1.1, 0.1, 1.1, 0.1])
    models = (replace(ONE, task="regression"), replace(FOREST, task="regression"))

    found = model_choice.candidates("n.ipynb", _run(*models), tmp_path)

    assert [one.model.folder for one in found] == ["model_1", "model_0"]


@pytest.mark.parametrize(
    ("named", "folders"),
    [
        ("svc", ["model_0"]),
        ("RF.predict", ["model_1"]),
        ("3", ["model_2"]),
        ("randomforestclassifier", ["model_2", "model_1"]),
    ],
)
def test_a_model_can_be_named(named: str, folders: list[str], tmp_path: Path) -> None:
    """By its class, by the line that asks it, or by its number."""
    _written(tmp_path, TRUTH, TRUTH, TRUTH)

    found = model_choice.candidates("n.ipynb", _run(ONE, FOREST, LAST), tmp_path, named=named)

    assert [one.model.folder for one in found] == folders


def test_an_unknown_name_lists_the_models(tmp_path: Path) -> None:
    """With the number of each."""
    with pytest.raises(
        UsageError, match=r"--model lstm: the notebook has no such model\. It has 1: SVC \(cell 7: first"
    ):
        model_choice.candidates("n.ipynb", _run(ONE), tmp_path, named="lstm")


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (
            replace(ONE, level="leak", handed=None, reason="the inputs contain the target, 'y'"),
            "contain the target, 'y'",
        ),
        (replace(ONE, raised_cells=(3,)), "cell 3, which it needs, raised KeyError: 'age'"),
        (replace(ONE, level="inputs", handed=None, reason="rank"), r"cannot be computed from raw rows \(rank\)"),
    ],
    ids=["leak", "raised", "inputs"],
)
def test_without_a_model_to_serve_the_reason_of_each_is_told(model: RecoveredModel, said: str, tmp_path: Path) -> None:
    """Never served silently as if its inputs were raw rows."""
    with pytest.raises(NoModel, match=said):
        model_choice.candidates("n.ipynb", _run(model), tmp_path)


@pytest.mark.parametrize(("problem", "of_releases"), [("KeyError: 0", True), ("FileNotFoundError: 'x.csv'", False)])
def test_other_releases_are_tried_only_for_an_error_that_may_be_theirs(
    problem: str, of_releases: bool, tmp_path: Path
) -> None:
    """Nobody waits minutes for an environment in which a file is missing, too."""
    run = replace(_run(replace(ONE, raised_cells=(3,))), raised=(RaisedCell(index=3, problem=problem),))

    with pytest.raises(NoModel) as refused:
        model_choice.candidates("n.ipynb", run, tmp_path)

    assert refused.value.cell_raised is of_releases


def test_of_two_targets_the_one_that_most_models_have_is_taken(tmp_path: Path) -> None:
    """Metrics of two questions cannot be compared."""
    _written(tmp_path, TRUTH, [0, 0, 0, 0], [0, 0, 1, 1])
    others = (replace(FOREST, target="z"), replace(LAST, target="z"))

    found = model_choice.candidates("n.ipynb", _run(ONE, *others), tmp_path)

    assert {one.model.target for one in found} == {"z"}
