"""Slices: weak ones behind a good average, and ones that are too small to judge."""

from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from proveout.errors import UsageError
from proveout.evaluation import fairness, metrics, slices
from proveout.gate.evidence import EvidenceRecorder, proves
from proveout.records.json_form import to_json
from proveout.records.verdict import Evidence

ROWS = 3_000


@pytest.fixture
def flights():
    """Two large carriers, one of 31 flights, and 40 flights whose carrier nobody knows; the model fails on B6."""
    random = np.random.default_rng(4)
    carrier = np.array(["UA"] * 1_500 + ["B6"] * 1_429 + ["HA"] * 31 + [None] * 40, dtype=object)
    probability = random.beta(1, 4, ROWS)
    late = random.random(ROWS) < probability
    scores = np.where(carrier == "B6", random.permutation(probability), probability)
    frame = pd.DataFrame({"carrier": carrier, "origin": random.choice(["EWR", "JFK"], ROWS), "late": late})
    return frame.assign(score=scores, hour=random.integers(0, 24, ROWS))


def state():
    return EvidenceRecorder(check="checks/test_model.py::test_carriers", write=lambda key, text: None)


def named(found, slice):
    [one] = [one for one in found if one.slice == slice]
    return one


def brier(labels, scores):
    return metrics.mean((scores - labels) ** 2, name="brier")


def test_a_slice_is_measured_on_its_own_rows_alone(flights):
    found = slices.judge(metrics.auc, flights.late, flights.score, by=flights.carrier, at_least=0.6)

    there = flights.carrier == "UA"
    one = named(found, "carrier=UA")
    assert one.value == pytest.approx(roc_auc_score(flights.late[there], flights.score[there]))
    assert (one.rows, one.name, one.level, one.at_least, one.covers) == (1_500, "auc", 0.95, 0.6, ("model-6",))
    assert one.low < one.value < one.high


def test_a_weak_slice_fails_the_check_though_the_average_is_good(flights):
    assert metrics.auc(flights.late, flights.score).value > 0.6
    with pytest.raises(AssertionError, match="on carrier=B6 \\(1,429 rows\\)"):
        state()(slices.judge(metrics.auc, flights.late, flights.score, by=flights.carrier, at_least=0.6))


def test_a_slice_too_small_says_so_and_neither_holds_nor_breaks(flights):
    """31 rows have an AUC, and it means nothing."""
    found = slices.judge(metrics.auc, flights.late, flights.score, by=flights.carrier, at_least=0.6)

    small = named(found, "carrier=HA")
    assert small.unjudged == "31 rows, asked for 200"
    assert (small.value, small.holds, small.breaks, small.rows, small.name) == (None, False, False, 31, "auc")


def test_a_missing_value_is_a_slice_of_its_own(flights):
    found = slices.judge(metrics.auc, flights.late, flights.score, by=flights.carrier, fewest=40, fewest_of_each=2)

    assert named(found, "carrier not known").rows == 40
    assert sum(one.rows for one in found[:-1]) == ROWS


@pytest.mark.parametrize(("trues", "said"), [(0, "0 rows of the rarer class"), (12, "12 rows of the rarer class")])
def test_a_slice_with_hardly_a_late_flight_is_not_judged(trues, said):
    labels = np.arange(500) < trues
    [one, last] = slices.judge(metrics.auc, labels, np.linspace(0, 1, 500), by=["UA"] * 500)

    assert one.unjudged == f"{said}, asked for 20"
    assert last.breaks


def test_a_check_does_not_pass_on_nothing(flights):
    """Asked for more rows than any slice has, every slice is unjudged: that must not look like a pass."""
    found = slices.judge(metrics.auc, flights.late, flights.score, by=flights.carrier, at_least=0.6, fewest=5_000)

    assert all(one.unjudged for one in found[:-1])
    assert (found[-1].name, found[-1].value) == ("rows not judged", 1.0)
    with pytest.raises(AssertionError, match="rows not judged is 1"):
        state()(found)


def test_what_is_not_judged_is_counted_in_rows(flights):
    found = slices.judge(metrics.auc, flights.late, flights.score, by=flights.carrier, unjudged_at_most=0.02)

    assert found[-1].value == pytest.approx(71 / ROWS)
    assert found[-1].breaks


