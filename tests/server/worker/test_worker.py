"""`server/worker/`: models at work, several at once, on a real socket in a thread.

test_main.py has the worker in a process of its own.
"""

import json
import math
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from patience import PATIENCE_S
from serving_toy import RELEASE, THRESHOLD, ToyModel, ToySource, apply, desired, release, request, settings_of

from proveout.errors import BundleError, Tampered
from proveout.records.json_form import to_json
from proveout.server.queue import protocol
from proveout.server.server_state import Reader, desired_path, post
from proveout.server.worker import model_pool as pool_module
from proveout.server.worker.model_pool import ModelPool
from proveout.server.worker.model_runner import SLICE_S, ModelRunner
from proveout.server.worker.release_source import Served
from proveout.server.worker.worker import accept_connections, listen, socket_path, watch
from proveout.task.binary import Binary

DTYPES = {"number": "int64", "size": "float64", "city": "str", "mode": "str"}
NEW = "toy@new000000000"


USUAL = Binary(THRESHOLD).facts


def columns(*requests: Mapping[str, Any]) -> dict[str, list[Any]]:
    return {name: [one[name] for one in requests] for name in DTYPES}


def runner(model: Any = None) -> ModelRunner:
    return ModelRunner(Served(release=RELEASE, model=model or ToyModel()), DTYPES, {"size": "m"})


def unhurried(took_s: float) -> None:
    """Pause for nobody."""


# --- one model -------------------------------------------------------------------------------------------------------


def test_each_row_gets_its_own_score_and_confidence():
    """Rows travel together; they are answered one by one."""
    reply = runner().predict(columns(request(size=0.0, number=0), request(size=1.0, number=0)))

    assert reply["scores"] == [[pytest.approx(0.1)], [pytest.approx(0.6)]]
    assert reply["confidence"] == [0.9, 0.7]
    assert reply["problem"] is None
    assert reply["release"] == RELEASE


def test_a_row_that_the_model_raises_on_costs_the_others_nothing():
    """Requests of strangers travel together by chance. And what the model says stays in the log of the worker."""
    rows = [request(mode="raise" if i in {3, 11} else "fine", number=0, size=0.5) for i in range(16)]

    reply = runner().predict(columns(*rows))

    assert [place for place, score in enumerate(reply["scores"]) if score is None] == [3, 11]
    assert reply["problem"][3] == "it raised RuntimeError"
    assert "Ada" not in str(reply)


def test_no_number_and_too_few_numbers_are_no_answers():
    """NaN has no JSON, and a score less would give everybody somebody else's."""
    reply = runner().predict(columns(request(mode="nan"), request()))
    short = runner().predict(columns(request(mode="short"), request(), request()))

    assert reply["scores"][0] == [None]
    assert reply["scores"][1] != [None]
    assert short["problem"][0] == "it raised WrongShape"
    assert short["problem"][1:] == [None, None]


@pytest.mark.parametrize("fault", ["raises", "nan", "short"])
def test_a_model_that_cannot_score_its_own_rows_is_not_opened(fault):
    """Better known now than by the first request."""

    class Broken(ToyModel):
        def predict(self, records: pd.DataFrame) -> np.ndarray:
            if fault == "raises":
                raise KeyError("size")
            return np.full(len(records) - (fault == "short"), math.nan)

    with pytest.raises(BundleError, match="cannot score its own reference rows"):
        runner(Broken())


