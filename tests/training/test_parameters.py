"""training/parameters.py: the parameters cell as IPython reads it, and values as the notebook can use them."""

import datetime
from pathlib import Path

import pytest

from proveout.training import parameters


def names(source: str) -> list[str]:
    return [one.name for statement in parameters.declared(source) for one in statement.sets]


def fit(source: str, given: dict, **named) -> parameters.Fitted:
    return parameters.fit(parameters.declared(source), given, **named)


def handed_in(source: str, given: dict) -> dict:
    """What the names are after the cell, and the one that hands `given` in, were run."""
    statements = parameters.declared(source)
    fitted = parameters.fit(statements, given, defaults_allowed=True)
    assert fitted.problems == ()
    names: dict = {}
    exec(source, names)  # as the kernel does
    exec(parameters.injected(statements, fitted.values), names)
    return names


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("%matplotlib inline\n%config InlineBackend.figure_format = 'svg'\nn = 1", ["n"]),
        ("!pip list\nn = 1", ["n"]),
        ("files = !ls\nn = 1", ["files", "n"]),
        ("%%time\nn = 1", ["n"]),
        ("a, b = 1, 2", ["a", "b"]),
        ("[a, (b, *c)] = f()", ["a", "b", "c"]),
        ("a = b = 1", ["a", "b"]),
        ("n: int", ["n"]),
        ("import os\nx += 1\ntable['n'] = 1\nfor i in range(3):\n    pass\ndef f(): pass", []),
        ("# nothing but a comment", []),
        ("print?\nn = 1", ["n"]),
    ],
)
def test_the_cell_is_read_as_ipython_reads_it(source, found):
    """Python alone calls a magic a syntax error, and `a, b = 1, 2` has no name for its target."""
    assert names(source) == found


def test_a_parameter_whose_default_is_none_may_be_left_out():
    """TOML has no null, so a parameter with None could not be set."""
    fitted = fit("max_depth = None\nrate: float | None = None\nn = 1", {"n": 2})

    assert fitted.problems == ()
    assert fitted.kept == ("max_depth", "rate")


def test_what_is_left_out_is_missing_unless_the_project_says_otherwise():
    """A typo in train.toml would train with the notebook's own value; an annotation alone is no value."""
    source, given = "n = 1\nhalf = n // 2\nneeded: int", {"n": 4}

    assert fit(source, given).problems == ("parameter `half` is missing", "parameter `needed` is missing")
    allowed = fit(source, given, defaults_allowed=True)
    assert allowed.problems == ("parameter `needed` is missing",)
    assert allowed.kept == ("half",)


def test_a_default_computed_from_another_follows_the_value_given():
    """The cell has run with its own values by then: `half` would be half of the old base."""
    source = "base = 10\nhalf = base // 2\nquarter, other = half // 2, 1\nname = 'x'"

    assert handed_in(source, {"base": 100})["quarter"] == 25
    given = handed_in(source, {"base": 100, "half": 8, "other": 7})
    assert [given[name] for name in ("base", "half", "quarter", "other", "name")] == [100, 8, 4, 7, "x"]


@pytest.mark.parametrize(
    ("source", "given", "value"),
    [
        ("v = (100, 50)", [10], (10,)),
        ("v = ()", [], ()),
        ("v = [(1, 1), (1, 2)]", [[1, 3]], [(1, 3)]),
        ("v: tuple[int, ...] = None", [1, 2], (1, 2)),
        ("from typing import Optional\nv: 'Optional[tuple[int, int]]' = None", [1, 2], (1, 2)),
        ("v: float = 1", 0.5, 0.5),
        ("v: int | str = 1", "auto", "auto"),
        ("from datetime import date\nv: date = date(2013, 1, 1)", "2013-04-30", datetime.date(2013, 4, 30)),
        ("from pathlib import Path\nv: Path = Path('a')", "b/c", Path("b/c")),
        ("v = {1, 2}", [3], {3}),
        ("v = {'a': [1]}", {"b": ["x'\"\n"]}, {"b": ["x'\"\n"]}),
        ("v = 2 * 3", "anything", "anything"),
        ("v: 'np.ndarray' = None", [1], [1]),
    ],
)
def test_a_value_arrives_as_what_was_declared(source, given, value):
    """A tuple could be given in no way; `rate: float = 1` refused 0.5; a TOML array is no tuple, a TOML date a text."""
    arrived = handed_in(source, {"v": given})["v"]

    assert arrived == value
    assert type(arrived) is type(value)


@pytest.mark.parametrize(
    ("source", "given", "said"),
    [
        ("v: int = 1", 1.5, "is 1.5, a float; int was declared"),
        ("v: int | None = None", "a", "is 'a', a str; int | None was declared"),
        ("v: Literal['gini', 'entropy'] = 'gini'", "mse", "Literal['gini', 'entropy'] was declared"),
        ("v: list[int] = None", [1, "2"], "list[int] was declared"),
        ("v: date = None", "tomorrow", "date was declared"),
        ("v = (1, 2)", 3, "is 3, a int; tuple was declared"),
        ("a, v = 'x', True", 1, "is 1, a int; bool was declared"),
    ],
)
def test_a_value_of_another_type_than_declared_is_refused(source, given, said):
    """An annotation says more than a default does: it was not read at all."""
    problems = fit(source, {"v": given}, defaults_allowed=True).problems

    assert len(problems) == 1
    assert said in problems[0]


@pytest.mark.parametrize(
    ("source", "line"), [("n = 1\nx = = 2", 2), ("%matplotlib inline\nn = (1,\n", 2), ("n = 1\n  m = 2", 2)]
)
def test_a_slip_has_the_line_of_the_cell(source, line):
    """A bare SyntaxError named `<unknown>`."""
    with pytest.raises(SyntaxError) as slip:
        parameters.declared(source)

    assert slip.value.lineno == line
