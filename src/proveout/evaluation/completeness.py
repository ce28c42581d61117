"""Whether rows are missing, compared with the raw data, earlier versions and other batches; and whether one source
made all.

Input: the snapshot and its rows. Output: `Evidence`. If a source drops rows, all other measurements of the gate change,
and none of them can detect it.
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

FEWEST_BEFORE = 3  # batches; with fewer, it is unknown what is usual
_SHOWN = 3


def accounted(snapshot: Snapshot, counted: Mapping[str, int]) -> tuple[Evidence, ...]:
    """Rows of the raw data that are not in the batch, not in its quarantine, and not left out with a reason.

    evidence(completeness.accounted(snapshot, {"2013-05": 28_796}))

    Args:
        counted: rows of the raw data by batch name, counted by the check itself, not by the source. Other batches are
            not judged.
    Returns: a number for each batch, which should be 0: above 0, rows are missing; below 0, rows were added, for
        example by a join.
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
    """Rows of an earlier version of a batch, by event key, that the batch no longer has.

    evidence(completeness.gone(snapshot, project=project))

    Rows in quarantine count as present, and the number of rows that the source left out is subtracted. The earlier
    version is the largest of those in the ledger and the store.

    Args:
        project: the settings with ledger, store and event key.
    Returns: a number for each batch that was ingested more than once with different rows; a single 0 if there is none.
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
    """Each batch that the ledger also knows with other rows, and these other versions, the largest first."""
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
    """The probability of a batch with so few or so many rows, if it were like the training batches.

    evidence(completeness.as_usual(snapshot, training, holdout, by=["origin", "carrier"]))

    Tests the number of delivered rows, of refused or left-out rows, and of rows for each value of the columns in `by`
    that occurs in every training batch, to detect, for example, a missing airport or hour. The test is Student's t of
    the held-out batch against the training batches; their spread is at least that of a random count. Probabilities are
    multiplied by the number of tests (Bonferroni), so a normal batch is refused in at most `alpha` of all cases. A loss
    that is small compared with the usual spread between batches is not detected: use `accounted` or `gone` for that.

    Args:
        by: columns with few values that occur in every batch. Not the day of the month: not every month has a 31st.
        alpha: the least probability that passes.
    Returns: the probabilities, the lowest first; not judged with fewer than 3 training batches, and not applicable if
        the held-out rows are not a separate batch.
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
    """The probability that another number of the same kind is as far from the others as the last one is.

    >>> round(_unusual([100, 104, 96, 98]), 2), round(_unusual([100, 104, 96, 0]), 3)
    (0.88, 0.013)
    """
    *before, now = numbers
    middle = mean(before)
    counting = max(middle, 1.0) ** 0.5  # the random error of a count
    spread = max(stdev(before), counting) * (1 + 1 / len(before)) ** 0.5
    return float(2 * stats.t.sf(abs(now - middle) / spread, len(before) - 1))


def _beside(numbers: Sequence[float]) -> str:
    *before, now = numbers
    return f"{now:,.0f}, and {min(before):,.0f} to {max(before):,.0f} before"


def one_source(snapshot: Snapshot) -> Evidence:
    """How many batches were made by another version of the source than the last batch.

    evidence(completeness.one_source(snapshot))

    If the meaning of rows changed in June, batches before and after cannot be used together. Ingest all again with the
    current version: python flows/ingest.py run.
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
