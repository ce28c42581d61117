"""The metrics that notebooks state, by their usual names, measured again on the held-out rows.

Comes in: labels and probabilities, or what a notebook has stated. Goes out: numbers by name, or a BundleError that
names the claim and what was measured. A name that is not in the table stays the notebook's claim alone.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from proveout.errors import BundleError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Of a stated number: 0.8 may be 0.80, and is not 0.767. More than four do not say more: where a model sums products,
# equal rows may differ in their last bit, and the order of the rows, on which an AUC rests, with it.
_FEWEST_DECIMALS, _MOST_DECIMALS = 2, 4


@dataclass(frozen=True)
class _Rows:
    """Held-out rows. `calls` is what the bundle says of each: its label at the threshold."""

    labels: "NDArray[np.bool_]"
    scores: "NDArray[np.float64]"
    threshold: float

    @cached_property
    def calls(self) -> "NDArray[np.bool_]":
        return self.scores >= self.threshold


def _auc(rows: _Rows) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(rows.labels, rows.scores))


def _average_precision(rows: _Rows) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(rows.labels, rows.scores))


def _brier(rows: _Rows) -> float:
    from sklearn.metrics import brier_score_loss

    return float(brier_score_loss(rows.labels, rows.scores))


def _log_loss(rows: _Rows) -> float:
    from sklearn.metrics import log_loss

    return float(log_loss(rows.labels, rows.scores))


def _mean_probability(rows: _Rows) -> float:
    return float(rows.scores.mean())


def _accuracy(rows: _Rows) -> float:
    return float((rows.calls == rows.labels).mean())


def _balanced_accuracy(rows: _Rows) -> float:
    return (_recall(rows) + float((~rows.calls[~rows.labels]).mean())) / 2


def _precision(rows: _Rows) -> float:
    return float(rows.labels[rows.calls].mean()) if rows.calls.any() else 0.0


def _recall(rows: _Rows) -> float:
    return float(rows.calls[rows.labels].mean())


def _f1(rows: _Rows) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(rows.labels, rows.calls))


AT_THRESHOLD = ("accuracy", "balanced_accuracy", "precision", "recall", "f1")
MEASURED: Mapping[str, Callable[[_Rows], float]] = {
    "auc": _auc,
    "average_precision": _average_precision,
    "brier": _brier,
    "log_loss": _log_loss,
    "mean_probability": _mean_probability,
    "accuracy": _accuracy,
    "balanced_accuracy": _balanced_accuracy,
    "precision": _precision,
    "recall": _recall,
    "f1": _f1,
}
"""How each is measured, by the name that this project gives it."""
ALIASES: Mapping[str, str] = {
    "roc_auc": "auc",
    "auroc": "auc",
    "roc_auc_score": "auc",
    "average_precision_score": "average_precision",
    "brier_score": "brier",
    "brier_score_loss": "brier",
    "logloss": "log_loss",
    "accuracy_score": "accuracy",
    "balanced_accuracy_score": "balanced_accuracy",
    "precision_score": "precision",
    "recall_score": "recall",
    "f1_score": "f1",
}


def usual(name: str) -> str:
    """The name in `MEASURED` that `name` stands for, or `name` itself.

    >>> usual("ROC AUC"), usual("log-loss"), usual("cost")
    ('auc', 'log_loss', 'cost')
    """
    plain = name.strip().lower().replace("-", "_").replace(" ", "_")
    known = ALIASES.get(plain, plain)
    return known if known in MEASURED else name


def measure(
    names: "Mapping[str, object]",
    labels: "NDArray[np.bool_]",
    scores: "NDArray[np.float64]",
    *,
    threshold: float,
) -> dict[str, float]:
    """Those of `names` that can be measured on these rows, under the names given. Nothing where the rows do not allow
    it: one outcome alone, or an answer that is no number."""
    import numpy as np

    if not np.isfinite(scores).all() or labels.all() or not labels.any():
        return {}
    rows = _Rows(labels=labels, scores=scores, threshold=threshold)
    found = {name: MEASURED[usual(name)](rows) for name in names if usual(name) in MEASURED}
    return {name: value for name, value in found.items() if math.isfinite(value)}


def compare(
    stated: Mapping[str, float],
    labels: "NDArray[np.bool_]",
    scores: "NDArray[np.float64]",
    *,
    threshold: float,
    holdout: str,
) -> None:
    """Return if what a notebook has stated is what its model does on the held-out rows.

    Args:
        holdout: the name of the held-out batch.
    Raises: BundleError, naming each metric that is off by more than the rounding of the number stated.
    """
    off = [
        f"{name} {_shown(stated[name])} in the notebook, {_shown(found)} measured"
        + (f" at the threshold {threshold:g}" if usual(name) in AT_THRESHOLD else "")
        for name, found in measure(stated, labels, scores, threshold=threshold).items()
        if not _same(stated[name], found)
    ]
    if off:
        raise BundleError(
            "the notebook's `metrics`",
            f"they are not those of the model on the rows of {holdout}: {'; '.join(off)}",
            f"Measure them on the rows of {holdout} (`holdout`), with the model that is handed over; or give what is "
            "something else a name of its own, such as auc_train",
        )


def _same(stated: float, found: float) -> bool:
    """Whether `found` is `stated` but for the decimals that were not written out.

    >>> _same(0.767, 0.76749), _same(0.767, 0.7676), _same(0.7, 0.703), _same(0.7, 0.71), _same(1.0, 0.98)
    (True, False, True, False, False)
    """
    if not math.isfinite(stated):
        return False
    decimals = max(_FEWEST_DECIMALS, min(_MOST_DECIMALS, len(repr(stated).partition(".")[2])))
    return abs(stated - found) <= (0.5 + 1e-6) * 10.0**-decimals


def _shown(value: float) -> str:
    return f"{value:.6g}"
