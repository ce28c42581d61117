"""Drift tests: does a window of rows still look like the training rows? With a stated false alarm rate.

Input: two frames and the columns to compare. Output: one `ColumnDrift` per test. Only importer of scipy.

Both frames are samples, so all tests are two-sample tests. If the reference counts as the exact distribution, as in
whylogs and evidently for text columns, most windows without drift raise an alarm.
"""

import warnings
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from proveout.errors import DriftError
from proveout.records.drift_report import ColumnDrift

FEWEST_ROWS = 20
"""Fewest rows per side: with fewer, no test in a family of twenty could ever alarm."""

FEWEST_EXPECTED = 5.0
"""Least expected count of a cell in the contingency table for chi-square to be valid (Cochran 1954)."""

EXACT_ROWS = 10_000
"""Up to this many rows per side, the Kolmogorov-Smirnov p-value is exact; beyond, the asymptotic one is as good."""

MISSING = "(missing)"

Column: TypeAlias = "pd.Series[Any]"
Reference: TypeAlias = "pd.DataFrame | Mapping[str, Column]"


def compare(
    reference: Reference, window: pd.DataFrame, columns: Sequence[str], *, drift_alpha: float
) -> tuple[ColumnDrift, ...]:
    """Test each column of `window` against `reference`: one or two tests per column, in the order of `columns`.

    A numeric column gets `ks` over its values and, if either side has nulls, `chi2` over null or not. A text column
    gets one `chi2` over its levels, where null is a level and rare levels are pooled. A table of two levels uses
    Fisher's exact test. Ties make `ks` conservative: fewer false alarms, never more.

    Args:
        reference: a frame, or columns that need not have the same rows.
        drift_alpha: probability of any alarm without drift, 0 to 1. Bonferroni: a test alarms if its p-value is at most
            `drift_alpha` / number of tests returned.
    Raises: DriftError if a side has fewer than 20 rows, lacks a column, or the sides differ in type.
    """
    shortest = min((len(reference[column]) for column in columns if column in reference), default=FEWEST_ROWS)
    for side, rows in (("The reference", shortest), ("The window", len(window))):
        if rows < FEWEST_ROWS:
            raise DriftError(side, f"it has {rows} rows, and a test needs at least {FEWEST_ROWS}")
    tests = [test for column in dict.fromkeys(columns) for test in _tests(column, reference, window)]
    if not tests:
        raise DriftError("The window", "no column was named")
    share = drift_alpha / len(tests)
    return tuple(replace(test, alarmed=test.p_value <= share) for test in tests)


def note(test: ColumnDrift) -> str:
    """A note on a test that needs one: a side without values, nothing to compare, no exact p-value.

    >>> note(ColumnDrift(column="wind_gust", test="ks", statistic=0.0, p_value=1.0, alarmed=False,
    ...                  reference_rows=2000, window_rows=0))
    'no value in the window: see the test of its missing values'
    """
    for side, rows in (("the reference", test.reference_rows), ("the window", test.window_rows)):
        if rows == 0:
            return f"no value in {side}: see the test of its missing values"
    if test.statistic == 0 and test.p_value == 1:
        return "alike on both sides" if test.test == "ks" else "one level, or rare ones only: nothing to tell apart"
    if test.test == "ks" and max(test.reference_rows, test.window_rows) > EXACT_ROWS:
        return "asymptotic p-value"
    return ""


def kind_of(values: Column) -> Literal["numeric", "text", "empty"]:
    """How a column is compared; a column without values takes the kind of the other side."""
    if not values.notna().any():
        return "empty"
    inferred = pd.api.types.infer_dtype(values, skipna=True)
    return "numeric" if inferred in {"integer", "floating", "mixed-integer-float"} else "text"


def _tests(column: str, reference: Reference, window: pd.DataFrame) -> Iterator[ColumnDrift]:
    for side, frame in (("reference", reference), ("window", window)):
        if column not in frame:
            raise DriftError(column, f"the {side} has no such column")
    before, after = reference[column], window[column]
    kinds = {kind_of(before), kind_of(after)} - {"empty"}
    if len(kinds) == 2:
        raise DriftError(
            column, f"it is {kind_of(before)} in the reference and {kind_of(after)} in the window: correct the source"
        )
    if kinds != {"numeric"}:
        yield _chi2(column, _levels(before), _levels(after))
        return
    yield _ks(column, _numbers(before), _numbers(after))
    if before.isna().any() or after.isna().any():
        yield _chi2(column, Counter(before.isna()), Counter(after.isna()))


def _numbers(values: Column) -> npt.NDArray[np.float64]:
    numbers: npt.NDArray[np.float64] = values.dropna().to_numpy(dtype=np.float64)
    return numbers


def _levels(values: Column) -> Counter[Hashable]:
    return Counter(MISSING if missing else value for value, missing in zip(values, values.isna(), strict=True))


def _ks(column: str, before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> ColumnDrift:
    from scipy.stats import ks_2samp

    statistic, p_value = 0.0, 1.0
    if len(before) and len(after):
        method = "exact" if max(len(before), len(after)) <= EXACT_ROWS else "asymp"
        with warnings.catch_warnings():
            # If the exact computation fails, scipy warns and uses the asymptotic one; not seen up to EXACT_ROWS.
            warnings.simplefilter("ignore", RuntimeWarning)
            answer = ks_2samp(before, after, method=method)
        statistic, p_value = float(answer.statistic), float(answer.pvalue)
    return ColumnDrift(
        column=column, test="ks", statistic=statistic, p_value=p_value, alarmed=False,
        reference_rows=len(before), window_rows=len(after),
    )  # fmt: skip


def _chi2(column: str, before: Counter[Hashable], after: Counter[Hashable]) -> ColumnDrift:
    from scipy.stats import chi2_contingency, fisher_exact

    table = _table(before, after)
    statistic, p_value = 0.0, 1.0
    if table.shape[1] > 1:
        answer = chi2_contingency(table, correction=False)
        statistic, p_value = float(answer.statistic), float(answer.pvalue)
    if table.shape[1] == 2:
        p_value = min(1.0, float(fisher_exact(table).pvalue))
    return ColumnDrift(
        column=column, test="chi2", statistic=statistic, p_value=p_value, alarmed=False,
        reference_rows=before.total(), window_rows=after.total(),
    )  # fmt: skip


def _table(before: Counter[Hashable], after: Counter[Hashable]) -> npt.NDArray[np.int64]:
    """Rows per side and level, shape (2, levels), with rare levels pooled.

    Rare levels are chosen by the sum of both sides, so that the choice does not depend on a row's side, which would
    make the p-value wrong.
    """
    both = before + after
    smaller = min(before.total(), after.total()) / both.total()
    rare = {level for level, rows in both.items() if rows * smaller < FEWEST_EXPECTED}
    groups: list[set[Hashable]] = [{level} for level, _ in both.most_common() if level not in rare]
    if rare and len(groups) > 1 and sum(both[level] for level in rare) * smaller < FEWEST_EXPECTED:
        groups[-1] |= rare  # if the pool itself is rare, it joins the smallest level
    elif rare:
        groups.append(rare)
    return np.array([[sum(side[level] for level in group) for group in groups] for side in (before, after)])
