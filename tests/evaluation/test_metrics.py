"""How sure a number is: against published examples, against slow and simple code, and by how often the truth
lies within."""

import math
from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, t
from sklearn.metrics import accuracy_score, fbeta_score, log_loss, roc_auc_score

from proveout.errors import UsageError
from proveout.evaluation import metrics
from proveout.evaluation.stats import bootstrap, delong


def ranked(rng, rows, distance=1.0, share=0.3):
    """Labels, and scores that lie `distance` standard deviations higher for true ones."""
    labels = rng.random(rows) < share
    return labels, rng.normal(size=rows) + distance * labels


def brute(labels, scores):
    """The AUC and DeLong's variance as the paper writes them, over all pairs of a true and a false row."""
    true, false = scores[labels], scores[~labels]
    wins = (true[:, None] > false[None, :]) + 0.5 * (true[:, None] == false[None, :])
    return wins.mean(), wins.mean(1).var(ddof=1) / len(true) + wins.mean(0).var(ddof=1) / len(false)


def within(hits, trials, level=0.95):
    """Whether so many hits are what an interval of this level gives, but for one in a thousand runs to each side."""
    return binom.ppf(0.001, trials, level) <= hits <= binom.ppf(0.999, trials, level)


# --- share ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hits", "rows", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_a_share_has_the_published_interval(hits, rows, low, high):
    """Table I of Newcombe, Statistics in Medicine 17 (1998), method 3."""
    found = metrics.share(hits, rows)

    assert (round(found.low, 4), round(found.high, 4)) == (low, high)
    assert (found.value, found.rows, found.level) == (hits / rows, rows, 0.95)


def test_the_ends_of_a_share():
    """Rounding must not exclude the measured value from its interval."""
    assert metrics.share(7, 7).high == 1.0
    assert metrics.share(0, 7).low == 0.0
    assert metrics.share(0, 0).unjudged == "no rows"
    with pytest.raises(UsageError, match="8 of 7 rows are no share"):
        metrics.share(8, 7)


# --- auc --------------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=4, max_size=40))
def test_ranks_give_what_all_pairs_give(rows):
    """With many ties: midranks are where an implementation goes wrong."""
    labels, scores = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], dtype=float)
    if min(labels.sum(), (~labels).sum()) < 2:
        return
    auc, variance = brute(labels, scores)

    found = delong.rank(labels, scores)

    assert found.auc == pytest.approx(auc)
    assert found.auc == pytest.approx(roc_auc_score(labels, scores))
    assert delong.spread(found.influence, labels)[0] == pytest.approx(variance, abs=1e-12)
    assert found.influence.sum() == pytest.approx(0, abs=1e-9)


def test_the_interval_of_an_auc_is_the_same_from_the_other_side():
    """Negated scores rank the other way round: 1 - auc, and its interval mirrored."""
    labels, scores = ranked(np.random.default_rng(0), 200)

    one, other = metrics.auc(labels, scores), metrics.auc(labels, -scores)

    assert other.value == pytest.approx(1 - one.value)
    assert (other.low, other.high) == pytest.approx((1 - one.high, 1 - one.low))


@pytest.mark.parametrize(("distance", "trues", "falses"), [(0.4, 15, 60), (1.8, 40, 200), (2.7, 60, 60)])
def test_the_true_auc_lies_within_its_interval(distance, trues, falses):
    """Near 1, DeLong's plain interval contains the true value too rarely; on the logit scale, its coverage is right."""
    rng, trials = np.random.default_rng(1), 300
    labels = np.arange(trues + falses) < trues
    truth = 0.5 * (1 + math.erf(distance / 2))

    found = [metrics.auc(labels, rng.normal(size=len(labels)) + distance * labels) for _ in range(trials)]

    assert within(sum(one.low <= truth <= one.high for one in found), trials)
    assert all(0 <= one.low <= one.value <= one.high <= 1 for one in found)


@pytest.mark.parametrize(
    ("labels", "scores", "value"),
    [([0, 0, 1, 1], [1, 2, 3, 4], 1.0), ([0, 0, 1, 1], [4, 3, 2, 1], 0.0), ([0, 1, 0, 1], [5, 5, 5, 5], 0.5)],
)
def test_no_variance_is_not_certainty(labels, scores, value):
    """Four rows in perfect order have a variance of 0, but four rows do not prove an AUC of 1."""
    found = metrics.auc(labels, scores)

    assert found.value == value
    assert found.high - found.low > 0.4


