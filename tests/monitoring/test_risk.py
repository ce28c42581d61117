"""The risk of a release: what counts, when, and that it does not depend on when one looks."""

from datetime import date, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from proveout.ledger.prediction_history import LoggedAnswer
from proveout.monitoring import risk
from proveout.records.answer import Answer
from proveout.records.prediction import Outcome, Prediction
from proveout.task.binary import Binary

LATER = "2014-01-01T00:00:00.000+00:00"


def day(number):
    return (date(2013, 6, 1) + timedelta(days=number)).isoformat()


def evening(number):
    return f"{day(number)}T20:00:00.000+00:00"


def days_of(seed, days, *, risk=0.1, rows=60, first=0, known_after=1, known=1.0):
    """Days that differ from each other: losses around `risk`, with an outcome some days later for a share of them."""
    random = np.random.default_rng(seed)
    told, losses, known_at, asked, last = [], [], [], {}, {}
    for number in range(first, first + days):
        level = risk + random.normal(0, 0.03)
        some = int(rows * known)
        asked[day(number)], last[day(number)] = rows, evening(number)
        told += [day(number)] * some
        known_at += [evening(number + known_after)] * some
        losses.append(np.clip(random.normal(level, 0.05, some), 0, 1))
    return risk_losses(told, np.concatenate(losses), known_at, asked, last)


def risk_losses(told, losses, known_at, asked=None, last=None):
    return risk.Losses(
        days=np.array(told, object), losses=np.asarray(losses, float), known_at=np.array(known_at, object),
        asked=asked or {}, last=last or {},
    )  # fmt: skip


def both(one, two):
    """One stream after the other."""
    return risk_losses(
        [*one.days, *two.days], np.concatenate([one.losses, two.losses]), [*one.known_at, *two.known_at],
        {**one.asked, **two.asked}, {**one.last, **two.last},
    )  # fmt: skip


HELD_OUT = days_of(1, 31, first=-40, known_after=0)


def judged(stream, *, reference=HELD_OUT, at=LATER, by_day=True):
    return risk.judge(reference, stream, model="late", bundle="0" * 64, task=Binary(), level=0.05, by_day=by_day, at=at)


def test_a_release_that_is_no_worse():
    """Nothing is reported, and what counted is said."""
    found = judged(days_of(2, 60))

    assert not found.alarm
    assert (found.unit, found.units, found.rows, found.waiting) == ("day", 60, 3600, 0)
    assert found.reference_units == 31
    assert found.risk == pytest.approx(0.1, abs=0.02)


def test_a_release_that_becomes_worse():
    """By two standard deviations of the days, after 30 quiet ones."""
    found = judged(both(days_of(3, 30), days_of(4, 30, risk=0.17, first=30)))

    assert found.alarm
    assert day(30) < found.alarmed_on < day(45)
    assert day(26) < found.since < day(34)
    assert found.risk_since == pytest.approx(0.17, abs=0.03)
    assert found.evidence >= 20


def test_what_is_reported_is_the_same_whenever_one_looks():
    """Each evening, or once at the end: the same day of the alarm, and the same evidence on each day."""
    stream = both(days_of(3, 20), days_of(4, 20, risk=0.17, first=20))
    looks = [judged(_until(stream, evening(number)), at=evening(number)) for number in range(1, 41)]

    whole = judged(stream)
    alarms = {one.alarmed_on for one in looks if one.alarm}

    assert alarms == {whole.alarmed_on}
    assert [one.units for one in looks] == list(range(1, 41))
    assert looks[-1].evidence == pytest.approx(whole.evidence)


def _until(stream, at):
    """What was logged at that time."""
    known = np.flatnonzero(stream.known_at <= at)
    asked = {name: count for name, count in stream.asked.items() if stream.last[name] <= at}
    return risk_losses(stream.days[known], stream.losses[known], stream.known_at[known], asked, stream.last)


def test_a_day_waits_for_its_outcomes_and_not_for_ever():
    """Half of them are missing: it counts after a fortnight."""
    stream = days_of(5, 10, known=0.5)

    assert (judged(stream, at=evening(13)).units, judged(stream, at=evening(13)).waiting) == (0, 300)
    assert judged(stream, at=evening(14)).units == 1
    assert judged(stream, at=evening(23)).units == 10


