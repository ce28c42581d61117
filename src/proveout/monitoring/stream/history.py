"""The days of the past as counts, from the log of answers or from the rows in the store. Bounded memory.

Input: the settings, the champion, the bins. Output: `Day`s in order. The log is read in portions, the store batch by
batch; what is kept is a few kilobytes for each day.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from proveout.data import request_columns
from proveout.ledger import prediction_history
from proveout.ledger.ledger import Ledger, read
from proveout.ledger.prediction_history import LoggedAnswer
from proveout.ledger.prediction_rows import HIDDEN
from proveout.monitoring.stream.day_summary import Bins, merged, summarise
from proveout.monitoring.stream.walk_forward import Day
from proveout.project import open_ledger, open_store
from proveout.records.prediction import Prediction
from proveout.records.snapshot import Snapshot
from proveout.records.train_config import TimeSplit
from proveout.settings import Settings
from proveout.task.task import Task

if TYPE_CHECKING:
    from proveout.data.store import Store
    from proveout.model.bundle import OpenBundle

Each = Callable[[str, pd.DataFrame], None]
"""Is given the date and the rows of each portion of a day."""


def of_log(
    ledger: Ledger, opened: "OpenBundle", *, dated_by: Sequence[str], since: str, until: str, each: Each
) -> None:
    """Give each day of the log to `each`: the requests, and what the champion answered to them.

    Answers of rules and of other releases are left out; a pseudonym is a null.

    Args:
        dated_by: request columns that date an event; without any, the time of the answer does.
    """
    model = opened.bundle.model
    for portion in prediction_history.portions(ledger, model, since=since, until=until):
        rows = _table(portion, opened)
        when = pd.Series([logged.prediction.at[:10] for logged in portion], dtype=object)
        _by_day(rows, dates(rows, dated_by) if dated_by else when, each)


def _table(portion: Sequence[LoggedAnswer], opened: "OpenBundle") -> pd.DataFrame:
    records = [
        {
            name: None if isinstance(value, str) and value.startswith(HIDDEN) else value
            for name, value in logged.prediction.record.items()
        }
        for logged in portion
    ]
    rows = request_columns.untyped(records, opened.request_columns)
    own = [logged.prediction for logged in portion]
    said = [
        opened.task.scores(one.answer)
        if one.release == opened.bundle.name and one.answered_by in {"model", "cache"}
        else None
        for one in own
    ]
    return rows.assign(**{opened.task.watched: _watched(opened.task, said)})


def _watched(task: Task, said: Sequence[tuple[float, ...] | None]) -> "pd.Series[Any]":
    """What is watched of each answer; null where there is none, which is counted nowhere."""
    found = pd.Series(None, index=range(len(said)), dtype=object)
    there = [place for place, scores in enumerate(said) if scores is not None and task.is_valid(list(scores))]
    if there:
        scores = np.array([said[place] for place in there], dtype=float).reshape(task.shape(len(there)))
        found.iloc[there] = task.watch(scores).tolist()
    return found


def of_data(settings: Settings, opened: "OpenBundle", *, dated_by: Sequence[str], each: Each) -> None:
    """Give each day of the newest snapshot to `each`: its requests, and the answers to rows that were not learned.

    Answers to learned rows say nothing of others. They are known apart by batch, if the split is by time; otherwise no
    row is asked.
    """
    with open_ledger(settings) as ledger:
        newest = ledger.entries(kind="snapshot", limit=1, newest_first=True)
    if not newest:
        return
    snapshot, store = read(Snapshot, newest[0]), open_store(settings)
    for batch in snapshot.batches:
        rows = _batch(store, snapshot, batch.name)[list(opened.request_columns)]
        split = opened.bundle.split
        unseen = isinstance(split, TimeSplit) and batch.name > split.train_through
        watched: Any = opened.task.watch(opened.predict(rows)) if unseen else None
        rows = rows.assign(**{opened.task.watched: watched})
        _by_day(rows, dates(rows, dated_by), each)


def _batch(store: "Store", snapshot: Snapshot, name: str) -> pd.DataFrame:
    from proveout.data import snapshots

    return snapshots.read(store, snapshot.digest, batches=[name])


def dates(rows: pd.DataFrame, dated_by: Sequence[str]) -> "pd.Series[Any]":
    """The day of each row as 2013-06-30, of one column with a date or of year, month and day; null if unknown."""
    if len(dated_by) == 1:
        when = pd.to_datetime(rows[dated_by[0]], errors="coerce", utc=True, format="ISO8601")
    else:
        parts = {part: pd.to_numeric(rows[name]) for part, name in zip(("year", "month", "day"), dated_by, strict=True)}
        when = pd.to_datetime(pd.DataFrame(parts), errors="coerce")
    return when.dt.strftime("%Y-%m-%d")


def dates_of(answers: Sequence[Prediction], dated_by: Sequence[str]) -> frozenset[str]:
    """The days that some answers are about."""
    if not dated_by:
        return frozenset(one.at[:10] for one in answers)
    rows = request_columns.untyped([one.record for one in answers], list(dated_by))
    return frozenset(dates(rows, dated_by).dropna().tolist())


def _by_day(rows: pd.DataFrame, when: "pd.Series[Any]", each: Each) -> None:
    for day, of_day in rows.groupby(when.to_numpy(), sort=True):
        each(str(day), of_day)


class Counted:
    """Adds up what it is given, day by day."""

    def __init__(self, bins: Sequence[Bins], *, watched: str) -> None:
        self._bins, self._watched, self._days = bins, watched, dict[str, Day]()

    def __call__(self, day: str, rows: pd.DataFrame) -> None:
        answered = rows[rows[self._watched].notna()]
        counts = tuple(summarise([one], answered if one.column == self._watched else rows)[0] for one in self._bins)
        had = self._days.get(day)
        self._days[day] = (
            Day(date=day, rows=len(rows), counts=counts)
            if had is None
            else Day(date=day, rows=had.rows + len(rows), counts=merged([had.counts, counts]))
        )

    def days(self) -> tuple[Day, ...]:
        """The days so far, in order."""
        return tuple(self._days[day] for day in sorted(self._days))


def joined(first: Sequence[Day], second: Sequence[Day]) -> tuple[Day, ...]:
    """The days of both, in order; where both have a day, the one with more rows."""
    known: dict[str, Day] = {}
    for day in (*first, *second):
        if day.date not in known or known[day.date].rows < day.rows:
            known[day.date] = day
    return tuple(known[date] for date in sorted(known))
