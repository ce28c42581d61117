"""Every type that the request schema compiler takes: what the gate measures on tables is what the server answers.

One small real bundle whose request has a column of each type, asked by both ways.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import orjson
import pandas as pd
import pandera.pandas as pa
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression

from proveout import edge_cases
from proveout.data import features, guard, request_columns, snapshots
from proveout.data.store import Store
from proveout.errors import BundleError, ConfigError
from proveout.fastpath import parity
from proveout.fuzz.properties import Generated
from proveout.model import serving_form
from proveout.model.bundle import OpenBundle, open_bundle
from proveout.model.packing import PackOrder, pack
from proveout.monitoring import monitor
from proveout.records.answer import Answer, TaskFacts
from proveout.records.prediction import Prediction
from proveout.records.train_config import RandomSplit, TrainConfig
from proveout.records.values import Digest
from proveout.schema import coercion, request_schema
from proveout.server.http.validation import read
from proveout.server.worker.model_runner import ModelRunner
from proveout.server.worker.release_source import Served
from proveout.settings import Settings

DTYPES = {
    "small": "int8", "large": "uint64", "number": "int64", "share": "float64", "narrow": "float32", "flag": "bool",
    "word": "str", "dependants": "Int64", "rooms": "UInt8", "income": "Float64", "ratio": "Float32", "owner": "boolean",
    "since": "datetime64[ns]", "seen": "datetime64[us, America/New_York]", "band": 'category["low", "high"]',
}  # fmt: skip
NULLABLE = ("share", "narrow", "word", "dependants", "rooms", "income", "ratio", "owner", "since", "band")
SCHEMA = pa.DataFrameSchema(
    {name: pa.Column(coercion.pandas_dtype(dtype), nullable=name in NULLABLE) for name, dtype in DTYPES.items()},
    coerce=True,
    strict=True,
)
FEATURES = """
def features(rows):
    other = ("word", "since", "seen", "band")
    made = {name: rows[name].astype("float64").fillna(-1.0) for name in rows.columns if name not in other}
    made |= {f"hour of {name}": rows[name].dt.hour.fillna(-1.0).astype("float64") for name in ("since", "seen")}
    made |= {"band": rows["band"].cat.codes.astype("float64")}
    made |= {f"{name} unknown": rows[name].isna().astype("float64") for name in ("dependants", "owner", "word")}
    return rows[["small"]].assign(**made)[[*made]]
