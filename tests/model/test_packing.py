"""model/packing.py: one digest for one model, and what is packed is never packed anew."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from proveout.data.store import Store
from proveout.errors import BundleError
from proveout.model import packing
from proveout.records.answer import TaskFacts
from proveout.records.train_config import TimeSplit, TrainConfig
from proveout.records.values import Digest

SPLIT = TimeSplit(train_through="1", holdout="2")


def test_the_same_run_later_and_elsewhere_has_the_same_digest(order, tmp_path):
    """skops writes memory addresses and the clock into its files: two dumps of one model share no byte order."""
    one = packing.pack(order(), Store(str(tmp_path / "a")))
    other = packing.pack(
        order(run="TrainFlow/2", trained_at="2027-01-01T00:00:00.000+00:00", git_commit="abc"),
        Store(str(tmp_path / "b")),
    )

    assert one.digest == other.digest
    assert one.manifest != other.manifest


@pytest.mark.parametrize(
    "change",
    [
        {"config": TrainConfig(split=SPLIT, parameters={"seed": 1})},
        {"snapshot": Digest("6" * 64)},
        {"task": TaskFacts(threshold=0.4)},
        {"model": "other"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_another_configuration_or_snapshot_has_another_digest(order, tmp_path, change):
    """One name for two different runs would make an approval cover both."""
    store = Store(str(tmp_path / "store"))
    first = packing.pack(order(), store).digest
    build = {k: v for k, v in change.items() if k != "model"}
    second = order(**build)
    if "model" in change:
        import dataclasses

        second = dataclasses.replace(second, model="other")

    assert packing.pack(second, store).digest != first


def test_another_bound_of_the_gate_makes_no_other_bundle(order, tmp_path):
    """After a change of a bound, the gate runs again, not the training."""
    asked = [TrainConfig(split=SPLIT, evaluation={"auc_at_least": bound}) for bound in (0.7, 0.6)]
    first, second = (packing.pack(order(config=config), Store(str(tmp_path / "store"))).digest for config in asked)

    assert first == second


def test_packing_the_same_identity_again_finds_the_bundle_that_is_there(order, tmp_path):
    """An approval signed its manifest: a second run must not replace it."""
    store = Store(str(tmp_path / "store"))
    first = packing.pack(order(), store)

    assert packing.pack(order(run="TrainFlow/2"), store) == first


def doubled(values):
    return values * 2


def test_a_model_with_code_of_its_own_is_refused_when_it_is_packed(order, tmp_path):
    """Opening it would run what somebody wrote: preprocessing belongs into the features file."""
    model = make_pipeline(FunctionTransformer(doubled), LogisticRegression())
    model.fit(np.array([[1.0, 2.0], [2.0, 4.0]]), [False, True])
    with pytest.raises(BundleError, match="does not open"):
        packing.pack(order(model=model), Store(str(tmp_path / "store")))
    assert not (tmp_path / "store" / "bundles").exists()


def test_the_archive_of_a_bundle_has_the_same_bytes_every_time(packed):
    """Metaflow keeps it with the run, by its content."""
    assert packing.archive(packed) == packing.archive(packed)
