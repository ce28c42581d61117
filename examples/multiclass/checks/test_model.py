"""Is the model good enough, for each family, and better than what is there without it?

Bounds come from `[evaluation]` in flows/train.toml, as it is when the gate runs. Everything is measured on flight
numbers that the model has not seen; flights of one number count as one where intervals are made.
"""

import numpy as np
import pandas as pd
import pytest

from proveout.evaluation import (
    ablation,
    baselines,
    calibration,
    compare,
    learnability,
    metrics,
    multiclass,
    slice_search,
    slices,
    tuning,
)

# --- good enough --------------------------------------------------------------------------------------------------


def test_log_loss(scores, holdout, classes, numbers, criteria, evidence):
    """What the probabilities are worth, all of them: who is sure and wrong pays most."""
    found = multiclass.log_loss(holdout.labels, scores, classes=classes, clusters=numbers)
    evidence(found, at_most=criteria["log_loss_at_most"])


def test_accuracy(labels, holdout, numbers, criteria, evidence):
    """Four of five stands are the right ones."""
    evidence(multiclass.accuracy(holdout.labels, labels, clusters=numbers), at_least=criteria["accuracy_at_least"])


def test_balanced_accuracy(labels, holdout, numbers, criteria, evidence):
    """The frequent families do not carry the rare ones."""
    found = multiclass.balanced_accuracy(holdout.labels, labels, clusters=numbers)
    evidence(found, at_least=criteria["balanced_accuracy_at_least"])


def test_the_family_is_among_the_first_two(scores, holdout, classes, numbers, criteria, evidence):
    """Two stands are kept free where the model is in doubt."""
    found = multiclass.top_k(holdout.labels, scores, classes=classes, k=2, clusters=numbers)
    evidence(found, at_least=criteria["top_2_at_least"])


# --- for each family ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of", ["recall", "precision"])
def test_each_family(of, labels, holdout, numbers, criteria, evidence):
    """Of ten MD-80 that come, so many are announced; of ten that are announced, so many come."""
    bound = criteria[f"class_{of}_at_least"]
    evidence(multiclass.each_class(holdout.labels, labels, of=of, at_least=bound, fewest=50, clusters=numbers))


def test_probabilities_of_each_family(scores, holdout, classes, numbers, criteria, evidence):
    """Of a hundred flights with 30 % for a 737, about thirty have one."""
    bound = criteria["calibration_error_at_most"]
    evidence(calibration.of_classes(holdout.labels, scores, classes=classes, at_most=bound, clusters=numbers))


def test_probability_of_the_answer(scores, holdout, classes, numbers, criteria, evidence):
    """Of a hundred answers with 80 %, about eighty are right: that is what keeping a second stand free goes by."""
    bound = criteria["calibration_error_at_most"]
    evidence(calibration.of_top_label(holdout.labels, scores, classes=classes, at_most=bound, clusters=numbers))


# --- for everybody ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("column", ["origin", "carrier"])
def test_log_loss_of_each(column, scores, holdout, classes, numbers, criteria, evidence):
    """A good average may hide an airport, or an airline. Those with few flights are not judged, a tenth of all rows."""
    lost = multiclass.log_losses(holdout.labels, scores, classes=classes)
    evidence(
        slices.judge(
            _mean_loss,
            holdout.labels,
            lost,
            by=holdout.records[column],
            clusters=numbers,
            fewest=50,
            unjudged_at_most=0.10,
            at_most=criteria["carrier_log_loss_at_most"],
            name="log loss",
        )
    )


def _mean_loss(labels, lost, clusters=None):
    return metrics.mean(lost, name="log loss", clusters=clusters)


def test_no_slice_is_far_weaker_than_the_rest(scores, training, holdout, classes, numbers, criteria, evidence):
    """Hundreds of slices are looked at: in none may it lose much more, on how often each airline flies what."""
    ours = multiclass.log_losses(holdout.labels, scores, classes=classes)
    plain = multiclass.log_losses(holdout.labels, _shares(training, holdout, classes), classes=classes)
    evidence(
        slice_search.search(
            ours - plain,
            holdout.records,
            columns=["carrier", "origin", "dest", "distance", "month", "hour"],
            clusters=numbers,
            at_most=criteria["weakest_slice_at_most"],
            name="log loss less the airline's, slice less rest",
        )
    )


