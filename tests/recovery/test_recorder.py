"""What the recorder remembers of single calls."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from handed_over import answers, handed_over
from sklearn.metrics import recall_score
from small_pilots import FIT, READ, SPLIT

from proveout.recovery.recorder import Recorder
from proveout.recovery.tape import CallMade, Key, Tape

TRUTH, ANSWERS = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])


@pytest.mark.parametrize(
    ("args", "named", "plain"),
    [
        ((TRUTH, ANSWERS), {}, True),
        ((TRUTH,), {"y_pred": ANSWERS}, True),
        ((TRUTH, ANSWERS), {"average": "macro"}, False),
    ],
    ids=["by place", "by name", "an option"],
)
def test_a_metric_with_options_is_another_number(
    args: tuple[object, ...], named: dict[str, object], plain: bool
) -> None:
    """Nobody else computes it: it is not compared with the task's metric of that name."""
    tape = Tape()

    Recorder(tape).call(
        CallMade(key=Key(0, "0.0", 0), function=recall_score, name="recall_score", args=args, named=named)
    )

    [found] = tape.metrics
    assert (found.name, found.plain) == ("recall_score", plain)


OF_ALL = "X = df[['age', 'share']].fillna(0)\ny = df['left']"
SHARES = {
    "len": "df['share'] = df['city'].map(df['city'].value_counts() / len(df))",
    "shape": "sizes = df.groupby('city').size() / df.shape[0]\ndf['share'] = df['city'].map(sizes)",
    "float": "df['share'] = df['income'] - df['income'].sum() / float(len(df['income']))",
    "the count above": "df['share'] = df['city'].map(np.log(len(df) / df['city'].value_counts()))",
}


@pytest.mark.parametrize("share", SHARES.values(), ids=SHARES)
def test_how_many_rows_there_were_is_learned_where_something_is_divided_by_it(
    share: str, raw: pd.DataFrame, tmp_path: Path
) -> None:
    """A share of all rows was computed of the one row that was asked about."""
    found, _ = handed_over([READ, share, OF_ALL, SPLIT, FIT], tmp_path / "model")

    assert found.level == "raw", found.reason
    assert answers(tmp_path / "model", raw.iloc[[found.rows[0]]]) == found.answers[0]


FILTERS = {
    "a query": "df = df.query('income > 30000')",
    "in place": "df.query('income > 30000', inplace=True)",
    "of a name": "least = 30_000\ndf = df.query('income > @least')",
    "of a function's name": "def rich(rows, least):\n    return rows.query('income > @least')\ndf = rich(df, 30_000)",
}


@pytest.mark.parametrize("filtered", FILTERS.values(), ids=FILTERS)
def test_rows_that_a_query_leaves_are_rows(filtered: str, raw: pd.DataFrame, tmp_path: Path) -> None:
    """Nothing behind it was recorded, for nobody knew how many rows there were."""
    mean = "df['share'] = df['income'] - df['income'].mean()"
    found, _ = handed_over([READ, filtered, mean, OF_ALL, SPLIT, FIT], tmp_path / "model")

    assert found.level == "raw", found.reason
    assert answers(tmp_path / "model", raw[raw.income < 30_000].head(1)).shape == (1,)


def test_a_mean_that_is_taken_again_for_each_row_is_one_number(raw: pd.DataFrame, tmp_path: Path) -> None:
    """A thousand rows at once had no more means than the pilot had rows."""
    share = "df['share'] = df['income'].apply(lambda value: value / df['income'].mean())"
    handed_over([READ, share, OF_ALL, SPLIT, FIT], tmp_path / "model")

    assert len(answers(tmp_path / "model", raw.sample(1_000, replace=True, random_state=0))) == 1_000