def test_one_row_of_a_class_is_judged_by_what_it_can_tell():
    found = metrics.auc([1, *[0] * 50], [0.9, *np.linspace(0, 1, 50)])

    assert found.low < 0.4
    assert found.high > 0.95


@pytest.mark.parametrize(
    ("labels", "why"), [([], "no rows"), ([1, 1], "2 rows, all of them true"), ([0], "1 rows, all of them false")]
)
def test_one_class_is_not_judged(labels, why):
    """0.5, or 1.0, or an exception: each of them has been some gate's answer to no question."""
    found = metrics.auc(labels, [0.5] * len(labels))

    assert (found.value, found.unjudged, found.holds, found.breaks) == (None, why, False, False)


def test_rows_of_one_cluster_say_less():
    """Thirty days are thirty draws of the weather, whatever the number of flights."""
    rng = np.random.default_rng(2)
    days = np.repeat(np.arange(30), 40)
    day = rng.normal(size=30)[days]
    labels = rng.random(1200) < 1 / (1 + np.exp(1 - day))
    scores = day + rng.normal(size=1200)

    alone, together = metrics.auc(labels, scores), metrics.auc(labels, scores, clusters=days)
    each = metrics.auc(labels, scores, clusters=np.arange(1200))

    assert together.value == alone.value
    assert together.high - together.low > 1.5 * (alone.high - alone.low)
    assert (each.low, each.high) == pytest.approx((alone.low, alone.high), abs=1e-3)
    assert metrics.auc(labels, scores, clusters=["a"] * 1200).unjudged == "one cluster, an interval needs two"


# --- mean -------------------------------------------------------------------------------------------------------------


def test_a_mean_of_clusters_is_the_mean_of_their_means():
    """With clusters of one size there is a textbook answer: Student's t of the cluster means."""
    rng = np.random.default_rng(3)
    values, days = rng.normal(size=60) + np.repeat(rng.normal(size=12), 5), np.repeat(np.arange(12), 5)

    found = metrics.mean(values, clusters=[f"day {day}" for day in days])
    wanted = metrics.mean(values.reshape(12, 5).mean(axis=1))

    assert (found.value, found.low, found.high) == pytest.approx((wanted.value, wanted.low, wanted.high))
    assert found.rows == 60


def test_the_true_mean_of_clustered_rows_lies_within():
    """As independent rows they hold it far too rarely; that this fails here is what the clusters are for."""
    rng, trials = np.random.default_rng(4), 300
    together = alone = 0
    for _ in range(trials):
        sizes = rng.integers(5, 40, size=25)
        days = np.repeat(np.arange(25), sizes)
        values = rng.normal(size=25)[days] + rng.normal(size=len(days))
        found, plain = metrics.mean(values, clusters=days), metrics.mean(values)
        together += found.low <= 0 <= found.high
        alone += plain.low <= 0 <= plain.high

    assert within(together, trials)
    assert alone < 0.6 * trials


def test_a_mean_of_nothing_and_of_one():
    assert metrics.mean([]).unjudged == "no rows"
    assert metrics.mean([3.0]).unjudged == "one row, an interval needs two"
    assert metrics.mean([3.0, 4.0], clusters=["a", "a"]).unjudged == "one cluster, an interval needs two"
    assert (metrics.mean([3.0, 3.0]).low, metrics.mean([3.0, 3.0]).high) == (3.0, 3.0)


# --- metric -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clustered", [False, True])
def test_the_fast_way_for_an_auc_is_exact(clustered):
    """The scores are sorted once for all draws; each draw's AUC is scikit-learn's of the drawn rows."""
    rng = np.random.default_rng(5)
    labels, scores = ranked(rng, 120)
    scores = scores.round(1)  # ties
    groups = np.arange(120) // 6 if clustered else None
    ask = partial(bootstrap.resampled, labels=labels, scores=[scores, -scores], resamples=20, groups=groups, seed=1)

    fast, slow = ask(roc_auc_score), ask(lambda y, s: roc_auc_score(y, s))

    assert fast == pytest.approx(slow, abs=1e-12)
    assert fast.std() > 0


