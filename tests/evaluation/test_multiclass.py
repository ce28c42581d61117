"""Measures of predicted classes: against scikit-learn and slow code, and the reason if there is no value."""

import math

import numpy as np
import pytest
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
    top_k_accuracy_score,
)

from proveout.errors import UsageError
from proveout.evaluation import calibration, metrics, multiclass
from proveout.evaluation.stats import confusion, jackknife

CLASSES = ["blue", "green", "red"]
SCORES = {"recall": recall_score, "precision": precision_score, "f1": f1_score}


def answered(rows=300, *, seed=0):
    """Outcomes drawn from probabilities of three classes, the last of them rare."""
    rng = np.random.default_rng(seed)
    said = rng.dirichlet([2, 2, 0.3], size=rows)
    places = (said.cumsum(axis=1) < rng.random(rows)[:, None]).sum(axis=1)
    return np.array(CLASSES, dtype=object)[places], said


# --- measured ---------------------------------------------------------------------------------------------------------


def test_the_values_are_those_of_scikit_learn():
    """A computation by hand gives the same values."""
    y, p = answered()
    labels = multiclass.labels_of(p, CLASSES)
    text = [str(one) for one in y]

    assert multiclass.log_loss(y, p, classes=CLASSES).value == pytest.approx(log_loss(text, p, labels=CLASSES))
    assert multiclass.accuracy(y, labels).value == accuracy_score(text, list(labels))
    assert multiclass.balanced_accuracy(y, labels).value == pytest.approx(balanced_accuracy_score(text, list(labels)))
    for k in (1, 2):
        wanted = top_k_accuracy_score(text, p, k=k, labels=CLASSES)
        assert multiclass.top_k(y, p, classes=CLASSES, k=k).value == pytest.approx(wanted)
    for of, score in SCORES.items():
        assert multiclass.macro(y, labels, of=of).value == pytest.approx(score(text, list(labels), average="macro"))
        found = multiclass.each_class(y, labels, of=of, fewest=1)
        assert [one.value for one in found[:3]] == pytest.approx(score(text, list(labels), average=None))


@pytest.mark.parametrize("of", list(SCORES))
@pytest.mark.parametrize("clustered", [False, True])
def test_the_error_of_a_macro_average_is_that_of_leaving_out_each_row(of, clustered):
    """The fast way beside scikit-learn on all rows but one, and on all clusters but one."""
    y, p = answered(120)
    labels = multiclass.labels_of(p, CLASSES)
    known, said, classes = multiclass.coded(y, labels)
    groups = np.arange(120) // 8 if clustered else None
    units = np.arange(120) if groups is None else groups

    found = confusion.means_without_each(known, said, of, np.ones(3, dtype=bool), groups)

    wanted = [
        SCORES[of](
            known[units != one], said[units != one], average="macro", labels=range(len(classes)), zero_division=0
        )
        for one in np.unique(units)
    ]
    assert found == pytest.approx(np.array(wanted))


def test_a_macro_interval_is_never_narrower_than_its_classes_allow():
    """Ten rows of a rare class, all right: the jackknife alone sees nothing that varies there."""
    outcomes = ["a"] * 200 + ["b"] * 200 + ["rare"] * 10
    labels = ["a"] * 190 + ["b"] * 10 + ["b"] * 190 + ["a"] * 10 + ["rare"] * 10
    known, said, classes = multiclass.coded(outcomes, labels)

    found = multiclass.macro(outcomes, labels, of="recall")

    without = confusion.means_without_each(known, said, "recall", np.ones(len(classes), dtype=bool), None)
    low, high = jackknife.logit_ends(found.value, jackknife.error(without), units=len(known), level=0.95)
    assert high - low < 0.03
    assert found.low < found.value - (1 - metrics.wilson(1.0, 10, level=0.95)[0]) / 3


def test_everything_right_still_has_a_lower_end():
    """Thirty of thirty is not proof of a perfect model."""
    found = multiclass.macro(["a", "b", "c"] * 10, ["a", "b", "c"] * 10)

    assert found.value == found.high == 1.0
    assert 0.7 < found.low < 0.95


