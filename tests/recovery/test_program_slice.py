"""Which statements of a notebook one of them needs, and which cells need what another one makes."""

from proveout.recovery import program_slice


def test_what_switches_an_import_on_is_needed_by_all_of_them() -> None:
    """`from sklearn.impute import *` raises without it, in the module that is written."""
    lines = [
        "from sklearn.experimental import enable_iterative_imputer",
        "import math",
        "from sklearn.impute import *",
        "filled = SimpleImputer().fit_transform(rows)",
    ]

    assert program_slice.backward(lines, 3) == [0, 2, 3]


def test_a_cell_needs_what_another_one_makes_until_the_name_is_bound_anew() -> None:
    """A cell that does both, in this order, needs it."""
    cells = {0: ["a = 1"], 1: ["b = a"], 2: ["c = b", "a = 2"], 5: ["print(a)"], 7: ["a = 3", "print(a)"]}

    assert program_slice.dependents(cells, 0) == {0, 1, 2, 5}
    assert program_slice.dependents({**cells, 2: ["a = 2"]}, 0) == {0, 1}
