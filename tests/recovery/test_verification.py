"""Small pilots, each with its way from rows to inputs: it is recovered from raw rows, or refused with the reason.

Each is written the way notebooks are: rows from a CSV, steps before and after the split, a model, a metric.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from recorded_notebook import last_model, recorded

from proveout.recovery import features_writer
from proveout.recovery.tables import equal_rows

IMPORTS = """
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression, LinearRegression
from sklearn.metrics import accuracy_score, r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder, OneHotEncoder, StandardScaler
"""
FIT = """
model = LogisticRegression(max_iter=500)
model.fit(X_train, y_train)
print(accuracy_score(y_test, model.predict(X_test)))
"""
SPLIT = "X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=3)"


@pytest.fixture(autouse=True)
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """240 rows with numbers, holes, texts and a target, in rows.csv of the working folder."""
    rng = np.random.default_rng(7)
    size = 240
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, size).astype(float),
            "income": rng.normal(40_000, 9_000, size).round(2),
            "city": rng.choice(["Rome", "Oslo", "Bonn"], size),
            "plan": rng.choice(["basic", "plus", "pro"], size),
        }
    )
    frame["left"] = ((frame.age > 50) ^ (rng.random(size) < 0.1)).astype(int)
    frame.loc[rng.choice(size, 20, replace=False), "age"] = np.nan
    frame.to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return frame


@pytest.fixture(autouse=True)
def _quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """What the pilots print stays out of the tests' output."""
    yield
    capsys.readouterr()


