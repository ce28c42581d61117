"""Evidence as the same rows wherever a verdict is shown."""

from dataclasses import replace

from proveout.gate.reports import evidence_table
from proveout.gate.reports.evidence_table import FOLDED_FROM
from proveout.records.verdict import Evidence

AUC = Evidence(check="checks/test_m.py::test_auc", name="auc", value=0.7712, at_least=0.7, champion=0.7698, rows=8000)


def test_a_row_says_what_was_measured_what_was_asked_and_what_came_of_it():
    low = replace(AUC, value=0.6, slice="EWR", low=0.58, high=0.62, level=0.95)

    row = evidence_table.row(low)

    assert (row.name, row.rows, row.value, row.interval) == ("auc, EWR", "8,000", "0.6", "[0.58, 0.62]")
    assert (row.champion, row.asked, row.answer, row.tone) == ("0.7698", ">= 0.7", "failed", "failed")


def test_a_number_of_which_nothing_is_asked_is_neither_good_nor_bad():
    assert evidence_table.row(replace(AUC, at_least=None)).tone == "soft"
    assert evidence_table.row(replace(AUC, value=None, unjudged="31 rows, asked for 200")).tone == "open"
    assert evidence_table.row(AUC).tone == "approved"


def test_what_fails_is_first_and_many_that_hold_are_one_row():
    """Sixty slices that hold would hide the one that does not."""
    slices = [replace(AUC, check=f"checks/test_m.py::test_slices[{n}]", slice=f"s{n}") for n in range(FOLDED_FROM)]
    broken = replace(AUC, check="checks/test_m.py::test_slices[9]", slice="s9", value=0.1)

    rows = evidence_table.folded([*slices, broken, replace(AUC, name="brier")])

    assert [(row.name, row.answer) for row in rows] == [("auc, s9", "failed"), ("brier", "ok"), ("test_slices", "ok")]
    assert rows[-1].value == f"{FOLDED_FROM} hold"