class Direct(ToyModel):
    """A model that takes arrays, and nothing else once it was opened."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[dict[str, Any]] = []

    def predict_columns(self, rows: Mapping[str, Any]) -> np.ndarray:
        self.calls.append(dict(rows))
        return 0.1 + 0.5 * rows["size"] + 0.0001 * rows["number"]

    def predict(self, records: pd.DataFrame) -> np.ndarray:
        raise AssertionError("a table was built")


def test_a_model_that_takes_arrays_is_given_arrays():
    """A table of one row costs more than the model."""
    model = Direct()
    asked = columns(request(number=3), request(city=None))

    reply = runner(model).predict(asked)

    rows = model.calls[-1]
    assert {name: array.dtype for name, array in rows.items()} == {
        "number": np.int64,
        "size": np.float64,
        "city": object,
        "mode": object,
    }
    assert rows["city"].tolist() == ["EWR", None]
    assert reply["scores"] == runner().predict(asked)["scores"]


@pytest.mark.parametrize("make", [ToyModel, Direct])
def test_reasons_add_up_to_the_answer_in_points(make):
    """They explain this number and no other. Fields the model does not look at are no reasons."""
    one = runner(make())
    high, low = request(size=1.0, number=0), request(size=0.0, number=0)

    first, second = one.explain(columns(high, low), within_s=60, pause=unhurried)

    assert first is not None
    assert second is not None
    assert {reason.field for reason in first} == {"size", "number"}
    assert (first[0].field, first[0].value, first[0].unit) == ("size", 1.0, "m")
    assert first[0].text.startswith("size 1 m raises the probability by")
    total = [sum(reason.effect for reason in reasons) for reasons in (first, second)]
    assert total[0] - total[1] == pytest.approx(0.5, abs=1e-4)


def test_reasons_for_which_there_is_no_time_are_not_computed():
    """Nobody waits for them any more."""
    model = Direct()
    one = runner(model)
    before = len(model.calls)

    assert one.explain(columns(request(), request()), within_s=-1, pause=unhurried) == [None, None]
    assert len(model.calls) == before


def test_slices_shrink_for_a_slow_model():
    """A plain request waits for one slice at most, so a slice is counted in time, not in rows."""

    class Slow(Direct):
        def predict_columns(self, rows: Mapping[str, Any]) -> np.ndarray:
            until = time.thread_time() + len(rows["size"]) * SLICE_S / 80 * (len(self.calls) > 20)
            while time.thread_time() < until:
                pass
            return super().predict_columns(rows)

    model = Slow()
    one = runner(model)
    rows = columns(*[request(number=i) for i in range(4)])
    for _ in range(8):
        one.explain(rows, within_s=60, pause=unhurried)
    sizes = [len(call["size"]) for call in model.calls[-20:]]

    assert max(sizes) <= 160


def test_a_shadow_is_scored_as_a_request_is():
    """What it said is compared with what the champion said: the same rows, the same numbers."""
    rows = columns(*[request(number=i) for i in range(100)])
    one = runner()

    reply = one.shadow(rows, pause=unhurried)

    assert reply["scores"] == one.predict(rows)["scores"]
    assert reply["took_ms"] > 0


# --- the model pool --------------------------------------------------------------------------------------------------


class Shop:
    """A model pool whose openings are counted."""

    def __init__(self, root: Path) -> None:
        self.settings = settings_of(root)
        self.opened: list[str] = []
        self.pool = ModelPool(self._open, share=0.25)
        self.told: list[dict[str, Any]] = []
        self.pool.listeners.add(lambda: self.told.append(self.pool.status()))

    def _open(self, wanted: Any) -> ModelRunner:
        self.opened.append(wanted.name)
        return ModelRunner(ToySource().open(self.settings, wanted), DTYPES)

    def held(self) -> set[str]:
        return set(self.pool.status()["holds"])


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path / "project")


def test_everything_desired_is_held_with_its_own_threshold(shop):
    """Champion, canary, shadow and the one before, side by side; and each change is told."""
    shop.pool.require(desired())
    shop.pool.apply(desired(canary=release("high", role="canary"), before=release("old")))

    status = shop.pool.status()

    assert status["holds"] == {RELEASE: USUAL, "toy@high00000000": Binary(0.6).facts, "toy@old000000000": USUAL}
    assert status["pid"] == os.getpid()
    assert shop.told[-1] == status
    assert shop.pool.answer({"ask": "predict", "release": "toy@high00000000", "columns": columns(request())})[
        "scores"
    ] == [[pytest.approx(0.5501)]]


@pytest.mark.parametrize(
    ("fault", "said"),
    [("corrupt", "was tampered with: model.skops"), ("unapproved", "is not approved"), ("unloadable", "ImportError")],
)
def test_a_champion_that_does_not_open_is_refused_and_the_old_one_answers(shop, capsys, fault, said):
    """With the reason, for the answer of /readyz and for the log."""
    shop.pool.require(desired())

    shop.pool.apply(desired(champion=release(fault), before=release()))

    status = shop.pool.status()
    assert set(status["holds"]) == {RELEASE}
    assert said in status["refused"][release(fault).name]
    assert said in capsys.readouterr().err
    assert shop.told[-1] == status
    assert shop.pool.answer({"ask": "predict", "release": RELEASE, "columns": columns(request())})["problem"] is None


def test_a_refused_bundle_is_tried_again_but_not_at_every_look(shop, monkeypatch):
    """The store may be back; reading a corrupt file ten times a second helps nobody."""
    now = [1000.0]
    monkeypatch.setattr(pool_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    shop.pool.require(desired())
    shop.pool.apply(desired(canary=release("corrupt", role="canary")))
    for _ in range(600):
        now[0] += 0.1
        shop.pool.apply(None)

    assert shop.opened.count("toy@corrupt00000") == 4  # at once, and after 5, 10 and 20 more seconds


def test_a_rollback_opens_nothing(shop):
    """It has to be quick when it is needed, and what cannot be opened then would be in its way."""
    shop.pool.require(desired())
    shop.pool.apply(desired(champion=release("new"), before=release()))
    opened = list(shop.opened)

    shop.pool.apply(desired(champion=release(), before=release("new")))

    assert shop.opened == opened == [RELEASE, NEW]
    assert shop.held() == {RELEASE, NEW}


def test_what_the_desired_state_no_longer_lists_is_dropped_after_a_while(shop, monkeypatch):
    """Not at once: a gateway may still ask for it. Not never: bundles are large."""
    now = [1000.0]
    monkeypatch.setattr(pool_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    shop.pool.require(desired(canary=release("new", role="canary")))
    shop.pool.apply(desired(canary=release("new", role="canary")))
    shop.pool.apply(desired())
    assert shop.held() == {RELEASE, NEW}

    now[0] += 60
    shop.pool.apply(None)

    assert shop.held() == {RELEASE}
    assert set(shop.told[-1]["holds"]) == {RELEASE}


def test_the_old_champion_is_never_dropped_while_the_new_one_is_not_held(shop, monkeypatch):
    """Neither is in the desired state, and one of them answers every request."""
    now = [1000.0]
    monkeypatch.setattr(pool_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    shop.pool.require(desired())
    for _ in range(3):
        now[0] += 60
        shop.pool.apply(desired(champion=release("corrupt"), before=release("unapproved")))

    assert shop.held() == {RELEASE}


def test_a_worker_that_starts_while_the_champion_is_corrupt_opens_the_one_before(shop):
    """It was killed after a bad release: the rules must not answer for ever."""
    shop.pool.require(desired(champion=release("corrupt"), before=release()))

    assert shop.held() == {RELEASE}
    assert "toy@corrupt00000" in shop.pool.status()["refused"]


def test_a_worker_with_nothing_to_hold_does_not_start(shop):
    """And says why not: for the champion."""
    with pytest.raises(Tampered):
        shop.pool.require(desired(champion=release("corrupt"), before=release("unapproved")))


def test_a_release_that_is_not_held_is_said_so(shop):
    """The gateway falls back; it does not get another release's score for it."""
    shop.pool.require(desired())

    reply = shop.pool.answer({"ask": "predict", "release": NEW, "columns": columns(request())})

    assert reply == {"problem": f"the worker does not hold {NEW}"}


