"""Candidate against champion: what is measured, what is decided, and how often the decision is wrong."""

import math
import sys
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from reference_project import ROOT
from scipy.stats import binom, norm, t
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from proveout.errors import UsageError
from proveout.evaluation import compare
from proveout.evaluation.stats import bootstrap, delong, noninferiority
from proveout.evaluation.stats import mcnemar as pairs
from proveout.evaluation.stats.noninferiority import Asked, Gain, refused

sys.path.insert(0, str(ROOT / "bench"))

import gate_calibration  # the bench is a folder of scripts
import worlds


def two_models(rows=400, noise=0.3, seed=0, share=0.3):
    """Labels, the champion's scores, and a candidate's that are the same but for noise."""
    rng = np.random.default_rng(seed)
    labels = rng.random(rows) < share
    champion = rng.normal(size=rows) + 1.2 * labels
    return labels, champion + noise * rng.normal(size=rows), champion


def squared(labels, scores):
    return np.square(norm.cdf(scores) - labels)


ASKED = {
    "auc": compare.auc,
    "labels": partial(compare.labels, threshold=0.6),
    "rows": lambda labels, candidate, champion, **more: compare.rows(
        squared(labels, candidate), None if champion is None else squared(labels, champion), name="brier", **more
    ),
    "metric": partial(compare.metric, roc_auc_score, resamples=200),
}


# --- measured ---------------------------------------------------------------------------------------------------------


def test_the_paired_variance_is_that_of_all_pairs():
    """DeLong's covariance matrix as the paper writes it, with ties."""
    labels, candidate, champion = two_models(60)
    placed = []
    for scores in (candidate.round(1), champion.round(1)):
        true, false = scores[labels], scores[~labels]
        wins = (true[:, None] > false[None, :]) + 0.5 * (true[:, None] == false[None, :])
        placed.append((wins.mean(1), wins.mean(0)))
    of_true, of_false = np.cov([one[0] for one in placed]), np.cov([one[1] for one in placed])
    both = of_true / labels.sum() + of_false / (~labels).sum()
    wanted = both[0, 0] + both[1, 1] - 2 * both[0, 1]

    _, gain = delong.gain(labels, candidate.round(1), champion.round(1), None, 0.9)

    assert gain.error**2 == pytest.approx(wanted)
    assert gain.value == pytest.approx(placed[0][0].mean() - placed[1][0].mean())


def test_the_auc_without_a_cluster_is_that_of_the_other_rows():
    """The fast way, with ties and with clusters of any size, beside scikit-learn."""
    labels, scores, _ = two_models(300)
    groups = np.r_[np.arange(12), np.random.default_rng(1).integers(12, size=288) ** 2 // 12]
    wanted = [roc_auc_score(labels[groups != one], scores[groups != one].round(1)) for one in range(12)]

    assert delong.without(labels, scores.round(1), groups) == pytest.approx(wanted, abs=1e-12)


def test_a_metric_without_a_cluster_is_that_of_the_other_rows():
    """If there are more clusters than the limit, several are left out together."""
    labels, scores, champion = two_models(120)
    groups = np.arange(120) // 6

    found = bootstrap.left_out(roc_auc_score, labels, [scores, champion], groups=groups, most=20)
    together = bootstrap.left_out(average_precision_score, labels, [scores], groups=groups, most=7)

    assert found[:, 1] == pytest.approx(delong.without(labels, champion, groups))
    assert together.shape == (7, 1)
    assert together[6, 0] == average_precision_score(labels[groups % 7 != 6], scores[groups % 7 != 6])


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=60), st.sampled_from([0.5, 0.9, 0.99]))
@example([0.0, 0.0, 1e-120], 0.9)  # whose cubes are 0
@example([0.0, 0.03132314921446189, -1.192092896e-07], 0.5)  # without the second, hardly any spread
def test_a_skewed_interval_holds_its_value(gains, level):
    """And it is reflected with the gains, at any skewness that so many clusters can have."""
    gains = np.array(gains)
    without = (gains.sum() - gains) / (len(gains) - 1)
    found = bootstrap.skewed(gains.mean(), without, level)
    mirrored = bootstrap.skewed(-gains.mean(), -without, level)

    assert found.low <= found.value <= found.high
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low))


