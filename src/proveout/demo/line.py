"""The whole line once, told as a short story: take data in, train, judge, release, serve, ask, kill the worker, watch.

Input: the settings of a project. Output: an exit code, 0 if every promise on the way held. Flows, gate and server
run as the processes they are in production; this room only starts them, calls them over HTTP and counts. It knows
nothing of what a project is about: it asks with rows that the project itself held out, or with a newer batch.
"""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, get_args

from proveout import gate_settings
from proveout.demo import live_server, sample_requests
from proveout.demo.live_server import DemoFailed, Reply
from proveout.demo.sample_requests import SampleRequest
from proveout.errors import UsageError
from proveout.project import open_keyring, open_ledger, open_store
from proveout.records.bundle import Bundle
from proveout.records.json_form import from_json
from proveout.records.prediction import AnswerSource
from proveout.records.values import now
from proveout.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

REQUESTS = 500
MALFORMED = 25  # of them
FLOWS = ("flows/ingest.py", "flows/train.py", "flows/monitor.py")

# `2026-01-01 00:00:00.000 [run/step/task (pid 1)] text`: what a step printed, of all that Metaflow says
_STEP_LINE = re.compile(r"^\S+ \S+ \[[^/]+/(?P<step>\w+)/\d+ \(pid \d+\)\] (?P<text>.*)$")
_OF_METAFLOW = ("Task is starting", "Task finished successfully")


def run(settings: Settings, *, batch: str | None = None) -> int:
    """Take the project through the whole line. Progress is printed all the time; ends with what to try.

    Args:
        batch: one that is newer than the held-out rows: its rows are asked, and it is taken in afterwards, as the
            outcomes of a batch are. Without it, the held-out rows are asked.
    Raises: UsageError in a project without flows; DemoFailed naming the promise that was broken.
    """
    _refuse_without_flows(settings)
    begun = time.monotonic()
    _say("1", "taking data in: source, guard, snapshot")
    run_flow(settings, "flows/ingest.py", "run")
    _say("2", "training: features, the notebook, the bundle, and the gate")
    other = gate_settings.other_checks(settings)
    run_flow(settings, "flows/train.py", "run", *(("--checks", other) if other else ()))
    bundle = release_newest(settings, by="proveout demo")
    _say("4", "serving it on 127.0.0.1")
    with ThreadPoolExecutor(1) as thread:
        requests = thread.submit(_requests, settings, bundle, batch)  # read while the server starts
        with live_server.running(settings) as port:
            asked_with = requests.result()
            _say("5", f"sending {REQUESTS} requests, {MALFORMED} of them malformed, and killing the worker")
            replies = live_server.ask_all(port, asked_with)
    sources = judge(settings, replies)
    _say("6", f"taking {batch} in, with what became of it, then watching" if batch else "watching what was answered")
    if batch:
        run_flow(settings, "flows/ingest.py", "run", "--batch", batch)
    run_flow(settings, "flows/monitor.py", "run", "--newest", str(REQUESTS))
    asked = f"rows of {batch}" if batch else "held-out rows"
    measured = _measured(settings, bundle)
    print(story(bundle, replies, sources, asked=asked, measured=measured, seconds=time.monotonic() - begun), flush=True)
    return 0


def _refuse_without_flows(settings: Settings) -> None:
    missing = [name for name in FLOWS if not (settings.root / name).is_file()]
    if missing:
        raise UsageError(
            f"{settings.root} has no {', '.join(missing)}, which `proveout demo` runs. Add them, or see the reference "
            "project go through the line: proveout init flights && cd flights && proveout demo"
        )


def _say(number: str, what: str) -> None:
    print(f"\n{number}  {what}", flush=True)


# --- flows and release ------------------------------------------------------------------------------------------------


def run_flow(settings: Settings, *command: str) -> None:
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


def newest(settings: Settings) -> Bundle:
    """The newest candidate."""
    with open_ledger(settings) as ledger:
        return from_json(Bundle, ledger.entries(kind="bundle", limit=1, newest_first=True)[0].body)