def test_slices_leave_their_share_to_requests_while_these_come(shop, monkeypatch):
    """A quarter of the time, measured; and all of it when nobody else asks."""
    slept: list[float] = []
    monkeypatch.setattr(pool_module, "time", SimpleNamespace(monotonic=time.monotonic, sleep=slept.append))
    shop.pool.require(desired())
    explain = {"ask": "explain", "release": RELEASE, "columns": columns(request()), "within_s": 60}

    shop.pool.answer(explain)
    assert slept == []
    shop.pool.answer({"ask": "predict", "release": RELEASE, "columns": columns(request())})
    began = time.perf_counter()
    shop.pool.answer(explain)
    worked_s = time.perf_counter() - began

    assert 0 < sum(slept) <= 3 * worked_s


# --- the socket ------------------------------------------------------------------------------------------------------


class Gateway:
    """Somebody who asks."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(path)
        self._messages = protocol.messages(self.socket)
        self.status = next(self._messages)

    def ask(self, **message: Any) -> dict[str, Any]:
        self.socket.sendall(protocol.pack(message))
        while "holds" in (reply := self.next()):
            self.status = reply
        return reply

    def next(self) -> dict[str, Any]:
        found: dict[str, Any] = next(self._messages)
        return found

    def predict(self, name: str = RELEASE, **changed: Any) -> dict[str, Any]:
        return self.ask(ask="predict", release=name, columns=columns(request(**changed)))


class Running:
    """A worker in threads of this process, with a desired state to follow."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.folder = folder
        self.shop = Shop(root)
        self.post()
        reader = Reader(desired_path(folder))
        there = reader.poll()
        assert there is not None
        self.shop.pool.require(there)
        threading.Thread(target=list, args=(watch(reader, self.shop.pool),), daemon=True).start()
        self.listening = listen(socket_path(folder, 0))
        threading.Thread(target=self._attend, daemon=True).start()

    def _attend(self) -> None:
        try:
            accept_connections(self.listening, self.shop.pool)
        except OSError:
            return

    def post(self, **changed: Any) -> None:
        post(desired_path(self.folder), desired(**changed))

    def connect(self) -> Gateway:
        return Gateway(socket_path(self.folder, 0))


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[Running]:
    with tempfile.TemporaryDirectory() as folder:
        running = Running(Path(folder), tmp_path / "project")
        yield running
        running.listening.close()


