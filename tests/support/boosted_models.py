"""Models of XGBoost and LightGBM as people build them, each small, of every task.

Run as a script it trains those named and prints the SHA-256 of each one's canonical file.
"""

import json
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import StackingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

try:
    import lightgbm
    import xgboost
except ImportError as error:
    raise ImportError("xgboost and lightgbm are not installed here: make install brings them") from error

RNG = np.random.default_rng(0)
ROWS = 300
TABLE = pd.DataFrame(
    {
        "hour": RNG.integers(0, 24, ROWS) * 1.0,
        "wind": np.where(RNG.random(ROWS) < 0.2, np.nan, RNG.normal(size=ROWS)),
        "port": pd.Series(RNG.choice(["EWR", "JFK", "LGA"], ROWS), dtype="str"),
    }
).assign(
    dock=lambda rows: rows["port"].astype("category"),
    pier=pd.Series(pd.Categorical(RNG.choice([3, 7], ROWS))),
)
VALUE = TABLE["hour"].to_numpy() + 4.0 * (TABLE["port"] == "JFK") + RNG.normal(scale=2, size=ROWS)
LATE = VALUE.to_numpy() > 14
PLACE = np.digitize(VALUE, [8, 16])
WHEN = np.array(["dawn", "noon", "dusk"])[PLACE]
NUMBERS = ["hour", "wind"]


def xgb(kind: str, **options: Any) -> Any:
    return getattr(xgboost, f"XGB{kind}")(**{"n_estimators": 6, "max_depth": 3, "n_jobs": 1, **options})


def lgbm(kind: str, **options: Any) -> Any:
    return getattr(lightgbm, f"LGBM{kind}")(
        **{"n_estimators": 6, "num_leaves": 5, "verbose": -1, "n_jobs": 1, **options}
    )


def coded(model: Any) -> Any:
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return make_pipeline(make_column_transformer((codes, ["port"]), remainder="passthrough"), model)


STOPPED = {"n_estimators": 80, "learning_rate": 0.7}
MODELS = {
    "xgboost, two classes": (lambda: xgb("Classifier"), NUMBERS, LATE),
    "xgboost, three classes": (lambda: xgb("Classifier"), NUMBERS, PLACE),
    "xgboost, three classes by softmax": (lambda: xgb("Classifier", objective="multi:softmax"), NUMBERS, PLACE),
    "xgboost, value": (lambda: xgb("Regressor"), NUMBERS, VALUE),
    "xgboost, absolute error": (lambda: xgb("Regressor", objective="reg:absoluteerror"), NUMBERS, VALUE),
    "xgboost, quantile": (
        lambda: xgb("Regressor", objective="reg:quantileerror", quantile_alpha=0.4), NUMBERS, VALUE,
    ),
    "xgboost, pruned": (lambda: xgb("Regressor", tree_method="exact", gamma=9.0), NUMBERS, VALUE),
    "xgboost, dart": (lambda: xgb("Classifier", booster="dart", rate_drop=0.5, random_state=0), NUMBERS, LATE),
    "xgboost, forest": (lambda: xgb("RFClassifier", random_state=0), NUMBERS, LATE),
    "xgboost, categories": (
        lambda: xgb("Classifier", enable_categorical=True, max_cat_to_onehot=1), ["dock", "pier", "hour"], LATE,
    ),
    "xgboost, coded categories": (
        lambda: coded(xgb("Classifier", enable_categorical=True, feature_types=["c", "q", "q"])),
        [*NUMBERS, "port"], LATE,
    ),
    "xgboost, calibrated": (lambda: CalibratedClassifierCV(xgb("Classifier"), cv=2), NUMBERS, LATE),
    "xgboost, stopped early": (lambda: xgb("Classifier", early_stopping_rounds=3, **STOPPED), NUMBERS, LATE),
    "lightgbm, two classes": (lambda: lgbm("Classifier"), NUMBERS, LATE),
    "lightgbm, three classes": (lambda: lgbm("Classifier"), NUMBERS, WHEN),
    "lightgbm, one against the others": (lambda: lgbm("Classifier", objective="multiclassova"), NUMBERS, WHEN),
    "lightgbm, value": (lambda: lgbm("Regressor"), NUMBERS, VALUE),
    "lightgbm, counts": (lambda: lgbm("Regressor", objective="poisson"), NUMBERS, np.abs(VALUE)),
    "lightgbm, no split": (lambda: lgbm("Regressor", min_child_samples=900), NUMBERS, VALUE),
    "lightgbm, dart": (lambda: lgbm("Classifier", boosting_type="dart"), NUMBERS, LATE),
    "lightgbm, forest": (
        lambda: lgbm("Classifier", boosting_type="rf", subsample=0.5, subsample_freq=1), NUMBERS, LATE,
    ),
    "lightgbm, categories": (
        lambda: lgbm("Classifier", max_cat_to_onehot=1, min_data_per_group=5), ["dock", "pier", "hour"],
        LATE | (TABLE["port"] == "JFK").to_numpy(),
    ),
    "lightgbm, coded categories": (lambda: coded(lgbm("Classifier")), [*NUMBERS, "port"], LATE),
    "lightgbm, stopped early": (lambda: lgbm("Classifier", **STOPPED), NUMBERS, LATE),
    "both, stacked": (
        lambda: StackingClassifier(
            [("a", lgbm("Classifier")), ("b", xgb("Classifier"))], LogisticRegression(), cv=2
        ),
        NUMBERS, LATE,
    ),
    "both, votes": (lambda: VotingRegressor([("a", lgbm("Regressor")), ("b", xgb("Regressor"))]), NUMBERS, VALUE),
}  # fmt: skip


def fitted(name: str) -> tuple[Any, pd.DataFrame]:
    """The model of that name, fitted; and the rows it is fitted to."""
    make, columns, outcomes = MODELS[name]
    model, rows, options = make(), TABLE[columns].copy(), {}
    if "stopped early" in name:
        options["eval_set"] = [(rows[::2], outcomes[::2][::-1] ^ (outcomes[::2]))]
        if name.startswith("xgboost"):
            options["verbose"] = False
        else:
            options["callbacks"] = [lightgbm.early_stopping(3, verbose=False)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few rows
        return model.fit(rows, outcomes, **options), rows


def answers(model: Any, rows: pd.DataFrame) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names, which a pipeline takes away
        return (model.predict_proba if hasattr(model, "predict_proba") else model.predict)(rows)


if __name__ == "__main__":
    import usual_models

    print(json.dumps({name: usual_models.digest(fitted(name)[0]) for name in sys.argv[1:]}))
