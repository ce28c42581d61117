"""A cell that Python cannot read whole keeps the statements that it can."""

import ast

import pytest

from proveout.pilot.audit.cell_code import parse


def names(source: str) -> list[str]:
    """What a cell assigns."""
    return [
        node.id
        for node in ast.walk(parse(source).tree)
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    ]


def test_valid_code_has_no_fault() -> None:
    """A fault is shown to the user: a false one would be a false alarm."""
    code = parse("x = 1\n%matplotlib inline\ny = 2")

    assert code.faults == ()
    assert code.text(3) == "y = 2"
    assert code.text(9) == ""


def test_one_broken_line_leaves_the_others() -> None:
    """The rest of the cell is audited all the same, at its own lines."""
    code = parse("a = 1\nb = = 2\nc = 3")

    assert [fault.line for fault in code.faults] == [2]
    assert names("a = 1\nb = = 2\nc = 3") == ["a", "c"]
    assert code.tree.body[-1].lineno == 3


def test_a_print_statement_of_python_2_keeps_what_it_prints() -> None:
    """What it prints is read: the metric in it counts."""
    code = parse("print 'score', model.score(X, y)\nx = 1")

    assert any(isinstance(node, ast.Attribute) and node.attr == "score" for node in ast.walk(code.tree))
    assert code.faults[0].line == 1


def test_top_level_await_is_valid() -> None:
    """Notebooks may await in a cell."""
    assert parse("rows = await load()").faults == ()


def test_many_broken_lines_leave_the_blocks_that_are_valid() -> None:
    """A cell of prose with two lines of code still has these."""
    prose = "\n".join(f"this is line {number} of a text" for number in range(30))

    assert "x" in names(f"{prose}\nx = 1")


def test_a_statement_that_nests_too_deep_is_left_out_alone() -> None:
    """Readers of trees call themselves for each level."""
    code = parse("a = 1\nb = x" + ".f(0)" * 400 + "\nc = 3")

    assert [fault.line for fault in code.faults] == [2]
    assert [node.lineno for node in code.tree.body] == [1, 3]


def test_a_cell_whose_first_line_is_indented_is_read_as_ipython_reads_it() -> None:
    """It takes that space from each line that begins with it; the columns are those of the cell as it is written."""
    source = "\n  for m in (1, 2):\n      y = m\n  %time z = 3\n"
    code = parse(source)

    assert code.faults == ()
    loop, assigned = code.tree.body
    assert isinstance(loop, ast.For)
    assert isinstance(assigned, ast.Assign)
    number = loop.body[0]
    assert isinstance(number, ast.Assign)
    assert source.split("\n")[number.lineno - 1][number.col_offset : number.end_col_offset] == "y = m"
    assert code.python.split("\n")[1:4] == ["  for m in (1, 2):", "      y = m", "  z = 3"]


@pytest.mark.parametrize(
    "source",
    [
        "\x00",
        " x = (\n )) y",
        "x = '\x00'",
        "def f(:\n    pass",
        "    x = 1",
        "if True:",
        "else:\n    x = 1",
        "x = (1,\n",
        "'''never closed",
        "\\",
        "x = 1 \\",
        "val x: Int = 3;",
        "library(dplyr)\ndf %>% filter(a > 1)",
        "SELECT * FROM t WHERE a = 'b'",
        "exec 'x = 1' in d",
        "try:\n    x\nexcept A, b:\n    pass",
        "async",
        "\t x = 1\n  y = 2",
        "(" * 300 + ")" * 300,
        "x = " + "-" * 3000 + "1",
        "a." * 2000 + "b",
        "\ufeffx = 1",
        "x = 1\r\ny = 2\rz = 3",
    ],
)
def test_nothing_in_a_cell_raises(source: str) -> None:
    """An audit that stops at one cell tells nothing of the other ninety."""
    code = parse(source)

    assert isinstance(code.tree, ast.Module)
