"""Some of the held-out rows, in the place of all: to see what the checks would have said of other rows of their kind.

Input: a file that `proveout mutate --aa` wrote. Output: the places of the rows, how much wider half the rows make an
interval, and in a file beside it the clusters that the checks have named. Whoever judges by such a sample approves
nothing.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError
from proveout.evaluation.stats import array_checks

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

CLUSTERS = "clusters.npy"


@dataclass(frozen=True, kw_only=True)
class HoldoutSample:
    """Which held-out rows judge."""

    file: Path
    places: "NDArray[np.intp]"  # among the held-out rows whose outcome is known
    interval_scale: float  # an interval of all rows is so much as wide as one of these, 0 to 1

    def watch_clusters(self) -> None:
        """From here on, keep what the checks name as clusters of these rows."""
        array_checks.watch_groups(len(self.places))

    def write_clusters(self) -> None:
        """Write down the clusters that the checks have named: the fewest, where they differ."""
        import numpy as np

        named = array_checks.watched_groups()
        if named:
            np.save(self.file.with_name(CLUSTERS), min(named, key=lambda codes: int(codes.max(initial=0))))


def write(file: Path, places: "NDArray[np.intp]", *, interval_scale: float) -> None:
    """Write a sample, for `read`."""
    file.write_text(json.dumps({"places": places.tolist(), "interval_scale": interval_scale}), encoding="utf-8")


def read(file: Path) -> HoldoutSample:
    """The sample in a file. Raises: UsageError."""
    import numpy as np

    try:
        said: dict[str, Any] = json.loads(file.read_bytes())
        places = np.asarray(said["places"], dtype=np.intp)
        return HoldoutSample(file=file, places=places, interval_scale=float(said["interval_scale"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"--holdout-sample {file} is no sample of held-out rows: {error}.") from error


def clusters(file: Path) -> "NDArray[np.intp] | None":
    """The cluster of each row, as the checks that were judged by the sample in `file` have named them; or None."""
    import numpy as np

    there = file.with_name(CLUSTERS)
    return np.load(there) if there.is_file() else None
