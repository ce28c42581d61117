"""model/boosters.py: models of XGBoost and LightGBM are packed as text, answer the same, and bring no code."""

import io
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import boosted_models
import booster_fuzz
import lightgbm
import malice
import numpy as np
import pandas as pd
import pytest
import skops.io
import usual_models
import xgboost

from proveout.data.store import Store
from proveout.errors import BundleError
from proveout.model import boosters, estimator, model_io, packing
from proveout.model import bundle as bundles
from proveout.records.answer import TaskFacts
from proveout.task.question import Question


@pytest.fixture(scope="module", params=boosted_models.MODELS)
def fitted(request):
    return boosted_models.fitted(request.param)


def dumped(model) -> bytes:
    """The file of a model, as skops writes it."""
    with boosters.as_text(model, name="model"):
        return skops.io.dumps(model)


def test_a_model_answers_the_same_once_packed_and_is_left_as_it_was(fitted, tmp_path):
    """To the last bit: a booster's text holds all digits of its numbers. The notebook goes on with its own model."""
    model, rows = fitted
    wanted, own = boosted_models.answers(model, rows), dict(vars(model))
    model_io.dump(model, tmp_path / "one.skops")
    opened = model_io.load(tmp_path / "one.skops")
    model_io.dump(opened, tmp_path / "two.skops")

    assert np.array_equal(boosted_models.answers(opened, rows), wanted)
    assert (tmp_path / "two.skops").read_bytes() == (tmp_path / "one.skops").read_bytes()
    assert vars(model) == own
    assert np.array_equal(boosted_models.answers(model, rows), wanted)


