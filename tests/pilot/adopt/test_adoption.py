"""Which plan adopt goes on with: that of the best model that nothing simpler beats."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_notebooks import write_notebook

from proveout.pilot.adopt import adoption, plan, plan_page
from proveout.pilot.adopt.pilot_run import RunLimits
from proveout.pilot.adopt.plan import PlanRefused
from proveout.pilot.adopt.refusals import PilotRefused

WORTHLESS = {"worthless": "the same answer for all is as good"}
EXACT = {"exact": "a, b add up to c"}


def _recovered(*names: str, named: bool) -> Any:
    place = SimpleNamespace(cell=3)
    models = [SimpleNamespace(model=f"x.{name}", place=place, line="predict", folder=name) for name in names]
    candidates = [SimpleNamespace(model=one) for one in models]
    return SimpleNamespace(
        notebook=Path("n.ipynb"),
        pilot=None,
        candidates=candidates,
        folder=Path(),
        run=SimpleNamespace(raised=(), seconds=1.0, cell_seconds={}),
        named=named,
    )


def _propose(
    monkeypatch: pytest.MonkeyPatch, made: dict[str, str | Exception], *, named: bool = False
) -> tuple[Any, list[str]]:
    """The plan, and what was told. `made`: what beats a model, or why it has no plan, by its class."""

    def proposed(notebook: Path, one: Any, folder: Path, **_: object) -> Any:
        found = made[one.folder]
        if isinstance(found, Exception):
            raise found
        return SimpleNamespace(
            model=one.folder,
            quality=SimpleNamespace(beaten=found, worthless=WORTHLESS.get(found, ""), exact=EXACT.get(found, "")),
        )

    monkeypatch.setattr(plan, "propose", proposed)
    said: list[str] = []
    return adoption.propose(_recovered(*made, named=named), files={}, name=None, choices=None, tell=said.append), said


REFUSED = PlanRefused("n.ipynb", "no raw column holds it", "Keep it")


def test_a_model_that_something_simpler_beats_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """What beats it is told, and what has no plan, too."""
    found, said = _propose(monkeypatch, {"Odd": REFUSED, "Tree": "brier 0.25 is worse", "Log": ""})

    assert found.model == "Log"
    assert said[0].startswith("Odd (cell 3: predict) is left out: no raw column holds it")
    assert said[1].startswith("Tree (cell 3: predict) is not the first choice: brier 0.25 is worse")


def test_if_each_is_beaten_the_best_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its plan says what beats it."""
    assert _propose(monkeypatch, {"Tree": "beaten", "Log": "beaten, too"})[0].model == "Tree"


def test_a_model_as_good_as_one_answer_for_all_is_taken_only_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal says how good both are, and the way on."""
    with pytest.raises(PlanRefused, match=r"the same answer for all is as good\. Improve it .* name it with --model"):
        _propose(monkeypatch, {"Tree": "worthless"})

    assert _propose(monkeypatch, {"Tree": "worthless"}, named=True)[0].model == "Tree"
    assert _propose(monkeypatch, {"Tree": "worthless", "Log": ""})[0].model == "Log"


def test_an_outcome_that_its_columns_add_up_to_is_served_only_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The refusal names the columns, and the way on."""
    with pytest.raises(PlanRefused, match=r"a, b add up to c\. Who can give .* name it with --model"):
        _propose(monkeypatch, {"Linear": "exact"})

    assert _propose(monkeypatch, {"Linear": "exact"}, named=True)[0].model == "Linear"


def test_without_any_plan_the_first_reason_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is that of the best model."""
    with pytest.raises(PlanRefused, match="no raw column holds it"):
        _propose(monkeypatch, {"Tree": REFUSED})


def test_a_model_that_no_plan_fits_does_not_cost_the_others_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its statements may raise for a row that nobody thought of."""
    odd = ValueError("a row of\nno kind.")
    found, said = _propose(monkeypatch, {"Odd": odd, "Log": ""})

    assert found.model == "Log"
    assert said[0].endswith("is left out: its plan could not be made, ValueError: a row of no kind")
    with pytest.raises(PlanRefused, match=r"no kind\. Name another model") as refused:
        _propose(monkeypatch, {"Odd": odd})
    assert refused.value.__cause__ is odd


def test_names_that_libraries_gave_up_are_written_as_today(tmp_path: Path) -> None:
    """What the first error hid, the second run shows. The notebook stays as it is, and the diff begins at its text."""
    draw = np.random.default_rng(3)
    rows = pd.DataFrame({"id": range(200), "size": draw.normal(size=200), "kind": draw.choice(["a", "b"], 200)})
    rows.assign(late=(rows["size"] + (rows.kind == "a") > 0.5).astype(int)).to_csv(tmp_path / "rows.csv", index=False)
    cells = (
        "import numpy as np\nimport pandas as pd\nfrom sklearn.ensemble import RandomForestClassifier\n"
        "from sklearn.model_selection import train_test_split\ndf = pd.read_csv('rows.csv').drop('id', 1)",
        "df['size'] = df['size'].astype(np.float)\nX = pd.get_dummies(df.drop('late', 1))\ny = df['late']\n"
        "X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)",
        "model = RandomForestClassifier(n_estimators=20, max_features='auto', random_state=0).fit(X_train, y_train)\n"
        "print((model.predict(X_test) == y_test).mean())",
    )
    notebook = write_notebook(tmp_path / "old.ipynb", cells)
    before, told = notebook.read_bytes(), list[str]()
    analysis, _ = adoption.look(notebook)

    found = adoption.recover(
        analysis, notebook, into=tmp_path / "found", files={}, limits=RunLimits(), model=None, tell=told.append
    )
    made = adoption.propose(found, files={}, name=None, choices=None, tell=told.append)

    assert notebook.read_bytes() == before
    assert sum("with the names that libraries have today" in line for line in told) == 3
    assert made.lifted.renewed == (0, 1, 2)
    assert "-df = pd.read_csv('rows.csv').drop('id', 1)" in made.lifted.diff
    assert "max_features='sqrt'" in found.pilot.cells[2].source
    assert "written as they are today, or with an import that no cell has: 0, 1, 2" in plan_page.page(made)


def test_a_name_without_an_exact_successor_is_refused_as_before(tmp_path: Path) -> None:
    """No second run, and the other releases may be tried."""
    cells = ("from sklearn.datasets import load_iris\nX, y = load_iris(return_X_y=True)\nX.ix[0]",)
    notebook = write_notebook(tmp_path / "old.ipynb", cells)
    analysis, _ = adoption.look(notebook)
    told: list[str] = []

    with pytest.raises(PilotRefused):
        adoption.recover(
            analysis, notebook, into=tmp_path / "found", files={}, limits=RunLimits(), model=None, tell=told.append
        )

    assert not any("once more" in line for line in told)
    assert adoption.refused_for_a_cell(tmp_path / "found")
