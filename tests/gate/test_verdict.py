"""Judging: plain values in, a verdict out. And writing it down."""

from collections import Counter
from dataclasses import replace

import pytest

from proveout.errors import BadSignature, NotApproved
from proveout.gate.reports import html_report, text_report
from proveout.gate.verdict import check_signature, covers, in_short, judge, record_verdict, sign
from proveout.ledger.ledger import Ledger, read
from proveout.records.bundle import Bundle
from proveout.records.train_config import TimeSplit
from proveout.records.values import Digest
from proveout.records.verdict import CheckResult, Evidence, Verdict, Waiver
from proveout.trust import authorization
from proveout.trust.signing import Keyring, check_approval

BUNDLE = Bundle(
    model="churn",
    digest=Digest("9f2c41d07a3b" + "0" * 52),
    manifest=Digest("a" * 64),
    snapshot=Digest("b" * 64),
    metrics=(),
    trained_at="2026-01-01T00:00:00+00:00",
    run="TrainFlow/1",
    git_commit="unknown",
    split=TimeSplit(train_through="2013-04", holdout="2013-05"),
    bytes=1000,
)
AT = "2026-01-02T00:00:00.000+00:00"
LATER = "2026-04-02T00:00:00.000+00:00"
FILE = "checks/test_model.py"


def verdict(
    *outcomes: str,
    evidence: tuple[Evidence, ...] = (),
    required: tuple[str, ...] = (FILE,),
    waivers: tuple[Waiver, ...] = (),
    more: tuple[CheckResult, ...] = (),
) -> Verdict:
    """A verdict on checks test_0, test_1, … of one file with these outcomes, and with the other fields given."""
    results = [
        CheckResult(check=f"{FILE}::test_{n}", outcome=outcome, required=False, message="why")
        for n, outcome in enumerate(outcomes)
    ]
    return judge(
        [*results, *more],
        evidence,
        required=required,
        candidate=BUNDLE,
        checks=Digest("c" * 64),
        configuration=Digest("d" * 64),
        waivers=waivers,
        cases={"low": Digest("e" * 64)},
        champion=None,
        at=AT,
    )


def test_only_passed_checks_approve():
    """The one way in."""
    said = verdict("passed", "passed")

    assert said.outcome == "approved"
    assert (said.passed, said.failed, said.unproven) == (2, (), ())
    assert (said.candidate, said.manifest, said.data) == (BUNDLE.digest, BUNDLE.manifest, BUNDLE.snapshot)


@pytest.mark.parametrize("outcome", ["skipped", "xfailed", "xpassed", "empty"])
def test_a_required_check_without_evidence_refuses(outcome):
    """No evidence is not good evidence: each of these ends a pytest run green."""
    said = verdict("passed", outcome)

    assert said.outcome == "refused"
    assert said.unproven == (f"{FILE}::test_1",)
    assert said.failed == ()


@pytest.mark.parametrize("outcome", ["deselected", "missing"])
def test_a_required_check_that_was_not_run_leaves_the_verdict_incomplete(outcome):
    """Nothing was found wanting, and nothing was proven: no approval, and no word against an earlier one."""
    said = verdict("passed", outcome)

    assert said.outcome == "incomplete"
    assert said.unproven == (f"{FILE}::test_1",)
    assert said.cases == {}
    assert verdict("passed", outcome, "failed").outcome == "refused"
    assert verdict("passed", outcome, "skipped").outcome == "refused"
    assert verdict("passed").cases == {"low": "e" * 64}


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

    assert said.outcome == "incomplete"
    assert said.unproven == ("checks/test_data.py",)
    assert said.results[-1].outcome == "missing"


def test_nothing_at_all_is_not_approved():
    """An empty run has no failures, and no approval."""
    assert verdict().outcome == "incomplete"
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

    approval = authorization.approval_of(ledger, BUNDLE.digest)
    check_approval(approval, bundle=BUNDLE, keyring=keyring, at=AT)
    assert approval.verdict == entry.hash
    recorded = read(Verdict, entry)
    assert replace(recorded, key="", signature="") == verdict("passed")
    check_signature(recorded, keyring)
    assert (entry.actor, entry.reason) == ("ada", "1 of 1 checks passed, 0 failed, 0 unproven")
    with pytest.raises(NotApproved, match="ended"):
        check_approval(approval, bundle=BUNDLE, keyring=keyring, at=LATER)


