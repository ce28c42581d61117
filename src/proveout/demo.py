"""`proveout demo`: the whole line once, on real flights, told as a short story.

Comes in: the settings of the reference project. Goes out: an exit code, 0 if every promise on the way held. Flows,
gate and server run as the processes they are in production; this module only starts them, calls them over HTTP and
counts. Nothing leaves this machine.
"""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from proveout import gate_settings
from proveout.errors import ProveoutError, UsageError
from proveout.project import open_keyring, open_ledger
from proveout.records import AnswerSource, Bundle, from_json, now
from proveout.settings import Settings

REFERENCE = "flight-delay"  # the model of the project that the demo knows
MONTH = "2013-06"  # the month that is lived through
FLIGHTS = 500
MALFORMED = 25  # of them, broken on purpose
CALLERS = 8
PAUSE_S = 0.12  # of a caller after each answer: about 60 requests a second, so that the month lasts some seconds
KILL_AFTER = 200  # answers, then the worker is killed

# `2026-01-01 00:00:00.000 [run/step/task (pid 1)] text`: what a step printed, of all that Metaflow says
_STEP_LINE = re.compile(r"^\S+ \S+ \[[^/]+/(?P<step>\w+)/\d+ \(pid \d+\)\] (?P<text>.*)$")
_OF_METAFLOW = ("Task is starting", "Task finished successfully")


class DemoFailed(ProveoutError):
    """A step of the demo did not do what it should."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer as the caller saw it."""

    status: int
    body: Mapping[str, Any]
    seconds: float
    malformed: bool


def run(settings: Settings) -> int:
    """Take the reference project through the whole line. Progress is printed all the time; ends with what to try."""
    _refuse_another_project(settings)
    begun = time.monotonic()
    _say("1", "taking in the flights of January to May 2013")
    _flow(settings, "flows/ingest.py", "run", "--through", "2013-05")
    _say("2", "training: features, the notebook, the bundle, and the gate")
    other = gate_settings.other_checks(settings)
    _flow(settings, "flows/train.py", "run", *(("--checks", other) if other else ()))
    bundle = _release(settings)
    _say("4", "serving it on 127.0.0.1")
    with _server(settings) as port:
        records = _flights(settings)
        _say("5", f"sending {len(records)} flights of {MONTH}, {MALFORMED} of them malformed, and killing the worker")
        replies = _send(port, records)
    told = _judge(settings, replies)
    _say("6", f"the month is over: taking in what became of the flights, then watching {MONTH}")
    _flow(settings, "flows/ingest.py", "run", "--month", MONTH)
    _flow(settings, "flows/monitor.py", "run", "--newest", str(FLIGHTS))
    _story(bundle, replies, told, measured=_gate_auc(settings, bundle), seconds=time.monotonic() - begun)
    return 0


def _refuse_another_project(settings: Settings) -> None:
    if settings.model != REFERENCE or not (settings.root / "flows" / "ingest.py").is_file():
        raise UsageError(
            f"`proveout demo` shows the whole line on the reference project, real flights of 2013, and this is the "
            f"project of {settings.model}. To see it: proveout init flights && cd flights && proveout demo. "
            "To take your own data through the line: python flows/ingest.py run, then python flows/train.py run."
        )


def _say(number: str, what: str) -> None:
    print(f"\n{number}  {what}", flush=True)


# --- flows and release ------------------------------------------------------------------------------------------------


def _flow(settings: Settings, *command: str) -> None:
    """Run a flow and show what its steps print. Raises: DemoFailed with the last lines if it fails."""
    lines: list[str] = []
    with subprocess.Popen(
        [sys.executable, "-u", *command],
        cwd=settings.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip())
            said = _STEP_LINE.match(lines[-1])
            if said and said["text"].strip() and not said["text"].startswith(_OF_METAFLOW):
                print(f"   {said['step']:9s} {said['text']}", flush=True)
    if process.returncode != 0:
        raise DemoFailed(f"{' '.join(command)} failed:\n" + "\n".join(_last_words(lines)))


def _last_words(lines: Sequence[str]) -> Sequence[str]:
    """What a flow says after its last empty line: the sentence of an error of ours."""
    written = [place for place, line in enumerate(lines) if line]
    ended = lines[: written[-1] + 1] if written else []
    empty = next((place for place in reversed(range(len(ended))) if not ended[place]), -1)
    return ended[empty + 1 :][-25:]


