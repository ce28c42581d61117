"""How long it takes to make requests from the schema: our strategies beside pandera's own, for the same schemas.

    python bench/generated_cases.py                    a minute or two; needs a trained candidate for the last part
    python bench/generated_cases.py --examples 20 --no-candidate

Both are run by hypothesis, with the same number of examples and of rows in each, one after the other and in turn; ours
builds a table of each example too. What counts is the ratio within one run, in CPU time: all have the same machine, if
not the same minute of it. At the end, what all properties of checks/test_generated.py take on the newest candidate.
"""

import argparse
import json
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, Verbosity, given, settings
from hypothesis import strategies as st
from hypothesis.errors import HypothesisException

from proveout.evaluation.context import EvaluationContext, find_candidate
from proveout.fuzz import field_spec, strategies
from proveout.fuzz.properties import Generated
from proveout.fuzz.runner import texts_of
from proveout.settings import load, load_object

ROOT = Path(__file__).parents[1]
REPORT = ROOT / "reports" / "generated_cases.json"
SCHEMAS = ("Planes", "FlightRequest")  # of Weather, whose rows must differ, pandera makes none: it gives up
PROPERTIES = (
    "never_crashes", "never_nan", "stays_a_probability", "same_when_asked_again", "same_alone_and_in_a_batch",
    "same_in_any_order", "served_as_offline", "refuses_invalid",
)  # fmt: skip


@dataclass
class Compared:
    """CPU seconds for the same examples, a number per repeat."""

    schema: str
    columns: int
    examples: int
    rows: int
    ours_s: list[float] = field(default_factory=list)
    pandera_s: list[float] = field(default_factory=list)
    pandera_made: int = 0  # examples, where it gave up before the last
    trouble: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times longer pandera takes for an example; None where it made none."""
        ours = statistics.median(self.ours_s) / self.examples
        return statistics.median(self.pandera_s) / self.pandera_made / ours if self.pandera_made else None


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the report."""
    asked = parse(arguments)
    warnings.simplefilter("ignore")
    found = [compare(name, asked.examples, asked.rows, asked.repeats) for name in SCHEMAS]
    print(f"an example of {asked.rows} rows, CPU")
    print(f"{'':16s}{'columns':>8s}{'ours, ms':>12s}{'pandera, ms':>14s}{'times':>8s}")
    for one in found:
        ours, theirs = (1000 * statistics.median(times) for times in (one.ours_s, one.pandera_s))
        told = f"   gave up after {one.pandera_made}: {one.trouble}" if one.trouble else ""
        per_ours, per_theirs = ours / one.examples, theirs / max(1, one.pandera_made)
        print(f"{one.schema:16s}{one.columns:8d}{per_ours:12.2f}{per_theirs:14.2f}{one.ratio or 0:8.1f}{told}")
    taken = {} if asked.no_candidate else properties()
    for name, times in taken.items():
        print(f"{name:30s}{times['cpu_s']:8.2f} s CPU{times['wall_s']:8.2f} s")
    report = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}",
        "compared": [{**asdict(one), "ratio": one.ratio and round(one.ratio, 1)} for one in found],
        "properties": taken,
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(f"\n{REPORT.relative_to(ROOT)}")
    return 0


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--examples", type=int, default=50)
    parser.add_argument("--rows", type=int, default=5, help="in each example")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--no-candidate", action="store_true", help="leave out what needs a trained candidate")
    return parser.parse_args(arguments)


def compare(name: str, examples: int, rows: int, repeats: int) -> Compared:
    """Both strategies of one schema of checks/schemas.py, in turn."""
    schema = load_object(f"checks/schemas.py:{name}", ROOT)
    request = field_spec.read(schema)
    found = Compared(schema=name, columns=len(request.fields), examples=examples, rows=rows)
    for _ in range(repeats):
        with cpu(found.ours_s):
            records = st.lists(strategies.valid(schema), min_size=rows, max_size=rows)
            made, trouble = run(records.map(request.frame), examples)
            if made < examples:
                raise SystemExit(f"ours made {made} of {examples} examples of {name}: {trouble}")
        with cpu(found.pandera_s):
            found.pandera_made, found.trouble = run(schema.strategy(size=rows), examples)
    return found


def run(strategy: "st.SearchStrategy[Any]", examples: int) -> tuple[int, str]:
    """How many examples were made, and what ended it before the last."""
    made = 0

    @settings(
        max_examples=examples, database=None, deadline=None, derandomize=True, phases=[Phase.generate],
        verbosity=Verbosity.quiet, suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(strategy)
    def one(_: Any) -> None:
        nonlocal made
        made += 1

    try:
        one()
    except HypothesisException as error:
        return made, type(error).__name__
    return made, ""


@contextmanager
def cpu(times: list[float]) -> Iterator[None]:
    """Add the CPU seconds of the block to `times`."""
    start = time.process_time()
    yield
    times.append(time.process_time() - start)


def properties() -> dict[str, dict[str, float]]:
    """What each property takes on the newest candidate; the first one makes the examples and asks the model."""
    project = load(ROOT)
    candidate = EvaluationContext(project, find_candidate(project, None)).candidate
    schema = load_object(project.request_schema, project.root)
    generated = Generated(schema, candidate, seen=texts_of(candidate.reference(), candidate.request_columns))
    found = {}
    for name in PROPERTIES:
        ask: Callable[[], Any] = getattr(generated, name)
        cpu_s, wall_s = time.process_time(), time.perf_counter()
        stated = ask()
        found[name] = {"cpu_s": round(time.process_time() - cpu_s, 3), "wall_s": round(time.perf_counter() - wall_s, 3)}
        if not stated.holds:
            print(f"{name}: {stated}", file=sys.stderr)
    found["all"] = {key: round(sum(one[key] for one in found.values()), 3) for key in ("cpu_s", "wall_s")}
    return found


if __name__ == "__main__":
    sys.exit(main())
