"""What calls answer on other rows than those that they learned from."""

from pathlib import Path

import pandas as pd
import pytest
from handed_over import answers, handed_over
from small_pilots import FIT, READ, SPLIT

GROUPS = {
    "labels of a fit": "groups = KMeans(3, n_init=2, random_state=0).fit(df[['age', 'income']])\n"
    "df['group'] = groups.labels_",
    "of a fit in a line of its own": "groups = KMeans(3, n_init=2, random_state=0)\ngroups.fit(df[['age', 'income']])\n"
    "df['group'] = groups.labels_",
}


@pytest.mark.parametrize("groups", GROUPS.values(), ids=GROUPS)
def test_the_labels_of_a_clustering_are_those_of_the_rows_asked(groups: str, raw: pd.DataFrame, tmp_path: Path) -> None:
    """One row was given the labels of all."""
    before = "from sklearn.cluster import KMeans\ndf = df.fillna(0)"
    inputs = "X = df[['age', 'group']]\ny = df['left']"
    found, _ = handed_over([READ, before, groups, inputs, SPLIT, FIT], tmp_path / "model")

    assert found.level == "raw", found.reason
    assert answers(tmp_path / "model", raw.iloc[[found.rows[0]]]) == found.answers[0]


OUTLIERS = {
    "before the split": [READ, "from sklearn.neighbors import LocalOutlierFactor\ndf = df.fillna(0)",
        "df = df[LocalOutlierFactor().fit_predict(df[['age', 'income']]) == 1]",
        "X, y = df[['age', 'income']], df['left']", SPLIT, FIT],
    "of the training side": [READ, "from sklearn.neighbors import LocalOutlierFactor\ndf = df.fillna(0)",
        "X, y = df[['age', 'income']], df['left']", SPLIT,
        "kept = LocalOutlierFactor().fit_predict(X_train) == 1\nX_train, y_train = X_train[kept], y_train[kept]", FIT],
}  # fmt: skip


@pytest.mark.parametrize("cells", OUTLIERS.values(), ids=OUTLIERS)
def test_an_outlier_detector_that_knows_no_other_rows_leaves_none_out(
    cells: list[str], raw: pd.DataFrame, tmp_path: Path
) -> None:
    """It has no `predict`, and whom it would leave out of training gets an answer, too."""
    found, _ = handed_over(cells, tmp_path / "model")

    assert found.level == "raw", found.reason
    assert answers(tmp_path / "model", raw.iloc[[found.rows[0]]]) == found.answers[0]


TABLES = {
    "the words of a text": "df = df.join((df['city'] + '|' + df['plan']).str.get_dummies('|'))",
    "the values of a text": "df = df.join(df['city'].str.get_dummies())",
    "a date of each row": "df['month'] = pd.DatetimeIndex(pd.to_datetime(df['age'], unit='D')).month",
    "dates of a list": "df['day'] = pd.to_datetime(df['age'].tolist(), unit='D').day",
}


@pytest.mark.parametrize("made", TABLES.values(), ids=TABLES)
def test_what_is_made_of_each_row_is_made_of_the_rows_asked(made: str, raw: pd.DataFrame, tmp_path: Path) -> None:
    """One row had the columns of its own words alone, or the dates of all."""
    inputs = "X, y = df.select_dtypes('number').drop(columns='left'), df['left']"
    found, _ = handed_over([READ, "df['age'] = df['age'].fillna(40)", made, inputs, SPLIT, FIT], tmp_path / "model")

    assert found.level == "raw", found.reason
    assert answers(tmp_path / "model", raw.iloc[[found.rows[0]]]) == found.answers[0]
