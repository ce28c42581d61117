"""`--split` of a new project: which rows are held out, and into which batches a table falls."""

import pandas as pd
import pytest

from proveout.data import splits
from proveout.errors import UsageError
from proveout.pilot import table_split, table_target
from proveout.pilot.table_file import TableFile, TableRefused
from proveout.records.train_config import ColumnSplit, GroupSplit, RandomSplit, TimeSplit

DAYS = pd.date_range("2020-01-01", periods=600).strftime("%Y-%m-%d")


def read(said: str, **columns) -> table_split.TableSplit:
    rows = pd.DataFrame({"y": [0, 1] * 300, **columns, "batch": "t"})
    table = TableFile(named="t.csv", addresses=("t.csv",), rows=rows)
    return table_split.read(said, table, table_target.read(rows["y"], table="t.csv"))


def test_by_default_a_fifth_of_each_class_is_held_out():
    """Drawn by a hash, so that rows which come later move none."""
    assert read("random").split == RandomSplit(holdout_share=0.2, seed=0, stratify=True)


def test_time_cuts_the_table_by_the_calendar():
    """The last batch is neither a sliver nor half of the table."""
    found = read("time:day", day=DAYS)

    assert found.split == TimeSplit(train_through="4-from-2020-12-26", holdout="5-from-2021-04-25")
    assert found.batches.value_counts().tolist() == [120] * 5 and found.apart == ()

    months = read("time:day", day=[f"2020-0{1 + place // 100}-05" for place in range(600)])
    assert months.split == TimeSplit(train_through="2020-05", holdout="2020-06")


def test_time_may_be_a_number_that_grows():
    """It is no field of a request then: the model would never have seen its value."""
    found = read("time:week", week=[place // 60 for place in range(600)])

    assert found.split == TimeSplit(train_through="4-from-6", holdout="5-from-8")
    assert found.apart == ("week",)


def test_groups_stay_whole():
    """The column names a group, and is no field of a request."""
    found = read("group:house", house=[place // 6 for place in range(600)])

    assert found.split == GroupSplit(column="house", holdout_share=0.2, seed=0)
    assert found.apart == ("house",)


def test_of_few_groups_a_seed_holds_about_a_fifth_of_the_rows_out():
    """By the first seed none of ten may be held out, and nobody who starts a project chooses seeds."""
    for groups in (10, 11, 12, 15):
        houses = pd.Series([f"house {place % groups}" for place in range(600)], name="house")
        for first in range(5):
            split = table_split.group_split(houses, seed=first)
            rows = houses.to_frame()
            held_out = splits.assign(split, rows, event_key=()).holdout.mean()
            assert 0.1 <= held_out <= 0.3, (groups, first, split)


def test_time_judges_by_the_last_batch_that_has_outcomes():
    """What a loan of this month came to, nobody knows yet: its rows wait in a batch of their own."""
    months = [f"2020-{1 + place // 100:02d}-05" for place in range(600)]

    found = read("time:day", day=months, y=[0, 1] * 200 + [None] * 200)

    assert found.split == TimeSplit(train_through="2020-03", holdout="2020-04")
    assert found.words.endswith("later ones have no outcome yet: 2020-05, 2020-06")
    with pytest.raises(TableRefused, match="all rows with an outcome are of one batch"):
        read("time:day", day=[*months[:100], *months[:500]][::-1], y=[None] * 500 + [0, 1] * 50)


def test_batches_of_large_numbers_are_told_apart():
    """A day as 20240105 has more digits than a number is shown with."""
    found = read("time:day", day=[20240101 + place // 60 for place in range(600)])

    assert found.split == TimeSplit(train_through="4-from-20240107", holdout="5-from-20240109")


def test_a_column_may_say_it():
    """As the pilot split them."""
    assert read("column:side", side=["train", "train", "holdout"] * 200).split == ColumnSplit(column="side")


@pytest.mark.parametrize(
    ("said", "columns", "problem"),
    [
        ("sometimes", {}, "is not a split: write random, time:COLUMN"),
        ("time", {}, "is not a split"),
        ("random:day", {}, "is not a split"),
        ("group:y", {}, "y is the target"),
        ("group:hous", {"house": 1}, r"no column hous, which --split names. Do you mean house\?"),
        ("group:house", {"house": [1, 2, 3] * 200}, "has 3 groups; to hold some of them out takes 10"),
        ("group:house", {"house": [None, *range(599)]}, "null in 1 rows"),
        (
            "column:side",
            {"side": ["train", "test"] * 300},
            'must have the values "train" and "holdout", but has test, train',
        ),
        ("time:day", {"day": ["05/06/2013"] * 600}, "is not a date or time in ISO 8601"),
        ("time:day", {"day": [1, 2] * 300}, "too few distinct values"),
    ],
)
def test_a_split_that_cannot_be_made_says_why(said, columns, problem):
    """With what to do."""
    with pytest.raises((UsageError, TableRefused), match=problem):
        read(said, **columns)
