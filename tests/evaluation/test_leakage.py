"""evaluation/leakage.py: columns that are only known after the outcome are found, and others are not reported."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from proveout.data.store import Store
from proveout.evaluation import leakage
from proveout.evaluation.context import EvaluationContext, LabelledRows
from proveout.model import bundle, packing
from proveout.records.verdict import Evidence

KEY = ("id",)
COLUMNS = ["id", "hour", "wind", "rain", "temp", "dust", "place"]
FEATURES = """
def features(rows):
    return rows.drop(columns=["place", "id"])
"""


def drawn(seed, rows=2_000, batch="1"):
    random = np.random.default_rng(seed)
    made = pd.DataFrame({"id": np.arange(rows) + 100_000 * seed, "hour": random.integers(0, 24, rows)})
    made = made.assign(**{name: random.normal(size=rows) for name in ("wind", "rain", "temp", "dust")})
    return made.assign(place=random.choice(list("abc"), size=rows), batch=batch)


def late(rows, seed):
    """Whether something is late: by the hour, and mostly by chance."""
    return (rows["hour"] + np.random.default_rng(seed).normal(scale=12, size=len(rows)) > 20).to_numpy()


def labelled(rows, labels):
    return LabelledRows(raw=rows, records=rows.drop(columns="batch"), labels=np.asarray(labels))


@pytest.fixture(autouse=True)
def one_thread():
    """Small fits on a busy machine: threads would wait for each other longer than they work."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def candidate(order, tmp_path):
    """Pack and open boosted trees fitted on rows; `features` says which columns they see."""

    def build(rows, labels, *, source=FEATURES, seen=lambda rows: rows.drop(columns=["place", "id"])):
        known = rows.drop(columns="batch")
        model = HistGradientBoostingClassifier(max_iter=30, random_state=0).fit(seen(known), labels)
        ready = order(
            model=model,
            request={name: str(known[name].dtype) for name in known},
            training=known,
            training_labels=labels,
            heldout=known[:300],
            heldout_labels=labels[:300],
        )
        (ready.root / "features.py").write_text(source)
        store = Store(str(tmp_path / "store"))
        return bundle.open_bundle(store.folder("bundles", packing.pack(ready, store).digest))

    return build


@pytest.fixture(scope="module")
def reference(trained):
    """What the real candidate is judged with, read once: no test changes its rows."""
    return EvaluationContext(trained.settings(), next((trained.state / "store" / "bundles").iterdir()))


# --- target-like columns ----------------------------------------------------------------------------------------------


def delay(labels, random):
    return np.where(labels, 30 + random.exponential(20, len(labels)), random.normal(0, 10, len(labels)))


LEAKS = {
    "number": lambda labels, random: delay(labels, random),
    "text": lambda labels, random: np.where(labels, "late", random.choice(["early", "on time"], len(labels))),
    "missing": lambda labels, random: np.where(labels, random.normal(size=len(labels)), np.nan),
    "two_sided": lambda labels, random: np.where(labels, random.choice([-5.0, 5.0], len(labels)), 0.0),
}


@pytest.mark.parametrize("kind", LEAKS)
def test_a_column_that_tells_the_label_by_itself_is_found(candidate, kind):
    """As a number, as a text, by being there at all, or on both sides of the middle."""
    rows = drawn(1)
    labels = late(rows, 2)
    leaky = rows.assign(dust=LEAKS[kind](labels, np.random.default_rng(3)))
    opened = candidate(leaky, labels, source="def features(rows):\n    return rows[['hour', 'wind']]\n",
                       seen=lambda rows: rows[["hour", "wind"]])  # fmt: skip

    strongest, *_, lead = leakage.columns(opened, labelled(leaky, labels))

    assert strongest.slice == "dust"
    assert strongest.breaks
    assert lead.breaks
    assert lead.decision.startswith("dust, then hour")


def test_a_leak_that_the_features_function_makes_is_found(candidate):
    """No request column predicts the outcome alone, but a model column does."""
    rows = drawn(1).assign(wind=lambda rows: np.random.default_rng(4).normal(size=len(rows)) * 100)
    labels = (rows["wind"] - rows["rain"] * 100 > 50).to_numpy()
    source = "def features(rows):\n    return rows[['hour']].assign(net=rows['wind'] - rows['rain'] * 100)\n"
    opened = candidate(rows, labels, source=source,
                       seen=lambda rows: rows[["hour"]].assign(net=rows["wind"] - rows["rain"] * 100))  # fmt: skip

    strongest, *_ = leakage.columns(opened, labelled(rows, labels))

    assert strongest.slice == "net"
    assert strongest.breaks


