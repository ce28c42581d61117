"""Drift of a stream: reads the days of the past, judges the newest one, and tests settings on the past.

Input: the settings, the champion and the time. Output: `Stream` and `Season`s for the monitor's report, or a
`Backtest`. Reads the log and the store; writes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Literal

import pandas as pd

from proveout.errors import NotFound
from proveout.monitoring import drift
from proveout.monitoring.drift_tests.column_kind import Column
from proveout.monitoring.stream import history, season, walk_forward
from proveout.monitoring.stream.day_summary import Bins, grid, summarise
from proveout.monitoring.stream.walk_forward import Day
from proveout.project import open_ledger
from proveout.records.drift_report import Backtest, Season, Stream, StreamDay
from proveout.records.prediction import Prediction
from proveout.settings import Settings

if TYPE_CHECKING:
    from proveout.model.bundle import OpenBundle

_BACK_DAYS = 3 * 366 + 60
"""The log is read so far back: three earlier years of the same season."""

_EVER = "0001-01-01"

SAMPLED_ROWS = 5_000
"""Rows of a day that a backtest of the batch mode tests."""


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What a stream says of its newest day, and of columns that differ from the training rows."""

    stream: Stream
    seasons: tuple[Season, ...]


def judge(
    settings: Settings,
    opened: "OpenBundle",
    reference: Mapping[str, Column],
    *,
    moved: Sequence[str],
    window: Sequence[Prediction],
    at: str,
) -> Judged:
    """The newest whole day beside the days before it, and whether `moved` is a season.

    Today is not over, so it is judged tomorrow, unless requests have a date of their own.

    Args:
        reference: the columns that are watched, with the training rows' values; for the answers, the held-out rows'.
        moved: input columns in which the window differs from the training rows.
        window: the answers in which they moved.
    """
    bins = grid(reference, list(reference))
    logged, known = _days(settings, opened, bins, at=at)
    whole = [day for day in known if settings.event_date or day.date < at[:10]]
    days = walk_forward.walk(whole, bins, budget_days=settings.drift_budget_days)
    stream = Stream(
        budget_days=settings.drift_budget_days,
        known_days=sum(day.rows >= walk_forward.FEWEST_ROWS for day in whole),
        needed_days=walk_forward.days_needed(settings.drift_budget_days) + 1,
        newest=days[-1] if days else None,
    )
    dates = history.dates_of(window, settings.event_date)
    now = [day for day in logged if day.date in dates]
    return Judged(
        stream=stream,
        seasons=season.judge(
            moved, bins,
            window=now, earlier=season.same_season(known, now), cycle=settings.drift_cycle,
            reference=summarise(bins, pd.DataFrame({name: reference[name] for name in moved})),
        ),
    )  # fmt: skip


def _days(
    settings: Settings, opened: "OpenBundle", bins: Sequence[Bins], *, at: str
) -> tuple[tuple[Day, ...], tuple[Day, ...]]:
    """The days of the log, and those of log and store; where both have a day, the one with more rows."""
    since = (date.fromisoformat(at[:10]) - timedelta(days=_BACK_DAYS)).isoformat()
    logged, stored = (history.Counted(bins, watched=opened.task.watched) for _ in range(2))
    with open_ledger(settings) as ledger:
        history.of_log(ledger, opened, dated_by=settings.event_date, since=since, until=at, each=logged)
    if settings.event_date:
        history.of_data(settings, opened, dated_by=settings.event_date, each=stored)
    return logged.days(), history.joined(stored.days(), logged.days())


def backtest(
    settings: Settings,
    opened: "OpenBundle",
    reference: Mapping[str, Column],
    *,
    mode: Literal["batch", "stream"],
    source: Literal["log", "data"],
    budget_days: float,
    at: str,
) -> Backtest:
    """The alarms that this setting would have raised on each day of the past, had it run every day.

    Raises: NotFound if the past has no days, or rows without a date.
    """
    if source == "data" and not settings.event_date:
        raise NotFound("setting", "event_date", "Name the request columns that date a row: the store has no other date")
    bins = grid(reference, list(reference))
    counted = history.Counted(bins, watched=opened.task.watched)
    tested = _Tested(reference, alpha=settings.drift_alpha, watched=opened.task.watched)

    def each(day: str, rows: pd.DataFrame) -> None:
        counted(day, rows)
        if mode == "batch":
            tested(day, rows)

    if source == "data":
        history.of_data(settings, opened, dated_by=settings.event_date, each=each)
    else:
        with open_ledger(settings) as ledger:
            history.of_log(ledger, opened, dated_by=settings.event_date, since=_EVER, until=at, each=each)
    known = [day for day in counted.days() if day.rows >= walk_forward.FEWEST_ROWS]
    if not known:
        raise NotFound("day", f"of {settings.model} with {walk_forward.FEWEST_ROWS} rows in the {source}",
                       "Serve it first, or ask the rows in the store: proveout drift backtest --of data")  # fmt: skip
    stream = mode == "stream"
    days = walk_forward.walk(known, bins, budget_days=budget_days) if stream else tested.days()
    return Backtest(
        model=settings.model, mode=mode, source=source,
        known_days=len(known), needed_days=walk_forward.days_needed(budget_days) if stream else 0, judged=len(days),
        alarmed=sum(day.alarmed for day in days), pages=sum(day.paged for day in days),
        expected=len(days) / budget_days if stream else len(days) * settings.drift_alpha,
        days=days,
    )  # fmt: skip


class _Tested:
    """Tests the rows of each day against the reference, as the batch mode would; portions of a day are put together."""

    def __init__(self, reference: Mapping[str, Column], *, alpha: float, watched: str) -> None:
        self._reference, self._alpha, self._watched = reference, alpha, watched
        self._rows: dict[str, pd.DataFrame] = {}
        self._days: list[StreamDay] = []

    def __call__(self, day: str, rows: pd.DataFrame) -> None:
        for over in [one for one in self._rows if one != day]:
            self._test(over, self._rows.pop(over))
        had = self._rows.get(day)
        self._rows[day] = rows if had is None or len(had) >= SAMPLED_ROWS else pd.concat([had, rows])
        if had is not None and len(had) >= SAMPLED_ROWS:
            self._rows[day] = had

    def days(self) -> tuple[StreamDay, ...]:
        """The verdicts, in order."""
        for day in list(self._rows):
            self._test(day, self._rows.pop(day))
        return tuple(sorted(self._days, key=lambda day: day.date))

    def _test(self, day: str, rows: pd.DataFrame) -> None:
        if len(rows) < drift.FEWEST_ROWS:
            return
        known = rows[self._watched].notna().sum() >= drift.FEWEST_ROWS and self._watched in self._reference
        inputs = [name for name in self._reference if name != self._watched]
        tests = drift.compare(
            self._reference, rows.reset_index(drop=True), inputs,
            drift_alpha=self._alpha, answers=[self._watched] if known else [],
        )  # fmt: skip
        least = min((test for test in tests if test.level), key=lambda test: test.p_value / test.level)
        self._days.append(
            StreamDay(
                date=day, rows=len(rows), p_value=least.p_value, alarmed=least.alarmed, paged=least.alarmed,
                column=least.column, measure="gaps" if least.test == "nulls" else "values", distance=least.effect,
                usual=0.0,
            )
        )  # fmt: skip
