"""Small pilots, each with its way from rows to inputs: it is recovered from raw rows, or refused with the reason.

Each is written the way notebooks are: rows from a CSV, steps before and after the split, a model, a metric.
"""

import sys
from pathlib import Path

import pytest
from recorded_notebook import last_model, recorded
from small_pilots import FIT, IMPORTS, INPUTS, READ, SPLIT

from proveout.recovery.held_out import held_out
from proveout.recovery.recovery_report import recover

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
    assert "other inputs: place; cell 2 computes with the rows beside each one (rank). Such columns" in found.reason
    assert found.alone == (0, 8)  # no row alone was right: more of them would not be, either


@pytest.mark.parametrize(
    "cell", ["import typical_rows\ndf = typical_rows.filled(df)", "from typical_rows import filled\ndf = filled(df)"]
)
def test_a_file_beside_the_notebook_that_learns_is_named(
    cell: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No call in it is recorded: one row alone is scaled by itself."""
    source = "def filled(df):\n    df = df.fillna(0)\n    df['age'] = df['age'] - df['age'].mean()\n    return df\n"
    (tmp_path / "typical_rows.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with recorded([IMPORTS, READ, cell, INPUTS, SPLIT, FIT]) as tape:
        _, found = last_model(tape)
    del sys.modules["typical_rows"]  # the next one is another file

    assert found.level == "inputs"
    assert "other inputs: age; cell 2 calls `" in found.reason
    assert (
        "filled` of typical_rows.py, where what is learned from other rows is not seen. Put that code" in found.reason
    )


def test_a_cell_that_raised_in_the_slice_is_told() -> None:
    """The model may not be what its author meant."""
    broken = "df['age'] = df['age'].fillna(0)\ndf['income'] = df['nowhere'] + 1"
    with recorded([IMPORTS, READ, broken, INPUTS, SPLIT, FIT]) as tape:
        _, found = last_model(tape)

    assert found.raised_cells == (2,)


def test_what_is_computed_from_a_prediction_is_no_model_of_its_own() -> None:
    """A metric of the second column of the probabilities belongs to the model that gave them."""
    judged = (
        "from sklearn.metrics import roc_auc_score\n"
        "print(roc_auc_score(y_test, model.predict_proba(X_test)[:, 1]))\n"
        "print(accuracy_score(y_test, (model.predict_proba(X_test)[:, 1] > 0.3).astype(int)))"
    )
    with recorded([IMPORTS, READ, "df = df.fillna(0)", INPUTS, SPLIT, FIT, judged]) as tape:
        found = held_out(tape)

    assert [type(one.prediction.model).__name__ for one in found] == ["LogisticRegression"]


def test_rows_that_are_asked_about_again_have_the_truth_that_they_had() -> None:
    """A last prediction is often made to be shown, and no metric is given it."""
    cells = [
        READ,
        "train, test = train_test_split(df.fillna(0), random_state=1)",
        "X_test, y_test = test[['age', 'income']], test['left']",
        "model = LogisticRegression(max_iter=500).fit(train[['age', 'income']], train['left'])",
        "print(model.score(X_test, y_test))\nshown = list(model.predict(X_test))",
    ]
    with recorded([IMPORTS, *cells]) as tape:
        one, found = last_model(tape)

        assert one.prediction.name == "predict"
        assert found.target == "left"


def test_rows_of_a_fold_have_the_truth_of_the_column_that_was_learned_from() -> None:
    """Answers to all folds are compared at the end, together: no metric is given those of one."""
    folds = (
        "answers = np.zeros(len(X))\nfor learned, asked in KFold(4, shuffle=True, random_state=0).split(X):\n"
        "    model = LogisticRegression(max_iter=500).fit(X.iloc[learned], y.iloc[learned])\n"
        "    answers[asked] = model.predict(X.iloc[asked])\nprint(accuracy_score(y, answers))"
    )
    cells = ["from sklearn.model_selection import KFold", READ, "df = df.fillna(0)", INPUTS, folds]
    with recorded([IMPORTS, *cells]) as tape:
        _, found = last_model(tape)

        assert (found.level, found.target) == ("raw", "left")


def test_rows_of_an_array_have_the_truth_of_the_column_that_was_learned_from() -> None:
    """The whole table was split, and what the model is given has no labels; a metric by hand tells no truth."""
    cells = [
        READ,
        "train, test = train_test_split(df.fillna(0), random_state=1)",
        "scaler = StandardScaler().fit(train[['age', 'income']])",
        "model = LogisticRegression().fit(scaler.transform(train[['age', 'income']]), train['left'])",
        "said = model.predict(scaler.transform(test[['age', 'income']]))\nprint((said == test['left']).mean())",
    ]
    with recorded([IMPORTS, *cells]) as tape:
        _, found = last_model(tape)

        assert (found.level, found.target) == ("raw", "left")


@pytest.mark.parametrize(
    "trained",
    [
        "import lightgbm\nmodel = lightgbm.train({'verbose': -1}, lightgbm.Dataset(X_train, label=y_train), 5)\n"
        "model.predict(X_test)",
        "import xgboost\nmodel = xgboost.train({'max_depth': 2}, xgboost.DMatrix(X_train, label=y_train), 5)\n"
        "model.predict(xgboost.DMatrix(X_test))",
    ],
    ids=["LightGBM", "XGBoost"],
)
def test_a_booster_is_asked_and_never_copied(trained: str) -> None:
    """A copy shares its memory, and its end is the end of the kernel."""
    with recorded([IMPORTS, READ, "df = df.fillna(0)", INPUTS, SPLIT, trained]) as tape:
        _, found = last_model(tape)

    assert (found.level, found.target) == ("raw", "left")


def test_columns_that_are_numbers_are_named_as_text() -> None:
    """A file without a header has them."""
    Path("plain.csv").write_text("\n".join(Path("rows.csv").read_text().splitlines()[1:]))
    cells = ["df = pd.read_csv('plain.csv', header=None).fillna(0)", "X = df[[0, 1]]\ny = df[4]"]
    with recorded([IMPORTS, *cells, SPLIT, FIT]) as tape:
        _, found = last_model(tape)

    assert (found.level, found.target) == ("raw", "4")


def test_a_drawing_is_not_copied() -> None:
    """A copy of its axes would be the figure that the notebook's next line draws into."""
    drawn = (
        "import matplotlib\nmatplotlib.use('agg')\nimport matplotlib.pyplot as plt\n"
        "fig, ax = plt.subplots(1, 2)\ndf['age'].hist(ax=ax[0])\nboxes = plt.boxplot(df['income'])\n"
        "same = plt.gcf() is fig\nplt.close('all')"
    )
    with recorded([IMPORTS, READ, "df = df.fillna(0)", drawn]) as tape:
        assert tape.names["same"]


def test_a_call_that_cannot_be_noted_does_not_stop_the_notebook() -> None:
    """`transform(X)` takes a table as well as the name of a function; an object may raise at any question."""
    odd = (
        "class Odd:\n    def transform(self, X):\n        return self\n    def __getattr__(self, name):\n"
        "        raise RuntimeError(name)\n    ngroup = 1\n"
        "made = Odd().transform(df)\nlast = 3"
    )
    with recorded([IMPORTS, READ, odd]) as tape:
        assert tape.names["last"] == 3


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


def test_the_best_models_are_looked_at_first_and_the_rest_is_named_when_time_is_over(tmp_path: Path) -> None:
    """Some notebooks try thousands of seeds."""
    tries = (
        "for C in (1e-6, 1.0, 1e-5):\n    model = LogisticRegression(C=C, max_iter=500).fit(X_train, y_train)\n"
        "    print(accuracy_score(y_test, model.predict(X_test)))"
    )
    scaled = "X = StandardScaler().fit_transform(X)"
    with recorded([IMPORTS, READ, "df = df.fillna(0)", INPUTS, scaled, SPLIT, tries]) as tape:
        found = recover(tape, tmp_path, within_s=0)

    assert [one.level for one in found.models] == ["failed", "raw", "failed"]
    assert "before it was looked at" in found.models[0].reason


def test_of_settings_that_a_loop_tries_the_best_are_looked_at(tmp_path: Path) -> None:
    """A thousand of them would take a quarter of an hour. Models of other classes are other models."""
    tries = (
        "from sklearn.tree import DecisionTreeClassifier\n"
        "for depth in range(1, 9):\n"
        "    for model in (DecisionTreeClassifier(max_depth=depth), LogisticRegression(C=depth, max_iter=500)):\n"
        "        answers = model.fit(X_train, y_train).predict(X_test)\n"
        "        accuracy_score(y_test, answers)"
    )
    with recorded([IMPORTS, READ, "df = df.fillna(0)", INPUTS, SPLIT, tries]) as tape:
        found = recover(tape, tmp_path).models

    looked_at = [one.model.rpartition(".")[2] for one in found if one.handed is not None]
    assert len(found) == 16
    assert {name: looked_at.count(name) for name in looked_at} == {"DecisionTreeClassifier": 5, "LogisticRegression": 5}
    assert {one.reason for one in found if one.handed is None} == {
        "it is one of many that one line asks in turn, and only the best 5 of them were looked at"
    }
