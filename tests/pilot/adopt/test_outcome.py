"""How a pilot's outcome is made of a raw column: what a caller is answered, and what the monitor compares it with."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from proveout.pilot.adopt import outcome
from proveout.pilot.adopt.outcome import Outcome, OutcomeUnknown


def read(values: list[Any], truth: list[Any], **asked: Any) -> tuple[Outcome, list[Any]]:
    """The outcome, and what it gives for the raw values and a null: None for null."""
    column = pd.Series(values, name=asked.pop("name", "grade"))
    found = outcome.read(column, truth, range(len(truth)), **asked)
    rows = pd.DataFrame({found.column: pd.Series([*values, None])})
    made = rows[found.column]
    if found.function:
        space: dict[str, Any] = {}
        exec(compile(found.function, "target", "exec"), space)
        made = space[found.name](rows)
    return found, [None if pd.isna(one) else one for one in made.tolist()]


def test_a_raw_column_of_noughts_and_ones_is_the_outcome() -> None:
    """Nothing is made where nothing has to be."""
    found, _ = read([0, 1, 1, 0], [0, 1, 1, 0], task="binary", learned=[0, 1], name="Survived")

    assert (found.kind, found.name, found.function, found.renamed) == ("equal", "Survived", "", ())


def test_codes_of_a_yes_and_no_become_true_and_false() -> None:
    """The pilot's encoder made 1 of Yes."""
    found, made = read(["No", "Yes", "No"], [0, 1, 0], task="binary", learned=[0, 1], name="Churn?")

    assert (found.kind, found.name, found.event, found.renamed) == ("one to one", "churn", "Churn? is Yes", ())
    assert made == [False, True, False, None]


def test_texts_that_the_model_learned_get_names_that_tell_the_event() -> None:
    """Of classes called B and M nobody could say which one is true."""
    found, made = read(list("BBMB"), list("BBMB"), task="binary", learned=["B", "M"], name="diagnosis")

    assert [(one.was, one.now) for one in found.renamed] == [("B", False), ("M", True)]
    assert made == [False, False, True, False, None]


def test_a_threshold_on_a_grade_is_found() -> None:
    """`(df.num > 0)` is the usual target of heart disease, and `num` itself is not it."""
    found, made = read([0, 1, 2, 3, 0], [0, 1, 1, 1, 0], task="binary", learned=[0, 1])

    assert (found.kind, found.event) == ("determined", "grade is greater than 0")
    assert made == [False, True, True, True, False, None]


def test_codes_of_classes_are_answered_by_their_names() -> None:
    """A caller reads setosa, not 0. A class that no held-out row has follows the order of the codes."""
    found, made = read(["a", "c", "b", "a"], [0, 2], task="multiclass", learned=[0, 1, 2])

    assert (found.kind, found.classes, found.function) == ("one to one", ("a", "b", "c"), "")
    assert [(one.was, one.now) for one in found.renamed] == [(0, "a"), (1, "b"), (2, "c")]
    assert made == ["a", "c", "b", "a", None]


def test_a_model_whose_classes_cannot_be_renamed_answers_in_codes() -> None:
    """What the codes mean is said once, in the README."""
    found, made = read(["a", "b", "c"], [0, 1, 2], task="multiclass", learned=[0, 1, 2], can_rename=False)

    assert (found.classes, found.renamed, made) == ((0, 1, 2), (), [0, 1, 2, None])
    assert found.unit == "Classes are the codes of the pilot: 0 is a, 1 is b, 2 is c."


def test_ranges_of_a_number_that_are_classes_are_found() -> None:
    """Wine: many values, three classes of them."""
    values = [place / 4 for place in range(200)]
    truth = ["low" if one < 10 else "middle" if one < 30 else "high" for one in values]
    found, made = read(values, truth, task="multiclass", learned=["high", "low", "middle"])

    assert found.kind == "determined"
    assert made == [*truth, None]


