"""evaluation/ablation.py: a model is worth its trouble, its features are, and it is known for how long."""

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from proveout.data.store import Store
from proveout.evaluation import ablation
from proveout.evaluation.context import LabelledRows
from proveout.model import bundle, packing

FEATURES = """
def features(rows):
    return rows[["a", "b", "kind"]].assign(c=rows["a"] * 0.5, kind=(rows["kind"] == "x") * 1.0)
"""


def labelled(rows, labels):
    return LabelledRows(raw=rows, records=rows[["a", "b", "kind"]], labels=np.asarray(labels))


def drawn(seed, rows=3_000, batch="1"):
    """Records without a label: `b` and `kind` mean nothing unless a test says so."""
    random = np.random.default_rng(seed)
    made = pd.DataFrame({"a": random.normal(size=rows), "b": random.normal(size=rows)})
    return made.assign(kind=random.choice(["x", "y"], size=rows), batch=batch)


def crossed(rows, seed=9):
    """A label that no sum of a and b tells: whether they have the same sign; with noise."""
    return (rows["a"] * rows["b"] + np.random.default_rng(seed).normal(scale=0.3, size=len(rows)) > 0).to_numpy()


def straight(rows, seed=9):
    """A label that rests on a alone, with noise."""
    return (rows["a"] + np.random.default_rng(seed).normal(size=len(rows)) > 0.3).to_numpy()


