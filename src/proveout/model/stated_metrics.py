"""Measures the notebook's metrics again on the held-out rows and compares them.

Input: outcomes, scores, and the notebook's metrics. Output: nothing, or a BundleError with both values. A name that is
not a metric of the task stays the notebook's claim. Metrics that were seen in the calls of an adopted notebook, where
nobody handed them over, get names of their own if they are something else, as the AUC of labels.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from proveout.errors import BundleError
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Precision of a stated number: 0.8 matches 0.80, not 0.767; 52.3 matches 52.34. More than four decimals are ignored:
# equal rows may differ in the last bit if a model sums products, which can change their order.
_FEWEST_DIGITS, _MOST_DECIMALS = 3, 4
OWN = "pilot_"
"""Before the name of a metric that an adopted notebook measured in another way than the task does."""


def compare(
    stated: Mapping[str, float],
    outcomes: "NDArray[Any]",
    scores: "NDArray[np.float64]",
    *,
    task: Task,
) -> None:
    """Return if the notebook's metrics match those of its model on the held-out rows.

    Raises: BundleError, naming each metric that differs by more than the rounding of the stated number.
    """
    threshold = task.facts.threshold
    off = [
        f"{name} {_shown(stated[name])} in the notebook, {_shown(found)} measured"
        + (f" at the threshold {threshold:g}" if threshold is not None and task.metric(name).of_labels else "")
        for name, found in _differing(stated, outcomes, scores, task=task).items()
    ]
    if off:
        raise BundleError(
            "the notebook's `metrics`",
            f"they are not those of the model on the held-out rows: {'; '.join(off)}",
            'Measure them where `split` is "holdout", with the model that is handed over; or give what is something '
            "else a name of its own, such as auc_train",
        )


def own_names(
    seen: Mapping[str, float], outcomes: "NDArray[Any]", scores: "NDArray[np.float64]", *, task: Task
) -> Mapping[str, float]:
    """Metrics that were seen, those that are not the task's metric of their name as `pilot_NAME`."""
    differing = _differing(seen, outcomes, scores, task=task)
    return {f"{OWN}{name}" if name in differing else name: value for name, value in seen.items()}


def _differing(
    stated: Mapping[str, float], outcomes: "NDArray[Any]", scores: "NDArray[np.float64]", *, task: Task
) -> dict[str, float]:
    """What was measured of each metric that is another number, by the rounding of the stated one."""
    measured = task.measure(tuple(stated), outcomes, scores)
    return {name: found for name, found in measured.items() if not _same(stated[name], found)}


def _same(stated: float, found: float) -> bool:
    """Whether `found` equals `stated` within the rounding of the stated decimals.

    >>> _same(0.767, 0.76749), _same(0.767, 0.7676), _same(0.7, 0.703), _same(0.7, 0.71), _same(1.0, 0.98)
    (True, False, True, False, False)
    >>> _same(52.3, 52.34), _same(1234.0, 1234.4), _same(1234.0, 1235.0)
    (True, True, False)
    """
    if not math.isfinite(stated):
        return False
    written = repr(stated).partition(".")[2].rstrip("0")
    before_point = max(1, math.floor(math.log10(abs(stated))) + 1) if stated else 1
    decimals = max(_FEWEST_DIGITS - before_point, min(_MOST_DECIMALS, len(written)))
    rounding = (0.5 + 1e-6) * 10.0**-decimals
    # A sum may differ in its last bits, which for a large number are before the fourth decimal.
    return abs(stated - found) <= max(rounding, 1e-9 * abs(stated))


def _shown(value: float) -> str:
    return f"{value:.6g}"
