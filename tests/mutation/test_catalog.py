"""The mutants: each is a real bundle, and broken in the way it says."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import breakable
import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from proveout.evaluation.context import EvaluationContext
from proveout.fastpath import tolerance
from proveout.model.bundle import OpenBundle, open_bundle
from proveout.model.manifest import verify
from proveout.model.repack import Change, repack
from proveout.mutation import operational, runner, serving_skew
from proveout.mutation.catalog import MUTANTS, REFITTED, RENAMED, UNCHANGED, of_task
from proveout.mutation.context import DoesNotApply, MutationContext
from proveout.records.answer import TaskName

BY_NAME = {mutant.name: mutant for mutant in (*MUTANTS, UNCHANGED, RENAMED, REFITTED)}


def same(one, other):
    """It sums products: two computations of one answer may differ in their last bits."""
    return not tolerance.apart(one, other, tolerance.SUMMED).any()


@dataclass
class Bench:
    """Where mutants are made from one candidate, each once."""

    ground: MutationContext
    folder: Path

    def make(self, name: str) -> OpenBundle:
        into = self.folder / name
        if not into.exists():
            into.mkdir()
            self.pack(BY_NAME[name].make(self.ground), into)
        return open_bundle(into)

    def pack(self, change: Change, into: Path) -> None:
        training, holdout = self.ground.training, self.ground.holdout
        repack(
            self.ground.candidate,
            into,
            change,
            training=(training.raw, training.labels),
            heldout=(holdout.raw, holdout.labels),
        )

    @property
    def held(self) -> pd.DataFrame:
        return self.ground.holdout.raw

    @property
    def labels(self) -> NDArray[np.bool_]:
        return self.ground.holdout.labels

    @property
    def scores(self) -> NDArray[np.float64]:
        return self.ground.scores


@pytest.fixture(scope="module")
def benches(tmp_path_factory) -> Callable[[TaskName], Bench]:
    """One of each task."""

    @cache
    def build(task: TaskName) -> Bench:
        root = tmp_path_factory.mktemp("trips")
        project, bundle = breakable.make(root, "", task=task)
        context = EvaluationContext(project, Path(project.store) / "bundles" / bundle.digest)
        return Bench(runner._ground(project, context), tmp_path_factory.mktemp("mutants"))

    return build


@pytest.fixture
def bench(benches) -> Bench:
    return benches("binary")


@pytest.fixture(autouse=True)
def small(monkeypatch) -> None:
    monkeypatch.setattr(operational, "KEPT_BYTES", 2_000_000)


NULLS = "nulls-filled"  # nothing is missing here


def each_mutant() -> list[Any]:
    """Of each task. One that all have, `make test` makes for one of them, by turns, and `make chaos` for the others."""
    tasks: tuple[TaskName, ...] = tuple(breakable.TARGETS)
    shared = [one.name for one in MUTANTS if all(one in of_task(task) for task in tasks)]
    left_out = {
        (task, name) for place, name in enumerate(shared) for task in tasks if task != tasks[place % len(tasks)]
    }
    return [
        pytest.param(task, one.name, marks=[pytest.mark.chaos] if (task, one.name) in left_out else [])
        for task in tasks
        for one in of_task(task)
        if one.name != NULLS
    ]


@pytest.mark.parametrize(("task", "name"), each_mutant())
def test_a_mutant_is_a_whole_bundle_and_another_one(benches, task, name):
    """It opens like any bundle, is not the candidate, and answers otherwise where it says that it does."""
    mutant, bench = BY_NAME[name], benches(task)

    opened = bench.make(name)

    assert verify(opened.folder) == opened.bundle
    assert opened.bundle.manifest != bench.ground.candidate.bundle.manifest
    said = opened.predict(bench.held)
    assert np.isfinite(said).all()
    assert same(said, bench.scores) == (mutant.shows == "elsewhere")
    assert len(opened.reference()) == len(bench.ground.candidate.reference())
    assert mutant.slip.endswith(".") and mutant.asked[task].words and mutant.asked[task].remedy


def test_packed_again_without_a_change_it_is_the_same_bundle(bench):
    """What packing does is not what the gate may notice."""
    again, before = bench.make("unchanged"), bench.ground.candidate

    assert again.bundle.digest == before.bundle.digest
    assert again.bundle.metrics == before.bundle.metrics
    assert again.direct == before.direct == "on"
    pd.testing.assert_frame_equal(again.reference(), before.reference())


def test_the_same_answers_have_another_digest(bench):
    """The control for checks that fail for every mutant: model and features are other files, and nothing is broken."""
    renamed, before = bench.make("renamed"), bench.ground.candidate

    assert np.array_equal(renamed.predict(bench.held), bench.scores)
    assert renamed.direct == "on"
    assert renamed.bundle.digest != before.bundle.digest
    for file in ("model.skops", "code/features.py"):
        assert (renamed.folder / file).read_bytes() != (before.folder / file).read_bytes()


def test_fitted_again_it_answers_the_same(bench):
    """Otherwise nobody could tell what a mutant's break did from what fitting again did."""
    assert same(bench.make("refitted").predict(bench.held), bench.scores)


