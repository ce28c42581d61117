"""The day of rows: what the fields tell, else the answer's own."""

import pandas as pd
import pytest

from proveout.monitoring import days
from proveout.records.answer import Answer
from proveout.records.prediction import Prediction


def prediction(**record):
    return Prediction(
        request_id="1", at="2026-03-01T23:59:00+00:00", model="m", release="", record=record, answered_by="none",
        answer=Answer(value=None), latency_ms=0.0,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("record", "fields", "day"),
    [
        ({"year": 2013, "month": 6, "day": 3}, ["year", "month", "day"], "2013-06-03"),
        ({"year": 2013.0, "month": 6.0, "day": 3.0}, ["year", "month", "day"], "2013-06-03"),
        ({"at": "2013-06-03 06:15:00+02:00"}, ["at"], "2013-06-03"),
        ({"year": 2013, "month": 6, "day": 31}, ["year", "month", "day"], None),
        ({"year": 2013, "month": None, "day": 3}, ["year", "month", "day"], None),
        ({"month": 2, "day": 29}, ["month", "day"], "02-29"),
        ({"day": 29}, ["month", "day"], None),
        ({"at": None}, ["at"], None),
        ({"at": "pii:3f"}, ["at"], None),
        ({"at": 3}, [], None),
    ],
)
def test_the_day_of_a_record(record, fields, day):
    """A day that is not there, or is hidden, is none."""
    assert days.of(record, fields) == day


def test_an_answer_without_a_day_of_its_event_counts_by_its_own():
    """So that each has one."""
    asked = [prediction(day="2026-02-28"), prediction(day=None)]

    assert days.of_predictions(asked, ["day"]) == ["2026-02-28", "2026-03-01"]
    assert days.of_predictions(asked, []) == ["2026-03-01", "2026-03-01"]


def test_rows_of_a_table():
    """Dates come as such from files."""
    rows = pd.DataFrame({"at": pd.to_datetime(["2013-06-03 06:15", None]), "x": [1, 2]})

    assert days.of_rows(rows, ["at"]) == ["2013-06-03", None]
    assert days.of_rows(rows, []) == [None, None]
