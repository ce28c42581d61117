"""Models that keep sparse rows of their training answer the same over dense ones, and can be stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from handed_over import answers, handed_over
from scipy.sparse import csr_matrix
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from small_pilots import READ, SPLIT

from proveout.model import model_io
from proveout.recovery import dense_models

IMPORTS = (
    "from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer\n"
    "from sklearn.pipeline import make_pipeline\n"
    "from sklearn.svm import SVC"
)
TEXTS = "df = df.fillna(0)\nX = df['city'] + ' ' + df['plan'] + ' ' + df['age'].astype(str)\ny = df['left']"
WORDS = "words = TfidfVectorizer()\nX_train = words.fit_transform(X_train)\nX_test = words.transform(X_test)"
MODELS = {
    "support vectors": f"{WORDS}\nmodel = SVC(kernel='linear')",
    "with probabilities": f"{WORDS}\nmodel = SVC(probability=True, random_state=0)",
    "a pipeline": "model = make_pipeline(CountVectorizer(), TfidfTransformer(), SVC())",
}


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_texts_are_answered_as_in_the_pilot(model: str, tmp_path: Path) -> None:
    """Each is what a notebook about spam has."""
    fit = f"{model}\nmodel.fit(X_train, y_train)\nprint(accuracy_score(y_test, model.predict(X_test)))"
    found, _ = handed_over([IMPORTS, READ, TEXTS, SPLIT, fit], tmp_path)
    raw, held = pd.read_parquet(tmp_path / "raw.parquet"), pd.read_parquet(tmp_path / "heldout.parquet")

    assert answers(tmp_path, raw.iloc[list(found.rows)]).tolist() == held["answer"].tolist()


@pytest.mark.parametrize(
    "kind",
    [
        lambda: KNeighborsClassifier(3),
        lambda: OneVsRestClassifier(KNeighborsClassifier(3)),
        lambda: OneVsOneClassifier(SVC()),
        lambda: VotingClassifier([("near", KNeighborsClassifier(3)), ("line", LogisticRegression())], voting="soft"),
        lambda: CalibratedClassifierCV(SVC(), cv=3),
    ],
)
def test_neighbours_are_found_in_a_dense_matrix(kind: Callable[[], Any], tmp_path: Path) -> None:
    """They are the training rows themselves, in each of the models that another one is made of."""
    numbers = np.random.default_rng(0).random((60, 8)) * (np.random.default_rng(1).random((60, 8)) > 0.6)
    rows = csr_matrix(numbers)
    model = kind().fit(rows[:40], np.arange(40) % 3)

    made = dense_models.with_dense_rows(model, rows)

    assert made is not model
    assert made.predict(rows[40:]).tolist() == model.predict(rows[40:]).tolist()
    model_io.dump(made, tmp_path / "model.skops")
    assert model_io.load(tmp_path / "model.skops").predict(rows[40:]).tolist() == made.predict(rows[40:]).tolist()


def test_a_model_without_a_sparse_matrix_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """So does one whose matrix would be too large."""
    rows = TfidfVectorizer().fit_transform(["good", "bad", "fine", "poor"] * 5)
    line, vectors = (model.fit(rows, [1, 0, 1, 0] * 5) for model in (LogisticRegression(), SVC()))

    assert dense_models.with_dense_rows(line, rows) is line
    assert dense_models.with_dense_rows(vectors, rows) is not vectors
    monkeypatch.setattr(dense_models, "_MOST_VALUES", 3)
    assert dense_models.with_dense_rows(vectors, rows) is vectors


def test_rows_that_many_models_have_a_copy_of_are_counted_and_kept_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """One against the rest has a model for each class."""
    rows = TfidfVectorizer().fit_transform(["good news", "bad news", "fine day", "poor day"] * 5)
    model = OneVsRestClassifier(KNeighborsClassifier(3)).fit(rows, [0, 1, 2, 3] * 5)
    monkeypatch.setattr(dense_models, "_MOST_VALUES", rows.shape[0] * rows.shape[1])

    made = dense_models.with_dense_rows(model, rows)

    assert len({id(one._fit_X) for one in made[-1].estimators_}) == 1
    assert made.predict(rows).tolist() == model.predict(rows).tolist()
