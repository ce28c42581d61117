"""The command line, over a project with a real ledger, real keys and bundles laid out by hand."""

import errno
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from command_line import PYPROJECT, complained, invoke, said

from proveout.cli import _terminal, main
from proveout.gate.verdict import sign
from proveout.ledger.ledger import Ledger
from proveout.model.manifest import FORMAT, MANIFEST, verify
from proveout.records.answer import Answer
from proveout.records.bundle import Bundle
from proveout.records.drift_report import Alert
from proveout.records.json_form import digest_of, from_json
from proveout.records.prediction import Prediction, ShadowAnswer
from proveout.records.release import Release
from proveout.records.values import Digest, now
from proveout.records.verdict import CheckResult, Evidence, Verdict, Waiver
from proveout.rollout.status import Standing
from proveout.trust.signing import Keyring, approve, new_key

HEAVY = (
    "sqlalchemy",
    "alembic",
    "pydantic",
    "pydantic_settings",
    "pandas",
    "numpy",
    "metaflow",
    "rich",
    "cryptography",
)


class Project:
    """A project in a folder, with what flows and gate would have left in it."""

    def __init__(self, root: Path) -> None:
        self.root, self.state = root, root / ".proveout"
        (root / "pyproject.toml").write_text(PYPROJECT)
        (root / "checks").mkdir()
        self.ledger = Ledger(f"sqlite:///{self.state / 'ledger.db'}")
        self.keyring = Keyring(self.state / "keys")

    def pack(self, model_file: bytes, *, auc: float) -> Bundle:
        """A bundle whose one file is `model_file`."""
        identity = {"model": "flight-delay", "files": {"model.skops": hashlib.sha256(model_file).hexdigest()}}
        provenance = {
            "snapshot": "d" * 64,
            "split": {"kind": "time", "train_through": "2013-04", "holdout": "2013-05"},
            "run": "TrainFlow/7",
            "trained_at": "2013-05-31T08:00:00.000+00:00",
            "git_commit": "0123456789abcdef0123+changes",
            "metrics": {"auc": auc, "brier": 0.1},
            "task": {"task": "binary", "threshold": 0.5},
            "files": {},
        }
        digest = digest_of(identity)
        folder = self.state / "store" / "bundles" / digest
        folder.mkdir(parents=True)
        (folder / "model.skops").write_bytes(model_file)
        manifest = {"format": FORMAT, "digest": digest, "identity": identity, "provenance": provenance}
        (folder / MANIFEST).write_text(json.dumps(manifest))
        bundle = verify(folder)
        self.ledger.append("bundle", digest, bundle, actor="ada", reason="trained", at=now())
        return bundle

    def judge(self, bundle: Bundle, *, failed: bool = False, waived: bool = False) -> None:
        """A verdict on `bundle` and, unless it failed, its approval."""
        leave = Waiver(check="checks/test_data.py", by="Ada", reason="no data before the spring", until="2099-01-01")
        check = "checks/test_model.py::test_auc"
        verdict = Verdict(
            model=bundle.model,
            candidate=bundle.digest,
            manifest=bundle.manifest,
            data=bundle.snapshot,
            checks=Digest("e" * 64),
            outcome="refused" if failed else "approved",
            passed=12 if failed else 14,
            failed=(check,) if failed else (),
            unproven=("checks/test_data.py::test_fresh",) if failed else (),
            waived=(leave,) if waived else (),
            results=(
                CheckResult(check=check, outcome="failed" if failed else "passed", required=True, message="too low\nE"),
                *(CheckResult(check=f"checks/test_{n}.py", outcome="passed", required=True) for n in range(12)),
                CheckResult(
                    check="checks/test_data.py::test_fresh", outcome="skipped", required=True, message="no data"
                ),
            ),
            evidence=(
                Evidence(
                    check=check, name="auc", value=0.7612, champion=0.75, at_least=0.8 if failed else 0.7, rows=10
                ),
                Evidence(check=check, name="brier", value=0.1, at_most=0.2, slice="origin=EWR"),
            ),
            judged_at=now(),
        )
        verdict = sign(verdict, self.keyring)
        entry = self.ledger.append("verdict", bundle.digest, verdict, actor="gate", reason="-", at=now())
        if not failed:
            approval = approve(verdict, entry, keyring=self.keyring, approved_at=now(), expires_at="2099-01-01")
            self.ledger.append("approval", bundle.digest, approval, actor="gate", reason="-", at=now())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    for name in [name for name in os.environ if name.startswith("PROVEOUT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    made = Project(tmp_path)
    yield made
    made.ledger.close()


@pytest.fixture
def champions(project: Project) -> tuple[Bundle, Bundle]:
    """Two approved bundles, released one after the other: the one before, and the one that serves."""
    before, champion = project.pack(b"one", auc=0.75), project.pack(b"two", auc=0.763)
    for bundle in (before, champion):
        project.judge(bundle)
        said(0, "release", bundle.digest[:12], "--reason", f"it has an AUC of {bundle.metrics[0].value}", "--by", "ada")
    return before, champion


# --- status and history ----------------------------------------------------------------------------------------------


def test_status_tells_what_serves_and_how_to_go_back(project: Project, champions: tuple[Bundle, Bundle]) -> None:
    """At three in the morning this is the only page anybody reads."""
    before, champion = champions
    alert = Alert(severity="critical", what="drift in temp", details="-", next_step="-", at=now())
    project.ledger.append("alert", "flight-delay", alert, actor="monitor", reason="-", at=now())

    answer, *evidence, following = said(0, "status").splitlines()

    assert answer.startswith(f"serving   flight-delay@{champion.digest[:12]}   since 20")
    page = "\n".join(evidence)
    for fact in (
        "by ada: it has an AUC of 0.763",
        "2013-05-31T08:00:00.000Z by TrainFlow/7, commit 0123456789ab+changes",
        f"{'d' * 12}, learned through 2013-04, judged on 2013-05",
        "14 of 14 checks passed",
        "until 2099-01-01T00:00:00.000Z",
        "0 logged",
        "critical  drift in temp (0 s ago)",
    ):
        assert fact in page
    assert [line.split() for line in evidence if line.startswith("  auc")] == [
        ["auc", "0.761", "0.761", "+0.000", "0.763"]
    ]
    assert [line.split() for line in evidence if line.startswith("  brier")] == [["brier", "0.100"]]
    assert [line.split() for line in evidence if "notebook says" in line] == [
        ["number", "gate", "before", before.digest[:12], "notebook", "says"]
    ]
    assert following.startswith('next: proveout rollback --reason "…"')
    assert before.digest[:12] in following


def test_the_way_back_that_status_names_is_one_that_works(project: Project, champions: tuple[Bundle, Bundle]) -> None:
    """A command that is shown is a promise."""
    before, _ = champions
    shown = said(0, "status").splitlines()[-1].removeprefix("next: proveout ").partition("#")[0].split()

    assert said(0, *shown[:1], "--reason", "too many false alarms").startswith(f"released   {before.name}")
    assert said(0, "status").startswith(f"serving   {before.name}")


def test_status_says_beforehand_that_there_is_no_way_back(project: Project, champions: tuple[Bundle, Bundle]) -> None:
    """Learning it during the rollback would be too late."""
    before, _ = champions
    project.judge(before, failed=True)

    page = said(0, "status")

    assert f"none to {before.digest[:12]}: the gate has since refused it on" in page
    assert page.splitlines()[-1].startswith(f"next: proveout gate {before.digest[:12]}")


def test_status_as_json_is_the_record_itself(champions: tuple[Bundle, Bundle]) -> None:
    """What people read and what programs read cannot differ."""
    standing = from_json(Standing, said(0, "status", "--json"))

    assert standing.served is not None
    assert (standing.served.bundle, standing.before) == (champions[1], champions[0])


def test_nothing_released_is_an_answer_with_exit_code_1(project: Project) -> None:
    """A script that asks whether something serves reads the exit code."""
    assert said(1, "status").startswith("nothing   of flight-delay is released\n")
    assert json.loads(said(1, "status", "--json"))["served"] is None
    assert "Nothing was ever released" in complained(1, "history", "--at", "now")


def test_when_tells_what_served_then(project: Project, champions: tuple[Bundle, Bundle]) -> None:
    """What answered this customer in March, and who had approved it?"""
    before, champion = champions
    since = [release.at for release in project.ledger.entries(kind="release")]

    page = said(0, "history", "--at", since[0])
    assert page.startswith(f"served   {before.name}   at {since[0].replace('+00:00', 'Z')}\n")
    assert f"{since[0].replace('+00:00', 'Z')} to {since[1].replace('+00:00', 'Z')}" in page
    assert "before      nothing" in page
    assert said(0, "history", "--at", since[1]).startswith(f"served   {champion.name}")
    assert f"before      {before.digest[:12]}" in said(0, "history", "--at", "now")
    assert json.loads(said(0, "history", "--at", since[0], "--json"))["until"] == since[1]


def test_the_history_lists_every_release_the_newest_first(project: Project, champions: tuple[Bundle, Bundle]) -> None:
    """Whoever comes new to an incident reads down from what serves now."""
    before, champion = champions

    lines = said(0, "history").splitlines()

    assert lines[0] == "2 releases of flight-delay, the newest first"
    assert [line.split()[1:4] for line in lines[2:4]] == [
        ["champion", champion.digest[:12], "100%"],
        ["champion", before.digest[:12], "100%"],
    ]
    assert lines[-1].startswith("next: proveout history --at ")
    assert [made["bundle"] for made in json.loads(said(0, "history", "--json"))] == [champion.digest, before.digest]


def test_a_history_of_nothing_is_a_no(project: Project) -> None:
    """A script that asks whether anything was ever released reads the exit code."""
    assert said(1, "history").startswith("nothing   was ever released\n")


def test_when_says_that_it_took_a_moment_for_utc(champions: tuple[Bundle, Bundle]) -> None:
    """Five hours are the difference between two champions."""
    local = now().removesuffix("+00:00")
    assert "(no zone given: read as UTC)" in said(0, "history", "--at", local)
    assert "no zone" not in said(0, "history", "--at", f"{local}Z")
    assert "no zone" not in said(0, "history", "--at", "now")


def test_when_nothing_served_yet_names_the_first_release(project: Project, champions: tuple[Bundle, Bundle]) -> None:
    """Otherwise one would have to search for the beginning."""
    first = project.ledger.entries(kind="release")[0].at
    assert f"There is no release of flight-delay at 2013-01-01T00:00:00.000+00:00. The first began at {first}" in (
        complained(1, "history", "--at", "2013-01-01")
    )


def test_when_refuses_what_is_no_moment_and_what_has_not_come_yet(champions: tuple[Bundle, Bundle]) -> None:
    """What serves now is not what will serve next year."""
    assert "'yesterday' is not a timestamp: write ISO 8601" in complained(2, "history", "--at", "yesterday")
    assert "2099-01-01T00:00:00.000+00:00 is in the future" in complained(2, "history", "--at", "2099-01-01")


# --- bundles, verdicts, approvals ---------------------------------------------------------------------------------


def test_bundles_lists_every_bundle_with_its_state(project: Project, champions: tuple[Bundle, Bundle]) -> None:
    """The newest first: that is the one people come for."""
    candidate = project.pack(b"three", auc=0.79)

    head, columns, *rows, following = (line.split() for line in said(0, "bundles").splitlines())

    assert head == ["3", "bundles", "of", "flight-delay"]
    assert columns == ["bundle", "state", "trained", "split", "auc", "notebook", "says"]
    assert rows[0][5:] == ["auc", "0.790,", "brier", "0.100"]  # a claim: no gate has judged it
    assert rows[1][5:] == ["0.761", "auc", "0.763,", "brier", "0.100"]
    assert [row[:2] for row in rows] == [
        [candidate.digest[:12], "candidate"],
        [champions[1].digest[:12], "champion"],
        [champions[0].digest[:12], "approved"],
    ]
    assert following == ["next:", "proveout", "verdict", candidate.digest[:12]]
    assert len(json.loads(said(0, "bundles", "--json"))) == 3


def test_what_a_notebook_says_of_itself_is_shown_as_its_claim_alone(project: Project) -> None:
    """A notebook that says 0.97 was listed with 0.97, whatever the gate had measured."""
    boasting = project.pack(b"boasting", auc=0.97)
    project.judge(boasting)
    said(0, "release", boasting.digest[:12], "--reason", "-", "--by", "ada")

    for command in (("status",), ("history", "--at", "now"), ("bundles",)):
        shown = said(0, *command)
        record = json.loads(said(0, *command, "--json"))
        [record] = record if isinstance(record, list) else [record]
        found = record.get("served", record)["measures"]

        assert "0.761" in shown and "notebook says" in shown
        assert found[0] == {"before": None, "gate": 0.7612, "name": "auc", "notebook": 0.97}
        assert found[1] == {"before": None, "gate": None, "name": "brier", "notebook": 0.1}


def test_a_project_without_bundles_says_how_to_make_one(project: Project) -> None:
    """An empty list helps nobody."""
    assert said(0, "bundles") == "nothing   is packed yet\nnext: python flows/train.py run\n"


def test_a_verdict_shows_each_number_beside_what_was_asked(project: Project) -> None:
    """Why was it refused? The answer has to be on one page."""
    bundle = project.pack(b"one", auc=0.75)
    project.judge(bundle, failed=True)

    lines = said(1, "verdict", bundle.digest[:6]).splitlines()

    assert lines[0] == f"refused   {bundle.name}   12 of 14 checks passed, 1 failed, 1 unproven"
    assert lines[2] == f"  signed      by key {project.keyring.key_id()}, which is trusted here"
    assert lines[3:] == [
        "  number              candidate   champion   asked",
        "  auc                    0.7612       0.75   >= 0.8   failed",
        "  brier, origin=EWR         0.1              <= 0.2",
        "  failed    checks/test_model.py::test_auc   too low",
        "  unproven  checks/test_data.py::test_fresh   no data",
        "next: python flows/train.py run   # after fixing what it failed on",
    ]
    project.judge(bundle)
    assert said(0, "verdict", bundle.name).startswith("approved")
    assert from_json(Verdict, said(0, "verdict", bundle.digest, "--json")).outcome == "approved"
    assert "There is no verdict of beef00" in complained(1, "verdict", "beef00")


def test_a_verdict_that_nobody_trusted_signed_is_said(project: Project, tmp_path: Path) -> None:
    """Whoever may write to the ledger can write that all is well."""
    bundle = project.pack(b"one", auc=0.75)
    project.judge(bundle)
    found = from_json(Verdict, said(0, "verdict", bundle.digest, "--json"))
    for forged, why in (
        (replace(found, signature=""), "INVALID: the verdict was never signed."),
        (replace(found, passed=99), "INVALID: the text was changed, or signed with another key"),
        (sign(found, Keyring(tmp_path / "other")), "INVALID: that key is not trusted here."),
    ):
        project.ledger.append("verdict", bundle.digest, forged, actor="mallory", reason="-", at=now())

        assert why in said(1, "verdict", bundle.digest)
        assert said(1, "verdict", bundle.digest, "--json").startswith("{")


def test_a_waiver_shows_wherever_its_bundle_does(project: Project) -> None:
    """Who releases, who looks at what serves, and who lists the bundles is told what it did without."""
    bundle = project.pack(b"one", auc=0.75)
    project.judge(bundle, waived=True)
    shown = "  waived      checks/test_data.py::test_fresh, by Ada until 2099-01-01: no data before the spring"

    for words in (
        ("verdict", bundle.digest),
        ("release", bundle.digest, "--reason", "-"),
        ("status",),
        ("history", "--at", "now"),
    ):
        assert shown in said(0, *words), words
    assert "champion, 1 waived" in said(0, "bundles")


def test_a_verdict_is_a_page_too(project: Project, tmp_path: Path) -> None:
    """For whoever was not there when the gate ran."""
    bundle = project.pack(b"one", auc=0.75)
    project.judge(bundle)

    said(0, "verdict", bundle.digest, "--html", str(tmp_path / "verdict.html"))

    assert "brier, origin=EWR" in (tmp_path / "verdict.html").read_text()


def test_verify_finds_an_approved_bundle_intact(project: Project) -> None:
    """By digest, by its first digits, or in a folder that came from somewhere else."""
    bundle = project.pack(b"one", auc=0.75)
    project.judge(bundle)
    folder = project.state / "store" / "bundles" / bundle.digest

    for name in (bundle.digest, bundle.digest[:6], bundle.name, str(folder)):
        assert said(0, "verify", name).startswith(f"intact   {bundle.name}")
    assert json.loads(said(0, "verify", bundle.digest, "--json"))["bundle"]["digest"] == bundle.digest


def test_verify_and_release_name_the_file_that_was_tampered_with(project: Project) -> None:
    """One byte is enough, and the server must never see it."""
    bundle = project.pack(b"one", auc=0.75)
    project.judge(bundle)
    (project.state / "store" / "bundles" / bundle.digest / "model.skops").write_bytes(b"onE")

    assert "was tampered with: model.skops is not what the manifest says" in complained(1, "verify", bundle.digest)
    assert "tampered with" in complained(1, "release", bundle.digest, "--reason", "-")
    assert project.ledger.entries(kind="release") == ()


def test_verify_refuses_a_bundle_that_nobody_approved(project: Project) -> None:
    """Intact is not approved."""
    bundle = project.pack(b"one", auc=0.75)
    assert "the gate has not approved it" in complained(1, "verify", bundle.digest)
    project.judge(bundle, failed=True)
    assert "the gate refused it on checks/test_model.py::test_auc" in complained(1, "verify", bundle.digest)


# --- release and gate ---------------------------------------------------------------------------------------------


def test_a_release_says_who_and_why_and_what_was_before(project: Project, champions: tuple[Bundle, Bundle]) -> None:
    """And it is in the ledger, word for word."""
    before, champion = champions
    page = said(0, "release", before.digest[:8], "--reason", "back: \x1b[31mfalse\x1b[0m alarms", "--by", "bob")

    assert f"before      {champion.digest[:12]}" in page
    assert "by          bob: back: \N{REPLACEMENT CHARACTER}[31mfalse" in page  # a reason must not steer a terminal
    newest = from_json(Release, project.ledger.entries(kind="release")[-1].body)
    assert (newest.by, newest.reason, newest.before) == ("bob", "back: \x1b[31mfalse\x1b[0m alarms", champion.digest)
    assert said(0, "release", before.digest, "--reason", "again").startswith(f"unchanged   {before.name}")


def test_a_release_without_a_name_is_by_whoever_is_logged_in(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "Somebody" helps no auditor."""
    monkeypatch.setenv("LOGNAME", "grace")
    monkeypatch.delenv("METAFLOW_USER", raising=False)
    bundle = project.pack(b"one", auc=0.75)
    project.judge(bundle)

    made = from_json(Release, said(0, "release", bundle.digest, "--reason", "first", "--json"))
    assert made.by == "grace"


def test_a_release_is_refused_with_the_reason(project: Project) -> None:
    """Each in one sentence, with the exit code a script can read."""
    bundle = project.pack(b"one", auc=0.75)
    assert "has not approved it" in complained(1, "release", bundle.digest, "--reason", "-")
    project.judge(bundle)
    canary = complained(2, "release", bundle.digest, "--reason", "-", "--as", "canary")
    assert f"There is no champion yet for {bundle.name} to run beside as canary" in canary
    assert "challenger is not a role" in complained(2, "release", bundle.digest, "--reason", "-", "--as", "challenger")
    assert "There is no bundle beef00" in complained(1, "release", "beef00", "--reason", "-")
    assert "6 or more hexadecimal digits" in complained(2, "release", "bee", "--reason", "-")
    assert invoke("release", bundle.digest).exit_code == 2  # --reason is asked for
    assert project.ledger.entries(kind="release") == ()


# --- canary, shadow and the way back ------------------------------------------------------------------------------


@pytest.fixture
def canary(project: Project, champions: tuple[Bundle, Bundle]) -> Bundle:
    """A third approved bundle, released as canary for a tenth of the traffic."""
    bundle = project.pack(b"three", auc=0.79)
    project.judge(bundle)
    said(0, "release", bundle.digest, "--as", "canary", "--share", "0.1", "--reason", "looks good", "--by", "ada")
    return bundle


def test_a_canary_is_shown_with_its_share_and_promoted_by_name_or_without(
    project: Project, champions: tuple[Bundle, Bundle], canary: Bundle
) -> None:
    """`promote` means what runs; a digest is for those who want to be sure."""
    page = said(0, "status")
    assert f"canary      {canary.name}, 0.1 of the traffic, for " in page
    assert page.splitlines()[-1].startswith("next: proveout compare")
    assert f"canary      {canary.name}" in said(0, "history", "--at", "now")
    assert json.loads(said(0, "status", "--json"))["served"]["canary"]["share"] == 0.1
    assert [row.split()[:2] for row in said(0, "bundles").splitlines()[2:3]] == [[canary.digest[:12], "canary"]]
    assert "is the champion: as canary it would run beside itself" in complained(
        2, "release", champions[1].digest, "--as", "canary", "--reason", "-"
    )
    assert "runs neither as canary nor as shadow" in complained(2, "promote", champions[0].digest, "--reason", "-")

    page = said(0, "promote", "--reason", "it is better", "--by", "bob")

    assert page.startswith(f"promoted   {canary.name}   champion since 20")
    assert "by          bob: it is better" in page
    assert said(0, "status").startswith(f"serving   {canary.name}")
    # Whoever promotes it once more has lost the race to whoever did.
    lost = complained(4, "promote", "--reason", "-")
    assert lost.startswith(f"error: The promotion failed: meanwhile bob made {canary.name} champion: it is better")
    assert "bob made it champion" in complained(4, "promote", canary.digest, "--reason", "-")


def test_a_rollback_takes_the_canary_out_and_another_one_the_champion(
    project: Project, champions: tuple[Bundle, Bundle], canary: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two different faults; pressed twice in a hurry it is one, and exit code 4."""
    page = said(0, "rollback", "--reason", "errors", "--by", "bob")
    assert page.startswith(f"ended   {canary.name}   stopped as canary at 20")

    lost = complained(4, "rollback", "--reason", "errors", "--by", "ada")
    assert f"meanwhile bob ended the canary {canary.name}, because: errors" in lost
    monkeypatch.setattr("proveout.rollout.releases.SAME_WISH_S", 0.0)
    page = said(0, "rollback", "--reason", "errors again")
    assert page.startswith(f"released   {champions[0].name}   champion since 20")
    assert "before the one that serves" in complained(1, "rollback", "--reason", "and again")
    assert "There is no canary or shadow of flight-delay that runs" in complained(1, "promote", "--reason", "-")
    assert "no canary of flight-delay that runs" in complained(1, "rollback", "--as", "canary", "--reason", "-")


def test_a_rollback_to_a_bundle_that_was_tampered_with_is_refused(
    project: Project, champions: tuple[Bundle, Bundle]
) -> None:
    """The way back is checked like the way forward."""
    (project.state / "store" / "bundles" / champions[0].digest / "model.skops").write_bytes(b"onE")
    assert "tampered with" in complained(1, "rollback", "--reason", "errors")
    assert said(0, "status").startswith(f"serving   {champions[1].name}")


def asked(number: int, release: str, **changes: object) -> Prediction:
    plain = Prediction(
        request_id=f"r{number}",
        at=now(),
        model="flight-delay",
        release=release,
        record={"flight": number, "origin": "JFK" if number % 2 else "EWR"},
        answered_by="model",
        answer=Answer(value=True, probability=0.6, confidence=None),
        latency_ms=4.0,
    )
    return replace(plain, **changes)


def test_compare_shows_the_shadow_the_canary_and_what_follows(
    project: Project, champions: tuple[Bundle, Bundle], canary: Bundle
) -> None:
    """Should it be promoted? One page, with the numbers it rests on."""
    shadow = project.pack(b"four", auc=0.8)
    project.judge(shadow)
    said(0, "release", shadow.digest, "--as", "shadow", "--reason", "try it")
    champion = champions[1].name
    rows = [asked(n, champion) for n in range(200)]
    rules = {"answered_by": "rules", "role": "canary", "fallback_reason": "the model raised", "latency_ms": 9.0}
    rows += [asked(n, canary.name, **rules) for n in range(1_000, 1_010)]
    beside = [
        ShadowAnswer(
            request_id=f"r{n}", at=now(), release=shadow.name,
            answer=Answer(value=n != 0, probability=0.9 if n % 2 else 0.6),
            latency_ms=3.0,
        )
        for n in range(200)
    ]  # fmt: skip
    project.ledger.add_journal([*rows, *beside], journal="j", offset=1, event_fields=["flight"])

    lines = said(1, "compare").splitlines()

    assert lines[0] == f"canary   {canary.name}   should be rolled back"
    assert lines[1].startswith(
        "  reason      errors: 10 answers without a model of 10, the champion's 0 of 200; chance "
    )
    page = "\n".join(lines)
    assert "canary 10 by rules; champion 200 by model" in page
    assert f"shadow   {shadow.name}   the same label for 99.5% of 200 requests" in page
    assert "+0.150 on average; without sign p50 0.000, p95 0.300, at most 0.300" in page
    assert ["origin", "JFK", "100", "0.300"] in [line.split() for line in lines]
    assert lines[-1].startswith('next: proveout rollback --reason "…"')
    record = json.loads(said(1, "compare", "--json"))
    assert record["canary"]["verdict"]["decision"] == "rolls back"
    assert record["shadow"]["agreement"] == 0.995


def test_compare_without_anything_beside_the_champion_says_how_to_get_it(champions: tuple[Bundle, Bundle]) -> None:
    """The first thing people try."""
    assert "proveout release BUNDLE --as shadow" in complained(1, "compare")


# --- keys ---------------------------------------------------------------------------------------------------------


def test_a_key_is_printed_once_and_revoked_by_name(project: Project) -> None:
    """What is on the terminal is all there ever is of it."""
    assert said(0, "keys", "list").startswith("none   no API keys")
    page = said(0, "keys", "create", "shop", "--scope", "predict", "--rate", "5", "--per-day", "1000")
    text = next(line.split()[1] for line in page.splitlines() if line.startswith("  key "))
    assert re.fullmatch(r"po_[0-9a-f]{12}_[A-Za-z0-9_-]{43}", text)
    assert "may         predict, as tenant shop" in page
    assert "5/s, 10 at once, 1,000 a day" in page
    secret = text[16:]

    assert secret not in said(0, "keys", "list") + said(0, "keys", "list", "--json")
    assert "A key called shop is in use" in complained(2, "keys", "create", "shop")
    assert "Given: root" in complained(2, "keys", "create", "other", "--scope", "root")
    made = json.loads(said(0, "keys", "create", "bot", "--json"))
    assert made["key"].startswith(f"po_{made['record']['id']}_")
    assert made["record"]["scopes"] == ["predict", "feedback"]

    assert said(0, "keys", "revoke", "shop", "--reason", "lost").startswith("revoked   shop   ")
    assert said(0, "keys", "revoke", "shop", "--reason", "lost").startswith("unchanged   shop   ")
    assert "There is no key nobody" in complained(1, "keys", "revoke", "nobody", "--reason", "-")
    assert said(0, "keys", "list").startswith("1 of 2 keys in use")
    project.ledger.close()
    kept = b"".join(file.read_bytes() for file in project.state.rglob("*") if file.is_file())
    assert secret.encode() not in kept


# --- gate ---------------------------------------------------------------------------------------------------------


def test_a_gate_that_ends_without_a_verdict_could_not_tell_whatever_its_exit_code(
    project: Project, capfd: pytest.CaptureFixture[str]
) -> None:
    """CI reads the exit code, and so does `make`: 0 must mean that this run approved the bundle."""
    bundle = project.pack(b"one", auc=0.75)
    (project.root / "checks").mkdir(exist_ok=True)
    (project.root / "checks" / "conftest.py").write_text(
        "import os, sys\ndef pytest_sessionstart(session):\n"
        "    print('judging', session.config.getoption('candidate'), file=sys.__stderr__, flush=True)\n"
        "    os._exit(0)\n"
    )

    assert "the gate ended with exit code 0 before its verdict" in complained(3, "gate", bundle.digest[:8])
    assert f"judging {bundle.digest}" in "".join(capfd.readouterr())
    assert "before its verdict" in complained(3, "gate")
    assert "judging None" in "".join(capfd.readouterr())


# --- ledger and alerts --------------------------------------------------------------------------------------------


def test_the_ledger_is_verified_against_a_head_written_down_earlier(project: Project) -> None:
    """The one command an auditor runs."""
    project.pack(b"one", auc=0.75)
    head = said(0, "ledger", "head").strip()
    assert head == project.ledger.head()
    project.pack(b"two", auc=0.75)

    assert said(0, "ledger", "verify", "--head", head).startswith("intact   2 entries\n")
    assert "the head 000000000001… written down earlier is gone" in (
        complained(1, "ledger", "verify", "--head", "000000000001" + "0" * 52)
    )


def test_an_edited_ledger_is_named_with_its_first_wrong_entry(project: Project) -> None:
    """Exit code 1: the answer is no."""
    project.pack(b"one", auc=0.75)
    import sqlite3

    with sqlite3.connect(project.state / "ledger.db") as connection:
        connection.execute("DROP TRIGGER entries_refuse_update")
        connection.execute("UPDATE entries SET actor = 'eve'")
    connection.close()

    assert "breaks at entry 1: its content is not what its hash was taken over" in complained(1, "ledger", "verify")


READING = [
    ["status"], ["history", "--at", "now"], ["bundles"], ["verdict", "643ec05a"], ["compare"], ["score"], ["alerts"],
    ["ledger", "verify"], ["ledger", "head"], ["keys", "list"],
    ["rollback", "--reason", "-"], ["keys", "revoke", "a", "--reason", "-"],
]  # fmt: skip


@pytest.mark.parametrize("command", READING, ids=" ".join)
def test_a_command_that_needs_a_ledger_makes_none(tmp_path: Path, monkeypatch, command: list[str]) -> None:
    """With a slip in PROVEOUT_STATE a new, empty ledger said that nothing was released."""
    for name in [name for name in os.environ if name.startswith("PROVEOUT_")]:
        monkeypatch.delenv(name)
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    monkeypatch.chdir(tmp_path)

    said = complained(1, *command)

    assert f"The ledger {tmp_path}/.proveout/ledger.db is not there yet. The first data makes it: python" in said
    assert [path.name for path in tmp_path.iterdir()] == ["pyproject.toml"]


def test_the_ledger_is_upgraded_on_demand(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deployment does it before the servers start."""
    monkeypatch.setenv("PROVEOUT_LEDGER_URL", f"sqlite:///{project.root / 'new' / 'ledger.db'}")
    assert said(0, "ledger", "upgrade").startswith("upgraded   ")
    assert said(0, "ledger", "upgrade").startswith("unchanged   ")


def test_alerts_are_listed_the_newest_first_with_what_to_do(project: Project) -> None:
    """An alert without a next step is noise."""
    assert said(0, "alerts").startswith("none   no alerts")
    for what in ("drift in temp", "no outcomes"):
        alert = Alert(severity="warning", what=what, details="p = 1e-9", next_step="retrain", at=now())
        project.ledger.append("alert", "flight-delay", alert, actor="monitor", reason="-", at=now())

    lines = said(0, "alerts").splitlines()

    assert lines[0] == "2 alerts, the newest first"
    assert [line.strip() for line in lines[1:4]] == ["warning   no outcomes (0 s ago)", "p = 1e-9", "do: retrain"]
    assert [alert["what"] for alert in json.loads(said(0, "alerts", "--json"))] == ["no outcomes", "drift in temp"]


def test_alerts_are_delivered_once_to_each_address(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cron job that runs every five minutes must not wake people every five minutes."""
    from http.server import BaseHTTPRequestHandler, HTTPServer
    from threading import Thread

    received: list[str] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    alert = Alert(severity="critical", what="drift in temp", details="p = 1e-9", next_step="retrain", at=now())
    project.ledger.append("alert", "flight-delay", alert, actor="monitor", reason="-", at=now())
    assert "PROVEOUT_ALERT_URLS: no address for alerts is set" in complained(2, "alerts", "deliver")

    with HTTPServer(("127.0.0.1", 0), Receiver) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("PROVEOUT_ALERT_URLS", json.dumps([f"json://127.0.0.1:{server.server_port}/"]))
        assert said(0, "alerts", "deliver").startswith("delivered   1 message\n")
        assert said(0, "alerts", "deliver").startswith("delivered   0 messages\n")
        server.shutdown()
    assert len(received) == 1
    assert "drift in temp" in received[0]


# --- errors -------------------------------------------------------------------------------------------------------


def test_the_password_of_the_ledger_is_never_printed(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the sentence, and not in the traceback either."""
    monkeypatch.setenv("PROVEOUT_LEDGER_URL", "postgresql://ada:s3cret@127.0.0.1:1/proveout")

    assert "postgresql://127.0.0.1:1/proveout cannot be reached" in complained(3, "status")
    shown = invoke("--debug", "status")
    assert "Traceback" in shown.stderr
    assert "s3cret" not in shown.output + complained(3, "ledger", "verify")


def test_a_full_disk_is_one_sentence_of_a_command_that_writes(tmp_path: Path, monkeypatch) -> None:
    """The disk's own error, at the first file that `init` writes."""

    def full(file: Path, content: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device", str(file))

    monkeypatch.setattr(Path, "write_bytes", full)

    said = complained(3, "init", str(tmp_path / "new"))

    assert re.fullmatch(r"error: .+ was not written: the disk is full\. Make room .*\n", said)
    assert str(tmp_path) in said


def test_the_command_that_init_shows_next_can_be_pasted_for_a_folder_with_a_space(tmp_path: Path) -> None:
    """`cd my flights` goes to `my`."""
    shown = said(0, "init", str(tmp_path / "my flights"))

    assert f"next: cd '{tmp_path / 'my flights'}' && python flows/ingest.py run" in shown


def test_outside_a_project_the_error_says_where_to_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commonest mistake of all."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PROVEOUT_ROOT", raising=False)
    assert "make a project: proveout init DIR" in complained(2, "status")


def test_an_error_that_is_not_ours_shows_where_it_was_raised_on_demand_only(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A traceback frightens people who did nothing wrong, and helps those who can correct it."""
    (project.root / "pyproject.toml").unlink()
    (project.root / "pyproject.toml").write_bytes(b"\xff\xfe")  # not UTF-8: nobody thought of that

    assert "unexpected UnicodeDecodeError: " in complained(3, "status")
    monkeypatch.setenv("PROVEOUT_DEBUG", "1")
    result = invoke("status")
    assert result.exit_code == 3
    assert "Traceback (most recent call last)" in result.stderr


def test_colour_repeats_a_word_on_a_terminal_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Never the only sign, and never in a log file."""
    page = "refused   m@1   x\n  auc   0.1   failed\n  approval    failed to say"
    assert _terminal.colour(page) == page

    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert _terminal.colour(page) == (
        "\033[31mrefused\033[0m   m@1   x\n  auc   0.1   \033[31mfailed\033[0m\n  approval    failed to say"
    )
    monkeypatch.setenv("NO_COLOR", "1")
    assert _terminal.colour(page) == page


# --- start-up -----------------------------------------------------------------------------------------------------


def test_help_and_version_load_no_heavy_module() -> None:
    """`proveout --help` is how people meet the framework: it must not take seconds."""
    code = (
        "import sys\nfrom proveout.cli import main\n"
        "try: main(sys.argv[1:], prog_name='proveout')\nexcept SystemExit: pass\n"
        f"print('loaded:', [name for name in {HEAVY} if name in sys.modules])"
    )
    # To parse the arguments of a command, typer itself takes pydantic.
    for arguments, loaded in ((["--help"], []), (["--version"], []), (["release", "--help"], ["pydantic"])):
        output = subprocess.check_output([sys.executable, "-c", code, *arguments], text=True)
        assert output.splitlines()[-1] == f"loaded: {loaded}"
        assert output.startswith(("Usage: proveout", "proveout 0"))


def test_python_m_proveout_is_the_same_command(tmp_path: Path) -> None:
    """Where no script is on the path, such as in a container or a cron job."""
    output = subprocess.check_output([sys.executable, "-m", "proveout", "--help"], text=True, cwd=tmp_path)
    commands = "init demo gate release promote rollback serve status compare history bundles verdict verify erase keys"
    for command in commands.split():
        assert f"\n  {command} " in output
    assert "..." not in output.partition("Commands:")[2]  # each help line is short enough to be read whole


def test_no_option_is_read_from_the_variable_of_a_setting():
    """`PROVEOUT_EVENT_KEY` once was an API key to the drill, and to every command a setting that is not JSON."""
    from typer.main import get_command

    from proveout.settings import Settings

    def variables(command):
        yield from (parameter.envvar for parameter in command.params if isinstance(parameter.envvar, str))
        for below in getattr(command, "commands", {}).values():
            yield from variables(below)

    named = set(variables(get_command(main)))

    assert "PROVEOUT_API_KEY" in named
    assert named & {f"PROVEOUT_{field.upper()}" for field in Settings.model_fields} == set()


# --- what it was judged by, and whom it waits for -----------------------------------------------------------------


def judged_by_the_checks(project: Project, bundle: Bundle, *, champion: Bundle | None = None) -> None:
    """An approval, as a gate gives it that writes down the checks and the settings of the project."""
    from proveout.gate.current_fingerprint import current_fingerprint
    from proveout.settings import load

    now_judging = current_fingerprint(load(project.root))
    verdict = Verdict(
        model=bundle.model,
        candidate=bundle.digest,
        manifest=bundle.manifest,
        data=bundle.snapshot,
        checks=now_judging.checks,
        configuration=now_judging.configuration,
        outcome="approved",
        passed=1,
        champion=champion.digest if champion else None,
        judged_at=now(),
    )
    entry = project.ledger.append("verdict", bundle.digest, verdict, actor="gate", reason="-", at=now())
    leave = approve(verdict, entry, keyring=project.keyring, approved_at=now(), expires_at="2099-01-01")
    project.ledger.append("approval", bundle.digest, leave, actor="gate", reason="-", at=now())


def test_edited_checks_hold_up_a_release_and_nothing_else(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever edits a check runs the gate again, before the next release; going back at night needs no gate."""
    checks = project.root / "checks"
    for name in ("test_data.py", "test_model.py"):
        (checks / name).write_text("def test_it(): pass\n")
        os.utime(checks / name, (0, 0))
    old, new = project.pack(b"old", auc=0.7), project.pack(b"new", auc=0.8)
    judged_by_the_checks(project, old)
    said(0, "release", old.digest, "--reason", "first")
    judged_by_the_checks(project, new, champion=old)

    (checks / "test_model.py").write_text("def test_it(): assert True\n")
    error = complained(1, "release", new.digest, "--reason", "-")
    assert "the checks were edited since the gate approved it (checks/test_model.py); run the gate again" in error
    for role in ("canary", "shadow"):
        assert "the checks were edited" in complained(1, "release", new.digest, "--as", role, "--reason", "-")
    monkeypatch.setenv("PROVEOUT_APPROVER_KEY", new_key().decode())
    assert "the checks were edited" in complained(1, "approve", new.digest, "--by", "ada", "--reason", "-")
    (checks / "test_model.py").write_text("def test_it(): pass\n")
    monkeypatch.setenv("PROVEOUT_MAX_REJECTED_SHARE", "0.5")
    said_no = complained(2, "release", new.digest, "--reason", "-")
    assert "PROVEOUT_MAX_REJECTED_SHARE in the environment: what judges a candidate stands in" in said_no
    monkeypatch.delenv("PROVEOUT_MAX_REJECTED_SHARE")
    said(0, "release", new.digest, "--reason", "better")

    (checks / "test_model.py").write_text("def test_it(): assert False\n")
    assert said(0, "rollback", "--reason", "a fault").startswith(f"released   {old.name}")


def test_a_promotion_asks_all_that_a_release_asks(project: Project) -> None:
    """`release --as shadow`, an edited check, `promote`: it was champion by checks that never judged it."""
    old, new = project.pack(b"old", auc=0.7), project.pack(b"new", auc=0.8)
    judged_by_the_checks(project, new)  # compared with nobody: nothing served
    judged_by_the_checks(project, old)
    said(0, "release", old.digest, "--reason", "first")
    said(0, "release", new.digest, "--as", "shadow", "--reason", "look at it")

    assert "The gate compared with nothing that served" in complained(4, "promote", "--reason", "-")
    (project.root / "checks" / "test_new.py").write_text("def test_it(): pass\n")
    asked = ("promote", "--reason", "-", "--allow-champion-change")
    assert "the checks were edited since the gate approved it" in complained(1, *asked)
    (project.root / "checks" / "test_new.py").unlink()
    assert said(0, *asked).startswith("promoted")


def test_where_the_checks_are_not_nothing_is_released(project: Project) -> None:
    """A machine that only serves: whether the checks were edited cannot be told there, and is not guessed."""
    bundle = project.pack(b"one", auc=0.7)
    judged_by_the_checks(project, bundle)
    (project.root / "checks").rmdir()

    error = complained(2, "release", bundle.digest, "--reason", "-")
    assert "is missing, so it is unknown whether the checks were edited since the gate approved" in error
    assert "Release and promote on a machine with the project" in error


def test_who_is_second_to_replace_a_champion_is_told_with_exit_code_4(project: Project) -> None:
    """Both were compared with the same champion; a person may release the second all the same, and says so."""
    first, one, other = (project.pack(name, auc=0.7) for name in (b"first", b"one", b"other"))
    judged_by_the_checks(project, first)
    said(0, "release", first.digest, "--reason", "-")
    for what in (one, other):
        judged_by_the_checks(project, what, champion=first)
    said(0, "release", one.digest, "--reason", "quicker", "--by", "ada")

    error = complained(4, "release", other.digest, "--reason", "-")
    assert f"ada made {one.name} champion, because: quicker. The gate compared with {first.digest[:12]}" in error
    assert said(0, "release", other.digest, "--reason", "-", "--allow-champion-change").startswith("released")


def test_the_persons_a_bundle_waits_for_are_named_wherever_it_is_listed(
    project: Project, champions: tuple[Bundle, Bundle]
) -> None:
    """After `required_approvals` was set, what serves needs them too: said before the next restart, not by it."""
    with (project.root / "pyproject.toml").open("a") as file:
        file.write("required_approvals = 2\n")
    before, champion = champions

    assert "champion, 2 of 2 persons missing" in said(0, "bundles")
    assert f"no human approval; 2 of 2 persons missing: proveout approve {champion.digest[:12]}" in said(0, "status")
    assert "2 of 2 persons missing" in complained(1, "verify", champion.digest)
    for command in (("rollback", "--reason", "-"), ("release", before.digest, "--reason", "-")):
        assert "2 of 2 persons missing. Ask for it: proveout approve" in complained(1, *command)
    listed = json.loads(said(0, "bundles", "--json"))
    assert {(one["persons"], len(one["approved_by"])) for one in listed} == {(2, 0)}