def test_classes_that_no_outcome_is_do_not_count_and_as_labels_are_wrong():
    """The mean is over what happened: scikit-learn's `labels=` of those classes."""
    y, said = ["a", "a", "b", "b"] * 10, ["a", "z", "b", "b"] * 10

    found = multiclass.macro(y, said, of="f1")

    assert found.value == pytest.approx(f1_score(y, said, average="macro", labels=["a", "b"]))


def test_the_lowest_class_has_an_interval_for_the_lowest_of_the_true_ones():
    """Twenty classes that are alike: the lowest is low by chance, and the interval knows."""
    rng = np.random.default_rng(0)
    outcomes = np.repeat(np.arange(20), 50)
    labels = np.where(rng.random(1_000) < 0.8, outcomes, (outcomes + 1) % 20)

    found = multiclass.worst_class(outcomes, labels)

    alone = multiclass.each_class(outcomes, labels)
    assert found.value == min(one.value for one in alone[:20])
    assert found.low < 0.8 < found.high
    assert found.low < min(one.low for one in alone[:20])


def test_rows_that_are_wrong_together_tell_less():
    """Forty days with thirty rows alike are forty rows."""
    y, p = answered(40)
    days = np.repeat(np.arange(40), 30)
    y, p = np.repeat(y, 30), np.repeat(p, 30, axis=0)
    labels = multiclass.labels_of(p, CLASSES)
    for ask in (
        lambda **more: multiclass.log_loss(y, p, classes=CLASSES, **more),
        lambda **more: multiclass.top_k(y, p, classes=CLASSES, k=2, **more),
        lambda **more: multiclass.accuracy(y, labels, **more),
        lambda **more: multiclass.macro(y, labels, **more),
        lambda **more: multiclass.each_class(y, labels, **more)[0],
        lambda **more: multiclass.worst_class(y, labels, **more),
    ):
        alone, together = ask(), ask(clusters=days)
        assert alone.value == together.value
        assert together.high - together.low > 2 * (alone.high - alone.low), alone.name


def test_ties_go_to_the_earlier_column_as_for_the_label():
    """Otherwise top-1 and accuracy would be two numbers."""
    p = [[0.5, 0.5, 0.0], [0.4, 0.2, 0.4]]
    labels = multiclass.labels_of(p, CLASSES)

    assert labels.tolist() == ["blue", "blue"]
    for outcomes in (["blue", "red"], ["green", "blue"]):
        top = multiclass.top_k(outcomes, p, classes=CLASSES, k=1)
        assert top.value == multiclass.accuracy(outcomes, labels).value


@pytest.mark.parametrize(
    ("outcomes", "labels"),
    [([1, 2, 2, 3], [1, 2, 3, 3]), ([True, False, True], [True, True, True]), (["a", 1, "b"], ["a", 1, 1])],
)
def test_a_class_may_be_a_text_a_number_or_a_boolean(outcomes, labels):
    """As the target has it."""
    wanted = np.mean([one == other for one, other in zip(outcomes, labels, strict=True)])
    assert multiclass.accuracy(outcomes, labels).value == pytest.approx(wanted)


def test_losses_of_single_rows():
    """The log loss is finite, and the Brier score of a sure and wrong answer is 2."""
    sure = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]

    lost = multiclass.log_losses(["blue", "red"], sure, classes=CLASSES)
    assert lost[0] == 0
    assert 10 < lost[1] < 40
    assert multiclass.brier_scores(["blue", "red"], sure, classes=CLASSES).tolist() == [0.0, 2.0]
    assert multiclass.wrong_labels(["blue", "red"], ["blue", "blue"]).tolist() == [0.0, 1.0]


# --- calibration ------------------------------------------------------------------------------------------------------


