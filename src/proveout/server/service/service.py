"""The prediction service: one accepted request in, one answer out, before the deadline and after it is logged.

Input: a validated request, its id and its caller. Output: `Response`, with a body ready to send. It combines the
fallback chain, routing, the queue in front of the worker, the cache and the journal. It knows nothing of HTTP.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import orjson

from proveout.records.answer import Answer
from proveout.records.prediction import AnswerSource, Feedback, Prediction, ShadowAnswer
from proveout.records.release import Role
from proveout.records.values import Scalar, now
from proveout.schema.spec import RequestSchema
from proveout.server import safe_traceback
from proveout.server.incidents import Incident
from proveout.server.log.journal import Journal
from proveout.server.no_answer import NoAnswer
from proveout.server.queue.batcher import Dispatch, Overloaded, ShadowScore
from proveout.server.service.cache import AnswerCache, CachedAnswer
from proveout.server.service.fallback import Answered, by_rules, first_answer, level
from proveout.server.service.group_commit import GroupCommit, Unlogged
from proveout.server.service.pseudonyms import Pseudonyms
from proveout.server.service.request_ids import RequestIds
from proveout.server.service.routing import Route, Routing
from proveout.server.service.types import ANYBODY, Caller, Request
from proveout.settings import Settings

_MARGIN_SHARE, _MARGIN_S = 0.1, 0.02  # of the deadline, reserved for rules, log and sending

Rules = Callable[[Mapping[str, Scalar]], Any]
Action = Callable[[Answer], Any]
CacheEvent = Literal["hit", "miss", "stale"]


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """The configuration of a prediction service."""

    model: str
    target: str  # the name of the answer's value
    rules: Rules
    action: Action
    deadline_s: float
    pii_fields: tuple[str, ...] = ()
    on_overload: Literal["shed", "fallback"] = "shed"
    on_log_failure: Literal["answer", "refuse"] = "answer"
    cache_ttl_s: float = 0.0
    stale_if_error_s: float = 300.0
    cache_size: int = 10_000
    ids_file: Path | None = None  # remembers used request ids; None: in memory


def service_config(settings: Settings, *, schema: RequestSchema, rules: Rules, action: Action) -> ServiceConfig:
    """The service config of the project's settings."""
    return ServiceConfig(
        model=settings.model,
        target=settings.target_name,
        rules=rules,
        action=action,
        deadline_s=settings.deadline_s,
        pii_fields=schema.pii_fields,
        on_overload=settings.on_overload,
        on_log_failure=settings.on_log_failure,
        cache_ttl_s=settings.cache_ttl_s,
        stale_if_error_s=settings.stale_if_error_s,
        cache_size=settings.cache_size,
        ids_file=settings.state_dir / "ids",
    )


@dataclass(frozen=True, kw_only=True)
class Response:
    """An answer, ready to send."""

    prediction: Prediction  # as it is logged: with pseudonyms in place of personal data
    body: bytes
    logged: bool
    cached: CacheEvent | None  # None if the cache is off


