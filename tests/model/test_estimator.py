"""model/estimator.py: whatever the classes are called, the probability is that of the event."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC

from proveout.data.store import Store
from proveout.errors import BundleError, ConfigError
from proveout.fastpath import parity, tolerance
from proveout.model import bundle, estimator, packing, repack

RNG = np.random.default_rng(0)
COLUMNS = pd.DataFrame({"hour": RNG.integers(0, 24, 400) * 1.0, "wind": RNG.normal(size=400)})
LATE = (COLUMNS["hour"] + RNG.normal(scale=4, size=400) > 12).to_numpy()


def said(classes, values=None, model=None):
    """The scores of a model trained on `classes`: for false labels, and for true ones."""
    learned = np.where(LATE, classes[1], classes[0]) if values is None else values
    model = (LogisticRegression() if model is None else model).fit(COLUMNS, learned)
    return estimator.scores(model, COLUMNS, estimator.question(model, "binary", label="late"))


@pytest.mark.parametrize(
    "classes",
    [(False, True), (0, 1), (0.0, 1.0), (-1, 1), (np.int8(0), np.int8(1)), ("early", "late"), ("on time", "late")],
    ids=repr,
)
def test_the_event_is_found_whatever_the_classes_are_called(classes):
    """scikit-learn sorts them: "late" comes before "on time", and its probability is the first of the two."""
    assert np.allclose(said(classes), said((False, True)), rtol=1e-9)
    assert said(classes)[LATE].mean() > 0.6


@pytest.mark.parametrize(
    ("classes", "shown"),
    [
        (("paid", "default"), "'default', 'paid'"),
        (("0", "1"), "'0', '1'"),
        (("False", "True"), "'False', 'True'"),
        ((1, 2), "1, 2"),
        ((0, 2), "0, 2"),
    ],
)
def test_classes_that_do_not_tell_the_event_are_refused_by_name(classes, shown):
    """Column 1 would be "paid": .983 for somebody whose risk is .017."""
    with pytest.raises(BundleError) as refused:
        said(classes)

    assert f"its classes {shown} do not tell which of them is the event, `late`" in str(refused.value)
    assert "Fit it to True and False" in str(refused.value)


def test_one_class_and_three_are_refused_with_their_names():
    """Not an IndexError; nor the second of three."""
    with pytest.raises(BundleError, match="has 3 classes, 'a', 'b', 'c', and a bundle answers yes or no"):
        said((), values=np.array(["a", "b", "c", "c"] * 100))
    with pytest.raises(BundleError, match="has learned from one class alone, False"):
        said((), values=np.zeros(400, dtype=bool), model=RandomForestClassifier(n_estimators=2))


@pytest.mark.parametrize(
    ("model", "problem", "remedy"),
    [
        (LinearSVC(), "LinearSVC gives no probabilities", r"CalibratedClassifierCV\(LinearSVC"),
        (make_pipeline(StandardScaler(), SVC()), "SVC gives no probabilities", r"CalibratedClassifierCV\(SVC"),
        (LinearRegression(), "LinearRegression gives no probabilities", "Fit a classifier"),
    ],
)
def test_a_model_without_probabilities_is_refused_with_what_to_do(order, tmp_path, model, problem, remedy):
    """Not an AttributeError from the middle of packing."""
    columns = COLUMNS[["hour"]].assign(double=COLUMNS["hour"] * 2.0)
    with pytest.raises(BundleError, match=f"{problem}.*{remedy}"):
        packing.pack(order(model.fit(columns, LATE)), Store(str(tmp_path / "store")))


def test_a_model_that_was_never_fitted_is_refused(order, tmp_path):
    """Not a NotFittedError from the middle of packing."""
    with pytest.raises(BundleError, match="LogisticRegression is not fitted"):
        packing.pack(order(make_pipeline(StandardScaler(), LogisticRegression())), Store(str(tmp_path / "store")))


@pytest.mark.parametrize(
    "model",
    [LogisticRegression(), RandomForestClassifier(5, random_state=0), HistGradientBoostingClassifier(max_iter=5)],
    ids=lambda model: type(model).__name__,
)
def test_a_bundle_whose_event_comes_first_answers_the_same_on_every_path(order, tmp_path, model):
    """The pipeline, the fast path, a fit again and a variant each took column 1."""
    made = order()
    columns = made.training[["hour"]].assign(double=made.training["hour"] * 2.0)
    model.fit(columns, np.where(made.training_labels, "late", "on time"))
    store = Store(str(tmp_path / "store"))

    opened = bundle.open_bundle(store.folder("bundles", packing.pack(order(model), store).digest))
    right = model.predict_proba(columns)[:, 0]
    again = opened.fit_again(columns, made.training_labels)
    (tmp_path / "variant").mkdir()
    repack.repack(
        opened,
        tmp_path / "variant",
        repack.Change(model=again),
        training=(made.training, made.training_labels),
        heldout=(made.heldout, made.heldout_labels),
    )

    assert opened.direct == parity.ON
    for found in (
        opened.predict(made.training),
        opened.predict_columns(opened.arrays(made.training)),
        opened.ask(again, columns),
        bundle.open_bundle(tmp_path / "variant").predict(made.training),
    ):
        assert np.allclose(found, right, rtol=1e-9)


def test_fitted_again_a_weight_is_still_that_of_its_class():
    """`class_weight` is by class: under the names True and False it would be refused, or mean the other one."""
    weighted = LogisticRegression(class_weight={"late": 9, "on time": 1})
    weighted.fit(COLUMNS, np.where(LATE, "late", "on time"))

    again = estimator.fit_again(weighted, COLUMNS, LATE, asked=estimator.question(weighted, "binary", label="late"))

    assert again.classes_.tolist() == ["late", "on time"]
    assert np.allclose(again.coef_, weighted.coef_)


def test_a_notebook_that_turned_the_numbers_round_is_refused(order, tmp_path):
    """0 and 1 do not show which is the event; the scores for its own training rows do."""
    made = order()
    columns = made.training[["hour"]].assign(double=made.training["hour"] * 2.0)
    turned = LogisticRegression().fit(columns, np.where(made.training_labels, 0, 1))

    with pytest.raises(BundleError, match=r"it answers the opposite: .* its AUC for `late` is 0\.0"):
        packing.pack(order(turned), Store(str(tmp_path / "store")))


def test_a_forest_in_several_jobs_is_packed(order, tmp_path):
    """It adds its trees as its threads end: two calls of it differ in their last bits, and features.py was blamed."""
    made = order()
    columns = made.training[["hour"]].assign(double=made.training["hour"] * 2.0)
    forest = RandomForestClassifier(n_estimators=64, n_jobs=-1, random_state=0).fit(columns, made.training_labels)
    store = Store(str(tmp_path / "store"))

    opened = bundle.open_bundle(store.folder("bundles", packing.pack(order(forest), store).digest))

    assert opened.direct == parity.ON
    assert opened.tolerance.answers == tolerance.SUMMED
    assert opened.tolerance.fitted == 0.0  # its trees are the same with any number of jobs
    assert opened.tolerance.why == "RandomForestClassifier adds its trees as its jobs end"


DUMMIES = """
import pandas as pd

