"""The metrics that notebooks state, by their usual names, measured again on the held-out rows.

Input: outcomes and scores, or what a notebook has stated. Output: nothing, or a BundleError that names the claim
and what was measured. A name that the task has no metric of stays the notebook's claim alone.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from proveout.errors import BundleError
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of a stated number: 0.8 may be 0.80, and is not 0.767; 52.3 minutes are 52.34. More than four decimals do not say
# more: where a model sums products, equal rows may differ in their last bit, and the order of the rows with it.
_FEWEST_DIGITS, _MOST_DECIMALS = 3, 4


def compare(
    stated: Mapping[str, float],
    outcomes: "NDArray[Any]",
    scores: "NDArray[np.float64]",
    *,
    task: Task,
) -> None:
    """Return if what a notebook has stated is what its model does on the held-out rows.

    Raises: BundleError, naming each metric that is off by more than the rounding of the number stated.
    """
    threshold = task.facts.threshold
    off = [
        f"{name} {_shown(stated[name])} in the notebook, {_shown(found)} measured"
        + (f" at the threshold {threshold:g}" if threshold is not None and task.metric(name).of_labels else "")
        for name, found in task.measure(tuple(stated), outcomes, scores).items()
        if not _same(stated[name], found)
    ]
    if off:
        raise BundleError(
            "the notebook's `metrics`",
            f"they are not those of the model on the held-out rows: {'; '.join(off)}",
            'Measure them where `split` is "holdout", with the model that is handed over; or give what is something '
            "else a name of its own, such as auc_train",
        )


def _same(stated: float, found: float) -> bool:
    """Whether `found` is `stated` but for the decimals that were not written out.

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
    # A sum may be off in its last bits, and those of a large number are before the fourth decimal.
    return abs(stated - found) <= max(rounding, 1e-9 * abs(stated))


def _shown(value: float) -> str:
    return f"{value:.6g}"
