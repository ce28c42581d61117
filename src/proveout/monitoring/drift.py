"""Drift tests: does a window of rows still look like the training rows? With a stated false alarm rate.

Input: two tables and the columns to compare. Output: one `DriftTest` per test, of inputs, of answers, and of all inputs
jointly. The tests themselves are in `drift_tests/`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import pandas as pd

from proveout.errors import DriftError
from proveout.monitoring.drift_tests import families, joint, psi, two_sample, verdict_text
from proveout.monitoring.drift_tests.column_kind import Column, Levels, kind_of, levels, numbers
from proveout.monitoring.drift_tests.measurement import Measurement
from proveout.records.drift_report import DriftTest, Part, TestName

FEWEST_ROWS = 20
"""Fewest rows per side: with fewer, no test in a family of twenty could ever alarm."""

WEIGHTS: Mapping[TestName, float] = {
    "ks": 4, "chi2": 4, "nulls": 2, "new_levels": 1, "cardinality": 1, "mmd": 4, "domain_classifier": 4, "psi": 0,
}  # fmt: skip
"""Shares of drift_alpha: most for the tests that see most. The stability index sees what they see, and has none."""

Reference: TypeAlias = "pd.DataFrame | Mapping[str, Column]"


@dataclass(frozen=True, kw_only=True)
class _Named:
    """One test, before its family is known."""

    part: Part
    column: str
    test: TestName
    found: Measurement
    rows: tuple[int, int]
    counted: "two_sample.Counts | None" = None  # rows per side and bin, of a stability index


def compare(
    reference: Reference,
    window: pd.DataFrame,
    columns: Sequence[str],
    *,
    drift_alpha: float,
    answers: Sequence[str] = (),
    jointly: bool = False,
) -> tuple[DriftTest, ...]:
    """Test each column of `window` against `reference`, in the order of `columns`; then the answers, then all jointly.

    A numeric column gets `ks` over its values, a text column `chi2` over its levels, with rare ones pooled,
    `new_levels` and `cardinality`; either gets `nulls` if a side has any, and the stability index `psi`. The family
    alarms by chance with probability `drift_alpha` at most: weighted Bonferroni over all tests but the index (see
    `WEIGHTS`).

    Args:
        reference: a frame, or columns that need not have the same rows.
        drift_alpha: probability of any alarm without drift, 0 to 1.
        answers: columns of the model's output: black-box shift detection.
        jointly: also test all of `columns` together; they need a reference with the same rows.
    Raises: DriftError if a side has fewer than 20 rows, lacks a column, or the sides differ in type.
    """
    asked = [*dict.fromkeys(columns), *answers]
    shortest = min((len(reference[column]) for column in asked if column in reference), default=FEWEST_ROWS)
    for side, rows in (("The reference", shortest), ("The window", len(window))):
        if rows < FEWEST_ROWS:
            raise DriftError(side, f"it has {rows} rows, and a test needs at least {FEWEST_ROWS}")
    if not asked:
        raise DriftError("The window", "no column was named")
    measured = [
        test
        for column in asked
        for test in _of_column(column, reference, window, part="answers" if column in answers else "inputs")
    ]
    if jointly and columns:
        rest = sum(WEIGHTS[one.test] for one in measured)
        measured += _jointly(reference, window, list(dict.fromkeys(columns)), drift_alpha=drift_alpha, rest=rest)
    return _judged(measured, drift_alpha=drift_alpha)


def _judged(measured: Sequence[_Named], *, drift_alpha: float) -> tuple[DriftTest, ...]:
    levels = families.levels([WEIGHTS[one.test] for one in measured], alpha=drift_alpha)
    family = [one.found.p_value for one in measured if WEIGHTS[one.test]]
    flags = iter(families.listed(family, share=drift_alpha))
    indices = sum(one.test == "psi" for one in measured)
    judged = []
    for one, level in zip(measured, levels, strict=True):
        test = DriftTest(
            part=one.part, column=one.column, test=one.test, level=level,
            statistic=one.found.statistic, p_value=one.found.p_value, effect=one.found.effect,
            reference_rows=one.rows[0], window_rows=one.rows[1], verdict="",
            alarmed=bool(level) and one.found.p_value <= level,
            listed=bool(level) and next(flags),
        )  # fmt: skip
        if one.counted is not None:
            stable = psi.stability(one.counted, level=drift_alpha / indices)
            index, chance = stable.index, stable.chance
            test = replace(test, statistic=index, effect=index, p_value=stable.p_value, chance=chance)
        judged.append(replace(test, verdict=verdict_text.verdict(test)))
    return tuple(judged)


def _of_column(column: str, reference: Reference, window: pd.DataFrame, *, part: Part) -> Iterator[_Named]:
    for side, frame in (("reference", reference), ("window", window)):
        if column not in frame:
            raise DriftError(column, f"the {side} has no such column")
    before, after = reference[column], window[column]
    kinds = {kind_of(before), kind_of(after)} - {"empty"}
    if len(kinds) == 2:
        raise DriftError(
            column, f"it is {kind_of(before)} in the reference and {kind_of(after)} in the window: correct the source"
        )
    if kinds == {"numeric"}:
        yield from _numeric(column, before, after, part=part)
    elif kinds:
        yield from _text(column, levels(before, after), part=part)
    gone = [int(side.isna().sum()) for side in (before, after)]
    if any(gone):
        found = two_sample.nulls(reference=(gone[0], len(before)), window=(gone[1], len(after)))
        rows = (len(before), len(after))
        yield _Named(part=part, column=column, test="nulls", found=found, rows=rows)


def _numeric(column: str, before: Column, after: Column, *, part: Part) -> Iterator[_Named]:
    known = numbers(before), numbers(after)
    rows = len(known[0]), len(known[1])
    below = two_sample.cumulated(*known)
    yield _Named(part=part, column=column, test="ks", found=two_sample.ks(*below), rows=rows)
    yield _index(column, psi.bins(*below), rows, part=part)


def _text(column: str, found: Levels, *, part: Part) -> Iterator[_Named]:
    rows = int(found.reference.sum()), int(found.window.sum())
    pooled = two_sample.table(found)
    yield _Named(part=part, column=column, test="chi2", found=two_sample.chi2(pooled), rows=rows)
    yield _index(column, pooled, rows, part=part)
    if part == "inputs":
        yield _Named(part=part, column=column, test="new_levels", found=two_sample.new_levels(found), rows=rows)
        yield _Named(part=part, column=column, test="cardinality", found=two_sample.cardinality(found), rows=rows)


def _index(column: str, counted: two_sample.Counts, rows: tuple[int, int], *, part: Part) -> _Named:
    none = Measurement(statistic=0.0, p_value=1.0, effect=0.0)  # its numbers need the size of the family
    return _Named(part=part, column=column, test="psi", found=none, rows=rows, counted=counted)


def _jointly(
    reference: Reference, window: pd.DataFrame, columns: list[str], *, drift_alpha: float, rest: float
) -> Iterator[_Named]:
    before = pd.DataFrame({name: reference[name].reset_index(drop=True) for name in columns})
    own = WEIGHTS["mmd"], WEIGHTS["domain_classifier"]
    level = drift_alpha * own[0] / (rest + sum(own))
    rows, first = joint.matrix(before, window[columns], rows=joint.MMD_ROWS)
    found = joint.mmd(rows, first, level=level)
    yield _Named(part="jointly", column="", test="mmd", found=found, rows=(first, len(rows) - first))
    rows, first = joint.matrix(before, window[columns], rows=joint.CLASSIFIER_ROWS, seed=1)
    found = joint.domain_classifier(rows, first)
    yield _Named(part="jointly", column="", test="domain_classifier", found=found, rows=(first, len(rows) - first))


def note(test: DriftTest) -> str:
    """A note on a test that needs one: a side without values, nothing to compare, an approximate p-value."""
    for side, rows in (("the reference", test.reference_rows), ("the window", test.window_rows)):
        if rows == 0:
            return f"no value in {side}: see the test of its missing values"
    if test.statistic == 0 and test.p_value == 1 and test.test in {"ks", "chi2"}:
        return "alike on both sides" if test.test == "ks" else "one level, or rare ones only: nothing to tell apart"
    if test.test == "ks" and test.reference_rows + test.window_rows > two_sample.EXACT_ROWS:
        return "asymptotic p-value"
    return ""