def release_newest(settings: Settings, *, by: str) -> Bundle:
    """Release the newest candidate as champion, if it does not serve already."""
    from proveout.gate.current_fingerprint import current_fingerprint
    from proveout.rollout import releases
    from proveout.trust import approvals

    bundle = newest(settings)
    with open_ledger(settings) as ledger:
        serving = releases.current(ledger, settings.model)
        if serving is not None and serving.bundle == bundle.digest:
            _say("3", f"{bundle.name} serves already, since {serving.since[:16]}")
        else:
            releases.release(
                ledger,
                open_keyring(settings),
                bundle,
                by=by,
                reason="the gate approved it",
                at=now(),
                quorum=approvals.quorum(settings),
                current_fingerprint=current_fingerprint(settings),
            )
            _say("3", f"released {bundle.name} as champion")
    return bundle


def _requests(settings: Settings, bundle: Bundle, batch: str | None) -> Sequence[SampleRequest]:
    return sample_requests.sample(_rows(settings, bundle, batch), requests=REQUESTS, malformed=MALFORMED)


def _rows(settings: Settings, bundle: Bundle, batch: str | None) -> "pd.DataFrame":
    """The rows to ask with, of the request columns."""
    from proveout.data import features, snapshots

    columns = list(features.request_columns(settings))
    if batch is not None:
        guarded, _ = snapshots.guarded_batch(settings, batch)
        return guarded.accepted[columns]
    from proveout.data.splits import HOLDOUT
    from proveout.model.bundle import packed_rows_on

    store = open_store(settings)
    rows = packed_rows_on(store.folder("bundles", bundle.digest), store, HOLDOUT)
    return rows.loc[features.labels(settings, rows).notna(), columns]


# --- what happened ----------------------------------------------------------------------------------------------------


def judge(settings: Settings, replies: Sequence[Reply]) -> Mapping[str, int]:
    """How many good requests each source answered. Raises: DemoFailed naming the promise that was broken."""
    good = [reply for reply in replies if not reply.malformed]
    bad = [reply for reply in replies if reply.malformed]
    failed = [reply for reply in good if reply.status != 200]
    if failed:
        raise DemoFailed(f"{len(failed)} of {len(good)} accepted requests failed, the first with {failed[0]}")
    passed = [reply for reply in bad if not 400 <= reply.status < 500]
    if passed:
        raise DemoFailed(f"{len(passed)} malformed requests did not get 4xx, the first got {passed[0]}")
    ids = [str(reply.body["request_id"]) for reply in good]
    with open_ledger(settings) as ledger:
        logged = ledger.prediction_ids(ids)
    if len(set(ids)) != len(ids) or len(logged) != len(ids):
        raise DemoFailed(f"{len(ids) - len(logged)} of {len(ids)} answered requests are missing from the log")
    return Counter(str(reply.body["answered_by"]) for reply in good)


def _measured(settings: Settings, bundle: Bundle) -> str:
    """What the gate measured on the held-out rows: the first number that the notebook states too."""
    from proveout.rollout import measures, status

    with open_ledger(settings) as ledger:
        found = measures.of(bundle, status.verdict_of(ledger, bundle.digest))
    both = [one for one in found if one.gate is not None and one.notebook is not None]
    return f", {both[0].name} {both[0].gate:.4g}" if both else ""


def story(
    bundle: Bundle,
    replies: Sequence[Reply],
    sources: Mapping[str, int],
    *,
    asked: str,
    measured: str,
    seconds: float,
) -> str:
    """What a person reads at the end."""
    good = sorted(reply.seconds for reply in replies if not reply.malformed)
    median = good[len(good) // 2] * 1000
    by = ", ".join(f"{sources[source]} by {source}" for source in get_args(AnswerSource) if sources.get(source))
    return f"""
What happened, in {seconds:.0f} seconds
  {bundle.name} was trained, judged on rows that it had not seen{measured}, approved and signed.
  {len(good)} {asked} were asked about and {len(good)} answered: {by}.
  The worker was killed on the way: no request failed. Half of the answers took under {median:.0f} ms,
  the slowest {good[-1] * 1000:.0f} ms. {len(replies) - len(good)} malformed requests were turned away with a reason.
  Every answer is in the prediction log, and the monitor has compared them with what the model knew.

Try next
  proveout status                what serves, since when, and how to go back
  proveout history --at now      what served at a moment, approved by which verdict
  proveout verify {bundle.digest[:12]}   is every file of it still what was approved
  proveout verdict {bundle.digest[:12]}  what the gate asked, and what it got
  proveout alerts                what the monitor wants a person to know
  make serve                     serve it on 127.0.0.1:8080
(They live in .venv/bin; `source .venv/bin/activate` puts them on your path.)"""
