"""Judging: plain values in, a verdict out. And writing it down."""

from dataclasses import replace

import pytest

from proveout.errors import NotApproved
from proveout.gate import report
from proveout.gate.verdict import covers, judge, record_verdict
from proveout.records import Bundle, CheckResult, Digest, Evidence, Verdict
from proveout.registry import releases
from proveout.registry.ledger import Ledger, read
from proveout.registry.signing import Keyring, check_approval

BUNDLE = Bundle(
    model="churn",
    digest=Digest("9f2c41d07a3b" + "0" * 52),
    manifest=Digest("a" * 64),
    snapshot=Digest("b" * 64),
    metrics=(),
    trained_at="2026-01-01T00:00:00+00:00",
    run="TrainFlow/1",
    git_commit="unknown",
    train_through="2013-04",
    holdout="2013-05",
    bytes=1000,
)
AT = "2026-01-02T00:00:00.000+00:00"
LATER = "2026-04-02T00:00:00.000+00:00"
FILE = "checks/test_model.py"


def verdict(*outcomes: str, evidence: tuple[Evidence, ...] = (), required: tuple[str, ...] = (FILE,)) -> Verdict:
    """A verdict on checks named test_0, test_1, … of one file, with these outcomes."""
    results = [
        CheckResult(check=f"{FILE}::test_{n}", outcome=outcome, required=False, message="why")
        for n, outcome in enumerate(outcomes)
    ]
    return judge(results, evidence, required=required, candidate=BUNDLE, checks=Digest("c" * 64), champion=None, at=AT)


def test_only_passed_checks_approve():
    """The one way in."""
    said = verdict("passed", "passed")

    assert said.outcome == "approved"
    assert (said.passed, said.failed, said.unproven) == (2, (), ())
    assert (said.candidate, said.manifest, said.data) == (BUNDLE.digest, BUNDLE.manifest, BUNDLE.snapshot)


@pytest.mark.parametrize("outcome", ["skipped", "xfailed", "xpassed", "deselected", "missing"])
def test_a_required_check_without_evidence_refuses(outcome):
    """No evidence is not good evidence: each of these ends a pytest run green."""
    said = verdict("passed", outcome)

    assert said.outcome == "refused"
    assert said.unproven == (f"{FILE}::test_1",)
    assert said.failed == ()


@pytest.mark.parametrize("outcome", ["failed", "error"])
def test_a_failed_check_refuses_whether_required_or_not(outcome):
    """A check that somebody forgot to declare still found something."""
    said = verdict("passed", outcome, required=(f"{FILE}::test_0",))

    assert said.outcome == "refused"
    assert said.failed == (f"{FILE}::test_1",)


def test_a_skipped_check_that_nobody_requires_is_no_objection():
    """A check for another machine may skip; to matter it is declared."""
    assert verdict("passed", "skipped", required=(f"{FILE}::test_0",)).outcome == "approved"


def test_a_required_check_that_was_never_seen_is_missing():
    """A renamed or deleted check takes its protection with it without a sound."""
    said = verdict("passed", required=(FILE, "checks/test_data.py"))

    assert said.outcome == "refused"
    assert said.unproven == ("checks/test_data.py",)
    assert said.results[-1].outcome == "missing"


def test_nothing_at_all_is_refused():
    """An empty run has no failures."""
    assert verdict().outcome == "refused"
    assert verdict("skipped", required=()).outcome == "refused"


def test_evidence_out_of_its_bounds_fails_a_check_that_passed():
    """A check may swallow the AssertionError of its own evidence."""
    low = Evidence(check=f"{FILE}::test_0", name="auc", value=0.6, at_least=0.7)

    said = verdict("passed", evidence=(low,))

    assert said.outcome == "refused"
    assert said.results[0].message == "auc is 0.6, asked: >= 0.7"


def test_a_prefix_ends_where_a_name_ends():
    """`test_auc` is not declared by declaring `test_auc_by_origin`, nor the other way around."""
    assert covers("checks/", f"{FILE}::test_auc")
    assert covers(f"{FILE}::test_auc", f"{FILE}::test_auc[EWR]")
    assert covers(f"{FILE}::TestAuc", f"{FILE}::TestAuc::test_all")
    assert not covers(f"{FILE}::test_auc", f"{FILE}::test_auc_by_origin")
    assert not covers("checks/test_model.py", "checks/test_model.pyc")


