"""server/listening_port.py: closing the port, and knowing that everybody has."""

import asyncio
import socket
from types import SimpleNamespace

import pytest

from proveout.server import listening_port


def listening(host: str, port: int = 0) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, port))
    made.listen()
    return made


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_a_port_is_open_until_the_last_process_has_closed_it(host):
    """Connections that are left, and that clients have closed, are no reason to wait."""
    first = listening(host)
    address = first.getsockname()
    second = listening(host, address[1])
    client = socket.create_connection(("::1" if ":" in host else "127.0.0.1", address[1]))
    first.settimeout(0.1)
    try:
        accepted, _ = first.accept()
    except TimeoutError:
        accepted, _ = second.accept()

    assert listening_port.is_open(address)
    first.close()
    assert listening_port.is_open(address)
    second.close()
    assert not listening_port.is_open(address)
    client.close()
    accepted.close()
    assert not listening_port.is_open(address)


def test_what_a_server_listened_on_is_known_when_it_has_closed():
    """uvicorn's server keeps asyncio's, and sets a method of its own as the handler of signals."""

    class Uvicorn:
        def __init__(self, server: asyncio.Server) -> None:
            self.servers = [server]

        def handle_exit(self) -> None: ...

    async def closed() -> tuple[tuple[listening_port.Address, ...], bool]:
        server = await asyncio.start_server(lambda *_: None, sock=listening("127.0.0.1"))
        addresses = listening_port.close(Uvicorn(server).handle_exit)
        await asyncio.sleep(0)
        return addresses, any(listening_port.is_open(address) for address in addresses)

    addresses, still_open = asyncio.run(closed())
    assert len(addresses) == 1
    assert not still_open
    assert listening_port.close(SimpleNamespace()) == ()
