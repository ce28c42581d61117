"""Releases under load: a swap, a rollback, a promotion or a revoked key holds for every request as soon as the
processes have the desired state, and no request fails of it. With desired states that a test puts up, and with bundles
and a ledger.

How soon that is, in seconds, is printed; test_controller.py holds how often each process looks.
"""

import concurrent.futures
import http.client
import json
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from patience import wait_until
from serving_live import HANGS_AFTER_S, Load, Server, starting
from serving_toy import RELEASE, apply, desired, release, request
from tiny_project import APP, Project

from proveout.ledger.ledger import Ledger
from proveout.records.answer import TaskFacts
from proveout.records.api_key import ApiKey
from proveout.records.release import Release
from proveout.records.values import now
from proveout.rollout import releases
from proveout.server.server_state import DesiredState
from proveout.trust.api_keys import mac_of
from proveout.trust.secrets import KEY_PEPPER, secret

pytestmark = pytest.mark.live


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    yield from starting(tmp_path / "project")


def assert_no_request_failed(load: Load) -> None:
    assert load.failed() == []
    assert {answer.answered_by for answer in load.answers} == {"model"}


# --- desired states --------------------------------------------------------------------------------------------------


def swap(server: Server, load: Load, to: DesiredState) -> float:
    """Put `to` up, and see that its champion answers all who ask once it is everywhere. How long that took."""
    began = time.perf_counter()
    apply(server.root, to)
    server.wait_for_desired(to.seq, api_processes=2, holds=to.champion.name)
    everywhere = time.perf_counter()
    load.wait_for_more()
    after = [answer for answer in list(load.answers) if answer.asked_at > everywhere]
    assert after and {answer.release for answer in after} == {to.champion.name}
    return everywhere - began


def test_a_new_champion_answers_everywhere(start):
    """R7 of the scoreboard: and the one before is kept open, so the way back is as short."""
    server = start(PROVEOUT_API_PROCESSES="2")
    server.wait_ready()
    server.wait_forked(2)
    a, b = release(), release("b")
    with Load(server, most=200_000) as load:
        load.wait_for_more()
        forth = swap(server, load, desired(seq=2, champion=b, before=a))
        back = swap(server, load, desired(seq=3, champion=a, before=b))

    print(f"the release was everywhere after {forth:.2f} s, the rollback after {back:.2f} s")
    assert_no_request_failed(load)
    assert {answer.release for answer in load.answers} == {a.name, b.name}
    assert load.answers[-1].release == a.name


@pytest.mark.chaos
@pytest.mark.timeout(1_800)
def test_ten_releases_and_ten_rollbacks_under_load(start):
    """One request in ten thousand that fails is found by a customer."""
    server = start(PROVEOUT_API_PROCESSES="2")
    server.wait_ready()
    server.wait_forked(2)
    took: list[float] = []
    with Load(server, most=1_000_000) as load:
        for trial in range(20):
            new, old = (release("b"), release()) if trial % 2 == 0 else (release(), release("b"))
            there = desired(seq=2 + trial, champion=new, before=old)
            took.append(swap(server, load, there))
    failed = len(load.failed())
    print(f"20 swaps, {len(load.answers)} asked, {failed} failed, each everywhere after {max(took):.2f} s at most")
    assert_no_request_failed(load)


def test_a_promotion_is_a_swap_like_any_other(start):
    """The canary has answered for its share, to the same keys each time; then for all."""
    server = start(PROVEOUT_API_PROCESSES="2")
    server.wait_ready()
    server.wait_forked(2)
    a, b = release(), release("b")
    with Load(server, most=200_000) as load:
        apply(server.root, desired(seq=2, canary=release("b", role="canary", share=0.3)))
        server.wait_for_desired(2, api_processes=2, holds=b.name)
        load.wait_for_more(200)
        before = len(load.answers)
        swap(server, load, desired(seq=3, champion=b, before=a))

    of_the_canary = sum(answer.release == b.name for answer in load.answers[:before])
    assert_no_request_failed(load)
    assert 0 < of_the_canary < 0.6 * before
    assert load.answers[-1].release == b.name


