"""What a recovered model leaves behind stands alone: files from which the same answers come."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from handed_over import answers, handed_over, module
from small_pilots import FIT, INPUTS, PILOTS, READ, SPLIT

from proveout.model import model_io
from proveout.records.adopted_notebook import RenamedClass
from proveout.recovery import model_form
from proveout.recovery.handover import NotHandedOver
from proveout.recovery.tables import equal_rows


@pytest.mark.parametrize("cells", PILOTS.values(), ids=PILOTS)
def test_a_pilot_is_recovered_and_its_files_answer_as_it_did(cells: list[str], tmp_path: Path) -> None:
    """Raw rows become its inputs: all held-out ones at once, and each alone with another row's target.

    And in the files nothing of the notebook's namespace is left; rows come without their target, together and alone.
    """
    found, _ = handed_over(cells, tmp_path / "model")
    assert (found.reason, found.level, found.target) == ("", "raw", "left")
    assert found.alone[0] == found.alone[1] > 0
    raw, held = pd.read_parquet(tmp_path / "model/raw.parquet"), pd.read_parquet(tmp_path / "model/heldout.parquet")
    rows = raw.drop(columns="left").iloc[list(found.rows)]

    together = module(tmp_path / "model").features(rows)

    assert together.index.equals(rows.index)
    assert equal_rows(together, found.inputs).all()
    assert equal_rows(module(tmp_path / "model").features(rows.head(1)), np.asarray(found.inputs)[[0]]).all()
    assert answers(tmp_path / "model", rows).tolist() == held["answer"].tolist()
    assert held["truth"].tolist() == raw["left"].iloc[held["row"]].tolist()


def test_only_the_columns_that_matter_have_to_be_asked(tmp_path: Path) -> None:
    """The others have the value of one row of the pilot, for the statements that touch them."""
    found, _ = handed_over(
        [READ, "df['plan'] = df['plan'].str.upper()", "df = df.fillna(0)", INPUTS, SPLIT, _FIT], tmp_path
    )
    raw = pd.read_parquet(tmp_path / "raw.parquet")

    rows = raw[["age", "income"]].iloc[list(found.rows)]

    assert equal_rows(module(tmp_path).features(rows), found.inputs).all()


_FIT = "model = LogisticRegression(max_iter=500).fit(X_train, y_train)\nmodel.predict(X_test)"


def test_the_sides_are_those_of_the_pilot(tmp_path: Path) -> None:
    """A row that the pilot left out is on neither side, whether its index tells it or its content."""
    for name, cells in {"index": ["df = df.dropna()"], "content": ["df = df.dropna().reset_index(drop=True)"]}.items():
        handed_over([READ, *cells, INPUTS, SPLIT, _FIT], tmp_path / name)
    raw = pd.read_parquet(tmp_path / "index/raw.parquet")
    by_index, by_content = (
        pd.read_parquet(tmp_path / name / "sides.parquet")["split"] for name in ("index", "content")
    )

    assert by_index.value_counts().to_dict() == {"train": 165, "holdout": 55}
    assert by_index.isna().equals(raw["age"].isna())
    assert by_index.equals(by_content)


TEXTS = [
    "from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer\n"
    "from sklearn.naive_bayes import MultinomialNB\nfrom sklearn.pipeline import make_pipeline",
    READ,
    "df['note'] = df['city'] + ' has the ' + df['plan']\nX = df['note'].str.lower()\ny = df['left']",
    SPLIT,
]


@pytest.mark.parametrize(
    "cells",
    [
        ["count = CountVectorizer()\nA = count.fit_transform(X_train)\nmodel = MultinomialNB().fit(A, y_train)",
         "model.predict(count.transform(X_test))"],
        ["count, idf = CountVectorizer(), TfidfTransformer()\nA = idf.fit_transform(count.fit_transform(X_train))",
         "B = idf.transform(count.transform(X_test))\nmodel = MultinomialNB().fit(A, y_train)\nmodel.predict(B)"],
        ["model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(X_train, y_train)\nmodel.predict(X_test)"],
    ],
    ids=["a vectorizer outside of the model", "two transformers", "a pipeline that takes a list"],
)  # fmt: skip
def test_texts_go_to_the_model_as_one_column(cells: list[str], tmp_path: Path) -> None:
    """A sparse matrix is no table: what makes it becomes a part of the model."""
    found, _ = handed_over([*TEXTS, *cells], tmp_path)
    raw, held = pd.read_parquet(tmp_path / "raw.parquet"), pd.read_parquet(tmp_path / "heldout.parquet")
    rows = raw[["city", "plan"]].iloc[list(found.rows)]

    assert list(module(tmp_path).features(rows)) == ["note"]
    assert answers(tmp_path, rows).tolist() == held["answer"].tolist()


OWN = {
    "a class in a pipeline": (
        "from sklearn.base import BaseEstimator, TransformerMixin\nfrom sklearn.pipeline import Pipeline\n"
        "class Ratio(BaseEstimator, TransformerMixin):\n    def __init__(self, by=2):\n        self.by = by\n"
        "    def fit(self, X, y=None):\n        return self\n"
        "    def transform(self, X):\n        return X.assign(ratio=X['income'] / self.by)",
        INPUTS,
        "model = Pipeline([('own', Ratio()), ('scale', StandardScaler()), ('model', LogisticRegression())])",
    ),
    "a function in a pipeline that ends in a model without probabilities": (
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import FunctionTransformer\n"
        "from sklearn.svm import SVC\ndef halved(X):\n    return X / 2",
        INPUTS,
        "model = make_pipeline(FunctionTransformer(halved), SVC())",
    ),
    "a lambda in a pipeline": (
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import FunctionTransformer\nby = 3",
        INPUTS,
        "model = make_pipeline(FunctionTransformer(lambda X: np.log1p(X) / by), LogisticRegression())",
    ),
    "a lambda in a column transformer": (
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import FunctionTransformer\n"
        "from sklearn.compose import ColumnTransformer",
        INPUTS,
        "parts = [('half', FunctionTransformer(lambda X: X / 2), ['age'])]\n"
        "model = make_pipeline(ColumnTransformer(parts), StandardScaler(), LogisticRegression())",
    ),
    "a function in a column transformer of rows that have names": (
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.preprocessing import FunctionTransformer\n"
        "from sklearn.compose import ColumnTransformer\ndef halved(X):\n    return X / 2",
        f"df.index = 'row ' + df.index.astype(str)\n{INPUTS}",
        "parts = [('half', FunctionTransformer(halved), ['age'])]\n"
        "model = make_pipeline(ColumnTransformer(parts), LogisticRegression())",
    ),
    "a function that cuts texts into words": (
        "from sklearn.pipeline import make_pipeline\nfrom sklearn.feature_extraction.text import CountVectorizer\n"
        "def words_of(text):\n    return text.lower().split('s')",
        "X = df['city'] + ' ' + df['plan']\ny = df['left']",
        "model = make_pipeline(CountVectorizer(analyzer=words_of), LogisticRegression())",
    ),
    "a function in a transformer outside of the model": (
        "from sklearn.preprocessing import FunctionTransformer\ndef halved(X):\n    return X / 2",
        INPUTS + "\nX = FunctionTransformer(halved).fit_transform(X)",
        "model = LogisticRegression(max_iter=500)",
    ),
}


@pytest.mark.parametrize("cells", OWN.values(), ids=OWN)
def test_code_of_the_notebook_in_fitted_objects_goes_to_the_features(cells: list[str], tmp_path: Path) -> None:
    """No file may bring it: its name is stored, and its definition stands in the module."""
    own, inputs, model = cells
    fit = f"{model}\nmodel.fit(X_train, y_train)\nprint(accuracy_score(y_test, model.predict(X_test)))"
    found, _ = handed_over([own, READ, "df = df.fillna(0)", inputs, SPLIT, fit], tmp_path / "model")
    raw, held = pd.read_parquet(tmp_path / "model/raw.parquet"), pd.read_parquet(tmp_path / "model/heldout.parquet")

    assert answers(tmp_path / "model", raw.iloc[list(found.rows)]).tolist() == held["answer"].tolist()


def test_a_sparse_matrix_of_many_parts_becomes_a_table(tmp_path: Path) -> None:
    """Words beside numbers: no transformer makes them both."""
    cells = [
        "from scipy.sparse import hstack\nfrom sklearn.feature_extraction.text import *",
        READ + "\ndf = df.fillna(0)\nwords = TfidfVectorizer().fit_transform(df['city'] + ' ' + df['plan'])",
        "X = hstack([words, df[['age']].values]).tocsr()\ny = df['left']",
        SPLIT,
        FIT,
    ]
    found, _ = handed_over(cells, tmp_path / "model")
    raw, held = pd.read_parquet(tmp_path / "model/raw.parquet"), pd.read_parquet(tmp_path / "model/heldout.parquet")

    assert module(tmp_path / "model").features(raw.head(3)).shape == (3, 7)
    assert answers(tmp_path / "model", raw.iloc[list(found.rows)]).tolist() == held["answer"].tolist()


@pytest.mark.parametrize(
    "model", ["SVC()", "SVC(probability=True, random_state=3)", "LinearSVC()", "RidgeClassifier()", "Perceptron()"]
)
def test_a_model_without_probabilities_gets_them_and_answers_the_same(model: str, tmp_path: Path) -> None:
    """One half stands where its decision value is 0. Those of `SVC(probability=True)` contradict its answers."""
    imports = "from sklearn.svm import SVC, LinearSVC\nfrom sklearn.linear_model import RidgeClassifier, Perceptron"
    cells = [
        imports,
        READ,
        "df = df.fillna(0)",
        INPUTS,
        SPLIT,
        f"model = {model}.fit(X_train, y_train)\nmodel.predict(X_test)",
    ]
    found, handed = handed_over(cells, tmp_path)
    raw, held = pd.read_parquet(tmp_path / "raw.parquet"), pd.read_parquet(tmp_path / "heldout.parquet")
    columns = module(tmp_path).features(raw.iloc[list(found.rows)])

    probability = model_io.load(tmp_path / "model.skops").predict_proba(columns)[:, 1]

    assert "probabilities come from a logistic curve over its decision value" in handed.note
    assert (probability > 0.5).astype(int).tolist() == held["answer"].tolist()


@pytest.mark.parametrize(
    "asked",
    [
        "search = GridSearchCV(SVC(), {'C': [0.1, 1]}, cv=3).fit(X_train, y_train)\nmodel = search.best_estimator_",
        "text = pickle.dumps(SVC().fit(X_train, y_train))\nmodel = pickle.loads(text)",
    ],
    ids=["found by a search", "from a file"],
)
def test_a_model_that_was_not_fitted_itself_has_training_rows_all_the_same(asked: str, tmp_path: Path) -> None:
    """Those of the search that found it, or of the model that its file was written of."""
    imports = "import pickle\nfrom sklearn.svm import SVC\nfrom sklearn.model_selection import GridSearchCV"
    fit = "kept = SVC().fit(X_train, y_train)"
    cells = [imports, READ, "df = df.fillna(0)", INPUTS, SPLIT, fit, asked, "model.predict(X_test)"]
    found, _ = handed_over(cells, tmp_path)
    raw, held = pd.read_parquet(tmp_path / "raw.parquet"), pd.read_parquet(tmp_path / "heldout.parquet")

    assert answers(tmp_path, raw.iloc[list(found.rows)]).tolist() == held["answer"].tolist()


@pytest.mark.parametrize("model", ["SVC()", "RidgeClassifier()"])
def test_several_classes_without_probabilities_get_them_too(model: str, tmp_path: Path) -> None:
    """Probabilities that say something: better than the shares of the classes, and the largest one is the answer."""
    imports = (
        "from sklearn.svm import SVC\nfrom sklearn.linear_model import RidgeClassifier\n"
        "from sklearn.datasets import load_iris"
    )
    read = "df = load_iris(as_frame=True).frame\nX = df.drop(columns='target')\ny = df['target']"
    fit = f"model = {model}.fit(X_train, y_train)\nmodel.predict(X_test)"
    found, _ = handed_over([imports, read, SPLIT, fit], tmp_path)
    raw, held = pd.read_parquet(tmp_path / "raw.parquet"), pd.read_parquet(tmp_path / "heldout.parquet")

    columns = module(tmp_path).features(raw.iloc[list(found.rows)])
    probabilities = model_io.load(tmp_path / "model.skops").predict_proba(columns)

    assert probabilities.argmax(axis=1).tolist() == held["answer"].tolist()
    wanted = np.eye(3)[held["truth"]]
    # Always a third each: 0.67. Before scikit-learn 1.8 there is no temperature, and a curve for each class is flatter.
    most = 0.4 if sklearn.__version__ >= "1.8" else 0.6
    assert ((probabilities - wanted) ** 2).sum(axis=1).mean() < most


@pytest.mark.skipif(sklearn.__version__ < "1.8", reason="the temperature came with scikit-learn 1.8")
def test_a_curve_that_is_fitted_again_in_another_order_of_the_rows_is_nearly_the_same() -> None:
    """In its file, digits of one writer stand together: folds in that order made another curve, and the gate a leak."""
    from sklearn.base import clone
    from sklearn.datasets import load_digits
    from sklearn.svm import SVC

    pixels, digits = load_digits(return_X_y=True)
    shuffled = np.random.default_rng(0).permutation(len(digits))
    model = SVC().fit(pixels[shuffled], digits[shuffled])

    made = model_form.with_probabilities(model, pixels[shuffled], digits[shuffled])
    again = clone(made).fit(pixels, digits)

    [[first], [second]] = (one.calibrated_classifiers_[0].calibrators for one in (made, again))
    assert first.beta_ == pytest.approx(second.beta_, rel=0.05)


def test_classes_can_be_called_otherwise(tmp_path: Path) -> None:
    """A LabelEncoder's codes are names again."""
    cells = [
        READ,
        "df = df.fillna(0)",
        "X = df[['age', 'income']]\ny = LabelEncoder().fit_transform(df['plan'])",
        SPLIT,
        _FIT,
    ]
    names = [RenamedClass(was=code, now=name) for code, name in enumerate(["basic", "plus", "pro"])]

    found, _ = handed_over(cells, tmp_path, classes=names)

    raw, held = pd.read_parquet(tmp_path / "raw.parquet"), pd.read_parquet(tmp_path / "heldout.parquet")
    said = answers(tmp_path, raw.iloc[list(found.rows)])
    assert said.tolist() == [["basic", "plus", "pro"][int(code)] for code in held["answer"]]


