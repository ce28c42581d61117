"""Compares the shadow and the canary with the champion: the shadow on the same requests, the canary on its share.

Input: a ledger and settings. Output: a `Comparison`. The shadow's rows are pairs of answers to one request. The
canary's are not, because each request went to one of the two; `canary` decides from its counts.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from proveout.errors import NotFound
from proveout.ledger import release_traffic
from proveout.ledger.ledger import Ledger
from proveout.ledger.prediction_rows import HIDDEN
from proveout.records.answer import TaskName
from proveout.records.prediction import AnswerSource
from proveout.records.release import Release, Role
from proveout.records.values import Scalar
from proveout.rollout import canary, releases, roles
from proveout.rollout.canary import CanaryVerdict
from proveout.settings import Settings

NEWEST_PAIRS = 20_000
"""Number of newest pairs to compare, which are read in less than a second."""

FEWEST_ROWS = 30
"""A slice with fewer rows is not judged, because its mean is mostly chance."""

_WORST, _BINS, _MOST_VALUES = 5, 4, 50


@dataclass(frozen=True, kw_only=True)
class Latency:
    """The median and the 95th percentile of latency in milliseconds; None without answers."""

    p50: float | None
    p95: float | None


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Pairs with one value of a field, or with values in a range."""

    field: str
    values: str
    rows: int
    mean_difference: float  # mean absolute difference of the answers


@dataclass(frozen=True, kw_only=True)
class Shadowed:
    """The shadow and the champion on the same requests."""

    release: Release
    task: TaskName
    pairs: int  # requests that both answered
    problems: int  # requests that the shadow could not answer
    agreement: float | None  # share of pairs that agree; for a regression, the value lies in the champion's interval
    # Differences are the shadow's less the champion's, in probability or value; for classes, the total variation
    # distance of the probabilities, which has no sign.
    mean_difference: float | None
    p50: float | None  # of the absolute differences
    p95: float | None
    most: float | None
    worst: tuple[Slice, ...]
    latency: Latency  # of the shadow's model alone
    champion: Latency  # of complete answers, which a caller waits for


@dataclass(frozen=True, kw_only=True)
class Arm:
    """The answers of the canary or the champion since both run."""

    release: Release
    answers: int
    sources: Mapping[AnswerSource, int]
    latency: Latency  # of answers by the model


@dataclass(frozen=True, kw_only=True)
class Beside:
    """The canary compared with the champion, and the decision."""

    canary: Arm
    champion: Arm
    verdict: CanaryVerdict


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The comparison of shadow and canary with the champion."""

    model: str
    at: str
    champion: Release
    canary: Beside | None
    shadow: Shadowed | None


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Both answers to one request."""

    record: Mapping[str, Scalar]
    difference: float  # of the two answers, as defined by their task
    agrees: bool  # whether both agree


def compare(ledger: Ledger, settings: Settings, *, at: str, newest: int = NEWEST_PAIRS) -> Comparison:
    """Compare the running canary and shadow with the champion. Raises: NotFound if neither runs."""
    made = releases.history(ledger, settings.model)
    champion, (_, shadow) = roles.holder(made), roles.running(made)
    verdict = canary.look(ledger, settings)
    if champion is None or (verdict is None and shadow is None):
        remedy = 'Release one: proveout release BUNDLE --as shadow --reason "…"'
        raise NotFound("canary or shadow", f"of {settings.model} that runs", remedy)
    return Comparison(
        model=settings.model,
        at=at,
        champion=champion,
        canary=_beside(ledger, made, champion, verdict) if verdict else None,
        shadow=_shadowed(ledger, champion, shadow, newest=newest) if shadow else None,
    )


# --- shadow -------------------------------------------------------------------------------------------------------


