"""The port that a server listens on: whether it can be had, closing it, and whether all processes have closed it.

Input: the settings; at shutdown uvicorn's server, through the signal handler that it has set. Output: host and port; at
shutdown the addresses it listened on, and whether any process still listens there. All API processes and the main
process hold the port, and each closes its own socket on the signal. A client that connects to the last open one would
wait in a queue that no process serves.
"""

import errno
import socket
from typing import Any

from proveout.errors import ConfigError
from proveout.settings import Settings

_LITSERVE_HOSTS = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "0.0.0.0": "0.0.0.0", "::": "::"}  # noqa: S104

Address = tuple[Any, ...]
"""As returned by `socket.getsockname`."""


def free(settings: Settings) -> tuple[str, int]:
    """The host and port to listen on, checked to be free. Port 0 means any free port. Raises: ConfigError."""
    host = _LITSERVE_HOSTS.get(settings.host)
    if host is None:
        raise ConfigError("host", f"{settings.host} cannot be listened on", "Use 127.0.0.1, 0.0.0.0 or ::")
    if 0 < settings.port < 1024:
        raise ConfigError("port", f"{settings.port} is below 1024", "Use a higher one: PROVEOUT_PORT=8080")
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as uvicorn does: a port in TIME_WAIT is free
        try:
            probe.bind((host, settings.port))
            probe.listen()
        except OSError as error:
            problem = f"{settings.port} on {host} cannot be used: {error.strerror}"
            remedy = "Stop the server that uses it, or choose another port: PROVEOUT_PORT=8081"
            raise ConfigError("port", problem, remedy) from error
        return host, int(probe.getsockname()[1])


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
