"""What made the rows, in the verdict: signed with it, compared with the champion's, shown wherever a verdict is."""

from dataclasses import replace

import pytest

from proveout import settings
from proveout.cli import _views
from proveout.data import snapshots
from proveout.data.store import Store
from proveout.errors import BadSignature
from proveout.evaluation import provenance
from proveout.gate.reports import html_report, text_report
from proveout.gate.verdict import check_signature
from proveout.ledger.ledger import Ledger
from proveout.model.manifest import verify
from proveout.records.values import now
from proveout.records.verdict import SourceVersion
from proveout.rollout import releases, status
from proveout.trust.signing import Keyring

pytest_plugins = "pytester"

ONE, OTHER = {"flows/source.py": "a" * 64}, {"flows/source.py": "b" * 64}
SAID = "flows/source.py changed since the champion's verdict: the rows may differ"


def enter(root, *code) -> None:
    """What an ingest leaves in the ledger: the batches, each with the code that made it."""
    project = settings.load(root)
    store = Store(project.store)
    (digest,) = store.digests("snapshots")
    described = snapshots.describe(store, digest)
    batches = tuple(replace(batch, code=one) for batch, one in zip(described.batches, code, strict=True))
    with Ledger(project.ledger) as ledger:
        entered = replace(described, batches=batches)
        ledger.append("snapshot", digest, entered, actor="ada", reason="-", at=now())


def test_a_source_that_changed_since_the_champion_is_said_wherever_the_verdict_is_shown(gate, pytester):
    """It may drop the rows that are hard to answer: every number of the gate looks better, and nobody had a reason."""
    root = pytester.path
    enter(root, ONE, ONE)
    first = gate().verdict
    assert first.source == (SourceVersion(batches=("2013-04", "2013-05"), files=ONE),)
    assert first.source_changed == ()
    project = settings.load(root)
    with Ledger(project.ledger) as ledger:
        bundle = verify(root / ".proveout" / "store" / "bundles" / first.candidate)
        releases.release(ledger, Keyring(project.keys_dir), bundle, by="ada", reason="-", at=now())
    enter(root, OTHER, OTHER)

    run = gate()

    assert run.verdict.source[-1].files == OTHER
    assert run.verdict.source_changed == ("flows/source.py",)
    run.result.stdout.fnmatch_lines([f"*source * {SAID}"])
    assert SAID in text_report.markdown(run.verdict)
    assert SAID.replace("'", "&#39;") in html_report.html(run.verdict)
    shown = _views.verdict(run.verdict, signed="")
    assert "source      flows/source.py bbbbbbbbbbbb" in shown
    assert SAID in shown
    with Ledger(project.ledger) as ledger:
        (packed,) = status.packed(ledger, "toy", at=now())
        served = status.now(ledger, "toy", at=now())
    assert packed.source_changed == ("flows/source.py",)
    assert "champion, source changed" in _views.bundles([packed])
    assert "source      flows/source.py aaaaaaaaaaaa" in _views.status(served)  # by which it was released
    keyring = Keyring(project.keys_dir)
    check_signature(run.verdict, keyring)
    with pytest.raises(BadSignature):
        check_signature(replace(run.verdict, source_changed=()), keyring)


def test_batches_of_two_versions_of_the_source_are_told_apart(gate, pytester):
    """Learned from rows that mean one thing, judged on rows that mean another."""
    enter(pytester.path, ONE, OTHER)

    run = gate()

    assert [one.batches for one in run.verdict.source] == [("2013-04",), ("2013-05",)]
    note = "2013-04 and 2013-05 were made by different versions of the source: ingest them again"
    assert note in _views.verdict(run.verdict, signed="")
    assert note in " ".join(run.text.split())


def test_what_nobody_wrote_down_is_no_change():
    """A champion from before its source was recorded: there is nothing to compare with."""
    known, unknown = SourceVersion(batches=("1",), files=ONE), SourceVersion(batches=("1",), files={})

    assert provenance.changed((), (known,)) == ()
    assert provenance.changed((unknown,), (known,)) == ()
    assert provenance.changed((known,), (known,)) == ()
    assert provenance.changed((known,), (replace(known, files=OTHER),)) == ("flows/source.py",)
    assert provenance.changed((known,), (replace(known, files={**ONE, "raw.py": "c"}),)) == ("raw.py",)
