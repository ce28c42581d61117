"""Closing the port at shutdown, and checking that all processes have closed it.

Input: uvicorn's server, through the signal handler that it has set. Output: the addresses it listened on, and whether
any process still listens there. All API processes and the main process hold the port, and each closes its own socket on
the signal. A client that connects to the last open one would wait in a queue that no process serves.
"""

import errno
import socket
from typing import Any

Address = tuple[Any, ...]
"""As returned by `socket.getsockname`."""


def close(handler: object) -> tuple[Address, ...]:
    """Stop accepting connections, and return the addresses that were open.

    Args:
        handler: a method of uvicorn's server; the only way to reach the server from here.
    """
    servers = getattr(getattr(handler, "__self__", None), "servers", ())
    addresses = tuple(listening.getsockname() for server in servers for listening in server.sockets)
    for server in servers:
        server.close()
    return addresses


def is_open(address: Address) -> bool:
    """Whether any process listens at `address`.

    It tries to bind a socket there, which the kernel refuses exactly as long as a process listens; open connections do
    not count. Connecting instead would put one more client into the queue.
    """
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
