"""A notebook without a split: a fifth of its rows is held back from it, and its model is asked about them."""

from pathlib import Path

import pandas as pd
import pytest
from handed_over import answers
from recorded_notebook import recorded
from small_pilots import IMPORTS, INPUTS, READ

from proveout.records.adopted_notebook import CallPlace
from proveout.recovery.handed_rows import SHARE, HoldBack
from proveout.recovery.recovery_report import RecoveredModel, recover

FIT = "model = LogisticRegression(max_iter=500)\nmodel.fit(X, y)\nprint(model.score(X, y))"


def recovered(cells: list[str], folder: Path) -> RecoveredModel:
    """The only model of a notebook that runs twice, as a pilot does."""
    with recorded([IMPORTS, *cells]) as tape:
        first = recover(tape, folder)
    assert first.unsplit is not None
    with recorded([IMPORTS, *cells], hold_back=HoldBack(place=first.unsplit, share=SHARE)) as tape:
        [found] = recover(tape, folder).models
    return found


UNSPLIT = {
    "all rows": [READ, "df = df.fillna(0)", INPUTS, FIT],
    "named arguments": [READ, "df = df.fillna(0)", INPUTS, FIT.replace("fit(X, y)", "fit(X=X, y=y)")],
    "rows without a truth are asked": [
        READ + "\ndf = df.fillna(0)",
        INPUTS,
        FIT + "\nnew = pd.read_csv('new.csv')\nmodel.predict(new[['age', 'income']])",
    ],
    "rows without a truth are below the others": [
        READ + "\nnew = pd.read_csv('new.csv')",
        "df['source'], new['source'] = 'train', 'new'\nwhole = pd.concat([df, new], ignore_index=True)",
        "whole = whole.fillna({'age': 0}).replace({'city': {'Rome': 0, 'Oslo': 1, 'Bonn': 2}})",
        "df = whole.loc[whole['source'] == 'train'].copy()\nnew = whole.loc[whole['source'] == 'new'].copy()",
        "asked = ['age', 'income', 'city']\nX, y = df[asked], df['left']",
        FIT + "\nmodel.predict(new[asked])",
    ],
    "rows of another file are asked about": [
        READ + "\ndf = df.fillna(0)\ndf.head(90).assign(income=7.5).to_csv('more.csv', index=False)",
        "more = pd.read_csv('more.csv')",
        INPUTS,
        FIT + "\nprint(accuracy_score(more['left'], model.predict(more[['age', 'income']])))",
    ],
    "a loop over models": [
        READ,
        "df['age'] = df['age'].fillna(df['age'].mean())",
        INPUTS,
        "for C in (1.0,):\n    model = LogisticRegression(C=C, max_iter=500)\n    model.fit(X, y)",
    ],
}


@pytest.mark.parametrize("cells", UNSPLIT.values(), ids=UNSPLIT)
def test_rows_held_back_are_answered_by_a_model_that_never_saw_them(cells: list[str], tmp_path: Path) -> None:
    """Their outcome takes the way of the notebook, too."""
    pd.read_csv("rows.csv").drop(columns="left").head(90).fillna(1).to_csv("new.csv", index=False)

    found = recovered(cells, tmp_path)

    folder = tmp_path / found.folder
    raw, held = pd.read_parquet(folder / "raw.parquet"), pd.read_parquet(folder / "heldout.parquet")
    sides = pd.read_parquet(folder / "sides.parquet")["split"]
    assert (found.level, found.target, len(raw)) == ("raw", "left", 240)
    assert sides.value_counts().to_dict() == {"train": 240 - len(held), "holdout": len(held)}
    assert 30 < len(held) < 70
    assert held["truth"].tolist() == raw["left"].iloc[held["row"]].tolist()
    assert answers(folder, raw.drop(columns="left").iloc[held["row"]]).tolist() == held["answer"].tolist()
    assert found.handed is not None
    assert found.handed.held_back == SHARE
    assert f"{len(held)} rows were held back" in found.handed.note


def test_the_outcome_of_rows_held_back_is_that_of_the_notebook(tmp_path: Path) -> None:
    """Codes of a LabelEncoder, and no row that a filter leaves out."""
    cells = [
        READ,
        "df = df.dropna()\nX = df[['age', 'income']]\ny = LabelEncoder().fit_transform(df['plan'])",
        FIT,
    ]
    found = recovered(cells, tmp_path)

    raw = pd.read_parquet(tmp_path / found.folder / "raw.parquet")
    held = pd.read_parquet(tmp_path / found.folder / "heldout.parquet")
    sides = pd.read_parquet(tmp_path / found.folder / "sides.parquet")["split"]
    codes = raw["plan"].iloc[held["row"]].map({"basic": 0, "plus": 1, "pro": 2})
    assert held["truth"].tolist() == codes.tolist()
    assert sides.isna().equals(raw["age"].isna())


def test_a_notebook_with_a_split_keeps_it(tmp_path: Path) -> None:
    """Its own held-out rows are those that its author looked at."""
    split = "X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=3)"
    fit = "model = LogisticRegression(max_iter=500).fit(X_train, y_train)\nmodel.predict(X_test)"
    with recorded([IMPORTS, READ, "df = df.fillna(0)", INPUTS, split, fit]) as tape:
        assert recover(tape, tmp_path).unsplit is None


def test_a_split_whose_way_is_known_is_not_made_again(tmp_path: Path) -> None:
    """What no file can hold stays so, with other rows held back."""
    dense = "from scipy.stats import gaussian_kde\nkde = gaussian_kde(df['age'])\ndf['age'] = kde(df['age'])"
    split = "X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=3)"
    fit = "model = LogisticRegression(max_iter=500).fit(X_train, y_train)\nmodel.predict(X_test)"
    with recorded([IMPORTS, READ, "df = df.fillna(0)", dense, INPUTS, split, fit]) as tape:
        found = recover(tape, tmp_path)

    [one] = found.models
    assert "gaussian_kde, which cannot be stored" in one.reason
    assert found.unsplit is None


def test_new_rows_leave_the_others_on_their_side() -> None:
    """A row that was learned from may not be held out tomorrow."""
    hold = HoldBack(place=CallPlace(cell=0, statement=0, call=0, turn=0), share=SHARE)

    assert hold.rows(1000)[:400].tolist() == hold.rows(400).tolist()
    assert 0.15 < hold.rows(1000).mean() < 0.25


def test_the_outcome_of_rows_held_back_may_be_made_of_several_columns(tmp_path: Path) -> None:
    """It takes the way of the notebook to what `fit` was given."""
    cells = [
        READ,
        "df['rest'] = df['income'] - 100 * df['age'].fillna(40)",
        "X = (df[['city']] == 'Rome').astype(int)\ny = df['rest']",
        "model = LinearRegression().fit(X, y)\nprint(model.score(X, y))",
    ]

    found = recovered(cells, tmp_path)

    assert found.handed is not None
    assert found.handed.outcome is not None
    assert (found.target, found.handed.outcome.columns) == (None, ("age", "income"))
    assert "optional=['age']" in found.handed.outcome.call
