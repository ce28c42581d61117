"""server/service/cache.py, and the sources of the fallback chain that give an answer a second time."""

import asyncio
from typing import Any

import pytest
from gateway_toy import SECRET, api_key, bearer, run, running
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from serving_toy import desired, release

from proveout.records.answer import Answer
from proveout.server.service.cache import AnswerCache


def said(probability: float) -> Answer:
    return Answer(value=probability >= 0.5, probability=probability, confidence=0.9)


# --- what is kept ----------------------------------------------------------------------------------------------------


class KeptAnswers(RuleBasedStateMachine):
    """S15 of the scoreboard: whatever is put and asked, an answer is given only to the tenant, for the release and the
    record it was given for, never once it is too old, and never in a larger number than the bound."""

    @initialize(rows=st.integers(1, 6), oldest_s=st.floats(0.5, 20))
    def begin(self, rows: int, oldest_s: float) -> None:
        self.now, self.rows, self.oldest_s = 1_000.0, rows, oldest_s
        self.kept = AnswerCache(rows=rows, oldest_s=oldest_s, clock=lambda: self.now)
        self.model: dict[Any, tuple[float, float]] = {}

    WHOSE = st.sampled_from(["acme", "other", ""])
    WHICH = st.sampled_from(["toy@1", "toy@2"])
    RECORD = st.fixed_dictionaries({"a": st.integers(0, 3), "b": st.sampled_from(["x", "y", None])})

    @rule(tenant=WHOSE, which=WHICH, record=RECORD, number=st.integers(0, 10**6))
    def put(self, tenant: str, which: str, record: dict[str, Any], number: int) -> None:
        key = self.kept.key(record, tenant=tenant, release=which)
        self.kept.put(key, said(number / 10**6), reasons=None)
        self.model[(tenant, which, *record.items())] = (number / 10**6, self.now)
        assert len(self.kept) <= self.rows

    @rule(tenant=WHOSE, which=WHICH, record=RECORD)
    def get(self, tenant: str, which: str, record: dict[str, Any]) -> None:
        found = self.kept.get(self.kept.key(record, tenant=tenant, release=which))
        if found is None:
            return
        probability, at_s = self.model[(tenant, which, *record.items())]
        assert found.answer.probability == probability
        assert self.now - at_s <= self.oldest_s
        assert self.kept.age_s(found) == self.now - at_s

    @rule(seconds=st.floats(0, 8))
    def wait(self, seconds: float) -> None:
        self.now += seconds


KeptAnswers.TestCase.settings = hypothesis_settings(max_examples=100, stateful_step_count=50, deadline=None)
TestKeptAnswers = KeptAnswers.TestCase


def test_what_was_just_kept_is_found():
    """The state machine above would be content with a cache that forgets everything."""
    kept = AnswerCache(rows=10, oldest_s=5.0)
    key = kept.key({"a": 1}, tenant="t", release="r")
    kept.put(key, said(0.5), reasons=["because"])

    found = kept.get(key)
    assert found is not None and (found.answer.probability, found.reasons) == (0.5, ["because"])


@pytest.mark.parametrize(("rows", "oldest_s"), [(0, 5.0), (5, 0.0)])
def test_a_cache_without_room_or_time_keeps_nothing(rows, oldest_s):
    """Zero switches it off."""
    kept = AnswerCache(rows=rows, oldest_s=oldest_s)
    key = kept.key({"a": 1}, tenant="t", release="r")
    kept.put(key, said(0.5), reasons=None)

    assert (kept.get(key), len(kept)) == (None, 0)


def test_reasons_stay_with_the_answer_they_explain():
    """The same answer without them does not throw them away; another answer does."""
    kept = AnswerCache(rows=10, oldest_s=5.0)
    key = kept.key({"a": 1}, tenant="t", release="r")
    for probability, reasons, left in ((0.5, ["because"], ["because"]), (0.5, None, ["because"]), (0.6, None, None)):
        kept.put(key, said(probability), reasons=reasons, before=kept.get(key))
        found = kept.get(key)
        assert found is not None and found.reasons == left


def test_integers_and_floats_that_look_alike_are_two_records():
    """1 and 1.0 are the same to a dictionary, and may not be to a model."""
    kept = AnswerCache(rows=10, oldest_s=5.0)

    assert kept.key({"a": 1}, tenant="", release="") != kept.key({"a": 1.0}, tenant="", release="")
    assert kept.key({"a": True}, tenant="", release="") != kept.key({"a": 1}, tenant="", release="")


# --- at the prediction service ---------------------------------------------------------------------------------------


