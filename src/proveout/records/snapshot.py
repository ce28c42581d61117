"""What the guard and the store say of data: refusals, batches, snapshots, and the profile of a column.

Input: nothing. Output: the records that `data/` gives.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proveout.records.values import Digest


@dataclass(frozen=True, kw_only=True)
class ColumnStats:
    """What a profile says of one column. `distinct` is an estimate (HyperLogLog, about 2 %)."""

    name: str
    rows: int
    nulls: int
    distinct: float
    minimum: float | None = None  # None for text
    maximum: float | None = None
    mean: float | None = None
    stddev: float | None = None

    @property
    def null_share(self) -> float:
        """Share of rows without a value, 0 to 1; 0 for no rows."""
        return self.nulls / self.rows if self.rows else 0.0


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """How many rows of a batch one check of the guard refused; they lie in quarantine."""

    check: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One guarded portion of the source, such as a month. `digest` is over its name and all its rows."""

    name: str
    digest: Digest
    content: Digest  # over the accepted rows alone
    refused_content: Mapping[str, Digest] = field(default_factory=dict)  # over the refused ones, of each table with any
    rows: int
    refused: int = 0
    refusals: tuple[Refusal, ...] = ()
    # How they came about, which is no part of what they are: other code that gives the same rows gives the same batch.
    left_out: tuple[Refusal, ...] = ()  # rows that the source says it left out, by its reasons
    code: Mapping[str, str] = field(default_factory=dict)  # SHA-256 of the files that made them, by name from the root


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An immutable version of the data: its batches in order. The digest is taken over their names and digests."""

    digest: Digest
    batches: tuple[Batch, ...]

    @property
    def rows(self) -> int:
        return sum(batch.rows for batch in self.batches)

    @property
    def refused(self) -> int:
        return sum(batch.refused for batch in self.batches)

    def through(self) -> str:
        """Name of the last batch."""
        return self.batches[-1].name


@dataclass(frozen=True, kw_only=True)
class BatchRemoval:
    """A batch that was taken out of the newest snapshot."""

    batch: Batch
    before: Digest  # the snapshot that has it, and keeps it
    snapshot: Snapshot  # without it
