"""Tests of all columns at once: do rows look different, though no column by itself does?

Input: two tables. Output: `Measurement`. Pure: seeded, at most so many rows of each side as stated. Maximum mean
discrepancy with permutations, and a classifier that tells the sides apart.
"""

import numpy as np
import numpy.typing as npt
import pandas as pd

from proveout.monitoring.drift_tests.column_kind import Column, kind_of
from proveout.monitoring.drift_tests.measurement import Measurement

MMD_ROWS = 500
CLASSIFIER_ROWS = 600
"""Rows of each side that the tests look at, drawn at random: more would cost more than they see."""

MOST_PERMUTATIONS = 5_000
EXCEEDED = 12
"""Permutations end once so many were as large: then the p-value is known well enough (Besag and Clifford 1991)."""

_LEVELS = 12  # levels of a text column with an indicator of their own, the most frequent ones
_PORTION = 200
_FEATURES = 64

Matrix = npt.NDArray[np.float64]


def matrix(reference: pd.DataFrame, window: pd.DataFrame, *, rows: int, seed: int = 0) -> tuple[Matrix, int]:
    """At most `rows` rows of each side as numbers, those of the reference first, and how many these are.

    A number becomes its rank among the drawn rows, from -1 to 1, so that no unit and no outlier counts more; a text
    becomes indicators of its most frequent levels; a column with nulls has an indicator of them.
    """
    rng = np.random.default_rng(seed)
    drawn = [side.iloc[np.sort(rng.permutation(len(side))[:rows])] for side in (reference, window)]
    columns: list[Matrix] = []
    for name in reference.columns:
        kinds = {kind_of(side[name]) for side in drawn}
        both = pd.concat([side[name].astype(object) for side in drawn], ignore_index=True)
        columns += _numeric(both) if "text" not in kinds else _text(both)
    return np.column_stack(columns), len(drawn[0])


def _numeric(values: Column) -> list[Matrix]:
    numbers = pd.Series(values.to_numpy(dtype=np.float64, na_value=np.nan))
    gone = numbers.isna().to_numpy()
    ranks = numbers.rank() / max(1, int((~gone).sum())) * 2 - 1
    found: list[Matrix] = [np.asarray(ranks.fillna(0.0), dtype=np.float64)]
    return [*found, np.asarray(gone, dtype=np.float64)] if gone.any() else found


def _text(values: Column) -> list[Matrix]:
    codes, names = pd.factorize(values)  # a null is -1, a level of its own
    most = np.argsort(-np.bincount(codes + 1, minlength=len(names) + 1), kind="stable")[:_LEVELS]
    return [(codes + 1 == level).astype(np.float64) for level in most]


def mmd(rows: Matrix, reference_rows: int, *, level: float, seed: int = 0) -> Measurement:
    """Maximum mean discrepancy of two samples with a Gaussian kernel of the median distance; p-value by permutations.

    The kernel is that of 64 random Fourier features, which makes a permutation ten times cheaper; the p-value is right
    for it. The effect is the root of the squared discrepancy, 0 to about 1.4.
    Sources: A. Gretton et al., A kernel two-sample test, Journal of Machine Learning Research 13 (2012); A. Rahimi and
    B. Recht, Random features for large-scale kernel machines, NIPS 2007.

    Args:
        rows: both sides, those of the reference first, shape (rows, columns).
        level: the p-value that has to be reachable: it decides how many permutations there are at most.
    """
    permutations = int(np.clip(2 / level, _PORTION, MOST_PERMUTATIONS))
    rng = np.random.default_rng(seed)
    features = _fourier(rows, rng)
    features -= features.mean(axis=0)
    number = len(rows)
    # The features sum to 0, so the difference of the means is this multiple of the sum over the reference rows.
    scale = (1 / reference_rows + 1 / (number - reference_rows)) ** 2
    statistic = scale * float((features[:reference_rows].sum(axis=0) ** 2).sum())
    exceeded = done = 0
    while done < permutations and exceeded < EXCEEDED:
        drawn = rng.random((_PORTION, number), dtype=np.float32)
        last = np.partition(drawn, reference_rows - 1, axis=1)[:, reference_rows - 1 : reference_rows]
        chance = scale * (((drawn <= last).astype(np.float32) @ features) ** 2).sum(axis=1)
        # Sums in another order differ in the last bits.
        done, exceeded = done + _PORTION, exceeded + int((chance >= statistic * (1 - 1e-5)).sum())
    return Measurement(statistic=statistic, p_value=(exceeded + 1) / (done + 1), effect=float(np.sqrt(statistic)))


def _fourier(rows: Matrix, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Features whose inner products are about a Gaussian kernel, shape (rows, 64)."""
    some = rows[rng.permutation(len(rows))[:200]]
    squares = (some**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares[None, :] - 2 * some @ some.T, 0.0)
    width = float(np.sqrt(np.median(distances[np.triu_indices(len(some), 1)]) / 2)) or 1.0
    angles = rows @ (rng.normal(size=(rows.shape[1], _FEATURES // 2)) / width)
    found = np.hstack([np.cos(angles), np.sin(angles)]) * np.sqrt(2 / _FEATURES)
    return np.asarray(found, dtype=np.float32)


def domain_classifier(rows: Matrix, reference_rows: int, *, seed: int = 0) -> Measurement:
    """A forest learns on half of the rows which side they are from, and is asked about the other half.

    The statistic is its AUC there, 0.5 if it cannot tell. The p-value is that of Mann and Whitney, one-sided. The
    effect is the AUC less 0.5.
    Source: D. Lopez-Paz and M. Oquab, Revisiting classifier two-sample tests, ICLR 2017.
    """
    from scipy.stats import mannwhitneyu
    from sklearn.ensemble import ExtraTreesClassifier

    side = np.arange(len(rows)) >= reference_rows
    order = np.random.default_rng(seed).permutation(len(rows))
    learned = np.zeros(len(rows), dtype=bool)
    for one in (False, True):
        of_side = order[side[order] == one]
        learned[of_side[: len(of_side) // 2]] = True
    forest = ExtraTreesClassifier(20, min_samples_leaf=8, class_weight="balanced", random_state=seed, n_jobs=1)
    said = forest.fit(rows[learned], side[learned]).predict_proba(rows[~learned])[:, 1]
    asked = side[~learned]
    test = mannwhitneyu(said[asked], said[~asked], alternative="greater", method="asymptotic")
    auc = float(test.statistic) / (int(asked.sum()) * int((~asked).sum()))
    return Measurement(statistic=auc, p_value=float(np.nan_to_num(test.pvalue, nan=1.0)), effect=auc - 0.5)
