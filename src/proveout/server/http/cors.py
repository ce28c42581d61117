"""CORS: which web pages of other origins may call the server. None, unless a setting names them.

Input: the gateway and the origins. Output: the gateway behind Starlette's middleware, which answers preflights.
Browser credentials (cookies) are never allowed: a page sends its API key in a header, like any other client.
"""

from collections.abc import Sequence
from typing import Any, cast

from starlette.middleware.cors import CORSMiddleware

from proveout.server.http.request import App

_SENT = ("authorization", "content-encoding", "content-type", "inference-header-content-length", "x-api-key",
         "x-proveout-deadline-ms", "x-request-id")  # fmt: skip
_READ = ("inference-header-content-length", "ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", "retry-after",
         "x-proveout-cache", "x-proveout-latency-ms", "x-proveout-unlogged", "x-request-id")  # fmt: skip


def allow(app: App, origins: Sequence[str]) -> App:
    """`app`, callable by pages of `origins`; "*" allows all."""
    if not origins:
        return app
    allowed = CORSMiddleware(
        cast(Any, app),
        allow_origins=origins,
        allow_methods=("GET", "POST"),
        allow_headers=_SENT,
        expose_headers=_READ,
        allow_credentials=False,
    )
    return cast(App, allowed)