def test_without_skewness_a_thousand_clusters_have_student_s_interval():
    gains = np.tile([-1.0, 1.0], 500)
    plain = 1.6464 / 999**0.5

    assert bootstrap.skewed(0.0, -gains / 999, 0.9).low == pytest.approx(-plain, rel=0.01)
    assert bootstrap.skewed(0.0, -gains[:30] / 29, 0.9).low == pytest.approx(-1.70 / 29**0.5 * 1.1, rel=0.01)


def test_what_each_cluster_adds_in_vain_is_taken_off():
    """Within a day an AUC is another than between days, and a hold-out of few days has too much of the first."""
    gains = np.tile([-1.0, 1.0], 15)

    found = bootstrap.skewed(0.0, -gains / 29 - 0.01, 0.9)

    assert (found.low + found.high) / 2 == pytest.approx(29 * 0.01)


def test_with_many_rows_the_interval_is_delong_s():
    """What makes it wider for few rows must be gone for many."""
    found = compare.auc(*two_models(20_000), margin=0.01)
    _, gain = delong.gain(*two_models(20_000), None, 0.9)

    assert found.value - found.low == pytest.approx(norm.ppf(0.95) * gain.error, rel=0.02)
    assert found.level == pytest.approx(0.9)


def test_paired_shares_have_the_published_interval():
    """Fagerland, Lydersen and Laake, Statistics in Medicine 33 (2014): Tango's for 1 and 7 discordant of 21 pairs."""
    low, high = -pairs.tango_upper(7, 1, 21, 0.95), pairs.tango_upper(1, 7, 21, 0.95)

    assert (round(low, 3), round(high, 3)) == (-0.517, -0.026)
    assert round(2 * pairs.exact_p(7, 1), 3) == 0.070  # McNemar's exact test, from the same pages


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 40), st.integers(0, 40), st.integers(0, 400))
@example(3, 0, 97)  # three discordant rows: enough for the approximation, not for the exact test
def test_an_interval_of_pairs_agrees_with_mcnemar(won, lost, same):
    """0 lies outside exactly when the test refuses: the exact one, where few rows are discordant."""
    rows = max(1, won + lost + same)
    low, high = pairs.interval(won, lost, rows, level=0.9)
    mirrored = pairs.interval(lost, won, rows, level=0.9)

    assert -1 <= low <= (won - lost) / rows <= high <= 1
    assert mirrored == pytest.approx((-high, -low), abs=1e-9)
    if 0 < won + lost < pairs.FEW_DISCORDANT and low > 1e-9:
        assert pairs.exact_p(won, lost) < 0.05
    if won + lost >= pairs.FEW_DISCORDANT and abs((won - lost) / (won + lost) ** 0.5 - norm.ppf(0.95)) > 1e-6:
        assert (low > 0) == ((won - lost) / (won + lost) ** 0.5 > norm.ppf(0.95))


def test_no_discordant_rows_are_not_certainty():
    """Twenty rows on which two models agree do not show that they always do."""
    low, high = pairs.interval(0, 0, 20, level=0.9)

    assert high == pytest.approx(-low)
    assert 0.1 < high < 0.2
    assert pairs.interval(20, 0, 20, level=0.9)[1] == 1.0


