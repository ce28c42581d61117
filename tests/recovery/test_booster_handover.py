"""A booster that `train` made answers in a bundle as it did in the notebook."""

from pathlib import Path

import pandas as pd
import pytest
from handed_over import answers, handed_over
from recorded_notebook import recorded
from small_pilots import IMPORTS, INPUTS, READ, SPLIT

from proveout.model import model_io
from proveout.recovery.handover import NotHandedOver
from proveout.recovery.held_out import held_out
from proveout.recovery.recovery_report import metrics_of

LIGHTGBM = "import lightgbm as lgb\n"
XGBOOST = "import xgboost as xgb\n"
BANDS = "df['band'] = df['plan'].map({'basic': 0, 'plus': 1, 'pro': 2})\nX = df[['age', 'income']]\ny = df['band']"
PLAIN = "X = df[['age', 'income']]"
BOOSTERS = {
    "LightGBM, two classes": (
        INPUTS,
        LIGHTGBM + "rows = lgb.Dataset(X_train, label=y_train)\n"
        "model = lgb.train({'objective': 'binary', 'verbose': -1}, rows, 9)\nsaid = model.predict(X_test)",
    ),
    "LightGBM, more classes": (
        BANDS,
        LIGHTGBM + "given = {'objective': 'multiclass', 'num_class': 3, 'verbose': -1, 'num_leaves': 5}\n"
        "model = lgb.train(given, lgb.Dataset(X_train, y_train), 5)\nsaid = model.predict(X_test)",
    ),
    "LightGBM, a number, until it gets no better": (
        "X, y = df[['age', 'left']], df['income']",
        LIGHTGBM + "rows, others = lgb.Dataset(X_train, y_train), lgb.Dataset(X_test, y_test)\n"
        "model = lgb.train({'verbose': -1, 'learning_rate': 0.3}, rows, 60, valid_sets=[others],\n"
        "                  callbacks=[lgb.early_stopping(3, verbose=False)])\nsaid = model.predict(X_test)",
    ),
    "XGBoost, two classes": (
        INPUTS,
        XGBOOST + "rows, others = xgb.DMatrix(X_train, label=y_train), xgb.DMatrix(data=X_test, label=y_test)\n"
        "model = xgb.train({'objective': 'binary:logistic', 'eta': 0.2}, rows, 9)\nsaid = model.predict(others)",
    ),
    "XGBoost, more classes, their numbers": (
        BANDS,
        XGBOOST + "given = {'objective': 'multi:softmax', 'num_class': 3, 'max_depth': 2}\n"
        "model = xgb.train(given, xgb.DMatrix(X_train.values, y_train), 5)\n"
        "said = model.predict(xgb.DMatrix(X_test.values))",
    ),
    "XGBoost, a number, to the best round": (
        "X, y = df[['age', 'left']], df['income']",
        XGBOOST + "rows, others = xgb.DMatrix(X_train, y_train), xgb.DMatrix(X_test, y_test)\n"
        "model = xgb.train({'eta': 0.9}, rows, 40, evals=[(others, 'other')], early_stopping_rounds=4,\n"
        "                  verbose_eval=0)\n"
        "said = model.predict(others, iteration_range=(0, model.best_iteration + 1))",
    ),
}


@pytest.mark.parametrize("cells", BOOSTERS.values(), ids=BOOSTERS)
def test_a_booster_is_stored_as_the_estimator_with_its_trees(cells: tuple[str, str], tmp_path: Path) -> None:
    """Of two classes it says a probability, of more one for each: the answer is the most probable one. Holes stay."""
    inputs, train = cells
    found, handed = handed_over([READ, inputs, SPLIT, train], tmp_path / "model")
    raw, held = pd.read_parquet(tmp_path / "model/raw.parquet"), pd.read_parquet(tmp_path / "model/heldout.parquet")

    assert raw["age"].isna().any()
    assert answers(tmp_path / "model", raw.iloc[list(found.rows)]).tolist() == held["answer"].tolist()
    assert set(held["answer"]) <= set(held["truth"]) or held["truth"].nunique() > 20
    assert "the same trees" in handed.note


def test_the_stored_estimator_can_be_trained_again(tmp_path: Path) -> None:
    """The gate asks a model that learned from shuffled outcomes."""
    from sklearn.base import clone

    inputs, train = BOOSTERS["XGBoost, two classes"]
    handed_over([READ, inputs, SPLIT, train], tmp_path)
    model = model_io.load(tmp_path / "model.skops")

    again = clone(model).fit(pd.DataFrame({"age": [1.0, 2.0] * 20, "income": [0.0, 1.0] * 20}), [0, 1] * 20)

    assert again.get_booster().num_boosted_rounds() == 9
    assert again.get_params()["learning_rate"] == pytest.approx(0.2)


def test_a_metric_of_rounded_probabilities_is_one_of_the_booster() -> None:
    """What the notebook made of the numbers is what the metric was given."""
    inputs, train = BOOSTERS["LightGBM, two classes"]
    judged = "rounded = np.where(said > 0.5, 1, 0)\nprint(accuracy_score(y_test, rounded))"
    with recorded([IMPORTS, READ, inputs, SPLIT, train, judged]) as tape:
        [one] = held_out(tape)

        assert [metric.name for metric in metrics_of(tape, one)] == ["accuracy_score"]


@pytest.mark.parametrize(
    "train",
    [
        XGBOOST + "model = xgb.train({'objective': 'reg:logistic'}, xgb.DMatrix(X_train, y_train), 3)\n"
        "model.predict(xgb.DMatrix(X_test))",
        LIGHTGBM + "rows = lgb.Dataset(X_train, y_train)\n"
        "model = lgb.train({'objective': 'cross_entropy', 'verbose': -1}, rows, 3)\nmodel.predict(X_test)",
    ],
    ids=["XGBoost", "LightGBM"],
)
def test_numbers_without_one_meaning_are_refused(train: str, tmp_path: Path) -> None:
    """A share that is learned may be a class or a share: that stands in the notebook alone."""
    with pytest.raises(NotHandedOver, match="objective"):
        handed_over([READ, "df = df.fillna(0)", INPUTS, SPLIT, train], tmp_path)


def test_a_booster_of_a_logarithm_has_the_way_to_its_outcome(tmp_path: Path) -> None:
    """What is frozen of a booster is itself, and it was asked for the classes of an encoder."""
    cells = [
        READ,
        "X, y = df[['age', 'left']], np.log1p(df['income'])",
        SPLIT,
        LIGHTGBM + "model = lgb.train({'verbose': -1}, lgb.Dataset(X_train, label=y_train), 9)\n"
        "said = model.predict(X_test)",
    ]

    _, handed = handed_over(cells, tmp_path / "model")

    assert handed.outcome is not None
    assert handed.outcome.columns == ("income",)
