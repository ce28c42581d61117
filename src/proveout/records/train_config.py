"""train.toml as a record: data, split, parameters, infrastructure, decision, bounds.

Output: `TrainConfig` and its sections; `training/config.py` reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from proveout.records.values import Scalar


@dataclass(frozen=True, kw_only=True)
class TimeSplit:
    """Batches ordered by name: all up to one are for training, and a later one is held out."""

    train_through: str  # the last training batch
    holdout: str  # the held-out batch
    kind: Literal["time"] = "time"

    @property
    def words(self) -> str:
        """The split in a few words."""
        return f"learned through {self.train_through}, judged on {self.holdout}"

    @property
    def short(self) -> str:
        """The split in a word or two, for a table."""
        return f"through {self.train_through}"


@dataclass(frozen=True, kw_only=True)
class RandomSplit:
    """Random events are held out, by a hash of their key and the seed."""

    holdout_share: float = 0.2  # above 0, below 1
    seed: int = 0
    stratify: bool = False  # the share holds in each class of the target
    kind: Literal["random"] = "random"

    @property
    def words(self) -> str:
        """The split in a few words."""
        each = " of each class" if self.stratify else ""
        return f"judged on {100 * self.holdout_share:.3g} %{each} drawn at random (seed {self.seed})"

    @property
    def short(self) -> str:
        """The split in a word or two."""
        return f"{100 * self.holdout_share:.3g} % at random"


@dataclass(frozen=True, kw_only=True)
class GroupSplit:
    """Random whole groups of rows are held out, such as all rows of one customer."""

    column: str  # of the raw rows, with the group
    holdout_share: float = 0.2  # of the groups
    seed: int = 0
    kind: Literal["group"] = "group"

    @property
    def words(self) -> str:
        """The split in a few words."""
        return f"judged on {100 * self.holdout_share:.3g} % of the groups by {self.column} (seed {self.seed})"

    @property
    def short(self) -> str:
        """The split in a word or two."""
        return f"{100 * self.holdout_share:.3g} % by {self.column}"


@dataclass(frozen=True, kw_only=True)
class ColumnSplit:
    """The pilot's own split: a column of the raw rows has `train` or `holdout`."""

    column: str
    kind: Literal["column"] = "column"

    @property
    def words(self) -> str:
        """The split in a few words."""
        return f"judged on the rows that {self.column} calls holdout"

    @property
    def short(self) -> str:
        """The split in a word or two."""
        return f"as {self.column} says"


@dataclass(frozen=True, kw_only=True)
class NotebookSplit:
    """An adopted notebook splits its rows itself; which ones it holds out is recorded in each run."""

    kind: Literal["notebook"] = "notebook"

    @property
    def words(self) -> str:
        """The split in a few words."""
        return "judged on the rows that the notebook holds out"

    @property
    def short(self) -> str:
        """The split in a word or two."""
        return "by the notebook"


Split = TimeSplit | RandomSplit | GroupSplit | ColumnSplit | NotebookSplit
"""Which rows are for training, and which are held out."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """The snapshot of a run."""

    version: str = "latest"  # or the digest of a snapshot, or its first digits


@dataclass(frozen=True, kw_only=True)
class Infrastructure:
    """The resources of the run."""

    cpu: float = 1.0
    memory_mb: int = 4096
    threads: int = 1  # of the numeric libraries; fixed, so that two runs are equal to the last bit
    retries: int = 0
    timeout_s: float = 3_600.0  # for the whole notebook
    cell_timeout_s: float = 3_600.0


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How the model answers."""

    threshold: float | None = None  # binary: true from this probability on
    coverage: float | None = None  # regression: the share of outcomes that the interval should contain
    metric: str | None = None  # promised by the model and measured by the monitor; default: that of the task


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The validated train.toml."""

    data: DataConfig = DataConfig()
    split: Split
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of the notebook: JSON values
    infrastructure: Infrastructure = Infrastructure()
    decision: Decision = Decision()
    evaluation: Mapping[str, Scalar] = field(default_factory=dict)  # the bounds of the checks