@pytest.mark.parametrize("kind", ASKED)
@pytest.mark.parametrize("clustered", [False, True])
def test_the_other_way_round_the_gain_changes_its_sign(kind, clustered):
    labels, candidate, champion = two_models()
    more = {"margin": 0.01, "clusters": np.arange(400) // 10 if clustered else None}

    one, other = ASKED[kind](labels, candidate, champion, **more), ASKED[kind](labels, champion, candidate, **more)

    assert other.value == pytest.approx(-one.value)
    assert (other.low, other.high) == pytest.approx((-one.high, -one.low), abs=1e-9)
    assert one.champion + one.value * (-1 if kind == "rows" else 1) == pytest.approx(other.champion)


def test_a_metric_that_is_better_when_lower():
    labels, candidate, champion = two_models(noise=2.0)
    ask = partial(compare.metric, brier_score_loss, labels, margin=0.01, higher_is_better=False, resamples=200)

    found = ask(norm.cdf(candidate), norm.cdf(champion))

    assert found.value == pytest.approx(squared(labels, champion).mean() - squared(labels, candidate).mean())
    assert found.value < 0
    assert found.decision.startswith("worse; ")
    assert not found.holds


# --- decided ----------------------------------------------------------------------------------------------------------


@given(st.floats(-0.1, 0.1), st.floats(0, 0.1), st.floats(0, 0.1), st.sampled_from([0.0, 0.01, 0.05]), st.booleans())
def test_a_decision_and_the_evidence_say_the_same(value, down, up, margin, better):
    """Two rules for one question would one day disagree, and the table would say "better, failed"."""
    asked = Asked(name="auc", rows=100, margin=margin, better=better, level=0.95)

    found = asked.answer(Gain(value=value, low=value - down, high=value + up, error=down / 1.6), champion=0.7)
    word = found.decision.partition(";")[0]

    assert word in {"better", "not worse", "undecided", "worse"}
    assert found.holds == (word == "better" or (word == "not worse" and not better))
    assert found.surely


@pytest.mark.parametrize("kind", ASKED)
def test_the_same_scores_are_not_worse_and_not_better(kind):
    """No variance at all: neither a division by zero, nor a win."""
    labels, _, champion = two_models()

    found = ASKED[kind](labels, champion, champion, margin=0.01)
    better = ASKED[kind](labels, champion, champion, margin=0.01, better=True)

    assert (found.value, found.low, found.high) == (0, 0, 0)
    assert found.decision == "not worse; an equal model is refused in under 1 % of runs"
    assert found.holds
    assert ASKED[kind](labels, champion, champion, margin=0.0).holds
    assert better.breaks


def test_a_model_that_is_only_calibrated_anew_ranks_the_same():
    labels, _, champion = two_models()

    found = compare.auc(labels, norm.cdf(champion), champion, margin=0.001)

    assert (found.low, found.high, found.holds) == (0, 0, True)


def test_two_perfect_models_on_a_few_rows_are_undecided():
    """Their difference has no variance, and ten rows do not tell two models apart."""
    labels = np.arange(10) < 5

    found = compare.auc(labels, np.arange(10)[::-1], [9, 8, 7, 5, 6, 1, 2, 3, 4, 0], margin=0.01)

    assert found.value == 0
    assert found.low < -0.2
    assert found.decision == "undecided; an equal model is refused in over 99 % of runs"


@pytest.mark.parametrize("kind", ASKED)
def test_the_first_model_has_nobody_to_beat(kind):
    """A cold start is neither an error nor a silent pass: the value is shown, but has no bound."""
    labels, candidate, _ = two_models()

    found = ASKED[kind](labels, candidate, None, margin=0.01)
    together = ASKED[kind](labels, candidate, None, margin=0.01, clusters=np.arange(400) // 10)

    assert found.decision == together.decision == "first: no champion to compare with"
    assert found.value == together.value
    assert found.low < found.value < found.high
    assert (found.holds, found.at_least, found.champion) == (True, None, None)


def test_what_is_asked_stands_beside_the_answer():
    labels, candidate, champion = two_models()

    found = compare.auc(labels, candidate, champion, margin=0.05)

    assert (found.at_least, found.rows, found.covers) == (-0.05, 400, ("infra-4",))
    assert found.champion == pytest.approx(roc_auc_score(labels, champion))
    assert compare.auc(labels, candidate, champion, margin=0.05, better=True).decision.endswith(
        "is found in 80 % of runs"
    )


def test_a_champion_with_a_threshold_of_its_own():
    labels, _, champion = two_models()

    found = compare.labels(labels, champion + 1, champion, threshold=1.6, champion_threshold=0.6, margin=0.05)

    assert found.value == 0
    assert found.low < 0  # the scores are not the same, so nothing is taken for granted


@pytest.mark.parametrize(
    ("ask", "why"),
    [
        (lambda: compare.auc([1] * 9, range(9), range(9), margin=0.1), "9 true and 0 false rows, two of each"),
        (lambda: compare.auc([1, 0, 0], [3, 1, 2], [1, 2, 3], margin=0.1), "1 true and 2 false rows, two of each"),
        (lambda: compare.auc([], [], [], margin=0.1), "0 true and 0 false rows"),
        (lambda: compare.auc([1, 0] * 4, range(8), range(8), margin=0.1, clusters=["a"] * 8), "one cluster, two"),
        (
            lambda: compare.auc([1, 1, 0, 0], [1, 2, 3, 4], [4, 3, 2, 1], margin=0.1, clusters=[1, 1, 1, 2]),
            "all true rows are in one cluster, two are needed",
        ),
        (lambda: compare.labels([], [], [], threshold=0.5, margin=0.1), "no rows"),
        (lambda: compare.rows([], [], margin=0.1, name="brier"), "no rows"),
        (lambda: compare.rows([1.0], [2.0], margin=0.1, name="brier"), "one row, an interval needs two"),
        (lambda: compare.metric(roc_auc_score, [], [], [], margin=0.1), "no rows"),
        (lambda: compare.metric(roc_auc_score, [0, 1], [1, 2], [1, 2], margin=0.1), "2 rows, a bootstrap needs 10"),
    ],
)
def test_what_can_not_be_judged_does_not_pass(ask, why):
    found = ask()

    assert found.unjudged.startswith(why)
    assert (found.holds, found.breaks) == (False, False)


def test_a_metric_that_needs_every_cluster_is_not_judged():
    labels, candidate, champion = two_models(100)

    def needy(truth, scores):
        return roc_auc_score(truth, scores) if len(truth) == 100 else float("nan")

    found = compare.metric(needy, labels, candidate, champion, margin=0.1, clusters=np.arange(100) // 5, resamples=100)

    assert found.unjudged == "needy has no value without one of the clusters"


@pytest.mark.parametrize("kind", ASKED)
def test_a_champion_that_can_not_score_the_rows_is_said(kind):
    """Left out, the rows that the champion cannot answer would be no argument for the candidate, nor against it."""
    labels, candidate, champion = two_models(20)
    champion[3] = np.nan

    with pytest.raises(
        UsageError, match=r"1 of 20 (scores|losses) of the champion is no finite number, the first in row 3"
    ):
        ASKED[kind](labels, candidate, champion, margin=0.01)
    with pytest.raises(UsageError, match=r"20 rows and 19 (scores|losses) of the champion"):
        _ask_shorter(kind, labels, candidate)


def _ask_shorter(kind, labels, candidate):
    if kind == "rows":
        return compare.rows(squared(labels, candidate), np.zeros(19), margin=0.01, name="brier")
    return ASKED[kind](labels, candidate, candidate[:19], margin=0.01)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"margin": -0.01}, "margin is -0.01"),
        ({"margin": float("nan")}, "margin is nan"),
        ({"margin": 0, "level": 0.4}, "level"),
        ({"margin": 0.01, "spread": -0.01}, "spread is -0.01"),
    ],
)
def test_a_margin_that_means_nothing_is_refused(more, words):
    """A margin below 0 would ask for better, and say "not worse"."""
    with pytest.raises(UsageError, match=words):
        compare.auc(*two_models(20), **more)


