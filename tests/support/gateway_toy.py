"""A gateway with all that stands behind it, in the process of the test: what the tests of HTTP are run against.

The worker is a real one on a real unix socket, in a thread; test_main.py has it in a process of its own. The deadline
is a minute unless a test gives another one: no answer falls to it because the machine is slow. A test that is about the
deadline skips the minute by `virtual_clock.advance(DEADLINE_S)`.
"""

import asyncio
import json
import tempfile
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import virtual_clock
from patience import PATIENCE_S, async_wait_until
from serving_toy import ToyModel, desired, request, settings_of

from proveout.records.api_key import ApiKey, Scope
from proveout.records.prediction import Prediction
from proveout.records.values import Scalar
from proveout.schema import request_schema
from proveout.server.api_runtime import ApiRuntime
from proveout.server.http.app import Gateway
from proveout.server.http.auth import Authenticator
from proveout.server.log import codec
from proveout.server.server_state import DesiredState, desired_path, post
from proveout.server.service.pseudonyms import Pseudonyms
from proveout.server.service.service import service_config
from proveout.server.worker.model_pool import ModelPool
from proveout.server.worker.model_runner import ModelRunner
from proveout.server.worker.release_source import Served
from proveout.server.worker.worker import accept_connections, listen, socket_path
from proveout.settings import load_object
from proveout.trust.api_keys import mac_of

PEPPER = b"p" * 32
SECRET = "s3cr3t-of-nobody-else-0123456789"
DEADLINE_S = 60.0
_WORKER_TIMEOUT_S = 600.0  # the worker is this process: silent for so long, it would be killed


def api_key(number: int = 1, *, scopes: Sequence[Scope] = ("predict",), secret: str = SECRET, **changed: Any) -> ApiKey:
    """A key as the desired state lists it."""
    return ApiKey(
        **{
            "id": f"{number:012x}",
            "name": f"key {number}",
            "tenant": "acme",
            "mac": mac_of(PEPPER, secret),
            "scopes": tuple(scopes),
            "created_at": "2013-01-01T00:00:00.000+00:00",
            **changed,
        }
    )


def key_text(key: ApiKey, secret: str = SECRET) -> str:
    """What its owner sends."""
    return f"po_{key.id}_{secret}"


def bearer(key: ApiKey, secret: str = SECRET) -> dict[str, str]:
    return {"authorization": f"Bearer {key_text(key, secret)}"}


