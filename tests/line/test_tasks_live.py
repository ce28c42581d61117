"""A regression and a multi-class bundle, packed, released and served by a real server: each answer of its own kind.

The one is a model of XGBoost, the other one of LightGBM.
"""

import http.client
import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boosted_models
import numpy as np
import pandas as pd
import pytest
from patience import wait_until
from serving_live import HANGS_AFTER_S, Server
from tiny_project import APP

from proveout.ledger.ledger import Ledger
from proveout.model import bundle as bundles
from proveout.records.answer import TaskFacts
from proveout.settings import load

RULES = {
    "regression": "def rules(record):\n    return 20.0\n\n\n",
    "multiclass": "def rules(record):\n    return 'noon'\n\n\n",
}
ACTION = "def action(answer):\n    return f'it is {answer.value}'\n"


@dataclass
class Served:
    """A running server, and the bundle that it serves."""

    server: Server
    opened: bundles.OpenBundle
    ledger: Ledger

    def post(self, path: str, body: object) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=HANGS_AFTER_S)
        connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
        response = connection.getresponse()
        told = json.loads(response.read())
        connection.close()
        assert response.status in {200, 202}, told
        return told

    def logged(self, request_id: str) -> Any:
        wait_until(lambda: self.ledger.prediction(request_id) is not None, f"{request_id} in the ledger")
        return self.ledger.prediction(request_id)


@pytest.fixture
def serve(tiny):
    """Serve a model of a task, packed as a training run would."""
    running: list[Served] = []

    def start(task: str, model: Any, outcomes: np.ndarray) -> Served:
        settings = tiny.root / "pyproject.toml"
        text = settings.read_text().replace('model = "tiny"', f'model = "tiny"\ntask = "{task}"\ntarget_unit = "min"')
        settings.write_text(text.replace('target = "rules.py:none"', 'target = "rules.py:late"'))
        (tiny.root / "rules.py").write_text(RULES[task] + ACTION)
        tiny.settings = load(tiny.root)
        order = tiny.order()
        rows = pd.concat([order.training, order.heldout], ignore_index=True)
        model.fit(rows[["hour"]].assign(double=rows["hour"] * 2.0)[:300], outcomes[:300])
        facts = TaskFacts(task=task)
        packed = tiny.pack(
            model=model, task=facts, training_labels=outcomes[:300], heldout_labels=outcomes[300:], metrics={}
        )
        tiny.append("bundle", packed.digest, packed)
        tiny.judge(packed)
        tiny.release(packed)
        server = Server(Path(tiny.root), app=APP)
        running.append(Served(server, bundles.open_bundle(tiny.folder(packed)), Ledger(tiny.settings.ledger)))
        server.wait_ready()
        return running[0]

    yield start
    for one in running:
        one.server.stop()
        one.ledger.close()


def hours(tiny) -> np.ndarray:
    order = tiny.order()
    return pd.concat([order.training, order.heldout])["hour"].to_numpy()


def by_rules(served: Served, record: dict[str, Any]) -> Any:
    """What is answered once the worker is gone, before the next one is there."""
    os.kill(served.server.wait_ready()["worker"], signal.SIGKILL)
    for asked in range(2_000):  # another request each time: one that was asked before is answered from the cache
        answer = served.post("/predict", {**record, "wind": 100.0 + asked})
        if answer["answered_by"] == "rules":
            break
    return answer


@pytest.mark.live
def test_a_regression_answers_a_value_with_an_interval(serve, tiny):
    """In its own unit everywhere: answer, reasons, tensors, feedback, log; and the rules' number has no interval."""
    minutes = hours(tiny) * 2.0 + np.random.default_rng(3).normal(scale=2, size=400)
    served = serve("regression", boosted_models.xgb("Regressor", n_estimators=30), minutes)
    task, record = served.opened.task, {"hour": 20, "wind": 1.5}

    answer = served.post("/predict", {**record, "explain": True})

    value = float(served.opened.predict(pd.DataFrame([record]))[0])
    assert answer["answered_by"] == "model"
    assert answer["prediction"] == {
        "late": pytest.approx(value), "low": pytest.approx(value - task.half_width),
        "high": pytest.approx(value + task.half_width), "coverage": 0.9,
    }  # fmt: skip
    assert 2 < task.half_width < 8
    assert answer["confidence"] is None
    assert answer["action"] == f"it is {answer['prediction']['late']}"
    assert answer["reasons"][0]["text"].startswith("hour 20 raises the value by ")
    assert answer["reasons"][0]["text"].endswith(" min")
    tensors = {"inputs": [{"name": "hour", "datatype": "INT64", "shape": [2], "data": [1, 20]},
                          {"name": "wind", "datatype": "FP64", "shape": [2], "data": [0.0, 1.5]}]}  # fmt: skip
    outputs = {one["name"]: one["data"] for one in served.post("/v2/models/tiny/infer", tensors)["outputs"]}
    assert outputs["value"][1] == pytest.approx(value)
    assert outputs["low"][1] < outputs["value"][1] < outputs["high"][1]
    served.post("/feedback", {"request_id": answer["request_id"], "outcome": 42})
    assert served.logged(answer["request_id"]).answer.low == pytest.approx(value - task.half_width)
    told = by_rules(served, record)
    assert told["answered_by"] == "rules"
    assert told["prediction"] == {"late": 20.0, "low": None, "high": None, "coverage": None}
    wait_until(lambda: served.ledger.outcomes([answer["request_id"]]), "the outcome in the ledger")
    assert served.ledger.outcomes([answer["request_id"]]) == {answer["request_id"]: 42.0}


@pytest.mark.live
def test_a_multiclass_model_answers_a_class_with_a_probability_for_each(serve, tiny):
    """The class as it was learned, and the reasons of this class; the rules name one without a probability."""
    parts = np.array(["morning", "noon", "night"])[np.digitize(hours(tiny), (9, 17))]
    served = serve("multiclass", boosted_models.lgbm("Classifier", n_estimators=30), parts)
    record = {"hour": 20, "wind": 1.5}

    answer = served.post("/predict", {**record, "explain": True})

    scores = served.opened.predict(pd.DataFrame([record]))[0]
    assert served.opened.task.classes == ("morning", "night", "noon")
    assert answer["answered_by"] == "model"
    assert answer["prediction"]["late"] == "night"
    assert list(answer["prediction"]["probabilities"].values()) == pytest.approx(scores.tolist())
    assert answer["confidence"]["level"] == "high"
    assert answer["reasons"][0]["text"].startswith("hour 20 raises the probability of night by")
    tensors = {"inputs": [{"name": "hour", "datatype": "INT64", "shape": [2], "data": [1, 20]},
                          {"name": "wind", "datatype": "FP64", "shape": [2], "data": [0.0, 1.5]}]}  # fmt: skip
    outputs = {one["name"]: one for one in served.post("/v2/models/tiny/infer", tensors)["outputs"]}
    assert outputs["label"]["data"] == ["morning", "night"]
    assert outputs["probabilities"]["shape"] == [2, 3]
    assert outputs["probabilities"]["data"][3:] == pytest.approx(scores.tolist())
    served.post("/feedback", {"request_id": answer["request_id"], "outcome": "noon"})
    assert served.logged(answer["request_id"]).answer.value == "night"
    told = by_rules(served, record)
    assert told["answered_by"] == "rules"
    assert told["prediction"] == {"late": "noon", "probability": None, "probabilities": None}
    wait_until(lambda: served.ledger.outcomes([answer["request_id"]]), "the outcome in the ledger")
    assert served.ledger.outcomes([answer["request_id"]]) == {answer["request_id"]: "noon"}
