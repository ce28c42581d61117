"""Checks of the candidate itself, for regression and several classes: skill, age, leaks, learning, tuning."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from threadpoolctl import threadpool_limits

from proveout.data.store import Store
from proveout.errors import UsageError
from proveout.evaluation import (
    ablation,
    baselines,
    leakage,
    learnability,
    model_age,
    serving_parity,
    task_metric,
    tuning,
)
from proveout.model import bundle, packing
from proveout.records.answer import TaskFacts

sys.path.insert(0, str(Path(__file__).parents[2] / "bench"))

import stand_in  # the bench is a folder of scripts

TASKS = ["regression", "multiclass"]
BOOSTED = {"regression": HistGradientBoostingRegressor, "multiclass": HistGradientBoostingClassifier}
TREE = {"regression": DecisionTreeRegressor, "multiclass": DecisionTreeClassifier}
LINEAR = {"regression": Ridge, "multiclass": LogisticRegression}
DUMMY = {"regression": DummyRegressor, "multiclass": DummyClassifier}


def drawn(task, rule, *, seed=0, rows=2_000, batch="1"):
    """Rows whose outcome is `rule` of the columns with noise: a number, or one of three classes by it."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({name: rng.normal(size=rows) for name in ("a", "b", "idle")})
    value = rule(frame).to_numpy() + rng.normal(scale=0.3, size=rows)
    labels = (
        100 + 10 * value
        if task == "regression"
        else np.array(["low", "middle", "high"])[np.digitize(value, [-0.5, 0.5])]
    )
    return stand_in.Rows(raw=frame.assign(batch=batch), records=frame, labels=labels)


def joined(*parts):
    """Rows of several batches."""
    raw, records = (pd.concat([getattr(one, form) for one in parts], ignore_index=True) for form in ("raw", "records"))
    return stand_in.Rows(raw=raw, records=records, labels=np.concatenate([one.labels for one in parts]))


def crossed(frame):
    """A rule that no linear model can learn."""
    return frame["a"] * frame["b"]


def straight(frame):
    return frame["a"] + 0.3 * frame["b"]


def boosted(task, rows, **settings):
    return stand_in.fitted(BOOSTED[task](max_iter=40, random_state=0, **settings), rows, task=task)


@pytest.fixture(autouse=True)
def one_thread():
    """Small fits on a busy machine: threads would wait for each other longer than they work."""
    with threadpool_limits(1):
        yield


# --- worth ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_a_model_that_sees_more_than_a_straight_line_is_surely_better(task):
    """And so than the median, or the shares of the classes."""
    rows, later = drawn(task, crossed), drawn(task, crossed, seed=1)

    plain, gain, naive = baselines.simpler_model(boosted(task, rows), rows, later)

    measure = {"regression": "mae", "multiclass": "brier"}[task]
    assert plain.name == f"{measure} of a simpler model"
    assert gain.name == f"{measure}, gain on a simpler model"
    assert gain.holds
    assert naive.holds
    assert naive.name.endswith({"regression": "the median", "multiclass": "the shares of the classes"}[task])


@pytest.mark.parametrize("task", TASKS)
def test_a_model_no_better_than_a_line_or_than_nothing_is_caught(task):
    """Trees on a straight line, and trees on noise."""
    rows, later = drawn(task, straight), drawn(task, straight, seed=1)
    _, gain, naive = baselines.simpler_model(boosted(task, rows), rows, later)
    assert gain.breaks
    assert naive.holds

    rng = np.random.default_rng(2)
    noise, other = (stand_in.Rows(one.raw, one.records, rng.permutation(one.labels)) for one in (rows, later))
    assert baselines.simpler_model(boosted(task, noise), noise, other)[-1].breaks


