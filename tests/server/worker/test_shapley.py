"""server/worker/shapley.py: why a score is what it is."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest

from proveout.records.answer import Answer
from proveout.server.worker import shapley
from proveout.server.worker.shapley import (
    BACKGROUND_ROWS,
    MOST_ROWS,
    background_places,
    mixture,
    reasons,
    seed_of,
    walks,
)
from proveout.task.binary import Binary


def columns(frame: pd.DataFrame) -> dict[str, Any]:
    return {str(name): frame[name].array for name in frame}


def effects(
    predict: Callable[[pd.DataFrame], np.ndarray],
    row: pd.DataFrame,
    against: pd.DataFrame,
    *,
    seed: int,
    slice_rows: int = 37,
) -> np.ndarray:
    """As the worker does it: in slices, which divide nothing evenly."""
    ways = walks(tuple(row.columns), starts=len(against), seed=seed)
    parts = [
        predict(pd.DataFrame(mixture(ways, columns(against), columns(row), 0, first=i, last=i + slice_rows)))
        for i in range(0, ways.rows, slice_rows)
    ]
    return shapley.effects(ways, np.concatenate(parts))


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": rng.random(rows),
            "b": rng.integers(0, 5, rows),
            "c": pd.array(rng.choice(["x", "y", None], rows), dtype="str"),
            "idle": rng.random(rows),
        }
    )


def tangled(records: pd.DataFrame) -> np.ndarray:
    """Probabilities in which the fields act together."""
    score = records["a"] * (records["b"] + 1) + np.where(records["c"] == "x", 2.0 * records["a"], -0.5)
    return (1 / (1 + np.exp(-score.to_numpy() + 1.5))).astype(float)


@pytest.mark.parametrize("seed", range(5))
def test_the_effects_add_up_to_the_distance_from_the_background(seed):
    """Reasons that do not add up explain another number than the one that was answered."""
    against, row = table(16, seed), table(1, seed + 100)

    found = effects(tangled, row, against, seed=seed)

    assert found.sum() == pytest.approx(float(tangled(row)[0] - tangled(against).mean()), abs=1e-12)


def test_a_field_the_model_does_not_look_at_has_no_effect():
    """An invented reason is worse than none."""
    found = effects(tangled, table(1, 7), table(16), seed=1)

    assert found[3] == pytest.approx(0, abs=1e-12)


def test_for_a_model_without_interactions_the_effects_are_exact():
    """There the Shapley value has a closed form: weight times distance from the mean."""

    def linear(records: pd.DataFrame) -> np.ndarray:
        return (0.1 + 0.3 * records["a"] + 0.05 * records["b"]).to_numpy()

    against, row = table(16), table(1, 3)

    found = effects(linear, row, against, seed=1)

    assert found[0] == pytest.approx(0.3 * (row["a"][0] - against["a"].mean()))
    assert found[1] == pytest.approx(0.05 * (row["b"][0] - against["b"].mean()))


def test_sampling_comes_close_to_the_exact_values():
    """The exact Shapley values, by all 24 orders of the four fields, for the same background."""
    from itertools import permutations

    against, row = table(16), table(1, 11)
    exact = np.zeros(4)
    for order in permutations(range(4)):
        mixed = against.copy()
        before = tangled(mixed).mean()
        for j in order:
            mixed[mixed.columns[j]] = row.iloc[[0] * 16, j].array
            after = tangled(mixed).mean()
            exact[j] += (after - before) / 24
            before = after

    found = effects(tangled, row, against, seed=5)

    assert np.abs(found - exact).max() < 0.05


def test_the_same_request_gets_the_same_reasons():
    """A person who asks twice must not be told two stories."""
    record = {"a": 0.5, "b": 2, "c": None, "idle": 0.1}
    row = pd.DataFrame([record]).astype({"c": "str"})

    first, second = (effects(tangled, row, table(16), seed=seed_of(dict(record))) for _ in range(2))

    assert (first == second).all()
    assert seed_of(record) != seed_of({**record, "b": 3})


@pytest.mark.parametrize("slice_rows", [1, 7, 10_000])
def test_the_slices_do_not_show(slice_rows):
    """How the work is cut depends on how busy the worker is; the reasons must not."""
    against, row = table(16), table(1, 3)

    whole = effects(tangled, row, against, seed=2, slice_rows=10_000)

    assert effects(tangled, row, against, seed=2, slice_rows=slice_rows) == pytest.approx(whole, abs=1e-15)


def test_tables_and_arrays_are_mixed_alike():
    """The direct path takes text as objects, None where there is none; the pipeline takes it as pandas has it."""
    against, row = table(16), table(1, 3)
    arrays = [
        {name: np.array(frame[name].tolist(), dtype=object if name == "c" else None) for name in frame}
        for frame in (against, row)
    ]
    ways = walks(tuple(row.columns), starts=16, seed=1)

    plain = pd.DataFrame(mixture(ways, columns(against), columns(row), 0, first=0, last=ways.rows))
    direct = pd.DataFrame(mixture(ways, arrays[0], arrays[1], 0, first=0, last=ways.rows)).astype({"c": "str"})

    pd.testing.assert_frame_equal(plain, direct)


def test_a_wide_request_is_explained_by_a_bounded_number_of_rows():
    """Explanations share the worker with everybody."""
    wide = tuple(f"f{i}" for i in range(400))
    starts = len(background_places(np.arange(300.0), fields=400))

    assert walks(wide, starts=starts, seed=0).rows <= MOST_ROWS + 2 * BACKGROUND_ROWS


def test_the_background_stands_for_the_whole_reference():
    """Its mean score is near that of all rows: "raises the probability" means against the usual flight."""
    reference = table(2_000)
    scores = tangled(reference)

    chosen = reference.iloc[background_places(scores, fields=4)]

    assert len(chosen) == BACKGROUND_ROWS
    assert tangled(chosen).mean() == pytest.approx(scores.mean(), abs=0.01)


def test_reasons_are_the_largest_effects_in_words():
    """At most five, both directions, nothing that rounds to zero."""
    effect = np.array([0.0001, -0.2, 0.1, 0.05, -0.04, 0.03, 0.02])
    record = {"a": 1, "rain": 0.25, "wind": None, "city": "EWR", "e": 5, "f": 6, "g": 7}

    told = reasons(
        effect, record, {"rain": "inches", "wind": "mph"},
        words=partial(Binary().effect_words, answer=Answer()), smallest=Binary.smallest_effect,
    )  # fmt: skip

    assert [reason.field for reason in told] == ["rain", "wind", "city", "e", "f"]
    assert told[0].text == "rain 0.25 inches lowers the probability by 20.0 points"
    assert told[0].unit == "inches"
    assert told[1].text == "wind unknown raises the probability by 10.0 points"
