"""`server/queue/`: what waits in front of a worker, and what goes to it beside.

All on a virtual clock: a line to a worker takes the seconds that its test says, and none of them is waited for.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import virtual_clock
from serving_toy import RELEASE, THRESHOLD, desired, release, request

from proveout.records.answer import Answer
from proveout.server.no_answer import NoAnswer
from proveout.server.queue.batch_timing import BatchTiming
from proveout.server.queue.batcher import MOST_ROWS, MOST_WAITING, Dispatch, Overloaded, Scored
from proveout.server.queue.breaker import MOST_FAILED
from proveout.server.queue.shadow_queue import MOST_MIRRORED, ShadowScore
from proveout.server.queue.worker_connection import WorkerLost, WorkerStatus, WorkerTimeout
from proveout.task.binary import Binary

FIELDS = ["number", "size", "city", "mode"]
CANARY = "toy@canary000000"
SHADOW = "toy@shadow000000"
HELLO = WorkerStatus(pid=7, holds={RELEASE: Binary(THRESHOLD), CANARY: Binary(0.6), SHADOW: Binary()}, refused={})

Reply = Callable[[Any], Any]


def sound(message: Any) -> Any:
    """What a worker in good health says."""
    if message["ask"] == "explain":
        return {"reasons": [[{"field": "number", "value": n}] for n in message["columns"]["number"]]}
    if message["ask"] == "probe":
        return {"release": RELEASE, "scores": [[0.5]]}
    rows = len(message["columns"]["number"])
    return {"scores": [[n / 1000] for n in message["columns"]["number"]], "confidence": [0.9] * rows, "took_ms": 2}


@dataclass
class Line:
    """A line to a worker of a known speed."""

    status: WorkerStatus | None = HELLO
    says: Reply = sound
    seconds: Callable[[int], float] = lambda rows: 0.0
    messages: list[Any] = field(default_factory=list)
    at_once: int = 0

    async def ask(self, message: Any) -> Any:
        self.messages.append(message)
        self.at_once += 1
        assert self.at_once == 1, "a line carries one question at a time"
        try:
            await asyncio.sleep(self.seconds(len(message.get("columns", {}).get("number", [0]))))
            return self.says(message)
        finally:
            self.at_once -= 1

    def batches(self, ask: str = "predict") -> list[int]:
        return [len(m["columns"]["number"]) for m in self.messages if m["ask"] == ask]


@dataclass
class Lines:
    plain: Line = field(default_factory=Line)
    side: Line = field(default_factory=Line)
    shadow: Line = field(default_factory=Line)


class Asking:
    """A dispatch, and somebody who asks it."""

    def __init__(self, lines: Lines, cool_s: float = 2.0) -> None:
        self.dispatch = Dispatch(lines, FIELDS, cool_s=cool_s, clock=virtual_clock.now)
        self.lines = lines

    async def score(self, *, release: str = RELEASE, within_s: float = 5.0, **changed: Any) -> Scored:
        until = virtual_clock.now() + within_s
        return await self.dispatch.score(request(**changed), release=release, until=until)

    async def outcome(self, **options: Any) -> str:
        """How it ended, in a word or two."""
        try:
            await self.score(**options)
        except Overloaded:
            return "overloaded"
        except NoAnswer as silence:
            return str(silence)
        return "scored"

    async def explain(self, *, within_s: float = 5.0, **changed: Any) -> Any:
        until = virtual_clock.now() + within_s
        return await self.dispatch.explain(request(**changed), release=RELEASE, until=until)


def run(
    work: Callable[[Asking], Awaitable[None]], *, lines: Lines | None = None, aside: bool = False, cool_s: float = 2.0
) -> None:
    async def running() -> None:
        asking = Asking(lines or Lines(), cool_s)
        carrying = [asyncio.create_task(asking.dispatch.run())] if aside else []
        try:
            async with asyncio.timeout(30):
                await work(asking)
        finally:
            for task in carrying:
                task.cancel()
            await asyncio.gather(*carrying, return_exceptions=True)

    virtual_clock.run(running())


# --- batches ---------------------------------------------------------------------------------------------------------


def test_everybody_gets_their_own_answer():
    """Two hundred requests in a few messages, none mixed up."""

    async def work(asking: Asking) -> None:
        found = await asyncio.gather(*(asking.score(number=i) for i in range(200)))
        assert [scored.answer.probability for scored in found] == [i / 1000 for i in range(200)]
        assert {(scored.release, scored.answer.value) for scored in found[:3]} == {(RELEASE, False)}
        assert len(asking.lines.plain.messages) < 5

    run(work)


def test_an_idle_worker_is_asked_at_once():
    """There is no batching window: a request that comes alone goes alone."""

    async def work(asking: Asking) -> None:
        began = virtual_clock.now()
        await asking.score()
        assert virtual_clock.now() == began
        assert asking.lines.plain.batches() == [1]

    run(work)


def test_what_waits_while_the_worker_is_busy_travels_together():
    """The first goes at once; nobody waits for company."""
    lines = Lines(plain=Line(seconds=lambda rows: 0.02))

    async def work(asking: Asking) -> None:
        first = asyncio.create_task(asking.score())
        await asyncio.sleep(0.005)
        await asyncio.gather(first, *(asking.score(number=i) for i in range(600)))
        # Twice as many as it was seen to manage, so that one batch too large does not cost everybody their deadline.
        assert lines.plain.batches()[:4] == [1, 64, 64, 128]
        assert sum(lines.plain.batches()) == 601
        assert max(lines.plain.batches()) <= MOST_ROWS
        assert asking.dispatch.waiting == 0

    run(work, lines=lines)


def test_releases_travel_apart_and_in_the_order_they_came():
    """Each is predicted by its own model, and the canary's request does not wait for all of the champion's."""
    lines = Lines(plain=Line(seconds=lambda rows: 0.01))

    async def work(asking: Asking) -> None:
        first = asyncio.create_task(asking.score())
        await asyncio.sleep(0.002)
        second = asyncio.create_task(asking.score(release=CANARY))
        await asyncio.sleep(0.002)
        rest = [asyncio.create_task(asking.score(number=i)) for i in range(5)]
        found = await asyncio.gather(first, second, *rest)
        assert [m["release"] for m in lines.plain.messages] == [RELEASE, CANARY, RELEASE]
        assert found[1].answer == Binary(0.6).answer([found[1].answer.probability], confidence=0.9)

    run(work, lines=lines)


def test_who_left_is_not_computed():
    """A client that closed its connection does not keep others waiting."""
    lines = Lines(plain=Line(seconds=lambda rows: 0.02))

    async def work(asking: Asking) -> None:
        first = asyncio.create_task(asking.score())
        await asyncio.sleep(0.005)
        leaving = [asyncio.create_task(asking.score()) for _ in range(50)]
        staying = asyncio.create_task(asking.score(number=3))
        await asyncio.sleep(0.005)
        for task in leaving:
            task.cancel()
        await asyncio.gather(first, staying)
        assert lines.plain.batches() == [1, 1]
        assert asking.dispatch.waiting == 0
        assert asking.dispatch.breakers == {RELEASE: "closed"}

    run(work, lines=lines)


def test_a_row_with_a_problem_falls_alone():
    """The others in its message have their answers."""

    def says(message: Any) -> Any:
        problems = [None, "it raised KeyError", None]
        return {"scores": [[0.1], None, [0.3]], "confidence": [0.9, None, 0.9], "problem": problems}

    async def work(asking: Asking) -> None:
        found = await asyncio.gather(*(asking.outcome(number=i) for i in range(3)))
        assert found == ["scored", "it raised KeyError", "scored"]

    run(work, lines=Lines(plain=Line(says=says)))


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ([], "its reply is no object"),
        ({}, "its reply has no scores"),
        ({"problem": "the worker does not hold it"}, "the worker does not hold it"),
        ({"scores": [[0.1]]}, "it gave 1 scores for 2 requests"),
        ({"scores": 5}, "its reply cannot be read (TypeError)"),
    ],
)
def test_a_reply_like_no_other_is_no_answer_for_anybody(reply, said):
    """And the queue moves on."""

    async def work(asking: Asking) -> None:
        assert await asyncio.gather(asking.outcome(), asking.outcome()) == [said, said]
        asking.lines.plain.says = sound
        assert await asking.outcome() == "scored"

    run(work, lines=Lines(plain=Line(says=lambda message: reply)))


@pytest.mark.parametrize("status", [None, WorkerStatus(pid=7, holds={CANARY: Binary(0.6)}, refused={})])
def test_a_release_that_cannot_be_asked_is_said_at_once(status):
    """Not at the deadline: the fallback chain has other answer sources."""

    async def work(asking: Asking) -> None:
        began = virtual_clock.now()
        said = await asking.outcome()
        assert said == ("the worker is down" if status is None else f"the worker does not hold {RELEASE}")
        assert virtual_clock.now() == began

    run(work, lines=Lines(plain=Line(status=status)))


def test_a_dead_worker_is_known_at_once_and_not_held_against_the_release():
    """Everybody who waits falls back now; the next worker is asked as soon as it is there."""
    line = Line(seconds=lambda rows: 0.02)

    def dying(message: Any) -> Any:
        line.status = None
        raise WorkerLost

    line.says = dying

    async def work(asking: Asking) -> None:
        first = asyncio.create_task(asking.outcome())
        await asyncio.sleep(0.005)
        assert await asyncio.gather(first, *(asking.outcome() for _ in range(50))) == ["the worker died"] * 51
        line.status, line.says = HELLO, sound
        assert asking.dispatch.breakers == {RELEASE: "closed"}
        assert await asking.outcome() == "scored"

    run(work, lines=Lines(plain=line))


@pytest.mark.parametrize("wait_s", [0.0, 0.05, 0.2])
def test_the_deadline_holds_whatever_the_worker_does(wait_s):
    """Ten requests, ten falls, none early by more than a tick of five milliseconds and none late."""

    async def work(asking: Asking) -> None:
        blocker = asyncio.create_task(asking.outcome(within_s=5))
        await asyncio.sleep(0.01)
        began = virtual_clock.now()
        found = await asyncio.gather(*(asking.outcome(within_s=wait_s) for _ in range(10)))
        assert found == [f"no answer within {1000 * wait_s:.0f} ms"] * 10
        assert wait_s - 0.005 <= virtual_clock.now() - began <= wait_s + 1e-6
        assert asking.dispatch.waiting == 0
        blocker.cancel()

    run(work, lines=Lines(plain=Line(seconds=lambda rows: 60)))


def test_a_desired_state_that_no_longer_lists_what_is_on_its_way_loses_nobody():
    """Three releases within one batch's time: its requests were let in, and are answered."""

    async def work(asking: Asking) -> None:
        on_its_way = asyncio.create_task(asking.score())
        await asyncio.sleep(0.01)
        waits = asyncio.create_task(asking.score())
        await asyncio.sleep(0.01)
        asking.dispatch.post(desired(seq=2, champion=release("new")))
        asking.dispatch.post(desired(seq=3, champion=release("other")))
        assert (await on_its_way).release == (await waits).release == RELEASE

    run(work, lines=Lines(plain=Line(seconds=lambda rows: 0.05)))


