"""The details of one answer: `GET /predictions/{id}`.

Input: a request id. Output: the request (as logged), the release that answered and its approval, the reasons, and the
feedback since. Own threads read the ledger, so no prediction waits for the database.
"""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import orjson

from proveout.errors import ProveoutError
from proveout.ledger.ledger import Ledger, read
from proveout.records.prediction import Feedback, Prediction, ShadowAnswer
from proveout.records.release import Approval, Release
from proveout.records.values import TargetValue
from proveout.server.http.request import JSON, Backend, Call
from proveout.server.http.validation import Problem, Refused, unavailable
from proveout.server.no_answer import NoAnswer
from proveout.server.service.pseudonyms import PREFIX
from proveout.settings import Settings
from proveout.trust import authorization

_DRAIN_S = 1.0  # how long a new answer may take to reach the ledger
_POLL_S = 0.1
_LEDGER_TIMEOUT_S = 5.0
_THREADS = 2
_MOST_WAITING = 32


@dataclass(frozen=True, kw_only=True)
class PredictionDetail:
    """All that the ledger knows of one answer."""

    prediction: Prediction
    release: Release | None  # None for an answer from before the first release
    approval: Approval | None  # None if it no longer holds
    shadows: tuple[ShadowAnswer, ...]
    feedback: tuple[Feedback, ...]
    outcome: TargetValue | None


class PredictionDetails:
    """The route's handler. For one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._ledger_url = settings.ledger
        self._threads = ThreadPoolExecutor(_THREADS, "prediction-detail")
        self._waiting = 0

    async def show(self, call: Call, backend: Backend) -> None:
        """The route. Raises: Refused with 404 for an unknown id or another key's answer, 503 without a ledger."""
        if self._waiting >= _MOST_WAITING:
            raise unavailable("overloaded", "Too many prediction details are being read.", retry_after_s=1)
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            async with asyncio.timeout(_LEDGER_TIMEOUT_S):
                found = await loop.run_in_executor(self._threads, self._read, call.params["id"])
        except (ProveoutError, TimeoutError) as error:
            raise unavailable("ledger", "The ledger cannot be read.", retry_after_s=5) from error
        finally:
            self._waiting -= 1
        own = found is not None and found.prediction.key == call.caller.key
        if found is None or not (own or "admin" in call.caller.scopes):
            # The same answer for both, so nobody can probe for ids of other callers.
            detail = "The ledger has no answer with this id. A new answer appears after a moment."
            raise Refused(Problem(status=404, kind="prediction", title="Not found", detail=detail))
        reasons, missing = await _reasons(found.prediction, backend)
        body = {"reasons": reasons} if missing is None else {"reasons": reasons, "reasons_missing": missing}
        await call.respond(200, orjson.dumps({**_members(found), **body}), JSON)

    def _read(self, request_id: str) -> PredictionDetail | None:
        """Read the ledger. Runs in a thread. Raises: ProveoutError."""
        with Ledger(self._ledger_url, create=False) as ledger:
            until = time.monotonic() + _DRAIN_S
            while (prediction := ledger.prediction(request_id)) is None:
                if time.monotonic() > until:
                    return None
                time.sleep(_POLL_S)
            release = _release(ledger, prediction)
            return PredictionDetail(
                prediction=prediction,
                release=release,
                approval=None if release is None else _approval(ledger, release),
                shadows=ledger.shadows(request_id=request_id),
                feedback=ledger.feedback_of(request_id),
                outcome=ledger.outcomes([request_id]).get(request_id),
            )


def _release(ledger: Ledger, prediction: Prediction) -> Release | None:
    """The newest release of this name and role that began before the answer."""
    for entry in ledger.entries(kind="release", newest_first=True):
        release = read(Release, entry)
        if release.name == prediction.release and release.role == prediction.role and release.since <= prediction.at:
            return release
    return None


def _approval(ledger: Ledger, release: Release) -> Approval | None:
    try:
        return authorization.approval_of(ledger, release.bundle)
    except ProveoutError:  # revoked since; `release.verdict` names the verdict of that time
        return None


async def _reasons(prediction: Prediction, backend: Backend) -> tuple[list[Any], str | None]:
    """The reasons for the answer, computed again. The same request always gets the same reasons."""
    if prediction.answered_by not in {"model", "cache"}:
        return [], "the model did not answer"
    if any(isinstance(value, str) and value.startswith(PREFIX) for value in prediction.record.values()):
        return [], "the log holds pseudonyms in place of personal data"
    try:
        return list(await backend.service.explain(prediction.record, release=prediction.release)), None
    except NoAnswer as no_answer:
        return [], str(no_answer)


def _members(detail: PredictionDetail) -> dict[str, Any]:
    approval, release = detail.approval, detail.release
    return {
        "prediction": detail.prediction,
        "release": release,
        "verdict": None if release is None else release.verdict,
        "approval": None
        if approval is None
        else {"approved_at": approval.approved_at, "expires_at": approval.expires_at, "key": approval.key},
        "shadows": detail.shadows,
        "feedback": detail.feedback,
        "outcome": detail.outcome,
    }