# --- how often it is wrong --------------------------------------------------------------------------------------------


def test_the_share_of_equal_models_that_are_refused_is_what_it_says():
    """The number that shows a hold-out too small for its margin: near 36 % here, said from one hold-out alone."""
    rng, runs, said = np.random.default_rng(3), [], []
    for _ in range(300):
        losses = rng.normal(size=(2, 200))
        found = compare.rows(losses[0], losses[1], margin=0.2, name="loss")
        error = np.std(losses[1] - losses[0], ddof=1) / 200**0.5
        gain = Gain(value=found.value, low=found.low, high=found.high, error=error)
        runs.append(not found.holds)
        said.append(refused(gain, 0.2))

    assert binom.ppf(0.001, 300, np.mean(said)) <= sum(runs) <= binom.ppf(0.999, 300, np.mean(said))
    assert 0.25 < np.mean(said) < 0.45


def test_the_share_of_seeds_that_are_refused_is_what_it_says():
    """A model of another seed truly differs. The share of equal models would say 1 %, where 15 % are."""
    rng, spread, refusals, said, of_equals = np.random.default_rng(5), 0.05, 0, [], []
    for _ in range(400):
        ours, theirs = rng.normal(rng.normal(scale=spread, size=2), 0.5, size=(400, 2)).T
        more = {"margin": 0.14, "name": "loss"}
        found = compare.rows(ours, theirs, spread=spread, **more)
        gain = Gain(value=found.value, low=found.low, high=found.high, error=np.std(theirs - ours, ddof=1) / 20)
        refusals += not found.holds
        said.append(refused(gain, 0.14, spread=spread))
        of_equals.append(refused(gain, 0.14))
        assert "a model of another seed is refused in" in found.decision

    assert binom.ppf(0.001, 400, np.mean(said)) <= refusals <= binom.ppf(0.999, 400, np.mean(said))
    assert refusals > binom.ppf(0.999, 400, np.mean(of_equals))


