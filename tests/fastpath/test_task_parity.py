"""fastpath/: values and several classes from arrays, as the pipeline gives them from tables. The pipeline is right."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from proveout.data import request_columns
from proveout.data.features import compute
from proveout.fastpath import fused_trees, parity, tolerance
from proveout.model import estimator

DTYPES = {"hour": "int64", "wind": "float64", "gust": "float64", "port": "str"}
NUMBERS = ["hour", "wind", "gust"]
STRANGE = {"hour": [-1, 10**6], "wind": [np.nan, 1e300, -0.0], "gust": [np.nan, -1e9], "port": [None, "", "XXX", "ÄÖÜ"]}


def sample(rows: int = 300, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    columns = {
        "hour": rng.integers(0, 24, rows),
        "wind": rng.normal(10, 4, rows),
        "gust": np.where(rng.random(rows) < 0.5, np.nan, rng.normal(20, 5, rows)),
        "port": rng.choice(["EWR", "JFK", "LGA"], rows),
    }
    return pd.DataFrame({name: pd.Series(values, dtype=DTYPES[name]) for name, values in columns.items()})


ROWS = sample()
VALUE = (ROWS["hour"] * 2.0 + ROWS["wind"] + np.random.default_rng(1).normal(scale=3, size=len(ROWS))).to_numpy()
WHEN = np.array(["noon", "dusk", "dawn"], dtype=object)[np.digitize(VALUE, [25, 45])]  # not in the order of their names
PLACE = np.array([7, -3, 40])[np.digitize(VALUE, [25, 45])]


def trees(model):
    codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    return make_pipeline(make_column_transformer((codes, ["port"]), ("passthrough", NUMBERS)), model)


def filled(model):
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    return make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["port"]), (numbers, NUMBERS)), model
    )


MISSING = "extra trees on what may be missing"
REGRESSIONS = {
    "boosted trees": lambda: trees(HistGradientBoostingRegressor(max_iter=40, min_samples_leaf=10)),
    "boosted trees of counts": lambda: trees(HistGradientBoostingRegressor(loss="poisson", max_iter=10)),
    "boosted trees of a quantile": lambda: trees(
        HistGradientBoostingRegressor(loss="quantile", quantile=0.3, max_iter=10)
    ),
    "one boosted tree": lambda: trees(HistGradientBoostingRegressor(max_iter=1)),
    "a forest": lambda: filled(RandomForestRegressor(9, random_state=0)),
    MISSING: lambda: trees(ExtraTreesRegressor(7, random_state=0)),
    "gradient boosting": lambda: filled(GradientBoostingRegressor(n_estimators=9, random_state=0)),
    "a line": lambda: filled(Ridge()),
    "counts": lambda: filled(PoissonRegressor()),
    "neighbours": lambda: filled(KNeighborsRegressor()),
    "of a logarithm": lambda: filled(TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1)),
    "votes": lambda: filled(VotingRegressor([("a", Ridge()), ("b", RandomForestRegressor(3, random_state=0))])),
}
CLASSES = {
    "boosted trees": lambda: trees(HistGradientBoostingClassifier(max_iter=25, min_samples_leaf=10)),
    "one boosted tree": lambda: trees(HistGradientBoostingClassifier(max_iter=1)),
    "a forest": lambda: filled(RandomForestClassifier(9, random_state=0)),
    MISSING: lambda: trees(ExtraTreesClassifier(7, random_state=0)),
    "logistic regression": lambda: filled(LogisticRegression()),
    "calibrated": lambda: filled(CalibratedClassifierCV(RandomForestClassifier(3, random_state=0), cv=2)),
    "neighbours": lambda: filled(KNeighborsClassifier()),
    "naive Bayes": lambda: filled(GaussianNB()),
    "stacked": lambda: filled(StackingClassifier([("a", GaussianNB()), ("b", LogisticRegression())], cv=2)),
}
if sklearn.__version__.startswith("1.5."):  # whose ExtraTrees take no NaN
    del REGRESSIONS[MISSING], CLASSES[MISSING]
CASES = [
    *(("regression", name, VALUE) for name in REGRESSIONS),
    *(("multiclass", name, WHEN) for name in CLASSES),
    ("multiclass", "boosted trees", PLACE),
    ("multiclass", "a forest", PLACE),
    ("regression", "a line", VALUE[:, None]),  # outcomes in a column of their own: so are the answers
    ("regression", "a forest", VALUE.round().astype(int)),
]


def as_they_are(rows):
    return rows[[*NUMBERS, "port"]].copy()


class Asked:
    """A fitted model, asked through tables and, where it can be, through arrays."""

    def __init__(self, task: str, name: str, outcomes: np.ndarray) -> None:
        make = (REGRESSIONS if task == "regression" else CLASSES)[name]
        self.model = make().fit(as_they_are(ROWS), outcomes)
        self.question = estimator.question(self.model, task, label="late")

    def plain(self, rows: pd.DataFrame) -> np.ndarray:
        made = compute(as_they_are, request_columns.typed(rows, DTYPES), tuple(DTYPES), name="features")
        return estimator.scores(self.model, made, self.question)

    def find(self) -> parity.Found:
        return parity.find(
            self.model, as_they_are, DTYPES, asked=self.question, plain=self.plain, reference=ROWS
        )  # fmt: skip


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}, {case[1]}, {case[2].dtype}{case[2].ndim}")
def asked(request):
    made = Asked(*request.param)
    return made, made.find()


def test_every_usual_model_has_a_direct_path_that_says_the_same(asked):
    """Of one row and of many, in a shape that does not depend on how many there are."""
    made, path = asked

    assert path.why == parity.ON
    for size in (1, 2, 33, 300):
        rows = sample(size, seed=size)
        said, wanted = path.direct.predict(request_columns.arrays(rows, DTYPES)), made.plain(rows)
        assert said.shape == wanted.shape == ((size,) if made.question.method == "predict" else (size, 3))
        assert said.dtype == wanted.dtype == np.float64
        assert not tolerance.apart(said, wanted, path.tolerance).any()


def test_of_strange_rows_it_says_the_same_or_leaves_them_to_the_pipeline(asked):
    """One strange value at a time, and all together."""
    made, path = asked
    first = ROWS.head(1)
    changes = [{name: value} for name, values in STRANGE.items() for value in values]
    changes.append({name: values[0] for name, values in STRANGE.items()})
    answered = 0
    for change in changes:
        row = first.assign(**{name: pd.Series([value], dtype=DTYPES[name]) for name, value in change.items()})
        try:
            said = path.direct.predict(request_columns.arrays(row, DTYPES))
        except Exception:  # the pipeline is asked, which may raise as well
            continue
        assert not tolerance.apart(said, made.plain(row), path.tolerance).any()
        answered += 1
    assert answered > len(changes) / 2


@pytest.mark.parametrize("case", [("regression", VALUE), ("multiclass", WHEN)], ids=lambda case: case[0])
@pytest.mark.parametrize(("name", "place"), [("boosted trees", "_boosted"), ("a forest", "_forest")])
def test_a_path_that_is_a_millionth_off_in_one_class_or_value_is_found(case, name, place, monkeypatch):
    """The last class alone: the one that no binary model has."""
    task, outcomes = case
    made, own = Asked(task, name, outcomes), getattr(fused_trees, place)

    def bent(model, question):
        score = own(model, question)

        def off(matrix):
            found = score(matrix)
            found[..., -1] += 1e-6
            return found

        return off

    monkeypatch.setattr(fused_trees, place, bent)

    assert "of a row of which the pipeline says" in made.find().why


def test_classes_in_another_order_are_found(monkeypatch):
    """Probabilities that add up to one, of the wrong classes."""
    made, own = Asked("multiclass", "a forest", WHEN), fused_trees._forest
    monkeypatch.setattr(fused_trees, "_forest", lambda *given: lambda matrix: own(*given)(matrix)[:, ::-1])

    assert "of a row of which the pipeline says" in made.find().why


def test_a_regressor_of_two_values_has_no_direct_path():
    """It has no slow one either: the pipeline raises, and the direct path does not answer in its place."""
    model = filled(LinearRegression()).fit(as_they_are(ROWS), np.stack([VALUE, VALUE], axis=1))
    question = estimator.question(model, "regression", label="late")

    def plain(rows):
        return estimator.scores(model, as_they_are(rows), question)

    found = parity.find(model, as_they_are, DTYPES, asked=question, plain=plain, reference=ROWS)

    assert found.direct is None
    assert "2 numbers for each row" in found.why