def test_a_probe_goes_the_way_of_the_requests():
    """It proves that way, and names who answered."""

    async def work(asking: Asking) -> None:
        status = await asking.dispatch.probe(until=virtual_clock.now() + 5)
        assert status.pid == 7
        assert asking.lines.plain.messages[-1]["ask"] == "probe"
        asking.lines.plain.says = lambda message: {"release": RELEASE, "scores": [[None]]}
        with pytest.raises(NoAnswer, match="cannot score"):
            await asking.dispatch.probe(until=virtual_clock.now() + 5)
        asking.lines.plain.seconds = lambda rows: 60
        with pytest.raises(NoAnswer, match="does not answer"):
            await asking.dispatch.probe(until=virtual_clock.now() + 0.05)

    run(work)


# --- the breaker -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "says",
    [
        lambda message: {"problem": "it raised KeyError"},
        lambda message: {"scores": [[None]] * len(message["columns"]["number"])},
        lambda message: {"scores": [[1.5]] * len(message["columns"]["number"])},
        lambda message: {"scores": []},
    ],
    ids=["raises", "says NaN", "says more than 1", "gives too few"],
)
def test_a_release_that_fails_is_left_alone_and_tried_again(says):
    """Ten requests have had no answer; the next ones do not wait for theirs."""

    async def work(asking: Asking) -> None:
        for _ in range(MOST_FAILED):
            assert await asking.outcome() != "the circuit breaker is open"
        assert await asking.outcome() == "the circuit breaker is open"
        assert asking.dispatch.broken(RELEASE)
        assert await asking.outcome(release=CANARY) != "the circuit breaker is open"

        await asyncio.sleep(0.25)
        asking.lines.plain.says, asking.lines.plain.seconds = sound, lambda rows: 0.02
        assert not asking.dispatch.broken(RELEASE)
        found = await asyncio.gather(*(asking.outcome() for _ in range(20)))
        assert found == ["scored"] + ["the circuit breaker is open"] * 19
        assert await asking.outcome() == "scored"

    run(work, lines=Lines(plain=Line(says=says)), cool_s=0.2)


