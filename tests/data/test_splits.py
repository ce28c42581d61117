"""data/splits.py: on which side a row stands, the same for everybody and whatever comes later."""

import json
import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from proveout.data import splits
from proveout.errors import ConfigError, NotFound
from proveout.records.train_config import ColumnSplit, GroupSplit, RandomSplit, TimeSplit

TIME = TimeSplit(train_through="2013-04", holdout="2013-06")


def rows(count: int, *, begin: int = 0, batch: str = "table") -> pd.DataFrame:
    ids = np.arange(begin, begin + count)
    return pd.DataFrame({
        "id": ids,
        "customer": [f"c{one % 300}" for one in ids],
        "fold": np.where(ids % 4 == 0, "holdout", "train"),
        "batch": batch,
    })  # fmt: skip


def classes(frame: pd.DataFrame) -> "pd.Series[str]":
    """Nine in ten of one class, one in ten of another, one in a hundred of a third."""
    return pd.Series(np.select([frame["id"] % 100 == 0, frame["id"] % 10 == 0], ["c", "b"], "a"), dtype=object)


def test_a_time_split_learns_up_to_one_batch_and_passes_over_what_lies_between():
    """Nothing between the last trained and the held-out batch is learned from or judged on."""
    frame = pd.DataFrame({"batch": ["2013-03", "2013-04", "2013-05", "2013-06", "2013-07"]})

    found = splits.assign(TIME, frame, event_key=["id"])

    assert found.train.tolist() == [True, True, False, False, False]
    assert found.holdout.tolist() == [False, False, False, True, False]


def test_a_column_of_the_pilot_says_on_which_side_a_row_stands():
    """An adopted notebook keeps the split that its numbers come from."""
    frame = rows(100)

    found = splits.assign(ColumnSplit(column="fold"), frame, event_key=["id"])

    assert (found.holdout == (frame["fold"] == "holdout")).all() and (found.train == ~found.holdout).all()


def test_the_share_held_out_is_the_one_asked_for():
    """Within five standard deviations of what independent draws would give."""
    frame = rows(20_000)

    for share in (0.05, 0.2, 0.5):
        held = splits.assign(RandomSplit(holdout_share=share), frame, event_key=["id"]).holdout.sum()
        assert abs(held - 20_000 * share) < 5 * (20_000 * share * (1 - share)) ** 0.5


def test_another_seed_draws_other_rows():
    """As independent of the first as two draws are: a share of the share stands on both sides."""
    frame = rows(20_000)
    one, other = (splits.assign(RandomSplit(seed=seed), frame, event_key=["id"]).holdout for seed in (0, 1))

    assert abs((one & other).sum() - 800) < 5 * (20_000 * 0.04 * 0.96) ** 0.5


@pytest.mark.parametrize("split", [RandomSplit(seed=3), GroupSplit(column="customer", seed=3)], ids=lambda s: s.kind)
def test_rows_that_come_later_move_none_that_were_there(split):
    """Otherwise a candidate is judged on rows that the champion learned from."""
    before, whole = rows(2_000), pd.concat([rows(3_000, begin=2_000), rows(2_000)], ignore_index=True)
    old = splits.assign(split, before, event_key=["id"])

    new = splits.assign(split, whole, event_key=["id"])

    assert (new.holdout[3_000:] == old.holdout).all() and (new.train[3_000:] == old.train).all()


def test_a_null_in_a_later_row_moves_none_that_were_there():
    """It makes numbers with a point of a column of whole ones: 7 becomes 7.0."""
    before = rows(500)
    whole = pd.concat([before, pd.DataFrame({"id": [None], "batch": "table"})], ignore_index=True)
    assert whole["id"].dtype != before["id"].dtype

    old, new = (splits.assign(RandomSplit(), one, event_key=["id"]).holdout for one in (before, whole))

    assert (new[:500] == old).all()


def test_a_process_of_its_own_draws_the_same_rows():
    """Python's own hash is another one in each process."""
    program = (
        "import json, pandas as pd; from proveout.data import splits\n"
        "from proveout.records.train_config import RandomSplit\n"
        "frame = pd.DataFrame({'id': range(200), 'name': [f'n{i}' for i in range(200)], 'batch': 't'})\n"
        "held = splits.assign(RandomSplit(), frame, event_key=['id', 'name']).holdout\n"
        "print(json.dumps(held.nonzero()[0].tolist()))"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }

    assert len(found) == 1
    # Written down: another hash would move the rows of every project that there is.
    assert json.loads(found.pop())[:8] == [2, 3, 4, 11, 25, 26, 27, 29]


def test_rows_of_one_event_stand_on_one_side():
    """A row learned by heart would be judged as if it were new."""
    frame = pd.concat([rows(500), rows(500)], ignore_index=True)

    for split in (RandomSplit(), RandomSplit(stratify=True)):
        held = splits.assign(split, frame, event_key=["id"], target=classes(frame)).holdout
        assert (held[:500] == held[500:]).all() and 0 < held.sum() < len(frame)


def test_a_group_stands_on_one_side_whole():
    """Rows of one customer are alike: a training row predicts the others."""
    frame = rows(3_000)

    found = splits.assign(GroupSplit(column="customer"), frame, event_key=["id"])

    sides = pd.Series(found.holdout).groupby(frame["customer"]).nunique()
    assert (sides == 1).all() and 30 <= frame["customer"][found.holdout].nunique() <= 90