def test_outcomes_that_come_after_their_day_counted_no_longer_count():
    """So that what was said stays; the metrics of the window have them."""
    early = days_of(6, 10)
    late = risk_losses([day(0)] * 3, [1.0] * 3, [evening(5)] * 3)

    found = judged(both(early, late))

    assert (found.rows, found.waiting) == (600, 3)
    assert found.evidence == judged(early).evidence


def test_small_days_count_together():
    """Five answers a day say as much as they say: units of several days."""
    found = judged(days_of(7, 40, rows=5))

    assert found.units == 10
    assert not found.alarm


@pytest.mark.parametrize("rows", [25, 600])
def test_busier_or_quieter_days_than_held_out_ones_are_not_worse_ones(rows):
    """The mean of few rows differs more from day to day: ranked among means of many, it would be extreme."""
    random = np.random.default_rng(8)
    alarms = 0
    for _ in range(20):
        told = np.repeat([day(number) for number in range(40)], rows)
        stream = risk_losses(told, random.random(len(told)), np.repeat([evening(n + 1) for n in range(40)], rows))
        before = risk_losses(np.repeat([day(n) for n in range(-31, 0)], 300), random.random(31 * 300), [""] * 31 * 300)
        alarms += judged(stream, reference=before).alarm

    assert alarms <= 3


def test_too_few_held_out_days_are_said():
    """A week of them."""
    found = judged(days_of(2, 60), reference=days_of(1, 7, first=-10))

    assert not found.alarm
    assert found.unjudged == "the held-out rows are of 7 days, and 8 are needed"


def test_rows_without_days_are_independent():
    """No field tells the day: each row counts by itself, as soon as its outcome is known."""
    random = np.random.default_rng(9)
    before = risk_losses([""] * 2000, random.random(2000) < 0.1, [""] * 2000)
    times = [f"2013-06-01T{number // 60:02}:{number % 60:02}:00.000+00:00" for number in range(1000)]

    quiet = judged(risk_losses([""] * 1000, random.random(1000) < 0.1, times), reference=before, by_day=False)
    worse = judged(risk_losses([""] * 1000, random.random(1000) < 0.25, times), reference=before, by_day=False)

    assert (quiet.unit, quiet.units, quiet.alarm) == ("row", 1000, False)
    assert worse.alarm
    assert worse.alarmed_on in times


# --- which answers ----------------------------------------------------------------------------------------------------


def answered(number, *, release="late@0", by="model", outcome=True, event=None, at=None):
    record = {"day": None if number > 8 else day(number)}
    prediction = Prediction(
        request_id=str(number), at=at or evening(0), model="late", release=release, record=record,
        answered_by=by, answer=Answer(value=True, probability=0.75), latency_ms=1.0,
    )  # fmt: skip
    first = None if outcome is None else Outcome(request_id=str(number), value=outcome, known_at=evening(9))
    return LoggedAnswer(prediction=prediction, outcome=outcome, event=event, first=first)


def test_the_bundles_own_answers_count_each_event_once():
    """Not those of rules or of another release; asked twice about one flight, it was wrong once."""
    opened = SimpleNamespace(task=Binary(), bundle=SimpleNamespace(name="late@0"))
    logged = [
        answered(0, event=1),
        answered(0, event=1),
        answered(1, event=2, outcome=False),
        answered(2, event=3, by="rules"),
        answered(3, event=4, release="late@1"),
        answered(1, event=5, outcome=None),
        answered(4, event=6, outcome="red"),
        answered(9, event=7, at=f"{day(3)}T08:00:00.000+00:00"),
    ]

    found = risk.of_answers([logged[:3], logged[3:]], opened, dated_by=["day"])

    assert found.losses.tolist() == [0.0625, 0.5625, 0.0625]
    assert found.days.tolist() == [day(0), day(1), day(3)]
    assert found.asked == {day(0): 1, day(1): 2, day(4): 1, day(3): 1}
