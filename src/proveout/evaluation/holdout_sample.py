"""Some of the held-out rows, in the place of all: to see what the checks would have said of other rows of their kind.

Input: a file that `proveout mutate --aa` wrote. Output: the places of the rows, how much wider half the rows make an
interval, and in a file beside it what the run has seen: the clusters that the checks named, and which checks read any
of the rows. Whoever judges by such a sample approves nothing.

A check has read the rows if it, or a fixture that it asks for, has taken `raw`, `records` or `labels` of the fixture
`holdout`. Rows that a check keeps in a variable of its module for another one are not seen.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError
from proveout.evaluation.stats import array_checks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEEN = "seen.json"


class RowReads:
    """Who reads held-out rows: the checks and fixtures that run while somebody takes them."""

    def __init__(self) -> None:
        self._running: list[str] = []
        self._found: set[str] = set()
        self.checks: set[str] = set()  # those that have read rows, themselves or by a fixture
        self.cpu_s: dict[str, float] = {}  # what each check took of the processor, in processes that it started too

    @contextmanager
    def by(self, name: str) -> Iterator[None]:
        """Whatever is read in here, a check or fixture of this name has read."""
        self._running.append(name)
        try:
            yield
        finally:
            self._running.pop()

    def note(self) -> None:
        """Somebody reads rows now. A fixture does so for whoever it is set up for."""
        self._found.update(self._running)

    @contextmanager
    def by_check(self, name: str, *, fixtures: Iterable[str]) -> Iterator[None]:
        """A check that asks for these fixtures runs in here; they may have been set up before it."""
        before = sum(os.times()[:4])
        with self.by(name):
            yield
        self.cpu_s[name] = sum(os.times()[:4]) - before
        if self._found.intersection((name, *fixtures)):
            self.checks.add(name)


@dataclass(frozen=True, kw_only=True)
class HoldoutSample:
    """The held-out rows to judge with."""

    file: Path
    places: "NDArray[np.intp]"  # among the held-out rows whose outcome is known
    interval_scale: float  # width of an interval from all rows relative to one from these rows, 0 to 1
    checks: frozenset[str] | None = None  # that are asked; None: all that ask for held-out rows
    reads: RowReads = field(default_factory=RowReads, compare=False)

    def watch_clusters(self) -> None:
        """Start recording the clusters that the checks use for these rows."""
        array_checks.watch_groups(len(self.places))

    def write_seen(self) -> None:
        """Write down the clusters that the checks have named, the fewest where they differ; who read rows, and how long
        it took."""
        named = array_checks.watched_groups()
        fewest = min(named, key=lambda codes: int(codes.max(initial=0))).tolist() if named else None
        said = {"clusters": fewest, "readers": sorted(self.reads.checks), "cpu_s": self.reads.cpu_s}
        self.file.with_name(SEEN).write_text(json.dumps(said), encoding="utf-8")


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What was seen while the checks judged by a sample."""

    clusters: "NDArray[np.intp] | None"  # of each row, as the checks have named them
    readers: frozenset[str]  # the checks that read any of the rows
    cpu_s: Mapping[str, float]  # what each check took of the processor


def write(
    file: Path, places: "NDArray[np.intp]", *, interval_scale: float, checks: Iterable[str] | None = None
) -> None:
    """Write a sample, for `read`."""
    named = None if checks is None else sorted(checks)
    said = {"places": places.tolist(), "interval_scale": interval_scale, "checks": named}
    file.write_text(json.dumps(said), encoding="utf-8")


def read(file: Path) -> HoldoutSample:
    """The sample in a file. Raises: UsageError."""
    import numpy as np

    try:
        said: dict[str, Any] = json.loads(file.read_bytes())
        return HoldoutSample(
            file=file,
            places=np.asarray(said["places"], dtype=np.intp),
            interval_scale=float(said["interval_scale"]),
            checks=None if said["checks"] is None else frozenset(said["checks"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--holdout-sample {file} is not a sample of held-out rows: {error}.") from error


def seen(file: Path) -> Seen:
    """What was seen while the checks judged by the sample in `file`."""
    import numpy as np

    said: dict[str, Any] = json.loads(file.with_name(SEEN).read_bytes())
    clusters = None if said["clusters"] is None else np.asarray(said["clusters"], dtype=np.intp)
    return Seen(clusters=clusters, readers=frozenset(said["readers"]), cpu_s=said["cpu_s"])
