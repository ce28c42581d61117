"""model/bundle.py: an opened bundle answers from its own files, by arrays as by tables."""

import json

import numpy as np
import pandas as pd
import pytest

from proveout.data.store import Store
from proveout.errors import Tampered
from proveout.fastpath import tolerance, transformers
from proveout.model import bundle, packing
from proveout.model.manifest import LABEL


def test_an_opened_bundle_predicts_from_its_own_features(packed, order):
    """Features edited in the project after packing must not reach what is served."""
    records = pd.DataFrame({"wind": [None, 0.1], "hour": [1, 23], "extra": ["a", "b"]})
    before = bundle.open_bundle(packed).predict(records)
    (order().root / "features.py").write_text("def features(rows):\n    return rows * 0\n")

    after = bundle.open_bundle(packed).predict(records)

    assert before[0] < 0.5 < before[1]
    assert np.allclose(before, after, rtol=tolerance.SUMMED, atol=0)


def test_requests_are_compared_with_training_rows_and_answers_with_held_out_ones(packed, order):
    """A model that knows its training rows by heart answers them as it answers no other."""
    opened = bundle.open_bundle(packed)
    reference, answers = opened.reference(), opened.heldout_answers()

    assert list(reference.columns) == ["hour", "wind", LABEL]
    assert len(reference) == 300
    assert list(answers.columns) == ["probability", LABEL]
    assert sorted(answers["probability"]) == pytest.approx(sorted(opened.predict(order().heldout)))
    assert answers[LABEL].sum() == order().heldout_labels.sum()


ARRAYS = {"hour": np.array([1, 23]), "wind": np.array([np.nan, 0.1]), "extra": np.array(["a", "b"], dtype=object)}


def test_reference_rows_are_read_without_opening_the_model(packed):
    """The server shows typical values in its examples and leaves the model to the worker. Changed rows are refused."""
    assert bundle.reference_rows(packed).equals(bundle.open_bundle(packed).reference())

    (packed / "reference.parquet").write_bytes(b"PAR1")
    with pytest.raises(Tampered, match=r"reference\.parquet"):
        bundle.reference_rows(packed)


def test_arrays_are_answered_directly_and_the_same(packed):
    """The worker sends arrays to the model; the checks that approved it sent tables."""
    opened = bundle.open_bundle(packed)
    stated = json.loads((packed / "direct.json").read_text())

    assert opened.direct == stated["direct"] == "on"
    assert stated["rows"] > 300
    assert stated["tolerance"] == tolerance.SUMMED  # it is a logistic regression
    assert np.allclose(
        opened.predict_columns(ARRAYS), opened.predict(pd.DataFrame(ARRAYS)), rtol=tolerance.SUMMED, atol=0
    )
    assert opened.detours == 0
    with pytest.raises(KeyError):
        opened.predict_columns({"hour": ARRAYS["hour"]})


SLOW = """
def features(rows):
    return rows.assign(double=rows["hour"].rolling(1).max() * 2.0)[["hour", "double"]]
"""


def test_a_bundle_without_a_direct_path_says_why_and_is_answered_by_the_pipeline(order, tmp_path):
    """Slow is no reason not to serve."""
    made, store = order(), Store(str(tmp_path / "store"))
    (made.root / "features.py").write_text(SLOW)
    folder = store.folder("bundles", packing.pack(made, store).digest)

    opened = bundle.open_bundle(folder)

    assert opened.direct == "Series.rolling needs pandas"
    assert json.loads((folder / "direct.json").read_text())["direct"] == opened.direct
    assert np.array_equal(opened.predict_columns(ARRAYS), opened.predict(pd.DataFrame(ARRAYS)))


def test_a_direct_path_that_differs_where_it_is_opened_is_not_used(packed, monkeypatch):
    """With another library version or processor, answers that were equal when packing may differ."""
    right = bundle.open_bundle(packed).predict(pd.DataFrame(ARRAYS))
    monkeypatch.setattr(
        transformers, "_standard", lambda step: lambda matrix: (matrix - step.mean_) / step.scale_ + 1e-9
    )

    opened = bundle.open_bundle(packed)

    assert opened.direct.startswith("it says 0.")
    assert np.array_equal(opened.predict_columns(ARRAYS), right)


def test_a_bundle_packed_without_a_direct_path_gets_none_when_it_is_opened(order, tmp_path, monkeypatch):
    """What was approved was served by tables: it stays so until it is packed again."""
    monkeypatch.setattr(transformers, "_standard", lambda step: lambda matrix: matrix)
    store = Store(str(tmp_path / "store"))
    folder = store.folder("bundles", packing.pack(order(), store).digest)
    monkeypatch.undo()

    assert "of a row of which the pipeline says" in bundle.open_bundle(folder).direct


def test_rows_that_only_the_pipeline_can_answer_take_the_detour_and_are_counted(order, tmp_path):
    """A division by zero is infinite in pandas and 0 in NumPy: one such row must not be guessed at."""
    made, store = order(), Store(str(tmp_path / "store"))
    (made.root / "features.py").write_text(
        "def features(rows):\n    return rows.assign(double=(24 // rows['hour']).clip(0, 9))[['hour', 'double']]\n"
    )
    rows = made.training[made.training["hour"] > 0]
    made = order(training=rows, training_labels=made.training_labels[made.training["hour"] > 0])
    opened = bundle.open_bundle(store.folder("bundles", packing.pack(made, store).digest))
    zero = {**ARRAYS, "hour": np.array([0, 12])}

    assert opened.direct == "on"
    assert np.allclose(opened.predict_columns(zero), opened.predict(pd.DataFrame(zero)), rtol=tolerance.SUMMED, atol=0)
    assert opened.detours == 1
