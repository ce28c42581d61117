"""serving/explain.py: why a score is what it is."""

import numpy as np
import pandas as pd
import pytest

from proveout.serving.explain import BACKGROUND_ROWS, background, effects, reasons, seed_of


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


def test_it_is_one_batch_of_bounded_size():
    """Explanations share the worker with everybody: a wide request must not grow without bound."""
    sizes: list[int] = []

    def counting(records: pd.DataFrame) -> np.ndarray:
        sizes.append(len(records))
        return np.zeros(len(records))

    wide = pd.DataFrame({f"f{i}": np.arange(300.0) for i in range(400)})
    against = background(wide, wide["f0"].to_numpy(), fields=400)
    effects(counting, wide.head(1), against, seed=0)

    assert len(sizes) == 1
    assert sizes[0] <= 4_096 + 2 * BACKGROUND_ROWS


def test_the_background_stands_for_the_whole_reference():
    """Its mean score is near that of all rows: «raises the probability» means against the usual flight."""
    reference = table(2_000)
    scores = tangled(reference)

    chosen = background(reference, scores, fields=4)

    assert len(chosen) == BACKGROUND_ROWS
    assert tangled(chosen).mean() == pytest.approx(scores.mean(), abs=0.01)


def test_reasons_are_the_largest_effects_in_words():
    """At most five, both directions, nothing that rounds to zero."""
    effect = np.array([0.0001, -0.2, 0.1, 0.05, -0.04, 0.03, 0.02])
    record = {"a": 1, "rain": 0.25, "wind": None, "city": "EWR", "e": 5, "f": 6, "g": 7}

    told = reasons(effect, record)

    assert [reason.field for reason in told] == ["rain", "wind", "city", "e", "f"]
    assert told[0].text == "rain 0.25 lowers the probability by 20.0 points"
    assert told[1].text == "wind unknown raises the probability by 10.0 points"