@pytest.mark.parametrize("clustered", [False, True])
def test_the_true_value_of_a_metric_lies_within(clustered):
    """Whole days are drawn where rows of a day are alike; plain percentiles of so few days would be too narrow."""
    rng, trials = np.random.default_rng(6), 120
    hits = alone = 0
    for _ in range(trials):
        days = np.repeat(np.arange(20), 15)
        said = np.where(clustered, rng.random(20)[days], 0.5) > rng.random(300)
        found = metrics.metric(_share_right, np.ones(300), said, clusters=days if clustered else None, resamples=250)
        hits += found.low <= 0.5 <= found.high
        plain = metrics.metric(_share_right, np.ones(300), said, resamples=60, level=0.5)
        alone += plain.low <= 0.5 <= plain.high

    assert within(hits, trials)
    assert clustered == (not within(alone, trials, 0.5))


def _needs_both(labels, scores):
    if labels.all() or not labels.any():
        raise ValueError("one class")
    return float(scores[labels].mean() > scores.mean())


def _share_right(labels, said):
    return float((labels == said).mean())


def test_a_draw_without_a_value_is_not_left_out():
    """Two true rows: one draw in eight has none of them. To draw again would only look at draws that went well."""
    labels, scores = np.arange(40) < 2, np.arange(40.0)

    found = metrics.metric(roc_auc_score, labels, scores)
    raised = metrics.metric(_needs_both, labels, scores)

    assert found.unjudged.startswith("no value in 1")
    assert found.unjudged.endswith("of 1,000 resamples")
    assert raised.unjudged == found.unjudged
    assert found.value == 0.0


def test_a_few_draws_without_a_value_count_as_the_worst_on_both_sides():
    labels = np.arange(60) < 5
    scores = np.random.default_rng(7).normal(size=60) + labels

    found = bootstrap.resampled(roc_auc_score, labels, [scores], resamples=1000, groups=None, seed=0)[:, 0]
    ends = metrics.metric(roc_auc_score, labels, scores)
    missing = int(np.isnan(found).sum())

    assert 0 < missing < 20
    known = np.sort(found[~np.isnan(found)])
    place = bootstrap._outside(1000, level=0.95, units=60)
    assert (ends.low, ends.high) == (known[place - missing - 1], known[-(place - missing)])


def test_too_few_units_or_resamples_are_not_judged():
    labels, scores = [0, 1] * 20, np.linspace(0, 1, 40)

    few = metrics.metric(roc_auc_score, labels, scores, clusters=np.arange(40) // 8)
    rare = metrics.metric(roc_auc_score, labels, scores, resamples=20)

    assert few.unjudged == "5 clusters, a bootstrap needs 10"
    assert rare.unjudged == "20 resamples do not reach the ends of a 95% interval of 40 draws: ask for more"
    assert metrics.metric(roc_auc_score, [], []).unjudged == "no rows"


def test_a_metric_of_words_and_of_several_columns():
    """Labels are the metric's business: it may know words, or scores of several classes."""
    words = np.array(["on time", "late", "cancelled"] * 20)
    shares = np.full((60, 3), 1 / 3)

    ask = partial(metrics.metric, resamples=60)

    assert ask(accuracy_score, words, words).value == 1.0
    assert ask(partial(log_loss, labels=sorted(set(words))), words, shares).value > 1
    assert ask(partial(fbeta_score, beta=2), [0, 1] * 20, [0, 1] * 20).name == "fbeta_score"


def test_the_same_seed_gives_the_same_interval():
    labels, scores = ranked(np.random.default_rng(8), 100)
    ask = partial(metrics.metric, accuracy_score, labels, scores > 0.5, resamples=80)

    assert ask(seed=1) == ask(seed=1)
    assert ask(seed=1) != ask(seed=2)


def test_what_a_metric_raises_of_all_rows_is_the_user_s_to_see():
    def broken(labels, scores):
        raise KeyError("carrier")

    with pytest.raises(KeyError, match="carrier"):
        metrics.metric(broken, [0, 1] * 10, [0.1] * 20)


# --- what cannot be asked --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("missing", [float("nan"), float("inf"), None])
@pytest.mark.parametrize("ask", [metrics.auc, partial(metrics.metric, roc_auc_score)])
def test_a_missing_score_is_not_left_out(ask, missing):
    """The rows a model cannot answer are the ones it is bad at."""
    with pytest.raises(UsageError, match="1 of 20 scores is no finite number, the first in row 3"):
        ask([0, 1] * 10, np.array([0.5] * 3 + [missing] + [0.5] * 16, dtype=float))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: metrics.auc([0, 1], [0.1]), "There are 2 rows and 1 scores"),
        (lambda: metrics.auc([0, 1, 2], [0.1] * 3), "true or false .1 or 0., and here they are 2 too"),
        (lambda: metrics.auc(["a", "b"], [0.1] * 2), "labels are no numbers"),
        (lambda: metrics.auc(pd.Series([True, None], dtype="boolean"), [0.1] * 2), "labels"),
        (lambda: metrics.auc([0, 1], [[0.1, 0.9]] * 2), r"shape \(2, 2\), asked: one per row"),
        (lambda: metrics.auc([0, 1], [0.1, 0.2], clusters=["a"]), "2 rows and 1 clusters"),
        (lambda: metrics.auc([0, 1], [0.1, 0.2], clusters=["a", None]), "1 of 2 rows name no cluster"),
        (lambda: metrics.auc([0, 1], [0.1, 0.2], level=95), "level is 95, asked: between 0 and 1"),
        (lambda: metrics.share(1, 2, level=1.0), "level is 1"),
        (lambda: metrics.mean([1.0, float("nan")]), "1 of 2 values"),
        (lambda: metrics.metric(roc_auc_score, [0, 1], 0.5), "scores are one value, not one per row"),
    ],
)
def test_what_can_not_be_asked_is_said(ask, words):
    with pytest.raises(UsageError, match=words):
        ask()


