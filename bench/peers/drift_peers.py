"""One library's drift tests on the pairs of drift_worlds.py, run in that library's own environment.

    python bench/peers/drift_peers.py evidently FLIGHTS.csv.zip --trials 200

Prints JSON: how many windows of each kind alarmed, and the processor time at each size. Level 0.05 for the data set, in
each library's own way; where it has none, by Bonferroni over its p-values, and that is said.
"""

import argparse
import json
import os
import time
import warnings
from collections.abc import Callable

import drift_worlds
import numpy as np
import pandas as pd

ALPHA = 0.05
Alarm = Callable[[pd.DataFrame, pd.DataFrame], bool]


def proveout(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    """All tests, the joint ones too."""
    from proveout.monitoring import drift

    tests = drift.compare(reference, window, list(drift_worlds.COLUMNS), drift_alpha=ALPHA, jointly=True)
    return any(test.alarmed for test in tests)


def proveout_columns(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    """Without the joint tests, as the peers'."""
    from proveout.monitoring import drift

    tests = drift.compare(reference, window, list(drift_worlds.COLUMNS), drift_alpha=ALPHA)
    return any(test.alarmed for test in tests)


def alibi(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    """TabularDrift: Kolmogorov-Smirnov and chi-square, Bonferroni."""
    from alibi_detect.cd import TabularDrift

    first = len(drift_worlds.NUMBERS)
    detector = TabularDrift(
        reference.to_numpy(dtype=object), p_val=ALPHA,
        categories_per_feature={first + place: None for place in range(len(drift_worlds.TEXTS))},
    )  # fmt: skip
    return bool(detector.predict(window.to_numpy(dtype=object))["data"]["is_drift"])


def frouros(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    """Its Kolmogorov-Smirnov and chi-square tests; Bonferroni is ours."""
    from frouros.detectors.data_drift import ChiSquareTest, KSTest

    values = []
    for name in drift_worlds.COLUMNS:
        detector = KSTest() if name in drift_worlds.NUMBERS else ChiSquareTest()
        detector.fit(X=reference[name].to_numpy())
        values.append(detector.compare(X=window[name].to_numpy())[0].p_value)
    return min(values) <= ALPHA / len(values)


def _evidently(reference: pd.DataFrame, window: pd.DataFrame) -> tuple[bool, bool]:
    from evidently import DataDefinition, Dataset, Report
    from evidently.presets import DataDriftPreset

    definition = DataDefinition(
        numerical_columns=list(drift_worlds.NUMBERS), categorical_columns=list(drift_worlds.TEXTS)
    )
    sides = [Dataset.from_pandas(side, data_definition=definition) for side in (window, reference)]
    found = Report([DataDriftPreset()]).run(*sides).dict()["metrics"]
    counted = next(one["value"] for one in found if isinstance(one["value"], dict) and "share" in one["value"])
    return counted["share"] >= 0.5, counted["count"] > 0


def evidently(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    """Its preset as it is: the data set drifted if half of the columns did."""
    return _evidently(reference, window)[0]


def evidently_any(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    """Its preset, an alarm if any column drifted."""
    return _evidently(reference, window)[1]


def nannyml(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    """Univariate drift, Jensen-Shannon, thresholds of its own from chunks of the reference; any column."""
    from nannyml import UnivariateDriftCalculator

    calculator = UnivariateDriftCalculator(
        column_names=list(drift_worlds.COLUMNS), treat_as_categorical=list(drift_worlds.TEXTS),
        chunk_size=max(50, len(reference) // 10),
    ).fit(reference)  # fmt: skip
    found = calculator.calculate(window).to_df()
    flags = [column for column in found.columns if column[-1] == "alert"]
    return bool(found[flags].to_numpy(dtype=bool).any())


def mapie(reference: pd.DataFrame, window: pd.DataFrame) -> bool:
    """Its permutation test of exchangeability. It asks a model: here of the delay, from the other numbers."""
    from mapie.exchangeability_testing import PValuePermutationTest

    rows = pd.concat([reference, window], ignore_index=True)[list(drift_worlds.NUMBERS)]
    test = PValuePermutationTest(test_level=ALPHA, task="regression", num_permutations=200, random_state=0, warn=False)
    found = test.run(rows.drop(columns="arr_delay").to_numpy(dtype=float), rows["arr_delay"].to_numpy(dtype=float))
    return not found.is_exchangeable


_QUIET = {"NML_DISABLE_USAGE_LOGGING": "1", "DO_NOT_TRACK": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
"""Libraries that tell their makers of each use are asked not to."""

LIBRARIES: dict[str, Alarm] = {
    "proveout": proveout, "proveout-columns": proveout_columns, "alibi": alibi, "frouros": frouros,
    "evidently": evidently, "evidently-any": evidently_any, "nannyml": nannyml, "mapie": mapie,
}  # fmt: skip


def main() -> None:
    """Count and time."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("library", choices=LIBRARIES)
    asked.add_argument("flights")
    asked.add_argument("--trials", type=int, default=200)
    asked.add_argument("--kinds", default=",".join(drift_worlds.KINDS))
    asked.add_argument("--sizes", default="1000,10000,100000")
    given = asked.parse_args()
    os.environ.update(_QUIET)
    warnings.simplefilter("ignore")
    alarm, rows = LIBRARIES[given.library], drift_worlds.january(given.flights)
    alarms = {}
    for kind in filter(None, given.kinds.split(",")):
        outcomes = [_alarmed(alarm, *drift_worlds.pair(rows, kind, trial, size=1_000)) for trial in range(given.trials)]
        known = [one for one in outcomes if one is not None]
        alarms[kind] = {"trials": len(known), "alarms": int(sum(known)), "failed": len(outcomes) - len(known)}
    whole, seconds = drift_worlds.year(given.flights), {}
    for size in (int(one) for one in given.sizes.split(",") if one):
        sides = drift_worlds.pair(whole, "null", 0, size=size)
        spent = []
        for _ in range(3):
            begun = time.process_time()
            alarm(*sides)
            spent.append(time.process_time() - begun)
        seconds[size] = float(np.median(spent))
    print(json.dumps({"library": given.library, "alarms": alarms, "cpu_s": seconds}))


def _alarmed(alarm: Alarm, reference: pd.DataFrame, window: pd.DataFrame) -> bool | None:
    try:
        return alarm(reference, window)
    except Exception:  # a library that cannot have nulls has no verdict on them
        return None


if __name__ == "__main__":
    main()