def test_few_true_rows_near_one_do_not_let_worse_models_through():
    """DeLong's interval alone lets through too many where a good model has few true rows."""
    rng, trials = np.random.default_rng(4), 150
    labels = np.arange(130) < 30
    better, worse = (norm.ppf(auc) * 2**0.5 for auc in (0.97, 0.95))
    passed = alone = 0
    for _ in range(trials):
        common = rng.normal(size=130)
        candidate = 0.95 * common + 0.31 * rng.normal(size=130) + worse * labels
        champion = common + better * labels
        passed += compare.auc(labels, candidate, champion, margin=0.02).holds
        _, gain = delong.gain(labels, candidate, champion, None, 0.9)
        alone += gain.value - norm.ppf(0.95) * gain.error >= -0.02

    assert passed <= binom.ppf(0.999, trials, 0.05)
    assert alone > binom.ppf(0.999, trials, 0.05)


def test_any_metric_is_compared_on_the_same_draws():
    """Unpaired, the interval of two good models would be many times as wide."""
    labels, candidate, champion = two_models(noise=0.05)

    found = compare.metric(average_precision_score, labels, candidate, champion, margin=0.05, resamples=100)

    assert found.name == "average_precision_score, gain on the champion"
    assert found.high - found.low < 0.05


@pytest.fixture(scope="module")
def world():
    return worlds.made_up(3, days=100, per_day=50)


