"""What IPython adds is taken out of a cell, and every line stays where it was."""

import ast

import pytest

from proveout.pilot.audit.magics import mask


@pytest.mark.parametrize(
    ("source", "python"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("!pip install pandas\nx = 1", "pass\nx = 1"),
        ("files = !ls data\nx = 1", "files = None\nx = 1"),
        ("if True:\n    !ls\n    x = 1", "if True:\n    pass\n    x = 1"),
        ("df?\nx = 1", "pass\nx = 1"),
        ("?df\nx = 1", "pass\nx = 1"),
        ("ls\nx = 1", "pass\nx = 1"),
        ("%time x = f()", "x = f()"),
        ("!pip install a \\\n  b\nx = 1", "pass\n\nx = 1"),
    ],
)
def test_a_magic_becomes_a_statement_that_does_nothing(source: str, python: str) -> None:
    """Python reads the rest of the cell, at the same lines."""
    assert mask(source).python == python


@pytest.mark.parametrize(
    "source",
    [
        "x = 7 % 3",
        "x = (7\n% 3)",
        "text = '''\n!ls\n%time\n'''",
        "x = a \\\n% b",
        "ls = 3\nprint(ls)",
        "x != 3",
        "f'{a!r}'",
        "'100%' if a else b",
        "cat.name = 3",
    ],
)
def test_operators_and_texts_are_no_magics(source: str) -> None:
    """A percent sign inside brackets or a text is Python's."""
    plain = mask(source)

    assert plain.python == source
    assert plain.magics == ()


@pytest.mark.parametrize(
    "name", ["bash", "html", "javascript", "sql", "R", "writefile a.py", "latex", "scala", "bigquery"]
)
def test_the_body_of_another_language_is_no_python(name: str) -> None:
    """`import x` in a shell script or a file to write says nothing of this notebook."""
    plain = mask(f"%%{name}\nSELECT * FROM t;\nimport os")

    assert not plain.is_python
    assert plain.python.strip() == ""
    assert plain.magics[0].body == "SELECT * FROM t;\nimport os"


@pytest.mark.parametrize("name", ["time", "timeit", "capture output", "prun"])
def test_the_body_that_runs_in_the_notebook_is_python(name: str) -> None:
    """Half of all training cells start with %%time."""
    plain = mask(f"%%{name}\nx = 1\ny = 2")

    assert plain.is_python
    assert plain.python.split("\n")[1:] == ["x = 1", "y = 2"]


def test_several_cell_magics_in_a_row_are_all_taken() -> None:
    """%%capture and %%time stand together."""
    plain = mask("%%capture\n%%time\nx = 1")

    assert [magic.name for magic in plain.magics] == ["capture", "time"]
    assert ast.parse(plain.python).body[0].lineno == 3


def test_a_magic_knows_its_line_its_kind_and_its_text() -> None:
    """The rules for installs, shells and folders read these."""
    plain = mask("x = 1\n%cd data\n!pip install a b\n%%not a cell magic")

    assert [(magic.line, magic.magic_type, magic.name) for magic in plain.magics[:2]] == [
        (2, "line_magic", "cd"),
        (3, "shell", "pip"),
    ]
    assert plain.magics[1].text == "pip install a b"


@pytest.mark.parametrize(
    "source", ["", "\n\n", "#", "%", "!", "%%", "?", "!!", "% time", "%%  \nx", "x = !", "'''", "((("]
)
def test_marks_in_odd_places_raise_nothing(source: str) -> None:
    """People leave cells half written."""
    assert mask(source).python.count("\n") <= source.count("\n")
