"""Records of data: refusals, batches, snapshots, and the profile of a column.

Output: the records that `data/` makes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from proveout.records.values import Digest


@dataclass(frozen=True, kw_only=True)
class ColumnStats:
    """The profile of one column. `distinct` is an estimate (HyperLogLog, about 2 %)."""

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
        """Share of rows with null, 0 to 1; 0 without rows."""
        return self.nulls / self.rows if self.rows else 0.0


@dataclass(frozen=True, kw_only=True)
class ColumnSketch:
    """What a profile knows of the distribution of one column, at the same points as another profile beside it."""

    name: str
    rows: int
    nulls: int
    below: tuple[float, ...] = ()  # share of the values below each of the points; empty for text
    rank_error: float = 0.0  # each share is so far from the true one at most, with a probability of 0.99
    levels: tuple[tuple[str, int], ...] = ()  # the most frequent texts; empty for numbers
    levels_error: int = 0  # rows that a count may have too many
    others: int = 0  # rows of all other texts


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """The number of rows of a batch that one check of the guard refused. They are in quarantine."""

    check: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One guarded part of the source, such as a month. `digest` is over its name and all its rows."""

    name: str
    digest: Digest
    content: Digest  # over the accepted rows alone
    refused_content: Mapping[str, Digest] = field(default_factory=dict)  # over the refused ones, by table
    rows: int
    refused: int = 0
    refusals: tuple[Refusal, ...] = ()
    # Provenance, not part of the digest: other code that makes the same rows makes the same batch.
    left_out: tuple[Refusal, ...] = ()  # rows that the source left out, by reason
    code: Mapping[str, str] = field(default_factory=dict)  # SHA-256 of the source's files, by path from the root


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An immutable version of the data: its batches in order. The digest is over their names and digests."""

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
    """The removal of a batch from the newest snapshot."""

    batch: Batch
    before: Digest  # the snapshot with it, which does not change
    snapshot: Snapshot  # the new snapshot without it