def test_a_hanging_release_opens_its_breaker_before_it_is_killed():
    """Not only those in its batch: all who waited behind that one batch failed by it."""

    async def work(asking: Asking) -> None:
        first = asyncio.create_task(asking.outcome(within_s=0.1))
        await asyncio.sleep(0.02)
        found = await asyncio.gather(first, *(asking.outcome(within_s=0.1) for _ in range(MOST_FAILED)))
        assert set(found) == {"no answer within 100 ms"}
        assert asking.dispatch.breakers == {RELEASE: "open"}
        assert await asking.outcome() == "the circuit breaker is open"

    run(work, lines=Lines(plain=Line(seconds=lambda rows: 60)))


def test_the_canary_is_not_blamed_for_waiting_behind_the_champion():
    """One line, two releases: the one that hangs is the one that is left alone."""

    async def work(asking: Asking) -> None:
        first = asyncio.create_task(asking.outcome(within_s=0.1))
        await asyncio.sleep(0.02)
        await asyncio.gather(first, *(asking.outcome(release=CANARY, within_s=0.05) for _ in range(30)))
        assert asking.dispatch.breakers == {RELEASE: "closed", CANARY: "closed"}

    run(work, lines=Lines(plain=Line(seconds=lambda rows: 60)))


def test_a_gateway_that_stood_still_does_not_blame_the_release():
    """Its own garbage, or a machine that slept: the replies were there in time, and nobody read them."""

    async def work(asking: Asking) -> None:
        first = asyncio.create_task(asking.outcome(within_s=0.1))
        await asyncio.sleep(0.01)
        others = [asyncio.create_task(asking.outcome(within_s=0.1)) for _ in range(20)]
        await asyncio.sleep(0)
        virtual_clock.advance(0.3)
        await asyncio.gather(first, *others)
        assert asking.dispatch.breakers == {RELEASE: "closed"}

    run(work, lines=Lines(plain=Line(seconds=lambda rows: 60)))