def test_stratified_each_class_gives_its_share():
    """To the row: of thirty rows of a rare class, chance would hold out one or eleven."""
    frame = rows(3_000)
    target = classes(frame)

    held = splits.assign(RandomSplit(holdout_share=0.2, stratify=True), frame, event_key=["id"], target=target).holdout

    assert target[held].value_counts().to_dict() == {"a": 540, "b": 54, "c": 6}


def test_stratified_a_later_batch_moves_no_row_of_an_earlier_one():
    """Each class gives its share of all batches up to there."""
    split = RandomSplit(holdout_share=0.25, stratify=True)
    before = rows(1_111, batch="1")
    whole = pd.concat([before, rows(2_222, begin=1_111, batch="2")], ignore_index=True)

    old = splits.assign(split, before, event_key=["id"], target=classes(before)).holdout
    new = splits.assign(split, whole, event_key=["id"], target=classes(whole)).holdout

    assert (new[:1_111] == old).all()
    shares = classes(whole)[new].value_counts() / classes(whole).value_counts()
    assert (abs(shares - 0.25) < 0.02).all()


def test_stratified_a_row_added_to_a_batch_moves_at_most_one():
    """What exact shares cost: the docs say so."""
    split, frame = RandomSplit(stratify=True), rows(400)
    for count in (200, 201, 299, 398):
        one, more = frame.head(count), frame.head(count + 1)
        old = splits.assign(split, one, event_key=["id"], target=classes(one)).holdout
        new = splits.assign(split, more, event_key=["id"], target=classes(more)).holdout
        assert (old != new[:count]).sum() <= 1


def test_a_row_without_an_outcome_takes_no_place_of_a_class():
    """It is neither learned from nor judged on."""
    frame = rows(1_000)
    target = classes(frame).where(frame["id"] % 2 == 0, None)

    held = splits.assign(RandomSplit(stratify=True), frame, event_key=["id"], target=target).holdout

    assert target[held].value_counts().to_dict() == {"a": 80, "b": 18, "c": 2}


WRONG = {
    "one batch has no order": (
        lambda: splits.batches_needed(TIME, ["table"]),
        'kind "time" needs several batches, but there is only one (table)',
    ),
    "held out is not later": (
        lambda: splits.batches_needed(TimeSplit(train_through="2", holdout="1"), ["1", "2", "3"]),
        "the held-out batch 1 is not after 2, the last trained one: batches are in the order of their names as text "
        "(1, 2, 3). Hold out a later one (3)",
    ),
    "no such key": (
        lambda: splits.assign(RandomSplit(), rows(9), event_key=["flight"]),
        "the rows have no column flight; they have id, customer, fold, batch",
    ),
    "no such group": (
        lambda: splits.assign(GroupSplit(column="patient"), rows(9), event_key=["id"]),
        "the rows have no column patient",
    ),
    "a null group": (
        lambda: splits.assign(GroupSplit(column="g"), rows(2).assign(g=["a", None]), event_key=["id"]),
        "g is null in 1 of 2 rows, so their side is unknown",
    ),
    "one group": (
        lambda: splits.assign(GroupSplit(column="g"), rows(9).assign(g="a"), event_key=["id"]),
        "all rows are of one group by g: 'a'",
    ),
    "other words": (
        lambda: splits.assign(ColumnSplit(column="g"), rows(3).assign(g=["train", "test", "holdout"]), event_key=[]),
        'g must be "train" or "holdout", but has \'test\'',
    ),
    "nothing held out": (
        lambda: splits.assign(RandomSplit(holdout_share=1e-9), rows(9), event_key=["id"]),
        "no row with a known outcome is held out",
    ),
    "nothing to learn from": (
        lambda: splits.assign(ColumnSplit(column="g"), rows(9).assign(g="holdout"), event_key=["id"]),
        "no row with a known outcome is for training",
    ),
    "all held-out outcomes unknown": (
        lambda: splits.assign(
            TimeSplit(train_through="1", holdout="2"),
            pd.DataFrame({"batch": ["1", "2"]}),
            event_key=["id"],
            target=pd.Series([True, None], dtype="boolean"),
        ),
        "no row with a known outcome is held out: learned through 1, judged on 2, of 1 rows",
    ),
    "a class too small": (
        lambda: splits.assign(
            RandomSplit(stratify=True), rows(9), event_key=["id"], target=pd.Series(["a"] * 8 + ["b"], dtype=object)
        ),
        "stratify needs two events of each class, one for each side, but the class 'b' has one",
    ),
    "no classes to stratify by": (
        lambda: splits.assign(RandomSplit(stratify=True), rows(9), event_key=["id"]),
        "stratify needs the outcome of each row",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_split_that_cannot_be_made_says_why_and_what_to_do(what):
    """Before anything is trained, not as a KeyError in the notebook."""
    split, sentence = WRONG[what]

    with pytest.raises(ConfigError) as raised:
        split()

    assert sentence in str(raised.value) and str(raised.value).startswith("[split] in train.toml: ")


def test_a_batch_that_is_not_there_is_named():
    """With those that are, and how to take it in."""
    with pytest.raises(NotFound, match=r"2013-04.*the snapshot has 1, 2"):
        splits.batches_needed(TIME, ["1", "2"])


def test_only_a_time_split_leaves_out_what_came_after():
    """A later batch holds rows like any other where they are drawn at random."""
    names = ["2013-06", "2013-04", "2013-07"]

    assert splits.batches_needed(TIME, names) == ("2013-04", "2013-06")
    assert splits.batches_needed(RandomSplit(), names) == ("2013-04", "2013-06", "2013-07")
    assert splits.order_warning(TIME, ["2", "10"]) and not splits.order_warning(RandomSplit(), ["2", "10"])
