"""train.toml as a record: data, split, parameters, infrastructure, decision, bounds.

Input: nothing. Output: `TrainConfig` and its sections; `training/config.py` reads them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from proveout.records.values import Scalar


@dataclass(frozen=True, kw_only=True)
class TimeSplit:
    """Batches in the order of their names: all up to one are learned from, and a later one is held out."""

    train_through: str  # the last batch to learn from
    holdout: str  # the batch held out
    kind: Literal["time"] = "time"

    @property
    def words(self) -> str:
        """The split in a few words."""
        return f"learned through {self.train_through}, judged on {self.holdout}"

    @property
    def short(self) -> str:
        """The split in a word or two, as a table shows it."""
        return f"through {self.train_through}"


@dataclass(frozen=True, kw_only=True)
class RandomSplit:
    """Events drawn at random, by a hash of their key and the seed."""

    holdout_share: float = 0.2  # above 0, below 1
    seed: int = 0
    stratify: bool = False  # each class of the target gives its share
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
    """Whole groups of rows drawn at random, such as all of one customer."""

    column: str  # of the raw rows: names the group
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
    """As the pilot split them: a column of the raw rows says `train` or `holdout`."""

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


Split = TimeSplit | RandomSplit | GroupSplit | ColumnSplit
"""Which rows a model learns from, and which are held out to judge it."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which snapshot a run is made of."""

    version: str = "latest"  # or the digest of one, or its beginning


@dataclass(frozen=True, kw_only=True)
class Infrastructure:
    """What the run may use of the machine."""

    cpu: float = 1.0
    memory_mb: int = 4096
    threads: int = 1  # of the numeric libraries; part of what makes two runs equal to the last bit
    retries: int = 0
    timeout_s: float = 3_600.0  # for the whole notebook
    cell_timeout_s: float = 3_600.0


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How the model answers."""

    threshold: float | None = None  # binary: true from this probability on
    coverage: float | None = None  # regression: the share of outcomes that the interval of an answer is to hold
    metric: str | None = None  # what the model promises, and the monitor measures; else the usual one of its task


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """train.toml, each value of the kind that is expected."""

    data: DataConfig = DataConfig()
    split: Split
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of the notebook: JSON values
    infrastructure: Infrastructure = Infrastructure()
    decision: Decision = Decision()
    evaluation: Mapping[str, Scalar] = field(default_factory=dict)  # the bounds that the checks ask for