def test_its_own_numbers_are_measured_again_and_others_stay(bench):
    """A mutant whose manifest still says 0.8 would be noticed by nobody who reads the manifest alone."""
    stated = {metric.name: metric.value for metric in bench.make("labels-shuffled").bundle.metrics}

    assert stated["auc"] < 0.7
    assert stated["cost"] == 3.0
    assert len(stated) == 2


def auc(bench: Bench, name: str) -> float:
    return float(roc_auc_score(bench.labels, bench.make(name).predict(bench.held)))


def test_shuffled_labels_teach_nothing(bench):
    """Three columns fitted to noise rank by chance, or the wrong way round."""
    assert auc(bench, "labels-shuffled") < roc_auc_score(bench.labels, bench.scores) - 0.2


def test_the_constant_says_the_share_of_training(bench):
    said = bench.make("constant").predict(bench.held)

    assert said == pytest.approx(bench.ground.training.labels.mean())


def test_the_dropped_column_does_not_matter_any_more(bench):
    """The heaviest one: the hour."""
    opened = bench.make("feature-dropped")

    assert same(opened.predict(bench.held), opened.predict(bench.held.assign(start_hour=3)))
    assert not same(opened.predict(bench.held), opened.predict(bench.held.assign(distance=3.0)))


def test_the_frozen_column_is_what_the_model_was_not_fitted_to(bench):
    frozen, hour = bench.make("feature-frozen"), bench.ground.learned["start_hour"].median()

    wanted = bench.ground.candidate.predict(bench.held.assign(start_hour=int(hour)))
    assert frozen.predict(bench.held) == pytest.approx(wanted)


def test_a_shuffled_column_shows_in_company_alone(bench):
    """Asked alone, a row has nobody to take the value from."""
    opened = bench.make("feature-shuffled")

    alone = np.concatenate([opened.predict(bench.held.iloc[[row]]) for row in range(5)])
    assert same(alone, bench.scores[:5])


def test_the_unit_is_the_one_that_the_schema_describes(bench):
    """Kilometres where miles were learned."""
    wanted = bench.ground.candidate.predict(bench.held.assign(distance=bench.held["distance"] * 1.609344))

    assert bench.make("unit-changed").predict(bench.held) == pytest.approx(wanted)


def test_every_clock_is_five_hours_off(bench):
    later = bench.held.assign(start_hour=(bench.held["start_hour"] + 5) % 24)

    assert same(bench.make("timezone-shifted").predict(bench.held), bench.ground.candidate.predict(later))


@pytest.mark.parametrize(
    ("how", "times", "later"),
    [("hours", [0, 23], [5, 4]), ("minutes", [1380, 0], [240, 300]), ("HHMM", [2359, 5, 2400], [459, 505, 500])],
)
def test_a_clock_goes_round(how, times, later):
    """Half past eleven at night and five hours is half past four."""
    scope = {"rows": pd.DataFrame({"at": times})}

    exec(serving_skew._shifted("rows", "at", how), scope)

    assert scope["rows"]["at"].tolist() == later


def test_the_leak_asks_for_what_is_known_only_later(bench):
    opened = bench.make("target-leaked")

    assert set(opened.request_columns) - set(breakable.REQUEST) == {"delay"}
    assert auc(bench, "target-leaked") > 0.99


def test_the_old_window_is_the_first_batch(bench):
    first = (bench.ground.training.raw["batch"] == "2013-03").to_numpy()
    wanted = bench.ground.refit(rows=first).predict_proba(bench.ground.held)[:, 1]

    assert same(bench.make("old-window").predict(bench.held), wanted)


def test_the_miscalibrated_one_ranks_as_well_and_promises_too_much(bench):
    said = bench.make("miscalibrated").predict(bench.held)

    assert auc(bench, "miscalibrated") > roc_auc_score(bench.labels, bench.scores) - 0.02
    assert said.mean() > bench.labels.mean() + 0.15


def test_the_flipped_slice_is_judged_the_other_way(bench):
    """In the weakest slice, and less so elsewhere."""
    what = BY_NAME["slice-spoiled"].make(bench.ground).what
    column, value = what.partition(",")[0].split("=")
    there = (bench.held[column].astype(str) == value).to_numpy()
    moved = np.abs(bench.make("slice-spoiled").predict(bench.held) - bench.scores)

    assert moved[there].mean() > moved[~there].mean()


def test_outcomes_in_another_unit_shifted_or_cut_move_the_values(benches):
    """Of a linear model to the last bit, but for the cut."""
    bench = benches("regression")
    said, spread = bench.scores, bench.ground.training.labels.std()

    assert bench.make("target-scaled").predict(bench.held) == pytest.approx(said * 1.609344)
    assert bench.make("target-shifted").predict(bench.held) == pytest.approx(said + spread / 4)
    assert bench.make("target-clipped").predict(bench.held).max() < said.max() - spread / 4


