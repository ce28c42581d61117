"""evaluation/baselines.py: a model is worth its trouble only where a plain one does not say the same."""

import numpy as np
from drawn_rows import boosted, crossed, drawn, labelled, linear, straight

from proveout.evaluation import baselines


def test_a_model_that_sees_more_than_a_straight_line_is_surely_better(candidate):
    """What it costs to run and to explain is paid for."""
    rows, later = drawn(0), drawn(1)
    opened = candidate(boosted(), rows, crossed(rows))

    plain, gain, base = baselines.simpler_model(
        opened, labelled(rows, crossed(rows)), labelled(later, crossed(later, 8)), gain_at_least=0.2
    )

    assert plain.value < 0.6
    assert gain.holds
    assert gain.low > 0.2
    assert base.holds
    assert gain.covers == base.covers == ("model-5",)


def test_a_model_no_better_than_a_simpler_one_is_caught(candidate):
    """Boosted trees on a straight line: a logistic regression gives the same answers, and people can read it."""
    rows, later = drawn(0), drawn(1)
    opened = candidate(boosted(), rows, straight(rows))

    plain, gain, _ = baselines.simpler_model(
        opened, labelled(rows, straight(rows)), labelled(later, straight(later, 8))
    )

    assert gain.breaks
    assert plain.rows == 3_000


def test_a_model_no_better_than_the_base_rate_is_caught(candidate):
    """Fitted to noise, it is worse than always saying the same."""
    rows, later = drawn(0), drawn(1)
    noise = np.random.default_rng(3).random(3_000) < 0.4
    opened = candidate(boosted(), rows, noise)

    *_, base = baselines.simpler_model(opened, labelled(rows, noise), labelled(later, noise[::-1]))

    assert base.breaks


def test_rows_that_were_left_out_are_named(candidate):
    """A simple model trained on fewer rows is a weaker opponent, so the evidence says how many."""
    rows = drawn(0)
    opened = candidate(linear(), rows, straight(rows))
    known = labelled(rows, straight(rows))

    plain, *_ = baselines.simpler_model(opened, known, known, rows=500)

    assert plain.decision == "it learned from 500 of 3,000 rows"