def test_probabilities_that_are_too_sure_are_found_of_each_class_and_of_the_label():
    """Overconfident by a factor of 1.5: predictions of 80 % come true in 70 %."""
    y, p = answered(4_000, seed=1)
    sharp = p**1.5 / (p**1.5).sum(axis=1, keepdims=True)

    for probabilities, said in ((p, "no further off than chance"), (sharp, "further off than chance")):
        of_classes = calibration.of_classes(y, probabilities, classes=CLASSES, resamples=200)
        assert [one.slice for one in of_classes] == ["class=blue", "class=green", "class=red"]
        assert [one.decision for one in of_classes[:2]] == [said] * 2
        assert calibration.of_top_label(y, probabilities, classes=CLASSES, resamples=200).decision == said


# --- no answer --------------------------------------------------------------------------------------------------------

TWO = [[0.5, 0.5], [0.4, 0.6]]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (multiclass.log_loss(["a", "a"], TWO, classes=["a", "b"]), "2 rows, all of them of class a"),
        (multiclass.macro(["a", "a"], ["a", "b"]), "2 rows, all of them of class a"),
        (multiclass.macro([], []), "no rows"),
        (multiclass.macro(["a", "b"], ["a", "b"], clusters=[1, 1]), "one cluster, an interval needs two"),
        (multiclass.accuracy(["a", "b"], ["a", "b"], clusters=[1, 1]), "one cluster, an interval needs two"),
        (multiclass.worst_class(["a", "b"] * 10, ["a", "b"] * 10), "0 classes with 20 rows, two are needed"),
        (multiclass.each_class(["a", "b"] * 10, ["a", "b"] * 10)[0], "10 rows, asked for 20"),
        (multiclass.each_class(["a", "b"] * 10, ["a", "b"] * 10)[-1], "all of them"),
    ],
)
def test_what_has_no_answer_says_why(found, said):
    """Not judged, and never a number that passes."""
    assert found.unjudged.startswith(said) or (found.name == "rows not judged" and not found.holds)
    assert not found.holds


@pytest.mark.parametrize(
    ("ask", "said"),
    [
        (
            lambda: multiclass.log_loss(["a", "c"], TWO, classes=["a", "b"]),
            r"1 of 2 outcomes is of a class that the model does not know \(c\); it knows a, b. Train on rows of each",
        ),
        (lambda: multiclass.log_loss(["a", None], TWO, classes=["a", "b"]), "1 of 2 outcomes is missing"),
        (
            lambda: multiclass.log_loss(["a", "b"], [0.1, 0.9], classes=["a", "b"]),
            "A model without predict_proba gives labels",
        ),
        (
            lambda: multiclass.log_loss(["a", "b"], TWO, classes=["a", "b", "c"]),
            r"shape \(2, 2\), expected: one column for",
        ),
        (lambda: multiclass.log_loss(["a", "b"], [[0.5, 0.9], TWO[0]], classes=["a", "b"]), "do not add up to 1"),
        (lambda: multiclass.log_loss(["a", "b"], [[math.nan, 1], TWO[0]], classes=["a", "b"]), "no finite number"),
        (lambda: multiclass.log_loss(["a"], TWO, classes=["a", "b"]), "There are 1 rows and 2 rows of probabilities"),
        (lambda: multiclass.log_loss(["a"], [[1.0]], classes=["a"]), "The classes are a: name two or more"),
        (lambda: multiclass.top_k(["a", "b"], TWO, classes=["a", "b"], k=2), "k is 2, expected: from 1 to 1"),
        (lambda: multiclass.accuracy(["a"], [None]), "1 of 1 labels is missing: only rows with a label"),
        (lambda: multiclass.accuracy(["a"], ["a", "b"]), "There are 1 rows and 2 labels"),
        (lambda: multiclass.macro(["a", "b"], ["a", "b"], of="kappa"), "There is no kappa of a class"),
    ],
)
def test_what_can_not_be_asked_says_what_to_do(ask, said):
    """A class that training never saw, a model without probabilities, NaN, a missing target."""
    with pytest.raises(UsageError, match=said):
        ask()