@pytest.fixture
def ledger(tmp_path):
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def test_an_approved_verdict_is_signed_so_that_a_release_accepts_it(ledger, tmp_path):
    """What the server asks for before it opens a bundle is what the gate writes."""
    keyring = Keyring(tmp_path / "keys")

    entry = record_verdict(ledger, keyring, verdict("passed"), by="ada", expires_at=LATER)

    approval = releases.approval_of(ledger, BUNDLE.digest)
    check_approval(approval, bundle=BUNDLE, keyring=keyring, at=AT)
    assert approval.verdict == entry.hash
    assert read(Verdict, entry) == verdict("passed")
    assert (entry.actor, entry.reason) == ("ada", "1 of 1 checks passed, 0 failed, 0 unproven")
    with pytest.raises(NotApproved, match="ended"):
        check_approval(approval, bundle=BUNDLE, keyring=keyring, at=LATER)


def test_a_refused_verdict_is_kept_and_never_signed(ledger, tmp_path):
    """The next question after a refusal is what was said, and nothing may serve on it."""
    record_verdict(ledger, Keyring(tmp_path / "keys"), verdict("failed"), by="ada", expires_at=LATER)

    assert [entry.kind for entry in ledger.entries()] == ["verdict"]
    with pytest.raises(NotApproved, match="test_0"):
        releases.approval_of(ledger, BUNDLE.digest)


def test_the_terminal_shows_the_answer_then_evidence_then_the_next_command():
    """STYLE: answer first; colour is never the only sign."""
    auc = Evidence(check=f"{FILE}::test_0", name="auc", value=0.7712, at_least=0.7, champion=0.7698)
    low = Evidence(check=f"{FILE}::test_1", name="auc", value=0.6, at_least=0.65, slice="EWR", rows=8000)
    said = verdict("passed", "failed", "skipped", evidence=(auc, low))

    text = [line for line, _ in report.lines(said)]

    assert text[0] == "refused   churn@9f2c41d07a3b   1 of 3 checks passed, 1 failed, 1 unproven"
    assert text[1].split() == ["evidence", "candidate", "champion", "asked"]
    assert text[2].split() == ["auc,", "EWR", "0.6", "-", ">=", "0.65", "failed"]
    assert text[3].split() == ["auc", "0.7712", "0.7698", ">=", "0.7", "ok"]
    assert text[5].split() == ["skipped", f"{FILE}::test_2:", "why"]
    assert text[-1] == "next: proveout verdict 9f2c41d07a3b"
    assert report.lines(verdict("passed"))[-1][0] == 'next: proveout release 9f2c41d07a3b --reason "…"'


def test_much_evidence_that_holds_shares_a_line():
    """Sixty edge cases that hold would push the one that does not off the screen."""
    cases = [
        Evidence(check=f"{FILE}::test_case[{n}]", name="probability", value=n / 10, at_most=0.85) for n in range(10)
    ]
    said = replace(verdict("passed"), evidence=tuple(cases))

    rows = [line.split() for line, _ in report.lines(said)]

    assert ["probability", "0.9", "-", "<=", "0.85", "failed"] in rows
    assert ["test_case", "9", "hold", "ok"] in rows
    assert len(rows) == 5


def test_the_job_summary_keeps_under_the_size_that_github_drops():
    """Over 1 MiB GitHub throws the whole summary away, the refusal with it."""
    few, many = verdict("passed", "failed"), verdict(*["failed"] * 3000)
    many = replace(many, failed=(), results=tuple(replace(r, message="x" * 400) for r in many.results))

    assert report.markdown(few).startswith("### refused: `churn@9f2c41d07a3b`\n")
    assert "<details><summary>All 2 checks</summary>" in report.markdown(few)
    assert len(report.markdown(many).encode()) < 1_000_000
    assert "All 3000 checks: `proveout verdict 9f2c41d07a3b`" in report.markdown(many)


def test_a_message_cannot_break_the_table_it_stands_in():
    """Markup from a failing check's message is text."""
    said = verdict("failed")
    said = replace(said, results=(replace(said.results[0], message="a | b <script>"),))

    assert "a \\| b &lt;script>" in report.markdown(said)