def _means_of_days(rng):
    """Thirty days whose losses are worse by the margin, on average: by little on most of them, by much on a few."""
    of_days = np.repeat(rng.exponential(0.01, size=30), 3)
    return compare.rows(of_days, np.zeros(90), margin=0.01, name="loss", clusters=np.arange(90) // 3)


def test_a_loss_on_a_few_bad_days_is_not_taken_for_a_small_one(monkeypatch):
    """A hold-out with few bad days by luck shows a small loss and a small spread: Student's t is too sure of it."""

    def passed():
        rng = np.random.default_rng(6)
        return sum(_means_of_days(rng).holds for _ in range(1_000))

    bent = passed()
    monkeypatch.setattr(bootstrap, "_bent", lambda quantile, skewness: quantile)
    plain = passed()

    assert bent <= binom.ppf(0.999, 1_000, 0.05)
    assert plain > binom.ppf(0.999, 1_000, 0.05)


def _mean_of_unlike_days(rng):
    """The gain of thirty days, of two rows or of hundreds; rows of a day have most of it in common. In truth 0."""
    rows = np.ceil(np.exp(2 + 1.2 * rng.normal(size=30)))
    sums = rows * rng.normal(size=30) + np.sqrt(rows) * rng.normal(size=30)
    return bootstrap.skewed(sums.sum() / rows.sum(), (sums.sum() - sums) / (rows.sum() - rows), 0.9)


def test_a_few_large_days_are_not_taken_for_many(monkeypatch):
    """They carry the mean, and each of them decides whether the gains look skewed: a normal sample's error is less."""

    def above():
        rng = np.random.default_rng(6)
        return sum(_mean_of_unlike_days(rng).low > 0 for _ in range(2_000))

    found = above()
    normal = math.sqrt(6 * 30 * 29 / 28 / 31 / 33)
    monkeypatch.setattr(bootstrap, "_error_of_skewness", lambda off: normal)
    with_a_normal_sample_s = above()

    assert found <= binom.ppf(0.999, 2_000, 0.05)
    assert with_a_normal_sample_s > binom.ppf(0.999, 2_000, 0.05)


@pytest.mark.parametrize(
    "drawn",
    [
        lambda rng, size: 1 - rng.exponential(size=size),
        lambda rng, size: 1 - rng.gamma(0.25, 4, size=size),
        lambda rng, size: rng.standard_t(4, size=size),
        lambda rng, size: rng.exponential(size=size) - 1,
    ],
    ids=["bad days", "very few bad days", "days of both kinds", "good days"],
)
def test_from_sixty_clusters_on_one_in_twenty_passes(drawn):
    """The evidence warns for fewer than sixty clusters only, so with sixty, the error rate must be right."""
    rng, trials = np.random.default_rng(8), 2_000
    gains = drawn(rng, (trials, noninferiority.ENOUGH_CLUSTERS))
    without = (gains.sum(axis=1, keepdims=True) - gains) / (noninferiority.ENOUGH_CLUSTERS - 1)
    found = [bootstrap.skewed(day.mean(), left, 0.9) for day, left in zip(gains, without, strict=True)]

    assert sum(one.low > 0 for one in found) <= binom.ppf(0.999, trials, 0.05)


def test_few_clusters_are_told_of():
    """Thirty days may hold none of the bad ones, and no interval knows of a day that it has not seen."""

    def decision(clusters, **more):
        losses = np.random.default_rng(1).normal(size=120)
        days = None if clusters is None else np.arange(120) % clusters
        return compare.rows(losses, np.zeros(120), margin=1.0, name="loss", clusters=days, **more).decision

    assert decision(30).endswith("; 30 clusters are few: more than 5 % may pass that should not")
    assert "few: more than 1 % may" in decision(59, level=0.99)
    assert "few" not in decision(60) + decision(None)


def test_what_one_cluster_alone_says_is_not_known():
    """It is unknown whether other clusters are like it, so both ends are as wide as for the most skewed gains."""
    gains = np.r_[1.0, np.zeros(29)]

    found = bootstrap.skewed(gains.mean(), (1 - gains) / 29, 0.9)

    assert found.low < 0 < found.high
    assert found.value - found.low == pytest.approx(found.high - found.value)


def test_an_auc_that_is_lost_on_a_few_bad_days_may_be_lost_on_more(world):
    """The lower end reaches further than Student's, and as far as that of any gain with these days."""
    rng = np.random.default_rng(6)
    here, days = world.whole_days(rng, 30)
    labels, champion = world.labels[here], world.models[0][here]
    candidate = champion + rng.normal(size=len(here)) * np.where(days % 8 == 0, 0.3, 0.001)
    gains = roc_auc_score(labels, candidate) - roc_auc_score(labels, champion)
    without = [
        roc_auc_score(labels[rest], candidate[rest]) - roc_auc_score(labels[rest], champion[rest])
        for rest in (days != day for day in range(30))
    ]

    found = compare.auc(labels, candidate, champion, margin=0.01, clusters=days)
    bent = bootstrap.skewed(gains, np.array(without), 0.9)

    assert found.low == pytest.approx(bent.low)
    assert found.value - found.low > 1.2 * t.ppf(0.95, 29) * bent.error


def test_any_metric_of_bad_days_is_as_unsure_as_a_mean():
    """A bootstrap only draws the few bad days in the sample, so it underestimates how many others there may be."""
    losses = np.repeat(np.random.default_rng(2).exponential(0.01, size=30), 3)
    more = {"margin": 0.01, "clusters": np.arange(90) // 3}

    mean = compare.rows(losses, np.zeros(90), name="loss", **more)
    metric = compare.metric(lambda _, said: -said.mean(), np.zeros(90), losses, np.zeros(90), resamples=200, **more)

    assert metric.value == pytest.approx(mean.value)
    assert metric.low == pytest.approx(mean.low)


@pytest.fixture(scope="module")
def calibrated(world):
    """A small run of bench/gate_calibration.py: 40 trials of the made-up world."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gate_calibration, "RESAMPLES", 120)
        pairs = gate_calibration.rivals(world)
        return gate_calibration.run(world, pairs, gate_calibration.Size(rows=1_000, days=20), 40, processes=1)


def test_both_errors_of_the_gate_are_as_stated(calibrated):
    """A model worse by the margin passes in 5 % of runs, an equal one is refused as often as the evidence says."""
    for one in calibrated:
        right = one.test == ("clusters" if one.drawn == "days" else "rows")
        if right and one.kind in {"margin", "twice", "weaker"}:
            assert one.hits <= binom.ppf(0.9999, one.trials, 0.05), one
        if right and one.kind == "equal":
            assert one.trials - one.hits <= binom.ppf(0.9999, one.trials, max(0.02, one.stated / one.trials)), one
        if right and one.kind == "coverage":
            assert one.hits >= binom.ppf(0.0001, one.trials, 0.95), one


def test_two_numbers_side_by_side_let_half_of_the_worse_models_through(calibrated):
    """What peers do, on the same hold-outs: without an interval there is no margin."""
    passed = sum(one.hits for one in calibrated if one.kind == "margin" and one.test == "two numbers")
    trials = sum(one.trials for one in calibrated if one.kind == "margin" and one.test == "two numbers")

    assert 0.35 < passed / trials < 0.65


def test_rows_of_one_day_taken_for_independent_are_too_sure(calibrated):
    """The same hold-outs of whole days, judged twice: only with the days as clusters do intervals hold the truth."""
    for test, held in (("rows", False), ("clusters", True)):
        found = [one for one in calibrated if (one.drawn, one.kind, one.test) == ("days", "coverage", test)]
        hits, trials = sum(one.hits for one in found), sum(one.trials for one in found)
        assert (hits >= binom.ppf(0.01, trials, 0.95)) == held, (test, hits)


def test_the_table_of_the_bench_has_a_row_for_each_question(calibrated):
    table = gate_calibration.table(calibrated)

    assert table.count("| made up, days | auc (DeLong) |") == 7
    assert "worse by the margin: passed" in table
