"""`monitoring/performance.py`: predictions meet their outcomes."""

import numpy as np
import pytest
from sklearn.metrics import mean_absolute_error, roc_auc_score

from proveout.monitoring import performance
from proveout.records.answer import Answer, TaskName
from proveout.records.drift_report import Performance
from proveout.records.prediction import AnswerSource, Prediction
from proveout.task.binary import Binary
from proveout.task.multiclass import Multiclass
from proveout.task.regression import Regression
from proveout.task.task import Task


def logged(request_id: str, answer: Answer, *, answered_by: AnswerSource = "model") -> Prediction:
    return Prediction(
        request_id=request_id, at="2013-06-01T08:00:00.000+00:00", model="flight-delay", release="flight-delay@0",
        record={}, answered_by=answered_by, answer=answer, latency_ms=1.0,
    )  # fmt: skip


def answer(request_id: str, probability: float) -> Prediction:
    return logged(request_id, Binary().answer([probability]))


def test_only_answers_with_an_outcome_count():
    """An outcome that has not come in is not a wrong answer, and not a right one."""
    answers = [answer("a", 0.9), answer("b", 0.2), answer("c", 0.7)]

    measured = performance.measure(answers, {"a": True, "b": False, "elsewhere": True}, Binary())

    assert measured is not None
    assert measured.rows == 2
    assert measured.metrics["accuracy"] == 1.0
    assert measured.metrics["brier"] == pytest.approx((0.1**2 + 0.2**2) / 2)
    assert measured.metrics["base_rate"] == 0.5
    assert measured.metrics["mean_probability"] == pytest.approx(0.55)


def test_without_any_outcome_nothing_is_claimed():
    """Zero rows give no number, not a zero."""
    assert performance.measure([answer("a", 0.9)], {}, Binary()) is None


def test_one_class_alone_has_no_auc():
    """An AUC of 0 or 1 would be made up while every outcome is the same."""
    measured = performance.measure([answer("a", 0.9), answer("b", 0.2)], {"a": False, "b": False}, Binary())

    assert measured is not None
    assert "auc" not in measured.metrics
    assert measured.metrics["accuracy"] == 0.5


def test_answers_without_scores_and_outcomes_of_another_task_are_left_out():
    """A rule's yes or no has no probability, "no prediction" neither; and a number of minutes is no yes or no."""
    answers = [
        logged("a", Answer(value=True), answered_by="rules"), logged("b", Answer(), answered_by="none"),
        answer("c", 0.9), answer("d", 0.9),
    ]  # fmt: skip

    measured = performance.measure(answers, {"a": True, "b": False, "c": True, "d": 31.5}, Binary())

    assert measured is not None
    assert measured.rows == 1


def test_each_task_is_measured_by_its_own_metrics():
    """A price has an error in its unit, a class a share that was right."""
    prices = [logged(f"p{n}", Regression(2.0, 0.9).answer([10.0 + n])) for n in range(4)]
    colours = [logged(f"c{n}", Multiclass(("blue", "red")).answer([0.25, 0.75])) for n in range(4)]

    price = performance.measure(prices, {f"p{n}": 12.0 for n in range(4)}, Regression(2.0, 0.9))
    colour = performance.measure(colours, {"c0": "red", "c1": "blue", "c2": "red"}, Multiclass(("blue", "red")))

    assert price is not None
    assert colour is not None
    assert price.metrics["mae"] == mean_absolute_error([12] * 4, [10, 11, 12, 13])
    assert price.metrics["coverage"] == 1.0
    assert price.errors["mae"] == pytest.approx(np.std([2, 1, 0, 1], ddof=1) / 2)
    assert (colour.rows, colour.metrics["accuracy"]) == (3, pytest.approx(2 / 3))


def test_the_auc_is_scikit_learns_ties_included():
    """Same name, same number as the one the notebook reports."""
    rng = np.random.default_rng(5)
    scores, truth = rng.integers(0, 20, 500) / 20, rng.random(500) < 0.2
    answers = [answer(str(place), score) for place, score in enumerate(scores.tolist())]

    measured = performance.measure(answers, {str(n): one for n, one in enumerate(truth.tolist())}, Binary())

    assert measured is not None
    assert measured.metrics["auc"] == pytest.approx(roc_auc_score(truth, scores))


