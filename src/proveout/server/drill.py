"""The fault drill: break the worker of a running server on purpose, and count the answers that clients get.

Input: the settings and the server's address. Output: a `DrillReport`: for each fault, the answers of each source and
their latency; and the quality of the rules and the model on the held-out rows, which shows the cost of a fallback. The
requests are those rows. They are logged like any others, with ids that start with `drill-`. A drill sends signals to
the worker, so it needs the server's machine and user. The worker has no fault switch: the drill uses signals only.
"""

import itertools
import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from proveout.project import open_ledger, open_store
from proveout.records.answer import Answer
from proveout.records.prediction import AnswerSource
from proveout.server import load_client
from proveout.server.load_client import Address, Answered, DrillFailed
from proveout.settings import Settings
from proveout.task.task import Task

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

PREFIX = "drill-"
"""Prefix of the ids of a drill's requests."""

Fault = Literal["none", "killed", "hanging", "slow"]
FAULTS: tuple[Fault, ...] = ("none", "killed", "hanging", "slow")

_SHOWN = ("auc", "brier", "log_loss", "accuracy", "balanced_accuracy", "mae", "rmse", "r2")
"""Metrics that show the quality of an answer source, for all tasks."""

_BACK_S = 60.0  # limit for the model to answer again after a fault
_SLOW_STOPPED = 1.5  # share of the deadline for which the worker is stopped
_SLOW_RUNNING_S = 0.1  # before it is stopped again
_LATE_S = 0.25  # tolerance over the deadline, for busy cores and the connection, before an answer counts as late


@dataclass(frozen=True, kw_only=True)
class Phase:
    """The answers during one fault. Times are in seconds, measured by the client."""

    fault: Fault
    asked: int
    sources: Mapping[AnswerSource, int]
    shed: int  # told to retry because of overload; the retry is counted in `sources` or `failed`
    failed: int  # no answer, or a status other than 200
    problems: Mapping[str, int]  # number of failed requests by problem
    late: int  # answered after the deadline
    median_s: float
    p99_s: float
    slowest_s: float
    back_s: float  # seconds from the end of the fault until the model answered again


@dataclass(frozen=True, kw_only=True)
class Quality:
    """The quality of one answer source on the held-out rows."""

    source: AnswerSource
    rows: int
    metrics: Mapping[str, float]  # by name: the task's metrics that exist for both sources


@dataclass(frozen=True, kw_only=True)
class DrillReport:
    """One drill."""

    release: str
    deadline_s: float
    split: str  # which rows are held out, in words
    phases: tuple[Phase, ...]
    quality: tuple[Quality, ...]

    @property
    def passed(self) -> bool:
        """Whether every request was answered in time; a shed request counts by its retry."""
        return not any(phase.failed or phase.late for phase in self.phases)