def test_a_young_answer_is_given_again_without_the_model(tmp_path):
    """Same answer, said to be from the cache, logged like any other."""

    async def test() -> None:
        async with running(tmp_path, cache_ttl_s=60) as server:
            first, second, other = await server.ask(), await server.ask(), await server.ask(number=2)

            assert [one.headers["x-proveout-cache"] for one in (first, second, other)] == ["miss", "hit", "miss"]
            assert [one.json()["answered_by"] for one in (first, second)] == ["model", "cache"]
            assert first.json()["prediction"] == second.json()["prediction"]
            assert first.json()["confidence"] == second.json()["confidence"]
            assert second.json()["fallback_reason"] is None
            assert server.worker is not None and server.worker.batches() == [1, 1]
            assert [row.answered_by for row in server.log()] == ["model", "cache", "model"]

    run(test())


def test_without_a_time_to_live_every_answer_is_the_models(tmp_path):
    """The default: a cache that nobody asked for is a surprise."""

    async def test() -> None:
        async with running(tmp_path) as server:
            answers = [await server.ask(), await server.ask()]

            assert [one.json()["answered_by"] for one in answers] == ["model", "model"]
            assert all("x-proveout-cache" not in one.headers for one in answers)

    run(test())


def test_an_old_answer_is_not_given_again(tmp_path):
    """Its time to live is over."""

    async def test() -> None:
        async with running(tmp_path, cache_ttl_s=0.1) as server:
            await server.ask()
            await asyncio.sleep(0.15)
            assert (await server.ask()).headers["x-proveout-cache"] == "miss"

    run(test())


def test_a_cached_answer_crosses_no_tenant(tmp_path):
    """What one customer asked is not for another to find out, not even by how fast it comes."""
    keys = [api_key(1), api_key(2), api_key(3, tenant="other")]

    async def test() -> None:
        async with running(tmp_path, keys=keys, cache_ttl_s=60) as server:
            events = [(await server.ask(bearer(key, SECRET))).headers["x-proveout-cache"] for key in keys]

            assert events == ["miss", "hit", "miss"]

    run(test())


def test_a_cached_answer_crosses_no_release(tmp_path):
    """The moment a new champion answers, no answer of the old one does."""
    new = release("fedcba987654")

    async def test() -> None:
        async with running(tmp_path, cache_ttl_s=60, there=desired(before=new)) as server:
            before = [(await server.ask()).json() for _ in range(2)]
            await server.post(desired(seq=2, champion=new, before=release()))
            after = (await server.ask()).json()

            assert [one["answered_by"] for one in before] == ["model", "cache"]
            assert (after["answered_by"], after["release"]) == ("model", new.name)

    run(test())


def test_an_explained_answer_is_kept_with_its_reasons(tmp_path):
    """Asked again for reasons, it has them; a plain one that was kept is no hit for who wants to know why."""

    async def test() -> None:
        async with running(tmp_path, cache_ttl_s=60) as server:
            plain = await server.ask()
            explained, again = await server.ask(explain=True), await server.ask(explain=True)
            plain_again = await server.ask()

            events = [one.headers["x-proveout-cache"] for one in (plain, explained, again, plain_again)]
            assert events == ["miss", "miss", "hit", "hit"]
            assert again.json()["reasons"] == explained.json()["reasons"] != []
            assert "reasons" not in plain_again.json()

    run(test())


def test_a_silent_model_is_stood_in_for_by_its_last_good_answer(tmp_path):
    """Between model and rules: what it said a moment ago is worth more than ten lines of rules."""

    async def test() -> None:
        async with running(tmp_path) as server:
            good = (await server.ask(number=5)).json()
            server.backend._connections.plain._disconnect()
            stale, unknown = await server.ask(number=5), await server.ask(number=6)

            assert stale.json()["answered_by"] == "cache"
            assert stale.headers["x-proveout-cache"] == "stale"
            assert stale.json()["prediction"] == good["prediction"]
            assert stale.json()["fallback_reason"] == "model: the worker is down"
            assert unknown.json()["answered_by"] == "rules"

    run(test())


def test_the_last_good_answer_has_an_age_too(tmp_path):
    """Yesterday's weather is no forecast."""

    async def test() -> None:
        async with running(tmp_path, stale_if_error_s=0.1, cache_ttl_s=0) as server:
            await server.ask(number=5)
            await asyncio.sleep(0.15)
            server.backend._connections.plain._disconnect()
            assert (await server.ask(number=5)).json()["answered_by"] == "rules"

    run(test())


def test_the_rules_answer_is_never_kept(tmp_path):
    """It would be given again as if the model had said it."""

    async def test() -> None:
        async with running(tmp_path, cache_ttl_s=60) as server:
            answers = [(await server.ask(mode="raise")).json()["answered_by"] for _ in range(2)]

            assert answers == ["rules", "rules"]

    run(test())
