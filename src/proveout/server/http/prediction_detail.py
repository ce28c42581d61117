"""All about one answer: `GET /predictions/{id}`.

Input: a request id. Output: the request (as logged), the release that answered and its approval, the reasons, and the
feedback since. Read from the ledger in a thread of its own, so that no queued request waits for the database.
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
from proveout.server.http.validation import Problem, Refused, not_now
from proveout.server.no_answer import NoAnswer
from proveout.server.service.pseudonyms import PREFIX
from proveout.settings import Settings
from proveout.trust import authorization

_DRAIN_S = 1.0  # for an answer that was just given to be in the ledger
_LOOK_EVERY_S = 0.1
_MOST_S = 5.0  # for the ledger to say anything
_THREADS = 2
_MOST_WAITING = 32


@dataclass(frozen=True, kw_only=True)
class Dossier:
    """All that is known of one answer."""

    prediction: Prediction
    release: Release | None  # None for an answer before anything was released
    approval: Approval | None  # None where it cannot be read any more
    shadows: tuple[ShadowAnswer, ...]
    feedback: tuple[Feedback, ...]
    outcome: TargetValue | None


class Dossiers:
    """Shows dossiers. For one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._where = settings.ledger
        self._threads = ThreadPoolExecutor(_THREADS, "dossier")
        self._waiting = 0

    async def show(self, call: Call, backend: Backend) -> None:
        """The route. Raises: Refused with 404 for what is not there or is another key's, 503 without a ledger."""
        if self._waiting >= _MOST_WAITING:
            raise not_now("overloaded", "Too many dossiers are being read.", retry_after_s=1)
        loop = asyncio.get_running_loop()
        self._waiting += 1
        try:
            async with asyncio.timeout(_MOST_S):
                dossier = await loop.run_in_executor(self._threads, self._read, call.params["id"])
        except (ProveoutError, TimeoutError) as error:
            raise not_now("ledger", "The ledger cannot be read.", retry_after_s=5) from error
        finally:
            self._waiting -= 1
        own = dossier is not None and dossier.prediction.key == call.caller.key
        if dossier is None or not (own or "admin" in call.caller.scopes):
            # The same for both: ids of other people's answers cannot be tried out.
            detail = "No answer with this id is in the ledger. One that was just given is there in a moment."
            raise Refused(Problem(status=404, kind="prediction", title="Not found", detail=detail))
        reasons, missing = await _reasons(dossier.prediction, backend)
        body = {"reasons": reasons} if missing is None else {"reasons": reasons, "reasons_missing": missing}
        await call.respond(200, orjson.dumps({**_members(dossier), **body}), JSON)

    def _read(self, request_id: str) -> Dossier | None:
        """The dossier, in a thread. Raises: ProveoutError."""
        with Ledger(self._where, create=False) as ledger:
            until = time.monotonic() + _DRAIN_S
            while (prediction := ledger.prediction(request_id)) is None:
                if time.monotonic() > until:
                    return None
                time.sleep(_LOOK_EVERY_S)
            release = _release(ledger, prediction)
            return Dossier(
                prediction=prediction,
                release=release,
                approval=None if release is None else _approval(ledger, release),
                shadows=ledger.shadows(request_id=request_id),
                feedback=ledger.feedback_of(request_id),
                outcome=ledger.outcomes([request_id]).get(request_id),
            )


def _release(ledger: Ledger, prediction: Prediction) -> Release | None:
    """The release that stood when the answer was given, of the newest that may be meant."""
    for entry in ledger.entries(kind="release", newest_first=True):
        release = read(Release, entry)
        if release.name == prediction.release and release.role == prediction.role and release.since <= prediction.at:
            return release
    return None


def _approval(ledger: Ledger, release: Release) -> Approval | None:
    try:
        return authorization.approval_of(ledger, release.bundle)
    except ProveoutError:  # refused since: the release says by which verdict it was let in then
        return None


async def _reasons(prediction: Prediction, backend: Backend) -> tuple[list[Any], str | None]:
    """The reasons for the answer, computed again: the same request is always explained the same way."""
    if prediction.answered_by not in {"model", "cache"}:
        return [], "the model did not answer"
    if any(isinstance(value, str) and value.startswith(PREFIX) for value in prediction.record.values()):
        return [], "the log does not have the values of a person"
    try:
        return list(await backend.service.explain(prediction.record, release=prediction.release)), None
    except NoAnswer as silence:
        return [], str(silence)


def _members(dossier: Dossier) -> dict[str, Any]:
    approval, release = dossier.approval, dossier.release
    return {
        "prediction": dossier.prediction,
        "release": release,
        "verdict": None if release is None else release.verdict,
        "approval": None
        if approval is None
        else {"approved_at": approval.approved_at, "expires_at": approval.expires_at, "key": approval.key},
        "shadows": dossier.shadows,
        "feedback": dossier.feedback,
        "outcome": dossier.outcome,
    }
