"""One event has one key: whatever kind of missing value stands in it, and 3 or 3.0."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from proveout.evaluation.context import LabelledRows
from proveout.gate.preconditions import overlap
from proveout.ledger.prediction_rows import event_of
from proveout.monitoring.monitor import join
from proveout.records.answer import Answer
from proveout.records.prediction import Prediction

KEY = ("k", "n")
AT = "2013-06-01T00:00:00.000+00:00"


def prediction(**record: Any) -> Prediction:
    return Prediction(
        request_id="r", at=AT, model="m", release="m@0", answered_by="model",
        answer=Answer(value=True, probability=0.9, confidence=0.9), latency_ms=1.0, record=record,
    )  # fmt: skip


NUMBERS = {
    "a missing float": pd.Series([3.0, np.nan]),
    "pd.NA": pd.Series([3, None], dtype="Int64"),
    "None as an object": pd.Series([3, None], dtype=object),
    "NaN as an object": pd.Series([3, np.nan], dtype=object),
    "pd.NaT as an object": pd.Series([3, pd.NaT], dtype=object),
    "pd.NA as an object": pd.Series([np.float64(3.0), pd.NA], dtype=object),
    "NumPy's own integer": pd.Series([np.int64(3), None], dtype=object),
}


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize("asked", [3, 3.0, None])
def test_a_request_finds_its_event_whatever_the_tables_type(kind, asked):
    """`{"k": "B2", "n": null}` never found the row whose n was missing: its outcome was never learned."""
    rows = pd.DataFrame({"k": ["B2", "B2"], "n": NUMBERS[kind]})
    labels = pd.Series([True, False] if asked is not None else [False, True], dtype="boolean")

    found = join([prediction(k="B2", n=asked)], rows, labels, key=KEY, known_at=AT)

    assert [(one.request_id, one.value) for one in found] == [("r", True)]


def test_a_missing_text_is_the_same_event_too():
    """Text has other missing values than numbers."""
    for missing in (None, np.nan, pd.NA):
        rows = pd.DataFrame({"k": pd.Series(["B2", missing], dtype=object), "n": [1, 1]})

        found = join([prediction(k=None, n=1)], rows, pd.Series([False, True], dtype="boolean"), key=KEY, known_at=AT)

        assert [one.value for one in found] == [True]


def test_the_log_counts_one_event_for_equal_keys():
    """The canary counts an event once: a client that writes 3.0 has not asked about another one."""
    one = event_of({"k": "B2", "n": 3, "x": 1}, KEY)

    assert event_of({"k": "B2", "n": 3.0, "x": 2}, KEY) == one
    assert event_of({"k": "B2", "n": None}, KEY) == event_of({"k": "B2"}, KEY) != one
    assert event_of({"k": "B2", "n": float("nan")}, KEY) == event_of({"k": "B2", "n": None}, KEY)
    assert len({one, event_of({"k": "B2", "n": 3.5}, KEY), event_of({"k": "B2", "n": "3"}, KEY)}) == 3
    assert event_of({"k": "B2", "n": 3.0}, ()) == event_of({"n": 3, "k": "B2"}, ())


@pytest.mark.parametrize("kind", NUMBERS)
def test_the_gate_finds_a_held_out_event_in_training_whatever_its_types(kind):
    """A null in the key hid that a row was trained on and held out."""

    def labelled(numbers: "pd.Series[Any]") -> LabelledRows:
        raw = pd.DataFrame({"k": ["B2", "B3"], "n": numbers})
        return LabelledRows(raw=raw, records=raw, labels=np.array([True, False]))

    [found] = overlap(labelled(NUMBERS["a missing float"]), labelled(NUMBERS[kind]), key=KEY)

    assert found.message is not None and found.message.startswith("2 of 2 held-out rows are among the training rows")