@pytest.mark.parametrize(
    "found",
    [
        lambda f: slices.judge(metrics.auc, f.late, f.score, by=f.carrier, fewest=10**6, unjudged_at_most=1.0),
        lambda f: slices.judge(
            metrics.auc, f.late, f.score, by=f.carrier, at_least=0.6, fewest=10**6, unjudged_at_most=None
        ),
        lambda f: slices.gap(metrics.auc, f.late, f.score, by=f.carrier, fewest=10**6, unjudged_at_most=1.0),
        lambda f: fairness.rates(f.late, f.score, by=f.carrier, threshold=0.5, fewest=10**6, unjudged_at_most=1.0),
        lambda f: fairness.gap(f.late, f.score, by=f.carrier, threshold=0.5, fewest=10**6, unjudged_at_most=None),
    ],
)
def test_groups_of_which_none_is_judged_are_no_evidence(flights, found):
    """A bound that lets all rows be left out is kept by nothing at all: the check has proven nothing."""
    said = [proves(to_json(one)) for one in found(flights)]

    assert False in said
    assert True not in said
    # With something judged, the same bound is one that a person chose.
    assert slices.not_judged(99, 100, at_most=1.0, covers=()).holds


def test_two_columns_are_crossed(flights):
    by = {"carrier": flights.carrier, "hour": slices.bands(flights.hour, [0, 12, 24])}
    found = slices.judge(brier, flights.late, flights.score, by=by)
    same = slices.judge(brier, flights.late, flights.score, by=pd.DataFrame(by))

    night = (flights.carrier == "UA") & (flights.hour < 12)
    one = named(found, "carrier=UA & hour=[0, 12)")
    assert one.rows == night.sum()
    assert one.value == pytest.approx(((flights.score - flights.late)[night] ** 2).mean())
    assert found == same


def test_a_metric_of_scikit_learn_gets_an_interval(flights):
    rows = flights.iloc[:400]
    [one, _] = slices.judge(roc_auc_score, rows.late, rows.score, by=rows.carrier)

    assert one.name == "roc_auc_score"
    assert one.low < one.value < one.high


def test_the_champion_stands_beside_the_candidate(flights):
    found = slices.judge(metrics.auc, flights.late, flights.late * 1.0, by=flights.carrier, champion=flights.score)

    one = named(found, "carrier=UA")
    assert (one.value, one.champion) == (1.0, metrics.auc(flights.late[:1500], flights.score[:1500]).value)


def test_surely_asks_it_of_the_interval(flights):
    value = named(slices.judge(brier, flights.late, flights.score, by=flights.carrier), "carrier=UA").value

    hopes, knows = (
        named(slices.judge(brier, flights.late, flights.score, by=flights.carrier, at_most=value, surely=surely), one)
        for surely, one in ((False, "carrier=UA"), (True, "carrier=UA"))
    )

    assert hopes.holds
    assert knows.breaks


def test_clusters_reach_the_measure(flights):
    """Flights of one day are late together: the interval has to know."""
    days = np.arange(ROWS) % 30
    scores = np.clip(flights.score + (days % 5) / 10, 0, 1)
    measure = partial(metrics.mean, name="scores")

    def mean_score(labels, scores, clusters=None):
        return measure(scores, clusters=clusters)

    plain, clustered = (
        named(slices.judge(mean_score, flights.late, scores, by=flights.carrier, clusters=clusters), "carrier=UA")
        for clusters in (None, days)
    )

    assert clustered.value == plain.value
    assert clustered.high - clustered.low > 1.5 * (plain.high - plain.low)
    with pytest.raises(UsageError, match="takes no clusters="):
        slices.judge(lambda labels, scores: Evidence(name="x", value=1), flights.late, scores, by=days, clusters=days,
                     fewest=1, fewest_of_each=1)  # fmt: skip


def test_every_row_is_in_a_band():
    hours = [-1.0, 0, 5.9, 6, 23, 24, 24.1, None]

    banded = slices.bands(hours, [0, 6, 24], name="hour")

    assert banded.name == "hour"
    assert [*banded[:-1], banded.isna().iloc[-1]] == [
        "below 0", "[0, 6)", "[0, 6)", "[6, 24]", "[6, 24]", "[6, 24]", "above 24", True,
    ]  # fmt: skip
    assert list(slices.bands([1, 7], [0, 6, 24], ["night", "day"])) == ["night", "day"]


@pytest.mark.parametrize("edges", [[0], [0, 0], [6, 0]])
def test_edges_that_are_none_are_refused(edges):
    with pytest.raises(UsageError, match="rising"):
        slices.bands([1, 2], edges)


