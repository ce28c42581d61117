"""The port at the end: closed here, and closed everywhere.

Input: uvicorn's server, through the signal handler that it has set. Output: the addresses that it listened on, and
whether any process still listens there. All API processes and the main process hold the port, and each closes its own
socket when it hears the signal; a client that connects to the last one of them waits in a queue that nobody empties.
"""

import errno
import socket
from typing import Any

Address = tuple[Any, ...]
"""As `socket.getsockname` gives it."""


def close(handler: object) -> tuple[Address, ...]:
    """Accept no more connections. Returns where they were accepted.

    `handler` is a method of uvicorn's server, which is known from here by nothing else.
    """
    servers = getattr(getattr(handler, "__self__", None), "servers", ())
    addresses = tuple(listening.getsockname() for server in servers for listening in server.sockets)
    for server in servers:
        server.close()
    return addresses


def is_open(address: Address) -> bool:
    """Whether any process listens at `address`.

    Asked by binding a socket there, which the kernel refuses as long as somebody listens, and no longer: connections
    that are left do not count. To connect would put one more client into the queue.
    """
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error.errno == errno.EADDRINUSE
    return False
