"""Models as people build them, each small: every classifier of scikit-learn, and the usual pipelines.

Run as a script it trains all of them and prints the SHA-256 of each one's canonical file.
"""

import hashlib
import json
import sys
import tempfile
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from packaging.version import Version
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.ensemble import (
    BaggingClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.feature_selection import SelectFromModel, SelectKBest, f_regression, mutual_info_regression, r_regression
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.gaussian_process.kernels import RBF, ConstantKernel
from sklearn.impute import KNNImputer, SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    KBinsDiscretizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    PowerTransformer,
    QuantileTransformer,
    RobustScaler,
    SplineTransformer,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import all_estimators

from proveout.model import model_io

RNG = np.random.default_rng(0)
ROWS = 90
TABLE = pd.DataFrame(
    {
        "hour": RNG.integers(0, 24, ROWS) * 1.0,
        "wind": RNG.random(ROWS),
        "port": pd.Series(RNG.choice(["EWR", "JFK", "LGA"], ROWS), dtype="str"),
        "note": pd.Series([" ".join(RNG.choice(["bag", "crew", "fog", "gate"], 3)) for _ in range(ROWS)], dtype="str"),
    }
).assign(dock=lambda rows: rows["port"].astype("category"))
LATE = (TABLE["hour"] + RNG.normal(scale=4, size=ROWS) > 12).to_numpy()
NUMBERS = ["hour", "wind"]


def few():
    return RandomForestClassifier(n_estimators=3, random_state=0)


def codes():
    return OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)


PIPELINES = {
    "scaled": (make_pipeline(StandardScaler(), LogisticRegression()), NUMBERS),
    "filled": (make_pipeline(SimpleImputer(add_indicator=True), RobustScaler(), LogisticRegression()), NUMBERS),
    "filled by neighbours": (make_pipeline(KNNImputer(), few()), NUMBERS),
    "columns by selector": (
        make_pipeline(
            make_column_transformer(
                (StandardScaler(), make_column_selector(dtype_include="number")),
                (OneHotEncoder(handle_unknown="ignore"), make_column_selector(dtype_exclude="number")),
            ),
            LogisticRegression(),
        ),
        [*NUMBERS, "port"],
    ),
    "rare categories": (
        make_pipeline(
            make_column_transformer(
                (OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=5), ["port"]),
                remainder="passthrough",
            ),
            few(),
        ),
        [*NUMBERS, "port"],
    ),
    "target encoded": (
        make_pipeline(
            make_column_transformer((TargetEncoder(random_state=0), ["port"]), remainder="passthrough"), few()
        ),
        [*NUMBERS, "port"],
    ),
    "boosted with categories": (
        HistGradientBoostingClassifier(max_iter=4, min_samples_leaf=5, categorical_features=["dock"], random_state=0),
        ["hour", "dock"],
    ),
    "boosted with coded categories": (
        make_pipeline(
            make_column_transformer((codes(), ["port"]), remainder="passthrough"),
            HistGradientBoostingClassifier(max_iter=4, categorical_features=[0], random_state=0),
        ),
        ["hour", "port"],
    ),
    "texts": (
        make_pipeline(make_column_transformer((TfidfVectorizer(stop_words="english"), "note")), LogisticRegression()),
        ["note"],
    ),
    "texts without some words": (
        make_pipeline(make_column_transformer((CountVectorizer(stop_words=["the", "a"]), "note")), few()),
        ["note"],
    ),
    "texts in few numbers": (
        make_pipeline(
            make_column_transformer((TfidfVectorizer(), "note")), TruncatedSVD(2, random_state=0), LogisticRegression()
        ),
        ["note"],
    ),
    "neighbours": (make_pipeline(StandardScaler(), KNeighborsClassifier()), NUMBERS),
    "neighbours in balls": (KNeighborsClassifier(algorithm="ball_tree", metric="manhattan", leaf_size=5), NUMBERS),
    "neighbours in boxes": (KNeighborsClassifier(algorithm="kd_tree", p=3, weights="distance", leaf_size=5), NUMBERS),
    "neighbours within": (RadiusNeighborsClassifier(radius=9.0, outlier_label="most_frequent"), NUMBERS),
    "votes": (VotingClassifier([("a", LogisticRegression()), ("b", few())], voting="soft"), NUMBERS),
    "stacked": (StackingClassifier([("a", LogisticRegression()), ("b", few())], cv=2), NUMBERS),
    "bags": (BaggingClassifier(LogisticRegression(), n_estimators=3, random_state=0), NUMBERS),
    "boosted upon another": (
        GradientBoostingClassifier(init=LogisticRegression(), n_estimators=4, random_state=0), NUMBERS,
    ),
    "calibrated": (CalibratedClassifierCV(few(), cv=2), NUMBERS),
    "calibrated in steps": (CalibratedClassifierCV(LinearSVC(random_state=0), cv=2, method="isotonic"), NUMBERS),
    **(
        {"calibrated by temperature": (CalibratedClassifierCV(few(), cv=2, method="temperature"), NUMBERS)}
        if Version(sklearn.__version__) >= Version("1.8")  # the first with it
        else {}
    ),
    "calibrated vectors": (make_pipeline(StandardScaler(), CalibratedClassifierCV(SVC(), cv=2)), NUMBERS),
    "a network": (MLPClassifier((4,), max_iter=5, random_state=0), NUMBERS),
    "a process": (GaussianProcessClassifier(ConstantKernel() * RBF(), optimizer=None, random_state=0), NUMBERS),
    "chosen": (make_pipeline(SelectKBest(k=1), LogisticRegression()), NUMBERS),
    "chosen by what they tell of a number": (
        make_pipeline(SelectKBest(f_regression, k=1), SelectKBest(mutual_info_regression, k=1), LogisticRegression()),
        NUMBERS,
    ),
    "chosen by their correlation": (make_pipeline(SelectKBest(r_regression, k=1), LogisticRegression()), NUMBERS),
    "chosen by a forest": (make_pipeline(SelectFromModel(few()), few()), NUMBERS),
    "bins": (make_pipeline(KBinsDiscretizer(3), LogisticRegression()), NUMBERS),
    "ranks": (make_pipeline(QuantileTransformer(n_quantiles=9), PowerTransformer(), LogisticRegression()), NUMBERS),
    "powers": (
        make_pipeline(PolynomialFeatures(), make_union(StandardScaler(), PCA(2)), LogisticRegression()), NUMBERS,
    ),
    "a forest in jobs": (RandomForestClassifier(n_estimators=9, n_jobs=2, random_state=0), NUMBERS),
    "splines": (make_pipeline(SplineTransformer(), LogisticRegression()), NUMBERS),
}  # fmt: skip


