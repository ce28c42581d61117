"""A rehearsal of a proposed project: guard, features, split and the notebook's model, on the table's rows.

Input: a `Proposal` and the table. Output: the measurements, as a `Baseline` and further bounds. It runs in a temporary
folder, and raises if the schema refuses a row of its own table.
"""

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.data import features, guard, splits
from proveout.data.splits import BATCH
from proveout.evaluation import near_duplicates
from proveout.evaluation.context import LabelledRows
from proveout.pilot import baseline, bounds_proposal, table_split
from proveout.pilot.baseline import Baseline
from proveout.pilot.first_model import Rows
from proveout.pilot.project_files import loading_code
from proveout.pilot.project_proposal import Bound, Proposal
from proveout.pilot.table_file import TableFile, TableRefused
from proveout.records.train_config import GroupSplit, RandomSplit, Split, TimeSplit
from proveout.settings import Settings, load_object, said_in_file
from proveout.task import task as tasks

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_MOST_MEASURED = 15_000  # training rows used to measure the first model


def rehearse(proposal: Proposal, read: TableFile) -> tuple[Baseline, tuple[Bound, ...]]:
    """Run the guard, features, split and the notebook's model on the table, in a temporary folder."""
    place = Path(tempfile.mkdtemp(prefix="proveout-init-"))
    try:
        for name, content in loading_code(proposal).items():
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        settings = said_in_file(place)
        rows = _guarded(proposal, settings, read)
        labels = features.labels(settings, rows)
        membership = splits.assign(proposal.split.split, rows, event_key=features.event_key(settings), target=labels)
        known = labels.notna().to_numpy()
        train, held_out = membership.train & known, membership.holdout & known
        apart = _apart(proposal, rows[train], settings, labels[train])
        some = _some(int(train.sum()))
        given = _given(proposal, settings, rows[train].iloc[some], labels[train].iloc[some])
        apart = apart[some]
        clusters = _clusters(proposal, rows[train].iloc[some][apart])
        sides = _sides(settings, rows, labels, train, held_out)
        rest = (alike_bound(*sides, key=settings.event_key), slices_bound(int(held_out.sum())))
        return baseline.measure(proposal, given, apart=apart, clusters=clusters), rest
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _some(rows: int) -> "NDArray[np.intp]":
    """Sorted positions of the training rows to measure with: a sample that is large enough to set bounds."""
    import numpy as np

    return np.sort(np.random.default_rng(0).choice(rows, min(rows, _MOST_MEASURED), replace=False))


def _guarded(proposal: Proposal, settings: Settings, read: TableFile) -> "pd.DataFrame":
    """The rows as in a snapshot. Raises: TableRefused if the proposed schema refuses a row."""
    rows = read.rows if proposal.split.batches is None else read.rows.assign(**{BATCH: proposal.split.batches})
    asked = [one.name for one in proposal.asked]
    guarded = guard.check(rows[asked], load_object(settings.request_schema, settings.root), name=proposal.table)
    if len(guarded.refused):
        first = guarded.refusals[0]
        raise TableRefused(
            proposal.table,
            f"the schema made from it refuses {len(guarded.refused):,} of its own rows, by {first.check}",
            "This is a bug in proveout: please report it with the column",
        )
    return rows.reset_index(drop=True).drop(columns=asked).join(guarded.accepted[asked])


def _given(proposal: Proposal, settings: Settings, rows: "pd.DataFrame", labels: "pd.Series[Any]") -> Rows:
    """The training rows, in the form that the notebook and the rules get them."""
    columns = features.request_columns(settings)
    table = features.compute(features.load(settings), rows, columns, name=features.name(settings))
    outcomes = tasks.named(settings.task).outcomes(labels.to_numpy())
    given = table.assign(**{BATCH: rows[BATCH]}).reset_index(drop=True)
    given[proposal.target.name] = outcomes
    return Rows(table=given, records=rows[list(columns)].reset_index(drop=True), outcomes=outcomes)


def _apart(
    proposal: Proposal, rows: "pd.DataFrame", settings: Settings, labels: "pd.Series[Any]"
) -> "NDArray[np.bool_]":
    """Which training rows to measure on: the project's kind of split with another seed, applied to them."""
    split = proposal.split.split
    inner: Split = RandomSplit(holdout_share=baseline.KEPT_APART, seed=1, stratify=settings.task != "regression")
    if isinstance(split, GroupSplit):
        inner = table_split.group_split(rows[split.column], seed=split.seed + 1)
    elif isinstance(split, TimeSplit) and rows[BATCH].nunique() > 1:
        names = sorted(rows[BATCH].unique())
        inner = TimeSplit(train_through=names[-2], holdout=names[-1])
    found = splits.assign(inner, rows, event_key=features.event_key(settings), target=labels)
    return found.holdout


def _clusters(proposal: Proposal, rows: "pd.DataFrame") -> "NDArray[Any] | None":
    split = proposal.split.split
    return rows[split.column].to_numpy() if isinstance(split, GroupSplit) else None


def slices_bound(held_out: int) -> Bound:
    """The bound on the size of slices that are judged, for so many held-out rows."""
    fewest = bounds_proposal.fewest_of_a_slice(held_out)
    return Bound(
        name=bounds_proposal.SLICE_ROWS,
        value=fewest,
        reason=f"smaller slices are not judged; held out: {held_out:,} rows",
    )


def alike_bound(training: LabelledRows, held_out: LabelledRows, *, key: Sequence[str] = ()) -> Bound:
    """The bound on the share of held-out rows that equal a training row. No model is needed."""
    found = near_duplicates.find(training, held_out, key=key)
    return bounds_proposal.duplicate_bound([found.equal / held_out.rows, (found.nearly or 0) / held_out.rows])


def _sides(
    settings: Settings,
    rows: "pd.DataFrame",
    labels: "pd.Series[Any]",
    train: "NDArray[np.bool_]",
    held_out: "NDArray[np.bool_]",
) -> tuple[LabelledRows, LabelledRows]:
    """The rows with a known outcome: for training, and held out."""
    sides = []
    for side in (train, held_out):
        raw = rows[side].reset_index(drop=True)
        records = raw[list(features.request_columns(settings))]
        outcomes = tasks.named(settings.task).outcomes(labels[side].to_numpy())
        sides.append(LabelledRows(raw=raw, records=records, labels=outcomes))
    return sides[0], sides[1]
