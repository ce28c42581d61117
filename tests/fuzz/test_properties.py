"""gate/generated/: each property finds the fault it is for, makes it small, and offers it as an edge case."""

import datetime
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pytest

from proveout import edge_cases
from proveout.fastpath.tolerance import Tolerance
from proveout.fuzz import properties
from proveout.fuzz.properties import Generated, Offers
from proveout.fuzz.runner import texts_of
from proveout.gate.evidence import EvidenceRecorder
from proveout.schema.validator import Validator
from proveout.task.binary import Binary

PROPERTIES = (
    "never_crashes", "never_nan", "stays_a_probability", "same_when_asked_again", "same_alone_and_in_a_batch",
    "same_in_any_order", "served_as_offline", "refuses_invalid",
)  # fmt: skip


class Hop(pa.DataFrameModel):
    """A short flight."""

    hour: int = pa.Field(ge=0, le=23)
    carrier: str = pa.Field(str_matches=r"^[A-Z]{2}$")
    precip: float = pa.Field(nullable=True, ge=0, le=10)
    wind: float = pa.Field(nullable=True, ge=0, le=100)

    class Config:
        strict = True
        coerce = True


SEEN = {"carrier": ["AA", "UA"]}


class Model:
    """Answers by the hour and the rain, row by row. A fault is planted by replacing one of its ways."""

    direct = "on"
    tolerance = Tolerance()
    task = Binary()

    def __init__(self, fault=None, direct_fault=None):
        self.fault, self.direct_fault, self.asked = fault, direct_fault, 0

    def predict(self, records):
        self.asked += 1
        scores = 0.2 + records["hour"].to_numpy() / 100 + records["precip"].fillna(0).to_numpy() / 100
        return scores if self.fault is None else self.fault(records, scores)

    def columns(self, records):
        return {name: [record[name] for record in records] for name in ("hour", "carrier", "precip", "wind")}

    def predict_columns(self, columns):
        frame = pd.DataFrame({name: pd.Series(values, dtype=TYPES[name]) for name, values in columns.items()})
        scores = self.predict(frame)
        return scores if self.direct_fault is None else self.direct_fault(frame, scores)


TYPES = {"hour": "int64", "carrier": "str", "precip": "float64", "wind": "float64"}


def unseen_carrier(records, scores):
    if not set(records["carrier"]) <= set(SEEN["carrier"]):
        raise KeyError("a carrier that was not trained on")
    return scores


def nan_on_null(records, scores):
    return np.where(records["wind"].isna(), np.nan, scores)


def above_one(records, scores):
    return np.where(records["precip"] > 7, 1.0000001, scores)


def mean_of_the_batch(records, scores):
    return scores + records["precip"].fillna(0).mean() / 1000


def after_the_one_before(records, scores):
    return scores + records["hour"].diff().fillna(0).to_numpy() / 1000


def otherwise_when_wet(records, scores):
    return np.where(records["precip"] > 1, scores + 0.01, scores)


class Dice:
    def __init__(self):
        self.dice = np.random.default_rng(5)

    def __call__(self, records, scores):
        return scores + self.dice.normal(scale=0.01, size=len(scores)) * (records["hour"] > 12).to_numpy()


def asked(model, tmp_path, **more):
    offers = Offers(root=tmp_path, date=datetime.date(2026, 11, 21))
    return Generated(Hop, model, seen=SEEN, offers=offers, **more)


def offered(tmp_path):
    """The one case that was offered, read as the command that adds it reads it."""
    [file] = (tmp_path / "reports" / "offered_cases").iterdir()
    [case] = edge_cases.parse(file.read_text(encoding="utf-8"), str(file), Hop)
    assert file.stem == case.id
    return case, f"proveout cases add --from reports/offered_cases/{file.name}"


@pytest.mark.parametrize("name", PROPERTIES)
def test_a_sound_model_keeps_every_property(name, tmp_path):
    """A property that sound models break would be switched off."""
    found = getattr(asked(Model(), tmp_path), name)()

    assert found.holds and found.value == 0 and found.at_most == 0 and found.rows >= 20 and found.covers
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "model", "smallest"),
    [
        ("never_crashes", lambda: Model(unseen_carrier), {"hour": 0, "precip": None, "wind": None}),
        ("never_nan", lambda: Model(nan_on_null), {"hour": 0, "carrier": "AA", "precip": None, "wind": None}),
        ("stays_a_probability", lambda: Model(above_one), {"hour": 0, "carrier": "AA", "precip": 8.0, "wind": None}),
        ("same_when_asked_again", lambda: Model(Dice()), {"carrier": "AA", "precip": None, "wind": None}),
        ("same_alone_and_in_a_batch", lambda: Model(mean_of_the_batch), {"hour": 0, "carrier": "AA", "wind": None}),
        ("same_in_any_order", lambda: Model(after_the_one_before), {"carrier": "AA", "precip": None, "wind": None}),
        (
            "served_as_offline",
            lambda: Model(direct_fault=otherwise_when_wet),
            {"hour": 0, "carrier": "AA", "precip": 2.0, "wind": None},
        ),
    ],
)
def test_a_planted_fault_is_found_made_small_and_offered(name, model, smallest, tmp_path):
    """The whole of it: the number that breaks, the smallest record, the file, and the command that keeps it."""
    found = getattr(asked(model(), tmp_path), name)()

    case, command = offered(tmp_path)
    assert found.breaks and found.value > 0
    assert command in found.decision
    assert ("--allow-passing" in found.decision) == (name not in {"never_crashes", "never_nan", "stays_a_probability"})
    assert {field: case.record[field] for field in smallest} == smallest
    assert case.incident.startswith("found by generated cases: ")
    if name == "never_crashes":
        assert case.record["carrier"] not in SEEN["carrier"]


