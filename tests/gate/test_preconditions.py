"""What the gate asks of its own inputs: pure decisions on values."""

import numpy as np
import pandas as pd
import pytest

from proveout.evaluation.context import LabelledRows
from proveout.gate import preconditions
from proveout.records.values import Digest


def rows(count: int, *, start: int = 0, seed: int = 0, kinds: int = 0) -> LabelledRows:
    """Rows with a key of their own; `kinds`: of so few contents that twins are common."""
    random = np.random.default_rng(seed)
    x = random.integers(kinds, size=count) if kinds else random.normal(size=count)
    records = pd.DataFrame({"n": np.arange(start, start + count), "x": x, "tail": [None] * count})
    return LabelledRows(raw=records.assign(y=0), records=records, labels=random.random(count) > 0.5)


def mixed(own: LabelledRows, other: LabelledRows, count: int, *, key: bool) -> LabelledRows:
    """`own` with its last rows taken from `other`."""
    taken = other.records[:count].copy()
    if not key:
        taken["n"] = np.arange(10**6, 10**6 + count)
    records = pd.concat([own.records[:-count], taken], ignore_index=True)
    labels = np.concatenate([own.labels[:-count], other.labels[:count]])
    return LabelledRows(raw=records.assign(y=0), records=records, labels=labels)


def test_rows_of_their_own_are_no_overlap():
    """Nothing is added when all is well."""
    assert preconditions.overlap(rows(500), rows(200, start=1000, seed=1), key=("n",)) == ()


def test_one_event_in_both_is_too_many():
    """A key names one event."""
    learned, held = rows(500), rows(200, start=1000, seed=1)

    (wrong,) = preconditions.overlap(learned, mixed(held, learned, 1, key=True), key=("n",))

    assert wrong.check == "gate::holdout-overlaps-training"
    assert wrong.message.startswith("1 of 200 held-out rows are among the training rows too, by their key (n): ")


@pytest.mark.parametrize(("count", "found"), [(5, 0), (6, 1)])
def test_rows_learned_under_another_key_are_few_or_found(count, found):
    """One in a hundred lifts a share of right answers by 0.01 at most; three more are no proof."""
    learned, held = rows(500), rows(200, start=1000, seed=1)

    assert len(preconditions.overlap(learned, mixed(held, learned, count, key=False), key=("n",))) == found


@pytest.mark.parametrize("seed", range(20))
def test_twins_by_chance_are_no_overlap(seed):
    """If rows have few distinct contents, most have a twin, and training rows have as many."""
    learned, held = rows(400, kinds=150, seed=seed), rows(300, start=1000, kinds=150, seed=100 + seed)

    assert preconditions.overlap(learned, held, key=("n",)) == ()


def test_a_tenth_learned_by_heart_is_found_among_twins_by_chance():
    """Chance is not to hide it."""
    learned, held = rows(400, kinds=2000, seed=1), rows(300, start=1000, kinds=2000, seed=2)
    assert preconditions.overlap(learned, held, key=("n",)) == ()

    (wrong,) = preconditions.overlap(learned, mixed(held, learned, 90, key=False), key=("n",))

    assert "under another key" in wrong.message


def test_rows_that_are_all_key_have_no_other_content():
    """There is nothing to compare but the key."""
    assert preconditions.overlap(rows(50), rows(20, start=100, seed=1), key=("n", "x", "tail")) == ()


@pytest.mark.parametrize(("through", "holdout", "fine"), [("2013-04", "2013-05", True), ("2013-05", "2013-05", False)])
def test_the_held_out_batch_comes_after_training(through, holdout, fine):
    """On its training rows, every model is good."""
    found = preconditions.order(train_through=through, holdout=holdout)

    assert [one.check for one in found] == ([] if fine else ["gate::holdout-in-training"])


def test_a_batch_more_than_allowed_makes_the_holdout_stale():
    """As many as allowed are fine."""
    newer = ("2013-06", "2013-07", "2013-08")

    assert preconditions.stale("2013-05", newer, allowed=3) == ()
    assert [one.check for one in preconditions.stale("2013-05", newer, allowed=2)] == ["gate::stale-holdout"]


def test_an_edge_case_that_went_without_a_word_is_missed():
    """Unless it was retired."""
    before = {"low": Digest("a"), "high": Digest("b")}

    assert preconditions.weaker(before, before, ()) == ()
    assert preconditions.weaker(before, {"low": Digest("a")}, {"high"}) == ()
    assert [one.check for one in preconditions.weaker(before, {"low": Digest("c")}, ())] == [
        "gate::edge-cases[1]",
        "gate::edge-cases[2]",
    ]