@pytest.mark.parametrize("sick", ["corrupt", "unapproved", "unloadable"])
def test_a_bundle_that_may_not_be_served_changes_nothing(start, sick):
    """The worker refuses it, says why and tells a person; the one before answers on."""
    server = start()
    server.wait_ready()
    bad = release(sick)
    with Load(server) as load:
        load.wait_for_more()
        apply(server.root, desired(seq=2, champion=bad, before=release()))
        details = server.wait_for(lambda _, details: bad.name in details["refused"])
        load.wait_for_more()

    assert_no_request_failed(load)
    assert {answer.release for answer in load.answers} == {RELEASE}
    assert details["ready"] and details["holds"] == [RELEASE]
    wait_for_alert(server, f"{bad.name} is refused")
    assert server.alerts() == [f"{bad.name} is refused"]


def test_a_dead_controller_delays_a_release_and_nothing_else(start):
    """It is the only one who reads the ledger; the next one posts what was missed."""
    server = start()
    server.wait_ready()
    _, log_controller, _ = server.forked()
    with Load(server) as load:
        os.kill(log_controller, signal.SIGKILL)
        apply(server.root, desired(seq=2, champion=release("b"), before=release()))
        server.wait_for_desired(2, holds=release("b").name)
        load.wait_for_more()

    assert_no_request_failed(load)
    assert load.answers[-1].release == release("b").name


def wait_for_alert(server: Server, what: str) -> None:
    wait_until(lambda: what in server.alerts(), lambda: f"the alert that {what}, not only {server.alerts()}")


def test_a_release_that_fails_is_told_and_so_is_that_it_is_over(start):
    """It opens, and raises on every request: the fallback chain answers, and a person takes it back."""
    server = start()
    server.wait_ready()
    bad, good = release("raising"), release()
    what = f"the circuit breaker of {bad.name} is open"
    with Load(server, most=200_000, pause_s=0.01) as load:
        apply(server.root, desired(seq=2, champion=bad, before=good))
        wait_for_alert(server, what)
        apply(server.root, desired(seq=3, champion=good))
        wait_for_alert(server, f"over: {what}")

    assert load.failed() == []
    assert load.answers[-1].answered_by == "model"
    assert server.alerts().count(what) == 1


def test_a_worker_that_does_not_come_back_is_told(start):
    """The rules answer, and nobody would notice for a week."""
    server = start()
    worker = server.wait_ready()["worker"]
    (server.root / "dies-on-opening").touch()
    os.kill(worker, signal.SIGKILL)
    wait_for_alert(server, "no model answers")
    assert server.ask()["answered_by"] == "rules"
    (server.root / "dies-on-opening").unlink()
    wait_for_alert(server, "over: no model answers")
    assert server.ask()["answered_by"] == "model"


# --- keys ------------------------------------------------------------------------------------------------------------


def api_key(pepper: bytes, **changed: Any) -> ApiKey:
    values = {
        "id": "0123456789ab", "name": "ada", "tenant": "one", "mac": mac_of(pepper, "s" * 32),
        "scopes": ("predict", "admin"), "created_at": now(),
    }  # fmt: skip
    return ApiKey(**{**values, **changed})


def statuses(server: Server, headers: Mapping[str, str]) -> list[int]:
    """Of sixteen requests over as many connections, which the kernel spreads over the processes."""

    def status(_: int) -> int:
        with closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=HANGS_AFTER_S)) as connection:
            connection.request("POST", "/predict", json.dumps(request()), headers)
            return connection.getresponse().status

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        return list(pool.map(status, range(16)))


