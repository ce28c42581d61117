"""Releases, canaries and shadows of a running server: what changes for whom, and that nobody waits or is lost."""

import os
import signal
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from patience import wait_until
from serving_live import Answered, Load, Server, starting
from serving_toy import RELEASE, apply, desired, release

from proveout.records.prediction import ShadowAnswer

pytestmark = pytest.mark.live

NEW = "toy@new000000000"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    yield from starting(tmp_path / "project")


def post(server: Server, seq: int, **changed: Any) -> float:
    """Release something. When that was, by the clock of the load."""
    apply(server.root, desired(seq=seq, **changed))
    return time.perf_counter()


def wait_until_held(server: Server, name: str) -> None:
    server.wait_for(lambda status, details: name in details.get("holds", ()))


def assert_nobody_failed(load: Load) -> None:
    """Each of many requests has an answer."""
    assert len(load.answers) > 50
    assert load.failed() == []


def test_a_release_and_its_rollback_under_load_fail_nobody(start):
    """R7 of the scoreboard: two API processes and one worker, and no old answer once both have the desired state."""
    server = start(PROVEOUT_API_PROCESSES="2")
    server.wait_ready()
    server.wait_forked(2)
    with Load(server) as load:
        load.wait_for_more()
        post(server, 2, champion=release("new"), before=release())
        server.wait_for_desired(2, api_processes=2, holds=NEW)
        load.wait_for_more()
        post(server, 3, champion=release(), before=release("new"))
        server.wait_for_desired(3, api_processes=2)
        back = time.perf_counter()
        load.wait_for_more()

    assert_nobody_failed(load)
    assert {answer.answered_by for answer in load.answers} == {"model"}
    assert {answer.release for answer in load.answers} == {RELEASE, NEW}
    assert {answer.release for answer in load.answers if answer.asked_at > back} == {RELEASE}
    assert set(server.logged()) <= {answer.request_id for answer in load.answers}


@pytest.mark.parametrize("fault", ["corrupt", "unapproved", "unloadable"])
def test_a_bad_release_under_load_changes_nothing_but_what_readyz_says(start, fault):
    """The old champion stays, for every request; the reason is where people look."""
    server = start()
    server.wait_ready()
    bad = release(fault)
    with Load(server) as load:
        load.wait_for_more()
        post(server, 2, champion=bad, before=release())
        details = server.wait_for(lambda status, details: bad.name in details.get("refused", ()))
        load.wait_for_more()

    assert_nobody_failed(load)
    assert {(answer.answered_by, answer.release) for answer in load.answers} == {("model", RELEASE)}
    assert details["holds"] == [RELEASE]
    assert server.said().count("is not served") == 1


def test_nobody_waits_for_a_bundle_that_opens_slowly(start):
    """A second of pure Python in the process that answers."""
    server = start()
    server.wait_ready()
    with Load(server, clients=4) as load:
        load.wait_for_more()
        post(server, 2, champion=release("slowopen"), before=release())
        wait_until_held(server, release("slowopen").name)
        load.wait_for_more()

    assert_nobody_failed(load)
    assert {answer.answered_by for answer in load.answers} == {"model"}
    assert load.answers[-1].release == release("slowopen").name


def test_a_canary_has_its_keys_and_a_failing_one_gives_them_back(start):
    """Sticky while it is well; the champion's as soon as it is known not to be. Its faults cost ten requests a answer
    source."""
    server = start(PROVEOUT_BREAKER_RESET_S="600")
    server.wait_ready()
    post(server, 2, canary=release("new", role="canary", share=0.5))
    server.wait_for_desired(2, holds=NEW)
    well = {number: server.ask(number=number)["release"] for number in range(30)}
    assert {number: server.ask(number=number, size=0.9)["release"] for number in range(30)} == well
    assert set(well.values()) == {RELEASE, NEW}

    sick = release("raising", role="canary", share=0.5)
    post(server, 3, canary=sick)
    server.wait_for_desired(3, holds=sick.name)
    answers = [server.ask(number=number) for number in range(120)]

    sources = Counter((answer["release"], answer["answered_by"]) for answer in answers)
    assert sources[sick.name, "rules"] == 10
    assert sources[RELEASE, "model"] == 110
    assert server.get("/readyz")[1]["breakers"][sick.name] == "open"


def median_s(load: Load) -> float:
    return statistics.median(answer.took_s for answer in load.answers)


