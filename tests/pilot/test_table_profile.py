"""What is made of each column of a table, and what a request may say of it."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from proveout.pilot import table_profile, table_target

ROWS = 400


@pytest.fixture(scope="module")
def columns():
    """A table with one column of each kind, and those that are no inputs."""
    random = np.random.default_rng(0)
    target = random.random(ROWS) < 0.3
    words = ["broken", "late", "again", "screen", "invoice", "wrong", "thanks", "nothing"]
    table = pd.DataFrame({
        "rownames": np.arange(1, ROWS + 1),
        "customer_id": random.permutation(ROWS) + 5_000,
        "code": [f"X-{place}" for place in range(ROWS)],
        "age": random.integers(18, 78, ROWS),
        "income": random.gamma(4, 900, ROWS).round(2),
        "plan": random.choice(["a", "b"], ROWS),
        "card": random.random(ROWS) < 0.5,
        "since": pd.date_range("2020-03-01", periods=ROWS).strftime("%Y-%m-%d"),
        "seen": pd.date_range("2020-03-01 08:30", periods=ROWS, freq="7h").strftime("%Y-%m-%dT%H:%M:%SZ"),
        "american": ["05/06/2013", "05/07/2013"] * (ROWS // 2),
        "note": [" ".join(random.choice(words, 7)) for _ in range(ROWS)],
        "town": random.choice([f"town {place}" for place in range(150)], ROWS),
        "always": "x",
        "nothing": np.nan,
        "endless": np.where(np.arange(ROWS) == 3, np.inf, 1.0),
        "split": random.random(ROWS),
        "status": np.where(target, "closed", "open"),
        "y": target,
        "batch": "t",
        "was_row": random.choice(5 * ROWS, ROWS, replace=False),  # of a table that these rows were drawn from
        "cents": random.choice(10_000_000, ROWS, replace=False),
    })  # fmt: skip
    table.loc[::10, "income"] = np.nan
    asked = table_target.read(table["y"], table="t.csv")
    return {one.name: one for one in table_profile.read(table, asked)}


@pytest.mark.parametrize(
    ("name", "kind", "use"),
    [
        ("rownames", "whole", "left out"),
        ("customer_id", "whole", "event key"),
        ("code", "code", "event key"),
        ("age", "whole", "feature"),
        ("income", "number", "feature"),
        ("plan", "category", "feature"),
        ("card", "flag", "feature"),
        ("since", "moment", "feature"),
        ("seen", "moment", "feature"),
        ("american", "code", "left out"),
        ("note", "prose", "feature"),
        ("town", "code", "left out"),
        ("always", "category", "left out"),
        ("nothing", "category", "left out"),
        ("endless", "number", "left out"),
        ("split", "number", "left out"),
        ("status", "category", "leak suspect"),
        ("was_row", "whole", "left out"),
        ("cents", "whole", "feature"),
    ],
)
def test_each_column_has_its_use(columns, name, kind, use):
    """And what is no input says why."""
    found = columns[name]

    assert (found.kind, found.use) == (kind, use)
    assert found.use == "feature" or found.decided


def one(values, *, files=1, name="x") -> table_profile.Column:
    """What is made of one column, its rows in so many files."""
    rows = pd.DataFrame({name: values})
    rows["y"] = [0, 1, 1, 0] * (len(rows) // 4)
    rows["batch"] = [f"f{files * place // len(rows)}" for place in range(len(rows))]
    [found] = table_profile.read(rows, table_target.read(rows["y"], table="t.csv"))
    return found


def test_rows_are_numbered_in_each_file_anew():
    """pandas writes its row numbers into each of several files, and there a number says how old a row is."""
    found = one([*range(100), *range(100)], files=2)

    assert (found.use, found.decided) == ("left out", "the number of the row, which nobody knows who asks")
    assert one([0, 1] * 100).use == "feature", "a flag goes up and down by one"


def test_what_parquet_keeps_of_a_database_is_used():
    """Money is decimals there, and a day is a date."""
    money = one([Decimal(f"{place % 37}.25") for place in range(200)])
    days = one([datetime.date(2024, 1 + place % 11, 7) for place in range(200)])

    assert (money.kind, money.use, money.low, money.high) == ("number", "feature", 0.25, 36.25)
    assert (days.kind, days.use, days.first) == ("moment", "feature", "2024-01-07T00:00:00")
    assert one([Decimal(place % 4 in (1, 2)) for place in range(200)]).use == "leak suspect"


def test_whole_numbers_that_json_rounds_are_no_inputs():
    """Ids of 18 digits. The schema would refuse them in a column of floats."""
    found = one([2**60 + 7 * (place // 3) for place in range(200)])

    assert found.use == "left out" and "beyond 2**53" in found.decided


@pytest.mark.parametrize("form", ["{:d},50", "$1,{:03d}.00", "{:d}.5 %", "1.{:03d},25 EUR"])
def test_numbers_that_are_written_as_text_say_how_they_are_used(form):
    """A spreadsheet writes them so, and they would be left out as names."""
    found = one([form.format(place) for place in range(200)])

    assert (found.use, found.decided) == ("left out", "write numbers as 1234.5 to have them used")


def test_a_column_says_what_was_seen_of_it(columns):
    """It is the comment beside the field."""
    assert columns["plan"].kinds == tuple(sorted(columns["plan"].kinds)) or len(columns["plan"].kinds) == 2
    assert columns["income"].nullable and columns["income"].seen.endswith("; null in 10 %")
    assert columns["seen"].zoned and columns["seen"].has_hours and not columns["since"].has_hours
    assert columns["status"].decided == "it predicts y by itself: auc 1.000"


@pytest.mark.parametrize(
    ("kind", "low", "high", "bounds"),
    [
        ("whole", 0, 1, (0, 1)),
        ("whole", 18, 77, (0, 110)),
        ("whole", 2000, 2013, (1900, 2100)),
        ("number", -5, 5, (-10, 10)),
        ("number", 0.0, 0.9, (0, 1)),
        ("number", -300, -100, (-400, 0)),
        ("number", 61.2, 62.8, (60, 64)),
    ],
)
def test_ranges_leave_room_and_cross_no_sign(kind, low, high, bounds):
    """A price below 0, or an age of -12, is a fault, not news."""
    column = table_profile.Column(name="x", kind=kind, use="feature", seen="", low=low, high=high)

    least, most = table_profile.bounds(column)

    assert (least, most) == bounds
    assert least <= low and high <= most
