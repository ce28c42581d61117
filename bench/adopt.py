"""How many notebooks become a live endpoint by one command, how long that takes, and why the others do not.

    python bench/adopt.py manifest.json            notebooks named relative to the file of the list
    python bench/adopt.py manifest.json --here     all in the running interpreter: no environment is made
    python bench/adopt.py manifest.json --json FILE

manifest.json is a list of notebooks, or of objects with `path` and, where it is known, `expected`: "live", or "refused"
for a notebook that must be turned away, such as one whose inputs contain the target. A notebook counts as live only if
`proveout adopt --yes` says so, which it does after every held-out row got the pilot's own answer from the bundle and
from the running server. `beyond` is the time without the notebook's own run.
"""

import argparse
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_LIVE = re.compile(r"^live at \S+ .* kill (?P<pid>\d+)$", re.MULTILINE)
_OWN = re.compile(r"looking for the way from raw rows to each model \((?P<seconds>\d+) s\)")
_REFUSED = re.compile(r"cannot be adopted: (?P<why>.*)", re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A notebook of the list."""

    path: Path
    expected: str


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of a notebook. `own_s` is its own run as far as it is known, `beyond_s` all else."""

    notebook: str
    outcome: str  # live, refused, or failed
    expected: str
    why: str
    own_s: float
    beyond_s: float

    @property
    def is_right(self) -> bool:
        """Whether it is live, or refused where it has to be."""
        return self.outcome == "live" or (self.outcome == self.expected == "refused")


def read(manifest: Path) -> list[Listed]:
    """The notebooks of a list. Raises: SystemExit naming an entry that is none."""
    found = []
    for one in json.loads(manifest.read_text(encoding="utf-8")):
        entry = {"path": one} if isinstance(one, str) else one
        path = manifest.parent / str(entry.get("path", ""))
        if not path.is_file():
            raise SystemExit(f"{manifest}: {entry!r} names no notebook; expected a path relative to this file")
        found.append(Listed(path=path, expected=str(entry.get("expected", "live"))))
    return found


def adopt(listed: Listed, *, here: bool, limit_s: float) -> Outcome:
    """Run the command on one notebook, in an empty folder, and stop its server."""
    began, said, errors, code = time.monotonic(), "", "", -1
    # A server that ends writes until it has: what it leaves is no reason to lose the other notebooks' outcomes.
    with tempfile.TemporaryDirectory(prefix="proveout-bench-", ignore_cleanup_errors=True) as place:
        command = [sys.executable, "-m", "proveout", "adopt", str(listed.path), "--into", f"{place}/project", "--yes"]
        process = subprocess.Popen(
            [*command, *(["--here"] if here else [])],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            said, errors = process.communicate(timeout=limit_s)
            code = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, errors = process.communicate()
            errors += f"\nerror: it took longer than {limit_s:.0f} s"
        seconds = time.monotonic() - began
        live = _LIVE.search(said)
        if live is not None:
            with suppress(ProcessLookupError):
                os.kill(int(live["pid"]), signal.SIGTERM)
    own = float(found["seconds"]) if (found := _OWN.search(errors)) is not None else 0.0
    outcome, why = _judged(code, live is not None, errors)
    return Outcome(
        notebook=listed.path.name, outcome=outcome, expected=listed.expected, why=why, own_s=own,
        beyond_s=round(seconds - own, 1),
    )  # fmt: skip


def _judged(code: int, live: bool, errors: str) -> tuple[str, str]:
    if code == 0 and live:
        return "live", ""
    sentence = errors.rpartition("error: ")[2].strip() or "it ended without a sentence"
    refused = _REFUSED.search(sentence)
    return ("refused", refused["why"].strip()) if refused is not None else ("failed", sentence)


def table(outcomes: Sequence[Outcome]) -> str:
    """The outcomes, one in a line, and what they add up to."""
    lines = [f"{'notebook':40} {'outcome':8} {'own s':>6} {'beyond s':>8}  why"]
    for one in outcomes:
        why = " ".join(one.why.split())[:120]
        lines.append(f"{one.notebook[:40]:40} {one.outcome:8} {one.own_s:6.0f} {one.beyond_s:8.1f}  {why}")
    live = [one for one in outcomes if one.outcome == "live"]
    right = sum(one.is_right for one in outcomes)
    lines.append("")
    lines.append(
        f"{len(live)} of {len(outcomes)} live; live, or refused as expected: {right} ({right / len(outcomes):.0%})"
    )
    if live:
        median = statistics.median(one.beyond_s for one in live)
        lines.append(f"median beyond the notebook's own run, of those that are live: {median:.0f} s")
    return "\n".join(lines)


def main() -> None:
    """Adopt each notebook of the list, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("manifest", type=Path)
    parser.add_argument("--here", action="store_true", help="make no environment")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcomes here, too")
    parser.add_argument("--limit", type=float, default=1_800, metavar="SECONDS", help="longest time for one notebook")
    given = parser.parse_args()
    outcomes = []
    for listed in read(given.manifest):
        outcomes.append(adopt(listed, here=given.here, limit_s=given.limit))
        print(f"{outcomes[-1].notebook}: {outcomes[-1].outcome}, {outcomes[-1].beyond_s:.0f} s", file=sys.stderr)
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(one) for one in outcomes], indent=1) + "\n", encoding="utf-8")
    print(table(outcomes) if outcomes else "the list is empty")


if __name__ == "__main__":
    main()
