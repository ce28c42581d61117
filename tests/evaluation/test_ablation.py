"""evaluation/ablation.py: a column without information is named."""

import numpy as np
from drawn_rows import boosted, drawn, labelled, linear, straight

from proveout.evaluation import ablation, baselines, leakage, learnability, model_age, row_dependence, tuning


def test_a_feature_that_tells_nothing_is_named(candidate):
    """It can only break: every input is one more thing to go missing."""
    rows, later = drawn(0), drawn(1)
    opened = candidate(boosted(), rows, straight(rows))

    *each, idle = ablation.features_benefit(opened, labelled(later, straight(later, 8)), idle_at_most=1)

    found = {one.slice: one for one in each}
    assert list(found) == ["a", "b", "kind", "c"]  # the model's columns: no request has a c
    assert found["a"].decision == "of benefit"
    assert found["b"].decision == found["kind"].decision == "no benefit shown"
    assert idle.breaks
    assert idle.value >= 2
    assert "b" in idle.decision
    assert idle.covers == ("data-2",)


def test_features_that_all_tell_something_pass(candidate):
    """Also the one that the features function made."""
    rows, later = drawn(0), drawn(1)

    def labels(table, seed):
        noise = np.random.default_rng(seed).normal(scale=0.5, size=len(table))
        return (table["a"] + table["b"] + (table["kind"] == "x") + noise > 0.5).to_numpy()

    opened = candidate(linear(), rows, labels(rows, 2))  # it shares the weight of a between a and its half

    *each, idle = ablation.features_benefit(opened, labelled(later, labels(later, 4)), idle_at_most=0, rows=1_000)

    assert idle.holds
    assert idle.value == 0
    assert {one.rows for one in each} == {1_000}


def test_a_check_that_has_a_helper_from_where_it_was_goes_on():
    """Checks are the users' own: a helper that moves does not break them."""
    assert ablation.simpler_model is baselines.simpler_model
    assert ablation.staleness is model_age.staleness
    assert learnability.neighbours is tuning.neighbours
    assert leakage.pure_features is row_dependence.pure_features
    assert leakage.pure_label is row_dependence.pure_label