# --- overload --------------------------------------------------------------------------------------------------------


def test_what_cannot_be_answered_in_time_is_told_so_at_once():
    """A worker of 1 ms a row, 500 requests in its queue, 100 ms of time: the next one is better told now."""
    lines = Lines(plain=Line(seconds=lambda rows: rows * 0.001))

    async def work(asking: Asking) -> None:
        for _ in range(3):
            await asyncio.gather(*(asking.score() for _ in range(100)))
        waiting = [asyncio.create_task(asking.outcome()) for _ in range(500)]
        await asyncio.sleep(0)
        began = virtual_clock.now()
        with pytest.raises(Overloaded) as overloaded:
            await asking.score(within_s=0.1)
        assert virtual_clock.now() == began
        assert 0.2 < overloaded.value.retry_after_s < 2
        assert asking.dispatch.shed == 1
        # One with more time is let in, and nobody who was let in is disappointed.
        waiting.append(asyncio.create_task(asking.outcome(within_s=5)))
        assert set(await asyncio.gather(*waiting)) == {"scored"}
        assert await asking.outcome(within_s=0.1) == "scored"

    run(work, lines=lines)


def test_a_sustained_overload_answers_most_of_what_it_lets_in():
    """Four times as many as can be answered, for a while: those let in are in time, the rest know at once."""
    lines = Lines(plain=Line(seconds=lambda rows: 0.002 + rows * 0.001))

    async def work(asking: Asking) -> None:
        for rows in (1, 8, 32):
            await asyncio.gather(*(asking.score() for _ in range(rows)))
        tasks: list[asyncio.Task[str]] = []
        for _ in range(100):
            tasks += [asyncio.create_task(asking.outcome(within_s=0.2)) for _ in range(40)]
            await asyncio.sleep(0.01)
        found = await asyncio.gather(*tasks)
        assert found.count("overloaded") > 1_000
        assert found.count("scored") > 300
        assert found.count("scored") > 2 * sum(outcome.startswith("no answer") for outcome in found)
        assert asking.dispatch.breakers == {RELEASE: "closed"}

    run(work, lines=lines)


