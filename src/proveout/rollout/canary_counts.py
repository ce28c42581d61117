"""What the ledger counts of a canary and of the champion beside it.

Input: a ledger. Output: bad events of three measures, and what they are of:
- errors: answers that no model gave (rules or nothing),
- latency: answers of the model slower than the champion's 99th percentile before the canary began,
- quality: answers that what really happened has proved wrong, where outcomes came back. A label or a class is wrong
  when it is another one; a value when it is further off than half the champion's interval, for both alike.

Events are of different keys: many bad answers to one key are one event. Counted by the database, over an index that
holds all it needs; what cannot be counted so is rare.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import ColumnElement, Connection, Double, and_, case, cast, distinct, func, or_, select

from proveout.ledger.ledger import Ledger
from proveout.ledger.tables import OUTCOMES, PREDICTIONS
from proveout.records import AnswerSource, Release, Role
from proveout.rollout import releases, roles
from proveout.settings import Settings

Measure = Literal["errors", "latency", "quality"]
MEASURES: tuple[Measure, ...] = ("errors", "latency", "quality")
ANSWER_SOURCES: tuple[AnswerSource, ...] = ("model", "cache", "rules", "none")

_SLOW_SHARE = 0.01  # of the champion's answers before the canary are slower than the bound
_SLOW_ROWS = 10_000  # of its newest answers the bound is taken from
_FEWEST_SLOW_ROWS = 100  # with fewer, half of the deadline is the bound


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Bad events of one measure, and what they are of, for both."""

    measure: Measure
    canary_bad: int
    canary_of: int
    champion_bad: int
    champion_of: int


@dataclass(frozen=True, kw_only=True)
class Count:
    """What the ledger counts of a canary and of the champion beside it."""

    canary: Release
    champion: Release
    since: str
    answers: int  # the canary's
    slow_ms: float
    counts: tuple[Counts, ...]
    seen: int
    wrong_beyond: float | None = None  # regression: how far off a value is wrong; None where one that differs is


def count(ledger: Ledger, settings: Settings) -> Count | None:
    """What the ledger counts of the canary and of the champion since both run; None while no canary runs."""
    seen = ledger.last_seq()
    made = releases.history(ledger, settings.model)
    canary, champion = roles.holder(made, role="canary"), roles.holder(made)
    if canary is None or champion is None:
        return None
    since = max(canary.since, champion.since)
    beyond = releases.task_of(ledger, champion.bundle).facts.half_width
    with ledger.reading() as connection:
        slow_ms = _slow(connection, champion.name, before=canary.since) or settings.deadline_s * 500
        mine = _counted(connection, canary, role="canary", since=since, slow_ms=slow_ms, beyond=beyond)
        # Different keys are told apart for half a second in a million: not before something can follow from it.
        enough = mine["answers"] >= settings.canary_min_answers
        others = _counted(
            connection, champion, role="champion", since=since, slow_ms=slow_ms, beyond=beyond, by_key=enough
        )
    return Count(
        canary=canary,
        champion=champion,
        since=since,
        answers=mine["answers"],
        slow_ms=slow_ms,
        counts=tuple(
            Counts(
                measure=measure,
                canary_bad=mine[f"{measure} bad"],
                canary_of=mine[f"{measure} of"],
                champion_bad=others[f"{measure} bad"],
                champion_of=others[f"{measure} of"],
            )
            for measure in MEASURES
        ),
        seen=seen,
        wrong_beyond=beyond,
    )


def _slow(connection: Connection, champion: str, *, before: str) -> float | None:
    """What 1 % of the champion's newest answers before the canary were slower than, in ms; None for too few."""
    table = PREDICTIONS.c
    newest = (
        select(table.latency_ms)
        .where(table.release == champion, table.at < before, table.role == "champion", table.answered_by == "model")
        .order_by(table.at.desc())
        .limit(_SLOW_ROWS)
        .subquery()
    )
    rows = connection.scalar(select(func.count()).select_from(newest)) or 0
    if rows < _FEWEST_SLOW_ROWS:
        return None
    slowest = select(newest.c.latency_ms).order_by(newest.c.latency_ms.desc())
    return float(connection.scalars(slowest.offset(int(rows * _SLOW_SHARE)).limit(1)).one())


def _counted(
    connection: Connection,
    release: Release,
    *,
    role: Role,
    since: str,
    slow_ms: float,
    beyond: float | None,
    by_key: bool = True,
) -> dict[str, int]:
    """Counts of one arm: answers, and of each measure the bad events and what they are of, both of different keys:
    many answers to one key are little evidence that it works. Without `by_key`, what they are of are answers."""
    table = PREDICTIONS.c
    # Equal in each column of the index up to the time, so that a range of it is counted without being looked at.
    asked = {
        source: and_(table.release == release.name, table.role == role, table.answered_by == source, table.at >= since)
        for source in ANSWER_SOURCES
    }
    rows = {source: connection.scalar(select(func.count()).where(asked[source])) or 0 for source in ANSWER_SOURCES}
    keys = sum(rows.values())
    if keys and by_key:
        keys = _events(connection, or_(*(asked[source] for source in ANSWER_SOURCES if rows[source])))
    # Exact for the canary. For the champion, at most: it takes its rate for lower than it is, and saves half a second.
    by_model = _events(connection, asked["model"]) if role == "canary" else min(keys, rows["model"])
    found = {"answers": sum(rows.values()), "errors of": keys, "latency of": by_model}
    found["errors bad"] = _events(connection, or_(asked["rules"], asked["none"])) if rows["rules"] + rows["none"] else 0
    found["latency bad"] = _events(connection, and_(asked["model"], table.latency_ms > slow_ms))
    return found | _called(connection, release, role=role, since=since, beyond=beyond)


def _events(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count(distinct(PREDICTIONS.c.event))).where(condition)) or 0


def _called(
    connection: Connection, release: Release, *, role: Role, since: str, beyond: float | None
) -> dict[str, int]:
    """Answers of which it is known what happened, of different keys, and how many of them were wrong."""
    table, event = PREDICTIONS.c, PREDICTIONS.c.event
    if beyond is None:
        wrong = table.value != OUTCOMES.c.value
    else:
        wrong = func.abs(cast(table.value, Double) - cast(OUTCOMES.c.value, Double)) > beyond
    joined = (
        select(func.count(distinct(event)).label("called"), func.count(distinct(case((wrong, event)))).label("wrong"))
        .select_from(OUTCOMES.join(PREDICTIONS, OUTCOMES.c.request_id == table.request_id))
        # What was answered since then is known since then: outcomes are few, and each finds its answer by its id. The
        # function keeps SQLite from going the other way, through all answers of the release, which takes seconds.
        .where(OUTCOMES.c.known_at >= since, func.coalesce(table.release, "") == release.name)
        .where(table.role == role, table.at >= since, table.answered_by.in_(("model", "cache")))
        .where(table.value.is_not(None))
    )
    row = connection.execute(joined).one()
    return {"quality of": int(row.called), "quality bad": int(row.wrong)}
