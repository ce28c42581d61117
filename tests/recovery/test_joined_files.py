"""Files of the same columns, one below the other, are the raw rows; what was computed before is none."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from handed_over import answers, handed_over
from small_pilots import FIT, SPLIT

from proveout.recovery.joined_files import are_joined

TRUE = pd.DataFrame({"title": ["a", "b", "c"], "length": [1, 2, 3]})
FAKE = pd.DataFrame({"title": ["d", "e", "f", "g"], "length": [4, 5, 6, 7]})


@pytest.mark.parametrize(
    "change",
    [
        lambda table, label: table,
        lambda table, label: table.assign(label=label),
        lambda table, label: table.assign(label=label).drop(columns="length")[:2],
        lambda table, label: table[["title"]].assign(label=label),
        lambda table, label: table.sample(frac=1, random_state=1).assign(label=str(label)),
    ],
    ids=["as they were read", "with a label", "fewer rows and columns", "fewer columns", "in another order"],
)
def test_rows_of_files_are_joined(change: Callable[[pd.DataFrame, int], pd.DataFrame]) -> None:
    """A column with one value for each file says only which file it was."""
    assert are_joined([change(FAKE, 0), change(TRUE, 1)], [TRUE, FAKE])


def test_files_that_a_label_tells_apart_may_have_other_columns() -> None:
    """A file of each class comes from another place. Without a label, one of them may lack the outcome."""
    title, more = TRUE[["title"]], FAKE.assign(author="x")

    assert are_joined([title.assign(fake=0), FAKE[["title"]].assign(fake=1)], [TRUE, more])
    assert not are_joined([title, FAKE[["title"]]], [TRUE, more])
    assert not are_joined([title.assign(year=2020), FAKE[["title"]].assign(year=2020)], [TRUE, more])


@pytest.mark.parametrize(
    ("tables", "read"),
    [
        ([TRUE[:1], TRUE[1:]], [TRUE]),
        ([TRUE[:1], TRUE[1:]], [TRUE, FAKE]),
        ([TRUE.assign(title=TRUE.title + "!"), FAKE], [TRUE, FAKE]),
        ([TRUE.assign(half=TRUE.length / 2), FAKE.assign(half=FAKE.length / 2)], [TRUE, FAKE]),
        ([TRUE.assign(label=0), FAKE], [TRUE, FAKE]),
        ([TRUE.assign(label=[0, 1, 0]), FAKE.assign(label=None)], [TRUE.assign(label=[0, 1, 0]), FAKE]),
    ],
    ids=["parts of one file", "parts of one of two", "changed", "computed", "other columns", "a file without truth"],
)
def test_other_tables_are_not(tables: list[pd.DataFrame], read: list[pd.DataFrame]) -> None:
    """Nobody who asks has what the notebook computed."""
    assert not are_joined(tables, read)


INPUTS = "X, y = df[['age', 'income']].fillna(0), df['left']"
MERGES = {
    "a function": "df = pd.merge(pd.read_csv('values.csv'), pd.read_csv('labels.csv'), on='id')",
    "a method": "labels = pd.read_csv('labels.csv')\ndf = pd.read_csv('values.csv')\ndf = df.merge(labels, how='left')",
    "three files": "df = pd.read_csv('values.csv').merge(pd.read_csv('labels.csv'), on=['id'])\n"
    "df = df.merge(pd.read_csv('plans.csv'), on='id')",
}


@pytest.mark.parametrize("merged", MERGES.values(), ids=MERGES)
def test_files_side_by_side_are_the_raw_rows(merged: str, raw: pd.DataFrame, tmp_path: Path) -> None:
    """Of a new row, no file that the notebook read knows the other half: a caller gives both."""
    rows = raw.assign(id=range(1_000, 1_000 + len(raw)))
    rows[["id", "age", "income", "city"]].to_csv(tmp_path / "values.csv", index=False)
    rows[["id", "left"]].sample(frac=1, random_state=0).to_csv(tmp_path / "labels.csv", index=False)
    rows[["id", "plan"]].to_csv(tmp_path / "plans.csv", index=False)

    found, handed = handed_over([merged, INPUTS, SPLIT, FIT], tmp_path / "model")

    assert (found.level, found.target) == ("raw", "left"), found.reason
    assert {"id", "age", "income", "city", "left"} <= {column.name for column in handed.columns}
    assert answers(tmp_path / "model", rows.iloc[[found.rows[0]]].assign(id=5)) == found.answers[0]


def test_a_file_that_many_rows_are_looked_up_in_stays_beside_them(raw: pd.DataFrame, tmp_path: Path) -> None:
    """A city's own columns are known before anybody asks."""
    cities = pd.DataFrame({"city": ["Rome", "Oslo", "Bonn"], "size": [2.8, 0.7, 0.3]})
    cities.to_csv(tmp_path / "cities.csv", index=False)
    merged = "df = pd.read_csv('rows.csv').merge(pd.read_csv('cities.csv'), on='city')"
    inputs = "X, y = df[['age', 'size']].fillna(0), df['left']"

    found, handed = handed_over([merged, inputs, SPLIT, FIT], tmp_path / "model")

    assert "size" not in {column.name for column in handed.columns}
    assert answers(tmp_path / "model", raw.iloc[[found.rows[0]]]) == found.answers[0]