def test_a_hang_is_not_an_overload():
    """Nothing is known of when it ends: those requests wait until their deadline, then the fallback chain has them."""
    line = Line()

    async def work(asking: Asking) -> None:
        for _ in range(5):
            await asking.score()
        line.seconds = lambda rows: 60
        first = asyncio.create_task(asking.outcome(within_s=0.3))
        await asyncio.sleep(0.15)
        found = await asyncio.gather(first, *(asking.outcome(within_s=0.1) for _ in range(5)))
        assert "overloaded" not in found

    run(work, lines=Lines(plain=line))


def test_a_release_too_slow_for_the_deadline_is_not_an_overload():
    """With nobody in front of it, it would be as late: that is for the fallback chain and the breaker."""

    async def work(asking: Asking) -> None:
        assert await asking.outcome(within_s=5) == "scored"
        found = await asyncio.gather(*(asking.outcome(within_s=0.05) for _ in range(3)))
        assert set(found) == {"no answer within 50 ms"}

    run(work, lines=Lines(plain=Line(seconds=lambda rows: 0.2)))


def test_the_queue_has_an_end():
    """However generous the deadlines are: memory is bounded."""

    async def work(asking: Asking) -> None:
        first = asyncio.create_task(asking.outcome(within_s=60))
        await asyncio.sleep(0.01)
        waiting = [first, *(asyncio.create_task(asking.outcome(within_s=60)) for _ in range(MOST_WAITING))]
        await asyncio.sleep(0.01)
        assert asking.dispatch.waiting == MOST_WAITING
        assert await asking.outcome(within_s=60) == "overloaded"
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    run(work, lines=Lines(plain=Line(seconds=lambda rows: 60)))


