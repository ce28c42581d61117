"""Files of the same columns, one below the other, are the raw rows; what was computed before is none."""

from collections.abc import Callable

import pandas as pd
import pytest

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
