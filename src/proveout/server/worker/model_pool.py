"""The model pool: the bundles that the worker holds open. A new bundle is opened while the others answer, and swapped
in between batches.

Input: desired states. Output: replies to messages, by the release that a message names; and the worker's status,
whenever it changes. A bundle that does not open is refused with the reason, and the others continue to answer. The
previous champion stays open, so a rollback opens nothing.
"""

import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from proveout.errors import ProveoutError
from proveout.records.release import Release
from proveout.server import safe_traceback
from proveout.server.server_state import DesiredState
from proveout.server.worker.model_runner import ModelRunner

_KEEP_S = 10.0  # for a bundle no longer listed: an API process may not have read the new desired state yet
_RETRY_S, _LONGEST_RETRY_S = 5.0, 60.0  # before a refused bundle is tried again; doubled each time
_RECENT_S = 0.1  # after a plain message the worker counts as busy for this long


class ModelPool:
    """The open bundles of a worker. One thread applies desired states; any thread may send messages.

    Args:
        open_runner: opens a release.
        share: the share of time for explanations and shadows while plain messages arrive.
    """

    def __init__(self, open_runner: Callable[[Release], ModelRunner], *, share: float = 0.25) -> None:
        self._open, self._share = open_runner, share
        self._runners: Mapping[str, ModelRunner] = {}  # replaced, never changed: a swap is one assignment
        self._refused: dict[str, _Refusal] = {}
        self._unlisted: dict[str, float] = {}  # when a release was first missing from the desired state
        self._desired: DesiredState | None = None
        self._plain_at = float("-inf")
        self.dropped = 0  # the number of bundles closed so far
        self.listeners: set[Callable[[], None]] = set()  # called whenever the status changes

    # --- desired states ----------------------------------------------------------------------------------------------

    def apply(self, desired: DesiredState | None = None) -> None:
        """Open the releases that `desired` lists, champion first, and drop those it has not listed for a while.

        None applies the last desired state again, which retries refused bundles.
        """
        self._desired = desired or self._desired
        if self._desired is None:
            return
        for release in self._desired.releases:
            if release.name not in self._runners and self._due(release.name):
                self._take(release)
        self._clear(self._desired)

    def require(self, desired: DesiredState) -> None:
        """Open the champion, or else the previous one. Raises: the error of opening the champion, if neither opens."""
        self._desired = desired
        for release in (desired.champion, desired.before):
            if release is not None and not self._runners:
                self._take(release)
        if not self._runners:
            raise self._refused[desired.champion.name].error

    def _take(self, release: Release) -> None:
        began = time.monotonic()
        try:
            runner = self._open(release)
        except Exception as error:  # of any kind: the other bundles continue to answer
            self._refuse(release.name, error)
            return
        self._runners = {**self._runners, release.name: runner}
        retried = self._refused.pop(release.name, None)
        print(
            f"proveout: {release.name} is open{' after a retry' if retried else ''} ({time.monotonic() - began:.2f} s)",
            file=sys.stderr,
            flush=True,
        )
        self._notify()

    def _refuse(self, name: str, error: Exception) -> None:
        before = self._refused.get(name)
        wait_s = min(_LONGEST_RETRY_S, 2 * before.wait_s) if before else _RETRY_S
        self._refused[name] = _Refusal(error, wait_s)
        if before is None or before.reason != self._refused[name].reason:
            print(f"proveout: {name} is not served: {self._refused[name].reason}", file=sys.stderr, flush=True)
            if not isinstance(error, ProveoutError):
                safe_traceback.report(error)
            self._notify()

    def _due(self, name: str) -> bool:
        refusal = self._refused.get(name)
        return refusal is None or time.monotonic() >= refusal.again_at

    def _clear(self, desired: DesiredState) -> None:
        listed = {release.name for release in desired.releases}
        now = time.monotonic()
        gone = {name for name in self._refused if name not in listed}
        for name in gone:
            del self._refused[name]
        self._unlisted = {n: self._unlisted.get(n, now) for n in self._runners if n not in listed}
        # Until the new champion is open, the old one answers, listed or not.
        old = {
            n for n, since in self._unlisted.items() if now - since > _KEEP_S and desired.champion.name in self._runners
        }
        if old:
            self._runners = {name: runner for name, runner in self._runners.items() if name not in old}
            self.dropped += len(old)
        if old or gone:
            self._notify()

    # --- status ---------------------------------------------------------------------------------------------------

    def status(self) -> dict[str, Any]:
        """The message that an API process gets when it connects, and when the status changes."""
        return {
            "pid": os.getpid(),
            "holds": {name: runner.task.facts for name, runner in self._runners.items()},
            "refused": {name: refusal.reason for name, refusal in self._refused.items()},
        }

    @property
    def idle_s(self) -> float:
        """Seconds since the last plain request."""
        return time.monotonic() - self._plain_at

    def _notify(self) -> None:
        for listener in tuple(self.listeners):
            listener()

    # --- messages -------------------------------------------------------------------------------------------------

    def answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to one message. An error of the model becomes `problem`: its class name, never a value."""
        ask, name = message["ask"], message.get("release")
        runners = self._runners
        runner = runners.get(name) if name is not None else next(iter(runners.values()), None)
        if runner is None:
            return {"problem": f"the worker does not hold {name}"}
        try:
            if ask == "predict":
                reply = self._predict(runner, message["columns"])
            elif ask == "probe":
                reply = runner.probe()
            elif ask == "shadow":
                reply = runner.shadow(message["columns"], pause=self._pause)
            else:
                reply = {"reasons": runner.explain(message["columns"], within_s=message["within_s"], pause=self._pause)}
        except Exception as error:
            runner.report(error)
            return {"problem": f"it raised {type(error).__name__}"}
        return reply

    def _predict(self, runner: ModelRunner, columns: Mapping[str, Any]) -> dict[str, Any]:
        self._plain_at = time.monotonic()
        reply = runner.predict(columns)
        self._plain_at = time.monotonic()
        return reply

    def _pause(self, took_s: float) -> None:
        """While plain messages arrive, sleep so that slices take no more than their share of the time."""
        if self.idle_s < _RECENT_S:
            time.sleep(took_s * (1 / self._share - 1))


class _Refusal:
    """Why a release did not open, and when it is tried again."""

    def __init__(self, error: Exception, wait_s: float) -> None:
        self.error, self.wait_s = error, wait_s
        self.reason = str(error) if isinstance(error, ProveoutError) else f"opening it raised {type(error).__name__}"
        self.again_at = time.monotonic() + wait_s
