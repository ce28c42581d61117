"""Whole notebooks, as strangers write them: each model is recovered from raw rows, or the notebook is refused.

A sample runs with all tests, the others with `make pilots`.
"""

from pathlib import Path

import pytest
from pilot_corpus import PILOTS, REFUSALS, Pilot, Refusal
from pilot_notebooks import SCRIPTS, lay_out

from proveout.pilot.adopt import data_files, pilot_run, refusals
from proveout.pilot.adopt.pilot_run import PilotRun, RunLimits
from proveout.pilot.adopt.refusals import PilotRefused
from proveout.pilot.audit import notebook_text
from proveout.pilot.audit.analysis import Analysis
from proveout.recovery.recovery_report import RecoveredModel

# Prices with dummies, and more that is usual, are in the projects of test_project_writer.py.
SAMPLE = {"staff_functions_classes", "spam_tfidf_outside", "bikes_dates"}
SAMPLE |= {one.name for one in REFUSALS if one.seen in ("code", "files")}  # these run nothing


def _each(listed: tuple[Pilot, ...] | tuple[Refusal, ...]) -> list[object]:
    return [pytest.param(one, id=one.name, marks=[] if one.name in SAMPLE else pytest.mark.pilots) for one in listed]


def _run(notebook: Path, into: Path) -> PilotRun:
    into.mkdir()
    return pilot_run.run(notebook, into=into, limits=RunLimits(enough_s=1_800))  # all of its models


def _outcome_of(model: RecoveredModel) -> str | tuple[str, ...] | None:
    """The raw column with the truth, or those that it is made of."""
    made_of = model.handed.outcome.columns if model.handed is not None and model.handed.outcome is not None else None
    return model.target or made_of


@pytest.mark.parametrize("pilot", _each(PILOTS))
def test_all_models_are_recovered_from_raw_rows(pilot: Pilot, tmp_path: Path) -> None:
    """Every held-out row is compared with the pilot's, and files for a project are left behind."""
    found = _run(lay_out(pilot.name, tmp_path / "pilot", data=pilot.data), tmp_path / "found")

    models = found.recovered.models
    assert tuple(one.index for one in found.raised) == pilot.raises
    assert tuple(one.model.rpartition(".")[2] for one in models) == pilot.models
    assert models[pilot.default].level == "raw"
    models = tuple(one for one in models if "of them were looked at" not in one.reason)  # a loop over settings
    assert [(one.level, one.reason) for one in models] == [("raw", "")] * len(models)
    assert len(models) >= min(len(pilot.models), 5)
    assert {(one.task, _outcome_of(one)) for one in models} == {(pilot.task, pilot.target)}
    assert {(one.found, one.asked) for one in models} == {(pilot.held_out, pilot.held_out)}
    assert all(one.alone == one.singles > 0 and not one.raised_cells for one in models)
    assert tuple(metric.name for metric in found.recovered.models[pilot.default].metrics) == pilot.metrics
    assert all((tmp_path / "found" / one.folder / "model.skops").is_file() for one in models)


@pytest.mark.parametrize("refusal", _each(REFUSALS))
def test_what_cannot_be_adopted_is_refused_with_the_reason(refusal: Refusal, tmp_path: Path) -> None:
    """As early as it can be seen, with the cell that it stands in."""
    notebook = lay_out(refusal.name, tmp_path / "pilot", data=refusal.data)
    analysis = Analysis(notebook_text.read(notebook))
    if refusal.seen == "code":
        with pytest.raises(PilotRefused, match=refusal.phrase) as refused:
            refusals.before_run(analysis)
        assert refused.value.cell == refusal.cell
        return
    refusals.before_run(analysis)
    if refusal.seen == "files":
        [missing] = data_files.find(analysis)
        assert missing.state == "missing"
        assert refusal.phrase in missing.sentence
        assert missing.cell == refusal.cell
        return
    found = _run(notebook, tmp_path / "found")
    if refusal.seen == "run":
        with pytest.raises(PilotRefused, match=refusal.phrase) as refused:
            refusals.after_run(analysis, found)
        assert refused.value.cell == refusal.cell
        return
    [model] = found.recovered.models
    if refusal.cell >= 0:
        assert refusal.cell in model.raised_cells
    else:
        assert model.level in ("leak", "inputs")
        assert refusal.phrase in model.reason


def test_every_notebook_of_the_corpus_stands_in_the_table() -> None:
    """A notebook that nobody expects anything of would be run by no test."""
    listed = [one.name for one in (*PILOTS, *REFUSALS)]

    assert sorted(listed) == sorted(file.stem for file in SCRIPTS.glob("*.py"))
    assert len(PILOTS) >= 14
    assert len(REFUSALS) >= 6