@pytest.mark.parametrize(
    ("learns", "answers_of", "target"),
    [
        (
            "(X_train.to_numpy() * 1.0)[y_train == 1].mean(axis=0)",
            "(X.to_numpy()[:, 0] > weights[0]).astype(int)",
            "left",
        ),
        ("np.linalg.lstsq(X_train.to_numpy(), y_train.to_numpy(), rcond=None)[0]", "X.to_numpy() @ weights", "income"),
        ("np.array([30, 60])", "np.digitize(X.to_numpy()[:, 0], weights)", "band"),
    ],
    ids=["two classes", "numbers", "three classes"],
)
def test_a_function_of_the_notebook_becomes_a_part_of_the_features(
    learns: str, answers_of: str, target: str, tmp_path: Path
) -> None:
    """Of numpy alone there is no object: the slice up to the metric's argument is the model."""
    other = "left" if target == "income" else "income"
    band = "df = df.fillna(0)\ndf['band'] = df['plan'].map({'basic': 0, 'plus': 1, 'pro': 2})"
    cells = [
        READ + f"\n{band}\nX, y = df[['age', '{other}']] / [1, 9], df['{target}']",
        SPLIT,
        f"weights = {learns}\ndef answer(X, weights):\n    return {answers_of}",
        "got = answer(X_test, weights)\nprint(r2_score(y_test, got))",
    ]
    found, handed = handed_over(cells, tmp_path / "model")
    raw, held = pd.read_parquet(tmp_path / "model/raw.parquet"), pd.read_parquet(tmp_path / "model/heldout.parquet")

    assert answers(tmp_path / "model", raw.iloc[list(found.rows)]).tolist() == held["answer"].tolist()
    assert "a part of the features" in handed.note


