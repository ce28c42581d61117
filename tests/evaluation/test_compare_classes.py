"""Two multi-class models on the same rows: macro averages and class shares, against closed forms and by trials."""

import numpy as np
import pytest
from scipy.stats import chi2, norm
from sklearn.metrics import f1_score

from proveout.errors import UsageError
from proveout.evaluation import compare, compare_classes, multiclass


def two_models(rows=600, *, seed=0, wrong=0.2):
    """Outcomes, and the labels of two models that are wrong in as many rows, mostly in the same ones."""
    rng = np.random.default_rng(seed)
    outcomes = rng.choice(["a", "b", "c"], p=[0.6, 0.3, 0.1], size=rows)
    said = np.where(rng.random(rows) < wrong, rng.choice(["a", "b", "c"], size=rows), outcomes)
    moved = rng.random((2, rows)) < 0.02
    return outcomes, *(np.where(part, rng.choice(["a", "b", "c"], size=rows), said) for part in moved)


def test_the_gain_is_the_difference_of_the_metric():
    """And the champion's own value stands beside it."""
    y, new, old = two_models()
    found = compare_classes.macro(y, new, old, margin=0.05)
    wanted = [f1_score(y, one, average="macro") for one in (new, old)]

    assert found.value == pytest.approx(wanted[0] - wanted[1])
    assert found.champion == pytest.approx(wanted[1])
    assert found.low < found.value < found.high
    assert found.level == pytest.approx(0.9)


def test_the_decision_is_by_the_margin():
    """Not worse, worse, and the same labels twice."""
    y, new, old = two_models(4_000)
    broken = np.where(y == "c", "a", new)  # never says the rarest class

    assert compare_classes.macro(y, new, old, margin=0.05).decision.startswith("not worse")
    assert compare_classes.macro(y, broken, old, margin=0.05).decision.startswith("worse")
    assert compare_classes.macro(y, old, old, margin=0.0).low == 0
    assert compare_classes.macro(y, y, old, margin=0.0, better=True, of="recall").holds
    few = compare_classes.macro(y, new, old, margin=0.05, clusters=np.arange(4_000) // 100)
    assert "40 clusters are few" in few.decision


def test_without_a_champion_the_own_value_is_stated():
    """The first candidate has no champion to compare with."""
    y, new, _ = two_models()
    found = compare_classes.macro(y, new, None, margin=0.05, of="recall")

    assert found.decision == "first: no champion to compare with"
    assert (found.name, found.value) == ("macro recall", multiclass.balanced_accuracy(y, new).value)


def test_right_and_wrong_are_compared_by_mcnemar_for_classes_too():
    """The labels may be texts."""
    y, new, old = two_models(2_000)
    found = compare.labels(y, new, old, threshold=None, margin=0.05)

    assert found.value == pytest.approx((new == y).mean() - (old == y).mean())
    assert found.decision.startswith("not worse")


# --- class shares -----------------------------------------------------------------------------------------------------


def test_with_two_classes_the_test_is_mcnemars():
    """The square of (b - c) over b + c."""
    table = {("a", "a"): 50, ("a", "b"): 30, ("b", "a"): 12, ("b", "b"): 40}
    said = np.concatenate([[one] * count for (one, _), count in table.items()])
    other = np.concatenate([[two] * count for (_, two), count in table.items()])
    known, against, _ = multiclass.coded(said, other)

    assert compare_classes.equal_shares_p(known, against, 2, None) == pytest.approx(chi2.sf(18**2 / 42, 1))
    assert compare_classes.shares(said, other).value == pytest.approx(18 / 132)


def test_with_three_classes_the_test_is_stuarts():
    """His closed form for three: B. S. Everitt, The Analysis of Contingency Tables (1977), 5.3."""
    table = np.array([[35, 5, 0], [15, 20, 5], [10, 5, 5]])  # Maxwell's example has this form
    rows, columns = np.divmod(np.repeat(np.arange(9), table.ravel()), 3)
    off = table.sum(1) - table.sum(0)
    half = (table + table.T) / 2
    squared = half[1, 2] * off[0] ** 2 + half[0, 2] * off[1] ** 2 + half[0, 1] * off[2] ** 2
    squared /= 2 * (half[0, 1] * half[1, 2] + half[0, 1] * half[0, 2] + half[0, 2] * half[1, 2])

    assert compare_classes.equal_shares_p(rows, columns, 3, None) == pytest.approx(chi2.sf(squared, 2))


def test_classes_that_are_never_confused_make_two_tests_of_one_degree():
    """Rows only confuse a with b, and c with d: each pair is judged by its own rows, without a division by zero."""
    said = np.repeat([0, 1, 2, 3], [30, 10, 20, 20])
    other = np.repeat([1, 0, 3, 2], [30, 10, 20, 20])

    assert compare_classes.equal_shares_p(said, other, 4, None) == pytest.approx(chi2.sf(20**2 / 40 + 0, 2))
    assert compare_classes.equal_shares_p(said, said, 4, None) == 1.0


def test_rows_that_change_together_show_less():
    """The same fifty rows, twenty times each."""
    rng = np.random.default_rng(0)
    said, other = (np.repeat(rng.choice(["a", "b", "c"], size=50, p=p), 20) for p in ([0.4, 0.4, 0.2], [0.6, 0.2, 0.2]))

    alone = compare_classes.shares(said, other)
    together = compare_classes.shares(said, other, clusters=np.repeat(np.arange(50), 20))

    assert alone.decision == "shares differ (p < 0.001)"
    assert together.value == alone.value
    assert together.high - together.low > 3 * (alone.high - alone.low)


def test_shares_against_outcomes_tell_what_is_said_too_often():
    """A model that never predicts the rarest class predicts the others too often."""
    y, _, _ = two_models(2_000)
    found = compare_classes.shares(np.where(y == "c", "a", y), y, at_most=0.02)

    assert (found.slice, found.holds) in {("class=a", False), ("class=c", False)}
    assert found.value == pytest.approx((y == "c").mean())


def test_what_can_not_be_asked_says_why():
    """Missing labels raise, too little is not judged."""
    assert compare_classes.shares([], []).unjudged == "no rows"
    assert compare_classes.shares(["a"], ["b"], clusters=[1]).unjudged == "one cluster, an interval needs two"
    assert compare_classes.macro(["a", "a"], ["a", "b"], ["a", "a"], margin=0.1).unjudged.startswith("2 rows, all of")
    with pytest.raises(UsageError, match="1 of 2 labels of the champion is missing"):
        compare_classes.macro(["a", "b"], ["a", "b"], ["a", None], margin=0.1)
    with pytest.raises(UsageError, match="There are 2 rows and 1 labels of the champion"):
        compare_classes.macro(["a", "b"], ["a", "b"], ["a"], margin=0.1)


def test_a_normal_quantile_bounds_what_a_share_says_of_many_rows():
    """Tango's interval is the normal one where rows are many."""
    said, other = ["a"] * 6_000 + ["b"] * 4_000, ["a"] * 5_000 + ["b"] * 5_000
    found = compare_classes.shares(said, other, level=0.9)
    wanted = norm.ppf(1 - 0.05 / 2) * (0.1 * 0.9 / 10_000) ** 0.5

    assert found.high - found.value == pytest.approx(wanted, rel=0.05)
