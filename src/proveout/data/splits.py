"""Splits: which rows of a snapshot are for training, and which are held out.

Input: `[split]` of train.toml as a record, and rows. Output: `Membership`, a side for each row.

Pure: membership is a hash of the event key (or the group) and the seed. It is the same in any process, and later rows
never move earlier ones. A stratified split has the exact share in each class instead: rows of a later batch move none,
but a row added to a batch may move one of its own class.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Literal, assert_never

from proveout.data.batch_names import order_problem
from proveout.errors import ConfigError, NotFound
from proveout.records.train_config import ColumnSplit, GroupSplit, NotebookSplit, RandomSplit, Split, TimeSplit

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

BATCH = "batch"
"""The column with the batch of each row."""
SPLIT = "split"
"""The column with the side of each row: `train`, `holdout`, or null for neither."""
TRAIN: Literal["train"] = "train"
HOLDOUT: Literal["holdout"] = "holdout"
_WHERE = "[split] in train.toml"
_SHOWN = 5  # columns, words or classes in one sentence


@dataclass(frozen=True, kw_only=True)
class Membership:
    """The side of each row, as two arrays of shape (rows,). A row may be on neither if a time split skips its batch."""

    train: "NDArray[np.bool_]"
    holdout: "NDArray[np.bool_]"


def table(batches: "pd.Series[str]", membership: Membership) -> "pd.DataFrame":
    """Membership as stored in a bundle: the batch and the side of each row of a snapshot, in its order."""
    import numpy as np
    import pandas as pd

    sides = np.select([membership.train, membership.holdout], [TRAIN, HOLDOUT], "")
    return pd.DataFrame({
        BATCH: batches.astype("category").reset_index(drop=True),
        SPLIT: pd.Series(sides, dtype=object).where(sides != "", None).astype("category"),
    })  # fmt: skip


def batches_needed(split: Split, names: Sequence[str]) -> tuple[str, ...]:
    """The batches of a snapshot that a run with this split uses, in order.

    A time split leaves out batches after the held-out one, so that a new batch does not change a bundle's digest.
    Raises: NotFound for a missing batch; ConfigError if the held-out one is not the last.
    """
    present = sorted(names)
    if not isinstance(split, TimeSplit):
        return tuple(present)
    if len(present) < 2:
        raise ConfigError(
            _WHERE,
            f'kind "time" needs several batches, but there is only one ({", ".join(present)})',
            'Ingest more, or split another way: kind = "random", "group" or "column"',
        )
    for name in (split.train_through, split.holdout):
        if name not in present:
            there = f"Any name goes; the snapshot has {', '.join(present)}"
            raise NotFound("batch", name, f"{there}. Ingest it: python flows/ingest.py run --batch {name}")
    if split.train_through >= split.holdout:
        later = [name for name in present if name > split.train_through]
        other = f"Hold out a later one ({', '.join(later)})" if later else "Ingest a later one to hold out"
        raise ConfigError(
            _WHERE,
            f"the held-out batch {split.holdout} is not after {split.train_through}, the last trained one: batches are "
            f"in the order of their names as text ({', '.join(present)})",
            f"{other}, or train through an earlier one",
        )
    return tuple(name for name in present if name <= split.holdout)


def order_warning(split: Split, names: Sequence[str]) -> str:
    """A warning if batches have another order as text than as numbers, and the split depends on it; else empty."""
    return order_problem(names) if isinstance(split, TimeSplit) else ""


def assign(
    split: Split, rows: "pd.DataFrame", *, event_key: Sequence[str], target: "pd.Series[Any] | None" = None
) -> Membership:
    """The side of each row.

    Args:
        rows: raw rows, with the batch of each.
        event_key: columns that name one event. Rows of one event are on the same side.
        target: the outcome of each row; null while unknown. Without it, all outcomes count as known, and the split
            cannot be stratified.
    Raises: ConfigError if the split is impossible for these rows, or leaves a side without a known outcome.
    """
    import numpy as np

    match split:
        case TimeSplit():
            batch = rows[BATCH].to_numpy()
            train, holdout = batch <= split.train_through, batch == split.holdout
        case RandomSplit():
            if missing := [column for column in event_key if column not in rows]:
                raise ConfigError(_WHERE, _no_column(missing[0], rows), "Name columns of the rows in event_key")
            points = _points(rows[list(event_key)], split.seed)
            holdout = points < split.holdout_share
            if split.stratify:
                holdout = _stratified(split, points, rows, target)
            train = ~holdout
        case GroupSplit():
            _check_column(split.column, rows)
            if rows[split.column].nunique() < 2:
                raise ConfigError(
                    _WHERE,
                    f"all rows are of one group by {split.column}: {rows[split.column].iloc[0]!r}",
                    "Split by a column with more groups",
                )
            holdout = _points(rows[[split.column]], split.seed) < split.holdout_share
            train = ~holdout
        case ColumnSplit():
            _check_column(split.column, rows)
            words = rows[split.column].astype(object)
            if others := [repr(word) for word in words.unique() if word not in (TRAIN, HOLDOUT)]:
                raise ConfigError(
                    _WHERE,
                    f'{split.column} must be "train" or "holdout", but has {_some(others)}',
                    "Correct it in the source of the batches",
                )
            train, holdout = (words == TRAIN).to_numpy(), (words == HOLDOUT).to_numpy()
        case NotebookSplit():
            raise ConfigError(_WHERE, 'kind "notebook" is known after the run alone', "Take what the run recorded")
        case _:
            assert_never(split)
    known = np.ones(len(rows), dtype=bool) if target is None else target.notna().to_numpy()
    _check_sides(split, train & known, holdout & known)
    return Membership(train=np.asarray(train, dtype=bool), holdout=np.asarray(holdout, dtype=bool))


def of_notebook(sides: "pd.Series[Any]", *, target: "pd.Series[Any]") -> Membership:
    """The side of each row as a run of an adopted notebook recorded it: train, holdout or null.

    Args:
        target: the outcome of each row; null while unknown.
    Raises: ConfigError if a side has no row with a known outcome.
    """
    train, holdout = (sides == TRAIN).to_numpy(), (sides == HOLDOUT).to_numpy()
    known = target.notna().to_numpy()
    _check_sides(NotebookSplit(), train & known, holdout & known)
    return Membership(train=train, holdout=holdout)


def _check_sides(split: Split, train: "NDArray[np.bool_]", holdout: "NDArray[np.bool_]") -> None:
    for side, what in ((train, "for training"), (holdout, "held out")):
        if not side.any():
            raise ConfigError(
                _WHERE,
                f"no row with a known outcome is {what}: {split.words}, of {int((train | holdout).sum()):,} rows",
                _OTHERWISE[split.kind],
            )


_OTHERWISE = {
    "time": "Name batches with known outcomes",
    "random": "Ingest more rows, or change holdout_share or seed",
    "group": "Ingest more groups, or change holdout_share or seed",
    "column": 'Mark some rows "train" and others "holdout"',
    "notebook": "The notebook has to hold rows out whose outcome is known",
}


def _check_column(column: str, rows: "pd.DataFrame") -> None:
    if column not in rows:
        raise ConfigError(_WHERE, _no_column(column, rows), "Name a column of the raw rows")
    if nulls := int(rows[column].isna().sum()):
        raise ConfigError(
            _WHERE,
            f"{column} is null in {nulls:,} of {len(rows):,} rows, so their side is unknown",
            "Fill it in, or leave these rows out, in the source of the batches",
        )


def _no_column(column: str, rows: "pd.DataFrame") -> str:
    return f"the rows have no column {column}; they have {', '.join(map(str, rows.columns))}"


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:_SHOWN]) + (f" and {len(words) - _SHOWN:,} more" if len(words) > _SHOWN else "")


# --- at random --------------------------------------------------------------------------------------------------------


def _points(key: "pd.DataFrame", seed: int) -> "NDArray[np.float64]":
    """A pseudo-random number from 0 to 1 for each row, equal for equal values of any type."""
    import numpy as np
    import orjson

    salt = f"proveout split {seed}".encode()
    columns = [[_text(value) for value in key[name].astype(object)] for name in key.columns]
    digests = (blake2b(orjson.dumps(row), digest_size=8, key=salt).digest() for row in zip(*columns, strict=True))
    return np.fromiter((int.from_bytes(digest, "big") / 2**64 for digest in digests), dtype=float, count=len(key))


def _text(value: Any) -> str | None:
    """A value as text, independent of the type of its column, which another row may change."""
    import numpy as np
    import pandas as pd

    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return str(int(value))  # of any size
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))  # pandas changed 7 to 7.0 because of a null
    if not isinstance(value, str | bool) and pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp) and value.tzinfo is not None:
        return str(value.tz_convert("UTC"))
    return str(value)


def _stratified(
    split: RandomSplit, points: "NDArray[np.float64]", rows: "pd.DataFrame", target: "pd.Series[Any] | None"
) -> "NDArray[np.bool_]":
    """The held-out rows, with the same share in each class. The side of a row without an outcome is by its hash."""
    import numpy as np
    import pandas as pd

    if target is None:
        raise ConfigError(_WHERE, "stratify needs the outcome of each row", "Set stratify = false")
    # An event with several rows is placed by its first row.
    _, first, event = np.unique(points, return_index=True, return_inverse=True)
    classes = np.array([None if pd.isna(one) else one for one in target], dtype=object)[first]
    batches = rows[BATCH].to_numpy(dtype=object)[first] if BATCH in rows else np.zeros(len(first), dtype=object)
    chosen = points[first] < split.holdout_share
    known = np.array([one is not None for one in classes], dtype=bool)
    for one in dict.fromkeys(classes[known]):
        places = np.flatnonzero(known & (classes == one))
        if len(places) < 2:
            raise ConfigError(
                _WHERE,
                f"stratify needs two events of each class, one for each side, but the class {one!r} has one",
                "Ingest more of it, or set stratify = false; a target that is a quantity has no classes",
            )
        chosen[places] = False
        chosen[list(_held_out(places, batches, split.holdout_share))] = True
    return np.asarray(chosen[event], dtype=bool)


def _held_out(places: "NDArray[np.intp]", batches: "NDArray[Any]", share: float) -> Iterator[int]:
    """The held-out rows of one class: batch by batch, so that the share is right for all rows up to each batch.

    `places` are ordered by their points. Of two rows or more, at least one is on each side.
    """
    held = seen = 0
    for batch in sorted(set(batches[places])):
        here = places[batches[places] == batch]
        seen += len(here)
        asked = min(max(int(share * seen + 0.5), 1), seen - 1)
        quota = min(max(asked - held, 0), len(here))
        held += quota
        yield from map(int, here[:quota])
