"""The metrics of all API processes, in the format of Prometheus.

Input: plain counts of each process. Output: the text of /metrics. Every API process writes its counts to its own file
in the shared folder, every second and on request. The process that answers /metrics adds the files up. The file of a
dead process stays, because a counter must never go down. Labels have few values: no key, no user, no request. Only
importer of prometheus_client.
"""

import os
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from proveout.records.json_form import from_json
from proveout.records.release import Release

if TYPE_CHECKING:
    from prometheus_client import Metric

BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"


@dataclass(kw_only=True)
class Counts:
    """The counts of one process. Each tuple has the label values first and the number last."""

    requests: list[tuple[str, int, int]] = field(default_factory=list)  # route, code
    durations: list[tuple[str, list[int], float]] = field(default_factory=list)  # route; per bucket, the sum in s
    predictions: list[tuple[str, str, str, int]] = field(default_factory=list)  # release, role, answer source
    fallbacks: list[tuple[str, int]] = field(default_factory=list)  # class of reason
    cache: list[tuple[str, int]] = field(default_factory=list)  # hit, miss, stale
    lost_rows: int = 0
    shed: int = 0
    dropped_shadows: int = 0
    # Gauges: added up over the living processes only.
    in_flight: int = 0
    waiting_rows: int = 0
    unwritten_rows: int = 0
    open_breakers: list[str] = field(default_factory=list)  # releases


@dataclass(frozen=True, kw_only=True)
class Figures:
    """Figures of the whole server, not of one API process."""

    releases: Sequence[Release] = ()
    backlog_bytes: int = 0
    drained_rows: int = 0
    damaged_lines: int = 0