@pytest.mark.parametrize("outcome", ["failed", "missing"])
def test_a_verdict_that_does_not_approve_is_kept_signed_and_is_no_leave(ledger, tmp_path, outcome):
    """A verdict is signed and recorded whatever its outcome, but only an approval allows a release."""
    keyring = Keyring(tmp_path / "keys")
    entry = record_verdict(ledger, keyring, verdict(outcome), by="ada", expires_at=LATER)

    assert [entry.kind for entry in ledger.entries()] == ["verdict"]
    check_signature(read(Verdict, entry), keyring)
    with pytest.raises(NotApproved):
        authorization.approval_of(ledger, BUNDLE.digest)


def test_an_incomplete_verdict_takes_no_approval_back(ledger, tmp_path):
    """Who runs one check by hand has not found the champion wanting; who sees it fail has."""
    keyring = Keyring(tmp_path / "keys")
    record_verdict(ledger, keyring, verdict("passed"), by="ada", expires_at=LATER)
    record_verdict(ledger, keyring, verdict("passed", "deselected"), by="ada", expires_at=LATER)
    assert authorization.approval_of(ledger, BUNDLE.digest).bundle == BUNDLE.digest

    record_verdict(ledger, keyring, verdict("failed", "deselected"), by="ada", expires_at=LATER)
    with pytest.raises(NotApproved, match="test_0"):
        authorization.approval_of(ledger, BUNDLE.digest)


@pytest.mark.parametrize(
    "forge",
    [
        lambda said: replace(said, outcome="approved"),
        lambda said: replace(said, failed=()),
        lambda said: replace(said, key="0" * 16),
        lambda said: replace(said, signature=""),
        lambda said: replace(said, signature="A" * 88),
    ],
)
def test_a_verdict_that_was_changed_is_not_signed(tmp_path, forge):
    """A person with write access to the ledger can change a verdict, but cannot sign it."""
    keyring = Keyring(tmp_path / "keys")
    signed = sign(verdict("failed"), keyring)
    check_signature(signed, keyring)

    with pytest.raises(BadSignature):
        check_signature(forge(signed), keyring)
    with pytest.raises(BadSignature, match="that key is not trusted here"):
        check_signature(sign(verdict("passed"), Keyring(tmp_path / "others")), keyring)


# --- waivers ------------------------------------------------------------------------------------------------------

WAIVER = Waiver(check=f"{FILE}::test_1", by="Ada Lovelace", reason="Known until the spring.", until="2026-01-02")


@pytest.mark.parametrize("outcome", ["failed", "skipped", "xfailed", "xpassed"])
def test_a_check_under_a_waiver_does_not_refuse_and_is_shown(outcome):
    """Somebody who is named answers for it; that they do stands wherever the verdict does."""
    said = verdict("passed", outcome, waivers=(WAIVER,))

    assert said.outcome == "approved"
    assert said.waived == (WAIVER,)
    assert (said.failed, said.unproven) == ((), ())
    assert said.results[1].outcome == outcome
    assert in_short(said) == "1 of 2 checks passed, 0 failed, 0 unproven, 1 waived"
    shown = f"{FILE}::test_1 ({outcome}) by Ada Lovelace until 2026-01-02: Known until the spring."
    assert f"waived      {shown}" in " ".join(line for line, _ in text_report.lines(said))
    assert "- **waived** `checks/test_model.py::test_1`" in text_report.markdown(said)
    assert ("proveout.waived", f"{FILE}::test_1 by Ada Lovelace until 2026-01-02: Known until the spring.") in (
        text_report.properties(said)
    )
    assert "Ada Lovelace" in html_report.html(said)


@pytest.mark.parametrize("outcome", ["error", "deselected", "missing", "empty"])
def test_what_gave_no_answer_cannot_be_waived(outcome):
    """A waiver is for a check that failed, not for one that did not run."""
    said = verdict("passed", outcome, waivers=(WAIVER,))

    assert said.outcome != "approved"
    assert said.waived == ()


