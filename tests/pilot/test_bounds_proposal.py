"""Bounds come from what was measured, and the measured model passes them."""

import numpy as np
import pytest

from proveout.evaluation import multiclass
from proveout.pilot import bounds_proposal
from proveout.records.answer import TaskFacts
from proveout.task import task as tasks

CLASSES = ("bad", "good", "rare")


def _tree(right: float, rows: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes, and the scores of a fully grown tree: sure of each answer, right in a share of them."""
    rng = np.random.default_rng(3)
    known = rng.choice(CLASSES[:2], rows, p=[0.55, 0.45])
    known[:7] = "rare"  # never found
    said = np.where(rng.random(rows) < right, known, np.where(known == "bad", "good", "bad"))
    said[:7] = "good"
    return known, np.array([[float(one == kind) for kind in CLASSES] for one in said])


def _bounds(right: float, *, weak_too: bool) -> tuple[dict[str, float], dict[str, str], np.ndarray, np.ndarray]:
    known, scores = _tree(right)
    task = tasks.of(TaskFacts(task="multiclass", classes=CLASSES))
    found = list(
        bounds_proposal.quality_bounds(task, known, scores, task.naive(known, len(known)), None, weak_too=weak_too)
    )
    return {one.name: one.value for one in found}, {one.name: one.reason for one in found}, known, scores


@pytest.mark.parametrize("weak_too", [True, False])
def test_a_sure_tree_that_is_right_more_often_than_not_passes_its_own_bounds(weak_too: bool) -> None:
    """Its Brier score is worse than that of the class shares, as probabilities of 0 and 1 are. Its accuracy is not."""
    values, reasons, known, scores = _bounds(0.66, weak_too=weak_too)
    brier = float(((scores - np.array([[one == kind for kind in CLASSES] for one in known])) ** 2).sum(axis=1).mean())

    assert (brier <= values["brier_at_most"]) is weak_too
    assert "WORSE THAN THAT" in reasons["brier_at_most"]
    assert values["accuracy_at_least"] > 0.5


def test_a_good_model_has_the_same_bounds_either_way() -> None:
    """Between the worse end of its interval and the naive value."""
    assert _bounds(0.95, weak_too=True)[:2] == _bounds(0.95, weak_too=False)[:2]


def test_a_class_of_few_rows_that_is_never_found_is_asked_no_more_than_that() -> None:
    """The bound on the recall of each class is measured on the classes that it judges."""
    values, _, known, scores = _bounds(0.9, weak_too=True)
    said = np.array(CLASSES)[scores.argmax(axis=1)]

    found = multiclass.each_class(
        known, said, at_least=values["class_recall_at_least"], fewest=int(values["class_rows_at_least"])
    )

    assert values["class_rows_at_least"] == 5
    assert not any(one.breaks for one in found)
