"""The pilot's own model is measured before its project is written: it passes the bounds, the cases and the rules."""

import zipfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from small_notebooks import write_notebook

from proveout.pilot.adopt import pilot_quality, pilot_run, plan
from proveout.pilot.adopt.plan import Plan
from proveout.pilot.project_files import RULES_MARGIN

CELLS = [
    "import pandas as pd\nfrom sklearn.model_selection import train_test_split\n"
    "from sklearn.tree import DecisionTreeClassifier",
    "df = pd.read_csv('loans.csv')\ndf['income'] = df['income'].fillna(0)",
    "X, y = df[['income', 'history']], df['paid']",
    "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.2, random_state=1)",
    "tree = DecisionTreeClassifier(random_state=0).fit(X_train, y_train)\nprint(tree.score(X_test, y_test))",
]


def _plan(folder: Path, *, told: float, size: int = 300) -> Plan:
    """A fully grown tree on a history that is right in a share `told` of the rows, and an income that says nothing."""
    rng = np.random.default_rng(11)
    history = rng.integers(0, 2, size)
    paid = np.where(rng.random(size) < told, history, 1 - history)
    income = np.where(rng.random(size) < 0.5, np.nan, rng.normal(3_000, 400, size).round())
    pd.DataFrame({"income": income, "history": history, "paid": paid}).to_csv(folder / "loans.csv", index=False)
    notebook, found = write_notebook(folder / "loans.ipynb", CELLS), folder / "found"
    found.mkdir()
    [model] = pilot_run.run(notebook, into=found).recovered.models
    return plan.propose(notebook, model, found / model.folder)


@pytest.fixture(scope="module")
def loans(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A tree that one condition on one column beats."""
    return _plan(tmp_path_factory.mktemp("loans"), told=0.8)


def test_a_model_that_one_condition_beats_is_asked_to_stay_as_good(loans: Plan) -> None:
    """The plan says so. Refusing what the pilot's author chose is not for the gate of its first day."""
    margin = next(one for one in loans.quality.bounds if one.name == RULES_MARGIN)

    assert not loans.quality.is_better
    assert not loans.quality.worthless
    assert loans.quality.beaten
    assert "NO BETTER" in margin.reason or "NOT SIGNIFICANTLY BETTER" in margin.reason


def test_each_case_has_a_record_of_its_own(loans: Plan) -> None:
    """Two cases with one record are refused by the gate: a plain row may have its optional fields empty already."""
    records = [case.record for case in loans.quality.cases]

    assert all(record not in records[:place] for place, record in enumerate(records))


def test_twins_are_looked_for_among_all_rows(loans: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the gate, which sees them all, finds more than the bound allows."""
    monkeypatch.setattr(pilot_quality, "_MOST_MEASURED", 20)

    some = pilot_quality.measure(loans.proposal, loans.opened, loans.outcome)

    alike = [next(one for one in found.bounds if one.name == "alike_share_at_most") for found in (loans.quality, some)]
    assert alike[0] == alike[1]
    assert alike[0].value > 0.3


def test_a_model_that_knows_nothing_is_worthless(tmp_path: Path) -> None:
    """Its answers are no better than the base rate by the Brier score, nor than guessing by the AUC."""
    found = _plan(tmp_path, told=0.5, size=230).quality

    assert "the same answer for all is as good: brier" in found.worthless
    assert "against 0.5" in found.worthless


def test_a_model_that_is_packed_well_may_take_what_it_has_unpacked(tmp_path: Path) -> None:
    """A deep forest of many rows is packed to a sixth, and the gate refused it for the memory that it takes."""
    with zipfile.ZipFile(tmp_path / "model.skops", "w", compression=zipfile.ZIP_DEFLATED) as file:
        file.writestr("forest.npy", bytes(300_000_000))

    bounds = pilot_quality._serving(SimpleNamespace(folder=tmp_path), 1.0, 1.0)

    [memory] = [bound for bound in bounds if bound.name == "memory_mb_at_most"]
    assert memory.value >= 400 + 6 * 300
    assert "unpacked 300 MB" in memory.reason