async def litserve(scope: Mapping[str, Any], receive: Any, send: Any) -> None:
    """What LitServe's application is to the gateway."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    await send({"type": "http.response.start", "status": 418, "headers": []})
    await send({"type": "http.response.body", "body": b"LitServe"})


class Worker:
    """A worker in a thread: the real socket and the real answers, with a model that does as it is told."""

    def __init__(self, path: str, schema: Any, there: DesiredState, answer: Callable[[Any], Any] | None = None) -> None:
        pool = ModelPool(lambda release: ModelRunner(Served(release=release.name, model=ToyModel()), schema.dtypes))
        for release in there.releases:
            pool._take(release)
        self.messages: list[Any] = []
        self.free = threading.Event()  # while it is not set, no message is answered
        self.free.set()
        real = pool.answer

        def noted(message: Any) -> Any:
            self.messages.append(message)
            self.free.wait(PATIENCE_S)
            return answer(message) if answer else real(message)

        pool.answer = noted  # type: ignore[method-assign]
        self.listening = listen(path)
        threading.Thread(target=self._attend, args=(pool,), daemon=True).start()

    def _attend(self, pool: ModelPool) -> None:
        try:
            accept_connections(self.listening, pool)
        except OSError:
            return

    def batches(self) -> list[int]:
        return [len(m["columns"]["mode"]) for m in self.messages if m["ask"] == "predict"]


class Running:
    """A gateway that runs, a client of it, and what it wrote."""

    def __init__(
        self, client: httpx.AsyncClient, gateway: Gateway, backend: ApiRuntime, worker: Worker | None, folder: Path
    ) -> None:
        self.client, self.gateway, self.backend, self.worker, self.folder = client, gateway, backend, worker, folder

    async def ask(self, headers: Mapping[str, str] | None = None, **changed: Any) -> httpx.Response:
        return await self.client.post("/predict", json=request(**changed), headers=headers)

    @asynccontextmanager
    async def busy(self, **changed: Any) -> AsyncIterator[asyncio.Task[httpx.Response]]:
        """The worker computes: it has one request, which is given, and answers nothing until the block ends."""
        assert self.worker is not None
        self.worker.free.clear()
        try:
            before = len(self.worker.messages)
            asked = asyncio.create_task(self.ask(**changed))
            await async_wait_until(lambda: len(self.worker.messages) > before, "the worker has a request")
            yield asked
        finally:
            self.worker.free.set()

    async def queued(self, count: int) -> None:
        """Until so many requests wait for the worker."""
        await async_wait_until(
            lambda: self.backend.dispatch.waiting == count,
            lambda: f"{count} requests in the queue, not {self.backend.dispatch.waiting}",
        )

    def rows(self) -> list[codec.Row]:
        """What is in the journals, in order."""
        files = sorted(self.backend.journal._folder.glob("*.jsonl"))
        return [codec.read(line) for file in files for line in file.read_bytes().splitlines() if line.strip()]

    def log(self) -> list[Prediction]:
        """The answers in the journals."""
        return [row for row in self.rows() if isinstance(row, Prediction)]

    async def post(self, there: DesiredState) -> None:
        """Put up another desired state, and wait until it is seen."""
        post(desired_path(self.folder), there)
        await async_wait_until(
            lambda: self.backend.desired and self.backend.desired.seq == there.seq, f"desired state {there.seq}"
        )


@asynccontextmanager
async def running(
    root: Path,
    *,
    with_worker: bool = True,
    answer: Callable[[Any], Any] | None = None,
    body_s: float = 5.0,
    action: Callable[..., Any] | None = None,
    keys: Sequence[ApiKey] | None = None,
    there: DesiredState | None = None,
    schema_text: str | None = None,
    typical: Mapping[str, Scalar] | None = None,
    **changed: Any,
) -> AsyncIterator[Running]:
    """A running gateway.

    Args:
        answer: what the worker says, instead of what it would.
        keys: of the desired state; with any, a request needs one.
        schema_text: another schema.py.
        typical: values that examples show.
    """
    settings = settings_of(root, **{"deadline_s": DEADLINE_S, "worker_timeout_s": _WORKER_TIMEOUT_S, **changed})
    if schema_text is not None:
        (root / "schema.py").write_text(schema_text, encoding="utf-8")
    schema = request_schema.read(load_object(settings.request_schema, root), name="toy")
    standing = there or desired(keys=tuple(keys or ()))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "metrics").mkdir()
        post(desired_path(folder), standing)
        worker = Worker(socket_path(folder, 0), schema, standing, answer) if with_worker else None
        config = service_config(
            settings,
            schema=schema,
            rules=load_object(settings.fallback, root),
            action=action or load_object(settings.actions, root),
        )
        backends: list[ApiRuntime] = []

        def make_backend() -> ApiRuntime:
            backends.append(
                ApiRuntime(
                    config,
                    settings=settings,
                    fields=schema.names,
                    folder=folder,
                    pseudonyms=Pseudonyms(b"k" * 32),
                )
            )
            return backends[0]

        gateway = Gateway(
            litserve,
            schema=schema,
            settings=settings,
            typical=typical,
            backend=make_backend,
            authenticator=Authenticator(mac=partial(mac_of, PEPPER), required=keys is not None),
            folder=folder,
            body_s=body_s,
        )
        async with (
            lifespan(gateway),
            httpx.AsyncClient(transport=httpx.ASGITransport(gateway), base_url="http://toy") as client,
        ):
            if with_worker:  # the API runtime waits for the plain line only
                async with asyncio.timeout(PATIENCE_S):
                    await backends[0]._connections.side.up.wait()
                    await backends[0]._connections.shadow.up.wait()
            yield Running(client, gateway, backends[0], worker, folder)
        if worker is not None:
            worker.listening.close()


@asynccontextmanager
async def lifespan(app: Any) -> AsyncIterator[None]:
    incoming: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    outgoing: asyncio.Queue[Mapping[str, str]] = asyncio.Queue()
    task = asyncio.create_task(app({"type": "lifespan"}, incoming.get, outgoing.put))
    await incoming.put({"type": "lifespan.startup"})
    assert (await outgoing.get())["type"] == "lifespan.startup.complete"
    try:
        yield
    finally:
        await incoming.put({"type": "lifespan.shutdown"})
        assert (await outgoing.get())["type"] == "lifespan.shutdown.complete"
        await task


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run a test to its end, on a loop of which it can skip time."""
    virtual_clock.run(test, loop=virtual_clock.SkippingLoop)


def body(**changed: Any) -> bytes:
    """The text of a valid request, some of it changed."""
    return json.dumps(request(**changed)).encode()