def run(
    settings: Settings,
    *,
    key: str | None = None,
    faults: Sequence[Fault] = FAULTS,
    seconds: float = 3.0,
    say: Callable[[str], None] = lambda words: None,
) -> DrillReport:
    """Inject `faults` into the server at the settings' address, each for `seconds`.

    Args:
        key: an API key with the scopes `predict` and `admin`, if the server requires keys.
        say: called with progress messages.
    Raises: DrillFailed if the server is not ready or is on another machine, or if a canary runs.
    """
    host = {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(settings.host, settings.host)  # noqa: S104
    address = Address(host=host, port=settings.port, key=key)
    ready = load_client.ready(address)
    _refuse_canary(settings)
    say(f"{ready['release']} is ready; measuring model and rules on the held-out rows")
    split, rows, quality = _held_out(settings, str(ready["release"]))
    phases = []
    for fault in faults:
        phases.append(_phase(settings, address, fault, rows, seconds=seconds))
        say(_in_short(phases[-1]))
    return DrillReport(
        release=str(ready["release"]),
        deadline_s=settings.deadline_s,
        split=split,
        phases=tuple(phases),
        quality=quality,
    )


def _in_short(phase: Phase) -> str:
    by = ", ".join(f"{count} by {source}" for source, count in phase.sources.items()) or "nobody answered"
    return f"{phase.fault}: {phase.asked} asked, {by}; slowest {phase.slowest_s * 1000:.0f} ms"


# --- one fault ----------------------------------------------------------------------------------------------------


def _phase(settings: Settings, address: Address, fault: Fault, rows: Sequence[bytes], *, seconds: float) -> Phase:
    answers: list[Answered] = []
    with load_client.asking(address, itertools.cycle(rows), answers, prefix=PREFIX):
        with _fault(address, fault, settings.deadline_s):
            time.sleep(seconds)
        over = time.monotonic()
        _wait_for_the_model(address, rows, fault)
        back_s = time.monotonic() - over
    return summary(fault, answers, deadline_s=settings.deadline_s, back_s=back_s)


def summary(fault: Fault, answers: Sequence[Answered], *, deadline_s: float, back_s: float) -> Phase:
    """The summary of `answers` during a fault. Raises: DrillFailed if there are none."""
    if not answers:
        raise DrillFailed(f"No request was sent while the worker was {fault}: give the drill more --seconds.")
    took = sorted(answer.seconds for answer in answers)
    return Phase(
        fault=fault,
        asked=len(answers),
        sources=dict(sorted(Counter(a.source for a in answers if a.source is not None).items())),
        shed=sum(answer.retried for answer in answers),
        failed=sum(answer.source is None for answer in answers),
        problems=Counter(answer.problem or "no reason" for answer in answers if answer.source is None),
        late=sum(answer.seconds > deadline_s + _LATE_S for answer in answers),
        median_s=took[len(took) // 2],
        p99_s=took[min(len(took) - 1, int(0.99 * len(took)))],
        slowest_s=took[-1],
        back_s=back_s,
    )


@contextmanager
def _fault(address: Address, fault: Fault, deadline_s: float) -> Iterator[None]:
    """Apply `fault` to the current worker, until the end of the block at the latest."""
    if fault == "none":
        yield
        return
    ready = load_client.ready(address)
    worker = int(ready["worker"])
    over = threading.Event()
    if fault == "slow":
        hand = threading.Thread(target=_hold_back, args=(worker, over, deadline_s * _SLOW_STOPPED), daemon=True)
        hand.start()
    else:
        _signal(worker, signal.SIGKILL if fault == "killed" else signal.SIGSTOP)
    try:
        yield
    finally:
        over.set()
        if fault == "slow":
            hand.join()
        if fault != "killed":
            # The watchdog may have been faster. The pid cannot be reused while the parent has not reaped it.
            with suppress(DrillFailed):
                _signal(worker, signal.SIGCONT)


def _hold_back(worker: int, over: threading.Event, stopped_s: float) -> None:
    with suppress(DrillFailed):  # the watchdog has killed it
        while not over.is_set():
            _signal(worker, signal.SIGSTOP)
            over.wait(stopped_s)
            _signal(worker, signal.SIGCONT)
            over.wait(_SLOW_RUNNING_S)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError as error:
        raise DrillFailed(
            f"There is no worker with the pid {pid} here: run the drill where the server runs."
        ) from error
    except PermissionError as error:
        raise DrillFailed(
            f"The worker {pid} is another user's: run the drill as the user who runs the server."
        ) from error


def _wait_for_the_model(address: Address, rows: Sequence[bytes], fault: Fault) -> None:
    """Return when the model answers. A ready worker may still wait for its circuit breaker to close."""
    until = time.monotonic() + _BACK_S
    connection = None
    number = 0
    while time.monotonic() < until:
        # A new row each time, because the cache may answer a repeated one.
        number += 1
        body = rows[-number % len(rows)]
        connection, answered = load_client.ask(address, connection, body, f"{PREFIX}{time.time_ns():x}-back-{number}")
        if answered.source == "model":
            break
        time.sleep(0.05)
    else:
        raise DrillFailed(
            f"The model did not answer within {_BACK_S:g} s after its worker was {fault}: see the server's log."
        )
    if connection is not None:
        connection.close()


# --- the held-out rows ----------------------------------------------------------------------------------------------


def _refuse_canary(settings: Settings) -> None:
    from proveout.rollout import releases

    with open_ledger(settings) as ledger:
        canary = releases.current(ledger, settings.model, "canary")
    if canary is not None:
        raise DrillFailed(
            f"{canary.name} runs as canary, and the faults of a drill would count against it. Wait for its verdict, or "
            "end it: proveout rollback --reason …"
        )


def _held_out(settings: Settings, release: str) -> tuple[str, list[bytes], tuple[Quality, ...]]:
    """The held-out rows of the released model: the split in words, request bodies, the quality of model and rules."""
    from proveout.data import features, request_columns
    from proveout.data.splits import HOLDOUT
    from proveout.model.bundle import rows_on
    from proveout.model.released_bundle import open_released
    from proveout.settings import load_object

    store = open_store(settings)
    opened = open_released(settings, store.find("bundles", release.rpartition("@")[2]), direct=False)
    rows = rows_on(opened, store, HOLDOUT)
    known = features.labels(settings, rows)
    rows = rows[known.notna()][list(features.request_columns(settings))]
    records = request_columns.plain_records(rows)
    task = opened.task
    happened = task.outcomes(known[known.notna()].to_numpy())
    quality = [measure("model", opened.predict(rows), happened, task=task)]
    if settings.fallback is not None:
        rules = load_object(settings.fallback, settings.root)
        quality.append(by_rules([task.read_rules(rules(record)) for record in records], happened, task=task))
    return opened.bundle.split.words, [json.dumps(record).encode() for record in records], tuple(quality)


def measure(source: AnswerSource, scores: "NDArray[np.float64]", happened: "NDArray[Any]", *, task: Task) -> Quality:
    """The quality of `scores`. Raises: DrillFailed if it cannot be measured."""
    names = [name for name in _SHOWN if name in task.metric_names]
    found = task.measure(names, happened, scores)
    if task.default_metric not in found:
        raise DrillFailed("The held-out rows have only one outcome, so quality cannot be measured.")
    return Quality(source=source, rows=len(happened), metrics=found)


def by_rules(answers: Sequence[Answer], happened: "NDArray[Any]", *, task: Task) -> Quality:
    """The quality of the rules' answers: by their scores if they have any, else by the share of right answers."""
    import numpy as np

    said = [task.scores(answer) for answer in answers]
    known = [one for one in said if one is not None and len(one) == task.width]
    if len(known) == len(answers):
        return measure("rules", np.array(known, dtype=float).reshape(task.shape(len(known))), happened, task=task)
    right = np.mean([answer.value == outcome for answer, outcome in zip(answers, happened.tolist(), strict=True)])
    return Quality(source="rules", rows=len(happened), metrics={"accuracy": float(right)})
