"""Load clients for a running server: they send requests continuously over kept connections, and record the results.

Input: the server's address, and request bodies. Output: the source and latency of each answer, and the server's
readiness.
"""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

from proveout.errors import ProveoutError
from proveout.records.prediction import AnswerSource

CALLERS = 8
OVERLOADED = "overloaded"  # end of a problem's type if a request was shed because of overload
_RATE_PER_S = 100.0  # of all clients together: a drill must not cause overload


class DrillFailed(ProveoutError):
    """A drill could not run, or the server did not recover."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """The result of one request. If it failed, `source` is None and `problem` says how."""

    source: AnswerSource | None
    seconds: float
    problem: str | None = None
    retry_after_s: float | None = None  # set if the server is overloaded: when to retry
    retried: bool = False  # this is the answer to a retry


@dataclass(frozen=True, kw_only=True)
class Address:
    """The server's address, and an API key for it."""

    host: str
    port: int
    key: str | None = None

    def headers(self) -> Mapping[str, str]:
        """The headers of a request."""
        return {"content-type": "application/json", **({"authorization": f"Bearer {self.key}"} if self.key else {})}

    def __repr__(self) -> str:  # the key must not get into logs
        return f"Address({self.host}:{self.port})"


@contextmanager
def asking(address: Address, bodies: Iterator[bytes], answers: list[Answered], *, prefix: str) -> Iterator[None]:
    """Clients that send requests continuously, `_RATE_PER_S` together, until the end of the block.

    Each behaves as clients should: if the server is overloaded, it waits as long as the server says, and retries once.
    """
    over, lock, drill = threading.Event(), threading.Lock(), f"{prefix}{time.time_ns():x}"
    numbers = itertools.count()

    def call() -> None:
        connection: http.client.HTTPConnection | None = None
        while not over.is_set():
            with lock:
                body, number = next(bodies), next(numbers)
            began = time.perf_counter()
            connection, answered = ask(address, connection, body, f"{drill}-{number}")
            if answered.retry_after_s is not None:
                time.sleep(answered.retry_after_s)  # also after the block's end: the client still wants its answer
                connection, answered = ask(address, connection, body, f"{drill}-{number}-again")
                answered = replace(answered, retried=True)
            with lock:
                answers.append(answered)
            over.wait(max(0.0, CALLERS / _RATE_PER_S - (time.perf_counter() - began)))
        if connection is not None:
            connection.close()

    threads = [threading.Thread(target=call, daemon=True) for _ in range(CALLERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


def ask(
    address: Address, connection: http.client.HTTPConnection | None, body: bytes, request_id: str
) -> tuple[http.client.HTTPConnection | None, Answered]:
    """Send one request. Returns the connection, or None if it cannot be reused, and the result."""
    began = time.perf_counter()
    try:
        kept = connection or http.client.HTTPConnection(address.host, address.port, timeout=10)
        kept.request("POST", "/predict", body, {**address.headers(), "x-request-id": request_id})
        response = kept.getresponse()
        document = json.loads(response.read())
        seconds = time.perf_counter() - began
        if response.status == HTTPStatus.OK:
            return kept, Answered(source=document["answered_by"], seconds=seconds)
        wait = response.getheader("retry-after") if str(document.get("type")).endswith(OVERLOADED) else None
        return kept, Answered(
            source=None,
            seconds=seconds,
            problem=f"{response.status} {document.get('detail') or response.reason}",
            retry_after_s=None if wait is None else float(wait),
        )
    except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
        return None, Answered(source=None, seconds=time.perf_counter() - began, problem=repr(error))


def ready(address: Address) -> Mapping[str, Any]:
    """The content of /readyz if the server is ready. Raises: DrillFailed."""
    found = readiness(address)
    if found is None:
        raise DrillFailed(f"No server answers on {address.host}:{address.port}. Start one: proveout serve")
    if not found.get("ready"):
        raise DrillFailed(f"The server is not ready: {found.get('reason')}. Wait until /readyz says 200.")
    if "worker" not in found:
        raise DrillFailed("The server requires an API key: give one with the scopes predict and admin, --key po_…")
    return found


def readiness(address: Address) -> Mapping[str, Any] | None:
    """The content of /readyz, ready or not; None if no server answers."""
    connection = http.client.HTTPConnection(address.host, address.port, timeout=5)
    try:
        connection.request("GET", "/readyz", headers=dict(address.headers()))
        details: Mapping[str, Any] = json.loads(connection.getresponse().read())
        return details
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()
