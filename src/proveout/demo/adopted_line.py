"""An adopted project goes live: taken in, trained, judged, released, served, and asked about the pilot's own rows.

Input: the settings of the project, and what was recovered of the pilot. Output: `LiveProject`. The server goes on.
"""

import json
import os
import signal
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from proveout.data import request_columns
from proveout.demo import line, live_server
from proveout.demo.live_server import DemoFailed
from proveout.gate.verdict import claim
from proveout.ledger.ledger import read
from proveout.model.bundle import OpenBundle
from proveout.pilot.adopt import parity, project_writer
from proveout.pilot.adopt.parity import Parity
from proveout.project import open_ledger, open_store
from proveout.records.bundle import Bundle
from proveout.records.verdict import Verdict
from proveout.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

    from proveout.pilot.adopt.plan import Plan

MOST_ASKED = 1_000  # held-out rows that the server is asked about
_CALLERS = 4
_RELATIVE = 1e-6  # of an answer that has become JSON and came another way through the model
_MOST_TOLD = 6  # checks of a refusal
_TRIES = 6  # of a request that a busy machine did not let the model answer
_PAUSE_S = 1.0  # before the second try, and as much more before each further one: the server says "in 1 s"


@dataclass(frozen=True, kw_only=True)
class LiveProject:
    """A server that answers. `asked` held-out rows were sent to it, `equal` of them got the bundle's own answer."""

    url: str
    pid: int
    bundle: Bundle
    parity: Parity
    asked: int
    equal: int


def go_live(settings: Settings, plan: "Plan", tell: Callable[[str], None]) -> LiveProject:
    """Take the project through the line, and prove that it answers as the pilot did. Its server goes on running.

    Raises: DemoFailed naming the step that failed, or how far the answers are from those of the pilot.
    """
    tell("taking its rows in, running the notebook in the flow, and the gate")
    line.run_flow(settings, "flows/ingest.py", "run")
    opened, proof = _train(settings, plan, tell)
    bundle = line.release_newest(settings, by="proveout adopt")
    tell("starting the server, and asking it about the held-out rows")
    process, port, log = live_server.start(settings)
    try:
        rows = _rows(plan)
        equal = _asked(port, rows, opened, target=settings.target_name)
        if equal < len(rows):
            raise DemoFailed(f"{len(rows) - equal} of {len(rows)} held-out rows got another answer; see {log}")
    except BaseException:
        os.kill(process.pid, signal.SIGTERM)
        raise
    return LiveProject(
        url=f"http://127.0.0.1:{port}", pid=process.pid, bundle=bundle, parity=proof, asked=len(rows), equal=equal
    )


def _train(settings: Settings, plan: "Plan", tell: Callable[[str], None]) -> tuple[OpenBundle, Parity]:
    """The candidate of a training, approved, and the proof that it answers as the pilot did.

    A training without the cells that take long is tried first, if the plan has any: with all of them again, where that
    is not the pilot's model. Raises: DemoFailed.
    """
    try:
        return _candidate(settings, plan, tell)
    except (NotThePilot, NotTrained) as failed:
        if not plan.slow:
            raise
        tell(f"without cells that it does not seem to need: {failed}")
        tell("once more, with all cells")
        plan = replace(plan, slow=())
        project_writer.write_again(plan, settings.root)
    return _candidate(settings, plan, tell)


class NotTrained(DemoFailed):
    """The flow ended without a candidate that the gate has judged."""


class NotThePilot(DemoFailed):
    """The candidate does not answer as the pilot did."""


def _candidate(settings: Settings, plan: "Plan", tell: Callable[[str], None]) -> tuple[OpenBundle, Parity]:
    refused, before = "", _newest_verdict(settings)
    try:
        line.run_flow(settings, "flows/train.py", "run")
    except DemoFailed as failed:
        verdict = _newest_verdict(settings)
        if verdict is None or verdict == before or verdict.outcome == "approved":
            raise NotTrained(str(failed)) from failed
        refused = _refusal(settings, verdict)
    if refused and not plan.slow:
        raise DemoFailed(refused)
    tell("comparing the bundle with the pilot, row by row")
    folder = open_store(settings).folder("bundles", line.newest(settings).digest)
    opened, cell = OpenBundle(folder), plan.recovered.place.cell
    proof = parity.compare(plan.opened, opened, folder, renamed=plan.outcome.renamed, cell=cell)
    if not proof.holds:
        raise NotThePilot(
            f"the flow's run answers {proof.rows - proof.equal} of {proof.rows} held-out rows otherwise than the pilot "
            f"did, by up to {proof.largest:.3g}. They part in {proof.parted}"
        )
    if refused:
        raise DemoFailed(refused)
    return opened, proof


def _newest_verdict(settings: Settings) -> Verdict | None:
    with open_ledger(settings) as ledger:
        newest = ledger.entries(kind="verdict", limit=1, newest_first=True)
        return read(Verdict, newest[0]) if newest else None


def _refusal(settings: Settings, found: Verdict) -> str:
    """What the gate refused, each check in a sentence, and the way on."""
    broken = {one.check: claim(one) for one in reversed(found.evidence) if one.breaks}
    told = {one.check: broken.get(one.check) or " ".join(one.message.split())[:300] for one in found.results}
    each = [f"{check}: {told.get(check, '')}" for check in (*found.failed, *found.unproven)]
    more = f"\n  and {len(each) - _MOST_TOLD} more" if len(each) > _MOST_TOLD else ""
    return (
        f"the gate refused {found.model}@{found.candidate[:12]}:\n  "
        + "\n  ".join(each[:_MOST_TOLD])
        + more
        + f"\nThe bounds are in {settings.root / 'flows/train.toml'}, with the reason of each; the checks are in "
        "checks/. After a change: python flows/train.py run"
    )


def _rows(plan: "Plan") -> "pd.DataFrame":
    """Held-out rows, evenly taken if they are many."""
    places = plan.opened.held_out["row"].tolist()
    places = places[:: len(places) // MOST_ASKED + 1]
    return plan.opened.raw.iloc[places].reset_index(drop=True)


def _asked(port: int, rows: "pd.DataFrame", opened: OpenBundle, *, target: str) -> int:
    """How many of the rows the server answers as the bundle does."""
    records = request_columns.plain_records(rows[list(opened.dtypes)])
    with ThreadPoolExecutor(_CALLERS) as pool:
        answers = list(pool.map(lambda record: _answer(port, record), records))
    wanted = opened.predict(rows)
    return sum(_same(opened, answer, wanted[place], target=target) for place, answer in enumerate(answers))


def _answer(port: int, record: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the server answers; again after a pause if a busy machine did not let the model answer in time."""
    body = json.dumps(record).encode()
    found: Mapping[str, Any] = {}
    for tried in range(_TRIES):
        time.sleep(_PAUSE_S * tried)
        status, found = live_server.call(port, "POST", "/predict", body)
        if 400 <= status < 500:
            raise DemoFailed(f"a held-out row of the pilot is refused with {status}: {json.dumps(found)[:500]}")
        if found.get("answered_by") in ("model", "cache"):
            return found
    raise DemoFailed(f"the model did not answer a held-out row: {json.dumps(found)[:500]}")


def _same(opened: OpenBundle, answer: Mapping[str, Any], wanted: Any, *, target: str) -> bool:
    import numpy as np

    scores = opened.task.scores(opened.task.read_members(answer.get("prediction") or {}, target=target))
    return scores is not None and bool(np.allclose(scores, np.ravel(wanted), rtol=_RELATIVE, atol=_RELATIVE))