def test_the_linear_model_is_judged_by_the_error_it_could_have():
    """A skewed outcome: a mean is a poor median, and would be an easy opponent."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=3_000)})
    rows = stand_in.Rows(frame, frame, frame["a"].to_numpy() + rng.exponential(5, size=3_000))

    plain, *_ = baselines.simpler_model(boosted("regression", rows), rows, rows)

    assert plain.value == pytest.approx(np.abs(rows.labels - frame["a"] - 5 * np.log(2)).mean(), rel=0.02)


@pytest.mark.parametrize("task", TASKS)
def test_a_column_that_tells_nothing_is_idle(task):
    """And those that do are not."""
    rows, later = drawn(task, crossed), drawn(task, crossed, seed=1)

    *each, idle = ablation.features_benefit(boosted(task, rows), later, idle_at_most=0)

    assert {one.slice: one.decision for one in each} == {
        "a": "of benefit",
        "b": "of benefit",
        "idle": "no benefit shown",
    }
    assert each[0].name == {"regression": "mae", "multiclass": "brier"}[task] + " that a feature saves"
    assert (idle.value, idle.decision, idle.holds) == (1, "idle", False)


@pytest.mark.parametrize("task", TASKS)
def test_what_was_true_in_spring_and_is_not_now_is_stale(task):
    """The sign of the rule has turned between the second batch and the third."""
    old = [drawn(task, lambda frame: -straight(frame), seed=seed, batch=str(seed)) for seed in (1, 2)]
    new = [drawn(task, straight, seed=seed, batch=str(seed)) for seed in (3, 4)]
    same = [drawn(task, straight, seed=seed, batch=str(seed)) for seed in (1, 2)]
    later = drawn(task, straight, seed=5)
    margin = {"regression": 1.0, "multiclass": 0.1}[task]

    *_, turned = model_age.staleness(boosted(task, new[0]), joined(*old, *new), later, margin=margin, window=2)
    *ages, steady = model_age.staleness(boosted(task, new[0]), joined(*same, *new), later, margin=margin, window=2)

    assert (turned.value, turned.decision) == (0, "stale from 1 on")
    assert (steady.value, steady.decision) == (2, "the oldest there is was not stale")
    assert [one.decision for one in ages] == ["the newest", "not surely worse", "not surely worse"]


# --- leaks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("kind", ["number", "text"])
def test_a_column_that_tells_the_outcome_by_itself_is_found(task, kind):
    """The outcome in another unit, or as a word."""
    rows = drawn(task, straight)
    order = {"low": 0, "middle": 1, "high": 2}
    value = rows.labels if task == "regression" else np.array([order[one] for one in rows.labels])
    leak = (
        value * 0.45 + 3
        if kind == "number"
        else np.array(
            [
                f"about {one}"
                for one in np.digitize(value, np.arange(60, 150, 2) if task == "regression" else [0.5, 1.5])
            ]
        )
    )
    leaky = stand_in.Rows(rows.raw, rows.records.assign(told=leak), rows.labels)

    strongest, *_, lead = leakage.columns(boosted(task, rows), leaky)

    assert (strongest.slice, strongest.name) == ("told", "variance explained by one column alone")
    assert strongest.breaks
    assert strongest.value > 0.95
    assert lead.decision.startswith("told, then a")


@pytest.mark.parametrize("task", TASKS)
def test_honest_columns_are_left_alone(task):
    """Even a strong predictor, and a name that is unique to each row."""
    rows = drawn(task, straight)
    named = stand_in.Rows(rows.raw, rows.records.assign(name=[f"row {at}" for at in range(rows.rows)]), rows.labels)

    found = leakage.columns(boosted(task, rows), named)

    assert all(one.holds for one in found)
    assert found[0].slice == "a"


def test_one_outcome_far_off_does_not_hide_a_leak():
    """A billion among hundreds would be all of the variance, so ranks are compared instead of values."""
    rows = drawn("regression", straight)
    rows.labels[0] = 1e9
    leaky = stand_in.Rows(rows.raw, rows.records.assign(told=rows.labels / 60), rows.labels)

    strongest, *_ = leakage.columns(boosted("regression", rows), leaky)

    assert strongest.slice == "told"
    assert strongest.breaks


def test_what_tells_nearly_all_is_no_leak_by_that():
    """The weight of a stone explains most of its price, and everybody knows it beforehand."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"carat": rng.gamma(2, 0.4, size=4_000), "depth": rng.normal(size=4_000)})
    price = 4_000 * frame["carat"].to_numpy() ** 1.6 * np.exp(0.25 * rng.normal(size=4_000))
    rows = stand_in.Rows(frame, frame, price)

    found = leakage.columns(stand_in.fitted(Ridge(), rows, task="regression"), rows)

    assert found[0].slice == "carat"
    assert found[0].value > 0.85
    assert all(one.holds for one in found)