READ = "df = pd.read_csv('rows.csv')"
INPUTS = "X = df[['age', 'income']]\ny = df['left']"
PILOTS = {
    "a mean of all rows": [READ, "df['age'] = df['age'].fillna(df['age'].mean())", INPUTS, SPLIT, FIT],
    "a scaler after the split": [
        READ,
        "df = df.fillna(0)",
        INPUTS,
        SPLIT,
        "s = StandardScaler()\nX_train = s.fit_transform(X_train)\nX_test = s.transform(X_test)",
        FIT,
    ],
    "a scaler before the split": [
        READ,
        "df = df.fillna(0)",
        INPUTS,
        "X = StandardScaler().fit_transform(X)",
        SPLIT,
        FIT,
    ],
    "dummies of the whole table": [
        READ,
        "df = df.fillna(0)\ny = df.pop('left')\nX = pd.get_dummies(df, drop_first=True)",
        SPLIT,
        FIT,
    ],
    "one encoder for many columns": [
        READ,
        "df = df.fillna(0)\nle = LabelEncoder()\nfor column in ['city', 'plan']:\n"
        "    df[column] = le.fit_transform(df[column])",
        "X = df[['age', 'income', 'city', 'plan']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "map and replace": [
        READ,
        "df['city'] = df['city'].map({'Rome': 0, 'Oslo': 1, 'Bonn': 2})\n"
        "df['plan'] = df['plan'].replace({'basic': 0, 'plus': 1, 'pro': 2}).astype(int)",
        "df = df.fillna(df.median(numeric_only=True))\nX = df.drop(columns='left')\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "rows left out": [
        READ,
        "df = df.dropna()\ndf = df[df['income'] > 20000]\ndf = df.drop_duplicates()",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "bins of a number": [
        READ,
        "df = df.fillna(40)\ndf['band'] = pd.cut(df['age'], 4, labels=False)\n"
        "df['rich'] = pd.qcut(df['income'], 3, labels=False)",
        "X = df[['band', 'rich']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "factorize and categories": [
        READ,
        "df = df.fillna(0)\ndf['city'] = pd.factorize(df['city'])[0]\n"
        "df['plan'] = df['plan'].astype('category').cat.codes",
        "X = df[['age', 'city', 'plan']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a table by group": [
        READ,
        "df = df.fillna(0)\nby_city = df.groupby('city')['income'].mean()\ndf['typical'] = df['city'].map(by_city)",
        "X = df[['age', 'typical']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a function of the author": [
        READ,
        "def clean(frame, fill):\n    frame = frame.copy()\n"
        "    frame['age'] = frame['age'].fillna(fill)\n    return frame",
        "df = clean(df, df['age'].median())",
        INPUTS,
        SPLIT,
        FIT,
    ],
    "a pipeline": [
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.impute import SimpleImputer",
        READ,
        INPUTS,
        SPLIT,
        "model = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())\n"
        "model.fit(X_train, y_train)\nmodel.score(X_test, y_test)",
    ],
    "arrays by position": [
        READ,
        "df = df.fillna(0)\nX = df.iloc[:, 0:2].values\ny = df.iloc[:, -1].values",
        SPLIT,
        FIT,
    ],
    "columns in place": [
        READ,
        "df.drop(['city', 'plan'], axis=1, inplace=True)\ndf.dropna(inplace=True)",
        INPUTS,
        SPLIT,
        FIT,
    ],
}


@pytest.mark.parametrize("cells", PILOTS.values(), ids=PILOTS)
def test_raw_rows_become_the_inputs_of_the_pilot(cells: list[str]) -> None:
    """All held-out rows at once, and each alone with another row's target."""
    with recorded([IMPORTS, *cells]) as tape:
        _, found = last_model(tape)

        assert found.reason == ""
        assert found.level == "raw"
        assert found.alone[0] == found.alone[1] > 0
        assert found.target == "left"


@pytest.mark.parametrize("cells", PILOTS.values(), ids=PILOTS)
def test_the_written_features_stand_alone(cells: list[str]) -> None:
    """The module that is shipped has nothing of the notebook's namespace, and rows come without their target."""
    with recorded([IMPORTS, *cells]) as tape:
        _, found = last_model(tape)
        module = features_writer.write(tape, found)
    assert found.raw is not None
    space: dict[str, object] = {}
    exec(compile(module.text, "features.py", "exec"), space)
    asked = found.raw.drop(columns=[found.target] if found.target else [])

    features = space["features"]
    assert callable(features)
    together = features(asked.iloc[list(found.rows)].reset_index(drop=True), module.state)
    alone = features(asked.iloc[[found.rows[0]]].reset_index(drop=True), module.state)

    assert equal_rows(together, found.inputs).all(), module.text
    assert equal_rows(alone, np.asarray(found.inputs)[[0]]).all(), module.text


LEAKS = {
    "the target by position": [
        READ,
        "df = df[['age', 'income', 'left']].fillna(0)\nX = df.iloc[:, 0:3]\ny = df['left']",
        SPLIT,
        FIT,
    ],
    "a copy of the target": [
        READ,
        "df['gone'] = df['left'] * 2\ndf = df.fillna(0)\nX = df[['age', 'gone']]\ny = df['left']",
        SPLIT,
        FIT,
    ],
}


@pytest.mark.parametrize("cells", LEAKS.values(), ids=LEAKS)
def test_inputs_that_contain_the_target_are_found(cells: list[str]) -> None:
    """Such a model is right on every held-out row, and cannot be asked about anybody."""
    with recorded([IMPORTS, *cells]) as tape:
        _, found = last_model(tape)

    assert found.level == "leak"
    assert "'left'" in found.reason


def test_what_needs_the_rows_beside_it_is_not_taken_for_raw() -> None:
    """A rank within the table at hand means something else for one row alone."""
    cells = [
        IMPORTS,
        READ,
        "df = df.fillna(0)\ndf['place'] = df['income'].rank()\nX = df[['age', 'place']]\ny = df['left']",
    ]
    with recorded([*cells, SPLIT, FIT]) as tape:
        _, found = last_model(tape)

    assert found.level == "inputs"
    assert "place" in found.reason


def test_a_cell_that_raised_in_the_slice_is_told() -> None:
    """The model may not be what its author meant."""
    broken = "df['age'] = df['age'].fillna(0)\ndf['income'] = df['nowhere'] + 1"
    with recorded([IMPORTS, READ, broken, INPUTS, SPLIT, FIT]) as tape:
        _, found = last_model(tape)

    assert found.raised_cells == (2,)


def test_recording_changes_nothing_that_the_pilot_computes() -> None:
    """An unseeded split is drawn once for the pilot: its random numbers are those it would have had."""
    cells = [
        IMPORTS,
        READ,
        "np.random.seed(5)\ndf = df.fillna(0)",
        INPUTS,
        SPLIT.replace(", random_state=3", ""),
        FIT,
        "after = np.random.rand()",
    ]
    with recorded(cells) as tape:
        after, held = tape.names["after"], list(tape.names["X_test"].index)
    plain: dict[str, object] = {"__name__": "__main__"}
    for cell in cells:
        exec(cell, plain)

    assert plain["after"] == after
    assert list(plain["X_test"].index) == held  # type: ignore[attr-defined]
