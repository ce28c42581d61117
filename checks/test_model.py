"""Is the model good enough, better than what is there without it, and sound as a thing that answers requests?

Bounds come from `[evaluation]` in flows/train.toml, which is packed with the candidate. Everything is measured on the
held-out month, on flights whose outcome is known.
"""

from statistics import median
from time import perf_counter
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

ROWS_TO_JUDGE_A_SLICE = 500  # below, an AUC is uncertain by more than it is asked to keep


def calibration_error(labels, probabilities, bins=10):
    """Mean distance between what was promised and what happened, over bins of equally many rows."""
    order = np.argsort(probabilities, kind="stable")
    parts = np.array_split(order, bins)
    return sum(len(part) * abs(probabilities[part].mean() - labels[part].mean()) for part in parts) / len(labels)


def measured(metric, labels, scores):
    """The metric of `scores`, or None where there are none: without a champion."""
    return None if scores is None else float(metric(labels, scores))


# --- good enough --------------------------------------------------------------------------------------------------


def test_auc(scores, champion_scores, holdout, criteria, evidence):
    """Late flights are ranked above others."""
    auc = roc_auc_score(holdout.labels, scores)
    before = measured(roc_auc_score, holdout.labels, champion_scores)
    evidence("auc", auc, at_least=criteria["auc_at_least"], rows=holdout.rows, champion=before)


def test_brier_score(scores, champion_scores, holdout, criteria, evidence):
    """Probabilities are near what happens: the mean squared distance."""
    brier = brier_score_loss(holdout.labels, scores)
    before = measured(brier_score_loss, holdout.labels, champion_scores)
    evidence("brier", brier, at_most=criteria["brier_at_most"], rows=holdout.rows, champion=before)


def test_calibration(scores, champion_scores, holdout, criteria, evidence):
    """Of flights with 30 %, about 30 % are late."""
    error = calibration_error(holdout.labels, scores)
    before = measured(calibration_error, holdout.labels, champion_scores)
    bound = criteria["calibration_error_at_most"]
    evidence("calibration error", error, at_most=bound, rows=holdout.rows, champion=before)


@pytest.fixture(params=["EWR", "JFK", "LGA"])
def airport(request, holdout):
    """One airport: its name, which rows are its flights, and which of those were late."""
    there = (holdout.records["origin"] == request.param).to_numpy()
    return SimpleNamespace(name=request.param, there=there, labels=holdout.labels[there])


def test_auc_of_each_airport(airport, scores, champion_scores, criteria, evidence):
    """A good average may hide an airport where the model knows nothing."""
    rows = len(airport.labels)
    assert rows >= ROWS_TO_JUDGE_A_SLICE
    auc = roc_auc_score(airport.labels, scores[airport.there])
    before = None if champion_scores is None else roc_auc_score(airport.labels, champion_scores[airport.there])
    evidence("auc", auc, at_least=criteria["slice_auc_at_least"], slice=airport.name, rows=rows, champion=before)


# --- better than what is there without it -------------------------------------------------------------------------


def test_better_than_the_base_rate(scores, training, holdout, evidence):
    """Always saying how many flights are late in general needs no model."""
    always = np.full(holdout.rows, training.labels.mean())
    gain = brier_score_loss(holdout.labels, always) - brier_score_loss(holdout.labels, scores)
    evidence("brier, gain on the base rate", gain, at_least=0.001, rows=holdout.rows)


def test_better_than_the_rules(scores, rules, holdout, evidence):
    """Ten readable lines answer as well, if the model does not beat them."""
    by_rule = np.array([rules(record) for record in holdout.records.to_dict("records")])
    gain = roc_auc_score(holdout.labels, scores) - roc_auc_score(holdout.labels, by_rule)
    evidence("auc, gain on the rules", gain, at_least=0.01, rows=holdout.rows)


def test_not_worse_than_the_champion(scores, champion_scores, holdout, criteria, evidence):
    """What replaces the champion may lose a little by chance, and no more. The first one ever has nobody to beat."""
    auc = roc_auc_score(holdout.labels, scores)
    if champion_scores is None:
        evidence("auc, no champion to keep up with", auc, rows=holdout.rows)
        return
    before = roc_auc_score(holdout.labels, champion_scores)
    evidence("auc, gain on the champion", auc - before, at_least=-criteria["champion_margin"], rows=holdout.rows)


# --- sound --------------------------------------------------------------------------------------------------------


def test_answers_are_probabilities(scores, holdout):
    """NaN, infinity and 1.0000001 all reach users as nonsense."""
    assert scores.shape == (holdout.rows,)
    assert np.isfinite(scores).all()
    assert ((scores >= 0) & (scores <= 1)).all()


def test_the_same_question_has_the_same_answer(candidate, scores, holdout, evidence):
    """A model that rolls dice can not be checked, cached or explained."""
    again = candidate.predict(holdout.records)
    evidence("largest difference, asked twice", np.abs(again - scores).max(), at_most=0.0, rows=holdout.rows)


def test_the_answer_does_not_depend_on_the_company(candidate, scores, holdout, evidence):
    """Served alone, judged in a batch: a feature computed over the rows beside it makes these two things."""
    chosen = np.random.default_rng(0).choice(holdout.rows, size=50, replace=False)
    alone = np.array([candidate.predict(holdout.records.iloc[[row]])[0] for row in chosen])
    evidence("largest difference, alone and in a batch", np.abs(alone - scores[chosen]).max(), at_most=1e-9, rows=50)


def test_latency(candidate, holdout, criteria, evidence):
    """The median time of one flight, in a process that does other things too."""
    records = [holdout.records.iloc[[row]] for row in range(60)]
    times = []
    for record in records:
        start = perf_counter()
        candidate.predict(record)
        times.append(1000 * (perf_counter() - start))
    evidence("latency, ms", median(times[10:]), at_most=criteria["latency_ms_at_most"], rows=50)


def test_size(candidate, criteria, evidence):
    """A bundle has to be loaded by a server that is waited for."""
    evidence("bundle, MB", candidate.bundle.bytes / 1e6, at_most=criteria["bundle_mb_at_most"])
