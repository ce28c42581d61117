"""`--split` of a new project: which rows are held out, and how the table is divided into batches.

Input: the value of `--split` (such as `random`, `time:COLUMN`, `group:COLUMN`, `column:COLUMN`), and the table.
Output: a `TableSplit`. A split by time needs ordered batches, so a table in one file is divided by its time column.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.data import splits
from proveout.data.splits import BATCH, HOLDOUT, TRAIN
from proveout.errors import ConfigError, UsageError
from proveout.pilot import source_text
from proveout.pilot.table_file import TableFile, TableRefused, check_columns
from proveout.pilot.table_target import Target
from proveout.records.train_config import ColumnSplit, GroupSplit, RandomSplit, Split, TimeSplit

if TYPE_CHECKING:
    import pandas as pd

FORMS = "random, time:COLUMN, group:COLUMN or column:COLUMN"
HOLDOUT_SHARE = 0.2
_FEWEST_GROUPS = 10
_SEEDS, _NEAR = 100, 0.05  # seeds to try for groups, and how far off a fifth the first one may be
_LEAST_SHARE, _MOST_SHARE = 0.08, 0.35  # of the rows, in the last calendar period
_PARTS = 5  # of equally many rows, if no calendar period divides them well
_MOST_BATCHES = 120
_CALENDARS = {"%Y": "year", "%Y-%m": "month", "%Y-%m-%d": "day"}


@dataclass(frozen=True, kw_only=True)
class TableSplit:
    """How rows are split, and the batch of each row."""

    split: Split
    words: str
    apart: tuple[str, ...] = ()  # columns that decide the split; requests do not have them
    groups: int | None = None  # how many there are, of a split by them
    time_column: str | None = None
    batches: "pd.Series[str] | None" = None  # of each row; None: each file is a batch


def read(said: str, table: TableFile, target: Target) -> TableSplit:
    """The split that `said`, the value of `--split`, asks for.

    Raises: UsageError for an unknown value; TableRefused if the table cannot be split that way.
    """
    kind, _, column = said.partition(":")
    if kind not in {"random", "time", "group", "column"} or bool(column) == (kind == "random"):
        raise UsageError(f"--split {said} is not a split: write {FORMS}.")
    if kind == "random":
        stratify = target.task != "regression"
        split = RandomSplit(holdout_share=HOLDOUT_SHARE, seed=0, stratify=stratify)
        return TableSplit(split=split, words=split.words)
    check_columns(table, column, what="--split")
    if column == target.column:
        raise UsageError(f"--split {said}: {column} is the target, so it cannot decide the split.")
    values = table.rows[column]
    if nulls := int(values.isna().sum()):
        raise TableRefused(
            table.named, f"{column} is null in {nulls:,} rows, so their side of the split is unknown", "Fill it in"
        )
    known = table.rows[target.column].notna()
    if kind == "time":
        return _by_time(values, table, known=known)
    return _by_group(values[known], table) if kind == "group" else _by_column(values, table)


def _by_group(values: "pd.Series[Any]", table: TableFile) -> TableSplit:
    groups = int(values.nunique())
    if groups < _FEWEST_GROUPS:
        raise TableRefused(
            table.named,
            f"{values.name} has {groups} groups; to hold some of them out takes {_FEWEST_GROUPS}",
            "Split by a column with more groups",
        )
    split = group_split(values, seed=0)
    return TableSplit(
        split=split, words=f"{split.words}; there are {groups:,}", groups=groups, apart=(str(values.name),)
    )


def group_split(groups: "pd.Series[Any]", *, seed: int) -> GroupSplit:
    """A split by the group of each row: by the first seed, from `seed` on, that holds about a fifth of them out.

    Of few groups some seeds hold none out, or most rows. Where none comes near a fifth, the one that comes nearest.
    """
    import pandas as pd

    rows = groups.value_counts()
    each = pd.DataFrame({str(groups.name): rows.index})

    def off(split: GroupSplit) -> float:
        try:
            held_out = splits.assign(split, each, event_key=()).holdout
        except ConfigError:  # none, or all of them
            return 1.0
        return abs(float(rows.to_numpy()[held_out].sum() / rows.sum()) - HOLDOUT_SHARE)

    best: GroupSplit | None = None
    for one in range(seed, seed + _SEEDS):
        split = GroupSplit(column=str(groups.name), holdout_share=HOLDOUT_SHARE, seed=one)
        if off(split) <= _NEAR:
            return split
        best = split if best is None or off(split) < off(best) else best
    assert best is not None
    return best


def _by_column(values: "pd.Series[Any]", table: TableFile) -> TableSplit:
    words = sorted(map(str, values.unique()))
    if set(words) != {TRAIN, HOLDOUT}:
        shown = ", ".join(words[:5])
        raise TableRefused(
            table.named,
            f'{values.name} must have the values "{TRAIN}" and "{HOLDOUT}", but has {shown}',
            "Write these values in it, or split another way",
        )
    split = ColumnSplit(column=str(values.name))
    return TableSplit(split=split, words=split.words, apart=(str(values.name),))


def _by_time(values: "pd.Series[Any]", table: TableFile, *, known: "pd.Series[bool]") -> TableSplit:
    if table.is_remote:
        raise TableRefused(
            table.named,
            "a split by time writes one file per batch, which is impossible at a URL",
            "Name local files",
        )
    batches, how = _batches(values, table, known)
    rows = batches[known].value_counts().sort_index()
    names = [str(one) for one in rows.index[rows >= _LEAST_SHARE * rows.mean()]]
    if len(names) < 2:
        raise TableRefused(
            table.named,
            f"by {values.name}, all rows with an outcome are of one batch ({', '.join(names)})",
            "Split by another column, or another way",
        )
    split = TimeSplit(train_through=names[-2], holdout=names[-1])
    words = f"{split.words}: {batches.nunique()} batches, {how}; {rows[names[-1]]:,} rows held out"
    if later := sorted(one for one in batches.unique() if one > names[-1]):
        words += f"; later ones have no outcome yet: {', '.join(later[:5])}"
    name, apart = str(values.name), values.dtype.kind in "iuf"  # a number that only grows cannot be an input
    return TableSplit(split=split, words=words, apart=(name,) if apart else (), time_column=name, batches=batches)


def _batches(values: "pd.Series[Any]", table: TableFile, known: "pd.Series[bool]") -> "tuple[pd.Series[str], str]":
    """The batch of each row, and how rows were assigned, in words."""
    import pandas as pd

    if table.rows[BATCH].nunique() > 2 and _is_in_order(values, table.rows[BATCH]):
        return table.rows[BATCH], "one per file"
    if pd.api.types.is_numeric_dtype(values) and values.dtype.kind != "b":
        return _equal_parts(values, values.map(source_text.number), table=table)
    moments = pd.to_datetime(values, format="ISO8601", errors="coerce", utc=True)
    if moments.isna().any():
        unparsed = values[moments.isna()].iloc[0]
        raise TableRefused(
            table.named,
            f"{values.name} has {unparsed!r}, which is not a date or time in ISO 8601",
            "Write it as 2013-06-07 or 2013-06-07T08:15, or split by a numeric column",
        )
    for calendar, called in _CALENDARS.items():
        made = moments.dt.strftime(calendar)
        judged = made[known]
        last = float((judged == judged.max()).mean())
        if _LEAST_SHARE <= last <= _MOST_SHARE and judged.nunique() >= 3 and made.nunique() <= _MOST_BATCHES:
            return made, f"one per {called}"
    return _equal_parts(moments, moments.dt.strftime("%Y-%m-%d"), table=table)


def _equal_parts(order: "pd.Series[Any]", shown: "pd.Series[str]", *, table: TableFile) -> "tuple[pd.Series[str], str]":
    """Parts of about equally many rows, divided between two values; named by their position and first value."""
    import numpy as np
    import pandas as pd

    places = pd.Series(np.ceil(order.rank(method="max", pct=True).to_numpy() * _PARTS).astype(int), index=order.index)
    kinds = sorted(places.unique())
    if len(kinds) < 3:
        raise TableRefused(
            table.named,
            f"{order.name} has too few distinct values ({order.nunique():,}) to divide the rows into batches",
            "Split by another column, or another way",
        )
    first = {place: shown[order[places == place].idxmin()] for place in kinds}
    names = {place: f"{new}-from-{first[place]}" for new, place in enumerate(kinds, start=1)}
    return places.map(names).astype(object), f"{len(names)} parts of about equally many rows"


def _is_in_order(values: "pd.Series[Any]", batches: "pd.Series[str]") -> bool:
    spans = values.groupby(batches, sort=True).agg(["min", "max"])
    return bool((spans["max"].iloc[:-1].to_numpy() <= spans["min"].iloc[1:].to_numpy()).all())


def toml(split: Split) -> Iterator[str]:
    """The lines of `[split]` in train.toml."""
    yield f'kind = "{split.kind}"'
    match split:
        case TimeSplit():
            yield f'train_through = "{split.train_through}"  # the last training batch, by name as text'
            yield f'holdout = "{split.holdout}"  # the held-out batch'
        case RandomSplit():
            yield f"holdout_share = {split.holdout_share}"
            yield f"seed = {split.seed}"
            yield f"stratify = {str(split.stratify).lower()}"
        case GroupSplit():
            yield f"column = {source_text.text(split.column)}"
            yield f"holdout_share = {split.holdout_share}  # of the groups"
            yield f"seed = {split.seed}"
        case ColumnSplit():
            yield f"column = {source_text.text(split.column)}"
