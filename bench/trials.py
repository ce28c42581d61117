"""Trials of a calibration: run over several processes, added up and written down. Each calibration uses it.

Input: a function that counts some numbered trials. Output: one count for each kind of trial, and a file of figures.
"""

import argparse
import json
import multiprocessing
import re
import resource
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

from scipy.stats import binomtest

from proveout.records.verdict import Evidence

ROOT = Path(__file__).parents[1]
Count = TypeVar("Count", bound=Any)
"""A dataclass with `key`, `trials`, `hits`, `stated`, and for the figures `share` and `between`."""


class Share:
    """What a count says of its trials: a base of dataclasses with `trials` and `hits`."""

    trials: int
    hits: int

    @property
    def counted(self) -> int:
        """The trials that the share is of."""
        return self.hits

    @property
    def share(self) -> float:
        """From 0 to 1."""
        return self.counted / self.trials

    @property
    def between(self) -> tuple[float, float]:
        """The exact 95 % interval of the share."""
        return between(self.counted, self.trials)


def summed(counts: Iterable[Count]) -> list[Count]:
    """One count for each kind of trial."""
    found: dict[tuple[str, ...], Count] = {}
    for one in counts:
        whole = found.setdefault(one.key, replace(one, trials=0, hits=0, stated=0.0))
        whole.trials += one.trials
        whole.hits += one.hits
        whole.stated += one.stated
    return list(found.values())


def in_parts(of: Callable[[range], list[Count]], trials: int, *, name: str, processes: int) -> list[Count]:
    """The counts of all trials, ten at a time, over as many processes. They are forked: `of` may read globals."""
    parts = [range(start, min(start + 10, trials)) for start in range(0, trials, 10)]
    if processes == 1:
        return summed(count for part in parts for count in of(part))
    found: list[Count] = []
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("fork")) as pool:
        for part, counts in zip(parts, pool.map(of, parts), strict=True):
            found = summed([*found, *counts])
            tell(f"{name}: {part.stop} of {trials} trials")
    return found


def between(hits: int, trials: int) -> tuple[float, float]:
    """The exact 95 % interval of a share."""
    found = binomtest(hits, trials).proportion_ci(0.95, method="exact")
    return float(found.low), float(found.high)


def stated(found: Evidence) -> float:
    """The share of equal models that are refused, as the decision says it: under 1 % is 1 %; 0 if it says none."""
    said = re.search(r"refused in (?:(over|under) )?(\d+) %", found.decision)
    if said is None:
        return 0.0
    return 1.0 if said[1] == "over" else int(said[2]) / 100


def cpu_s() -> float:
    """Seconds of CPU, of this process and its children: on a busy machine the wall clock tells little."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def options(description: str, *, trials: int, out: str, worlds: bool = True) -> argparse.ArgumentParser:
    """The options that calibrations have; those of `worlds` can leave some out."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--trials", type=int, default=trials, help=f"of each world ({trials})")
    parser.add_argument("--processes", type=int, default=2, help="at once (2)")
    if worlds:
        parser.add_argument("--without", nargs="+", choices=["flights", "made_up"], default=[], help="not these worlds")
    parser.add_argument("--out", type=Path, default=ROOT / "reports" / out, help="file for the figures")
    return parser


def write(out: Path, about: Mapping[str, Any], counts: Sequence[Count]) -> None:
    """Write the figures as JSON."""
    measured = [{**asdict(one), "share": one.share, "between": one.between} for one in counts]
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps({**about, "measured": measured}, indent=1) + "\n", encoding="utf-8")
    tell(f"{cpu_s():.0f} s of CPU; figures: {out}")


def tell(what: str) -> None:
    """Progress, on stderr."""
    print(what, file=sys.stderr, flush=True)
