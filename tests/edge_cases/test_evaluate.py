"""What edge cases demand of models that answer a class or a number."""

import datetime

import numpy as np
import pytest

from proveout import edge_cases
from proveout.edge_cases import expectation_syntax
from proveout.edge_cases.case import Case, Expectation
from proveout.errors import ConfigError, UsageError
from proveout.task.binary import Binary
from proveout.task.multiclass import Multiclass
from proveout.task.regression import Regression
from proveout.task.task import Task


class Model:
    """Says of each record what `scores` makes of its wind."""

    request_columns = ("wind",)

    def __init__(self, task: Task, scores):
        self.task, self._scores = task, scores

    def predict(self, records):
        return np.array([self._scores(float(wind)) for wind in records["wind"]])


def case(expect: Expectation, *, name: str = "windy", wind: float = 10.0) -> Case:
    return Case(
        id=name, reason="A reason that is long enough to be one.", author="ada", date=datetime.date(2026, 1, 1),
        incident="An incident that is long enough to be one.", record={"wind": wind}, expect=expect,
    )  # fmt: skip


def asked(lines: list[str], model: Model, *others: Case) -> dict[str, bool]:
    """Whether each thing that `lines` expect holds, by its name."""
    one = case(expectation_syntax.expectation(lines))
    answers = edge_cases.ask([one, *others], model)
    return {found.name: found.holds for found in edge_cases.demands(one, answers)}


PRICES = Model(Regression(2.0, 0.9), lambda wind: 3 * wind)
COLOURS = Model(Multiclass(("blue", "red")), lambda wind: (wind / 100, 1 - wind / 100))
CALM = case(Expectation(), name="calm", wind=1.0)


@pytest.mark.parametrize(
    ("lines", "holds"),
    [
        (["value at_least 30"], True), (["value at_least 30.5"], False), (["value at_most 30"], True),
        (["value at_least 20", "value at_most 29"], False), (["same_under wind=10"], True),
    ],
)  # fmt: skip
def test_a_value_is_asked_between_bounds_in_its_own_unit(lines, holds):
    """A probability's bounds would refuse every price."""
    assert all(asked(lines, PRICES).values()) is holds


def test_an_order_is_asked_of_values_as_of_probabilities():
    """The tolerance is in the unit of the target: a number above 1 is one."""
    found = asked(
        ["higher_than calm", "not_lower_when wind=1,2,3", "not_higher_when wind=1,2 tolerance 4"], PRICES, CALM
    )

    assert found == {
        "value": True, "lead over calm": True, "fall while wind rises from 1 to 3": True,
        "rise while wind rises from 1 to 2": True,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("lines", "holds"),
    [
        (["label red"], True), (["label blue"], False), (["probability of blue at_most 0.2"], True),
        (["probability of red at_least 0.95"], False), (["probability at_least 0.9"], True),
        (["same_as calm"], False), (["same_under wind=10"], True),
    ],
)  # fmt: skip
def test_a_class_is_asked_by_its_name_and_by_its_probability(lines, holds):
    """`probability` alone is that of the class answered."""
    assert all(asked(lines, COLOURS, CALM).values()) is holds


@pytest.mark.parametrize(
    ("lines", "model", "said"),
    [
        (["label true"], PRICES, "expect `value at_least`"),
        (["probability at_most 0.5"], PRICES, "expect `value at_least`"),
        (["value at_least 1"], COLOURS, "the task answers no number"),
        (["higher_than calm"], COLOURS, "expect `probability of CLASS`"),
        (["label purple"], COLOURS, "the model knows blue, red"),
        (["probability of purple at_most 0.1"], COLOURS, "the model knows blue, red"),
        (["label red"], Model(Binary(), lambda wind: 0.5), "expect true or false"),
        (["probability of red at_most 0.1"], Model(Binary(), lambda wind: 0.5), "expect `probability at_least`"),
    ],
)
def test_what_the_task_does_not_have_is_told_with_what_to_expect(lines, model, said):
    """A case that was written for another task would hold, or break, for no reason."""
    with pytest.raises(ConfigError, match=f"edge case windy: expects .*{said}"):
        asked(lines, model, CALM)


@pytest.mark.parametrize(
    "lines",
    [
        ["label red"], ["label 3"], ["label false"], ["value at_least 1", "value at_most 2.5"],
        ["probability of red at_least 0.2", "probability of red at_most 0.5"],
    ],
)  # fmt: skip
def test_what_is_expected_is_written_as_it_was_read(lines):
    """`proveout cases list` shows what the file means."""
    assert list(expectation_syntax.lines(expectation_syntax.expectation(lines))) == lines


def test_bounds_that_cross_are_refused():
    """Nothing lies between them."""
    with pytest.raises(UsageError, match="nothing lies between"):
        expectation_syntax.expectation(["value at_least 5", "value at_most 4"])