def test_a_pace_knows_sizes_it_has_not_met():
    """Half the rows never take longer, and twice as many never more than twice as long."""
    pace = BatchTiming()
    assert pace.seconds(100) == 0

    pace.took(16, 0.010)
    assert pace.seconds(1) == 0.010
    assert 0.010 < pace.seconds(32) < 0.020
    pace.took(256, 1.0)

    assert pace.seconds(256) == pace.slowest_s == pytest.approx(0.160)
    pace.took(1, 0.5)
    assert pace.seconds(1) == 0.010


def test_a_batch_has_no_more_rows_than_it_has_time_for():
    """2 ms and 1 ms a row: a batch of 256 would keep everybody waiting who comes meanwhile."""
    pace = BatchTiming()
    assert pace.most_rows(0.05) == 64
    for rows in (1, 16, 32):
        pace.took(rows, 0.002 + rows * 0.001)

    assert pace.most_rows(0.05) == 32
    assert pace.most_rows(1.0) == 64
    assert pace.most_rows(0.001) == 1


def test_a_pace_forgets_one_slow_batch():
    """A collection of garbage is not the model's speed."""
    pace = BatchTiming()
    pace.took(8, 0.001)
    pace.took(8, 1.0)
    for _ in range(30):
        pace.took(8, 0.001)

    assert pace.seconds(8) < 0.0015


# --- explanations ----------------------------------------------------------------------------------------------------


def test_explanations_that_wait_travel_together_on_their_own_line():
    """And the requests never meet them."""
    lines = Lines(side=Line(seconds=lambda rows: 0.02))

    async def work(asking: Asking) -> None:
        first = asyncio.create_task(asking.explain(number=100))
        await asyncio.sleep(0.005)
        found = await asyncio.gather(first, *(asking.explain(number=i) for i in range(5)))
        assert [reasons[0]["value"] for reasons in found] == [100, 0, 1, 2, 3, 4]
        assert lines.side.batches("explain") == [1, 5]
        assert lines.side.messages[0]["within_s"] == pytest.approx(5)
        assert lines.plain.messages == []

    run(work, lines=lines, aside=True)


def test_an_explanation_that_would_be_late_is_not_begun():
    """By how long the last ones took: the answer leaves now, without reasons, and says why."""
    lines = Lines(side=Line(seconds=lambda rows: 0.1 * rows))

    async def work(asking: Asking) -> None:
        await asking.explain()
        began = virtual_clock.now()
        with pytest.raises(NoAnswer, match="no time for reasons within the deadline"):
            await asking.explain(within_s=0.05)
        assert virtual_clock.now() == began
        assert len(lines.side.messages) == 1
        assert await asking.explain(within_s=1)

    run(work, lines=lines, aside=True)


def test_explanations_in_front_count_as_well():
    """Each takes 0.1 s: the fifth of them cannot be there after 0.3 s."""
    lines = Lines(side=Line(seconds=lambda rows: 0.1 * rows))

    async def work(asking: Asking) -> None:
        await asking.explain()
        waiting = [asyncio.create_task(asking.explain(within_s=5)) for _ in range(4)]
        await asyncio.sleep(0.01)
        with pytest.raises(NoAnswer, match="no time"):
            await asking.explain(within_s=0.3)
        await asyncio.gather(*waiting)

    run(work, lines=lines, aside=True)


def test_one_slow_explanation_does_not_forbid_all_others_for_ever():
    """What was measured when the worker was busy is measured again after five seconds."""
    lines = Lines(side=Line(seconds=lambda rows: 0.2))

    async def work(asking: Asking) -> None:
        await asking.explain()
        lines.side.seconds = lambda rows: 0.0
        with pytest.raises(NoAnswer, match="no time"):
            await asking.explain(within_s=0.1)
        await asyncio.sleep(4.9)
        with pytest.raises(NoAnswer, match="no time"):
            await asking.explain(within_s=0.1)
        await asyncio.sleep(0.2)
        assert await asking.explain(within_s=0.1)

    run(work, lines=lines, aside=True)


