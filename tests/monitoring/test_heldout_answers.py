"""`monitoring/monitor.py`: what a model answers is compared with its answers to rows that it has not learned."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import breakable
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestClassifier

from proveout.data import features, request_columns
from proveout.data.store import Store
from proveout.model import bundle as bundles
from proveout.model import packing
from proveout.model.bundle import OpenBundle
from proveout.model.packing import PackOrder
from proveout.monitoring import drift, monitor
from proveout.project import open_ledger
from proveout.records.prediction import Outcome, Prediction
from proveout.task.binary import Binary

AT = "2013-07-01T06:00:00.000+00:00"


def learned_by_heart(build: Any) -> PackOrder:
    """A forest to which nearly all its training rows are 0 or 1, and others are not."""
    rng = np.random.default_rng(4)
    rows = pd.DataFrame({"hour": rng.integers(0, 24, 2_400), "wind": rng.normal(size=2_400)})
    (build().root / "features.py").write_text("def features(rows):\n    return rows[['hour', 'wind']]\n")
    labels = rng.random(2_400) < 0.2 + 0.02 * rows["hour"].to_numpy()
    forest = RandomForestClassifier(20, random_state=0).fit(rows[:1_200], labels[:1_200])
    return build(
        model=forest,
        training=rows[:1_200],
        training_labels=labels[:1_200],
        heldout=rows[1_200:1_800].reset_index(drop=True),
        heldout_labels=labels[1_200:1_800],
    )


def answers(opened: OpenBundle, records: pd.DataFrame) -> list[Prediction]:
    """What the model answered to `records`, as the log has it."""
    return [
        Prediction(
            request_id=f"r-{place}", at=AT, model="tiny", release=opened.bundle.name,
            record={"hour": int(hour), "wind": float(wind)}, answered_by="model",
            answer=Binary().answer([float(score)]), latency_ms=1.0,
        )
        for place, (hour, wind, score) in enumerate(
            zip(records["hour"], records["wind"], opened.predict(records), strict=True)
        )
    ]  # fmt: skip


def test_a_model_that_knows_its_training_rows_by_heart_raises_no_alarm_on_the_first_day(tiny):
    """Rows of the same split as those it was judged on: nothing moved, and nothing is said. Compared with its answers
    to the training rows, every forest alarmed on its first day."""
    packed = packing.pack(learned_by_heart(tiny.order), Store(tiny.settings.store))
    tiny.judge(packed)
    tiny.release(packed)
    opened = monitor.champion(tiny.settings)
    rng = np.random.default_rng(5)
    fresh = pd.DataFrame({"hour": rng.integers(0, 24, 600), "wind": rng.normal(size=600)})
    by_heart = opened.predict(opened.reference())

    calm = monitor.look(tiny.settings, answers(opened, fresh), at=AT)
    # The same requests, each answered higher by a sixth: what the model says has moved, and nothing else has.
    said = [(one, one.answer.probability or 0.0) for one in answers(opened, fresh)]
    moved = [replace(one, answer=Binary().answer([min(1.0, was + 1 / 6)])) for one, was in said]
    alarm = monitor.look(tiny.settings, moved, at=AT)

    assert drift.compare({"p": pd.Series(by_heart)}, pd.DataFrame({"p": opened.predict(fresh)}), ["p"],
                         drift_alpha=0.01)[0].alarmed  # fmt: skip  # the fault that this guards against
    assert not calm.report.alarm
    assert {one.column for one in calm.report.tests} == {"wind", "probability"}
    assert [one.column for one in alarm.report.tests if one.alarmed] == ["probability"]
    assert alarm.alert is not None
    assert alarm.alert.what == f"what {packed.name} answers is no longer what it answered to held-out rows"


def test_a_handful_of_held_out_rows_is_no_reference_for_answers(tiny):
    """Then the requests are compared, and the look does not fail."""
    few = tiny.order(heldout=tiny.order().heldout[:12], heldout_labels=tiny.order().heldout_labels[:12])
    packed = packing.pack(few, Store(tiny.settings.store))
    tiny.judge(packed)
    tiny.release(packed)
    opened = monitor.champion(tiny.settings)

    seen = monitor.look(tiny.settings, answers(opened, opened.reference().head(100)), at=AT)

    assert {one.column for one in seen.report.tests} == {"wind"}


@pytest.mark.parametrize(("task", "metric"), [("regression", "MAE"), ("multiclass", "log loss")])
def test_values_and_classes_are_watched_and_held_to_what_they_promise(tmp_path, monkeypatch, task, metric):
    """A metric that neither check nor notebook states is measured on the held-out rows, so that it can be compared."""
    settings, bundle = breakable.make(tmp_path, "", task=task)
    opened = bundles.open_bundle(Path(settings.store) / "bundles" / bundle.digest)
    monkeypatch.setattr(monitor, "champion", lambda settings: opened)
    rows = breakable.trips().iloc[-breakable.ROWS :].reset_index(drop=True)
    happened = features.labels(settings, rows).tolist()

    def look(records: pd.DataFrame, truth: Sequence[Any], name: str) -> monitor.Look:
        asked = [
            Prediction(
                request_id=f"{name}-{place}", at=AT, model="trips", release=opened.bundle.name, record=record,
                answered_by="model", answer=opened.task.answer(np.atleast_1d(score).tolist()), latency_ms=1.0,
            )
            for place, (record, score) in enumerate(
                zip(request_columns.plain_records(records), opened.predict(records), strict=True)
            )
        ]  # fmt: skip
        known = [
            Outcome(request_id=one.request_id, value=outcome, known_at=AT)
            for one, outcome in zip(asked, truth, strict=True)
        ]
        with open_ledger(settings) as ledger:
            ledger.add_outcomes(known)
        return monitor.look(settings, asked, at=AT)

    records = rows[list(opened.request_columns)]
    calm = look(records, happened, "calm")
    wrong = look(records, happened[1:] + happened[:1], "wrong")
    late = look(records.assign(start_hour=23), happened, "late")

    assert (calm.alert, calm.report.alarm) == (None, False)
    assert calm.report.performance is not None and calm.report.performance.rows == breakable.ROWS
    assert wrong.alert is not None and wrong.alert.severity == "critical"
    assert f"fell: {metric} " in wrong.alert.what and "promised" in wrong.alert.what
    assert not wrong.report.alarm
    moved = {one.column: one for one in late.report.tests if one.alarmed}
    assert set(moved) - {""} == {"start_hour", opened.task.watched}
    assert (moved["start_hour"].answers_change or 0) > 0
