"""What several values make together, and what a variable's name promises."""

import pytest

from proveout.pilot.audit.data_flow import Value, hinted, is_model, joined


@pytest.mark.parametrize("name", ["X_train", "train_df", "y_trn", "xtrain", "training_rows", "trainX"])
def test_a_name_of_training_rows_is_known(name: str) -> None:
    """Half of all notebooks never call train_test_split."""
    assert hinted(name) == "train"


@pytest.mark.parametrize("name", ["X_test", "test_df", "y_val", "validation_set", "holdout", "X_dev", "testing"])
def test_a_name_of_held_out_rows_is_known(name: str) -> None:
    """Validation rows are held out as test rows are."""
    assert hinted(name) == "test"


@pytest.mark.parametrize("name", ["data", "trained_model", "trainer", "latest", "contest", "values", "attestation"])
def test_a_name_that_only_sounds_like_it_promises_nothing(name: str) -> None:
    """A trained model is no training rows."""
    assert hinted(name) == ""


def test_rows_of_both_sides_together_are_all_rows() -> None:
    """`pd.concat([train, test])` is the whole again."""
    assert joined([Value(part="train"), Value(part="test")]).part == "whole"
    assert joined([Value(part="train"), Value()]).part == "train"


def test_a_statistic_among_rows_is_in_the_rows() -> None:
    """That is what filling holes by a mean does."""
    found = joined([Value(held="df"), Value(statistic=frozenset({3}))])

    assert (found.learned, found.statistic) == (frozenset({3}), frozenset())


def test_statistics_among_themselves_stay_statistics() -> None:
    """A bound made of two quantiles has no rows yet."""
    found = joined([Value(statistic=frozenset({1})), Value(statistic=frozenset({2}))])

    assert (found.learned, found.statistic) == (frozenset(), frozenset({1, 2}))


def test_a_pipeline_is_a_model_if_it_ends_in_one() -> None:
    """A pipeline of scalers alone answers nothing."""
    assert is_model(Value(estimator="Pipeline", parts_of=("StandardScaler", "SVC")))
    assert not is_model(Value(estimator="Pipeline", parts_of=("StandardScaler", "SimpleImputer")))
    assert not is_model(Value(estimator="StandardScaler"))
