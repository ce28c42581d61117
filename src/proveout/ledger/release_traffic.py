"""The traffic of a release: counts of its answers and of the bad ones, and its answers paired with those of a shadow.

Input: a ledger and releases. Output: plain counts and pairs of answers; `rollout/` decides what follows from them. The
database counts over an index that contains all it needs; counts that need more are rare.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
from sqlalchemy import ColumnElement, Connection, Double, and_, case, cast, distinct, func, or_, select

from proveout.ledger import prediction_rows
from proveout.ledger.ledger import Ledger
from proveout.ledger.tables import OUTCOMES, PREDICTIONS, SHADOWS
from proveout.records.answer import Answer
from proveout.records.prediction import AnswerSource
from proveout.records.release import Release, Role
from proveout.records.values import Scalar

ANSWER_SOURCES: tuple[AnswerSource, ...] = ("model", "cache", "rules", "none")

_SLOW_SHARE = 0.01  # of the champion's answers before the canary; the slower ones define "slow"
_SLOW_ROWS = 10_000  # newest answers from which that bound is taken
_FEWEST_SLOW_ROWS = 100  # with fewer, the caller's own bound is used


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """The answers of one release, and the bad events among them. Many bad answers to one event count once."""

    answers: int
    errors: int  # answers by the rules, or by nothing
    errors_of: int
    slow: int  # answers of the model that were slower than the bound
    slow_of: int
    wrong: int  # answers that a known outcome proved wrong
    wrong_of: int


@dataclass(frozen=True, kw_only=True)
class CanaryTraffic:
    """The traffic of a canary and of the champion since both have been running."""

    slow_ms: float  # answers of the model that took longer are slow
    canary: Traffic
    champion: Traffic


@dataclass(frozen=True, kw_only=True)
class ShadowPair:
    """The answers of the champion and its shadow to one request."""

    record: Mapping[str, Scalar]
    answer: Answer
    latency_ms: float
    shadow_answer: Answer
    shadow_latency_ms: float


@dataclass(frozen=True, kw_only=True)
class ShadowTraffic:
    """The newest requests that both answered, and how many the shadow failed to answer."""

    pairs: tuple[ShadowPair, ...]
    problems: int


@dataclass(frozen=True, kw_only=True)
class Answers:
    """Answers of one release in one role."""

    by_source: Mapping[AnswerSource, int]
    latencies_ms: tuple[float, ...]  # of the newest answers by the model


# --- canary and champion ----------------------------------------------------------------------------------------------


def canary(
    ledger: Ledger,
    held: Release,
    champion: Release,
    *,
    since: str,
    slow_ms: float,
    wrong_beyond: float | None,
    enough_answers: int,
) -> CanaryTraffic:
    """Counts of the canary `held` and of the champion.

    Args:
        slow_ms: the bound of a slow answer if the champion has given too few answers to take one from. Otherwise it is
            the 99th percentile of the champion's answers before the canary began.
        wrong_beyond: an answer further from the outcome than this is wrong; None if any difference is.
        enough_answers: the canary's number of answers from which on the champion's are counted by event, which takes
            half a second for a million events.
    """
    with ledger.reading() as connection:
        bound = _slow(connection, champion.name, before=held.since) or slow_ms
        mine = _counted(connection, held, role="canary", since=since, slow_ms=bound, beyond=wrong_beyond)
        others = _counted(
            connection,
            champion,
            role="champion",
            since=since,
            slow_ms=bound,
            beyond=wrong_beyond,
            by_key=mine.answers >= enough_answers,
        )
    return CanaryTraffic(slow_ms=bound, canary=mine, champion=others)


def _slow(connection: Connection, champion: str, *, before: str) -> float | None:
    """The 99th percentile of the champion's newest latencies before the canary, in ms; None for too few answers."""
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
) -> Traffic:
    """The counts of one release.

    Bad events and totals count different event keys, because many answers to one event are little evidence. Without
    `by_key`, totals count answers.
    """
    table = PREDICTIONS.c
    # Equality in each index column before the time, so the database counts a range of the index without reading rows.
    by_source = {
        source: and_(table.release == release.name, table.role == role, table.answered_by == source, table.at >= since)
        for source in ANSWER_SOURCES
    }
    rows = {source: connection.scalar(select(func.count()).where(by_source[source])) or 0 for source in ANSWER_SOURCES}
    keys = sum(rows.values())
    if keys and by_key:
        keys = _events(connection, or_(*(by_source[source] for source in ANSWER_SOURCES if rows[source])))
    # Exact for the canary. For the champion an upper bound, which underestimates its rate and saves half a second.
    by_model = _events(connection, by_source["model"]) if role == "canary" else min(keys, rows["model"])
    wrong_of, wrong = _wrong(connection, release, role=role, since=since, beyond=beyond)
    return Traffic(
        answers=sum(rows.values()),
        errors=_events(connection, or_(by_source["rules"], by_source["none"])) if rows["rules"] + rows["none"] else 0,
        errors_of=keys,
        slow=_events(connection, and_(by_source["model"], table.latency_ms > slow_ms)),
        slow_of=by_model,
        wrong=wrong,
        wrong_of=wrong_of,
    )