@pytest.mark.parametrize("task", TASKS)
def test_a_model_that_has_learned_the_held_out_rows_is_found(task):
    """It knows them by heart; fitted to the training rows alone it does not."""
    rows, later = drawn(task, straight), drawn(task, straight, seed=1)
    cheat = stand_in.fitted(TREE[task](random_state=0), joined(rows, later), task=task)
    honest = stand_in.fitted(TREE[task](random_state=0), rows, task=task)

    found = leakage.holdout_learned(cheat, rows, later)

    assert found.breaks
    assert found.name == "share of the loss saved on itself fitted to the training rows alone"
    assert leakage.holdout_learned(honest, rows, later).value == 0.0
    assert leakage.holdout_learned(honest, rows, later).holds


def test_what_another_draw_of_a_forest_gains_by_chance_is_no_sign_of_learned_rows():
    """Without a random_state, of thirty rows, two fits of an honest forest differ by far more than 5 % of the loss."""
    rows, later = drawn("multiclass", straight, rows=120), drawn("multiclass", straight, seed=1, rows=30)
    forests = [RandomForestClassifier(5, random_state=np.random.RandomState(seed)) for seed in range(8)]

    found = [
        leakage.holdout_learned(stand_in.fitted(forest, rows, task="multiclass"), rows, later) for forest in forests
    ]

    assert max(one.value for one in found) > 0.05
    assert all(one.holds for one in found)


def test_the_luckiest_of_many_draws_has_learned_nothing_of_the_held_out_rows():
    """A notebook fits the same small trees ten times and keeps what is best on the held-out rows."""
    accused, found = 0, 0
    for world in range(10):
        rows, later = (
            drawn("multiclass", straight, seed=20 + 2 * world + part, rows=450 - 300 * part) for part in (0, 1)
        )
        rows, later = (stand_in.Rows(one.raw, one.records, one.labels == "high") for one in (rows, later))
        trees = [
            DecisionTreeClassifier(max_depth=4, max_features=1, random_state=np.random.RandomState(one))
            for one in range(10)
        ]
        fitted = [stand_in.fitted(tree, rows, task="binary") for tree in trees]
        luckiest = max(fitted, key=lambda one: roc_auc_score(later.labels, one.predict_model_columns(later.records)))
        forest = RandomForestClassifier(10, random_state=world)
        saw_them = stand_in.fitted(forest, joined(rows, later), task="binary")
        accused += leakage.holdout_learned(luckiest, rows, later).breaks
        found += leakage.holdout_learned(saw_them, rows, later).breaks

    assert accused <= 1
    assert found >= 8


def test_of_a_loss_that_is_hardly_one_nothing_can_be_saved():
    """Two fits of a model that is all but right differ by a share of next to nothing."""
    rng = np.random.default_rng(0)
    drawn_twice = []
    for _ in range(2):
        place = rng.integers(0, 3, size=200)
        frame = pd.DataFrame({"far": 30.0 * place + rng.normal(size=200)})
        drawn_twice.append(stand_in.Rows(frame, frame, np.array(["a", "b", "c"])[place]))
    rows, later = drawn_twice
    candidate = stand_in.fitted(LogisticRegression(), joined(rows, later), task="multiclass")

    found = leakage.holdout_learned(candidate, rows, later)

    assert candidate.predict_model_columns(later.records).max(axis=1).min() > 0.99
    assert 0 < found.value < 1e-3
    assert found.holds


