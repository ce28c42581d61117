"""The gateway of `gateway_toy.py` on a real port, in a thread: what clients that know no ASGI are pointed at."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from gateway_toy import Running, running
from patience import PATIENCE_S

from proveout.server.http_protocol import HttpProtocol


@contextmanager
def listening(root: Path, **arguments: Any) -> Iterator[tuple[str, Running]]:
    """Its address, and the gateway. Args: those of `gateway_toy.running`."""
    begun, found = threading.Event(), dict[str, Any]()

    async def serve() -> None:
        async with running(root, **arguments) as server:
            config = uvicorn.Config(
                server.gateway,
                http=HttpProtocol,
                port=0,
                lifespan="off",
                log_level="critical",
                timeout_keep_alive=60,
            )
            found["uvicorn"] = host = uvicorn.Server(config)
            serving = asyncio.create_task(host.serve())
            while not host.started:
                await asyncio.sleep(0.01)
            found["port"], found["running"] = host.servers[0].sockets[0].getsockname()[1], server
            begun.set()
            await serving

    def run() -> None:
        try:
            asyncio.run(serve())
        finally:
            begun.set()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert begun.wait(PATIENCE_S)
    try:
        yield f"http://127.0.0.1:{found['port']}", found["running"]
    finally:
        found["uvicorn"].should_exit = True
        thread.join(PATIENCE_S)