@pytest.mark.parametrize("fault", ["raising", "slow", "hanging"])
def test_a_sick_shadow_is_nobodys_business(start, fault):
    """R16 of the scoreboard: raising, slow or hanging, it changes no answer and delays none."""
    server = start()
    server.wait_ready()
    sick = release(fault, role="shadow")
    with Load(server, clients=4) as before:
        before.wait_for_more()
    post(server, 2, shadow=sick)
    wait_until_held(server, sick.name)
    with Load(server, clients=4) as load:
        load.wait_for_more(200)

    assert_nobody_failed(load)
    assert {(answer.answered_by, answer.release) for answer in load.answers} == {("model", RELEASE)}
    # The slow one takes a second for each batch.
    assert median_s(load) < median_s(before) + 0.5
    assert "is killed" not in server.said()


def test_a_hanging_shadow_is_left_alone_and_the_worker_lives(start):
    """Asked once, silent for five seconds, never asked again; reasons are still given."""
    server = start()
    worker = server.wait_ready()["worker"]
    sick = release("hanging", role="shadow")
    post(server, 2, shadow=sick)
    wait_until_held(server, sick.name)
    # More than one request: the line for shadows may hear of the release after /readyz.
    wait_until(lambda: server.ask() and "it gets no more requests" in server.said(), "the end of the shadow")
    server.ask()

    assert server.said().count(f"the shadow {sick.name} did not reply in time") == 1
    assert server.ask(number=5, explain=True)["reasons"]
    assert server.wait_ready()["worker"] == worker


def test_what_a_shadow_said_is_logged_beside_the_answer(start):
    """For `proveout compare`: by the request's id, with the shadow's own label."""
    server = start()
    server.wait_ready()
    post(server, 2, shadow=release("high", role="shadow"))
    wait_until_held(server, release("high").name)

    def said() -> dict[str, ShadowAnswer]:
        with server.ledger() as ledger:
            return {row.request_id: row for row in ledger.shadows()}

    # The line for shadows may hear of the release after /readyz.
    wait_until(lambda: server.ask(number=999) and said(), "a first word of the shadow")
    answers = {answer["request_id"]: answer for answer in (server.ask(number=i, size=0.5) for i in range(20))}
    wait_until(lambda: set(answers) <= set(said()), "its word on each")

    for row in (row for request_id, row in said().items() if request_id in answers):
        answered = answers[row.request_id]["prediction"]["probability"]
        assert row.answer.probability == pytest.approx(answered + 0.2)
        assert row.answer.value is (row.answer.probability >= 0.6)


def test_a_new_worker_after_a_bad_release_and_a_kill_holds_the_one_before(start):
    """Two misfortunes at once: the champion in the desired state does not open, and the worker that had the old one
    dies."""
    server = start()
    worker = server.wait_ready()["worker"]
    bad = release("corrupt")
    post(server, 2, champion=bad, before=release())
    server.wait_for(lambda status, details: bad.name in details.get("refused", ()))
    os.kill(worker, signal.SIGKILL)

    details = server.wait_for(lambda status, details: status == 200 and details["worker"] != worker)

    assert details["holds"] == [RELEASE]
    assert server.ask()["answered_by"] == "model"


@pytest.mark.chaos
@pytest.mark.timeout(1_800)
def test_promotions_and_rollbacks_ten_times_under_load(start):
    """One lucky swap proves nothing. Each third release is one that does not open."""
    server = start(PROVEOUT_API_PROCESSES="2")
    server.wait_ready()
    reached: list[float] = []
    late: list[Answered] = []
    with Load(server, most=500_000) as load:
        for trial in range(10):
            new = release(f"n{trial}") if trial % 3 else release(f"corrupt{trial}")
            post(server, 2 * trial + 2, champion=new, before=release())
            if trial % 3:
                wait_until_held(server, new.name)
            load.wait_for_more()
            posted = post(server, 2 * trial + 3, champion=release(), before=new)
            server.wait_for_desired(2 * trial + 3, api_processes=2)
            back = time.perf_counter()
            load.wait_for_more()
            reached.append(back - posted)
            late += [answer for answer in list(load.answers) if answer.release == new.name and answer.asked_at > back]
    print(
        f"10 swaps and rollbacks, {len(load.answers)} asked, {len(load.failed())} failed, "
        f"slowest {load.slowest_s():.3f} s, a rollback reached everybody within {max(reached):.2f} s"
    )
    assert_nobody_failed(load)
    assert late == []
