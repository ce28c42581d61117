"""The notebook's table: model columns, target, batch and side of the split.

Input: the settings and the inputs of a run. Output: a `Table` as parquet, and the differences between two of them.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from proveout.data.splits import BATCH, HOLDOUT, SPLIT, TRAIN
from proveout.errors import BundleError, ConfigError
from proveout.project import open_store
from proveout.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.data.splits import Membership
    from proveout.task.task import Task
    from proveout.training.run_inputs import RunInputs


@dataclass(frozen=True, kw_only=True)
class Table:
    """The notebook's table as parquet: the model's columns, the label and the batch of each row."""

    parquet: bytes
    rows: int


@dataclass(frozen=True, kw_only=True)
class SplitRows:
    """The rows of a snapshot, in its order."""

    raw: "pd.DataFrame"
    labels: "pd.Series[Any]"  # null while unknown
    membership: "Membership"
    task: "Task"

    def learned(self) -> "NDArray[np.bool_]":
        """The training rows."""
        return self.membership.train & self.labels.notna().to_numpy()

    def held_out(self) -> "NDArray[np.bool_]":
        """The held-out rows."""
        return self.membership.holdout & self.labels.notna().to_numpy()

    def outcomes(self, rows: "NDArray[np.bool_]") -> "NDArray[Any]":
        """The outcomes of some rows with a known outcome, in the task's form."""
        return self.task.outcomes(self.labels[rows].to_numpy())


def split_rows(settings: Settings, inputs: "RunInputs", sides: "pd.Series[Any] | None" = None) -> SplitRows:
    """The rows of the run's snapshot, with the outcome and the side of the split of each.

    Args:
        sides: as the run of an adopted notebook recorded them.
    """
    from proveout.data import features, snapshots, splits
    from proveout.task import task as tasks

    rows = snapshots.read(open_store(settings), inputs.snapshot.digest)
    labels = features.labels(settings, rows)
    if sides is not None:
        found = splits.of_notebook(sides, target=labels)
    else:
        found = splits.assign(inputs.config.split, rows, event_key=features.event_key(settings), target=labels)
    return SplitRows(raw=rows, labels=labels, membership=found, task=tasks.named(settings.task))


def table_of(settings: Settings, rows: SplitRows) -> "pd.DataFrame":
    """The notebook's table: rows on a side of the split, with a known outcome."""
    from proveout.data import features

    learned = rows.learned()
    given = learned | rows.held_out()
    raw = rows.raw[given]
    function, name = features.load(settings), features.name(settings)
    columns = features.request_columns(settings)
    # Check before the notebook runs, which may take hours; packing would refuse it later.
    features.check_columns(function, raw, columns, name=name)
    table = features.compute(function, raw, columns, name=name)
    ours: dict[str, Any] = {
        settings.target_name: rows.outcomes(given),
        BATCH: raw[BATCH],
        SPLIT: [TRAIN if one else HOLDOUT for one in learned[given]],
    }
    if taken := [name for name in ours if name in table]:
        raise ConfigError(
            name,
            f"returns a column called {taken[0]}, a name that the notebook's table uses itself",
            "Give it another name",
        )
    return table.assign(**ours)


def raw_table(settings: Settings, inputs: "RunInputs") -> "pd.DataFrame":
    """All rows of the run's snapshot, for an adopted notebook."""
    from proveout.data import snapshots

    return snapshots.read(open_store(settings), inputs.snapshot.digest)


def as_parquet(table: "pd.DataFrame") -> bytes:
    """A table as the bytes of one parquet file, without its index."""
    import io

    packed = io.BytesIO()
    table.to_parquet(packed, index=False)
    return packed.getvalue()


def compare_tables(given: bytes, again: bytes, *, settings: Settings) -> None:
    """Return if two parquet tables hold the same values, including nulls. Raises: BundleError."""
    from proveout.data import features

    if given == again:
        return
    differing = table_differences(given, again)
    if differing:
        what = ", ".join(f"{column} in {cells:,} cells" for column, cells in list(differing.items())[:5])
        raise BundleError(
            features.name(settings),
            f"the model's columns, computed again for the same rows, differ from those that the notebook got: {what}",
            "They may depend only on the row: not on a clock, random numbers or a changing file. Then start a new run",
        )


def table_differences(given: bytes, again: bytes) -> dict[str, int]:
    """By column, the number of cells that differ between two parquet tables; equal columns are left out.

    All cells of a column differ if only one table has it, or if its types differ.
    """
    import io

    import pandas as pd

    one, other = (pd.read_parquet(io.BytesIO(content)) for content in (given, again))
    found = {}
    for column in dict.fromkeys([*one.columns, *other.columns]):
        there = column in one.columns and column in other.columns and len(one) == len(other)
        if there and one[column].dtype == other[column].dtype:
            before, after = one[column].astype(object), other[column].astype(object)
            differ = int((~((before == after) | (before.isna() & after.isna()))).sum())
        else:
            differ = max(len(one), len(other))
        if differ:
            found[str(column)] = differ
    return found