def _events(connection: Connection, condition: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count(distinct(PREDICTIONS.c.event))).where(condition)) or 0


def _wrong(
    connection: Connection, release: Release, *, role: Role, since: str, beyond: float | None
) -> tuple[int, int]:
    """How many events have a known outcome, and how many of these were answered wrongly."""
    table, event = PREDICTIONS.c, PREDICTIONS.c.event
    if beyond is None:
        wrong = table.value != OUTCOMES.c.value
    else:
        wrong = func.abs(cast(table.value, Double) - cast(OUTCOMES.c.value, Double)) > beyond
    joined = (
        select(func.count(distinct(event)).label("known"), func.count(distinct(case((wrong, event)))).label("wrong"))
        .select_from(OUTCOMES.join(PREDICTIONS, OUTCOMES.c.request_id == table.request_id))
        # Answers since then have outcomes since then. Outcomes are few, and each finds its answer by id. `coalesce`
        # keeps SQLite from starting with all answers of the release, which takes seconds.
        .where(OUTCOMES.c.known_at >= since, func.coalesce(table.release, "") == release.name)
        .where(table.role == role, table.at >= since, table.answered_by.in_(("model", "cache")))
        .where(table.value.is_not(None))
    )
    row = connection.execute(joined).one()
    return int(row.known), int(row.wrong)


# --- shadow and roles -------------------------------------------------------------------------------------------------


def shadow(ledger: Ledger, champion: Release, held: Release, *, since: str, newest: int) -> ShadowTraffic:
    """The answers of the shadow `held`, paired with the champion's: at most `newest` pairs, newest first."""
    by_shadow = (SHADOWS.c.release == held.name, SHADOWS.c.at >= since)
    table = PREDICTIONS.c
    both = (
        select(
            table.record, table.answer, table.latency_ms,
            SHADOWS.c.answer.label("other"), SHADOWS.c.latency_ms.label("other_ms"),
        )
        .join(PREDICTIONS, table.request_id == SHADOWS.c.request_id)
        .where(*by_shadow, SHADOWS.c.answer.is_not(None), table.value.is_not(None))
        # An answer by the rules, or by the canary, is not the champion's.
        .where(table.release == champion.name, table.answered_by.in_(("model", "cache")))
        .order_by(SHADOWS.c.at.desc())
        .limit(newest)
    )  # fmt: skip
    with ledger.reading() as connection:
        rows = connection.execute(both).all()
        failed = select(func.count()).select_from(SHADOWS).where(*by_shadow, SHADOWS.c.answer.is_(None))
        problems = connection.scalar(failed) or 0
    pairs = tuple(
        ShadowPair(
            record=orjson.loads(row.record),
            answer=prediction_rows.answer(row.answer),
            latency_ms=row.latency_ms,
            shadow_answer=prediction_rows.answer(row.other),
            shadow_latency_ms=row.other_ms,
        )
        for row in rows
    )
    return ShadowTraffic(pairs=pairs, problems=problems)


def answers(ledger: Ledger, release: Release, *, role: Role, since: str, newest: int) -> Answers:
    """The answers of a release in a role, with the latencies of at most `newest` answers by the model."""
    table = PREDICTIONS.c
    of_release = (table.release == release.name, table.role == role, table.at >= since)
    by_model = select(table.latency_ms).where(*of_release, table.answered_by == "model").order_by(table.at.desc())
    counted = select(table.answered_by, func.count()).where(*of_release).group_by(table.answered_by)
    with ledger.reading() as connection:
        by_source = {source: int(count) for source, count in connection.execute(counted)}
        times = connection.scalars(by_model.limit(newest)).all()
    return Answers(by_source=by_source, latencies_ms=tuple(times))