def held(rows: int, auc: float | None, late_share: float = 0.2) -> Performance:
    if auc is None:
        return Performance(rows=rows, metrics={"accuracy": 1.0})
    late = round(rows * late_share)
    return Performance(
        rows=rows, metrics={"auc": auc}, errors={"auc": performance.auc_error(auc, true=late, false=rows - late)}
    )


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
    assert performance.fell(measured, Binary(), name="auc", promised=0.77) is expected


@pytest.mark.parametrize(("mae", "error", "expected"), [(5.6, 0.1, True), (5.4, 0.1, False), (5.6, 1.0, False),
                                                        (3.0, 0.1, False)])  # fmt: skip
def test_an_error_that_grew_by_more_than_a_tenth_is_a_fall(mae, error, expected):
    """Lower errors are better, and they have a unit: an alarm needs a tenth of the promised value, and significance."""
    measured = Performance(rows=500, metrics={"mae": mae}, errors={"mae": error})

    assert performance.fell(measured, Regression(), name="mae", promised=5.0) is expected


def test_a_model_that_keeps_its_promise_is_rarely_said_to_have_fallen():
    """The 2.33 standard errors are one in a hundred, also at 300 rows, where 0.05 alone would be one in ten."""
    rng = np.random.default_rng(11)
    said = 0
    for _ in range(400):
        truth = rng.random(300) < 0.2
        scores = rng.normal(size=300) + truth  # true AUC: Phi(1/sqrt 2) = 0.760
        measured = held(300, float(roc_auc_score(truth, scores)), late_share=float(truth.mean()))
        said += performance.fell(measured, Binary(), name="auc", promised=0.7602)

    assert said / 400 <= 0.03


def answered(task: TaskName, rows: int, seed: int, *, worse: float = 0.0) -> tuple[Task, np.ndarray, np.ndarray]:
    """Outcomes and scores of a world that a model knows by so much less."""
    rng = np.random.default_rng(seed)
    if task == "regression":
        values = rng.normal(0, 5, rows)
        return Regression(), values + rng.normal(0, 2 + 2 * worse, rows), values
    if task == "binary":
        truth = rng.random(rows) < 0.3
        return Binary(), truth, 1 / (1 + np.exp(1.2 - rng.normal(size=rows) - (1.5 - worse) * truth))
    classes = np.array(["blue", "green", "red"])
    there = rng.choice(3, rows, p=[0.6, 0.3, 0.1])
    weight = np.exp(rng.normal(size=(rows, 3)) + (2 - worse) * np.eye(3)[there])
    return Multiclass(tuple(classes)), classes[there], weight / weight.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("task", "name"),
    [("binary", "recall"), ("regression", "r2"), ("regression", "p90_absolute_error"), ("regression", "mae"),
     pytest.param("multiclass", "macro_f1", marks=pytest.mark.chaos),  # as the quantile, it has no formula, and is slow
     ("multiclass", "log_loss")],
)  # fmt: skip
def test_any_metric_that_is_promised_falls_by_more_than_chance_alone(task, name):
    """Level and power in windows of 500 rows, metrics without a formula for their error among them."""
    known, *whole = answered(task, 100_000, 0)
    promised = known.measure([name], *whole)[name]

    def fell(seed: int, worse: float = 0.0) -> bool:
        of, outcomes, scores = answered(task, 500, seed, worse=worse)
        metrics = of.measure([name], outcomes, scores)
        measured = Performance(rows=500, metrics=metrics, errors=performance._errors(of, metrics, outcomes, scores))
        return performance.fell(measured, of, name=name, promised=promised, by=0.0)

    assert sum(fell(seed) for seed in range(1, 61)) <= 4
    assert sum(fell(seed, worse=0.5) for seed in range(1, 21)) >= 16