def test_a_class_of_the_notebook_becomes_a_part_of_the_features(tmp_path: Path) -> None:
    """No file may bring its code: it stands in the features, with what it has learned in the state."""
    own = (
        "class Nearest:\n    def fit(self, X, y):\n        self.centres = X.groupby(y).mean().to_numpy()\n"
        "    def predict(self, X):\n        apart = [((X.to_numpy() - one) ** 2).sum(axis=1) for one in self.centres]\n"
        "        return np.argmin(apart, axis=0)"
    )
    fit = "model = Nearest()\nmodel.fit(X_train, y_train)\nprint(accuracy_score(y_test, model.predict(X_test)))"
    found, _ = handed_over([own, READ, "df = df.fillna(0)", INPUTS, SPLIT, fit], tmp_path / "model")
    raw, held = pd.read_parquet(tmp_path / "model/raw.parquet"), pd.read_parquet(tmp_path / "model/heldout.parquet")

    assert set(held["answer"]) == {0, 1}
    assert answers(tmp_path / "model", raw.iloc[list(found.rows)]).tolist() == held["answer"].tolist()


def test_least_squares_of_statsmodels_are_a_linear_regression() -> None:
    """Its results cannot be stored, and have all that is needed: one weight for each column."""

    class OLS:
        pass

    class Results:
        model = OLS()
        params = pd.Series({"const": 3.0, "age": 0.5})

    assert model_form.best(Results()).predict(np.array([[1.0, 10.0], [1.0, 20.0]])).tolist() == [8.0, 13.0]


