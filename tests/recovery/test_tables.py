"""Rows that are found again by what they hold."""

import numpy as np
import pandas as pd

from proveout.recovery.tables import places_by_content, target_column


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