def _shadowed(ledger: Ledger, champion: Release, shadow: Release, *, newest: int) -> Shadowed:
    since = max(champion.since, shadow.since)
    found = release_traffic.shadow(ledger, champion, shadow, since=since, newest=newest)
    task = releases.task_of(ledger, champion.bundle)
    pairs = []
    for both in found.pairs:
        mine, other = both.answer, both.shadow_answer
        pairs.append(Pair(record=both.record, difference=task.difference(other, mine), agrees=task.agree(mine, other)))
    apart = sorted(abs(pair.difference) for pair in pairs)
    return Shadowed(
        release=shadow,
        task=task.name,
        pairs=len(pairs),
        problems=found.problems,
        agreement=sum(pair.agrees for pair in pairs) / len(pairs) if pairs else None,
        mean_difference=sum(pair.difference for pair in pairs) / len(pairs) if pairs else None,
        p50=_quantile(apart, 0.5),
        p95=_quantile(apart, 0.95),
        most=apart[-1] if apart else None,
        worst=worst_slices(pairs),
        latency=_latency([both.shadow_latency_ms for both in found.pairs]),
        champion=_latency([both.latency_ms for both in found.pairs]),
    )


def worst_slices(pairs: Sequence[Pair]) -> tuple[Slice, ...]:
    """The slices with the largest mean difference: values of texts, quarters of numbers.

    Personal data fields are left out, and so are texts with too many values.
    """
    fields = sorted({name for pair in pairs for name in pair.record})
    slices = [found for field in fields for found in _slices(field, pairs)]
    return tuple(sorted(slices, key=lambda found: -found.mean_difference)[:_WORST])


def _slices(field: str, pairs: Sequence[Pair]) -> Iterator[Slice]:
    known = [(pair.record[field], abs(pair.difference)) for pair in pairs if pair.record.get(field) is not None]
    numbers = [(value, far) for value, far in known if isinstance(value, int | float) and not isinstance(value, bool)]
    if numbers and len(numbers) == len(known):
        yield from _quarters(field, sorted(numbers))
        return
    groups: dict[str, list[float]] = {}
    for value, far in known:
        groups.setdefault(str(value), []).append(far)
    if len(groups) > _MOST_VALUES or any(value.startswith(HIDDEN) for value in groups):
        return
    for value, apart in groups.items():
        if len(apart) >= FEWEST_ROWS:
            yield Slice(field=field, values=value, rows=len(apart), mean_difference=sum(apart) / len(apart))


def _quarters(field: str, numbers: Sequence[tuple[float, float]]) -> Iterator[Slice]:
    """Slices of about equally many rows, ordered by value; equal values are in one slice."""
    size, begin = ceil(len(numbers) / _BINS), 0
    while begin < len(numbers):
        end = min(begin + size, len(numbers))
        while end < len(numbers) and numbers[end][0] == numbers[end - 1][0]:
            end += 1
        some = numbers[begin:end]
        if len(some) >= FEWEST_ROWS:
            low, high = some[0][0], some[-1][0]
            yield Slice(
                field=field,
                values=f"{low:g}" if low == high else f"{low:g} to {high:g}",
                rows=len(some),
                mean_difference=sum(far for _, far in some) / len(some),
            )
        begin = end


# --- canary -------------------------------------------------------------------------------------------------------


def _beside(ledger: Ledger, made: Sequence[Release], champion: Release, verdict: CanaryVerdict) -> Beside | None:
    held = roles.holder(made, role="canary")
    if held is None:
        return None
    return Beside(
        canary=_arm(ledger, held, role="canary", since=verdict.since),
        champion=_arm(ledger, champion, role="champion", since=verdict.since),
        verdict=verdict,
    )


def _arm(ledger: Ledger, release: Release, *, role: Role, since: str) -> Arm:
    found = release_traffic.answers(ledger, release, role=role, since=since, newest=NEWEST_PAIRS)
    return Arm(
        release=release,
        answers=sum(found.by_source.values()),
        sources=found.by_source,
        latency=_latency(found.latencies_ms),
    )


def _latency(times: Sequence[float]) -> Latency:
    ordered = sorted(times)
    return Latency(p50=_quantile(ordered, 0.5), p95=_quantile(ordered, 0.95))


def _quantile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed; None without values."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None
