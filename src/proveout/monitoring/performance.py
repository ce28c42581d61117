"""How logged answers did once their outcomes are known, and whether that is worse than the model promised.

Comes in: predictions and outcomes by request id. Goes out: `Performance`. Pure; nothing here is estimated without
outcomes. Door to: scipy (ranks).
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from proveout.records import Performance, Prediction


def measure(predictions: Sequence[Prediction], outcomes: Mapping[str, bool]) -> Performance | None:
    """The performance of those `predictions` that have an outcome; None while there is none.

    Accuracy counts the answers with a label, AUC and Brier those with a probability: a rule or an explicit «no
    prediction» may have neither. A number without a row to stand on is None.
    """
    known = [(answer, outcomes[answer.request_id]) for answer in predictions if answer.request_id in outcomes]
    if not known:
        return None
    right = [answer.label == happened for answer, happened in known if answer.label is not None]
    scored = [(answer.probability, happened) for answer, happened in known if answer.probability is not None]
    probability = np.array([score for score, _ in scored], dtype=np.float64)
    truth = np.array([happened for _, happened in scored], dtype=bool)
    return Performance(
        rows=len(known),
        accuracy=_mean(right),
        auc=area_under_roc(probability, truth),
        brier=_mean((probability - truth) ** 2),
        late_share=_mean([happened for _, happened in known]),
        mean_probability=_mean(probability),
    )


def area_under_roc(probability: npt.NDArray[np.float64], truth: npt.NDArray[np.bool_]) -> float | None:
    """Chance that a true one is scored above a false one, a tie counting half; None while only one class is there.

    >>> area_under_roc(np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, False, True, True]))
    0.875
    """
    from scipy.stats import rankdata

    true, false = int(truth.sum()), int((~truth).sum())
    if not true or not false:
        return None
    return float((rankdata(probability)[truth].sum() - true * (true + 1) / 2) / (true * false))


def fell(performance: Performance | None, *, promised_auc: float, by: float = 0.05) -> bool:
    """Whether the AUC lies more than `by` under `promised_auc`, and further than chance alone takes it.

    Chance is the standard error of the AUC at these rows, and 2.33 of them make one false «fell» in a hundred: with
    few rows or few late ones nothing is said. Source: Hanley and McNeil (1982), equation 1.
    """
    if performance is None or performance.auc is None or performance.late_share is None:
        return False
    auc, true = performance.auc, performance.rows * performance.late_share
    false = performance.rows - true
    both_true, both_false = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (true - 1) * (both_true - auc**2) + (false - 1) * (both_false - auc**2)
    # An AUC of 0 or 1 has no spread of its own: half a pair is the least it can be wrong by.
    error = max(math.sqrt(max(variance, 0.0) / (true * false)), 0.5 / (true * false))
    return promised_auc - auc > max(by, 2.33 * error)


def _mean(values: Sequence[bool] | npt.NDArray[np.float64]) -> float | None:
    return float(np.mean(values)) if len(values) else None
