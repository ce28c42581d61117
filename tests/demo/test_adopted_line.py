"""What a person is told if an adopted project does not go live."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from proveout.demo import adopted_line, line
from proveout.demo.live_server import DemoFailed
from proveout.ledger.ledger import Ledger
from proveout.records.values import Digest
from proveout.records.verdict import CheckResult, Evidence, Verdict

BRIER = "checks/test_model.py::test_brier_score"


def _settings(tmp_path: Any, monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> Any:
    """A project whose flow fails after it has written these verdicts."""
    file = tmp_path / "ledger.db"

    def run(settings: Any, flow: str, *_: str) -> None:
        if flow == "flows/train.py":
            with Ledger(f"sqlite:///{file}") as ledger:
                for one in verdicts:
                    ledger.append("verdict", one.candidate, one, actor="ci", reason="-", at=one.judged_at)
            raise DemoFailed("flows/train.py run failed:\nthe flow's own words")

    monkeypatch.setattr(line, "run_flow", run)
    monkeypatch.setattr(adopted_line, "open_ledger", lambda _: Ledger(f"sqlite:///{file}"))
    return SimpleNamespace(root=tmp_path)


def _go(settings: Any) -> str:
    with pytest.raises(DemoFailed) as failed:
        plan: Any = SimpleNamespace(slow=())
        adopted_line.go_live(settings, plan, lambda _: None)
    return str(failed.value)


def test_a_refusal_says_what_was_measured_what_was_asked_and_the_way_on(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name of a check alone would send its reader to another command."""
    named = dict.fromkeys(("candidate", "manifest", "data", "checks"), Digest("ab" * 32))
    refused = Verdict(
        model="loans", **named, outcome="refused", passed=1, failed=(BRIER,), judged_at="2026-11-28T00:00:00Z",
        results=(CheckResult(check=BRIER, outcome="failed", required=True, message="it breaks"),),
        evidence=(Evidence(check=BRIER, name="brier", value=0.27, at_most=0.25, rows=60),),
    )  # fmt: skip

    said = _go(_settings(tmp_path, monkeypatch, refused))

    assert "the gate refused loans@abababababab" in said
    assert f"{BRIER}: brier is 0.27 (60 rows), asked: <= 0.25" in said
    assert "flows/train.toml" in said
    assert "python flows/train.py run" in said


def test_without_a_verdict_the_flow_has_the_word(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook itself has failed, for one."""
    assert "the flow's own words" in _go(_settings(tmp_path, monkeypatch))


@dataclass(frozen=True)
class _Plan:
    """What a training asks of a plan."""

    slow: tuple[int, ...]


@pytest.mark.parametrize("failed", [adopted_line.NotThePilot("another model"), adopted_line.NotTrained("NameError")])
def test_cells_that_were_left_out_for_their_time_run_again_if_it_is_another_model(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, failed: DemoFailed
) -> None:
    """They may have drawn random numbers, or written a file that is read later."""
    tried, written = list[_Plan](), list[_Plan]()

    def candidate(_: Any, plan: Any, __: Any) -> Any:
        tried.append(plan)
        if plan.slow:
            raise failed
        return "the bundle", "the proof"

    monkeypatch.setattr(adopted_line, "_candidate", candidate)
    monkeypatch.setattr(adopted_line.project_writer, "write_again", lambda plan, _: written.append(plan))
    settings, plan = SimpleNamespace(root=tmp_path), _Plan(slow=(3, 4))

    found: Any = adopted_line._train(settings, plan, lambda _: None)  # type: ignore[arg-type]

    assert found == ("the bundle", "the proof")
    assert tried == [plan, _Plan(slow=())]
    assert written == [_Plan(slow=())]


def test_a_busy_server_is_asked_again_after_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says itself that it may be asked again in a second; asked at once, it is as busy as before."""
    busy, said, paused = (503, {"type": "overloaded"}), (200, {"answered_by": "model"}), list[float]()
    replies = [busy, busy, said]
    monkeypatch.setattr(adopted_line.live_server, "call", lambda *_: replies.pop(0))
    monkeypatch.setattr(adopted_line.time, "sleep", paused.append)

    assert adopted_line._answer(1, {"age": 3}) == {"answered_by": "model"}
    assert paused == [0.0, 1.0, 2.0]


def test_a_server_that_stays_busy_ends_the_adoption(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it said is told."""
    monkeypatch.setattr(adopted_line.live_server, "call", lambda *_: (503, {"detail": "too late"}))
    monkeypatch.setattr(adopted_line.time, "sleep", lambda _: None)

    with pytest.raises(DemoFailed, match="too late"):
        adopted_line._answer(1, {"age": 3})