def test_a_revoked_key_opens_nothing_in_any_process(start, tmp_path):
    """Whoever revokes one does so for a reason."""
    state = tmp_path / "project" / ".proveout"
    pepper = secret(state / "keys", KEY_PEPPER)
    apply(tmp_path / "project", desired(keys=(api_key(pepper),)))
    server = start(PROVEOUT_API_PROCESSES="2", PROVEOUT_AUTH="on")
    bearer = {"authorization": "Bearer po_0123456789ab_" + "s" * 32}
    server.wait_ready()
    server.wait_forked(2)
    with Load(server, clients=8, stubborn=True, pause_s=0.005, headers=bearer) as load:
        load.wait_for_more()
        before = time.perf_counter()
        apply(tmp_path / "project", desired(seq=2, keys=(api_key(pepper, revoked_at=now()),)))
        # /readyz has no details for whom it does not know: an answer of each process says which desired state it goes
        # by.
        wait_until(lambda: all(status == 401 for status in statuses(server, bearer)), "the end of the key")
        revoked = time.perf_counter()
        load.wait_for_more()

    assert {a.problem for a in load.answers if a.asked_at + a.took_s < before} == {"200"}
    assert {a.problem for a in load.answers if a.asked_at > revoked} == {"401"}
    assert "s" * 32 not in server.said()


# --- bundles and a ledger --------------------------------------------------------------------------------------------


def tiny_request(i: int) -> dict[str, Any]:
    return {"hour": i % 24, "wind": i / 10}


def act(tiny: Project, server: Server, load: Load, what: Callable[[Ledger], Release]) -> float:
    with Ledger(tiny.settings.ledger) as ledger:
        began = time.perf_counter()
        made = what(ledger)
        seq = ledger.last_seq()
    server.wait_for_desired(seq, api_processes=2, holds=made.name)
    everywhere = time.perf_counter()
    load.wait_for_more()
    after = [answer for answer in list(load.answers) if answer.asked_at > everywhere]
    assert after and {answer.release for answer in after} == {made.name}
    return everywhere - began


def live(tiny: Project, trials: int) -> tuple[Load, Sequence[float]]:
    """Releases and rollbacks of two approved bundles, under load; how long until each was everywhere."""
    first, second = tiny.pack(), tiny.pack(task=TaskFacts(threshold=0.4))
    tiny.judge(first)
    tiny.judge(second)
    tiny.release(first)
    server = Server(tiny.root, app=APP, PROVEOUT_API_PROCESSES="2")
    by: dict[str, Any] = {"by": "ada", "reason": "-"}
    took: list[float] = []
    try:
        server.wait_ready()
        server.wait_forked(2)
        with Load(server, most=500_000, body=tiny_request) as load:
            load.wait_for_more()
            for _ in range(trials):
                forth = lambda ledger: releases.release(ledger, tiny.keyring, second, at=now(), **by)  # noqa: E731
                back = lambda ledger: releases.rollback(  # noqa: E731
                    ledger, tiny.keyring, "tiny", bundle=first, at=now(), **by
                )
                took += [act(tiny, server, load, forth), act(tiny, server, load, back)]
        assert load.answers[-1].release == first.name
    finally:
        server.stop()
    return load, took


def test_a_rollback_in_the_ledger_is_everywhere(tiny):
    """With real bundles, verified and opened again by the worker."""
    load, took = live(tiny, trials=1)

    print(f"the release was everywhere after {took[0]:.2f} s, the rollback after {took[1]:.2f} s")
    assert_no_request_failed(load)


@pytest.mark.chaos
@pytest.mark.timeout(1_800)
def test_ten_rollbacks_in_the_ledger(tiny):
    """The same, ten times."""
    load, took = live(tiny, trials=10)

    failed = len(load.failed())
    slowest = max(took[1::2])
    print(f"10 releases and rollbacks, {len(load.answers)} asked, {failed} failed, rollback within {slowest:.2f} s")
    assert_no_request_failed(load)
