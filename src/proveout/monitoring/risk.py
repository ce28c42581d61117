"""The risk of a release as outcomes arrive: the task's loss per row, against that of the held-out rows.

Input: the logged answers of a bundle with their outcomes, and its held-out rows. Output: `RiskReport`. Everything
follows from what is logged and when it became known, not from when one looks: run twice or late, it says the same, and
counts nothing twice.

Days are compared (`risk_by_day`) if `event_date` tells them, else rows (`risk_by_row`). A day counts when nine tenths
of its answers have an outcome, else a fortnight after its last answer, with the outcomes known by then: what comes
later, or is corrected later, changes the metrics, and no longer the test. Of several answers about one event the first
counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from proveout.data import request_columns
from proveout.monitoring import risk_by_day, risk_by_row
from proveout.monitoring.risk_evidence import Evidence
from proveout.monitoring.stream import history
from proveout.records.risk_report import RiskReport
from proveout.task.task import Task

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from proveout.ledger.ledger import Ledger
    from proveout.ledger.prediction_history import LoggedAnswer
    from proveout.model.bundle import OpenBundle
    from proveout.records.bundle import Bundle
    from proveout.settings import Settings

FEWEST_DAYS = 8
"""Of the held-out rows: with fewer, even a much worse day is no evidence for weeks."""

_FEWEST_ROWS = 20  # of a day: smaller ones count together with the next
_ENOUGH = 0.9  # of a day's answers, with an outcome
_LONGEST = timedelta(days=14)  # that a day waits for outcomes
_CLIPPED = 4.0  # times the 95 % quantile of the held-out losses: an unbounded loss counts no more than that


@dataclass(frozen=True, kw_only=True, eq=False)
class Losses:
    """Losses of rows with a known outcome, in order of time."""

    days: "NDArray[Any]"  # shape (rows,), such as 2013-06-30; "" for a row that has none
    losses: "NDArray[np.float64]"  # shape (rows,)
    known_at: "NDArray[Any]"  # shape (rows,); "" for held-out rows
    asked: Mapping[str, int] = field(default_factory=dict)  # answers of each day, with an outcome or without
    last: Mapping[str, str] = field(default_factory=dict)  # time of each day's last answer

    def __len__(self) -> int:
        return len(self.losses)


def look(settings: "Settings", opened: "OpenBundle", ledger: "Ledger", *, at: str) -> RiskReport:
    """The risk of the champion so far. Writes nothing."""
    from proveout.ledger import prediction_history
    from proveout.rollout import releases

    begun = [one.since for one in releases.history(ledger, settings.model) if one.bundle == opened.bundle.digest]
    found = prediction_history.portions(ledger, settings.model, since=min(begun, default=at), until=at)
    answered = of_answers(found, opened, dated_by=settings.event_date)
    return judge(
        held_out(settings, opened), answered, model=settings.model, bundle=opened.bundle.digest, task=opened.task,
        level=settings.risk_alpha, by_day=bool(settings.event_date), at=at,
    )  # fmt: skip


def reported(ledger: "Ledger", bundle: "Bundle") -> bool:
    """Whether an earlier look has already reported that this bundle is worse."""
    from proveout.ledger.ledger import read

    looks = (read(RiskReport, entry) for entry in ledger.entries(kind="risk", subject=bundle.model, newest_first=True))
    return any(one.alarm for one in looks if one.bundle == bundle.digest)


def of_answers(
    portions: "Iterable[Sequence[LoggedAnswer]]", opened: "OpenBundle", *, dated_by: Sequence[str]
) -> Losses:
    """The losses of the bundle's own answers, each event once.

    Args:
        portions: of the log, in order of time.
        dated_by: request columns that date an event; an answer to none is dated by its own time.
    """
    task, name = opened.task, opened.bundle.name
    told: list[str] = []
    known: list[str] = []
    scores: list[tuple[float, ...]] = []
    outcomes: list[Any] = []
    asked: dict[str, int] = {}
    last: dict[str, str] = {}
    seen: set[int] = set()
    for portion in portions:
        for one, day in zip(portion, _days(portion, dated_by), strict=True):
            prediction = one.prediction
            said = task.scores(prediction.answer)
            if prediction.release != name or prediction.answered_by not in {"model", "cache"} or said is None:
                continue
            if one.event is not None and one.event in seen:
                continue
            if one.event is not None:
                seen.add(one.event)
            asked[day], last[day] = asked.get(day, 0) + 1, max(last.get(day, ""), prediction.at)
            outcome = None if one.first is None else _valid(task, one.first.value)
            if outcome is None or one.first is None or len(said) != task.width:
                continue
            told.append(day)
            known.append(one.first.known_at)
            scores.append(said)
            outcomes.append(outcome)
    losses = np.zeros(0)
    if scores:
        said_all = np.array(scores, dtype=float).reshape(task.shape(len(scores)))
        losses = task.losses(task.outcomes(outcomes), said_all)
    return Losses(
        days=np.array(told, dtype=object), losses=losses, known_at=np.array(known, dtype=object), asked=asked, last=last
    )


def _days(portion: "Sequence[LoggedAnswer]", dated_by: Sequence[str]) -> list[str]:
    """The day of each answer: of its event, else of the answer."""
    answered = [one.prediction.at[:10] for one in portion]
    if not dated_by:
        return answered
    records = request_columns.untyped([one.prediction.record for one in portion], list(dated_by))
    told = history.dates(records, dated_by)
    return [day if isinstance(day, str) else own for day, own in zip(told.tolist(), answered, strict=True)]


def _valid(task: Task, outcome: Any) -> Any:
    """The outcome in the task's form; None for one that was recorded when the target was another."""
    try:
        return task.outcome(outcome)
    except ValueError:
        return None