"""
RECORD = {
    "small": -3, "large": 7, "number": 5, "share": 0.5, "narrow": 0.1, "flag": True, "word": "x", "dependants": 3,
    "rooms": 4, "income": 2.5, "ratio": 0.25, "owner": True, "since": "2013-06-07T08:15:00",
    "seen": "2013-06-07T18:15:30.5-04:00", "band": "high",
}  # fmt: skip


def training_rows(rows: int = 300) -> pd.DataFrame:
    """Rows as the guard lets them in, a tenth of each nullable field not known."""
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            name: random.random(rows).round(3)
            if dtype.lower().startswith("float")
            else random.random(rows) < 0.5
            if dtype.startswith("bool")
            else random.choice(["x", "y"], rows)
            if dtype == "str"
            else random.choice(["low", "high"], rows)
            if dtype.startswith("category")
            else pd.Timestamp("2013-01-01") + pd.to_timedelta(random.integers(0, 9_000, rows), unit="h")
            if dtype.startswith("datetime")
            else random.integers(0, 9, rows)
            for name, dtype in DTYPES.items()
        }
    ).astype(object)
    for name in NULLABLE:
        frame[name] = frame[name].mask(random.random(rows) < 0.1, None)
    guarded = guard.check(frame, SCHEMA, name="rows")
    assert guarded.refused.empty
    return guarded.accepted


@pytest.fixture(scope="module")
def packed(tmp_path_factory: pytest.TempPathFactory) -> OpenBundle:
    root = tmp_path_factory.mktemp("types")
    for name, text in {"features.py": FEATURES, "pilot.ipynb": '{"cells": []}', "executed.ipynb": "{}"}.items():
        (root / name).write_text(text)
    space: dict[str, Any] = {}
    exec(FEATURES, space)
    store = Store(str(root / "store"))
    batch = snapshots.store_batch(store, "1", guard.check(training_rows(), SCHEMA, name="1"), {})
    rows = snapshots.read(store, snapshots.extend(store, None, [batch]).digest)[list(DTYPES)]
    labels = (rows["dependants"].fillna(8).astype(float) + rows["share"].fillna(0) > 4).to_numpy()
    model = LogisticRegression(max_iter=2000).fit(space["features"](rows), labels)
    skops.io.dump(model, root / "model.skops")
    order = PackOrder(
        model="types", model_file=root / "model.skops", features="features.py:features", root=root,
        notebook=root / "pilot.ipynb", executed=root / "executed.ipynb", config=TrainConfig(split=RandomSplit()),
        snapshot=Digest("5" * 64), membership=pd.DataFrame({"batch": ["1"], "split": ["train"]}),
        label="late", task=TaskFacts(threshold=0.5),
        request={name: coercion.name_of(rows[name].dtype) for name in DTYPES},
        training=rows[:200], training_labels=labels[:200],
        heldout=rows[200:], heldout_labels=labels[200:], metrics={}, run="TrainFlow/1", git_commit="unknown",
        trained_at="2026-01-01T00:00:00.000+00:00", lock=None,
    )  # fmt: skip
    return open_bundle(store.folder("bundles", pack(order, store).digest))


@pytest.fixture(scope="module")
def runner(packed: OpenBundle) -> ModelRunner:
    """The bundle as a worker opens it."""
    return ModelRunner(Served(release="types@0", model=packed), request_schema.read(SCHEMA, name="s").dtypes)


def test_a_snapshot_gives_every_type_back(packed):
    """The bundle writes down the types of the rows it was trained on: other ones could not be served."""
    assert dict(packed.dtypes) == DTYPES == request_schema.read(SCHEMA, name="s").dtypes


@pytest.mark.parametrize("unknown", [(), *((name,) for name in NULLABLE), NULLABLE], ids=str)
def test_what_the_gate_measures_of_a_type_is_what_the_server_answers(packed, runner, unknown):
    """`Int64` was approved and released, and the worker knew no such type: null is pd.NA to the model, 3 is 3."""
    sent = {name: value for name, value in RECORD.items() if name not in unknown}
    asked = read(orjson.dumps(sent), request_schema.read(SCHEMA, name="s")).record
    row = guard.check(pd.DataFrame([{**RECORD, **dict.fromkeys(unknown)}], dtype=object), SCHEMA, name="row").accepted

    reply = runner.predict({name: [value] for name, value in asked.items()})

    assert reply["problem"] is None
    assert reply["scores"][0] == pytest.approx(packed.predict(row).tolist(), abs=1e-12)
    as_json = json.loads(json.dumps(asked))
    assert packed.predict_columns(packed.columns([as_json]))[0] == pytest.approx(reply["scores"][0][0], abs=1e-12)
    assert packed.predict(request_columns.untyped([as_json], list(DTYPES)))[0] == reply["scores"][0][0]


def test_reasons_and_edge_cases_know_every_type(packed, runner):
    """A mixture of two requests has nulls in places where neither has: arrays of each type must take them."""
    known = [RECORD, {**RECORD, **dict.fromkeys(NULLABLE)}]

    reasons = runner.explain({name: [one[name] for one in known] for name in DTYPES}, within_s=60, pause=lambda _: None)

    assert all(found is not None for found in reasons)
    awkward = packed.awkward(training_rows(5))
    assert {name: coercion.name_of(dtype) for name, dtype in awkward.dtypes.items()} == DTYPES
    assert awkward["dependants"].isna().sum() == 2 and 1_000_000 not in awkward["small"].tolist()
    assert np.isfinite(packed.predict(awkward)).all()


def test_generated_requests_of_every_type_are_answered(packed):
    """The same properties as for plain types: no crash, and served as judged."""
    generated = Generated(SCHEMA, packed, examples=20)

    assert generated.never_crashes().value == 0
    assert generated.served_as_offline().value == 0


def test_edge_cases_of_every_type_are_read_and_asked(packed, tmp_path: Path):
    """A case says `dependants: null` or 3: neither is a float to a schema that coerces nothing."""
    strict = pa.DataFrameSchema({name: column.set_name(name) for name, column in SCHEMA.columns.items()})
    body = "\n".join(f"    {name}: {json.dumps(value)}" for name, value in {**RECORD, "dependants": None}.items())
    (tmp_path / "cases.yaml").write_text(
        "- id: one\n  reason: it is here to be read\n  author: a\n  date: 2026-01-01\n"
        "  incident: none, it was made up\n  expect:\n    probability: {at_least: 0.0}\n"
        f"  record:\n{body}\n"
    )

    loaded = edge_cases.load(tmp_path / "cases.yaml", SimpleNamespace(to_schema=lambda: strict))

    assert edge_cases.ask(loaded, packed).scores["one"][0] == packed.predict(
        packed.table([{**RECORD, "dependants": None}])
    )


def test_large_integers_beside_a_null_stay_what_they_are():
    """pandas makes floats of them: 2**60 + 1 would be another customer."""
    table = request_columns.untyped([{"v": 2**60 + 1}, {"v": None}], ["v"])

    assert request_columns.typed(table, {"v": "Int64"})["v"].tolist() == [2**60 + 1, pd.NA]


@pytest.mark.parametrize(
    ("value", "dtype"), [(None, "bool"), (5.7, "int64"), (261, "int8"), ("no", "bool"), (1.5, "Int64")]
)
def test_a_model_is_asked_about_no_other_value_than_the_one_that_came(value, dtype):
    """NumPy cuts 5.7 to 5, and takes null for False."""
    for ask in (
        lambda: request_columns.arrays_of_records([{"v": value}], {"v": dtype}),
        lambda: request_columns.typed(pd.DataFrame({"v": pd.Series([value], dtype=object)}), {"v": dtype}),
    ):
        with pytest.raises((TypeError, ValueError)):
            ask()


def test_the_monitor_asks_again_with_every_type_and_leaves_out_what_cannot_be_asked(packed):
    """A pseudonym is no integer: an answer of the rules about one cannot be computed, and the others are."""

    def answered(by: str, **record: Any) -> Prediction:
        return Prediction(
            request_id=by, at="2013-06-01T00:00:00+00:00", model="types", release=packed.bundle.name, answered_by=by,
            answer=Answer(value=True, probability=0.25, confidence=None), latency_ms=1.0, record={**RECORD, **record},
        )  # fmt: skip

    window = [answered("model", number="pii:ab"), answered("rules", number="pii:ab"), answered("rules", owner=None)]

    table = monitor._table(window, packed)

    asked_now = packed.predict(packed.table([{**RECORD, "owner": None}]))[0]
    assert table["probability"].tolist() == [0.25, pytest.approx(asked_now, abs=1e-12)]


# --- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype",
    ["category", pd.CategoricalDtype([1, 2]), "timedelta64[ns]", "object", "complex128", pa.Date, pa.Decimal(10, 2)],
)
def test_a_type_that_no_request_can_carry_is_refused_when_the_project_is_opened(tmp_path, dtype, monkeypatch):
    """Not by the server, after the training and the approval: by ingest and training too."""
    settings = Settings(
        root=tmp_path, model="m", source="a.py:b", batch_schema="a.py:b", request_schema="schema.py:Request",
        features="a.py:b", target="a.py:b", event_key=("a",), fallback="a.py:b", actions="a.py:b", notebook="n.ipynb",
        required_checks=("checks",),
    )  # fmt: skip
    schema = pa.DataFrameSchema({"since": pa.Column(dtype)})
    monkeypatch.setattr(request_schema, "load_object", lambda name, root: schema)

    for opens in (
        lambda: request_schema.load(settings),
        lambda: features.request_columns(settings),
        lambda: snapshots.guarded_batch(settings, "2013-01"),
    ):
        with pytest.raises(ConfigError, match=r"field `since`: has the type .*, which JSON cannot carry"):
            opens()


def test_a_field_that_may_be_null_and_was_learned_without_is_refused_by_name(packed):
    """The batch schema says int64, the request schema Int64: each request without it would be answered by nobody."""
    dtypes = {**DTYPES, "number": "Int64"}

    with pytest.raises(BundleError, match="learned number as int64, which has no null, and a request may leave it out"):
        serving_form.refuse_unservable(packed, dtypes, nullable=("number",), name="types@0")


def test_a_bundle_that_cannot_be_asked_as_a_server_asks_is_refused_by_name(packed):
    """The gate asks what the worker will ask, by the same function: what cannot be served is not approved."""
    asked: list[str] = []

    class Unservable:
        dtypes, request_columns, task = packed.dtypes, packed.request_columns, packed.task
        predict, reference = staticmethod(packed.predict), staticmethod(packed.reference)

        @staticmethod
        def predict_columns(columns):
            asked.append("asked")
            if pd.isna(columns["dependants"]).any():
                raise TypeError("data type 'Int64' not understood")
            return packed.predict_columns(columns)

    for opens in (
        lambda: serving_form.refuse_unservable(Unservable(), DTYPES, nullable=NULLABLE, name="types@0"),
        lambda: ModelRunner(Served(release="types@0", model=Unservable()), DTYPES),
    ):
        with pytest.raises(BundleError, match="data type 'Int64' not understood"):
            opens()
    assert asked
    with pytest.raises(BundleError, match=r"asks for word, which no request has"):
        serving_form.refuse_unservable(
            packed, {name: dtype for name, dtype in DTYPES.items() if name != "word"}, name="types@0"
        )


def test_a_model_that_answers_otherwise_each_time_is_left_to_the_checks(packed):
    """No type is at fault, and a check on the same question asked twice says what is."""
    noise = np.random.default_rng(0)

    class Noisy:
        dtypes, request_columns, task = packed.dtypes, packed.request_columns, packed.task
        reference = staticmethod(packed.reference)

        @staticmethod
        def predict(records):
            return packed.predict(records) * noise.uniform(0.5, 1, len(records))

        @staticmethod
        def predict_columns(columns):
            return packed.predict_columns(columns) * noise.uniform(0.5, 1, len(columns["word"]))

    serving_form.refuse_unservable(Noisy(), DTYPES, nullable=NULLABLE, name="types@0")


def test_the_direct_path_is_left_to_types_that_numpy_has(packed):
    """pandas' own types keep the pipeline: the reason is told, and nothing is guessed."""
    assert "Int64" in packed.direct or "needs pandas" in packed.direct
    assert parity.edges(training_rows(3), {"small": "int8"})["small"].tolist()[1:] == [0, -1]