@cache
def classifiers():
    """Every classifier of scikit-learn, with a seed where it takes one."""
    made = {}
    for name, kind in all_estimators("classifier"):
        options = {}
        if name in {"StackingClassifier", "VotingClassifier"}:
            continue  # among the pipelines
        # ClassifierChain says `base_estimator` before scikit-learn 1.7.
        named = [name for name in ("estimator", "base_estimator") if name in _parameters(kind)]
        options.update(dict.fromkeys(named[:1], LogisticRegression()))
        for parameter, value in {"random_state": 0, "max_iter": 20, "n_estimators": 4}.items():
            if parameter in _parameters(kind):
                options[parameter] = value
        made[name] = kind(**options)
    return made


def _parameters(kind):
    import inspect

    return inspect.signature(kind).parameters


def fitted(name):
    """The model of that name, fitted to a fresh copy of the rows; and the columns it is fitted to."""
    from sklearn.base import clone

    model, columns = PIPELINES[name] if name in PIPELINES else (classifiers()[name], NUMBERS)
    rows = TABLE[columns].copy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few rows, few iterations
        return clone(model).fit(rows, LATE), rows


def digest(model):
    """The SHA-256 of the model's canonical file."""
    with tempfile.TemporaryDirectory() as folder:
        model_io.dump(model, Path(folder) / "model.skops")
        return hashlib.sha256((Path(folder) / "model.skops").read_bytes()).hexdigest()


if __name__ == "__main__":
    print(json.dumps({name: digest(fitted(name)[0]) for name in sys.argv[1:]}))