def _release(settings: Settings) -> Bundle:
    """Release the newest candidate as champion, if it does not serve already."""
    from proveout.gate.current_fingerprint import current_fingerprint
    from proveout.rollout import releases
    from proveout.trust import approvals

    ledger = open_ledger(settings)
    try:
        newest = ledger.entries(kind="bundle", limit=1, newest_first=True)[0]
        bundle = from_json(Bundle, newest.body)
        serving = releases.current(ledger, settings.model)
        if serving is not None and serving.bundle == bundle.digest:
            _say("3", f"{bundle.name} serves already, since {serving.since[:16]}")
        else:
            releases.release(
                ledger,
                open_keyring(settings),
                bundle,
                by="proveout demo",
                reason="the gate approved it",
                at=now(),
                quorum=approvals.quorum(settings),
                current_fingerprint=current_fingerprint(settings),
            )
            _say("3", f"released {bundle.name} as champion")
    finally:
        ledger.close()
    return bundle


# --- serving and calling ----------------------------------------------------------------------------------------------


@contextmanager
def _server(settings: Settings) -> Iterator[int]:
    """The server as a process of its own, ready to answer; stopped with SIGTERM at the end, as a scheduler would."""
    port = _free_port()
    log = settings.state_dir / "demo-server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "serve/app.py"],
            cwd=settings.root,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, "PROVEOUT_PORT": str(port)},
        )
    try:
        _wait_until_ready(process, port, log)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise DemoFailed(f"the server did not stop within 60 s of SIGTERM; its log: {log}") from None
    if code != 0:
        raise DemoFailed(f"the server ended with exit code {code}; its log: {log}")
    print(f"   server    stopped on SIGTERM, exit code {code}", flush=True)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait_until_ready(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < 60:
        if process.poll() is not None:
            raise DemoFailed(f"the server did not start:\n{log.read_text(errors='replace')[-2000:]}")
        if _ready(port) is not None:
            print(f"   server    ready after {time.monotonic() - begun:.1f} s on port {port}", flush=True)
            return
        time.sleep(0.2)
    raise DemoFailed(f"the server was not ready within 60 s; its log: {log}")


def _ready(port: int) -> Mapping[str, Any] | None:
    try:
        status, body = _call(port, "GET", "/readyz", None)
    except OSError:
        return None
    return body if status == 200 else None


def _call(port: int, method: str, path: str, body: bytes | None) -> tuple[int, Mapping[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"{}")
    finally:
        connection.close()


def _flights(settings: Settings) -> list[tuple[bytes, bool]]:
    """The bodies to send, in order of departure: real flights, and every twentieth broken in one of five ways."""
    from proveout.data import features, request_columns, snapshots

    guarded, _ = snapshots.guarded_batch(settings, MONTH)
    columns = list(features.request_columns(settings))
    sample = guarded.accepted[columns].sample(FLIGHTS, random_state=0)
    sample = sample.sort_values(["month", "day", "sched_dep_time"])
    records = request_columns.plain_records(sample)
    broken = (
        lambda r: json.dumps({**r, "origin": "SFO"}),
        lambda r: json.dumps({**r, "distance": "far"}),
        lambda r: json.dumps({k: v for k, v in r.items() if k != "carrier"}),
        lambda r: json.dumps({**r, "temp": float("nan")}),
        lambda r: json.dumps(r)[:-20],
    )
    every = FLIGHTS // MALFORMED
    bodies = []
    for i, record in enumerate(records):
        malformed = i % every == 0
        text = broken[i // every % len(broken)](record) if malformed else json.dumps(record)
        bodies.append((text.encode(), malformed))
    return bodies


def _send(port: int, bodies: Sequence[tuple[bytes, bool]]) -> list[Reply]:
    """Send all, from 8 callers at once; kill the worker in the middle. A request that fails is a reply of status 0."""
    done, lock = Counter[str](), threading.Lock()

    def call(body: bytes, malformed: bool) -> Reply:
        begun = time.monotonic()
        try:
            status, answer = _call(port, "POST", "/predict", body)
        except (OSError, ValueError) as error:
            status, answer = 0, {"error": str(error)}
        seconds = time.monotonic() - begun
        with lock:
            done["answers"] += 1
            count = done["answers"]
        if count == KILL_AFTER:
            _kill_worker(port)
        if count % 100 == 0:
            print(f"   callers   {count} of {len(bodies)}", flush=True)
        reply = Reply(status=status, body=answer, seconds=seconds, malformed=malformed)
        time.sleep(PAUSE_S)
        return reply

    with ThreadPoolExecutor(CALLERS) as pool:
        replies = list(pool.map(lambda pair: call(*pair), bodies))
    _wait_for_the_model(port)
    return replies


def _kill_worker(port: int) -> None:
    ready = _ready(port)
    if ready is None:
        raise DemoFailed("the server was not ready when its worker was to be killed")
    os.kill(int(ready["worker"]), signal.SIGKILL)
    print(f"   worker    killed (pid {ready['worker']}, kill -9)", flush=True)


def _wait_for_the_model(port: int) -> None:
    begun = time.monotonic()
    while time.monotonic() - begun < 60:
        if _ready(port) is not None:
            print("   worker    a new one answers", flush=True)
            return
        time.sleep(0.2)
    raise DemoFailed("no worker came back within 60 s of the kill")


# --- what happened ----------------------------------------------------------------------------------------------------


def _judge(settings: Settings, replies: Sequence[Reply]) -> Mapping[str, int]:
    """Hold the promises against what came back. Raises: DemoFailed naming the one that was broken."""

    good = [reply for reply in replies if not reply.malformed]
    bad = [reply for reply in replies if reply.malformed]
    failed = [reply for reply in good if reply.status != 200]
    if failed:
        raise DemoFailed(f"{len(failed)} of {len(good)} accepted requests failed, the first with {failed[0]}")
    passed = [reply for reply in bad if not 400 <= reply.status < 500]
    if passed:
        raise DemoFailed(f"{len(passed)} malformed requests did not get 4xx, the first got {passed[0]}")
    ids = [str(reply.body["request_id"]) for reply in good]
    ledger = open_ledger(settings)
    try:
        logged = ledger.prediction_ids(ids)
    finally:
        ledger.close()
    if len(set(ids)) != len(ids) or len(logged) != len(ids):
        raise DemoFailed(f"{len(ids) - len(logged)} of {len(ids)} answered requests are missing from the log")
    return Counter(str(reply.body["answered_by"]) for reply in good)


def _gate_auc(settings: Settings, bundle: Bundle) -> str:
    from proveout.rollout import measures
    from proveout.rollout import status as standing

    with open_ledger(settings) as ledger:
        measured = measures.gate_value(standing.verdict_of(ledger, bundle.digest), "auc")
    return "" if measured is None else f": AUC {measured:.3f}, measured by the gate"


def _story(
    bundle: Bundle, replies: Sequence[Reply], rungs: Mapping[str, int], *, measured: str, seconds: float
) -> None:
    good = sorted(reply.seconds for reply in replies if not reply.malformed)
    median = good[len(good) // 2] * 1000
    by = ", ".join(f"{rungs[rung]} by {rung}" for rung in get_args(AnswerSource) if rungs.get(rung))  # down the ladder
    print(
        f"""
What happened, in {seconds:.0f} seconds
  {bundle.name} was trained on flights through {bundle.train_through} and judged on {bundle.holdout},
  a month it had not seen{measured}. The gate approved and signed it.
  {len(good)} flights of {MONTH} were asked about and {len(good)} answered: {by}.
  The worker was killed on the way: no request failed. Half of the answers took under {median:.0f} ms,
  the slowest {good[-1] * 1000:.0f} ms. {len(replies) - len(good)} malformed requests were turned away with a reason.
  Every answer is in the prediction log, and the monitor has compared them with what the model knew.

Try next
  proveout status                what serves, since when, and how to go back
  proveout when now              what served at a moment, approved by which verdict
  proveout verify {bundle.digest[:12]}   is every file of it still what was approved
  proveout verdict {bundle.digest[:12]}  what the gate asked, and what it got
  proveout alerts                what the monitor wants a person to know
  make serve                     serve it on 127.0.0.1:8080
(They live in .venv/bin; `source .venv/bin/activate` puts them on your path.)""",
        flush=True,
    )