class Logit:
    """As statsmodels' model of this name is known by."""


class GLM:
    """A generalized linear model of statsmodels, with the family in its attribute."""

    class Binomial:
        link = Logit()

    family = Binomial()


class OfCounts:
    """Counts are no classes: neither the name of the model nor its family is one of those."""

    family = None


@pytest.mark.parametrize(("kind", "known"), [(Logit, True), (GLM, True), (OfCounts, False)])
def test_a_logit_of_statsmodels_is_a_logistic_regression(kind: type, known: bool) -> None:
    """Its answers are the probabilities of the class 1."""

    class Results:
        model = kind()
        params = pd.Series({"const": -1.0, "age": 0.5})

    assert model_form.is_logit(Results()) is known
    if known:
        said = model_form.best(Results()).predict_proba(np.array([[1.0, 2.0], [1.0, 4.0]]))[:, 1]
        assert np.allclose(said, [0.5, 1 / (1 + np.exp(-1))])


def test_the_answer_of_a_function_is_as_probable_as_it_was_right() -> None:
    learned, truth = np.array([0, 0, 1, 1, 1]), np.array([0, 0, 1, 1, 0])
    model = model_form.of_answers(learned, truth, task="binary", column="answer")
    asked = pd.DataFrame({"answer": [0, 1]})

    assert model.predict(asked).tolist() == [0, 1]
    assert model.predict_proba(asked).round(6).tolist() == [[0.8, 0.2], [0.2, 0.8]]