def test_an_edge_case_is_asked_too_and_not_offered_again(tmp_path):
    """What was found once stays asked, by every property."""
    case = {"hour": 3, "carrier": "QQ", "precip": 9.5, "wind": 1.0}
    only_this = Model(lambda records, scores: np.where(records["precip"] == 9.5, np.nan, scores))

    found = asked(only_this, tmp_path, cases={"heavy-rain": case}).never_nan()

    assert found.value == 1 and found.decision == "the edge case heavy-rain breaks it"
    assert list(tmp_path.iterdir()) == []


def test_what_crashes_is_found_in_few_calls_and_what_does_not_is_still_judged(tmp_path):
    """One bad row in a batch says nothing of the others, and a model that always crashes is not asked for minutes."""
    model = Model(nan_on_null)
    rarely = asked(model, tmp_path)
    model.fault = lambda records, scores: 1 / 0 if (records["precip"] == 10).any() else nan_on_null(records, scores)
    never = Model(lambda records, scores: 1 / 0)

    crashes, nans = rarely.never_crashes(), rarely.never_nan()
    nothing = asked(never, tmp_path)

    assert 0 < crashes.value < 60 and nans.breaks and nans.rows + crashes.value <= crashes.rows <= 240
    assert nothing.never_crashes().breaks and never.asked < 500
    for name in PROPERTIES[1:-1]:
        stated = getattr(nothing, name)()
        assert not stated.holds and not stated.breaks and "answers none" in stated.unjudged


def test_what_crashes_only_together_is_a_crash(tmp_path):
    """Nobody asks row by row in a monthly report."""
    found = asked(Model(lambda r, scores: scores if r["wind"].max() - r["wind"].min() < 90 else 1 / 0), tmp_path)

    stated = found.never_crashes()

    assert stated.breaks and "crash together that are answered one by one" in stated.decision


def test_a_shape_that_is_no_answer_is_a_crash(tmp_path):
    """Two columns of probabilities are what predict_proba gives, and no probability."""
    found = asked(Model(lambda records, scores: np.stack([1 - scores, scores], axis=1)), tmp_path).never_crashes()

    assert found.breaks


def test_a_direct_path_that_raises_is_served_otherwise(tmp_path):
    """The pipeline answers, the server does not."""
    found = asked(Model(direct_fault=unseen_carrier), tmp_path).served_as_offline()

    assert found.breaks and offered(tmp_path)[0].record["carrier"] not in SEEN["carrier"]


def test_a_schema_that_lets_a_broken_request_in_is_named(tmp_path):
    """Here `strict` is not said, so a misspelled field would be ignored; and one check stumbles instead of refusing."""
    stumbling = pa.DataFrameSchema({"hour": pa.Column(int, pa.Check.ge(0))}, strict=True)
    lax = Generated(stumbling, Model())
    stumbling.validate = lambda frame, lazy=False: frame if "stranger" in frame else 1 / 0

    found = lax.refuses_invalid()

    assert found.breaks and "crashes the schema's validation: ZeroDivisionError" in found.decision
    assert found.covers == ("data-1", "monitor-2")


def test_broken_requests_are_put_to_the_server_too(monkeypatch):
    """The guard refuses them, and the server reads requests by another way: it let digits of every script in."""
    monkeypatch.setattr(Validator, "validate", lambda self, document: dict(document))

    found = Generated(Hop, Model()).refuses_invalid()

    assert found.breaks and "is let in by the server" in found.decision


def test_of_a_wide_table_each_way_to_break_a_request_is_tried_on_some_fields(monkeypatch):
    """Of 300 columns, 900 requests took the guard minutes, one by one."""
    wide = pa.DataFrameSchema({f"x{number}": pa.Column(float, pa.Check.ge(0)) for number in range(80)}, strict=True)
    asked_alone = []

    def let_in(frame, schema, name):
        asked_alone.append(frame)
        return SimpleNamespace(accepted=frame)

    monkeypatch.setattr(properties.guard, "check", let_in)
    found = Generated(wide, Model()).refuses_invalid()

    assert found.breaks
    assert 100 < len(asked_alone) <= properties.MOST_ASKED_ALONE + 1  # and once all that can be asked together
    missing = {name for frame in asked_alone for name in wide.columns if name not in frame}
    assert 10 < len(missing) < 80


def test_two_runs_say_the_same(tmp_path):
    """A gate that says yes the second time is no gate."""
    first, second = (asked(Model(above_one), tmp_path).stays_a_probability() for _ in range(2))

    assert first == second
    assert len(list((tmp_path / "reports" / "offered_cases").iterdir())) == 1


def test_the_failure_message_has_the_record_and_the_way_on(tmp_path, monkeypatch, capsys):
    """Whoever reads the log of a run must not have to run it again."""
    monkeypatch.chdir(tmp_path)
    said = []
    state = EvidenceRecorder(check="checks/test_generated.py::test_x", write=lambda key, text: said.append(text))

    with pytest.raises(AssertionError) as failure:
        state(asked(Model(above_one), tmp_path).stays_a_probability())

    assert '"precip": 8.0' in str(failure.value)
    assert "proveout cases add --from reports/offered_cases/generated-" in str(failure.value)
    assert capsys.readouterr() == ("", "")
    assert [one.name for one in tmp_path.iterdir()] == ["reports"]


def test_the_texts_of_the_training_rows_are_what_the_model_knows():
    """Numbers have their ranges in the schema; text does not."""
    rows = pd.DataFrame({"carrier": ["UA", "UA", None, "DL"], "hour": [1, 2, 3, 4], "probability": [0.1] * 4})

    assert texts_of(rows, ("carrier", "hour")) == {"carrier": ("UA", "DL")}