# --- learning and tuning ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_steps_that_work_find_a_planted_rule_and_none_in_noise(task):
    """Trees do; a constant does not."""
    rows = drawn(task, crossed)

    planted, noise = learnability.learns(boosted(task, rows), rows)
    broken, _ = learnability.learns(stand_in.fitted(DUMMY[task](), rows, task=task), rows)

    assert planted.holds
    assert planted.name == {"regression": "r2 of a planted rule", "multiclass": "auc of a planted rule"}[task]
    assert noise.holds
    assert broken.breaks


def test_a_linear_model_finds_the_rule_too():
    """Nothing is planted that only trees can find."""
    for task in TASKS:
        rows = drawn(task, straight)
        assert learnability.learns(stand_in.fitted(LINEAR[task](), rows, task=task), rows)[0].holds


@pytest.mark.parametrize("task", TASKS)
def test_a_rule_is_planted_in_words_where_there_are_no_numbers(task):
    """A text classifier has no number to plant one in."""
    rng = np.random.default_rng(0)
    words = np.array(["delayed", "storm", "sunny", "gate", "crowded", "the", "with"])
    texts = [" ".join(rng.permutation(words)[: rng.integers(2, 5)]) for _ in range(1_200)]
    frame = pd.DataFrame({"text": texts})
    labels = rng.normal(100, 10, size=1_200) if task == "regression" else rng.choice(["a", "b", "c"], size=1_200)
    rows = stand_in.Rows(frame, frame, labels)
    steps = make_pipeline(make_column_transformer((TfidfVectorizer(stop_words="english"), "text")), LINEAR[task]())

    planted, noise = learnability.learns(stand_in.fitted(steps, rows, task=task), rows)
    broken, _ = learnability.learns(stand_in.fitted(DUMMY[task](), rows, task=task), rows)

    assert planted.holds
    assert noise.holds
    assert broken.breaks


def test_where_nothing_can_carry_a_rule_it_is_said():
    """A text of its own in each row, and a flag."""
    frame = pd.DataFrame({"name": [f"row{at}" for at in range(200)], "flag": [0, 1] * 100})
    rows = stand_in.Rows(frame, frame, np.arange(200.0))
    with pytest.raises(UsageError, match="there is nowhere to plant a rule"):
        learnability.learns(stand_in.fitted(DummyRegressor(), rows, task="regression"), rows)


def test_planted_outcomes_are_from_those_that_there_are():
    """A model of logarithms takes none below 0."""
    rows = drawn("regression", crossed)
    seen = []

    class Watching(HistGradientBoostingRegressor):
        def fit(self, columns, labels):
            seen.append((labels.min(), labels.max()))
            return super().fit(columns, labels)

    learnability.learns(stand_in.fitted(Watching(max_iter=5), rows, task="regression"), rows)

    assert all(rows.labels.min() <= low <= high <= rows.labels.max() for low, high in seen)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("by", ["batches", "a fifth", "clusters"])
