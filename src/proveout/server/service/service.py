"""The prediction service: one accepted request in, one answer out, before the deadline and after it is logged.

Input: a validated request, its id and its caller. Output: `Response`, with a body ready to send. It knows the fallback
chain, the release of a request, the queue in front of the worker, the cache and the journal. It knows nothing of HTTP.
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
from proveout.server.service.cache import Answers, Kept
from proveout.server.service.fallback import Answered, by_rules, first_answer, level
from proveout.server.service.group_commit import Log, Unlogged
from proveout.server.service.pseudonyms import Pseudonyms
from proveout.server.service.request_ids import Ids
from proveout.server.service.routing import Route, Routing
from proveout.server.service.types import ANYBODY, Caller, Request
from proveout.settings import Settings

_MARGIN_SHARE, _MARGIN_S = 0.1, 0.02  # of the deadline, kept for rules, log and sending

Rules = Callable[[Mapping[str, Scalar]], Any]
Action = Callable[[Answer], Any]
Cached = Literal["hit", "miss", "stale"]


@dataclass(frozen=True, kw_only=True)
class ServiceConfig:
    """How a prediction service answers: everything it needs to know of the project."""

    model: str
    target: str  # what the answer's value is called
    rules: Rules
    action: Action
    deadline_s: float
    pii_fields: tuple[str, ...] = ()
    on_overload: Literal["shed", "fallback"] = "shed"
    on_log_failure: Literal["answer", "refuse"] = "answer"
    cache_ttl_s: float = 0.0
    stale_if_error_s: float = 300.0
    cache_size: int = 10_000
    ids_file: Path | None = None  # where ids that were given are kept; None: in memory


def service_config(settings: Settings, *, schema: RequestSchema, rules: Rules, action: Action) -> ServiceConfig:
    """The service config that the settings ask for."""
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
    """An answer, ready to leave."""

    prediction: Prediction  # as it is logged: without the values of a person
    body: bytes
    logged: bool
    cached: Cached | None  # None where no answer is given a second time


class PredictionService:
    """Answers requests. For one event loop."""

    def __init__(
        self, config: ServiceConfig, *, dispatch: Dispatch, routing: Routing, journal: Journal, pseudonyms: Pseudonyms
    ) -> None:
        self._config, self._dispatch, self._routing, self._journal = config, dispatch, routing, journal
        self._pseudonyms, self._log = pseudonyms, Log(journal, refuses=config.on_log_failure == "refuse")
        self._answers = Answers(rows=config.cache_size, oldest_s=max(config.cache_ttl_s, config.stale_if_error_s))
        self._ids = Ids(config.ids_file)
        self._action_trouble = Incident("the action")
        self.answered: dict[str, int] = {"model": 0, "cache": 0, "rules": 0, "none": 0}
        # For the metrics: who answered, why the model did not, and what looks into the cache found.
        self.counts: Counter[tuple[str, Role, AnswerSource]] = Counter()
        self.fallback_reasons: Counter[str] = Counter()
        self.cached: Counter[Cached] = Counter()

    @property
    def deadline_s(self) -> float:
        """An answer is there by then."""
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
            budget_s: of a client in more of a hurry than the settings; a longer one changes nothing.
        Raises: Overloaded or Unlogged where the settings prefer no answer to a worse one. Nothing else: the last answer
        source
            is an explicit "no prediction".
        """
        config, record = self._config, request.record
        if config.on_log_failure == "refuse" and self._journal.trouble.words is not None:
            raise Unlogged
        began = perf_counter()  # uvloop's own clock counts in milliseconds
        patience_s = config.deadline_s if budget_s is None else min(budget_s, config.deadline_s)
        until = asyncio.get_running_loop().time() + patience_s - min(_MARGIN_S, patience_s * _MARGIN_SHARE)
        route = self._routing.route(record)
        place = self._answers.place(record, tenant=caller.tenant, release=route.release)
        kept = self._answers.get(place)
        missing: str | None = None
        if kept is not None and self._fresh(kept, request):
            found, reasons, cached = _again(kept), kept.reasons, self._look("hit")
        else:
            found = await self._ask(record, route, kept, until)
            cached = self._look("stale" if found.answered_by == "cache" else "miss")
            reasons = None
            if request.explain:
                reasons, missing = await self._reasons(record, route, found, kept, until)
            if found.answered_by == "model":
                self._answers.put(place, found.answer, reasons=None if missing else reasons, before=kept)
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

    async def note(self, said: Feedback) -> bool:
        """Whether `said` is in the journal. Raises: Unlogged."""
        return await self._log.write(said)

    async def explain(self, record: Mapping[str, Scalar], *, release: str) -> Sequence[Mapping[str, Any]]:
        """The reasons for what `release` says of `record`, within the deadline. Raises: NoAnswer."""
        until = asyncio.get_running_loop().time() + self._config.deadline_s
        return await self._dispatch.explain(record, release=release, until=until)

    # --- the answer sources ------------------------------------------------------------------------------------------

    async def _ask(self, record: Mapping[str, Scalar], route: Route, kept: Kept | None, until: float) -> Answered:
        """The answer of the first source that has one. Raises: Overloaded."""
        try:
            scored = await self._dispatch.score(record, release=route.release, until=until)
            return Answered(answered_by="model", answer=scored.answer, fallback_reason=None)
        except NoAnswer as silence:
            return self._fall_back(record, route, silence, kept)
        except Overloaded:
            if self._config.on_overload == "shed" and not self._good(kept):
                self.fallback_reasons["overloaded"] += 1
                raise
            return self._fall_back(record, route, NoAnswer("it has too many requests before this one"), kept)

    def _fall_back(self, record: Mapping[str, Scalar], route: Route, silence: NoAnswer, kept: Kept | None) -> Answered:
        """The answer of the sources below the model."""

        def model() -> Answer:
            raise silence

        sources: list[tuple[AnswerSource, Callable[[], Answer]]] = [("model", model)]
        if kept is not None and self._good(kept):
            sources.append(("cache", lambda: kept.answer))
        sources.append(("rules", lambda: by_rules(lambda: self._config.rules(record), route.task.read_rules)))
        found = first_answer(sources)
        self.fallback_reasons[_class_of(str(silence), route.task.invalid)] += 1
        return found

    def _good(self, kept: Kept | None) -> bool:
        return kept is not None and self._answers.age_s(kept) <= self._config.stale_if_error_s

    def _fresh(self, kept: Kept, request: Request) -> bool:
        """Whether `kept` is given again without a look at the model."""
        young = self._answers.age_s(kept) <= self._config.cache_ttl_s and self._config.cache_ttl_s > 0
        return young and (kept.reasons is not None or not request.explain)

    def _look(self, found: Cached) -> Cached | None:
        if found == "miss" and not self._config.cache_ttl_s:
            return None
        self.cached[found] += 1
        return found

    async def _reasons(
        self, record: Mapping[str, Scalar], route: Route, found: Answered, kept: Kept | None, until: float
    ) -> tuple[Sequence[Any], str | None]:
        """The reasons, or none and why there are none."""
        if found.answered_by == "cache" and kept is not None and kept.reasons is not None:
            return kept.reasons, None
        if found.answered_by != "model":
            return [], "the model did not answer"
        try:
            return await self._dispatch.explain(record, release=route.release, until=until), None
        except NoAnswer as silence:
            return [], str(silence)

    def _mirror(self, record: Mapping[str, Scalar], request_id: str) -> None:
        """Let the shadow score `record` when the worker is idle. Its answer is logged."""
        release = self._routing.shadow(record)
        if release is not None:
            self._dispatch.mirror(record, release=release, then=partial(self._note_shadow, request_id, release))

    def _note_shadow(self, request_id: str, release: str, score: ShadowScore) -> None:
        self._log.leave(
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
        except Exception as error:  # the user's own code: an answer without advice is still an answer
            if self._action_trouble.words is None:
                safe_traceback.report(error)
            self._action_trouble.begins(f"raised {type(error).__name__}; answers go without")
            return ""


def _again(kept: Kept) -> Answered:
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
    """A fallback reason as one of a few words: a metric has no room for times and names.

    Args:
        invalid: what is wrong with scores that are none, as the task says it.

    >>> _class_of("model: no answer within 480 ms", "its value is not a finite number")
    'timeout'
    """
    if invalid in reason:
        return "unsound"
    return next((word for words, word in _CLASSES.items() if words in reason), "other")