@pytest.fixture(autouse=True)
def one_thread():
    """Small fits on a busy machine: threads would wait for each other longer than they work."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def candidate(order, tmp_path):
    """Pack and open a model fitted on rows, with the features above."""

    def build(model, rows, labels):
        columns = rows[["a", "b"]].assign(kind=(rows["kind"] == "x") * 1.0, c=rows["a"] * 0.5)
        known = rows[["a", "b", "kind"]]
        ready = order(
            model=model.fit(columns[["a", "b", "kind", "c"]], labels),
            request={name: str(known[name].dtype) for name in known},
            training=known,
            training_labels=labels,
            heldout=known[:300],
            heldout_labels=labels[:300],
        )
        (ready.root / "features.py").write_text(FEATURES)
        store = Store(str(tmp_path / "store"))
        return bundle.open_bundle(store.folder("bundles", packing.pack(ready, store).digest))

    return build


def boosted():
    return HistGradientBoostingClassifier(max_iter=40, random_state=0)


def linear():
    return make_pipeline(StandardScaler(), LogisticRegression())


def test_a_model_that_sees_more_than_a_straight_line_is_surely_better(candidate):
    """What it costs to run and to explain is paid for."""
    rows, later = drawn(0), drawn(1)
    opened = candidate(boosted(), rows, crossed(rows))

    plain, gain, base = ablation.simpler_model(
        opened, labelled(rows, crossed(rows)), labelled(later, crossed(later, 8)), gain_at_least=0.2
    )

    assert plain.value < 0.6
    assert gain.holds
    assert gain.low > 0.2
    assert base.holds
    assert gain.covers == base.covers == ("model-5",)


def test_a_model_no_better_than_a_simpler_one_is_caught(candidate):
    """Boosted trees on a straight line: a logistic regression says the same, and people can read it."""
    rows, later = drawn(0), drawn(1)
    opened = candidate(boosted(), rows, straight(rows))

    plain, gain, _ = ablation.simpler_model(opened, labelled(rows, straight(rows)), labelled(later, straight(later, 8)))

    assert gain.breaks
    assert plain.rows == 3_000


def test_a_model_no_better_than_the_base_rate_is_caught(candidate):
    """Fitted to noise, it is worse than always saying the same."""
    rows, later = drawn(0), drawn(1)
    noise = np.random.default_rng(3).random(3_000) < 0.4
    opened = candidate(boosted(), rows, noise)

    *_, base = ablation.simpler_model(opened, labelled(rows, noise), labelled(later, noise[::-1]))

    assert base.breaks


def test_rows_that_were_left_out_are_named(candidate):
    """A plain model that learned from less is a weaker opponent: whoever reads the number should know."""
    rows = drawn(0)
    opened = candidate(linear(), rows, straight(rows))
    known = labelled(rows, straight(rows))

    plain, *_ = ablation.simpler_model(opened, known, known, rows=500)

    assert plain.decision == "it learned from 500 of 3,000 rows"


def test_a_feature_that_tells_nothing_is_named(candidate):
    """It can only break: every input is one more thing to go missing."""
    rows, later = drawn(0), drawn(1)
    opened = candidate(boosted(), rows, straight(rows))

    *each, idle = ablation.features_benefit(opened, labelled(later, straight(later, 8)), idle_at_most=1)

    found = {one.slice: one for one in each}
    assert list(found) == ["a", "b", "kind", "c"]  # the model's columns: no request has a c
    assert found["a"].decision == "of benefit"
    assert found["b"].decision == found["kind"].decision == "no benefit shown"
    assert idle.breaks
    assert idle.value >= 2
    assert "b" in idle.decision
    assert idle.covers == ("data-2",)


def test_features_that_all_tell_something_pass(candidate):
    """Also the one that the features function made."""
    rows, later = drawn(0), drawn(1)

    def labels(table, seed):
        noise = np.random.default_rng(seed).normal(scale=0.5, size=len(table))
        return (table["a"] + table["b"] + (table["kind"] == "x") + noise > 0.5).to_numpy()

    opened = candidate(linear(), rows, labels(rows, 2))  # it shares the weight of a between a and its half

    *each, idle = ablation.features_benefit(opened, labelled(later, labels(later, 4)), idle_at_most=0, rows=1_000)

    assert idle.holds
    assert idle.value == 0
    assert {one.rows for one in each} == {1_000}


def batches(turned):
    """Four batches; in those of `turned`, a means the opposite."""
    parts = [drawn(place, rows=1_000, batch=str(place)) for place in range(1, 5)]
    labels = [straight(part, place) != (place in turned) for place, part in enumerate(parts, 1)]
    return labelled(pd.concat(parts, ignore_index=True), np.concatenate(labels))


def test_the_age_at_which_a_model_is_stale_is_found(candidate):
    """The world turned between the second and the third batch: what was learned before is wrong now."""
    known, later = batches(turned={1, 2}), drawn(7, batch="5")
    opened = candidate(linear(), known.raw, known.labels)

    *each, fresh = ablation.staleness(opened, known, labelled(later, straight(later, 8)), window=1, fresh_for=2)

    assert [one.decision for one in each] == ["the newest", "not surely worse", "stale", "stale"]
    assert fresh.value == 1
    assert fresh.breaks
    assert fresh.decision == "stale from 2 on"
    assert each[2].slice == "2 old: 2 to 2, 1,000 of 1,000 rows"
    assert fresh.covers == ("model-4", "monitor-4")


def test_where_nothing_changed_an_old_model_is_as_good(candidate):
    """And it says that the oldest was looked at, rather than that a model is good for ever."""
    known, later = batches(turned=set()), drawn(7, batch="5")
    opened = candidate(linear(), known.raw, known.labels)

    *each, fresh = ablation.staleness(opened, known, labelled(later, straight(later, 8)), fresh_for=2, rows=400)

    assert len(each) == 3  # windows of two batches
    assert fresh.holds
    assert fresh.value == 2
    assert fresh.decision == "the oldest there is was not stale"
    assert each[0].slice == "0 old: 3 to 4, 400 of 2,000 rows"


def test_one_batch_has_no_age(candidate):
    """Not judged is not passed."""
    rows = drawn(0)
    opened = candidate(linear(), rows, straight(rows))
    known = labelled(rows, straight(rows))

    [fresh] = ablation.staleness(opened, known, known, fresh_for=1)

    assert fresh.unjudged
    assert not fresh.holds


def test_long_work_says_how_far_it_is(monkeypatch, capsys):
    """Two minutes of silence look like a hang."""
    clock = iter(range(0, 100, 3))
    monkeypatch.setattr(ablation.time, "monotonic", lambda: next(clock))

    assert list(ablation._told("windows fitted", ["a", "b"])) == ["a", "b"]
    assert "1 of 2 windows fitted" in capsys.readouterr().err