class Tally:
    """Counts the requests of one process."""

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, int]] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._sums: dict[str, float] = {}
        self.in_flight = 0

    def count(self, route: str, code: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests[(route, code)] += 1
        buckets = self._buckets.get(route)
        if buckets is None:
            buckets = self._buckets[route] = [0] * (len(BOUNDS_S) + 1)
            self._sums[route] = 0.0
        buckets[bisect_left(BOUNDS_S, seconds)] += 1
        self._sums[route] += seconds

    def counts(self) -> Counts:
        """The requests so far; the rest is for whoever knows it."""
        return Counts(
            requests=[(route, code, number) for (route, code), number in self.requests.items()],
            durations=[(route, list(buckets), self._sums[route]) for route, buckets in self._buckets.items()],
            in_flight=self.in_flight,
        )


class Shared:
    """The counts of all processes, in a folder; without one, of this process alone."""

    def __init__(self, folder: Path | None) -> None:
        self._folder, self._own = folder, Counts()
        self._file = None if folder is None else folder / f"counts-{os.getpid()}-{time.time_ns()}.json"

    def write(self, own: Counts) -> None:
        """Publish the counts of this process. On a full disk the other processes miss them; no request fails."""
        self._own = own
        if self._file is not None:
            with suppress(OSError):
                unfinished = self._file.with_suffix(".new")
                unfinished.write_bytes(orjson.dumps(own))
                unfinished.replace(self._file)

    def all(self) -> list[tuple[Counts, bool]]:
        """The counts of every process, and whether it is alive."""
        found = [(self._own, True)]
        for file in sorted(self._folder.glob("counts-*.json")) if self._folder else ():
            if file != self._file:
                found.append((from_json(Counts, file.read_bytes()), _lives(int(file.name.split("-")[1]))))
        return found


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def text(counted: Sequence[tuple[Counts, bool]], figures: Figures) -> bytes:
    """The text of /metrics."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collected(list(_families(counted, figures))))
    return generate_latest(registry)


class _Collected:
    """A collector as prometheus_client expects it: an object with `collect`."""

    def __init__(self, families: Sequence["Metric"]) -> None:
        self._families = families

    def collect(self) -> Iterator["Metric"]:
        """The families."""
        yield from self._families


def _families(counted: Sequence[tuple[Counts, bool]], figures: Figures) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    every = [counts for counts, _ in counted]
    living = [counts for counts, lives in counted if lives]

    def counter(name: str, text: str, labels: Sequence[str], rows: Iterator[tuple[Any, ...]]) -> "Metric":
        family = CounterMetricFamily(name, text, labels=labels)
        for values, number in sorted(_added(rows).items()):
            family.add_metric([str(value) for value in values], number)
        return family

    def gauge(name: str, text: str, value: float) -> "Metric":
        return GaugeMetricFamily(name, text, value=value)

    yield counter("proveout_requests", "Requests answered.", ["route", "code"], (r for c in every for r in c.requests))
    durations = HistogramMetricFamily(
        "proveout_request_duration_seconds", "Time from the headers of a request to the end of its answer.",
        labels=["route"],
    )  # fmt: skip
    for route, (buckets, total_s) in sorted(_histograms(every).items()):
        durations.add_metric([route], buckets=buckets, sum_value=total_s)
    yield durations
    yield counter(
        "proveout_predictions",
        "Predictions by release, role and answer source.",
        ["release", "role", "source"],
        (row for counts in every for row in counts.predictions),
    )
    yield counter(
        "proveout_fallback",
        "Answers from a fallback source, by the reason why the model did not answer.",
        ["reason"],
        (row for counts in every for row in counts.fallbacks),
    )
    yield counter(
        "proveout_cache_events",
        "Cache lookups. stale: an older answer served because the model failed.",
        ["event"],
        (row for counts in every for row in counts.cache),
    )
    info = GaugeMetricFamily(
        "proveout_model_info", "The current releases.", labels=["model", "release", "role", "share"]
    )
    for release in figures.releases:
        info.add_metric([release.model, release.name, release.role, f"{release.share:g}"], 1)
    yield info
    breakers = GaugeMetricFamily(
        "proveout_breaker_open", "API processes whose circuit breaker of the release is open.", labels=["release"]
    )
    for release_name in sorted({release.name for release in figures.releases}):
        breakers.add_metric([release_name], sum(release_name in counts.open_breakers for counts in living))
    yield breakers
    shed, dropped = sum(counts.shed for counts in every), sum(counts.dropped_shadows for counts in every)
    yield CounterMetricFamily("proveout_shed", "Requests that the overloaded queue refused.", shed)
    yield CounterMetricFamily("proveout_shadow_dropped", "Requests that were not mirrored to the shadow.", dropped)
    yield gauge("proveout_requests_in_flight", "Requests not answered yet.", sum(c.in_flight for c in living))
    yield gauge("proveout_queue_rows", "Rows that wait for the model.", sum(c.waiting_rows for c in living))
    unwritten = sum(counts.unwritten_rows for counts in living)
    yield gauge("proveout_log_unwritten_rows", "Journal rows that are in memory only.", unwritten)
    yield gauge("proveout_log_backlog_bytes", "Journal bytes that are not in the ledger yet.", figures.backlog_bytes)
    yield CounterMetricFamily("proveout_log_drained_rows", "Rows copied into the ledger.", figures.drained_rows)
    yield CounterMetricFamily("proveout_log_damaged_lines", "Journal lines that cannot be read.", figures.damaged_lines)
    yield CounterMetricFamily(
        "proveout_log_lost_rows", "Rows lost: disk and memory were full.", sum(counts.lost_rows for counts in every)
    )


def _added(rows: Iterator[tuple[Any, ...]]) -> Counter[tuple[Any, ...]]:
    """The numbers of rows with the same label values, added up."""
    added: Counter[tuple[Any, ...]] = Counter()
    for *values, number in rows:
        added[tuple(values)] += number
    return added


def _histograms(every: Sequence[Counts]) -> Mapping[str, tuple[list[tuple[str, float]], float]]:
    """For each route the cumulated buckets, as Prometheus wants them, and the sum in seconds."""
    buckets: dict[str, list[int]] = {}
    sums: Counter[str] = Counter()
    for counts in every:
        for route, numbers, total_s in counts.durations:
            before = buckets.get(route, [0] * len(numbers))
            buckets[route] = [a + b for a, b in zip(before, numbers, strict=True)]
            sums[route] += total_s  # type: ignore[assignment]  # a Counter adds floats as well
    names = [*(f"{bound:g}" for bound in BOUNDS_S), "+Inf"]
    return {
        route: ([(name, float(sum(numbers[: place + 1]))) for place, name in enumerate(names)], float(sums[route]))
        for route, numbers in buckets.items()
    }