def test_what_the_gate_finds_wrong_cannot_be_waived():
    """Even where somebody writes the waiver past the loader."""
    wrong = CheckResult(check="gate::stale-holdout", outcome="failed", required=True, message="it is stale")

    said = verdict("passed", more=(wrong,), waivers=(replace(WAIVER, check="gate::stale-holdout"),))

    assert said.outcome == "refused"
    assert said.failed == ("gate::stale-holdout",)


def test_a_waiver_that_has_ended_does_nothing_and_is_named():
    """The refusal names the person to ask."""
    said = verdict("passed", "failed", waivers=(replace(WAIVER, until="2026-01-01"),))

    assert said.failed == (f"{FILE}::test_1",)
    assert said.results[1].message == "why (the waiver by Ada Lovelace ended on 2026-01-01)"


def test_a_run_of_waived_checks_alone_is_not_approved():
    """Nothing was proven."""
    assert verdict("failed", waivers=(replace(WAIVER, check=FILE),)).outcome == "refused"


# --- words --------------------------------------------------------------------------------------------------------


def test_the_terminal_shows_the_answer_then_evidence_then_the_next_command():
    """STYLE: answer first; colour is never the only sign."""
    auc = Evidence(check=f"{FILE}::test_0", name="auc", value=0.7712, at_least=0.7, champion=0.7698)
    low = Evidence(check=f"{FILE}::test_1", name="auc", value=0.6, at_least=0.65, slice="EWR", rows=8000)
    said = verdict("passed", "failed", "skipped", evidence=(auc, low))

    text = [line for line, _ in text_report.lines(said)]

    assert text[0] == "refused   churn@9f2c41d07a3b   1 of 3 checks passed, 1 failed, 1 unproven"
    assert text[1].split() == ["evidence", "candidate", "champion", "asked"]
    assert text[2].split() == ["auc,", "EWR", "0.6", ">=", "0.65", "failed"]
    assert text[3].split() == ["auc", "0.7712", "0.7698", ">=", "0.7", "ok"]
    assert text[5].split() == ["skipped", f"{FILE}::test_2:", "why"]
    assert text[-1] == "next: proveout verdict 9f2c41d07a3b"
    assert text_report.lines(verdict("passed"))[-1][0] == 'next: proveout release 9f2c41d07a3b --reason "…"'


def test_much_evidence_that_holds_shares_a_line():
    """Sixty edge cases that hold would push the one that does not off the screen."""
    cases = [
        Evidence(check=f"{FILE}::test_case[{n}]", name="probability", value=n / 10, at_most=0.85) for n in range(10)
    ]
    said = replace(verdict("passed"), evidence=tuple(cases))

    rows = [line.split() for line, _ in text_report.lines(said)]

    assert ["probability", "0.9", "<=", "0.85", "failed"] in rows
    assert ["test_case", "9", "hold", "ok"] in rows
    assert len(rows) == 5


def test_many_that_did_not_run_for_one_reason_share_a_line_and_what_failed_does_not():
    """If the run selected one check, a hundred lines about deselected ones would hide its result."""
    said = verdict(*["deselected"] * 40, "failed", "failed", "failed", "failed", "failed")

    text = [line for line, _ in text_report.lines(said)]
    against = [line.split()[0] for line in text[1:-1]]

    assert Counter(against) == {"deselected": 1, "failed": 5}
    assert f"deselected  40 checks: 40 of {FILE}: why" in " ".join(text)
    assert text_report.markdown(said).count("**deselected**") == 1


def test_the_job_summary_keeps_under_the_size_that_github_drops():
    """Over 1 MiB GitHub throws the whole summary away, the refusal with it."""
    few, many = verdict("passed", "failed"), verdict(*["failed"] * 3000)
    many = replace(many, failed=(), results=tuple(replace(r, message="x" * 400) for r in many.results))

    assert text_report.markdown(few).startswith("### refused: `churn@9f2c41d07a3b`\n")
    assert "<details><summary>All 2 checks</summary>" in text_report.markdown(few)
    assert len(text_report.markdown(many).encode()) < 1_000_000
    assert "All 3000 checks: `proveout verdict 9f2c41d07a3b`" in text_report.markdown(many)


def test_a_message_cannot_break_the_table_it_stands_in():
    """Markup from a failing check's message is text."""
    said = verdict("failed")
    said = replace(said, results=(replace(said.results[0], message="a | b <script>"),))

    assert "a \\| b &lt;script>" in text_report.markdown(said)