def test_trained_twice_in_two_processes_a_model_has_the_same_digest():
    """Also where another number of cores is at hand: how many threads a model takes is no part of it."""
    names = [name for name in boosted_models.MODELS if "stacked" not in name]
    ran = subprocess.run(
        [sys.executable, str(Path(boosted_models.__file__)), *names],
        env={**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    elsewhere = json.loads(ran.stdout)

    here = {name: usual_models.digest(boosted_models.fitted(name)[0]) for name in names}

    assert [name for name in names if here[name] != elsewhere[name]] == []


def test_how_many_threads_a_model_takes_is_no_part_of_it():
    """And a server scores in one thread, whatever the notebook took: threads that share a row wait for each other."""
    one, many = (boosted_models.lgbm("Regressor", n_jobs=jobs, num_threads=jobs) for jobs in (1, 2))
    for model in (one, many):
        model.fit(boosted_models.TABLE[["hour"]], boosted_models.VALUE)
    opened = model_io.loads(dumped(many), name="model")
    other = model_io.loads(dumped(boosted_models.fitted("xgboost, value")[0]), name="model")

    assert usual_models.digest(one) == usual_models.digest(many)
    assert opened.n_jobs == 1
    assert "num_threads" not in opened.get_params()
    assert json.loads(other.get_booster().save_config())["learner"]["generic_param"]["nthread"] == "1"


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("xgboost, two classes", "binary"),
        ("xgboost, three classes", "multiclass"),
        ("xgboost, value", "regression"),
        ("lightgbm, two classes", "binary"),
        ("lightgbm, three classes", "multiclass"),
        ("lightgbm, value", "regression"),
    ],
)
def test_a_bundle_of_each_task_is_packed_opened_and_asked_by_its_direct_path(name, task, order, tmp_path):
    """What is packed is what is served."""
    made = order()
    make, _, _ = boosted_models.MODELS[name]
    hours = np.concatenate([made.training["hour"], made.heldout["hour"]])
    names = ["dawn", "noon", "dusk"] if name.startswith("lightgbm") else [0, 1, 2]
    outcomes = {
        "binary": hours > 12,
        "multiclass": np.array(names, dtype=object)[hours // 8],
        "regression": hours * 2.0 + np.arange(len(hours)) % 3,
    }[task]
    columns = made.training[["hour"]].assign(double=made.training["hour"] * 2.0)
    learned = outcomes[:300].astype(int) if outcomes[0] in (0, 1, 2) else outcomes[:300]
    facts = TaskFacts(task=task, threshold=0.5 if task == "binary" else None)
    packed = order(
        make().fit(columns, learned), task=facts, training_labels=outcomes[:300], heldout_labels=outcomes[300:]
    )
    store = Store(str(tmp_path / "store"))
    opened = bundles.open_bundle(store.folder("bundles", packing.pack(packed, store).digest))

    assert opened.direct == "on"
    said = opened.predict_columns(opened.arrays(made.heldout))
    assert np.array_equal(said, opened.predict(made.heldout))
    again = opened.fit_again(opened.model_columns(made.training), outcomes[:300])
    assert np.array_equal(opened.ask(again, opened.model_columns(made.heldout)), said)


@pytest.mark.parametrize("library", ["xgboost", "lightgbm"])
def test_columns_of_categories_come_in_as_requests_and_go_to_the_model_as_they_are(library, order, tmp_path):
    """Text in JSON, a category in the model: by its name, in whatever order a table has its categories."""
    made, ports = order(), ["EWR", "JFK", "LGA"]
    rows = {
        side: part.assign(port=pd.Categorical([ports[hour % 3] for hour in part["hour"]], categories=ports))
        for side, part in (("training", made.training), ("heldout", made.heldout))
    }
    wet = {side: (part["port"] == "JFK").to_numpy() ^ (part["hour"] > 20).to_numpy() for side, part in rows.items()}
    model = (
        boosted_models.xgb("Classifier", n_estimators=30, enable_categorical=True, max_cat_to_onehot=1)
        if library == "xgboost"
        else boosted_models.lgbm("Classifier", n_estimators=30, max_cat_to_onehot=1, min_data_per_group=5)
    )
    columns = ["hour", "port"]
    packed = order(
        model.fit(rows["training"][columns], wet["training"]),
        features=None,
        request={"hour": "int64", "port": 'category["EWR", "JFK", "LGA"]'},
        training=rows["training"][columns],
        training_labels=wet["training"],
        heldout=rows["heldout"][columns],
        heldout_labels=wet["heldout"],
    )
    store = Store(str(tmp_path / "store"))
    opened = bundles.open_bundle(store.folder("bundles", packing.pack(packed, store).digest))
    asked = opened.columns([{"hour": 7, "port": port} for port in (*ports, None)])
    turned = rows["heldout"].assign(port=rows["heldout"]["port"].cat.reorder_categories(ports[::-1]))

    said = opened.predict_columns(asked)

    assert opened.direct != "on"
    assert said[1] > 0.7 > 0.3 > max(said[0], said[2])
    assert np.array_equal(opened.predict(turned), opened.predict(rows["heldout"]))
    assert np.array_equal(opened.predict(rows["heldout"]), model.predict_proba(rows["heldout"][columns])[:, 1])


@pytest.mark.parametrize("name", ["xgboost, stopped early", "lightgbm, stopped early"])
def test_fitted_again_a_model_that_stopped_early_takes_as_many_rounds(name):
    """There are no rows left to tell it when to stop, and all eighty rounds would be another model."""
    model, rows = boosted_models.fitted(name)
    opened = model_io.loads(dumped(model), name="model")
    best = model.best_iteration + 1 if name.startswith("xgboost") else model.best_iteration_

    again = estimator.fit_again(opened, rows, boosted_models.LATE, asked=Question(method="predict_proba", column=1))

    rounds = again.get_booster().num_boosted_rounds() if name.startswith("xgboost") else again.n_estimators_
    assert 0 < rounds == best < 80
    assert np.array_equal(boosted_models.answers(again, rows), boosted_models.answers(model, rows))


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["xgboost, two classes", "lightgbm, two classes"])
def test_a_booster_as_skops_would_write_it_is_refused(name):
    """Its own state goes into the library unseen: only text that was looked at does."""
    model, _ = boosted_models.fitted(name)

    with pytest.raises(BundleError, match=r"it holds .*\.Booster.*, which proveout does not open"):
        model_io.loads(skops.io.dumps(model), name="model")


