"""model/bundle.py and skopsfile.py: one digest for one model, verified before it is opened, never a pickle."""

import json
import pickle
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from proveout.data.store import Store
from proveout.errors import BundleError, Tampered
from proveout.fastpath import tolerance, transformers
from proveout.model import bundle, model_io
from proveout.records.answer import TaskFacts
from proveout.records.train_config import TimeSplit, TrainConfig
from proveout.records.values import Digest
from proveout.task.binary import Binary

SPLIT = TimeSplit(train_through="1", holdout="2")


def test_the_same_run_later_and_elsewhere_has_the_same_digest(order, tmp_path):
    """skops writes memory addresses and the clock into its files: two dumps of one model share no byte order."""
    one = bundle.pack(order(), Store(str(tmp_path / "a")))
    other = bundle.pack(
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
    first = bundle.pack(order(), store).digest
    build = {k: v for k, v in change.items() if k != "model"}
    second = order(**build)
    if "model" in change:
        import dataclasses

        second = dataclasses.replace(second, model="other")

    assert bundle.pack(second, store).digest != first


def test_another_bound_of_the_gate_makes_no_other_bundle(order, tmp_path):
    """Whoever asks for more, or less, has the gate run again, not the training."""
    asked = [TrainConfig(split=SPLIT, evaluation={"auc_at_least": bound}) for bound in (0.7, 0.6)]
    first, second = (bundle.pack(order(config=config), Store(str(tmp_path / "store"))).digest for config in asked)

    assert first == second


def test_packing_the_same_identity_again_finds_the_bundle_that_is_there(order, tmp_path):
    """An approval signed its manifest: a second run must not replace it."""
    store = Store(str(tmp_path / "store"))
    first = bundle.pack(order(), store)

    assert bundle.pack(order(run="TrainFlow/2"), store) == first


def test_an_opened_bundle_predicts_from_its_own_features(packed, order):
    """Features edited in the project after packing must not reach what is served."""
    records = pd.DataFrame({"wind": [None, 0.1], "hour": [1, 23], "extra": ["a", "b"]})
    before = bundle.open_bundle(packed).predict(records)
    (order().root / "features.py").write_text("def features(rows):\n    return rows * 0\n")

    after = bundle.open_bundle(packed).predict(records)

    assert before[0] < 0.5 < before[1]
    assert np.allclose(before, after, rtol=tolerance.SUMMED, atol=0)


def test_confidence_is_the_share_of_held_out_rows_called_right(order, tmp_path):
    """Counted again from the rows themselves."""
    scores = np.linspace(0.005, 0.995, 1000)
    labels = scores > 0.3  # between 0.3 and 0.5 every call is wrong
    table = bundle.confidence_table(scores, labels, Binary())

    def share(probability):
        return table["right"][int(np.searchsorted(table["edges"], probability, side="right"))]

    assert share(0.1) == 1.0
    assert share(0.42) == 0.0
    assert share(0.9) == 1.0
    assert len(table["right"]) == len(table["edges"]) + 1


def test_requests_are_compared_with_training_rows_and_answers_with_held_out_ones(packed, order):
    """A model that knows its training rows by heart answers them as it answers no other."""
    opened = bundle.open_bundle(packed)
    reference, answers = opened.reference(), opened.heldout_answers()

    assert list(reference.columns) == ["hour", "wind", bundle.LABEL]
    assert len(reference) == 300
    assert list(answers.columns) == ["probability", bundle.LABEL]
    assert sorted(answers["probability"]) == pytest.approx(sorted(opened.predict(order().heldout)))
    assert answers[bundle.LABEL].sum() == order().heldout_labels.sum()


# --- the direct path --------------------------------------------------------------------------------------------------

ARRAYS = {"hour": np.array([1, 23]), "wind": np.array([np.nan, 0.1]), "extra": np.array(["a", "b"], dtype=object)}


def test_reference_rows_are_read_without_opening_the_model(packed):
    """The server shows typical values in its examples and leaves the model to the worker. Changed rows are refused."""
    assert bundle.reference_rows(packed).equals(bundle.open_bundle(packed).reference())

    (packed / "reference.parquet").write_bytes(b"PAR1")
    with pytest.raises(Tampered, match=r"reference\.parquet"):
        bundle.reference_rows(packed)


def test_arrays_are_answered_directly_and_the_same(packed):
    """The worker asks by arrays; the checks that approved the model asked by tables."""
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
    folder = store.folder("bundles", bundle.pack(made, store).digest)

    opened = bundle.open_bundle(folder)

    assert opened.direct == "Series.rolling needs pandas"
    assert json.loads((folder / "direct.json").read_text())["direct"] == opened.direct
    assert np.array_equal(opened.predict_columns(ARRAYS), opened.predict(pd.DataFrame(ARRAYS)))


def test_a_direct_path_that_differs_where_it_is_opened_is_not_used(packed, monkeypatch):
    """Another version of a library, another processor: what was equal where it was packed need not be here."""
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
    folder = store.folder("bundles", bundle.pack(order(), store).digest)
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
    opened = bundle.open_bundle(store.folder("bundles", bundle.pack(made, store).digest))
    zero = {**ARRAYS, "hour": np.array([0, 12])}

    assert opened.direct == "on"
    assert np.allclose(opened.predict_columns(zero), opened.predict(pd.DataFrame(zero)), rtol=tolerance.SUMMED, atol=0)
    assert opened.detours == 1


def test_one_flipped_byte_in_any_file_is_found_and_named(packed):
    """Every file, at its start, middle and end: none may be served changed."""
    files = [path for path in packed.rglob("*") if path.is_file()]
    assert len(files) >= 12
    for file in files:
        whole = file.read_bytes()
        for place in {0, len(whole) // 2, len(whole) - 1}:
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            if file.name == bundle.MANIFEST:
                # A flip in the text of the provenance alone is caught by the approval, which signs the whole manifest.
                try:
                    changed = bundle.verify(packed).manifest
                except (Tampered, BundleError):
                    continue
                file.write_bytes(whole)
                assert changed != bundle.verify(packed).manifest
            else:
                with pytest.raises(Tampered) as found:
                    bundle.verify(packed)
                assert found.value.file == str(file.relative_to(packed))
        file.write_bytes(whole)
    bundle.verify(packed)


def test_a_missing_an_added_and_a_linked_file_are_found(packed, tmp_path):
    """Bytecode beside the features would be run instead of them; a link may point anywhere tomorrow."""
    (packed / "code" / "__pycache__").mkdir()
    (packed / "code" / "__pycache__" / "features.cpython-311.pyc").write_bytes(b"evil")
    with pytest.raises(Tampered, match="is not in the manifest"):
        bundle.open_bundle(packed)
    shutil.rmtree(packed / "code" / "__pycache__")

    metrics = packed / "metrics.json"
    whole = metrics.read_bytes()
    (tmp_path / "elsewhere").write_bytes(whole)
    metrics.unlink()
    with pytest.raises(Tampered, match=r"metrics\.json is missing"):
        bundle.verify(packed)
    metrics.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Tampered, match=r"metrics\.json is missing"):
        bundle.verify(packed)


def test_a_bundle_under_another_bundles_name_is_refused(packed):
    """Swapping folders must not swap models."""
    moved = packed.with_name("f" * 64)
    packed.rename(moved)

    with pytest.raises(Tampered, match="another bundle"):
        bundle.verify(moved)


def test_a_newer_format_asks_for_a_newer_proveout(packed):
    """Not a KeyError."""
    manifest = json.loads((packed / bundle.MANIFEST).read_text())
    (packed / bundle.MANIFEST).write_text(json.dumps({**manifest, "format": 99}))

    with pytest.raises(BundleError, match="Upgrade proveout"):
        bundle.verify(packed)


def doubled(values):
    return values * 2


def test_a_model_with_code_of_its_own_is_refused_when_it_is_packed(order, tmp_path):
    """Opening it would run what somebody wrote: preprocessing belongs into the features file."""
    model = make_pipeline(FunctionTransformer(doubled), LogisticRegression())
    model.fit(np.array([[1.0, 2.0], [2.0, 4.0]]), [False, True])
    with pytest.raises(BundleError, match="does not open"):
        bundle.pack(order(model=model), Store(str(tmp_path / "store")))
    assert not (tmp_path / "store" / "bundles").exists()


class Evil:
    def __reduce__(self):
        return (Path.touch, (Path("/tmp/proveout-canary-must-not-exist"),))


def test_a_pickle_is_never_opened(tmp_path):
    """A pickle under the name of a model file runs whatever it likes when it is loaded."""
    canary = Path("/tmp/proveout-canary-must-not-exist")
    file = tmp_path / "model.skops"
    file.write_bytes(pickle.dumps(Evil()))
    with pytest.raises(BundleError):
        model_io.load(file)
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("schema.json", "{}")
    with pytest.raises(BundleError):
        model_io.load(file)
    assert not canary.exists()


def test_the_archive_of_a_bundle_has_the_same_bytes_every_time(packed):
    """Metaflow keeps it with the run, by its content."""
    assert bundle.archive(packed) == bundle.archive(packed)
