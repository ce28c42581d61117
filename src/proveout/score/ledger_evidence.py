"""Evidence in the ledger for the tests of the ML Test Score. Each fact says where to look it up.

Input: a ledger and the settings. Output: `Fact` records. A fact is something that happened to this model, not
something that the software could do.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from proveout.data import request_columns
from proveout.errors import ProveoutError
from proveout.fastpath import tolerance
from proveout.ledger.ledger import Ledger, read
from proveout.ledger.prediction_rows import HIDDEN
from proveout.records.drift_report import DriftReport
from proveout.records.prediction import Prediction
from proveout.records.release import Consent, Release
from proveout.records.values import Digest
from proveout.records.verdict import Verdict
from proveout.rollout import releases, roles, status
from proveout.score.scoring import Fact
from proveout.settings import Settings
from proveout.task import task as tasks
from proveout.task.metric import allowance

if TYPE_CHECKING:
    from proveout.model.bundle import OpenBundle

ANSWERS = 50  # how many of the champion's newest answers are computed again
FEWEST_OUTCOMES = 200  # for a metric of served answers to count

EVENTS: dict[str, str] = {
    "data-5": "proveout erase, once a person asks to be forgotten",
    "model-1": "proveout approve by a person, or a commit that the champion was packed from",
    "model-2": "python flows/monitor.py run, once outcomes of what was served are known",
    "infra-3": "proveout release, answers, and python flows/monitor.py run",
    "infra-4": "proveout release",
    "infra-5": "proveout serve: logged answers of the champion, to be computed again",
    "infra-6": "proveout release --as canary, or --as shadow, before it is champion",
    "infra-7": "proveout rollback, once it was tried",
    "monitor-2": "python flows/monitor.py run",
    "monitor-7": "python flows/monitor.py run, once outcomes of what was served are known",
}
"""The tests with evidence from events, and the command that produces the event. The others need a check or a person."""

Open = Callable[[Settings, Digest], "OpenBundle"]


def gather(ledger: Ledger, settings: Settings, *, opened: Open) -> tuple[Fact, ...]:
    """Every fact about the model.

    Args:
        opened: opens the champion's bundle, to compute logged answers again.
    """
    made = releases.history(ledger, settings.model)
    champion = roles.holder(made)
    watched = (read(DriftReport, entry) for entry in ledger.entries(kind="drift", newest_first=True))
    reports = [report for report in watched if report.model == settings.model]
    found = [*_went_back(made), *_watched(ledger, reports), *_erased(ledger)]
    if champion is not None:
        found += [
            *_reviewed(ledger, champion),
            *_judged(ledger, champion),
            *_canaried(made, champion),
            *_computed_again(ledger, settings, champion, opened),
            *_whole_line(ledger, champion, reports),
        ]
    return tuple(found)


def _reviewed(ledger: Ledger, champion: Release) -> Iterator[Fact]:
    for entry in ledger.entries(kind="consent", subject=champion.bundle):
        given = read(Consent, entry)
        yield Fact(test="model-1", what=f"{given.by} approved {champion.name} on {given.approved_at[:10]}")
    packed = status.bundle_of(ledger, champion.bundle)
    commit = packed.git_commit if packed else "unknown"
    if commit != "unknown" and not commit.endswith("+changes"):
        yield Fact(test="model-1", what=f"packed from commit {commit[:12]}, without changes beside it", points=0.5)


def _judged(ledger: Ledger, champion: Release) -> Iterator[Fact]:
    for entry in ledger.entries(kind="verdict", subject=champion.bundle):
        if entry.hash == champion.verdict and read(Verdict, entry).outcome == "approved":
            yield Fact(test="infra-4", what=f"{champion.name} was released on the approving verdict of {entry.at[:16]}")


def _canaried(made: tuple[Release, ...], champion: Release) -> Iterator[Fact]:
    before = made[: made.index(champion)]
    for tried in before:
        if tried.bundle == champion.bundle and tried.role != "champion" and tried.share > 0:
            what = f"{champion.name} ran as {tried.role} with {tried.share:.0%} of the traffic from {tried.since[:16]}"
            yield Fact(test="infra-6", what=what)


def _went_back(made: tuple[Release, ...]) -> Iterator[Fact]:
    for place, later in enumerate(made):
        line = [champion.bundle for champion in roles.line(made[:place])]
        if later.role == "champion" and later.bundle in line[:-1]:
            yield Fact(
                test="infra-7", what=f"{later.by} went back to {later.name} on {later.since[:16]}: {later.reason}"
            )


def _computed_again(ledger: Ledger, settings: Settings, champion: Release, opened: Open) -> Iterator[Fact]:
    newest = ledger.predictions(model=settings.model, newest=20 * ANSWERS)
    logged = [one for one in newest if _can_be_computed(one, champion)][-ANSWERS:]
    if not logged:
        return
    try:
        import numpy as np

        bundle = opened(settings, champion.bundle)
        again = bundle.predict(request_columns.untyped([one.record for one in logged], bundle.request_columns))
    except (ProveoutError, KeyError, TypeError, ValueError):
        return  # a bundle that cannot be opened gets no point, but does not stop the score
    task, none = bundle.task, (np.inf,) * bundle.task.width
    before = np.array([task.scores(one.answer) or none for one in logged], dtype=float).reshape(task.shape(len(logged)))
    same = int((~tolerance.apart(before, again, bundle.tolerance.answers)).sum())
    if same == len(logged):
        what = f"the newest {same} answers of {champion.name} were computed again from the log, to the same numbers"
        yield Fact(test="infra-5", what=what)


def _can_be_computed(one: Prediction, champion: Release) -> bool:
    hidden = any(isinstance(value, str) and value.startswith(HIDDEN) for value in one.record.values())
    return one.release == champion.name and one.answered_by == "model" and not hidden


def _whole_line(ledger: Ledger, champion: Release, reports: list[DriftReport]) -> Iterator[Fact]:
    snapshot = ledger.entries(kind="snapshot", subject=champion.data, limit=1)
    packed = status.bundle_of(ledger, champion.bundle)
    watched = [report for report in reports if report.bundle == champion.bundle]
    if snapshot and packed and watched:
        what = (
            f"snapshot {champion.data[:12]}, {packed.run}, verdict, release, answers and monitor: one line, all logged"
        )
        yield Fact(test="infra-3", what=what)


def _watched(ledger: Ledger, reports: list[DriftReport]) -> Iterator[Fact]:
    if reports:
        newest = reports[0]
        what = f"{len(reports)} windows were compared with the training rows, the newest up to {newest.window_to[:16]}"
        yield Fact(test="monitor-2", what=what)
    for report in reports:
        seen, packed = report.performance, status.bundle_of(ledger, report.bundle)
        if seen is None or packed is None:
            continue
        task = tasks.of(packed.task)
        name = task.default_metric
        online, offline = seen.metrics.get(name), status.held_out(ledger, packed, name)
        if online is None or offline is None or seen.rows < FEWEST_OUTCOMES:
            continue
        title = name.replace("_", " ").upper() if len(name) < 5 else name.replace("_", " ")
        numbers = f"{title} {online:.3g} on {seen.rows:,} outcomes of what was served, {offline:.3g} offline"
        yield Fact(test="monitor-7", what=numbers)
        if abs(online - offline) <= allowance(task.metric(name), offline):  # the allowance of the monitor's alert
            yield Fact(test="model-2", what=numbers)


def _erased(ledger: Ledger) -> Iterator[Fact]:
    erasures = ledger.entries(kind="erasure", limit=1, newest_first=True)
    if erasures:
        yield Fact(test="data-5", what=f"persons are erased on request, the last on {erasures[0].at[:10]}")