def test_an_interval_of_half_the_width_says_what_it_said_and_covers_less(benches):
    """A spoiled outcome comes with an honest interval, which is wider: that is measured when it is packed."""
    bench = benches("regression")
    own, halved, mixed = bench.ground.task, *(bench.make(name).task for name in ("interval-halved", "labels-shuffled"))

    assert np.array_equal(bench.make("interval-halved").predict(bench.held), bench.scores)
    assert halved.half_width == own.half_width / 2
    assert own.right(bench.labels, bench.scores).mean() > 0.88
    assert halved.right(bench.labels, bench.scores).mean() < 0.7
    assert mixed.half_width > 1.1 * own.half_width


def test_two_classes_are_exchanged_and_one_is_lost(benches):
    """The two most frequent; the rarest is known still, and said of nobody."""
    bench = benches("multiclass")
    swapped, lost = bench.make("classes-swapped"), bench.make("rare-class-lost")
    names = list(bench.ground.task.classes)
    exchanged = [names.index(name) for name in ("on time", "late", "very late")]

    assert names == ["late", "on time", "very late"]
    assert swapped.predict(bench.held) == pytest.approx(bench.scores[:, exchanged], abs=1e-3)
    assert lost.task.classes == bench.ground.task.classes
    assert (bench.ground.task.labels(bench.scores) == "very late").mean() > 0.02
    assert (lost.task.labels(lost.predict(bench.held)) == "very late").mean() == 0


def test_a_class_that_no_row_is_left_of_makes_no_mutant(benches):
    """A model that knows fewer classes could not be packed."""
    with pytest.raises(DoesNotApply, match="no training row of class very late"):
        benches("multiclass").ground.refit(rows=benches("multiclass").ground.training.labels != "very late")


def test_what_is_not_known_becomes_0(bench):
    """Where enough of it is missing; here nothing is."""
    holdout = bench.ground.holdout
    gaps = holdout.records.assign(distance=holdout.records["distance"].mask(holdout.records["n"] % 10 == 0))

    with pytest.raises(DoesNotApply, match="missing in 2%"):
        BY_NAME[NULLS].make(bench.ground)
    ground = replace(bench.ground, holdout=replace(holdout, records=gaps))
    vars(ground)["request_weights"] = bench.ground.request_weights  # its model takes no gaps
    source = BY_NAME[NULLS].make(ground).features
    scope: dict[str, Any] = {}
    exec(source, scope)
    assert scope["features"](gaps)["distance"].min() == 0.0


def test_the_slow_one_takes_the_whole_deadline(bench):
    opened = bench.make("slow")
    begun = time.perf_counter()

    opened.predict_columns(opened.arrays(bench.held.head(1)))

    assert time.perf_counter() - begun >= bench.ground.deadline_s
    assert opened.direct != "on"


def test_the_oversized_one_is_larger_by_what_was_kept(bench):
    assert bench.make("oversized").bundle.bytes > bench.ground.candidate.bundle.bytes + 1_500_000


def test_the_non_deterministic_one_never_says_the_same_twice(bench):
    opened = bench.make("non-deterministic")

    assert not same(opened.predict(bench.held), opened.predict(bench.held))


def test_a_text_that_is_new_raises_and_one_that_is_not_known_does_not(bench):
    opened, one = bench.make("unseen-category"), bench.held.head(1)

    assert np.isfinite(opened.predict(one.assign(company=pd.Series([None], dtype="str")))).all()
    with pytest.raises(KeyError, match="Z"):
        opened.predict(one.assign(company="Z"))


def test_the_direct_path_says_something_else_on_rows_that_were_not_compared(bench):
    """It is served: the comparison when it is opened does not see it."""
    opened = bench.make("direct-disagrees")

    assert opened.direct == "on"
    served = opened.predict_columns(opened.arrays(bench.held))
    assert opened.detours == 0
    assert not np.allclose(served, opened.predict(bench.held))


# --- what does not apply ------------------------------------------------------------------------------------------


def test_what_there_is_nothing_to_break_with_says_so(bench):
    """Never counted as caught, never as survived."""
    training = bench.ground.training
    one_batch = replace(training, raw=training.raw.assign(batch="2013-04"))
    no_hint = replace(training, raw=training.raw.drop(columns="delay"))
    numbers_only = replace(training, records=training.records[["n", "distance"]])

    for name, ground, why in (
        ("old-window", replace(bench.ground, training=one_batch), "no older part"),
        ("target-leaked", replace(bench.ground, training=no_hint), "gives the outcome away"),
        ("unseen-category", replace(bench.ground, training=numbers_only), "no text"),
        ("unseen-category", replace(bench.ground, closed=frozenset({"company"})), "whose schema allows other values"),
    ):
        with pytest.raises(DoesNotApply, match=why):
            BY_NAME[name].make(ground)
