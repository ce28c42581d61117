"""What the manifest of a bundle says of it, and what it was made of.

Input: nothing. Output: `Bundle`, `PackedConfig`, `Metric`; `model/` writes and reads them.
"""

from dataclasses import dataclass

from proveout.records.answer import TaskFacts
from proveout.records.train_config import Split, TrainConfig
from proveout.records.values import Digest


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number the training run reports of a model, on held-out rows."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class PackedConfig:
    """What a bundle was made of: the configuration of the run without its bounds, on the rows of a snapshot."""

    snapshot: Digest
    config: TrainConfig


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A packed artifact, as its manifest describes it. `digest` is over the identity, `manifest` over the whole."""

    model: str
    digest: Digest
    manifest: Digest
    snapshot: Digest
    metrics: tuple[Metric, ...]
    trained_at: str
    run: str  # Metaflow pathspec of the run, such as TrainFlow/1718...
    git_commit: str  # "unknown" outside a git checkout, ends in "+changes" when the tree was dirty
    split: Split  # which rows of the snapshot it learned from, and which are held out
    bytes: int
    task: TaskFacts = TaskFacts()

    @property
    def name(self) -> str:
        """`model@digest`, the digest shortened as people read it."""
        return f"{self.model}@{self.digest[:12]}"