class PredictionService:
    """Answers requests. For one event loop."""

    def __init__(
        self, config: ServiceConfig, *, dispatch: Dispatch, routing: Routing, journal: Journal, pseudonyms: Pseudonyms
    ) -> None:
        self._config, self._dispatch, self._routing, self._journal = config, dispatch, routing, journal
        self._pseudonyms, self._log = pseudonyms, GroupCommit(journal, refuses=config.on_log_failure == "refuse")
        self._cache = AnswerCache(rows=config.cache_size, oldest_s=max(config.cache_ttl_s, config.stale_if_error_s))
        self._ids = RequestIds(config.ids_file)
        self._action_trouble = Incident("the action")
        self.answered: dict[str, int] = {"model": 0, "cache": 0, "rules": 0, "none": 0}
        # For the metrics: answers by source, reasons for fallbacks, and results of cache lookups.
        self.counts: Counter[tuple[str, Role, AnswerSource]] = Counter()
        self.fallback_reasons: Counter[str] = Counter()
        self.cached: Counter[CacheEvent] = Counter()

    @property
    def deadline_s(self) -> float:
        """The time within which every request is answered."""
        return self._config.deadline_s

    async def answer(
        self,
        request: Request,
        *,
        request_id: str | None = None,
        caller: Caller = ANYBODY,
        budget_s: float | None = None,
    ) -> Response:
        """The answer to `request`, logged.

        Args:
            budget_s: the client's own deadline. It can only shorten that of the settings.
        Raises: Overloaded or Unlogged, if the settings prefer no answer to a worse one. Nothing else, because the last
            answer source is an explicit "no prediction".
        """
        config, record = self._config, request.record
        if config.on_log_failure == "refuse" and self._journal.trouble.message is not None:
            raise Unlogged
        began = perf_counter()  # uvloop's own clock counts in milliseconds
        patience_s = config.deadline_s if budget_s is None else min(budget_s, config.deadline_s)
        until = asyncio.get_running_loop().time() + patience_s - min(_MARGIN_S, patience_s * _MARGIN_SHARE)
        route = self._routing.route(record)
        key = self._cache.key(record, tenant=caller.tenant, release=route.release)
        kept = self._cache.get(key)
        missing: str | None = None
        if kept is not None and self._fresh(kept, request):
            found, reasons, cached = _from_cache(kept), kept.reasons, self._count_cache("hit")
        else:
            found = await self._ask(record, route, kept, until)
            cached = self._count_cache("stale" if found.answered_by == "cache" else "miss")
            reasons = None
            if request.explain:
                reasons, missing = await self._reasons(record, route, found, kept, until)
            if found.answered_by == "model":
                self._cache.put(key, found.answer, reasons=None if missing else reasons, before=kept)
        prediction = Prediction(
            request_id=self._ids.take(request_id),
            at=now(),
            model=config.model,
            release=route.release,
            record=self._pseudonyms.hide(record, config.pii_fields),
            answered_by=found.answered_by,
            answer=found.answer,
            latency_ms=round((perf_counter() - began) * 1000, 3),
            fallback_reason=found.fallback_reason,
            role=route.role,
            key=caller.key,
        )
        self.answered[found.answered_by] += 1
        self.counts[(route.release, route.role, found.answered_by)] += 1
        logged = await self._log.write(prediction)
        if found.answered_by == "model":
            self._mirror(record, prediction.request_id)
        members = self._members(prediction, route)
        if request.explain:
            members["reasons"] = reasons or []
            if missing is not None:
                members["reasons_missing"] = missing
        return Response(prediction=prediction, body=orjson.dumps(members), logged=logged, cached=cached)

    async def note(self, feedback: Feedback) -> bool:
        """Log `feedback`. Returns whether it is in the journal. Raises: Unlogged."""
        return await self._log.write(feedback)

    async def explain(self, record: Mapping[str, Scalar], *, release: str) -> Sequence[Mapping[str, Any]]:
        """The reasons for the answer of `release` to `record`, within the deadline. Raises: NoAnswer."""
        until = asyncio.get_running_loop().time() + self._config.deadline_s
        return await self._dispatch.explain(record, release=release, until=until)

    # --- the answer sources ------------------------------------------------------------------------------------------

    async def _ask(
        self, record: Mapping[str, Scalar], route: Route, kept: CachedAnswer | None, until: float
    ) -> Answered:
        """The answer of the first source that has one. Raises: Overloaded."""
        try:
            scored = await self._dispatch.score(record, release=route.release, until=until)
            return Answered(answered_by="model", answer=scored.answer, fallback_reason=None)
        except NoAnswer as no_answer:
            return self._fall_back(record, route, no_answer, kept)
        except Overloaded:
            if self._config.on_overload == "shed" and not self._usable(kept):
                self.fallback_reasons["overloaded"] += 1
                raise
            return self._fall_back(record, route, NoAnswer("it has too many requests before this one"), kept)

    def _fall_back(
        self, record: Mapping[str, Scalar], route: Route, no_answer: NoAnswer, kept: CachedAnswer | None
    ) -> Answered:
        """The answer of the sources after the model.

        Args:
            no_answer: why the model did not answer.
        """

        def model() -> Answer:
            raise no_answer

        sources: list[tuple[AnswerSource, Callable[[], Answer]]] = [("model", model)]
        if kept is not None and self._usable(kept):
            sources.append(("cache", lambda: kept.answer))
        sources.append(("rules", lambda: by_rules(lambda: self._config.rules(record), route.task.read_rules)))
        found = first_answer(sources)
        self.fallback_reasons[_class_of(str(no_answer), route.task.invalid)] += 1
        return found

    def _usable(self, kept: CachedAnswer | None) -> bool:
        """Whether `kept` is young enough to stand in for a failing model."""
        return kept is not None and self._cache.age_s(kept) <= self._config.stale_if_error_s

    def _fresh(self, kept: CachedAnswer, request: Request) -> bool:
        """Whether `kept` answers `request` without asking the model."""
        young = self._cache.age_s(kept) <= self._config.cache_ttl_s and self._config.cache_ttl_s > 0
        return young and (kept.reasons is not None or not request.explain)

    def _count_cache(self, event: CacheEvent) -> CacheEvent | None:
        if event == "miss" and not self._config.cache_ttl_s:
            return None
        self.cached[event] += 1
        return event

    async def _reasons(
        self, record: Mapping[str, Scalar], route: Route, found: Answered, kept: CachedAnswer | None, until: float
    ) -> tuple[Sequence[Any], str | None]:
        """The reasons; or none, and why."""
        if found.answered_by == "cache" and kept is not None and kept.reasons is not None:
            return kept.reasons, None
        if found.answered_by != "model":
            return [], "the model did not answer"
        try:
            return await self._dispatch.explain(record, release=route.release, until=until), None
        except NoAnswer as no_answer:
            return [], str(no_answer)

    def _mirror(self, record: Mapping[str, Scalar], request_id: str) -> None:
        """Send `record` to the shadow, which scores it when the worker is idle. Its answer is logged."""
        release = self._routing.shadow(record)
        if release is not None:
            self._dispatch.mirror(record, release=release, then=partial(self._note_shadow, request_id, release))

    def _note_shadow(self, request_id: str, release: str, score: ShadowScore) -> None:
        self._log.enqueue(
            ShadowAnswer(
                request_id=request_id,
                at=now(),
                release=release,
                answer=score.answer,
                latency_ms=score.latency_ms,
                problem=score.problem,
            )
        )

    # --- the answer -----------------------------------------------------------------------------------------------

    def _members(self, prediction: Prediction, route: Route) -> dict[str, Any]:
        answer = prediction.answer
        confidence = answer.confidence
        return {
            "request_id": prediction.request_id,
            "prediction": route.task.members(answer, target=self._config.target),
            "confidence": None if confidence is None else {"share": confidence, "level": level(confidence)},
            "action": self._action(answer),
            "answered_by": prediction.answered_by,
            "release": prediction.release,
            "fallback_reason": prediction.fallback_reason,
        }

    def _action(self, answer: Answer) -> str:
        try:
            return str(self._config.action(answer))
        except Exception as error:  # the project's own code; an answer without an action is still an answer
            if self._action_trouble.message is None:
                safe_traceback.report(error)
            self._action_trouble.begins(f"raised {type(error).__name__}; answers have no action")
            return ""


def _from_cache(kept: CachedAnswer) -> Answered:
    return Answered(answered_by="cache", answer=kept.answer, fallback_reason=None)


_CLASSES = {
    "the project has none": "no-rules",
    "worker is down": "worker-down",
    "worker died": "worker-died",
    "no answer within": "timeout",
    "breaker": "breaker",
    "too many requests": "overloaded",
    "it raised": "raised",
    "reply": "unreadable",
}


def _class_of(reason: str, invalid: str) -> str:
    """The class of a fallback reason, for a metric's label, which must have few values.

    Args:
        invalid: the task's reason for invalid scores.

    >>> _class_of("model: no answer within 480 ms", "its value is not a finite number")
    'timeout'
    """
    if invalid in reason:
        return "unsound"
    return next((label for phrase, label in _CLASSES.items() if phrase in reason), "other")
