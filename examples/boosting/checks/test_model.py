"""Is the model good enough, for everybody, and better than what is there without it?

Bounds come from `[evaluation]` in flows/train.toml, as it is when the gate runs. Everything is measured on the last
days of each month, in degrees Fahrenheit; hours of one day count as one where intervals are made.
"""

import numpy as np

from proveout.evaluation import (
    ablation,
    baselines,
    compare,
    learnability,
    metrics,
    regression,
    slice_search,
    slices,
    tuning,
)

# --- good enough --------------------------------------------------------------------------------------------------


def test_mae(scores, holdout, days, criteria, evidence):
    """How far off a prediction is on average."""
    evidence(regression.mae(holdout.labels, scores, clusters=days), at_most=criteria["mae_at_most"])


def test_rmse(scores, holdout, days, criteria, evidence):
    """Large errors weigh more: who expected a mild night has ice on the wings."""
    evidence(regression.rmse(holdout.labels, scores, clusters=days), at_most=criteria["rmse_at_most"])


def test_nine_of_ten_hours(scores, holdout, days, criteria, evidence):
    """An average hides how bad the bad ones are."""
    evidence(regression.error_quantile(holdout.labels, scores, clusters=days), at_most=criteria["p90_error_at_most"])


def test_it_says_neither_too_much_nor_too_little(scores, holdout, days, criteria, evidence):
    """Who is always half a degree too warm is wrong by four in the morning."""
    evidence(regression.bias(holdout.labels, scores, within=criteria["bias_at_most"], clusters=days))


# --- its interval -------------------------------------------------------------------------------------------------


def test_its_interval_holds_what_it_promises(scores, holdout, candidate, criteria, evidence):
    """Nine of ten. Each held-out hour is judged by the width that the others gave."""
    found = regression.conformal_coverage(holdout.labels, scores, promised=candidate.task.coverage)
    evidence(found, at_least=criteria["coverage_at_least"], at_most=criteria["coverage_at_most"])


def test_the_interval_that_is_answered_is_that_wide(scores, holdout, candidate, days, criteria, evidence):
    """As it is served: its width was measured on these hours, so it holds nine of ten, unless it was halved since."""
    ends = scores[:, None] + candidate.task.half_width * np.array([-1, 1])
    found = regression.coverage(holdout.labels, ends, clusters=days)
    evidence(found, at_least=criteria["coverage_at_least"], at_most=criteria["coverage_at_most"])


def test_its_interval_holds_enough_in_each_season(scores, holdout, candidate, criteria, evidence):
    """Promised is the average. Fronts come in spring, and that is when one looks."""
    inside = regression.conformal_inside(holdout.labels, scores, promised=candidate.task.coverage)
    bands = slices.bands(holdout.records["month"], [1, 4, 7, 10, 13], name="month")
    bound = criteria["season_coverage_at_least"]
    evidence(slices.judge(_share, holdout.labels, inside, by=bands, at_least=bound, name="interval coverage"))


def _share(labels, inside):
    return metrics.share_of_rows(inside)


def test_its_interval_is_narrow_enough_to_plan_with(candidate, criteria, evidence):
    """An interval of twenty degrees holds everything, and helps nobody."""
    evidence("interval width", 2 * candidate.task.half_width, at_most=criteria["width_at_most"])


# --- for everybody ------------------------------------------------------------------------------------------------


def test_mae_of_each_airport(scores, champion_scores, holdout, days, criteria, evidence):
    """A good average may hide one: JFK lies by the sea."""
    evidence(
        slices.judge(
            regression.mae,
            holdout.labels,
            scores,
            by=holdout.records["origin"],
            champion=champion_scores,
            clusters=days,
            at_most=criteria["airport_mae_at_most"],
        )
    )


def test_mae_of_each_part_of_the_day(scores, holdout, days, criteria, evidence):
    """At night little changes, and is known; around sunrise it is the question."""
    hours = slices.bands(holdout.records["hour"], [0, 4, 8, 12, 16, 20, 24], name="hour")
    bound = criteria["hour_mae_at_most"]
    evidence(slices.judge(regression.mae, holdout.labels, scores, by=hours, clusters=days, at_most=bound))


def test_bias_in_each_fifth_of_the_predictions(scores, holdout, days, criteria, evidence):
    """Mornings too warm and evenings too cold cancel out on average."""
    found = slices.judge(
        regression.bias,
        holdout.labels,
        scores,
        by=slices.quantile_bands(scores, 5),
        clusters=days,
        at_least=-criteria["band_bias_at_most"],
        at_most=criteria["band_bias_at_most"],
    )
    evidence(found)


def test_no_slice_is_far_weaker_than_the_rest(scores, rule_scores, holdout, days, criteria, evidence):
    """Hundreds of slices are looked at: in none may three lines of rules do far better than elsewhere."""
    ours, theirs = (regression.absolute_errors(holdout.labels, said) for said in (scores, rule_scores))
    evidence(
        slice_search.search(
            ours - theirs,
            holdout.records,
            columns=["origin", "month", "hour", "temp", "humid", "wind_dir", "wind_speed", "pressure"],
            clusters=days,
            at_most=criteria["weakest_slice_at_most"],
            name="mae less the rules', slice less rest",
        )
    )


# --- better than what is there without it -------------------------------------------------------------------------


def test_better_than_the_rules(scores, rule_scores, holdout, days, criteria, evidence):
    """What each hour does on average is right within two degrees: the model has to save a part of that, surely."""
    saved = regression.skill(holdout.labels, scores, naive=rule_scores, clusters=days)
    evidence(saved, at_least=criteria["saved_at_least"], surely=True)


def test_better_than_a_simpler_model(candidate, training, holdout, days, criteria, evidence):
    """What a ridge regression does as well should be left to it. Stated too: the gain on always saying the median."""
    margin = criteria["simpler_model_margin"]
    evidence(baselines.simpler_model(candidate, training, holdout, gain_at_least=margin, clusters=days))


def test_not_worse_than_the_champion(scores, champion_scores, holdout, days, criteria, evidence):
    """What replaces the champion is surely not worse by the margin. The first one ever has nobody to beat."""
    ours = regression.absolute_errors(holdout.labels, scores)
    theirs = None if champion_scores is None else regression.absolute_errors(holdout.labels, champion_scores)
    evidence(compare.rows(ours, theirs, margin=criteria["champion_margin"], name="mae", clusters=days))


# --- made well ----------------------------------------------------------------------------------------------------


def test_most_columns_are_of_use(candidate, holdout, days, criteria, evidence):
    """A column that nobody misses when it is shuffled costs an instrument for nothing."""
    evidence(
        ablation.features_benefit(candidate, holdout, idle_at_most=criteria["idle_columns_at_most"], clusters=days)
    )


def test_its_steps_can_learn(candidate, training, evidence):
    """Fitted to a rule that was planted they find it, fitted to noise they find nothing."""
    evidence(learnability.learns(candidate, training))


def test_no_setting_beside_its_own_is_surely_better(candidate, training, criteria, evidence):
    """Judged on a fifth of the days it learned from: who tunes on the held-out days has none left."""
    evidence(
        tuning.neighbours(
            candidate,
            training,
            grid={"trees__max_depth": [3, 7], "trees__learning_rate": [0.04, 0.16]},
            clusters=training.records["month"] * 100 + training.records["day"],
            margin=criteria["tuning_margin"],
        )
    )