@pytest.mark.parametrize(
    ("formula", "name", "words"),
    [
        (np.log1p, "log_grade", "An answer is the natural logarithm of 1 + grade, as the pilot learned it."),
        (np.log, "log_grade", "An answer is the natural logarithm of grade, as the pilot learned it."),
        (np.sqrt, "sqrt_grade", "An answer is the square root of grade, as the pilot learned it."),
        (lambda one: one / 1000, "scaled_grade", "An answer is grade * 0.001, as the pilot learned it."),
    ],
)
def test_the_unit_of_an_answer_is_said(formula: Any, name: str, words: str) -> None:
    """A price that is answered as its logarithm looks like a price of 12."""
    values = [100.0, 250.0, 900.0, 40.0]
    found, made = read(values, formula(np.array(values)).tolist(), task="regression")

    assert (found.name, found.unit) == (name, words)
    assert made[-1] is None
    assert np.allclose(made[:-1], formula(np.array(values)))


@pytest.mark.parametrize(
    ("formula", "unit"),
    [
        (np.trunc, "An answer is grade without its decimals, as the pilot learned it."),
        (np.round, "An answer is grade to the nearest whole number, as the pilot learned it."),
    ],
)
def test_an_outcome_without_its_decimals_is_one_of_whole_numbers(formula: Any, unit: str) -> None:
    """A notebook that makes whole numbers of all columns does so with the one that it learns."""
    values = [10.7, 25.2, 90.9, 4.6]
    found, made = read(values, formula(np.array(values)).tolist(), task="regression")

    assert (found.name, found.unit) == ("whole_grade", unit)
    assert made[:-1] == formula(np.array(values)).tolist()


def test_answers_that_the_pilot_takes_back_into_the_raw_unit_are_still_logarithms() -> None:
    """It measured `np.exp(y_test)` against `np.exp(y_pred)`; the model answers what it learned."""
    values = [float(one) for one in range(10_000, 90_000, 5_000)]
    found, _ = read(values, values, task="regression", answers=np.log(np.array(values) * 1.05).tolist())

    assert found.name == "log_grade"


def test_an_outcome_that_no_rule_gives_is_refused() -> None:
    """Two outcomes for one raw value: something else has decided."""
    with pytest.raises(OutcomeUnknown, match="rows of two outcomes"):
        read([1, 1, 2], [0, 1, 1], task="binary", learned=[0, 1])
    with pytest.raises(OutcomeUnknown, match="neither equal"):
        read([1.0, 2.0, 3.0, 4.0], [4.0, 1.0, 7.0, 2.0], task="regression")


def test_another_name_for_the_outcome_makes_it_a_function() -> None:
    """As a person asks on the plan's page."""
    found, _ = read([0, 1], [0, 1], task="binary", learned=[0, 1], name="y")

    assert "def churned(rows" in found.called("churned").function
    with pytest.raises(OutcomeUnknown, match="no name"):
        found.called("not a name")


@pytest.mark.parametrize(
    ("learned", "event_is_first"), [(["no", "yes"], False), (["churned", "stayed"], True), ([0, 1], False)]
)
def test_a_tie_is_answered_as_the_models_predict_does(learned: list[object], event_is_first: bool) -> None:
    """Of two equal probabilities, it takes the first class; a threshold of one half would take the event."""
    values = pd.Series([learned[0], learned[1]] * 10 + [learned[0]] * (-4 if event_is_first else 4))
    truth = values.tolist()

    found = outcome.read(values, truth, range(len(values)), task="binary", learned=learned)

    first = found.renamed[0].now if found.renamed else False
    assert first is event_is_first
    assert (found.threshold <= 0.5) is event_is_first
    assert found.threshold == pytest.approx(0.5)


@pytest.mark.parametrize("raw", [[True, False, True, True], ["1.5", "2", "0.25", "3"]], ids=["flags", "texts"])
def test_numbers_that_the_raw_column_has_in_another_form_are_numbers(raw: list[Any]) -> None:
    """A regression of a flag, or of what a file has as text: its answers are compared with numbers."""
    numbers = [float(one) for one in raw]

    found, made = read(raw, numbers, task="regression", name="bought")

    assert (found.kind, found.column, found.unit) == ("equal", "bought", "")
    assert made == [*numbers, None]