def test_a_name_seen_once_tells_nothing(candidate):
    """A text that is unique to each row does not predict the label of other rows, so it is not a leak."""
    rows = drawn(1).assign(place=[f"row {place}" for place in range(2_000)])
    labels = late(rows, 2)

    found = leakage.columns(candidate(rows, labels), labelled(rows, labels))

    assert all(one.holds for one in found)
    assert found[0].slice == "hour"


def test_the_departure_delay_is_found_in_the_flights_and_no_honest_column_is(reference, candidate):
    """The pilot's classic leak: with the departure delay in it, any model predicts the arrival."""
    honest = leakage.columns(reference.candidate, reference.training)
    assert all(one.holds for one in honest)

    flights = reference.training.raw
    hour = flights["sched_dep_time"] // 100
    leaky = flights.assign(hour=hour)[["hour", "dep_delay", "distance", "batch"]].head(20_000)
    labels = reference.training.labels[:20_000]

    def seen(rows):
        return rows[["hour", "dep_delay"]]

    opened = candidate(leaky, labels, source="def features(rows):\n    return rows[['hour', 'dep_delay']]\n", seen=seen)

    strongest, *_, lead = leakage.columns(opened, labelled(leaky, labels))

    # By itself it stays under the bound of one column; that it is so far ahead of all others gives it away.
    assert strongest.slice == "dep_delay"
    assert 0.9 < strongest.value < 0.95
    assert lead.breaks
    assert lead.decision.startswith("dep_delay, then ")


# --- time travel ------------------------------------------------------------------------------------------------------


def test_the_reference_project_knows_nothing_of_the_future(reference):
    """It is found neither by name nor by its values; a quarter of the cancelled flights have no tail number."""
    later = ["dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"]

    named, late_rows, missing, like = leakage.time_travel(
        reference.candidate, reference.training, reference.holdout, project=reference.settings, later=later
    )

    assert [one.holds for one in (named, late_rows, missing, like)] == [True] * 4
    assert (missing.slice, like.slice) == ("tailnum", "distance and air_time")


def test_what_is_known_only_later_is_found_by_name_and_by_its_gaps(reference):
    """A departure time is written where there was a departure: nothing has one that never came to an end."""
    everything = reference.store.folder("batches", reference.snapshot.batches[-1].digest) / "rows.parquet"
    rows = pd.read_parquet(everything)
    unknown = rows["arr_delay"].isna().to_numpy()

    found = leakage.missing_with_outcome(rows[["tailnum", "dep_time", "wind_gust"]], unknown)
    named, *_ = leakage.time_travel(
        reference.candidate, reference.training, reference.holdout, project=reference.settings, later=["weekday", "x"]
    )

    assert found.slice == "dep_time"
    assert found.breaks
    assert named.breaks
    assert named.decision == "weekday"  # a model column counts as well


def test_rows_from_after_training_ended_are_found(reference):
    """A model that has seen the month it is judged on knows the answers."""
    raw = reference.training.raw.assign(batch=np.where(np.arange(reference.training.rows) < 7, "2013-05", "2013-04"))

    _, too_late, *_ = leakage.time_travel(
        reference.candidate,
        replace(reference.training, raw=raw),
        reference.holdout,
        project=reference.settings,
    )

    assert too_late.breaks
    assert too_late.value == 7


def test_without_unknown_outcomes_nothing_is_said_of_gaps():
    """Where every outcome is known there is nothing to compare with."""
    found = leakage.missing_with_outcome(drawn(1), np.zeros(2_000, dtype=bool))

    assert found.unjudged == "0 rows have no outcome"


@pytest.mark.parametrize("disguise", [lambda late: late, lambda late: late / 60, lambda late: 100 - late])
def test_a_later_column_under_another_name_or_in_another_unit_is_found(disguise):
    """Hours for minutes, and remaining for elapsed: the same knowledge."""
    rows = drawn(1)
    minutes = pd.Series(np.random.default_rng(5).exponential(20, len(rows)))

    found = leakage.like_a_later_one(rows[["wind"]].assign(known=disguise(minutes)), pd.DataFrame({"delay": minutes}))

    assert found.breaks
    assert found.slice == "known and delay"


def test_a_later_text_under_another_name_is_found_and_a_relative_is_not():
    """What is equal in every row is the same; what goes along with it is not."""
    rows = drawn(1)
    end = pd.DataFrame({"end": rows["place"]})

    assert leakage.like_a_later_one(rows[["place"]], end).breaks
    assert leakage.like_a_later_one(rows[["wind"]], (rows[["wind"]] + 0.2 * rows[["rain"]].to_numpy())).holds


