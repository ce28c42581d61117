"""Cells that take long and that a model does not need: each later run of the adopted notebook leaves them out."""

import nbformat
import pytest

from proveout.pilot.adopt import idle_cells

ROWS = "import pandas as pd\nrows = pd.read_csv('rows.csv')"
SEARCH = "search = GridSearchCV(SVC(), {}).fit(X, y)"


def slow(*cells: str, needed: tuple[int, ...] = (0, 1), took: dict[int, float]) -> tuple[int, ...]:
    document = [nbformat.v4.new_code_cell(cell) for cell in (ROWS, "X, y = rows[['a']], rows['b']", *cells)]
    return idle_cells.slow(document, needed=needed, seconds=took)


def test_what_took_long_goes_with_all_that_reads_what_it_makes() -> None:
    """A plot of a search that is not there would raise."""
    cells = (SEARCH, "best = search.best_params_", "print(best)", "rows.plot()", "model = SVC().fit(X, y)")

    assert slow(*cells, needed=(0, 1, 6), took={2: 90.0, 3: 0.0, 5: 0.5, 6: 9.0}) == (2, 3, 4)


@pytest.mark.parametrize(
    "reads",
    [
        "model = SVC(**search.best_params_).fit(X, y)",
        "def fitted():\n    return SVC(**search.best_params_).fit(X, y)\nmodel = fitted()",
        "other = search\nmodel = other.best_estimator_",
    ],
)
def test_what_the_model_needs_stays_however_long_it_takes(reads: str) -> None:
    """Also where the way to it is not the one that was found."""
    assert slow(SEARCH, reads, needed=(0, 1, 3), took={2: 90.0}) == ()


def test_a_name_that_is_bound_anew_is_another_one() -> None:
    """Notebooks call each of their models `model`."""
    cells = ("model = SVC()\nmodel.fit(X, y)", "print(model)", "model = Tree().fit(X, y)", "model.predict(X)")

    assert slow(*cells, needed=(0, 1, 4, 5), took={2: 90.0}) == (2, 3)


def test_what_is_changed_through_another_name_is_lost_too() -> None:
    """Two names of one object."""
    cells = ("models = []", "same = models", "for k in range(99):\n    same.append(Tree(k).fit(X, y))", "print(models)")

    assert slow(*cells, took={4: 90.0}) == (4, 5)


def test_what_is_quick_stays() -> None:
    """Its plots and tables are for who reads the executed notebook."""
    assert slow("rows.plot()", "print(rows)", took={2: 1.9, 3: 0.1}) == ()
