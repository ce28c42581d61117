"""Is what would be served what was judged: the same answers, from a clean start, fast enough, and made again?"""

import numpy as np
import pytest

from proveout.evaluation import dependency_diff, reproducibility, serving_parity
from proveout.evaluation.predictions import largest_difference


def test_answers_are_numbers_whatever_is_asked(candidate, holdout, evidence):
    """NaN, infinity and 1.0000001 all reach users as nonsense; also where a sensor has gone mad."""
    evidence(serving_parity.numerically_stable(candidate, holdout))


def test_the_same_question_has_the_same_answer(candidate, scores, holdout, evidence):
    """A model that rolls dice cannot be checked, cached or explained."""
    again = candidate.predict(holdout.records)
    apart, most = largest_difference(again, scores), candidate.tolerance.answers  # 0, unless the model takes sums
    evidence("largest difference, asked twice", apart, at_most=most, rows=holdout.rows)


def test_the_answer_does_not_depend_on_the_company(candidate, scores, holdout, evidence):
    """Served alone, judged in a batch: a feature computed over the rows beside it makes these two things."""
    chosen = np.random.default_rng(0).choice(holdout.rows, size=min(50, holdout.rows), replace=False)
    alone = np.array([candidate.predict(holdout.records.iloc[[row]])[0] for row in chosen])
    apart, most = largest_difference(alone, scores[chosen]), candidate.tolerance.answers
    evidence("largest difference, alone and in a batch", apart, at_most=most, rows=len(chosen))


def test_what_is_served_is_what_was_judged(candidate, holdout, evidence):
    """The server answers from plain arrays, one record at a time; the gate judges a table."""
    evidence(serving_parity.same_by_columns(candidate, holdout.records))


def test_it_is_fast_and_small_enough(candidate, champion, holdout, criteria, evidence):
    """In a process of its own with one thread, as a worker has it."""
    evidence(
        serving_parity.performance(
            candidate,
            holdout,
            champion=champion,
            p50_ms_at_most=criteria["p50_ms_at_most"],
            p99_ms_at_most=criteria["p99_ms_at_most"],
            opening_s_at_most=criteria["opening_s_at_most"],
            memory_mb_at_most=criteria["memory_mb_at_most"],
            bundle_mb_at_most=criteria["bundle_mb_at_most"],
        )
    )


def test_it_runs_on_what_is_locked(candidate, evidence):
    """Beside the project, with every library of this machine, anything runs."""
    evidence(serving_parity.clean(candidate))


def test_no_library_changed_in_silence(candidate, champion, evidence):
    """Each is named in the verdict. More than a few at once are an upgrade, which somebody wants to have decided."""
    evidence(dependency_diff.changed(candidate, champion), at_most=10)


@pytest.mark.covers("data-3")
def test_its_features_cost_little(candidate, holdout, criteria, evidence):
    """What the features take of a request's time, for a thousand rows at once: of a processor, which others use too."""
    from time import process_time

    some = holdout.records.sample(1_000, replace=True, random_state=0)
    times = []
    for _ in range(5):
        start = process_time()
        candidate.model_columns(some)
        times.append(1000 * (process_time() - start))
    evidence("features of 1,000 rows, ms", min(times), at_most=criteria["features_ms_at_most"], rows=1_000)


def test_training_comes_out_the_same(candidate, holdout, retraining, evidence):
    """The same notebook on the same data with the same configuration: the same bundle, digest and all."""
    evidence(reproducibility.again(candidate, holdout, retraining))
