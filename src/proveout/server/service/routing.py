"""Routing: which release answers a request (champion or canary), and which shadow gets a copy of it.

Input: the desired state, and the releases that the worker holds. Output: a `Route` for each request, even while there
is no worker.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from proveout.records.json_form import canonical
from proveout.records.release import Role
from proveout.records.values import Digest, Scalar
from proveout.server.server_state import DesiredState
from proveout.task.task import Task


@dataclass(frozen=True, kw_only=True)
class Route:
    """The release for one request."""

    release: str  # its name; "" before the first desired state
    role: Role
    task: Task  # reads its scores, and the answers of the rules


class Routing:
    """Routes requests. For one event loop.

    Args:
        key_fields: the request fields that identify an event. Requests about the same event go to the same model.
        task: the task of the settings, used until a worker has reported the released bundle's.
        broken: whether the circuit breaker of a release is open, see `Dispatch.broken`.
    """

    def __init__(
        self, key_fields: Sequence[str], *, task: Task, broken: Callable[[str], bool] = lambda release: False
    ) -> None:
        self._key_fields, self._broken, self._default = tuple(key_fields), broken, task
        self._desired: DesiredState | None = None
        self._held: Mapping[str, Task] = {}
        self._tasks: dict[str, Task] = {}  # of every known release, even while no worker holds it
        self._champion = Route(release="", role="champion", task=task)
        self._canary: tuple[Route, Digest, float] | None = None
        self._shadow: tuple[str, Digest, float] | None = None

    def post(self, desired: DesiredState) -> None:
        """Apply a new desired state."""
        self._desired = desired
        self._settle()

    def holds(self, tasks: Mapping[str, Task]) -> None:
        """Apply a worker's status: the task of each release that it holds, by name.

        Do not call it when the worker dies: the next worker will most likely hold the same.
        """
        self._held = dict(tasks)
        self._settle()

    @property
    def champion(self) -> Route:
        """The route of every request that does not go to the canary."""
        return self._champion

    def route(self, record: Mapping[str, Scalar]) -> Route:
        """The route of `record`: the same for every request with the same event key."""
        if self._canary is not None:
            route, digest, share = self._canary
            if choose(self._key(record), canary=digest, canary_share=share) == "canary":
                return self._champion if self._broken(route.release) else route
        return self._champion

    def shadow(self, record: Mapping[str, Scalar]) -> str | None:
        """The shadow that gets a copy of `record`; None outside of its share."""
        if self._shadow is None:
            return None
        name, digest, share = self._shadow
        return name if choose(self._key(record), canary=digest, canary_share=share) == "canary" else None

    def _key(self, record: Mapping[str, Scalar]) -> str:
        return canonical([record.get(field) for field in self._key_fields]).decode()

    def _settle(self) -> None:
        desired = self._desired
        if desired is None:
            return
        self._tasks.update(self._held)
        listed = {release.name for release in desired.releases}
        self._tasks = {n: t for n, t in self._tasks.items() if n in listed or n in self._held}
        self._champion = self._route(self._answering(desired), "champion")
        # A canary that the worker does not hold (not yet, or refused) gets no requests: the champion answers.
        self._canary = self._shadow = None
        if desired.canary is not None and desired.canary.name in self._held:
            self._canary = (self._route(desired.canary.name, "canary"), desired.canary.bundle, desired.canary.share)
        if desired.shadow is not None and desired.shadow.name in self._held:
            self._shadow = (desired.shadow.name, desired.shadow.bundle, desired.shadow.share)

    def _answering(self, desired: DesiredState) -> str:
        """The champion; while the worker does not hold it, the last release that answered, or the previous champion."""
        before = desired.before.name if desired.before is not None else ""
        for name in (desired.champion.name, self._champion.release, before):
            if name in self._held:
                return name
        return desired.champion.name

    def _route(self, release: str, role: Role) -> Route:
        return Route(release=release, role=role, task=self._tasks.get(release, self._default))


def choose(key: str, *, canary: Digest, canary_share: float) -> Role:
    """Who answers `key`: for one canary, always the same one, so a retry does not change models.

    >>> choose("flight 1", canary=Digest("9f2c"), canary_share=0.0), choose("flight 1", canary=Digest("9f2c"),
    ...     canary_share=1.0)
    ('champion', 'canary')
    """
    # The canary is hashed in: otherwise the same users would be first to meet every new model.
    point = int.from_bytes(blake2b(f"{canary}:{key}".encode(), digest_size=8).digest(), "big") / 2**64
    return "canary" if point < canary_share else "champion"