def held_out(settings: "Settings", opened: "OpenBundle") -> Losses:
    """The losses of the held-out rows with an outcome; of none if the store no longer has them."""
    from proveout.data import features
    from proveout.data.splits import HOLDOUT
    from proveout.errors import NotFound
    from proveout.model.bundle import rows_on
    from proveout.project import open_store

    try:
        rows = rows_on(opened, open_store(settings), HOLDOUT)
    except NotFound:
        return Losses(days=np.zeros(0, object), losses=np.zeros(0), known_at=np.zeros(0, object))
    labels = features.labels(settings, rows)
    rows, labels = rows[labels.notna()], labels[labels.notna()]
    losses = np.zeros(0)
    if len(rows):
        losses = opened.task.losses(opened.task.outcomes(labels.to_numpy()), opened.predict(rows))
    told = np.full(len(rows), "", dtype=object)
    if settings.event_date:
        told = history.dates(rows, settings.event_date).fillna("").to_numpy(dtype=object)
    order = np.argsort(told, kind="stable")
    return Losses(days=told[order], losses=losses[order], known_at=np.full(len(rows), "", object))


# --- judging ----------------------------------------------------------------------------------------------------------


def judge(
    reference: Losses,
    stream: Losses,
    *,
    model: str,
    bundle: Any,
    task: Task,
    level: float,
    by_day: bool,
    at: str,
) -> RiskReport:
    """Whether the stream's losses are above the reference's. Pure.

    Args:
        by_day: whether rows of one day may be alike; else all rows count as independent.
        at: the present time.
    """
    unit: Literal["day", "row"] = "day" if by_day else "row"
    parts = _by_day(reference, stream, at=at) if by_day else _by_row(reference, stream)
    evidence = parts.evidence
    alarm = evidence.first_alarm(level)
    counted = np.concatenate(parts.units) if parts.units else np.zeros(0, np.intp)
    later = np.concatenate(parts.units[evidence.since :]) if alarm is not None else counted
    return RiskReport(
        model=model,
        bundle=bundle,
        loss=task.default_loss,
        unit=unit,
        level=level,
        reference_rows=len(reference),
        reference_units=parts.reference_units,
        reference_risk=float(reference.losses.mean()) if len(reference) else None,
        rows=len(counted),
        units=len(parts.units),
        waiting=len(stream) - len(counted),
        risk=float(stream.losses[counted].mean()) if len(counted) else None,
        evidence=float(np.exp(min(evidence.logarithm[-1], 700.0))) if len(evidence.logarithm) else 1.0,
        alarmed_on=None if alarm is None else _named(stream, parts.units[alarm], by_day=by_day),
        since=None if alarm is None else _named(stream, parts.units[evidence.since], by_day=by_day),
        risk_since=None if alarm is None else float(stream.losses[later].mean()),
        unjudged=parts.unjudged,
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Parts:
    """The rows of the stream by unit, in the order in which they came to count, and what they show."""

    units: "list[NDArray[np.intp]]"
    reference_units: int
    evidence: Evidence
    unjudged: str = ""


_NOTHING = Evidence(logarithm=np.zeros(0), since=0)


def _by_row(reference: Losses, stream: Losses) -> _Parts:
    order = np.lexsort((np.arange(len(stream)), stream.known_at)) if len(stream) else np.zeros(0, np.intp)
    units = [np.array([place]) for place in order.tolist()]
    if len(reference) < _FEWEST_ROWS:
        why = f"{len(reference)} held-out rows have an outcome, and {_FEWEST_ROWS} are needed"
        return _Parts(units=units, reference_units=len(reference), evidence=_NOTHING, unjudged=why)
    most = _largest(reference)
    # Held-out rows have no order of their own: neighbours in the file may be alike.
    known = np.random.default_rng(0).permutation(reference.losses)
    found = risk_by_row.worse(np.minimum(known / most, 1), np.minimum(stream.losses[order] / most, 1))
    return _Parts(units=units, reference_units=len(reference), evidence=found)


def _largest(reference: Losses) -> float:
    """What a loss is divided by, to be from 0 to 1: a larger one counts as 1."""
    largest = _CLIPPED * float(np.quantile(reference.losses, 0.95))
    return largest if largest > 0 else max(float(reference.losses.max()), 1.0)


def _by_day(reference: Losses, stream: Losses, *, at: str) -> _Parts:
    """Units of as many days on both sides, and of no more rows in the reference: means of few rows differ by chance.

    That a unit of the stream has more rows is no fault: its mean is less often among the worst.
    """
    before = _of_each_day(reference.days, np.flatnonzero(reference.days != ""))
    span = int(np.ceil(_FEWEST_ROWS / max(_usual(before), 1.0)))
    before = _spans(before, span)
    after = _spans(_counting(stream, at=at), span)
    first = _joined(after, _FEWEST_ROWS)[:1]
    size = int(min([_usual(before), *map(len, first)]))
    units = _joined(after, max(size // 2, _FEWEST_ROWS))
    if len(before) < FEWEST_DAYS:
        why = f"the held-out rows are of {len(before) * span} days, and {FEWEST_DAYS * span} are needed"
        return _Parts(units=units, reference_units=len(before), evidence=_NOTHING, unjudged=why)
    random = np.random.default_rng(0)
    drawn = [random.choice(unit, min(size, len(unit)), replace=False) for unit in before]
    found = risk_by_day.worse(_means(reference.losses, drawn), _means(stream.losses, units))
    return _Parts(units=units, reference_units=len(before), evidence=found)


def _usual(parts: "Sequence[NDArray[np.intp]]") -> float:
    """The rows of the middle one; 0 without any."""
    return float(np.median([len(part) for part in parts])) if parts else 0.0


def _spans(parts: "Sequence[NDArray[np.intp]]", span: int) -> "list[NDArray[np.intp]]":
    """So many days together, in order; a rest is left out."""
    return [np.concatenate(parts[first : first + span]) for first in range(0, len(parts) - span + 1, span)]


def _means(losses: "NDArray[np.float64]", units: "Sequence[NDArray[np.intp]]") -> "NDArray[np.float64]":
    return np.array([losses[unit].mean() for unit in units])


def _of_each_day(told: "NDArray[Any]", places: "NDArray[np.intp]") -> "list[NDArray[np.intp]]":
    """The places of each day's rows, the days in order."""
    order = places[np.argsort(told[places], kind="stable")]
    edges = np.flatnonzero(told[order][1:] != told[order][:-1]) + 1
    return [part for part in np.split(order, edges) if len(part)]


def _counting(stream: Losses, *, at: str) -> "list[NDArray[np.intp]]":
    """The rows of each day that counts, in the order in which the days came to count."""
    found = []
    for places in _of_each_day(stream.days, np.arange(len(stream))):
        day = stream.days[places[0]]
        known = np.sort(stream.known_at[places])
        needed = int(np.ceil(_ENOUGH * stream.asked.get(day, len(places))))
        latest = _after(stream.last.get(day, known[-1]))
        moment = known[needed - 1] if needed <= len(known) else latest
        moment = min(moment, latest)
        if moment <= at and (stream.known_at[places] <= moment).any():
            found.append((moment, day, places[stream.known_at[places] <= moment]))
    return [places for _, _, places in sorted(found, key=lambda one: one[:2])]


def _after(moment: str) -> str:
    later = datetime.fromisoformat(moment) + _LONGEST
    return later.isoformat(timespec="milliseconds")


def _joined(parts: "Iterable[NDArray[np.intp]]", fewest: int) -> "list[NDArray[np.intp]]":
    """The parts in order, small ones together with those after them until they have enough rows; a rest is left out."""
    found, rest = [], np.zeros(0, np.intp)
    for part in parts:
        rest = np.concatenate([rest, part])
        if len(rest) >= max(fewest, 1):
            found.append(rest)
            rest = np.zeros(0, np.intp)
    return found


def _named(stream: Losses, unit: "NDArray[np.intp]", *, by_day: bool) -> str:
    return str(stream.days[unit[-1]] if by_day else stream.known_at[unit[-1]])