def test_rows_that_are_labelled_from_one_are_the_right_rows(tmp_path: Path) -> None:
    """`index_col="Id"` is usual, and its labels look like places that are one row off."""
    raw = pd.read_csv("rows.csv")
    raw.insert(0, "Id", range(1, len(raw) + 1))
    raw.to_csv("numbered.csv", index=False)
    cells = ["df = pd.read_csv('numbered.csv', index_col='Id').fillna(0)", INPUTS, SPLIT, FIT]

    found, _ = handed_over(cells, tmp_path / "model")

    sides = pd.read_parquet(tmp_path / "model/sides.parquet")["split"]
    held = pd.read_parquet(tmp_path / "model/heldout.parquet")
    assert found.target == "left"
    assert held["truth"].tolist() == raw["left"].iloc[held["row"]].tolist()
    assert (sides == "train").sum() == 180
    assert sides.notna().all()


def test_features_say_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A loop that chooses columns prints on its way, and would again for each request."""
    choose = (
        "kept = []\nfor column in ['age', 'income']:\n    share = abs(df[column].corr(df['left']))\n"
        "    print(column, share)\n    if share > 2:\n        print('impossible')\n    else:\n"
        "        kept.append(column)"
    )
    cells = [READ, "df = df.fillna(0)", choose, "X = df[kept]\ny = df['left']", SPLIT, FIT]
    handed_over(cells, tmp_path / "model")
    capsys.readouterr()

    made = module(tmp_path / "model").features(pd.read_parquet(tmp_path / "model/raw.parquet").drop(columns="left"))

    assert list(made.columns) == ["age", "income"]
    assert capsys.readouterr().out == ""
    assert "print" not in (tmp_path / "model/features.py").read_text()


def test_features_warn_of_nothing_that_the_pilot_was_warned_of(tmp_path: Path) -> None:
    """pandas says of an old statement that it is old, each time; of others it still may."""
    tidy = "import warnings\ndef tidy(df):\n    warnings.warn('old', FutureWarning)\n    return df.fillna(0)"
    handed_over([READ, tidy, "df = tidy(df)", INPUTS, SPLIT, FIT], tmp_path / "model")

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made = module(tmp_path / "model")
        made.features(pd.read_parquet(tmp_path / "model/raw.parquet").drop(columns="left"))
        warnings.warn("another", FutureWarning, stacklevel=1)

    assert "warnings.warn" in (tmp_path / "model/features.py").read_text()
    assert [str(one.message) for one in said] == ["another"]


def test_several_outcomes_are_refused(tmp_path: Path) -> None:
    """A bundle answers one question."""
    fit = "model = LinearRegression().fit(X_train, y_train)\nprint(r2_score(y_test, model.predict(X_test)))"
    cells = [READ, "df = df.fillna(0)", "X, y = df[['age']], df[['income', 'left']]", SPLIT, fit]

    with pytest.raises(NotHandedOver, match="2 outcomes"):
        handed_over(cells, tmp_path)


@pytest.mark.parametrize("inside", [True, False], ids=["in the model", "outside of it"])
@pytest.mark.parametrize(
    ("numbers", "texts"),
    [
        ("make_column_selector(dtype_include=np.number)", "make_column_selector(dtype_exclude=np.number)"),
        ("X.select_dtypes('number').columns", "X.select_dtypes(exclude='number').columns"),
    ],
    ids=["by a selector", "by an index"],
)
def test_columns_chosen_by_a_type_are_named(numbers: str, texts: str, inside: bool, tmp_path: Path) -> None:
    """No file may bring a type, nor the texts of an index as pandas keeps them: which columns it chose is known."""
    imports = "from sklearn.compose import *\nfrom sklearn.pipeline import make_pipeline"
    pre = (
        f"parts = [('n', StandardScaler(), {numbers}), ('t', OneHotEncoder(), {texts})]\npre = ColumnTransformer(parts)"
    )
    fit = "model = make_pipeline(pre, LogisticRegression(max_iter=500))"
    if not inside:
        fit = "X_train, X_test = pre.fit_transform(X_train), pre.transform(X_test)\nmodel = LogisticRegression()"
    ask = "model.fit(X_train, y_train)\nmodel.predict(X_test)"
    cells = [imports, READ, "df = df.fillna(0)\nX, y = df.drop(columns='left'), df['left']", SPLIT, pre, fit, ask]

    found, _ = handed_over(cells, tmp_path)

    raw, held = pd.read_parquet(tmp_path / "raw.parquet"), pd.read_parquet(tmp_path / "heldout.parquet")
    assert answers(tmp_path, raw.iloc[list(found.rows)]).tolist() == held["answer"].tolist()


def test_what_transformers_give_is_said_by_themselves(raw: pd.DataFrame, tmp_path: Path) -> None:
    """`set_config` of a notebook holds for its process alone: the server's transformers gave columns without names."""
    cells = [
        READ,
        "from sklearn import set_config\nfrom sklearn.pipeline import make_pipeline\n"
        "set_config(transform_output='pandas')\ndf = df.fillna(0)",
        "X, y = df[['age', 'income']], df['left']",
        SPLIT,
        "model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X_train, y_train)\n"
        "print(accuracy_score(y_test, model.predict(X_test)))",
    ]
    try:
        handed_over(cells, tmp_path / "model")
    finally:
        sklearn.set_config(transform_output="default")

    [scaler, _] = [step for _, step in model_io.load(tmp_path / "model" / "model.skops").steps]
    assert isinstance(scaler.transform(raw[["age", "income"]]), pd.DataFrame)


def test_held_out_rows_of_a_class_that_no_training_row_has_are_not_judged(raw: pd.DataFrame, tmp_path: Path) -> None:
    """A class of one row is on one side of a split: nobody can say how likely the model found it."""
    cells = [READ, "X, y = df[['age', 'income']].fillna(0), df['plan']", SPLIT, FIT]
    found, _ = handed_over(cells, tmp_path / "before")
    raw.loc[found.rows[7], "plan"] = "gift"
    raw.to_csv("rows.csv", index=False)

    _, handed = handed_over(cells, tmp_path / "model")

    held = pd.read_parquet(tmp_path / "model/heldout.parquet")
    assert found.rows[7] not in set(held["row"])
    assert len(held) == len(found.rows) - 1
    assert "gift" in handed.note