def test_a_model_that_learned_the_held_out_rows_is_found(candidate):
    """A notebook is given them, to measure by. One that learns from them looks brilliant, and here only."""
    rows, later = drawn(1), drawn(2, batch="2")
    known, held = labelled(rows, late(rows, 3)), labelled(later, late(later, 4))
    everything = pd.concat([rows, later], ignore_index=True)

    honest = leakage.holdout_learned(candidate(rows, known.labels), known, held)
    by_heart = leakage.holdout_learned(candidate(everything, np.concatenate([known.labels, held.labels])), known, held)

    assert honest.holds
    assert honest.value == 0
    assert by_heart.breaks


@pytest.mark.parametrize(("draws", "breaks"), [(False, True), (True, False)])
def test_a_gain_may_be_chance_only_of_an_estimator_that_draws(draws, breaks, candidate, monkeypatch):
    """Fitted twice to the same rows, the one is the same; then even a gain that is not significant was learned."""
    rows, later = drawn(1), drawn(2, batch="2").head(200)
    known, held = labelled(rows, late(rows, 3)), labelled(later, late(drawn(2, batch="2"), 4)[:200])
    opened = candidate(rows, known.labels)
    fitted = opened.predict_model_columns(opened.model_columns(held.records))
    generator = np.random.default_rng(0)
    said = [fitted, fitted + (generator.normal(0, 0.1, fitted.shape) if draws else 0)]
    gain = Evidence(name="auc", value=0.03, low=-0.01, high=0.07, level=0.95, rows=200)
    monkeypatch.setattr(leakage.compare, "auc", lambda *_, **__: gain)
    monkeypatch.setattr(type(opened), "ask", lambda *_: said.pop(0))
    monkeypatch.setattr(type(opened), "predict_model_columns", lambda *_: fitted)

    assert leakage.holdout_learned(opened, known, held).breaks is breaks
    assert not said


# --- rows on both sides -----------------------------------------------------------------------------------------------


def names_of_broken(found):
    return [one.name for one in found if one.breaks]


def test_rows_of_their_own_are_no_duplicates():
    """Rows of the same kind, drawn apart."""
    one, two = drawn(1), drawn(2, batch="2")

    found = leakage.duplicates(labelled(one, late(one, 1)), labelled(two, late(two, 2)), key=KEY)

    assert all(one.holds for one in found)


@pytest.mark.parametrize(
    ("spoil", "asked"),
    [
        (lambda two, one: two.assign(id=one["id"]), ["held-out rows with the key of a training row"]),
        (
            lambda two, one: one.assign(batch="2"),
            [
                "held-out rows with the key of a training row",
                "share of held-out rows equal to a training row",
                "share of held-out rows all but equal to a training row",
            ],
        ),
        (
            lambda two, one: one.assign(batch="2", id=two["id"]),
            ["share of held-out rows all but equal to a training row"],
        ),
        (
            lambda two, one: one.assign(batch="2", temp=two["temp"]),
            ["held-out rows with the key of a training row", "share of held-out rows all but equal to a training row"],
        ),
    ],
    ids=["key", "whole", "renamed", "touched up"],
)
def test_rows_on_both_sides_are_found(spoil, asked):
    """A memorized row is answered right, which does not show how new rows are answered."""
    one, two = drawn(1), drawn(2, batch="2")
    spoiled = spoil(two, one)

    found = leakage.duplicates(labelled(one, late(one, 1)), labelled(spoiled, late(one, 1)), key=KEY)

    assert names_of_broken(found) == asked


@pytest.mark.parametrize(
    ("told", "other"), [(["fair", "ideal"], ["ideal", "premium"]), ([0.25, -3.5], [0.75, -3.6])], ids=["class", "value"]
)
def test_a_row_with_another_outcome_is_another_row(told, other):
    """Of classes and of values too, where half of one is not the same as nothing."""
    one = drawn(1)
    outcomes, others = (np.array([pair[place % 2] for place in range(len(one))]) for pair in (told, other))

    same, another = (
        leakage.duplicates(labelled(one, outcomes), labelled(one.assign(batch="2"), known), key=())
        for known in (outcomes, others)
    )

    assert [found[1].value for found in (same, another)] == [1.0, 0.0]


def test_a_few_columns_are_not_called_alike():
    """Two rows with the same hour and place are two rows."""
    one, two = drawn(1)[["id", "hour", "place", "batch"]], drawn(2, batch="2")[["id", "hour", "place", "batch"]]

    *_, nearly = leakage.duplicates(labelled(one, late(one, 1)), labelled(two, late(two, 2)), key=KEY)

    assert "too few" in nearly.unjudged


def test_the_flights_of_may_are_not_those_of_january_to_april(reference):
    """On the real rows: no key, no row and no nearly equal row on both sides."""
    found = leakage.duplicates(reference.training, reference.holdout, key=reference.settings.event_key)

    assert all(one.holds for one in found)
