"""bench/drift.py: the samples are the same in every environment, and a planted shift is what its name says."""

import sys
from pathlib import Path

import numpy as np
import pandas as pd

BENCH = Path(__file__).parents[2] / "bench"
sys.path[:0] = [str(BENCH), str(BENCH / "peers")]

import drift as bench  # noqa: E402  # the bench is a folder of scripts
import drift_peers  # noqa: E402
import drift_worlds  # noqa: E402


def flights(rows: int = 400) -> pd.DataFrame:
    draw = np.random.RandomState(1)
    numbers = {name: draw.randint(0, 50, rows).astype(float) for name in drift_worlds.NUMBERS}
    texts = {name: draw.choice(["UA", "B6", "EV"], rows).astype(object) for name in drift_worlds.TEXTS}
    return pd.DataFrame({**numbers, **texts})


def test_a_pair_is_drawn_alike_and_its_sides_share_no_row():
    """Peers run in other processes, with other versions of numpy and pandas."""
    rows = flights().assign(delay_id=np.arange(400))

    before, after = drift_worlds.pair(rows, "null", 3, size=150)

    assert drift_worlds.pair(rows, "null", 3, size=150)[1].equals(after)
    assert not set(before["delay_id"]) & set(after["delay_id"])
    assert len(before) == len(after) == 150


def test_each_shift_changes_what_it_names():
    """Reference and other columns stay as they are."""
    rows = flights()
    changed = {"carrier": {"carrier"}, "delay": {"arr_delay"}, "nulls": {"air_time"}, "null": set(),
               "together": {"arr_delay", "sched_arr_time"}}  # fmt: skip
    for kind in drift_worlds.KINDS:
        plain, moved = drift_worlds.pair(rows, "null", 5, size=150), drift_worlds.pair(rows, kind, 5, size=150)
        assert moved[0].equals(plain[0])
        assert {name for name in rows if not moved[1][name].equals(plain[1][name])} == changed[kind]
    together = drift_worlds.pair(rows, "together", 5, size=150)[1]
    assert sorted(together["arr_delay"]) == sorted(drift_worlds.pair(rows, "null", 5, size=150)[1]["arr_delay"])


def test_our_own_verdicts_are_counted_as_the_peers_are():
    """A library that raises has no verdict, and is not counted as calm."""
    rows = flights()
    before, after = drift_worlds.pair(rows, "null", 1, size=150)

    assert drift_peers._alarmed(drift_peers.proveout_columns, before, after) is False
    assert drift_peers._alarmed(drift_peers.proveout_columns, before, after.assign(arr_delay=1e6)) is True
    assert drift_peers._alarmed(drift_peers.proveout_columns, before, after.assign(arr_delay="late")) is None
    line = bench.rows_line(
        {"library": "x", "alarms": {"null": {"trials": 100, "alarms": 5}, "nulls": {"trials": 0, "alarms": 0}},
         "cpu_s": {"1000": 0.5}}
    )  # fmt: skip
    assert "null 0.050 (0.02-0.11) of 100" in line
    assert "nulls no verdict" in line


def test_the_digits_move_as_the_protocol_says():
    """Ten, fifty and a hundred percent of the rows; a class that is gone leaves fewer of them."""
    draw = np.random.default_rng(0)
    images, labels = draw.integers(0, 17, (500, 64)).astype(float), draw.integers(0, 10, 500)

    shares = [
        (bench._shifted(images, labels, shift, draw) != images).any(axis=1).mean() for shift in (6, 7, 8)
    ]  # large noise

    assert np.allclose(shares, (0.1, 0.5, 1.0), atol=0.06)
    assert len(bench._shifted(images, labels, 26, draw)) == (labels != 0).sum()
