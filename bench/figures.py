"""The figures of the bench: a table, what they are beside each other, and a file.

Input: runs of wrk by server and number of connections. Output: text for a person, `reports/bench.json`.
"""

import json
import os
import platform
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from machine import Measured

OURS = "proveout"

Found = dict[tuple[str, int], list[Measured]]


@dataclass(frozen=True, kw_only=True)
class Explained:
    """Plain requests beside requests for reasons, on ours."""

    plain_alone: Measured
    plain_beside: Measured
    explained: Measured
    connections: int
    explaining: int


def table(found: Found) -> str:
    """Every run, repeats side by side."""
    heads = {"rps": "requests/s", "p50_ms": "p50 ms", "p99_ms": "p99 ms", "cpu_us": "CPU us/request"}
    words = [f"{'':14s}{'connections':>12s}", *(f"{head:>20s}" for head in heads.values())]
    lines = ["".join([*words, f"{'failed':>8s}{'not by model':>14s}"])]
    for (name, connections), runs in sorted(found.items(), key=lambda item: (item[0][1], item[0][0] != OURS)):
        cells = [" ".join(f"{getattr(run, key):,.1f}" for run in runs) for key in heads]
        failed, others = sum(run.failed for run in runs), sum(run.not_by_model for run in runs)
        words = [f"{name:14s}{connections:12d}", *(f"{cell:>20s}" for cell in cells), f"{failed:8d}{others:14d}"]
        lines.append("".join(words))
    return "\n".join(lines)


def ratios(found: Found) -> str:
    """Ours beside the best peer of each column, and beside FastAPI."""
    lines = [""]
    for connections in sorted({connections for _, connections in found}):
        row = {name: runs for (name, at), runs in found.items() if at == connections}
        mine, others = row.pop(OURS, None), row
        if mine is None or not others:
            continue
        said = []
        for what, better, word in (
            ("rps", max, "requests"),
            ("p99_ms", min, "p99"),
            ("cpu_us", min, "CPU per request"),
        ):
            best = better(others, key=lambda name: mean(others[name], what))
            said.append(f"{mean(mine, what) / mean(others[best], what):.2f} times the {word} of {best}")
        if "fastapi" in others:
            said.append(f"{mean(mine, 'rps') / mean(others['fastapi'], 'rps'):.2f} times the requests of fastapi")
        lines.append(f"proveout at {connections} connections, beside the best peer: " + ", ".join(said))
    return "\n".join(lines)


def mean(runs: Sequence[Measured], what: str) -> float:
    return statistics.fmean(getattr(run, what) for run in runs)


def of_reasons(explained: Explained) -> str:
    """What requests for reasons cost the others."""
    alone, beside, reasons = explained.plain_alone, explained.plain_beside, explained.explained
    return (
        f"reasons: {explained.connections} connections ask plainly: {alone.rps:,.0f} requests/s, "
        f"p99 {alone.p99_ms:.1f} ms; while {explained.explaining} more ask for reasons: {beside.rps:,.0f} requests/s, "
        f"p99 {beside.p99_ms:.1f} ms, {beside.failed} failed, {beside.not_by_model} not by the model.\n"
        f"with reasons: {reasons.rps:,.0f} requests/s, p50 {reasons.p50_ms:.1f} ms, p99 {reasons.p99_ms:.1f} ms, "
        f"{reasons.failed} failed"
    )


def keep(file: Path, found: Found, explained: Explained | None, about: Mapping[str, Any]) -> None:
    """The figures as JSON, with what they were measured on."""
    report = {
        **about,
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": {
            "cores": os.cpu_count(),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "load": os.getloadavg(),
        },
        "runs": [
            {"name": name, "connections": connections, **asdict(run)}
            for (name, connections), runs in found.items()
            for run in runs
        ],
        "reasons": asdict(explained) if explained is not None else None,
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=2) + "\n")
