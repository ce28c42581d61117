"""What a target column asks for: guessed from its values, with the reason; refused where nothing can be learned."""

import re
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from proveout.pilot import table_target
from proveout.pilot.table_file import TableRefused


def read(values, *, task=None, name="y"):
    return table_target.read(pd.Series(values, name=name), table="t.csv", task=task)


@pytest.mark.parametrize(
    ("values", "task", "why"),
    [
        ([True, False] * 60, "binary", "two values"),
        (["yes", "no", "no"] * 40, "binary", "two values"),
        ([0, 1, 1] * 40, "binary", "two values"),
        ([1.0, 2.0, None] * 60, "binary", "two values"),
        (["a", "b", "c"] * 40, "multiclass", "3 texts"),
        ([1, 2, 3, 4, 5] * 40, "multiclass", "5 whole numbers; if they count or measure something: --task regression"),
        (list(range(120)), "regression", "120 numbers"),
        (list(np.linspace(0, 1, 120)), "regression", "120 numbers"),
    ],
)
def test_the_task_is_guessed_and_says_why(values, task, why):
    """Whoever disagrees sees at once what to say."""
    found = read(values)

    assert (found.task, found.why.partition("it has ")[2]) == (task, why)


@pytest.mark.parametrize(
    ("values", "event"),
    [
        (["no", "yes", "yes"], "yes"),  # though it is the more frequent one
        (["paid", "default", "paid"], "default"),
        (["a", "b", "b"], "a"),  # nothing tells: the rarer one
        ([0, 1, 1], 1),
        ([1, 2, 2], 2),
        ([True, False, True], True),
    ],
)
def test_of_two_values_one_is_the_event(values, event):
    """A probability is that of the event, so a wrong guess turns every answer round: it is printed."""
    assert read(values * 40).event == event


def test_text_becomes_true_and_false_in_a_function_of_its_own():
    """0 and 1 are outcomes as they are; "yes" is none."""
    texts, numbers = read(["yes", "no"] * 60, name="Left the company?"), read([0, 1] * 60, name="left")

    assert (texts.name, texts.is_function) == ("left_the_company", True)
    assert (numbers.name, numbers.is_function) == ("left", False)
    assert table_target.outcomes(pd.Series(["yes", "no"]), texts).tolist() == [True, False]


def test_an_outcome_is_called_as_no_other_column():
    """The notebook would learn "churn", a column, in place of "Churn?", what is asked."""
    column = pd.Series(["yes", "no"] * 60, name="Churn?")

    assert table_target.read(column, table="t.csv", others=["churn", "churn_2"]).name == "churn_3"
    found = read(list(range(120)), name="split")
    assert (found.name, found.is_function) == ("split_2", True), "the notebook is told by `split` who learns"


def test_decimals_of_a_database_are_numbers():
    """Parquet keeps money so. Whatever it is called, a function of its own makes numbers of it."""
    prices = [Decimal(f"{place}.50") for place in range(120)]

    found = read(prices, name="Preis (€)")

    assert (found.task, found.name, found.is_function, found.is_decimal) == ("regression", "preis", True, True)
    assert table_target.outcomes(pd.Series(prices), found).tolist()[:2] == [0.5, 1.5]


def test_a_name_that_answers_have_themselves_is_another():
    """`{"low": 3, "low": 1}` would be no answer."""
    found = read(list(range(120)), name="low")

    assert (found.name, found.is_function) == ("low_value", True)


@pytest.mark.parametrize(
    ("values", "task", "said"),
    [
        ([None] * 120, None, "y is null in all 120 rows"),
        ([1, 2, 3] * 20, None, "60 rows have an outcome in y, and 100 are needed"),
        (["a"] * 120, None, "y is 'a' in every row"),
        ([7.5] * 120, "regression", "y is 7.5 in every row"),
        ([f"k{place}" for place in range(60)] * 12, None, "60 classes in 720 rows; the limit is 50"),
        (["a", "b"] * 60 + ["c"] * 3, None, "1 of 3 classes of y have fewer than 10 rows: c (3)"),
        (["a", "b", "c"] * 40, "binary", "a binary task has two outcomes, but y has 3 (a, b, c)"),
        ([f"{place},50 €" for place in range(120)], None, "y has numbers that are read as text, such as 0,50 €. Write"),
        (["1,200", "900"] * 60, "regression", "a regression needs numbers, but y has '1,200'"),
        ([0.5, 1.5, 2.5] * 40, "multiclass", "a class is a text or a whole number"),
        ([1.0, np.inf, 2.0] * 40, "regression", "y is infinite in some rows"),
        (list(pd.date_range("2020-01-01", periods=120)), None, "y holds dates"),
    ],
)
def test_what_nothing_can_be_learned_of_is_refused(values, task, said):
    """Before anything is fitted or written."""
    with pytest.raises(TableRefused, match=re.escape(said)):
        read(values, task=task)


def test_rows_without_an_outcome_wait_for_it():
    """They are counted, and are no class."""
    found = read(["a", "b", "c", None] * 40)

    assert (found.rows, found.unknown, set(found.classes)) == (120, 40, {"a", "b", "c"})
