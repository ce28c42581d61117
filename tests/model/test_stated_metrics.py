"""model/stated_metrics.py: the metrics that a notebook states are those of the model on the held-out rows."""

import numpy as np
import pytest
import sklearn.metrics

from proveout.data.store import Store
from proveout.errors import BundleError
from proveout.model import bundle, packing, stated_metrics
from proveout.task.binary import Binary

RNG = np.random.default_rng(0)
LABELS = RNG.random(500) < 0.3
SCORES = np.clip(LABELS * 0.2 + RNG.random(500) * 0.6, 0, 1)
CALLS = SCORES >= 0.4
OF_SCORES = {
    "auc": sklearn.metrics.roc_auc_score,
    "average_precision": sklearn.metrics.average_precision_score,
    "brier": sklearn.metrics.brier_score_loss,
    "log_loss": sklearn.metrics.log_loss,
}
OF_CALLS = {
    "accuracy": sklearn.metrics.accuracy_score,
    "balanced_accuracy": sklearn.metrics.balanced_accuracy_score,
    "precision": sklearn.metrics.precision_score,
    "recall": sklearn.metrics.recall_score,
    "f1": sklearn.metrics.f1_score,
}


def test_each_usual_name_is_what_scikit_learn_measures_under_it():
    """A table with one wrong line would refuse every honest notebook that states it."""
    right = {name: float(measure(LABELS, SCORES)) for name, measure in OF_SCORES.items()}
    right |= {name: float(measure(LABELS, CALLS)) for name, measure in OF_CALLS.items()}
    right["mean_probability"] = float(SCORES.mean())

    right["base_rate"] = float(LABELS.mean())

    found = Binary(0.4).measure(list(right), LABELS, SCORES)

    assert found == pytest.approx(right)
    assert set(found) == set(Binary().metric_names)


def test_a_metric_that_the_model_does_not_have_refuses_at_packing_and_names_both(order, tmp_path, packed):
    """A notebook that says 0.97 was shown with 0.97, in `bundles` and in `status`, for as long as the model served."""
    made = order()
    right = float(sklearn.metrics.roc_auc_score(made.heldout_labels, bundle.open_bundle(packed).predict(made.heldout)))

    with pytest.raises(BundleError) as refused:
        packing.pack(order(metrics={"roc_auc": 0.97}), Store(str(tmp_path / "other")))

    assert f"roc_auc 0.97 in the notebook, {right:.6g} measured" in str(refused.value)
    assert "on the held-out rows" in str(refused.value)
    assert not (tmp_path / "other" / "bundles").exists()
    for honest in (right, round(right, 2), round(right, 3), float(f"{right:.5f}")):
        packing.pack(order(metrics={"roc_auc": honest}), Store(str(tmp_path / "honest")))


def test_a_metric_that_was_seen_and_means_something_else_gets_a_name_of_its_own(order, tmp_path):
    """The AUC of labels is one that many notebooks measure: nobody said that it is the model's."""
    made = order()
    store = Store(str(tmp_path / "store"))
    right = packing.pack(order(metrics={}), store)
    probabilities = bundle.open_bundle(store.folder("bundles", right.digest)).predict(made.heldout)
    auc = float(sklearn.metrics.roc_auc_score(made.heldout_labels, probabilities))
    of_labels = float(sklearn.metrics.roc_auc_score(made.heldout_labels, probabilities > 0.5))

    packed = packing.pack(
        order(metrics={"auc": auc, "roc_auc_score": of_labels, "lift": 3.0}, metrics_seen=True),
        Store(str(tmp_path / "seen")),
    )

    assert of_labels != pytest.approx(auc, abs=0.01)
    named = {one.name: one.value for one in packed.metrics}
    assert named == {"auc": auc, "pilot_roc_auc_score": of_labels, "lift": 3.0}


def test_a_metric_at_another_threshold_than_the_bundles_is_refused_with_the_threshold():
    """`model.predict` uses the threshold 0.5, not that of train.toml."""
    at_half = {"recall": float(sklearn.metrics.recall_score(LABELS, SCORES >= 0.5))}

    stated_metrics.compare(at_half, LABELS, SCORES, task=Binary(0.5))
    with pytest.raises(BundleError, match=r"recall .* measured at the threshold 0\.4"):
        stated_metrics.compare(at_half, LABELS, SCORES, task=Binary(0.4))


def test_a_name_that_is_not_known_stays_the_notebooks_claim(order, tmp_path):
    """Only the author knows the meaning of "score" or "auc_train"."""
    stated = {"score": 0.97, "auc_train": 0.99, "rows": 300.0}

    made = packing.pack(order(metrics=stated), Store(str(tmp_path / "other")))

    assert {metric.name: metric.value for metric in made.metrics} == stated


def test_where_there_is_nothing_to_rank_no_claim_is_refused():
    """Held-out rows of one outcome have no AUC."""
    stated_metrics.compare({"auc": 0.5}, np.zeros(500, dtype=bool), SCORES, task=Binary(0.4))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_claim_that_is_no_number_is_refused(value):
    """NaN differs from nothing by more than rounding."""
    with pytest.raises(BundleError):
        stated_metrics.compare({"auc": value}, LABELS, SCORES, task=Binary(0.4))
