"""Records of a bundle: its manifest, its configuration, its metrics.

Output: `Bundle`, `PackedConfig`, `Metric`; `model/` writes and reads them.
"""

from dataclasses import dataclass

from proveout.records.answer import TaskFacts
from proveout.records.train_config import Split, TrainConfig
from proveout.records.values import Digest


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric on held-out rows, as reported by the training run."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class PackedConfig:
    """The inputs of a bundle: the run's configuration without its bounds, and the snapshot."""

    snapshot: Digest
    config: TrainConfig


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A bundle as described by its manifest. `digest` is over the identity, `manifest` over the whole manifest."""

    model: str
    digest: Digest
    manifest: Digest
    snapshot: Digest
    metrics: tuple[Metric, ...]
    trained_at: str
    run: str  # Metaflow pathspec of the run, such as TrainFlow/1718...
    git_commit: str  # "unknown" outside a git checkout, ends in "+changes" when the tree was dirty
    split: Split  # which rows of the snapshot are for training, and which are held out
    bytes: int
    task: TaskFacts = TaskFacts()

    @property
    def name(self) -> str:
        """`model@digest`, with the digest shortened."""
        return f"{self.model}@{self.digest[:12]}"