def _shares(training, holdout, classes):
    """How often each airline flew each family, in training: what one knows without a model. One flight more of each."""
    counts = pd.crosstab(training.raw["carrier"], pd.Series(training.labels, index=training.raw.index))
    counts = counts.reindex(columns=list(classes), fill_value=0) + 1
    found = counts.reindex(holdout.records["carrier"]).fillna(1).to_numpy(dtype=float)
    return found / found.sum(axis=1, keepdims=True)


# --- better than what is there without it -------------------------------------------------------------------------


def test_better_than_knowing_how_often_each_comes(scores, training, holdout, classes, numbers, criteria, evidence):
    """The share of the log loss that it saves, surely: a model that says the shares each time saves none."""
    often = pd.Series(training.labels).value_counts(normalize=True).reindex(list(classes)).to_numpy()
    naive = multiclass.log_losses(holdout.labels, np.tile(often, (holdout.rows, 1)), classes=classes)
    ours = multiclass.log_losses(holdout.labels, scores, classes=classes)
    saved = metrics.skill(ours, naive, name="log loss saved", clusters=numbers)
    evidence(saved, at_least=criteria["saved_at_least"], surely=True)


def test_better_than_the_rules(labels, rule_scores, holdout, classes, numbers, criteria, evidence):
    """What everybody knows of the airlines is right in two of three cases: it has to be right surely more often."""
    rule_labels = multiclass.labels_of(rule_scores, classes)
    ours, theirs = (multiclass.wrong_labels(holdout.labels, said) for said in (labels, rule_labels))
    saved = metrics.mean(theirs - ours, name="wrong stands saved, of all flights", clusters=numbers)
    evidence(saved, at_least=criteria["wrong_calls_saved_at_least"], surely=True)


def test_better_than_a_simpler_model(candidate, training, holdout, numbers, criteria, evidence):
    """What a logistic regression does as well should be left to it."""
    margin = criteria["simpler_model_margin"]
    evidence(baselines.simpler_model(candidate, training, holdout, gain_at_least=margin, clusters=numbers))


def test_not_worse_than_the_champion(scores, champion_scores, champion, holdout, classes, numbers, criteria, evidence):
    """What replaces the champion is surely not worse by the margin. The first one ever has nobody to beat."""
    ours = multiclass.log_losses(holdout.labels, scores, classes=classes)
    theirs = (
        None
        if champion_scores is None
        else multiclass.log_losses(holdout.labels, champion_scores, classes=champion.task.classes)
    )
    evidence(compare.rows(ours, theirs, margin=criteria["champion_margin"], name="log loss", clusters=numbers))


# --- made well ----------------------------------------------------------------------------------------------------


def test_most_columns_are_of_use(candidate, holdout, numbers, criteria, evidence):
    """A column that nobody misses when it is shuffled costs somebody a field to fill in."""
    bound = criteria["idle_columns_at_most"]
    evidence(ablation.features_benefit(candidate, holdout, idle_at_most=bound, clusters=numbers))


def test_its_steps_can_learn(candidate, training, evidence):
    """Fitted to a rule that was planted they find it, fitted to noise they find nothing."""
    evidence(learnability.learns(candidate, training))


def test_no_setting_beside_its_own_is_surely_better(candidate, training, criteria, evidence):
    """Judged on a fifth of the numbers it learned from: who tunes on the held-out flights has none left."""
    model = "lgbmclassifier"
    evidence(
        tuning.neighbours(
            candidate,
            training,
            grid={f"{model}__num_leaves": [7, 31], f"{model}__colsample_bytree": [0.25, 1.0]},
            clusters=training.records["number"],
            margin=criteria["tuning_margin"],
        )
    )
