"""`training/gate_run.py`: the result of a gate run is its own verdict."""

import pytest

from proveout import settings
from proveout.ledger.ledger import Ledger
from proveout.records.json_form import from_json
from proveout.records.values import Digest
from proveout.records.verdict import Verdict
from proveout.training import gate_run

pytest_plugins = "pytester"

ENDS_LATE = """
import atexit, os

def test_auc(candidate):
    atexit.register(os._exit, 0)
    assert candidate is None
"""


def test_a_check_that_has_the_process_end_with_0_does_not_make_a_refusal_pass(gate, pytester):
    """`atexit` can change pytest's exit status, so only the verdict in the ledger counts."""
    root = pytester.path
    (root / "checks" / "test_toy.py").write_text(ENDS_LATE)

    run = gate_run.judge(settings.load(root))

    assert run.exit_code == 0
    assert run.verdict is not None
    assert (run.verdict.outcome, run.verdict.failed) == ("refused", ("checks/test_toy.py::test_auc",))


def test_the_verdict_bears_the_name_of_the_run_and_a_check_cannot_read_it(gate, monkeypatch):
    """Else a run that a check starts could write the verdict of the run that the check is part of."""
    monkeypatch.setenv(gate_run.VARIABLE, "this one")

    run = gate("import os\ndef test_name():\n    assert 'PROVEOUT_GATE_RUN' not in os.environ\n")

    assert run.verdict.gate_run == "this one"
    assert run.verdict.outcome == "approved", run.text


@pytest.mark.parametrize("name", ["mine", ""])
def test_the_verdict_of_another_run_is_not_taken_for_ones_own(tmp_path, name):
    """Two gates judge one bundle at once; one is approved, the other ends before it has said anything."""
    judged = Verdict(
        model="toy",
        candidate=Digest("b" * 64),
        manifest=Digest("c" * 64),
        data=Digest("d" * 64),
        checks=Digest("e" * 64),
        outcome="approved",
        passed=3,
        judged_at="2013-06-01T00:00:00+00:00",
        gate_run=name,
    )
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        ledger.append("verdict", judged.candidate, judged, actor="gate", reason="-", at=judged.judged_at)
        assert gate_run.verdict_of(ledger, "other", since=0) is None
        assert gate_run.verdict_of(ledger, "mine", since=1) is None
        assert gate_run.verdict_of(ledger, "mine", since=0) == (judged if name else None)
    assert from_json(Verdict, ledger.entries()[0].body) == judged
