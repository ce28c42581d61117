"""MAPIE's RiskMonitoring on the streams of bench/risk.py, run in MAPIE's own environment.

    python bench/peers/mapie_risk.py STREAMS.npz

STREAMS.npz has `reference`, shape (streams, rows), and `stream`, shape (streams, later rows): which answers are wrong.
Prints JSON: for each stream and a rising list of tolerances the row of the first alarm, null without one.
"""

import json
import sys

import numpy as np
from mapie.exchangeability_testing import RiskMonitoring

TOLERANCES = [0.0, *np.geomspace(0.002, 0.5, 24)]


def first_alarms(reference: np.ndarray, stream: np.ndarray) -> list[int | None]:
    """The first row whose lower bound is above the threshold, for each tolerance."""
    monitor = RiskMonitoring(
        risk="accuracy", test_level=0.05, tolerance=0.0, warn=False, reference_data=_right_or_wrong(reference)
    )
    monitor.update(*_right_or_wrong(stream))
    bounds = np.asarray(monitor.online_risk_lower_bound_sequence_history)
    found: list[int | None] = []
    for tolerance in TOLERANCES:
        above = np.flatnonzero(bounds > monitor.threshold + tolerance)
        found.append(int(above[0]) if len(above) else None)
    return found


def _right_or_wrong(wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Outcomes and answers that differ where the answer was wrong."""
    return np.zeros(len(wrong), dtype=int), wrong.astype(int)


if __name__ == "__main__":
    given = np.load(sys.argv[1])
    rows = [first_alarms(one, two) for one, two in zip(given["reference"], given["stream"], strict=True)]
    print(json.dumps({"tolerances": [float(one) for one in TOLERANCES], "alarms": rows}))
