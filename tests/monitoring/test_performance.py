"""`monitoring/performance.py`: predictions meet their outcomes."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from proveout.monitoring import performance
from proveout.records import AnswerSource, Performance, Prediction


def answer(
    request_id: str, probability: float | None, *, label: bool | None = None, answered_by: AnswerSource = "model"
) -> Prediction:
    return Prediction(
        request_id=request_id, at="2013-06-01T08:00:00.000+00:00", model="flight-delay", release="flight-delay@0",
        record={}, answered_by=answered_by, probability=probability, confidence=None, latency_ms=1.0,
        label=(None if probability is None else probability >= 0.5) if label is None else label,
    )  # fmt: skip


def test_only_answers_with_an_outcome_count():
    """An outcome that has not come in is not a wrong answer, and not a right one."""
    answers = [answer("a", 0.9), answer("b", 0.2), answer("c", 0.7)]

    measured = performance.measure(answers, {"a": True, "b": False, "elsewhere": True})

    assert measured is not None
    assert measured.rows == 2
    assert measured.accuracy == 1.0
    assert measured.brier == pytest.approx((0.1**2 + 0.2**2) / 2)
    assert measured.late_share == 0.5
    assert measured.mean_probability == pytest.approx(0.55)


def test_without_any_outcome_nothing_is_claimed():
    """Zero rows give no number, not a zero."""
    assert performance.measure([answer("a", 0.9)], {}) is None


def test_one_class_alone_has_no_auc():
    """An AUC of 0 or 1 would be made up while every outcome is the same."""
    measured = performance.measure([answer("a", 0.9), answer("b", 0.2)], {"a": False, "b": False})

    assert measured is not None
    assert measured.auc is None
    assert measured.accuracy == 0.5


def test_answers_without_a_probability_leave_the_scores_alone():
    """A rule's yes or no counts for accuracy; a «no prediction» counts for the late share only."""
    answers = [answer("a", None, label=True, answered_by="rules"), answer("b", None, answered_by="none")]

    measured = performance.measure(answers, {"a": True, "b": False})

    assert measured == Performance(
        rows=2, accuracy=1.0, auc=None, brier=None, late_share=0.5, mean_probability=None
    )  # fmt: skip


def test_the_auc_is_scikit_learns_ties_included():
    """Same name, same number as the one the notebook reports."""
    rng = np.random.default_rng(5)
    scores, truth = rng.integers(0, 20, 500) / 20, rng.random(500) < 0.2

    assert performance.area_under_roc(scores, truth) == pytest.approx(roc_auc_score(truth, scores))


def held(rows: int, auc: float | None, late_share: float = 0.2) -> Performance:
    return Performance(
        rows=rows, accuracy=0.8, auc=auc, brier=0.1, late_share=late_share, mean_probability=0.2
    )  # fmt: skip


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (held(2000, 0.66), True),
        (held(2000, 0.74), False),  # within the 0.05
        (held(40, 0.66), False),  # eight late flights prove nothing
        (held(2000, None), False),
        (None, False),
        (held(30, 0.0, late_share=0.5), True),
    ],
)
def test_performance_fell_only_where_more_than_chance_says_so(measured, expected):
    """A critical alert wakes a person: a dozen unlucky flights must not."""
    assert performance.fell(measured, promised_auc=0.77) is expected


def test_a_model_that_keeps_its_promise_is_rarely_said_to_have_fallen():
    """The 2.33 standard errors are one in a hundred, also at 300 rows, where 0.05 alone would be one in ten."""
    rng = np.random.default_rng(11)
    said = 0
    for _ in range(400):
        truth = rng.random(300) < 0.2
        scores = rng.normal(size=300) + truth  # true AUC: Phi(1/sqrt 2) = 0.760
        auc = performance.area_under_roc(scores, truth)
        measured = held(300, auc, late_share=float(truth.mean()))
        said += performance.fell(measured, promised_auc=0.7602)

    assert said / 400 <= 0.03
