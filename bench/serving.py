"""How fast the server answers, beside the way most people would serve the same model: FastAPI, the pipeline inline.

    make bench

Both serve the released bundle of this project on loopback, one after the other, asked by `wrk` (Debian's package) over
1, 8 and 64 connections for a few seconds, twice. Ours runs as it runs in production: validation, deadline, fallback
ladder and prediction journal on. What counts is the ratio within one run: both have the same machine at the same time.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
SECONDS = 5
REPEATS = 2
CONNECTIONS = (1, 8, 64)
FLIGHT = {
    "year": 2013, "month": 6, "day": 7, "sched_dep_time": 1830, "sched_arr_time": 2105, "carrier": "B6",
    "flight": 1161, "tailnum": "N324JB", "origin": "JFK", "dest": "FLL", "distance": 1069.0, "temp": 62.06,
    "dewp": 60.98, "humid": 96.2, "wind_dir": 50.0, "wind_speed": 12.7, "wind_gust": None,
    "precip": 0.18, "pressure": 1003.9, "visib": 1.5, "plane_year": 1999.0, "seats": 200.0,
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One run of wrk."""

    rps: float
    p50_ms: float
    p99_ms: float
    failed: int


def main() -> int:
    """Measure both and print the ratios."""
    if shutil.which("wrk") is None:
        print("wrk is not installed. On Debian: apt-get install wrk", file=sys.stderr)
        return 2
    bundle = released()
    peers = {
        "fastapi, inline": [sys.executable, __file__, "--peer", str(bundle), "18081"],
        "proveout": [sys.executable, "serve/app.py"],
    }
    found: dict[tuple[str, int], list[Measured]] = {}
    for repeat in range(REPEATS):
        for name, command in peers.items():
            with running(command, port := 18080 if name == "proveout" else 18081):
                for connections in CONNECTIONS:
                    print(f"{name}, {connections} connections, {repeat + 1} of {REPEATS}", file=sys.stderr, flush=True)
                    found.setdefault((name, connections), []).append(measure(port, connections))
    report(found)
    return 0


def released() -> Path:
    """The folder of the released bundle."""
    from proveout.data.store import Store
    from proveout.errors import NotFound
    from proveout.registry import releases
    from proveout.registry.ledger import Ledger
    from proveout.settings import load

    settings = load(ROOT)
    with Ledger(settings.ledger) as ledger:
        release = releases.current(ledger, settings.model)
    if release is None:
        raise NotFound("release", "yet", "Make one: make demo")
    return Store(settings.store).folder("bundles", release.bundle)


@contextmanager
def running(command: list[str], port: int) -> Iterator[None]:
    """A server as a process of its own, until it is asked no more."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=log,
            stderr=log,
            env={**os.environ, "PROVEOUT_PORT": str(port), "OMP_NUM_THREADS": "1"},
        )
        try:
            for _ in range(300):
                if process.poll() is not None or answers(port):
                    break
                time.sleep(0.2)
            if not answers(port):
                log.seek(0)
                raise SystemExit(f"{command} does not answer:\n{log.read().decode()[-2000:]}")
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


def answers(port: int) -> bool:
    """Whether the model answers on `port`."""
    body, headers = json.dumps(FLIGHT).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/predict", body, headers)
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            return json.load(response).get("answered_by", "model") == "model"
    except (urllib.error.URLError, OSError):
        return False


def measure(port: int, connections: int) -> Measured:
    """One run of wrk against `port`, after a second to warm up."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(f"wrk.method = 'POST'\nwrk.body = [[{json.dumps(FLIGHT)}]]\n")
        script.write("wrk.headers['Content-Type'] = 'application/json'\n")
        script.flush()
        for seconds in (1, SECONDS):
            command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script.name]
            said = subprocess.run(
                [*command, f"http://127.0.0.1:{port}/predict"], capture_output=True, text=True, check=True
            ).stdout
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    return Measured(
        rps=float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]),
        p50_ms=milliseconds(re.search(r"^\s+50%\s+(\S+)", said, re.M)[1]),
        p99_ms=milliseconds(re.search(r"^\s+99%\s+(\S+)", said, re.M)[1]),
        failed=int(bad[1]) if bad else 0,
    )


def milliseconds(text: str) -> float:
    """What wrk means by `1.20ms`, `800.00us` or `1.02s`."""
    number, unit = re.match(r"([\d.]+)(\w+)", text).groups()
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[unit]


def report(found: dict[tuple[str, int], list[Measured]]) -> None:
    """The table, repeats side by side, and the ratio of the means."""
    print(f"{'':18s}{'connections':>12s}{'requests/s':>18s}{'p50 ms':>16s}{'p99 ms':>18s}{'failed':>8s}")
    for (name, connections), runs in found.items():
        cells = [" ".join(f"{getattr(run, key):,.1f}" for run in runs) for key in ("rps", "p50_ms", "p99_ms")]
        failed = sum(run.failed for run in runs)
        print(f"{name:18s}{connections:12d}{cells[0]:>18s}{cells[1]:>16s}{cells[2]:>18s}{failed:8d}")
    for connections in CONNECTIONS:
        ours, peer = (found[name, connections] for name in ("proveout", "fastapi, inline"))
        ratio = sum(run.rps for run in ours) / sum(run.rps for run in peer)
        slower = sum(run.p99_ms for run in ours) / sum(run.p99_ms for run in peer)
        print(f"proveout at {connections} connections: {ratio:.1f} times the requests, {slower:.2f} times the p99")


def serve_peer(bundle: Path, port: int) -> None:
    """FastAPI as its tutorial has it: a pydantic model, the pipeline called in the handler."""
    import pandas as pd
    import uvicorn
    from fastapi import FastAPI
    from pydantic import create_model

    from proveout.training.bundle import open_bundle

    opened = open_bundle(bundle)
    kinds = {name: (type(value) | None if value is not None else float | None, None) for name, value in FLIGHT.items()}
    flight = create_model("Flight", **kinds)
    app = FastAPI()

    @app.post("/predict")
    def predict(body: flight):
        probability = float(opened.predict(pd.DataFrame([body.model_dump()]))[0])
        return {"late": probability >= opened.threshold, "probability": probability}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--peer"]:
        serve_peer(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        sys.exit(main())