def test_a_new_release_is_told_to_everybody_who_is_connected(worker):
    """Within a second of being posted, and without being asked."""
    both = [worker.connect(), worker.connect()]
    assert both[0].status == {"pid": os.getpid(), "holds": {RELEASE: json.loads(to_json(USUAL))}, "refused": {}}

    worker.post(champion=release("new"), before=release())

    for gateway in both:
        assert set(gateway.next()["holds"]) == {RELEASE, NEW}
        assert gateway.predict(NEW)["scores"] is not None


def test_requests_are_answered_while_a_bundle_opens(worker, monkeypatch):
    """Opening one takes the interpreter for as long as it takes: pure Python here, until twenty are answered."""
    gateway, opens, over = worker.connect(), threading.Event(), threading.Event()
    real = ToySource.open

    def endless(source: ToySource, settings: Any, release: Any) -> Any:
        opens.set()
        while not over.is_set():
            pass
        return real(source, settings, release)

    monkeypatch.setattr(ToySource, "open", endless)
    worker.post(champion=release("new"), before=release())
    assert opens.wait(PATIENCE_S)
    try:
        replies = [gateway.predict() for _ in range(20)]
    finally:
        over.set()

    assert all(reply["problem"] is None for reply in replies)
    while NEW not in gateway.status["holds"]:
        gateway.predict()


@pytest.mark.parametrize("fault", ["hanging", "spinning"])
def test_a_hanging_shadow_keeps_no_request_waiting(worker, fault):
    """One that sleeps takes nothing; one that computes takes its part of the interpreter, and no more."""
    began, stop = stoppable(fault)
    worker.post(shadow=release(fault, role="shadow"))
    gateway, side = worker.connect(), worker.connect()
    while len(gateway.status["holds"]) < 2:
        gateway.predict()
    side.socket.sendall(protocol.pack({"ask": "shadow", "release": release(fault).name, "columns": columns(request())}))
    assert began.wait(PATIENCE_S)
    try:
        replies = [gateway.predict() for _ in range(20)]
    finally:
        stop()

    assert all(reply["problem"] is None for reply in replies)


def stoppable(fault: str) -> tuple[threading.Event, Callable[[], None]]:
    """Let the sick toy end when it is told to, so that this process has its interpreter back. And when it began."""
    began, over = threading.Event(), threading.Event()

    def sick(model: ToyModel, scores: np.ndarray) -> np.ndarray:
        began.set()
        while not over.is_set():
            if fault == "hanging":
                over.wait()
        return scores

    original = ToyModel._sick
    ToyModel._sick = sick  # type: ignore[method-assign]

    def stop() -> None:
        over.set()
        ToyModel._sick = original  # type: ignore[method-assign]

    return began, stop


def test_a_gateway_that_leaves_in_the_middle_disturbs_nobody(worker):
    """Its reply is thrown away; the next one's connection is another thread's."""
    leaving = worker.connect()
    leaving.socket.sendall(
        protocol.pack({"ask": "predict", "release": RELEASE, "columns": columns(request(mode="slow"))})
    )
    leaving.socket.close()
    worker.post(champion=release("new"), before=release())

    assert worker.connect().predict()["problem"] is None


def test_a_desired_state_that_cannot_be_read_changes_nothing(worker, capsys):
    """A disk that failed is no reason to stop answering."""
    desired_path(worker.folder).write_text("{")
    gateway = worker.connect()
    time.sleep(0.3)

    assert gateway.predict()["problem"] is None
    worker.post(champion=release("new"), before=release())
    assert NEW in gateway.next()["holds"]


def test_the_toy_reads_the_desired_state_that_a_test_posted(tmp_path):
    """What the tests of the whole server rest on."""
    settings = settings_of(tmp_path)
    assert ToySource().check(settings).champion.name == RELEASE
    apply(tmp_path, desired(seq=5, champion=release("new")))

    there = ToySource().news(settings, seq=4)

    assert there is not None
    assert there.champion.name == NEW
    assert ToySource().news(settings, seq=5) is None
