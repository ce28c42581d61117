"""Calibration: a perfect model passes, squared probabilities do not, and chance is not held against anybody."""

import numpy as np
import pytest

from proveout.errors import UsageError
from proveout.evaluation import calibration
from proveout.gate.evidence import EvidenceRecorder


def perfect(rows, seed=0):
    """Probabilities, and labels that are true with these probabilities."""
    random = np.random.default_rng(seed)
    probabilities = random.beta(1.2, 6, rows)
    return random.random(rows) < probabilities, probabilities


def evidence(found):
    return EvidenceRecorder(check="checks/test_model.py::test_calibration", write=lambda key, text: None)(found)


def plain_error(labels, probabilities, bins=15):
    """The usual estimate, which chance makes larger: what `error` is not."""
    order = np.argsort(probabilities)
    parts = np.array_split(order, bins)
    squares = [len(part) * (probabilities[part].mean() - labels[part].mean()) ** 2 for part in parts]
    return (sum(squares) / len(labels)) ** 0.5


def test_a_perfect_model_passes():
    labels, probabilities = perfect(10_000)

    found = evidence(calibration.error(labels, probabilities, at_most=0.02, surely=True))

    assert found.low == 0.0
    assert found.decision == "no further off than chance"
    assert found.rows == 10_000


def test_squared_probabilities_do_not_pass():
    labels, probabilities = perfect(10_000)
    found = calibration.error(labels, probabilities**2, at_most=0.05)

    assert found.low > 0.05
    assert found.decision == "further off than chance"
    with pytest.raises(AssertionError, match=r"calibration error is 0\.1"):
        evidence(found)


def test_what_chance_adds_is_taken_off():
    """With 300 rows the plain estimate of a perfect model is above 0.05: a bound on it would be a bound on the rows."""
    models = [perfect(300, seed) for seed in range(40)]

    found = [calibration.error(*model, resamples=200).value for model in models]
    plain = [plain_error(*model) for model in models]

    assert np.median(plain) > 0.05
    assert np.median(found) < 0.02


def test_the_interval_holds_the_true_error():
    """Probabilities that are 0.05 too high in every bin: the error is known, 0.05. Asked of 60 models; 95 % should."""
    held, alarms = 0, 0
    for seed in range(60):
        labels, probabilities = perfect(2_000, seed)
        off = calibration.error(labels, np.minimum(probabilities + 0.05, 1), resamples=300)
        held += off.low <= 0.05 <= off.high
        alarms += calibration.error(labels, probabilities, resamples=300).low > 0

    assert held >= 52  # fewer than 52 of 60 at 95 %: one time in 500
    assert alarms <= 6  # more than 6 of 60 at 2.5 %: one time in 1,500


def test_days_that_go_wrong_together_widen_the_interval():
    """On a day of thunderstorms everyone is late: 10,000 flights of 30 days are not 10,000 trials."""
    random = np.random.default_rng(1)
    days = np.arange(10_000) % 30
    probabilities = random.beta(2, 6, 10_000)
    storm = random.normal(0, 0.1, 30)[days]
    labels = random.random(10_000) < np.clip(probabilities + storm, 0, 1)

    plain, clustered = (calibration.error(labels, probabilities, clusters=clusters) for clusters in (None, days))

    assert clustered.high - clustered.low > 2 * (plain.high - plain.low)
    assert calibration.error(labels, probabilities, clusters=days % 5).unjudged == "5 clusters, a bootstrap needs 10"


def test_too_few_rows_are_not_judged():
    labels, probabilities = perfect(199)
    found = calibration.error(labels, probabilities, at_most=0.05)

    assert (found.unjudged, found.value, found.holds, found.breaks) == ("199 rows, asked for 200", None, False, False)


@pytest.mark.parametrize("constant", [0.0, 0.3, 1.0])
def test_a_constant_is_judged_by_its_mean(constant):
    """All probabilities are equal, so there is one bin."""
    labels = np.arange(1_000) % 10 < 3

    found = calibration.error(labels, np.full(1_000, constant), at_most=0.05)

    assert found.value == pytest.approx(abs(constant - 0.3), abs=0.001)
    assert found.holds == (constant == 0.3)


def test_an_oracle_has_no_error():
    labels = np.arange(1_000) % 2 == 0
    found = calibration.error(labels, labels.astype(float))

    assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)


def test_equal_probabilities_share_a_bin_whatever_the_order_of_rows():
    """If ties were split by their place in the file, the bins would depend on the order of rows, such as the date."""
    labels = np.arange(1_000) < 300
    probabilities = np.where(np.arange(1_000) % 2, 0.3, 0.30000001)

    [low, high] = calibration.table(labels, probabilities)

    assert (low.rows, high.rows, low.observed, high.observed) == (500, 500, 0.3, 0.3)


@pytest.mark.parametrize("probabilities", [[0.1, 1.2], [0.1, -0.1], [0.1, float("nan")], [0.1]])
def test_what_is_no_probability_is_refused(probabilities):
    with pytest.raises(UsageError):
        calibration.error([True, False], probabilities)


def test_the_mean_is_bounded_to_both_sides():
    labels, probabilities = perfect(5_000)

    right = calibration.in_the_large(labels, probabilities, within=0.02)
    high, low = (calibration.in_the_large(labels, probabilities + off, within=0.02) for off in (0.05, -0.0))
    under = calibration.in_the_large(labels, probabilities / 2, within=0.02)

    assert right.low < 0 < right.high
    assert (right.holds, low.holds, high.breaks, under.breaks) == (True, True, True, True)
    assert under.value == pytest.approx((probabilities / 2).mean() - labels.mean())


def test_the_table_says_what_was_promised_and_what_happened():
    labels, probabilities = perfect(6_000)

    table = calibration.table(labels, probabilities, bins=10)

    assert [one.rows for one in table] == [600] * 10
    assert all(one.observed_low < one.observed < one.observed_high for one in table)
    assert all(one.lowest <= one.promised <= one.highest for one in table)
    assert sum(one.observed_low <= one.promised <= one.observed_high for one in table) >= 8
    assert sum(one.rows * one.observed for one in table) == pytest.approx(labels.sum())
    assert calibration.table([], []) == ()