@pytest.mark.parametrize(
    ("says", "said"),
    [
        (lambda message: {"problem": "it raised KeyError"}, "explaining failed: it raised KeyError"),
        (lambda message: {"reasons": [None]}, "no time for reasons"),
        (lambda message: 5, "cannot be read"),
    ],
)
def test_an_explanation_that_fails_is_said(says, said):
    """An answer without reasons says why it has none."""

    async def work(asking: Asking) -> None:
        with pytest.raises(NoAnswer, match=said):
            await asking.explain()
        asking.lines.side.says = sound
        assert await asking.explain()

    run(work, lines=Lines(side=Line(says=says)), aside=True)


def test_an_explanation_that_hangs_ends_at_the_deadline():
    """The answer was there long before; it leaves in time."""

    async def work(asking: Asking) -> None:
        began = virtual_clock.now()
        with pytest.raises(NoAnswer, match="no time"):
            await asking.explain(within_s=0.1)
        assert virtual_clock.now() - began == pytest.approx(0.1)
        assert (await asking.score()).release == RELEASE

    run(work, lines=Lines(side=Line(seconds=lambda rows: 60)), aside=True)


# --- shadows ---------------------------------------------------------------------------------------------------------


def mirrored(asking: Asking, count: int, noted: list[ShadowScore], **changed: Any) -> int:
    """How many of `count` records there was room for."""
    return sum(
        asking.dispatch.mirror(request(**{"number": i % 1000, **changed}), release=SHADOW, then=noted.append)
        for i in range(count)
    )


async def until(done: Callable[[], bool]) -> None:
    while not done():
        await asyncio.sleep(0.005)


def test_a_shadow_says_what_it_would_have_answered():
    """With its own threshold, and how long its model took."""
    noted: list[ShadowScore] = []

    async def work(asking: Asking) -> None:
        assert mirrored(asking, 1, noted, number=600) == 1
        await until(lambda: bool(noted))
        assert noted == [ShadowScore(answer=Answer(value=True, probability=0.6, confidence=0.9), latency_ms=2.0)]

    run(work, aside=True)


def test_there_is_room_for_so_many_and_the_others_are_counted():
    """A shadow slower than the traffic sees a part of it; memory does not grow."""
    noted: list[ShadowScore] = []

    async def work(asking: Asking) -> None:
        assert mirrored(asking, MOST_MIRRORED + 100, noted) == MOST_MIRRORED
        assert asking.dispatch.dropped == 100
        await until(lambda: len(noted) == MOST_MIRRORED)

    run(work, aside=True)


def test_nothing_is_mirrored_while_requests_wait():
    """Requests first; what waits for the shadow waits longer."""
    noted: list[ShadowScore] = []
    lines = Lines(plain=Line(seconds=lambda rows: 0.1))

    async def work(asking: Asking) -> None:
        first = asyncio.create_task(asking.score())
        await asyncio.sleep(0.01)
        second = asyncio.create_task(asking.score())
        await asyncio.sleep(0.01)
        mirrored(asking, 3, noted)
        await asyncio.sleep(0.03)
        assert lines.shadow.messages == []
        await asyncio.gather(first, second)
        await until(lambda: len(noted) == 3)

    run(work, lines=lines, aside=True)


@pytest.mark.parametrize(
    ("says", "said"),
    [
        (lambda message: {"problem": "it raised KeyError"}, "it raised KeyError"),
        (lambda message: {"scores": [[None]]}, "its probability is not a number from 0 to 1"),
        (lambda message: {"scores": [[7.0]]}, "its probability is not a number from 0 to 1"),
        (lambda message: [], "its reply cannot be read (AttributeError)"),
    ],
)
def test_a_shadow_that_fails_is_noted_as_failed(says, said):
    """That it fails is what it was put there to show. After ten it is asked less often."""
    noted: list[ShadowScore] = []

    async def work(asking: Asking) -> None:
        for _ in range(MOST_FAILED):
            before = len(noted)
            assert mirrored(asking, 1, noted)
            await until(lambda before=before: len(noted) > before)
        assert {(score.answer, score.problem) for score in noted} == {(None, said)}
        assert mirrored(asking, 1, noted) == 0
        assert (await asking.score()).release == RELEASE

    run(work, lines=Lines(shadow=Line(says=says)), aside=True)