@pytest.mark.parametrize("labels", [["night"], ["night", "night"]])
def test_each_band_has_a_label_of_its_own(labels):
    with pytest.raises(UsageError, match="a label of its own for each of the 2 bands"):
        slices.bands([1, 2], [0, 6, 24], labels)


def test_quantile_bands_have_equally_many_rows_and_keep_equal_values_together():
    random = np.random.default_rng(0)

    equal = slices.quantile_bands(random.normal(size=1_000), 4).value_counts()
    tied = slices.quantile_bands([0.0] * 900 + list(range(1, 101)), 4)

    assert sorted(equal) == [250] * 4
    assert tied[:900].nunique() == 1
    assert slices.quantile_bands([None, None]).isna().all()
    assert list(slices.quantile_bands([3.0, 3.0])) == ["[3, 4]"] * 2


def test_edges_that_lie_near_each_other_keep_names_of_their_own():
    banded = slices.bands([1.00000001, 1.00000002], [1, 1.000000015, 1.00000003])

    assert banded.nunique() == 2


def test_a_column_of_numbers_is_not_taken_for_slices(flights):
    with pytest.raises(UsageError, match=r"by=score gives 2,253 slices. Numbers want slices.bands\(values, edges\)"):
        slices.judge(metrics.auc, flights.late, flights.score, by=flights.score)


@pytest.mark.parametrize("by", [["UA"] * 10, {}])
def test_a_column_that_does_not_fit_is_refused(flights, by):
    with pytest.raises(UsageError):
        slices.judge(metrics.auc, flights.late, flights.score, by=by)


def test_an_answer_that_is_missing_is_not_left_out(flights):
    """A model that cannot answer a carrier must not be judged on the others."""
    scores = flights.score.where(flights.carrier != "HA")

    with pytest.raises(UsageError, match="no finite number"):
        slices.judge(metrics.auc, flights.late, scores, by=flights.carrier)


def test_values_of_several_types_make_slices():
    found = slices.judge(brier, [True, False] * 200, [0.5] * 400, by=[1, "a", True, 2.0] * 100, fewest=1)

    assert sum(one.rows for one in found[:-1]) == 400


def test_the_slice_furthest_from_the_rest_is_found(flights):
    furthest, last = slices.gap(metrics.auc, flights.late, flights.score, by=flights.carrier, at_most=0.1)

    there = flights.carrier == "B6"
    rest = roc_auc_score(flights.late[~there], flights.score[~there])
    assert furthest.value == pytest.approx(rest - roc_auc_score(flights.late[there], flights.score[there]))
    assert (furthest.slice, furthest.low > 0.1, furthest.breaks, last.holds) == ("carrier=B6", True, True, True)


def test_the_largest_distance_of_equal_slices_is_mostly_chance():
    """The furthest of ten equal slices is always some way off; its interval has to reach 0 in 95 of 100 trials."""
    found = []
    for seed in range(100):
        random = np.random.default_rng(seed)
        by = np.arange(2_000) % 10
        [furthest, _] = slices.gap(brier, random.random(2_000) < 0.3, random.random(2_000), by=by, fewest=100)
        found.append(furthest)

    assert sum(one.low > 0 for one in found) <= 11  # more than 11 of 100 at 5 %: one time in 200
    assert all(one.value > 0 for one in found)


def test_a_bad_day_is_no_distance_of_the_slice_that_flew_on_it():
    """With clusters the interval reaches 0 in 95 of 100 trials or more; without them it seldom does."""
    found, unaware = 0, 0
    for seed in range(100):
        random = np.random.default_rng(seed)
        day = random.integers(0, 40, 2_000)
        by = (random.random(2_000) < np.linspace(0, 1, 40)[random.permutation(40)][day]).astype(int)
        errors = random.random(40)[day] + random.random(2_000)
        asked = {"labels": errors, "scores": errors, "by": by, "fewest": 100, "fewest_of_each": 0}
        found += slices.gap(_mean, clusters=day, **asked)[0].low > 0
        unaware += slices.gap(_mean, **asked)[0].low > 0

    assert found <= 11  # more than 11 of 100 at 5 %: one time in 200
    assert unaware > 20  # four times what is stated


def _mean(labels, scores, clusters=None):
    return metrics.mean(scores, clusters=clusters)


def test_one_slice_alone_has_no_rest_to_be_far_from():
    furthest, last = slices.gap(brier, [True, False] * 200, [0.5] * 400, by=["UA"] * 400)

    assert furthest.unjudged
    assert (last.value, last.breaks) == (1.0, True)
