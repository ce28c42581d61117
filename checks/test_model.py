"""Is the model good enough, for everybody, and better than what is there without it?

Each check is a question in one line: a helper of `proveout.gate` measures, with an interval, and `evidence` holds the
number against its bound and writes both down. Bounds come from `[evaluation]` in flows/train.toml, as it is when the
gate runs. Everything is measured on the held-out month, on flights whose outcome is known.
"""

import pytest

from proveout.evaluation import (
    ablation,
    baselines,
    calibration,
    compare,
    fairness,
    learnability,
    metrics,
    model_age,
    slice_search,
    slices,
    tuning,
)

# --- good enough --------------------------------------------------------------------------------------------------


def test_auc(scores, holdout, days, criteria, evidence):
    """Late flights are ranked above others."""
    evidence(metrics.auc(holdout.labels, scores, clusters=days), at_least=criteria["auc_at_least"])


def test_brier_score(scores, holdout, days, criteria, evidence):
    """Probabilities are near what happens: the mean squared distance."""
    errors = slice_search.squared_errors(holdout.labels, scores)
    evidence(metrics.mean(errors, name="brier", clusters=days), at_most=criteria["brier_at_most"])


def test_calibration(scores, holdout, days, criteria, evidence):
    """Of flights with 30 %, about 30 % are late."""
    evidence(calibration.error(holdout.labels, scores, at_most=criteria["calibration_error_at_most"], clusters=days))


# --- for everybody ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["origin", "carrier"])
def test_auc_of_each(column, scores, champion_scores, holdout, days, criteria, evidence):
    """A good average may hide an airport, or an airline, where the model knows nothing."""
    evidence(
        slices.judge(
            metrics.auc,
            holdout.labels,
            scores,
            by=holdout.records[column],
            champion=champion_scores,
            clusters=days,
            at_least=criteria["slice_auc_at_least"],
        )
    )


def test_auc_of_each_part_of_the_day(scores, holdout, days, criteria, evidence):
    """Delays pile up until midnight: the hour alone tells mornings from evenings, but not one evening from another."""
    hours = slices.bands(holdout.records["sched_dep_time"], [0, 900, 1200, 1500, 1800, 2400], name="departure")
    bound = criteria["hour_auc_at_least"]
    evidence(slices.judge(metrics.auc, holdout.labels, scores, by=hours, clusters=days, at_least=bound))


def test_no_slice_is_far_weaker_than_the_rest(scores, rule_scores, holdout, days, criteria, evidence):
    """Hundreds of slices are looked at: in none may ten lines of rules do far better than elsewhere.

    A month has a few storms, and each hour of one is the same storm: what only these did is no weakness of the model.
    """
    excess = slice_search.squared_errors(holdout.labels, scores) - slice_search.squared_errors(
        holdout.labels, rule_scores
    )
    evidence(
        slice_search.search(
            excess,
            holdout.records,
            clusters=days,
            at_most=criteria["weakest_slice_at_most"],
            name="brier less the rules', slice less rest",
        )
    )


def test_no_airport_is_warned_far_more_than_it_is_late(scores, holdout, days, criteria, evidence):
    """Who gets a warning too many books a later connection for nothing."""
    found = fairness.gap(
        holdout.labels,
        scores,
        by=holdout.records["origin"],
        threshold=criteria["warning_from"],
        rate="false positive",
        at_most=criteria["false_warnings_gap_at_most"],
        clusters=days,
    )
    evidence(found)


# --- better than what is there without it -------------------------------------------------------------------------


def test_better_than_the_rules(scores, rule_scores, holdout, days, evidence):
    """Ten readable lines answer as well, if the model does not surely beat them."""
    gain = compare.auc(holdout.labels, scores, rule_scores, margin=0.0, better=True, clusters=days)
    evidence("auc, gain on the rules", gain, champion=None)  # it is the rules' own AUC here


def test_better_than_a_simpler_model(candidate, training, holdout, days, criteria, evidence):
    """What a logistic regression does as well should be left to it."""
    evidence(
        baselines.simpler_model(
            candidate, training, holdout, gain_at_least=criteria["simpler_model_margin"], rows=30_000, clusters=days
        )
    )


def test_not_worse_than_the_champion(scores, champion_scores, holdout, days, criteria, evidence):
    """What replaces the champion is surely not worse by the margin. The first one ever has nobody to beat."""
    evidence(compare.auc(holdout.labels, scores, champion_scores, margin=criteria["champion_margin"], clusters=days))


# --- made well ----------------------------------------------------------------------------------------------------


def test_most_columns_are_of_use(candidate, holdout, criteria, evidence):
    """A column that nobody misses when it is shuffled costs a join, a sensor and a night for nothing."""
    evidence(ablation.features_benefit(candidate, holdout, idle_at_most=criteria["idle_columns_at_most"]))


def test_how_fast_it_ages(candidate, training, holdout, days, criteria, evidence):
    """How much worse it would be, had it learned earlier: what says how often to train."""
    evidence(model_age.staleness(candidate, training, holdout, margin=criteria["champion_margin"], clusters=days))


def test_its_steps_can_learn(candidate, training, evidence):
    """Fitted to a rule that was planted they find it, fitted to noise they find nothing."""
    evidence(learnability.learns(candidate, training))


def test_no_setting_beside_its_own_is_surely_better(candidate, training, criteria, evidence):
    """Judged on the last month it learned from: who tunes on the held-out month has none left."""
    model = "histgradientboostingclassifier"
    evidence(
        tuning.neighbours(
            candidate,
            training,
            grid={f"{model}__learning_rate": [0.025, 0.1], f"{model}__max_leaf_nodes": [15, 63]},
            margin=criteria["tuning_margin"],
            batches=training.raw["batch"],
            rows=20_000,
        )
    )