def test_a_setting_that_is_surely_better_is_found(task, by):
    """A line that is held at nothing, where a free one would have done; and the other way round nothing."""
    rows = drawn(task, straight)
    how = {
        "batches": {"batches": np.repeat(["1", "2"], 1_000)},
        "a fifth": {},
        "clusters": {"clusters": np.arange(2_000) // 20},
    }[by]
    name, bound, free = {"regression": ("alpha", 1e5, 1.0), "multiclass": ("C", 1e-5, 1.0)}[task]
    held, freed = (stand_in.fitted(LINEAR[task](**{name: value}), rows, task=task) for value in (bound, free))
    margin = {"regression": 0.2, "multiclass": 0.02}[task]

    [found] = tuning.neighbours(held, rows, grid={name: [free]}, margin=margin, **how)
    [not_found] = tuning.neighbours(freed, rows, grid={name: [bound]}, margin=margin, **how)

    assert found.breaks
    assert found.name == {"regression": "mae", "multiclass": "brier"}[task] + " surely gained by a neighbour"
    assert not_found.holds
    assert found.rows == {"batches": 1_000, "a fifth": 400, "clusters": 400}[by]


def test_tuning_without_a_second_batch_or_cluster_says_what_to_do():
    """There is nothing to judge on."""
    rows = drawn("regression", crossed)
    tree = stand_in.fitted(TREE["regression"](), rows, task="regression")
    for how, said in (
        ({"batches": ["1"] * rows.rows}, "Leave out batches= to judge on a fifth of the rows"),
        ({"clusters": ["1"] * rows.rows}, "The training rows are of 1 cluster: two are needed"),
    ):
        with pytest.raises(UsageError, match=said):
            tuning.neighbours(tree, rows, grid={"max_depth": [2]}, margin=0.1, **how)


# --- one call for every task ------------------------------------------------------------------------------------------


def test_the_usual_measure_of_each_task_is_asked_by_one_call():
    """A generic check needs no branch by task."""
    for task, name in (("regression", "mae"), ("multiclass", "brier")):
        rows, later = drawn(task, crossed), drawn(task, crossed, seed=1)
        opened = boosted(task, rows)
        scores = opened.predict_model_columns(later.records)
        worse = stand_in.fitted(DUMMY[task](), rows, task=task).predict_model_columns(later.records)

        assert task_metric.quality(opened.task, later.labels, scores).name == name
        gain = task_metric.gain(opened.task, later.labels, scores, worse, margin=0.0, better=True)
        assert (gain.name, gain.holds) == (f"{name}, gain on the champion", True)
        first = task_metric.gain(opened.task, later.labels, scores, None, margin=0.0)
        assert first.decision == "first: no champion to compare with"


# --- a real bundle ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=TASKS)
def packed(request, order, tmp_path):
    """A bundle of the task, packed and opened, and its training and held-out rows."""
    rows, later = (drawn(request.param, straight, seed=seed, rows=600) for seed in (0, 1))
    columns = ["a", "b", "idle"]
    ready = order(
        model=boosted(request.param, rows).model,
        task=TaskFacts(task=request.param),
        request=dict.fromkeys(columns, "float64"),
        training=rows.records,
        training_labels=rows.labels,
        heldout=later.records,
        heldout_labels=later.labels,
    )
    (ready.root / "features.py").write_text("def features(rows):\n    return rows[['a', 'b', 'idle']]\n")
    store = Store(str(tmp_path / "store"))
    return bundle.open_bundle(store.folder("bundles", packing.pack(ready, store).digest)), rows, later


def test_a_bundle_of_each_task_is_asked_what_a_binary_one_is(packed):
    """Skill, leaks, learning, and whether the served form is the judged one."""
    candidate, rows, later = packed

    found = [
        *baselines.simpler_model(candidate, rows, later)[1:],
        *leakage.columns(candidate, rows),
        leakage.holdout_learned(candidate, rows, later),
        *learnability.learns(candidate, rows),
        *serving_parity.same_by_columns(candidate, later.records, alone=5),
        *serving_parity.numerically_stable(candidate, later),
    ]

    assert [one.name for one in found if not one.holds] == [found[0].name]  # a line does as well: it is one
    assert found[1].value > 0


def test_an_answer_that_is_not_valid_is_counted(packed, monkeypatch):
    """NaN, and probabilities that add up to 2."""
    candidate, _, later = packed
    before = candidate.predict

    def broken(records):
        said = before(records)
        said[:3] = np.nan if candidate.task.name == "regression" else 1.0
        return said

    monkeypatch.setattr(candidate, "predict", broken)
    found, _ = serving_parity.numerically_stable(candidate, later)

    assert found.value == 3
    assert found.name.endswith("no finite number" if candidate.task.name == "regression" else "no probability")
