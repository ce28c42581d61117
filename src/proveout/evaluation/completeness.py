"""Whether all rows are there: as many as in the raw data, as in earlier versions, as usual for a batch, and of one
source.

Input: the snapshot and its rows. Output: `Evidence`. A source that leaves rows out makes every other number of a gate
look better, or worse, and none of them can tell.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING

import pandas as pd
from scipy import stats

from proveout.data.features import event_key
from proveout.data.splits import BATCH
from proveout.errors import NotFound
from proveout.ledger.ledger import read
from proveout.project import open_ledger, open_store
from proveout.records.snapshot import Batch, Snapshot
from proveout.records.verdict import NOTHING_TO_ASK, Evidence

if TYPE_CHECKING:
    from proveout.evaluation.context import LabelledRows
    from proveout.settings import Settings

FEWEST_BEFORE = 3  # batches: with fewer nobody knows what is usual
_SHOWN = 3


def accounted(snapshot: Snapshot, counted: Mapping[str, int]) -> tuple[Evidence, ...]:
    """Rows of the raw data that are neither in a batch, nor in its quarantine, nor left out by a reason.

    evidence(completeness.accounted(snapshot, {"2013-05": 28_796}))

    Args:
        counted: rows of the raw data, by the name of the batch: counted by the check itself, not by the source. A batch
            that is not in it is not judged.
    Returns: one number for each batch, which is to be 0: more is missing, less came from nowhere, as by a join.
    """
    return tuple(_accounted(batch, counted.get(batch.name)) for batch in snapshot.batches)


def _accounted(batch: Batch, counted: int | None) -> Evidence:
    name = "rows not accounted for"
    if counted is None:
        return Evidence(name=name, value=None, slice=batch.name, unjudged="nobody counted its raw rows")
    given = f"{batch.rows:,} in, {batch.refused:,} refused, {_left_out(batch):,} left out, of {counted:,}"
    missing = counted - batch.rows - batch.refused - _left_out(batch)
    return Evidence(name=name, value=missing, at_least=0, at_most=0, slice=batch.name, rows=batch.rows, decision=given)


def gone(snapshot: Snapshot, *, project: "Settings") -> tuple[Evidence, ...]:
    """Rows that were in an earlier version of a batch, by their key, and that it no longer has.

    evidence(completeness.gone(snapshot, project=project))

    Those in quarantine are there, and as many as the source says it left out are accounted for. The earlier version is
    the one with the most rows of those that the ledger knows and the store still has.

    Args:
        project: whose ledger, store and event key.
    Returns: one number for each batch that came in more than once with different rows; one of 0 where none did.
    """
    name = "rows gone since an earlier version of the batch"
    found = []
    for batch, others in _other_versions(snapshot, project):
        keys = _keys(project, batch, refused=True) or set()
        for earlier in others:
            before = _keys(project, earlier)
            if before is not None:
                missing = len(before - keys)
                said = f"{missing:,} of {len(before):,} gone since {earlier.digest[:12]}, {_left_out(batch):,} left out"
                value = max(0, missing - _left_out(batch))
                found.append(Evidence(name=name, value=value, at_most=0, slice=batch.name, decision=said))
                break
    nothing = "no other version of a batch is in the store"
    return tuple(found) or (Evidence(name=name, value=0, at_most=0, decision=nothing),)


def _other_versions(snapshot: Snapshot, project: "Settings") -> Iterator[tuple[Batch, list[Batch]]]:
    """Each batch that the ledger knows with other rows too, and what it was then, the largest first."""
    with open_ledger(project, create=True) as ledger:
        known = [one for entry in ledger.entries(kind="snapshot") for one in read(Snapshot, entry).batches]
    for batch in snapshot.batches:
        others = {one.digest: one for one in known if one.name == batch.name and one.digest != batch.digest}
        if others:
            yield batch, sorted(others.values(), key=lambda one: -one.rows)


def _keys(project: "Settings", batch: Batch, *, refused: bool = False) -> set[tuple[object, ...]] | None:
    """The key of each row of a batch; None if it is no longer in the store."""
    try:
        folder = open_store(project).folder("batches", batch.digest)
    except NotFound:
        return None
    files = [folder / "rows.parquet", *([folder / "quarantine" / "batch.parquet"] if refused else [])]
    tables = [pd.read_parquet(file, columns=list(event_key(project))) for file in files if file.is_file()]
    rows = pd.concat([table.astype(object).where(table.notna(), None) for table in tables])
    return set(rows.itertuples(index=False, name=None))


def as_usual(
    snapshot: Snapshot,
    training: "LabelledRows",
    holdout: "LabelledRows",
    *,
    by: Sequence[str] = (),
    alpha: float = 0.01,
) -> tuple[Evidence, ...]:
    """How probable a batch with so few or so many rows would be, were it like those trained on.

    evidence(completeness.as_usual(snapshot, training, holdout, by=["origin", "carrier"]))

    Asked of the rows delivered, of those refused or left out, and of the rows that each value of the columns in `by`
    has, where each batch trained on has some: an airport or an hour that went missing. A Student t test of the
    held-out batch against those trained on, with their spread, but no less than counting alone has; times the number of
    things asked, after Bonferroni. So a batch like the others is refused in `alpha` of all cases, or fewer. What is a
    small part of the usual spread between batches is not seen: that takes `accounted` or `gone`.

    Args:
        by: columns with few values that every batch has: no day of the month, which not every month has.
        alpha: the least probability that passes.
    Returns: that probability, of the least probable thing first; not judged with fewer than 3 batches trained on, and
        nothing to ask where the held-out rows are no batch of their own.
    """
    name = "probability of so unusual a batch"
    names = sorted(set(training.raw[BATCH]))
    if not holdout.rows:
        return (Evidence(name=name, value=None, rows=0, unjudged="no rows"),)
    others = set(holdout.raw[BATCH])
    if len(others) > 1 or others & {*names}:
        why = "the held-out rows are no batch of their own"
        return (Evidence(name=name, value=None, rows=holdout.rows, unjudged=why, decision=NOTHING_TO_ASK),)
    if len(names) < FEWEST_BEFORE:
        return (Evidence(name=name, value=None, unjudged=f"{len(names)} batches trained on, asked: {FEWEST_BEFORE}"),)
    held = str(holdout.raw[BATCH].iloc[0])
    known = {batch.name: batch for batch in snapshot.batches}
    asked = {"rows": [float(known[one].rows + known[one].refused) for one in (*names, held)]}
    asked |= {"rows refused or left out": [float(known[one].refused + _left_out(known[one])) for one in (*names, held)]}
    for column in by:
        counts = [training.raw[column][training.raw[BATCH] == one].value_counts() for one in names]
        now = holdout.raw[column].value_counts()
        for value in sorted(set.intersection(*(set(count.index) for count in counts)), key=str):
            asked[f"{column}={value}"] = [*(float(count[value]) for count in counts), float(now.get(value, 0))]
    scored = sorted((min(1.0, _unusual(numbers) * len(asked)), what, numbers) for what, numbers in asked.items())
    return tuple(
        Evidence(name=name, value=p, at_least=alpha, slice=what, rows=holdout.rows, decision=_beside(numbers))
        for place, (p, what, numbers) in enumerate(scored)
        if place < _SHOWN or p < alpha
    )


def _unusual(numbers: Sequence[float]) -> float:
    """The probability that one more of the same kind is as far from the others as the last one is.

    >>> round(_unusual([100, 104, 96, 98]), 2), round(_unusual([100, 104, 96, 0]), 3)
    (0.88, 0.013)
    """
    *before, now = numbers
    middle = mean(before)
    counting = max(middle, 1.0) ** 0.5  # what chance does to a count
    spread = max(stdev(before), counting) * (1 + 1 / len(before)) ** 0.5
    return float(2 * stats.t.sf(abs(now - middle) / spread, len(before) - 1))


def _beside(numbers: Sequence[float]) -> str:
    *before, now = numbers
    return f"{now:,.0f}, and {min(before):,.0f} to {max(before):,.0f} before"


def one_source(snapshot: Snapshot) -> Evidence:
    """How many batches were made by another version of the source than the last one.

    evidence(completeness.one_source(snapshot))

    Rows that mean one thing up to May and another thing from June on are no time series. Taken in again, they are made
    by one version: python flows/ingest.py run.
    """
    last = snapshot.batches[-1].code
    others = [batch for batch in snapshot.batches if batch.code != last]
    files = sorted(
        {name for batch in others for name in {**batch.code, **last} if batch.code.get(name) != last.get(name)}
    )
    which = f"{others[0].name} to {others[-1].name}" if len(others) > 1 else "".join(batch.name for batch in others)
    said = f"{which} by another {', '.join(files)}: take them in again" if others else ""
    return Evidence(name="batches made by another source than the last", value=len(others), at_most=0, decision=said)


def _left_out(batch: Batch) -> int:
    return sum(left.rows for left in batch.left_out)