# --- shares of rows, skill --------------------------------------------------------------------------------------------


def test_a_share_of_rows_is_wilsons_of_what_they_are_worth():
    """Without clusters it is the number of rows; if all rows of a day are equal, it is the number of days."""
    rng = np.random.default_rng(0)
    hits, days = np.repeat(rng.random(60) < 0.8, 20), np.repeat(np.arange(60), 20)

    alone, together = metrics.share_of_rows(hits), metrics.share_of_rows(hits, clusters=days)

    assert alone == metrics.share(int(hits.sum()), 1_200)
    low, high = metrics.wilson(float(hits.mean()), metrics.worth(hits, days, level=0.95), level=0.95)
    assert (together.low, together.high) == (low, high)
    assert 40 < metrics.worth(hits, days, level=0.95) < 70
    assert metrics.share_of_rows([]).unjudged == "no rows"
    assert metrics.share_of_rows([1, 0], clusters=[1, 1]).unjudged == "one cluster, an interval needs two"


def test_skill_is_what_is_saved_and_its_interval_is_the_jackknifes():
    """On the logarithm of the ratio, by leaving out each row and each cluster."""
    rng = np.random.default_rng(1)
    ours, theirs = rng.gamma(2, 1, 90), rng.gamma(2, 3, 90)
    for groups in (None, np.arange(90) // 9):
        units = np.arange(90) if groups is None else groups
        left = np.array([ours[units != one].sum() / theirs[units != one].sum() for one in np.unique(units)])
        count, ratio = len(left), ours.sum() / theirs.sum()
        error = ((count - 1) / count * np.square(left - left.mean()).sum()) ** 0.5
        half = t.ppf(0.975, count - 1) * error / ratio

        found = metrics.skill(ours, theirs, clusters=groups)

        assert found.value == pytest.approx(1 - ratio)
        assert (found.low, found.high) == pytest.approx((1 - ratio * math.exp(half), 1 - ratio * math.exp(-half)))


def test_skill_without_a_naive_loss_has_no_value():
    """A constant outcome: a prediction of the constant has no loss."""
    assert metrics.skill([0.0, 0.0], [0.0, 0.0]).unjudged.startswith("the naive model has no loss on these rows")
    assert metrics.skill([1.0], [1.0]).unjudged == "1 row, two are needed"
    assert metrics.skill([1.0, 2.0], [1.0, 2.0], clusters=[1, 1]).unjudged == "1 cluster, two are needed"
    assert metrics.skill([0.0, 0.0], [1.0, 2.0]).value == 1.0
