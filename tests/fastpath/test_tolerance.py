"""fastpath/tolerance.py: what takes sums may differ in its last bits; trees, counts and look-ups may not."""

import numpy as np
import pytest
import usual_models
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from proveout.data.store import Store
from proveout.evaluation import reproducibility
from proveout.evaluation.context import LabelledRows
from proveout.fastpath import tolerance
from proveout.model import bundle, model_io, packing

EXACT = ("boosted with categories", "boosted with coded categories", "rare categories", "target encoded",
         "texts without some words", "calibrated")  # fmt: skip
SUMS = {
    "scaled": "LogisticRegression",
    "texts in few numbers": "LogisticRegression",
    "calibrated in steps": "LinearSVC",
    "boosted upon another": "LogisticRegression",
    "votes": "LogisticRegression",
    "neighbours": "KNeighborsClassifier",
    "a network": "MLPClassifier",
}


@pytest.mark.parametrize("name", EXACT)
def test_trees_counts_and_look_ups_are_allowed_nothing(name):
    """A difference there is a fault, however small."""
    assert tolerance.tolerance(usual_models.fitted(name)[0]) == tolerance.Tolerance()


@pytest.mark.parametrize(("name", "part"), SUMS.items())
def test_a_sum_anywhere_in_the_chain_is_found(name, part):
    """In the middle of a pipeline, in a vote, below a calibration: the last step alone was looked at."""
    found = tolerance.tolerance(usual_models.fitted(name)[0])

    assert (found.answers, found.fitted) == (tolerance.SUMMED, tolerance.FITTED)
    assert part in found.why or found.why.endswith("takes sums of its own")


@pytest.mark.parametrize("jobs", [None, 1])
def test_a_forest_in_one_job_adds_its_trees_in_order(jobs):
    """Only threads that end when they like make the order of a sum another."""
    forest = RandomForestClassifier(n_estimators=2, n_jobs=jobs).fit([[0], [1]], [False, True])

    assert tolerance.tolerance(forest).answers == 0.0


class _TrainingThatGives:
    """In the place of a training in another process: what it would leave in its folder."""

    def __init__(self, made, into):
        self.into, store = into, Store(str(into / "store"))
        digest = packing.pack(made, store).digest
        files = reproducibility._identity(store.folder("bundles", digest))
        self._again = reproducibility.Again(files=files, bundle=digest, seconds=1.0)

    def end(self):
        return self._again, ""


@pytest.mark.parametrize(("factor", "holds"), [(1 + 1e-9, True), (1.001, False)])
def test_trained_again_on_another_processor_a_solver_may_end_a_little_beside(
    order,
    packed,
    tmp_path,
    factor,
    holds,
):
    """Its model file is another one to the byte; its answers are the same, or they are not."""
    opened, made = bundle.open_bundle(packed), order()
    model = model_io.load(made.model_file)
    model[-1].coef_ *= factor
    rows = LabelledRows(raw=made.heldout, records=made.heldout, labels=made.heldout_labels)

    files, apart, _ = reproducibility.again(opened, rows, _TrainingThatGives(order(model), tmp_path / "again"))

    assert (files.decision, files.holds) == ("model.skops", True)
    assert apart.at_most == tolerance.FITTED
    assert apart.holds == holds


def test_a_model_without_sums_has_to_come_out_the_same_to_the_byte(order, tmp_path):
    """Nothing in a tree hangs on the processor: another tree is another training."""
    made = order()
    columns = made.training[["hour"]].assign(double=made.training["hour"] * 2.0)
    shallow, deep = (
        DecisionTreeClassifier(max_depth=depth, random_state=0).fit(columns, made.training_labels) for depth in (2, 3)
    )
    store = Store(str(tmp_path / "first"))
    opened = bundle.open_bundle(store.folder("bundles", packing.pack(order(shallow), store).digest))
    rows = LabelledRows(raw=made.heldout, records=made.heldout, labels=made.heldout_labels)

    files, *_ = reproducibility.again(opened, rows, _TrainingThatGives(order(deep), tmp_path / "again"))

    assert files.breaks


def test_what_is_allowed_is_a_share_of_the_answer():
    """An absolute bound allows a rare event anything."""
    wanted = np.array([0.7093758549504087, 0.5, 0.02, 1e-9, np.nan, 0.5])
    found = np.array([0.7093758549504086, 0.5 + 4e-11, 0.02 + 1e-11, 3e-9, np.nan, np.nan])

    assert tolerance.apart(found, wanted, tolerance.SUMMED).tolist() == [False, False, True, True, False, True]
    assert tolerance.apart(found, wanted, 0.0).tolist() == [True, True, True, True, False, True]
