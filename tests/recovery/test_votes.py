"""A classifier that counts votes answers the same after it got probabilities."""

import numpy as np
import pytest
from sklearn.datasets import make_classification
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from proveout.model import model_io
from proveout.recovery.model_form import with_its_answers, with_probabilities

MEMBERS = [
    ("line", LogisticRegression(max_iter=500)),
    ("tree", DecisionTreeClassifier(max_depth=2, random_state=0)),
    ("bayes", GaussianNB()),
    ("deep", DecisionTreeClassifier(max_depth=4, random_state=0)),
]


@pytest.mark.parametrize("weights", [None, [2, 1, 1, 3]], ids=["equal", "weighted"])
@pytest.mark.parametrize("names", [["no", "yes"], ["low", "middle", "high"]], ids=["two classes", "three classes"])
def test_the_answer_is_that_of_the_votes_and_has_a_probability(names, weights, tmp_path) -> None:
    """Four members tie often: of equal votes the first class is the answer, as before."""
    numbers, codes = make_classification(600, 6, n_informative=4, n_classes=len(names), flip_y=0.2, random_state=5)
    truth = np.array(names)[codes]
    model = VotingClassifier(MEMBERS, voting="hard", weights=weights).fit(numbers[:300], truth[:300])

    made = with_probabilities(model, numbers[:300], truth[:300])
    model_io.dump(made, tmp_path / "model.skops")
    stored = model_io.load(tmp_path / "model.skops")

    likely = stored.predict_proba(numbers[300:])
    assert stored.predict(numbers[300:]).tolist() == model.predict(numbers[300:]).tolist()
    assert np.array(stored.classes_)[likely.argmax(axis=1)].tolist() == model.predict(numbers[300:]).tolist()
    # Better than the shares of the classes say.
    right = likely[np.arange(300), np.searchsorted(stored.classes_, truth[300:])]
    assert -np.log(right).mean() < np.log(len(names))


def test_the_last_step_of_a_pipeline_may_count_votes() -> None:
    """What it is given is what the steps before it make of the rows."""
    numbers, truth = make_classification(200, 6, random_state=5)
    pipeline = make_pipeline(StandardScaler(), VotingClassifier(MEMBERS, voting="hard")).fit(numbers, truth)

    made = with_probabilities(pipeline, numbers, truth)

    assert made.predict(numbers).tolist() == pipeline.predict(numbers).tolist()
    assert made.predict_proba(numbers).shape == (200, 2)


@pytest.mark.parametrize("names", [["no", "yes"], ["low", "middle", "high"]], ids=["two classes", "three classes"])
def test_an_answer_that_contradicts_the_decision_values_stays_the_answer(names, tmp_path) -> None:
    """Of support vectors each pair of classes has a vote, and a class without most of them may have the best value."""
    numbers, codes = make_classification(600, 6, n_informative=4, n_classes=len(names), flip_y=0.2, random_state=5)
    truth = np.array(names)[codes]
    model = make_pipeline(StandardScaler(), SVC()).fit(numbers[:300], truth[:300])

    model_io.dump(with_its_answers(model, numbers[:300], truth[:300]), tmp_path / "model.skops")
    stored = model_io.load(tmp_path / "model.skops")

    likely = stored.predict_proba(numbers[300:])
    assert stored.predict(numbers[300:]).tolist() == model.predict(numbers[300:]).tolist()
    assert np.array(stored.classes_)[likely.argmax(axis=1)].tolist() == model.predict(numbers[300:]).tolist()
    assert likely.max() < 1