def features(rows):
    return pd.get_dummies(rows["hour"] // 8, prefix="shift", dtype=float)
"""


def test_a_column_for_each_value_that_is_seen_is_refused_with_what_to_do(order, tmp_path):
    """get_dummies: one row has fewer columns than a month has. Not scikit-learn's words about names of features."""
    made = order()
    (made.root / "features.py").write_text(DUMMIES)

    with pytest.raises(ConfigError) as refused:
        packing.pack(made, Store(str(tmp_path / "store")))

    assert "gives 3 columns for 100 rows, and 1 for the first of them by itself" in str(refused.value)
    assert 'OneHotEncoder(handle_unknown="ignore")' in str(refused.value)


TEXT = """
def features(rows):
    return rows["hour"].astype(str).to_frame("text")
"""


def test_a_vectorizer_handed_a_table_is_told_to_name_its_column(order, tmp_path):
    """Fitted to one column in the notebook, asked with a table: it counts the names of columns. Not an IndexError."""
    made = order()
    (made.root / "features.py").write_text(TEXT)
    model = make_pipeline(CountVectorizer(analyzer="char"), LogisticRegression())
    model.fit(made.training["hour"].astype(str), made.training_labels)

    with pytest.raises(BundleError) as refused:
        packing.pack(dataclasses.replace(order(model), request=made.request), Store(str(tmp_path / "store")))

    assert "it gives 1 answers for 100 rows: its first step, CountVectorizer, does not take a table" in str(
        refused.value
    )
    assert "make_column_transformer" in str(refused.value)


def test_a_model_that_knows_nothing_is_not_taken_for_the_opposite():
    """A model without skill is below 0.5 by chance in half of all cases: refusing it is the gate's task."""
    random = np.random.default_rng(0)
    for _ in range(200):
        estimator.refuse_backwards(random.random(300), random.random(300) < 0.3, label="late")
