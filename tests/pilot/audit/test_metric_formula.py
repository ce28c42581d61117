"""Metrics that are written out are found by what they compare."""

import ast

import pytest

from proveout.pilot.audit.metric_formula import errors, is_given_outcomes


def call(source: str) -> ast.Call:
    """The call that an expression is."""
    node = ast.parse(source, mode="eval").body
    assert isinstance(node, ast.Call)
    return node


@pytest.mark.parametrize(
    "source",
    ["np.mean((y - y_pred) ** 2)", "(y_pred == y).mean()", "np.mean(np.abs(actual - forecast))", "(preds == t).sum()"],
)
def test_differences_of_answers_and_outcomes_are_errors(source: str) -> None:
    """One side is an answer, the other is not."""
    assert errors(call(source)) is not None


@pytest.mark.parametrize(
    "source", ["np.mean(a - b)", "np.mean(y_pred - 1)", "np.mean(pred - pred_2)", "np.sum(y_pred - y)"]
)
def test_other_differences_are_none(source: str) -> None:
    """Two answers, or an answer and a number, measure nothing."""
    assert errors(call(source)) is None


def test_a_score_of_something_unknown_needs_outcomes() -> None:
    """A remote service has a `score` too: it answers, and measures nothing."""
    assert is_given_outcomes(call("m.score(X_test, y_test)"))
    assert is_given_outcomes(call("m.score(X=a, y=b)"))
    assert not is_given_outcomes(call("client.score(url, payload)"))
    assert not is_given_outcomes(call("m.score(X)"))
