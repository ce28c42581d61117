"""Rows that are found again by what they hold."""

import numpy as np
import pandas as pd

from proveout.recovery.tables import as_frame, completed, emptied, from_frame, places_by_content, target_column


def test_rows_are_found_by_content_each_once() -> None:
    """Holes are equal to holes, and of two equal rows each stands for one."""
    made = np.array([[1.0, np.nan], [2.0, -0.0], [1.0, np.nan], [3.0, 1.0]])
    wanted = np.array([[2.0, 0.0], [1.0, np.nan], [1.0, np.nan], [1.0, np.nan], [4.0, 1.0]])

    found = places_by_content(made, wanted)

    assert found[0] == 1
    assert sorted(place for place in found[1:3] if place is not None) == [0, 2]
    assert found[3:] == [None, None]


def test_rows_of_texts_are_found_by_content() -> None:
    assert places_by_content(np.array([["a", 1], ["b", 2]], dtype=object), np.array([["b", 2]], dtype=object)) == [1]


def test_a_class_that_is_a_range_of_a_column_is_found() -> None:
    """`price > price.median()`: no two rows have one price, and yet the price says it all."""
    price = np.random.default_rng(0).normal(size=200)
    raw = pd.DataFrame({"size": price[::-1], "price": price})

    assert target_column(raw, price > np.median(price), range(200)) == "price"
    assert target_column(raw, np.digitize(price, [-1, 1]), range(200)) == "price"
    assert target_column(raw, np.abs(price) > 1, range(200)) is None


def test_of_one_value_no_other_column_is_the_truth() -> None:
    """Each column determines it. A file without the outcome has such a truth, and its holes are no target."""
    raw = pd.DataFrame({"kind": ["a", "b"] * 50, "one": 1.0})

    assert target_column(raw, np.full(100, np.nan), range(100)) is None
    assert target_column(raw, np.ones(100), range(100)) == "one"


def test_a_column_whose_decimals_were_taken_is_the_truth() -> None:
    """Its order is that of the truth, and each of its values has one; of a column that is near to it neither holds."""
    rng = np.random.default_rng(3)
    strength = rng.uniform(5, 80, 200)
    raw = pd.DataFrame({"near": strength + rng.normal(0, 0.5, 200), "strength": strength})

    assert target_column(raw, strength.astype(int), range(200)) == "strength"
    assert target_column(raw.drop(columns="strength"), strength.astype(int), range(200)) is None


def test_a_column_that_is_nearly_the_truth_in_each_class_is_it() -> None:
    """Rows that look alike were told apart by nothing. A column of zeros is not nearly a rare event."""
    rare = np.array([1] * 10 + [0] * 190)
    swapped = rare.copy()
    swapped[[9, 10]] = [0, 1]
    raw = pd.DataFrame({"size": np.where(rare == 1, 5.0, np.linspace(0, 1, 200)), "none": 0, "event": swapped})

    assert target_column(raw, rare, range(200)) == "event"
    assert target_column(raw.drop(columns="event"), rare, range(200)) == "size"


def test_an_index_that_nobody_is_asked_for_has_other_labels_in_each_row() -> None:
    """With the same label, a merge on the index joins each row of a request with all others."""
    example = pd.DataFrame({"id": [7], "age": [30.0], "plan": ["pro"]})

    made = completed(pd.DataFrame({"age": [20.0, 21.0, 22.0]}), example, ["id"])

    assert made["id"].tolist() == [0, 1, 2]
    assert made["plan"].tolist() == ["pro"] * 3
    assert completed(pd.DataFrame({"id": [4, 4], "age": [1.0, 2.0]}), example, ["id"])["id"].tolist() == [4, 4]


def test_rows_get_the_types_and_the_columns_that_the_statements_know() -> None:
    """Codes of a category go by its order, which two equal categories need not share."""
    sizes = pd.CategoricalDtype(["S", "M", "L"])
    example = pd.DataFrame({"age": [30], "size": pd.Categorical(["M"], dtype=sizes), 7: [1.5], "note": ["none"]})
    rows = pd.DataFrame(
        {"7": [2, 3], "size": pd.Categorical(["L", "S"]), "age": [20.0, None], "other": 0}, index=[4, 4]
    )

    made = completed(rows, example)

    assert made.columns.tolist() == ["age", "size", 7, "note"]
    assert made["size"].cat.codes.tolist() == [2, 0]
    assert made[7].dtype == "float64"
    assert made["age"].isna().tolist() == [False, True]  # no integer holds the hole
    assert made["note"].tolist() == ["none"] * 2
    assert completed(rows[:0], example).dtypes.astype(str)["size"] == "category"
    assert rows["age"].isna().tolist() == [False, True]


def test_the_rows_of_a_caller_stay_as_they_are() -> None:
    """What the statements write into their table is theirs."""
    rows = pd.DataFrame({"age": [20.0, 21.0]})

    completed(rows, pd.DataFrame({"age": [30.0]})).loc[0, "age"] = -1.0

    assert rows["age"].tolist() == [20.0, 21.0]


def test_tables_that_a_split_was_given_keep_the_names_of_their_columns() -> None:
    """A table of groups has no file of rows: it is what a caller is asked for, by name."""
    given = pd.DataFrame({"last": [1.5, 2.5], "city": ["Rome", "Oslo"]}, index=["a", "b"])
    split = (given, np.array([0, 1]))

    raw = as_frame(split)

    assert list(raw.columns) == ["last", "city", "target"]
    first, truth = from_frame(raw, emptied(split))
    assert (list(first.columns), list(first["city"]), list(truth)) == (["last", "city"], ["Rome", "Oslo"], [0, 1])