@pytest.mark.parametrize("name", ["xgboost, two classes", "lightgbm, two classes"])
@pytest.mark.parametrize("way", {**malice.CODE, **malice.STRANGE})
@pytest.mark.parametrize("place", ["_Booster", "n_jobs"])
def test_code_in_the_place_of_a_booster_or_a_parameter_is_refused(name, way, place, tmp_path):
    """A trusted estimator is no wrapping under which something else comes in."""
    canary = tmp_path / "canary"
    node = {**malice.CODE, **malice.STRANGE}[way](malice.touched(canary))
    with pytest.raises(BundleError):
        model_io.loads(_with(name, place, node), name="model")
    assert not canary.exists()


@pytest.mark.parametrize("name", ["xgboost, two classes", "lightgbm, two classes"])
def test_what_is_no_text_in_the_place_of_a_booster_is_refused(name):
    """A path, say: the libraries would open the file of that name."""
    with pytest.raises(BundleError, match="holds a str instead of a booster"):
        model_io.loads(_with(name, "_Booster", malice.text("/etc/passwd")), name="model")


def _with(name: str, place: str, node: object) -> bytes:
    """The file of a model, with something else in one of its attributes."""
    with zipfile.ZipFile(io.BytesIO(dumped(boosted_models.fitted(name)[0]))) as archive:
        entries = {entry: archive.read(entry) for entry in archive.namelist()}
    schema = json.loads(entries["schema.json"])
    assert place in schema["content"]["content"]
    schema["content"]["content"][place] = node
    return malice.zipped({**entries, "schema.json": json.dumps(schema).encode()})


@pytest.mark.parametrize(("library", "name"), [("xgboost", "XGBoost"), ("lightgbm", "LightGBM")])
def test_where_the_library_is_missing_the_error_says_what_to_install(library, name, monkeypatch):
    """A server built without the extra: the trace of an import would not tell whose it is."""
    packed = dumped(boosted_models.fitted(f"{library}, two classes")[0])
    for module in [one for one in sys.modules if one.partition(".")[0] == library]:
        monkeypatch.setitem(sys.modules, module, None)  # to import it raises ModuleNotFoundError

    with pytest.raises(BundleError, match=rf"{name} is not installed here\. pip install 'proveout\[{library}\]'"):
        model_io.loads(packed, name="model")


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (lambda: xgboost.XGBRegressor(booster="gblinear"), "is a gblinear.*Fit trees"),
        (lambda: xgboost.XGBRegressor(objective="survival:cox"), "fitted to survival:cox"),
        (lambda: lightgbm.LGBMRegressor(verbose=-1, linear_tree=True), "linear models in its leaves"),
        (lambda: lightgbm.LGBMRegressor(verbose=-1, objective=_own_objective), "a function of your own"),
    ],
)
def test_what_a_bundle_does_not_hold_is_refused_where_it_is_packed(model, why):
    """In the notebook's run, and with what to do."""
    made = model().fit(boosted_models.TABLE[["hour"]], boosted_models.PLACE + 1)

    with pytest.raises(BundleError, match=why):
        dumped(made)


def _own_objective(wanted, found):
    return found - wanted, np.ones(len(found))


def test_a_model_of_several_targets_is_refused():
    """A bundle answers one value."""
    two = np.stack([boosted_models.VALUE, boosted_models.PLACE], axis=1)
    model = boosted_models.xgb("Regressor").fit(boosted_models.TABLE[["hour"]], two)

    with pytest.raises(BundleError, match="several targets"):
        dumped(model)


@pytest.mark.parametrize(("library", "opened_at_least"), [("xgboost", 5), ("lightgbm", 20)])
def test_three_hundred_files_with_something_changed_are_refused_or_answer(library, opened_at_least):
    """None ends the process, and none keeps it for ever."""
    opened, refused = booster_fuzz.opened_and_refused(library, count=300)

    assert opened > opened_at_least
    assert refused > 80