def test_whoever_notes_it_cannot_stop_the_others(capsys):
    """A full disk at the wrong moment must not end all comparison."""
    noted: list[ShadowScore] = []

    def failing(score: ShadowScore) -> None:
        raise OSError("no space left")

    async def work(asking: Asking) -> None:
        asking.dispatch.mirror(request(), release=SHADOW, then=failing)
        mirrored(asking, 1, noted)
        await until(lambda: bool(noted))

    run(work, aside=True)
    assert "no space left" in capsys.readouterr().err


def silent(message: Any) -> Any:
    raise WorkerTimeout


def test_a_shadow_that_hung_is_not_asked_until_it_is_released_again(capsys):
    """Each time it would cost a line, and a thread of the worker's. An entry in the ledger about it is no release."""
    noted: list[ShadowScore] = []
    listed = release("shadow", role="shadow")

    async def work(asking: Asking) -> None:
        asking.dispatch.post(desired(shadow=listed))
        assert mirrored(asking, 1, noted)
        await until(lambda: bool(noted))
        assert noted[0].problem == "it did not reply in time"
        asking.lines.shadow.says = sound
        assert mirrored(asking, 1, noted) == 0
        asking.dispatch.post(desired(seq=2, shadow=listed))
        assert mirrored(asking, 1, noted) == 0
        asking.dispatch.post(desired(seq=3, shadow=replace(listed, since="2013-02-01T00:00:00.000+00:00")))
        assert mirrored(asking, 1, noted) == 1

    run(work, lines=Lines(shadow=Line(says=silent)), aside=True)
    assert f"the shadow {SHADOW} did not reply in time: it gets no more requests" in capsys.readouterr().err


def test_a_shadow_that_takes_the_whole_worker_with_it_is_not_asked_again(capsys):
    """A long call in C keeps the interpreter: requests get no reply either, and the watchdog ends the worker."""
    noted: list[ShadowScore] = []
    lines = Lines(plain=Line(says=silent, seconds=lambda rows: 0.05), shadow=Line(seconds=lambda rows: 60))

    async def work(asking: Asking) -> None:
        mirrored(asking, 1, noted)
        await asyncio.sleep(0.02)
        assert await asking.outcome() == "the worker died"
        assert mirrored(asking, 1, noted) == 0

    run(work, lines=lines, aside=True)
    assert "was scoring when the worker hung" in capsys.readouterr().err


def test_a_shadow_beside_which_the_worker_dies_twice_is_not_asked_again():
    """Once is chance: somebody killed it. A fault in a library's C code comes back."""
    noted: list[ShadowScore] = []

    def dying(message: Any) -> Any:
        raise WorkerLost

    async def work(asking: Asking) -> None:
        for _ in range(2):
            before = len(noted)
            assert mirrored(asking, 1, noted) == 1
            await until(lambda before=before: len(noted) > before)
        assert mirrored(asking, 1, noted) == 0

    run(work, lines=Lines(shadow=Line(says=dying)), aside=True)


def test_requests_do_not_feel_a_slow_shadow():
    """Its line is its own: R16 of the scoreboard, without the noise of a machine."""
    noted: list[ShadowScore] = []
    lines = Lines(shadow=Line(seconds=lambda rows: 60), plain=Line(seconds=lambda rows: 0.002))

    async def work(asking: Asking) -> None:
        mirrored(asking, 100, noted)
        await asyncio.sleep(0.02)
        assert {await asking.outcome(within_s=1) for _ in range(50)} == {"scored"}
        assert noted == []

    run(work, lines=lines, aside=True)
