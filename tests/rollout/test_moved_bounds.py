"""The bounds of the gate: read from the project as it is now, kept by the verdict, compared by a release."""

import shutil

import pytest
from gate_toy import make_project
from typer.testing import CliRunner

from proveout import settings
from proveout.cli import _views, main
from proveout.errors import ConfigError, NotApproved
from proveout.gate.current_fingerprint import current_fingerprint
from proveout.gate.reports import html_report, text_report
from proveout.ledger.ledger import Ledger
from proveout.model.manifest import verify
from proveout.records.values import now
from proveout.records.verdict import MovedBound
from proveout.rollout import moved_bounds, releases, status
from proveout.trust.signing import Keyring

pytest_plugins = "pytester"

LOOSER = MovedBound(name="auc_at_least", before=0.6, now=0.5, looser=True)


def ask(root, text: str) -> None:
    (root / "flows" / "train.toml").write_text(f"[evaluation]\n{text}\n")


def release(root, digest: str) -> None:
    project = settings.load(root)
    bundle = verify(root / ".proveout" / "store" / "bundles" / digest)
    with Ledger(project.ledger) as ledger:
        keyring = Keyring(project.keys_dir)
        releases.release(
            ledger, keyring, bundle, by="ada", reason="-", at=now(), current_fingerprint=current_fingerprint(project)
        )


def test_another_bound_asks_the_gate_again_and_not_the_training(gate, pytester):
    """The bundle stays what it is; its approval was for the bounds of its day."""
    root = pytester.path
    strict = gate().verdict
    assert (strict.bounds, strict.moved) == ({"auc_at_least": 0.6}, ())

    ask(root, "auc_at_least = 0.99")
    with pytest.raises(NotApproved, match=r"auc_at_least from 0\.6 to 0\.99, stricter\); run the gate again"):
        release(root, strict.candidate)
    stricter = gate().verdict

    assert (stricter.candidate, stricter.outcome) == (strict.candidate, "refused")
    assert stricter.bounds == {"auc_at_least": 0.99}


def test_a_bound_that_is_looser_than_the_champions_is_said_wherever_the_verdict_is_shown(gate, pytester):
    """Beside "approved", the page shows that bounds are looser than for the served bundle."""
    root = pytester.path
    champion = gate().verdict
    release(root, champion.candidate)
    ask(root, "auc_at_least = 0.5")
    with Ledger(settings.load(root).ledger) as ledger:
        stands = status.now(ledger, "toy", at=now(), asked=settings.read_bounds(settings.load(root)))
    make_project_again(root)

    run = gate()

    assert run.verdict.moved == stands.moved == (LOOSER,)
    said = "auc_at_least from 0.6 to 0.5, looser, since the champion's verdict"
    run.result.stdout.fnmatch_lines([f"*bound * {said}"])
    assert said in _views.verdict(run.verdict, signed="")
    assert said in text_report.markdown(run.verdict)
    assert "Bounds that moved since the champion&#39;s verdict" in html_report.html(run.verdict)
    assert "bound now   auc_at_least from 0.6 to 0.5, looser, since this verdict" in _views.status(stands)
    release(root, run.verdict.candidate)


def test_a_slip_in_train_toml_does_not_hide_what_serves(template, tmp_path, monkeypatch):
    """Whoever asks what serves may have come because somebody broke the file."""
    shutil.copytree(template, tmp_path / "p")
    ask(tmp_path / "p", "auc_at_least = ")
    monkeypatch.chdir(tmp_path / "p")

    said = CliRunner().invoke(main, ["status"])

    assert said.stdout.startswith("nothing   of toy is released")
    assert "the current bounds are unknown: " in said.stderr
    assert "is not TOML" in said.stderr


def make_project_again(root) -> None:
    text = (root / "flows" / "train.toml").read_text()
    make_project(root, c=0.5)
    (root / "flows" / "train.toml").write_text(text)


def test_a_bound_edited_while_the_gate_runs_refuses(gate):
    """The verdict would sign a bound that no check used."""
    run = gate(
        """
        def test_auc(candidate, holdout, criteria, evidence, project):
            evidence("auc", 0.7, at_least=criteria["auc_at_least"])
            (project.root / "flows" / "train.toml").write_text("[evaluation]\\nauc_at_least = 0.9\\n")
        """
    )

    assert run.verdict.outcome == "refused"
    assert run.verdict.failed == ("gate::edited[flows/train.toml]",)
    (found,) = (result for result in run.verdict.results if result.check in run.verdict.failed)
    assert "auc_at_least from 0.6 to 0.9, stricter" in found.message


@pytest.mark.parametrize(
    ("before", "after", "looser"),
    [
        ({"auc_at_least": 0.7}, {"auc_at_least": 0.71}, False),
        ({"brier_at_most": 0.1}, {"brier_at_most": 0.2}, True),
        ({"brier_at_most": 0.2}, {"brier_at_most": 0.1}, False),
        ({"champion_margin": 0.01}, {"champion_margin": 0.02}, None),
        ({"auc_at_least": 0.7}, {}, True),
        ({}, {"auc_at_least": 0.7}, False),
        ({"auc_at_least": 0.7}, {"auc_at_least": "none"}, None),
    ],
)
def test_whether_a_bound_is_looser_is_told_by_its_name(before, after, looser):
    """A lower floor and a higher ceiling ask for less; of other names nobody can tell."""
    (found,) = moved_bounds.moved(before, after)

    assert found.looser is looser


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("auc_at_least = inf", "auc_at_least = inf is no finite number"),
        ("since = 2013-01-01", "since = 2013-01-01 is no finite number"),
        ("[evaluations]", "has no table"),
    ],
)
def test_a_bound_that_no_verdict_can_keep_is_named(template, tmp_path, text, problem):
    """Before a run, not when it is to be written down; and a misspelt table is not a gate without bounds."""
    project = settings.load(template).model_copy(update={"root": tmp_path})
    (tmp_path / "flows").mkdir()
    table = text if text.startswith("[") else f"[evaluation]\n{text}"
    (tmp_path / "flows" / "train.toml").write_text(table)

    with pytest.raises(ConfigError, match=problem):
        settings.read_bounds(project)
