"""The whole surface, asked by machines: what the OpenAPI document says is what the server does, whatever it is sent.

schemathesis reads the document and makes requests of it, good ones and ones that break it in one place, and compares
each response with the document: codes, types, bodies. It speaks to the gateway over a real port. What it cannot make
(bodies that stop, headers by the thousand, paths that are none) is said by hand over raw sockets.
"""

import contextlib
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from gateway_port import listening
from gateway_toy import api_key, body, key_text
from patience import PATIENCE_S
from serving_toy import CALM, settings_of

from proveout.ledger.ledger import Ledger

EVERYTHING = api_key(scopes=("predict", "feedback", "admin", "metrics"))
# Not asked is what the document cannot say, that each field has its tensor; and what it need not say: who sends headers
# of their own is answered. A body that is too large has a code of its own, a batch is 200 with a problem in each place,
# and 503 is said, as documented, where an answer would come after the deadline that was asked for.
CONFIG = """
[generation]
allow-extra-parameters = false

[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 408, 413, 422, 503]
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 503]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]

[[operations]]
include-path-regex = "/infer$"
checks.positive_data_acceptance.enabled = false

[[operations]]
include-path = "/predict/batch"
checks.negative_data_rejection.expected-statuses = [200, 400, 401, 403, 408, 413, 422, 503]
"""


def fuzzed(root: Path, *, examples: int, key: str | None, asked: bool, seed: int = 1) -> int:
    """How many cases were tried, none of which failed.

    Args:
        examples: for each operation and way.
        key: what is sent; None for nothing.
        asked: whether the server asks for a key.
    """
    (root / "schemathesis.toml").write_text(CONFIG)
    headers = [] if key is None else ["-H", f"Authorization: Bearer {key}"]
    keys = [EVERYTHING] if asked else None
    with (
        pytest.MonkeyPatch.context() as patched,
        listening(root / "project", schema_text=CALM, keys=keys) as (url, server),
    ):
        patched.setattr(
            "proveout.server.http.prediction_detail._DRAIN_S", 0.0
        )  # nobody drains here: a dossier is waited for in vain
        command = ["--config-file", str(root / "schemathesis.toml"), "run", f"{url}/openapi.json", "--no-color"]
        command += ["--max-examples", str(examples), "--mode", "all", "--seed", str(seed)]
        command += ["--phases", "examples,coverage,fuzzing", "--continue-on-failure", *headers]
        ran = subprocess.run(
            [str(Path(sys.executable).with_name("schemathesis")), *command],
            capture_output=True,
            text=True,
            cwd=root,
            timeout=1_500,
            check=False,
        )
        codes: Counter[int] = Counter()
        for (_, code), number in server.gateway._tally.requests.items():
            codes[code] += number
    said = ran.stdout
    found = re.search(r"Test cases:\s+([\d,]+) generated", said)
    assert ran.returncode == 0, said[-8_000:] + ran.stderr[-2_000:]
    assert found is not None, said[-2_000:]
    tried = int(found[1].replace(",", ""))
    print(
        f"key {'sent' if key else 'not sent'}, {'asked for' if asked else 'not asked for'}: {tried:,} cases, 0 failures"
    )
    print(f"codes: {dict(sorted(codes.items()))}")
    assert not {code for code in codes if code >= 500 and code != 503}, codes
    assert codes[503] < tried / 10, codes
    return tried


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        pytest.param(False, None, id="no key asked for", marks=pytest.mark.chaos),
        pytest.param(True, key_text(EVERYTHING), id="key"),
        pytest.param(True, None, id="key missing", marks=pytest.mark.chaos),
    ],
)
def test_the_server_does_what_its_document_says(tmp_path, asked, key):
    """A sample of what `make chaos` does: no code and no body that is not in the document, none of 500 and above."""
    assert fuzzed(tmp_path, examples=3, key=key, asked=asked) >= 200


@pytest.mark.chaos
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize(("asked", "key"), [(False, None), (True, key_text(EVERYTHING))], ids=["open", "key"])
def test_the_server_does_what_its_document_says_ten_thousand_times(tmp_path, asked, key):
    """S4 of the scoreboard."""
    tried = 0
    for seed in range(1, 40):
        (tmp_path / str(seed)).mkdir()
        tried += fuzzed(tmp_path / str(seed), examples=150, key=key, asked=asked, seed=seed)
        if tried >= 10_000:
            break
    print(f"together: {tried:,} cases, 0 failures")
    assert tried >= 10_000


# --- by hand, on a socket --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that asks for keys."""
    root = tmp_path_factory.mktemp("fuzz")
    Ledger(settings_of(root).ledger).close()  # the controller makes it, and there is none here
    with listening(root, schema_text=CALM, keys=[EVERYTHING], body_s=2.0) as (url, server):
        yield int(url.rpartition(":")[2])
        assert not {code for _, code in server.gateway._tally.requests if code >= 500}


def say(port: int, *texts: bytes, wait_s: float = PATIENCE_S, pause_s: float = 0.0) -> bytes:
    """What the server says, until it closes or is silent: for `wait_s` at first, for a second later."""
    heard = b""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=wait_s) as wire:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for text in texts:
                wire.sendall(text)
                time.sleep(pause_s)
        while part := wire.recv(1 << 20):
            heard += part
            wire.settimeout(1.0)
    return heard


KEY = b"authorization: Bearer " + key_text(EVERYTHING).encode()


def asking(method: bytes, path: bytes, *headers: bytes, text: bytes = b"", version: bytes = b"1.1") -> bytes:
    lines = [method + b" " + path + b" HTTP/" + version, b"host: x", *headers]
    if text:
        lines.append(b"content-length: %d" % len(text))
    return b"\r\n".join(lines) + b"\r\n\r\n" + text


def codes_in(heard: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.[01] (\d{3})", heard)]


def answers(port: int) -> bool:
    heard = say(port, asking(b"POST", b"/predict", KEY, b"connection: close", text=body()))
    return codes_in(heard) == [200] and b'"answered_by":"model"' in heard


METHODS = (b"HEAD", b"OPTIONS", b"PUT", b"DELETE", b"PATCH", b"TRACE", b"CONNECT", b"PROPFIND", b"predict", b"GET\x00")


@pytest.mark.parametrize("method", METHODS)
def test_a_method_that_no_route_has_is_refused(guarded, method):
    """405 or 400, or no answer to what is no HTTP; HEAD is GET without a body."""
    for path in (b"/predict", b"/metrics", b"/livez", b"/predictions/x", b"/v2/models/toy/infer", b"*"):
        heard = say(guarded, asking(method, path, b"connection: close", KEY))
        for code in codes_in(heard):
            assert 400 <= code < 500 or (method == b"HEAD" and code == 200), (path, heard[:300])
        if method == b"HEAD":
            assert heard.partition(b"\r\n\r\n")[2] == b"", path
    assert answers(guarded)


TRICKS = (
    b"//metrics", b"///metrics", b"/./metrics", b"/predict/../metrics", b"/livez/../metrics", b"/livez/..;/metrics",
    b"/metrics/", b"/metrics//", b"/metrics/.", b"/metrics;a=b", b"/metrics%2f", b"/%2fmetrics", b"/%2e/metrics",
    b"/%6detrics", b"/%6Detrics", b"/metrics%00", b"/metrics%00.json", b"/metrics%20", b"/metrics%0d%0a", b"/METRICS",
    b"/metrics?x=/livez", b"/metrics#/livez", b"/livez?/../metrics", b"\\metrics", b"/\\metrics", b"/%5cmetrics",
    b"http://x/metrics", b"http://evil/../metrics", b"/%c0%afmetrics", b"/%25%36%64etrics", b"/metr\xc4\xb1cs",
    b"/%ef%bd%8detrics", b"/predictions/..%2f..%2fmetrics", b"/predictions/../metrics", b"/v2/models/..%2f..%2fmetrics",
    b"/v2/models/toy/../../../metrics", b"/%", b"/%zz", b"/%2", b"/" + b"a" * 60_000, b"/" + b"%41" * 5_000,
)  # fmt: skip


def test_no_way_of_writing_a_path_goes_round_its_rule(guarded):
    """The rule of a route is found by the path that answers it: nobody gets figures, or a dossier, without a key."""
    for trick in TRICKS:
        for method in (b"GET", b"POST", b"HEAD"):
            heard = say(guarded, asking(method, trick, b"connection: close"))
            assert all(400 <= code < 500 or code == 200 for code in codes_in(heard)), (trick, heard[:200])
            assert b"proveout_" not in heard, trick
            if 200 in codes_in(heard):
                assert trick.startswith(b"/livez?"), (trick, heard[:200])
    assert b"proveout_" in say(guarded, asking(b"GET", b"/metrics", KEY, b"connection: close"))
    assert answers(guarded)


def test_requests_one_behind_the_other_are_answered_each_with_its_own(guarded):
    """Pipelined, good and bad mixed: no answer goes to another request, and a hidden one is not smuggled in."""
    good = [asking(b"POST", b"/predict", KEY, b"x-request-id: r%d" % i, text=body(number=i)) for i in range(20)]
    bad = asking(b"POST", b"/predict", KEY, text=b"{}")
    nobody = asking(b"POST", b"/predict", text=body())
    last = asking(b"GET", b"/livez", b"connection: close")
    heard = say(guarded, b"".join(part for one in good for part in (one, bad, nobody)) + last)

    assert codes_in(heard) == [200, 422, 401] * 20 + [200]
    assert [int(i) for i in re.findall(rb'"request_id":"r(\d+)"', heard)] == list(range(20))


def chunked() -> bytes:
    return asking(b"POST", b"/predict", KEY, b"transfer-encoding: chunked")


SMUGGLED = b"GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n"
BROKEN: dict[str, Sequence[bytes]] = {
    "HTTP/1.0": [asking(b"POST", b"/predict", KEY, text=body(), version=b"1.0")],
    "HTTP/1.0 without a length": [asking(b"POST", b"/predict", KEY, version=b"1.0") + body()],
    "HTTP/0.9": [b"GET /metrics\r\n"],
    "HTTP/9.9": [asking(b"GET", b"/livez", version=b"9.9")],
    "HTTP/2 preface": [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    "no host": [b"GET /livez HTTP/1.1\r\n\r\n"],
    "two hosts": [asking(b"GET", b"/livez", b"host: y")],
    "expect": [asking(b"POST", b"/predict", KEY, b"expect: 100-continue", text=body())],
    "expect nonsense": [asking(b"POST", b"/predict", KEY, b"expect: a-lot", text=body())],
    "upgrade": [
        asking(b"GET", b"/predict", KEY, b"upgrade: websocket", b"connection: upgrade", b"sec-websocket-key: x")
    ],
    "length shorter than the body": [asking(b"POST", b"/predict", KEY, b"content-length: 5") + body()],
    "length longer than the body": [asking(b"POST", b"/predict", KEY, b"content-length: 500") + body()],
    "length of 30 digits": [asking(b"POST", b"/predict", KEY, b"content-length: " + b"9" * 30) + body()],
    "length with a plus": [asking(b"POST", b"/predict", KEY, b"content-length: +5") + body()],
    "length in hex": [asking(b"POST", b"/predict", KEY, b"content-length: 0x5") + body()],
    "smuggled behind a length": [
        asking(b"POST", b"/predict", KEY, b"transfer-encoding: chunked", b"content-length: 4") + b"0\r\n\r\n" + SMUGGLED
    ],
    "smuggled behind a coding": [
        asking(b"POST", b"/predict", KEY, b"transfer-encoding: xchunked", b"content-length: 0") + SMUGGLED
    ],
    "two codings": [
        asking(b"POST", b"/predict", KEY, b"transfer-encoding: gzip, chunked") + b"3\r\n{}\n\r\n0\r\n\r\n"
    ],
    "vast chunk": [chunked() + b"ffffffffffffffff\r\n{}\r\n"],
    "negative chunk": [chunked() + b"-1\r\n{}\r\n0\r\n\r\n"],
    "chunk extensions": [
        chunked() + b"1;" + b"a" * 300_000 + b"\r\n{\r\n0\r\n\r\n"
    ],
    "a thousand chunks": [
        chunked() + b"1\r\n{\r\n" * 1_000 + b"0\r\n\r\n"
    ],
    "trailers": [chunked() + b"0\r\na: b\r\n" + b"c: d\r\n" * 5_000],
    "folded header": [b"GET /livez HTTP/1.1\r\nhost: x\r\na: b\r\n c\r\n\r\n"],
    "header without a colon": [b"GET /livez HTTP/1.1\r\nhost: x\r\nnonsense\r\n\r\n"],
    "header with a NUL": [asking(b"GET", b"/livez", b"a: b\x00c")],
    "header name with a space": [asking(b"GET", b"/livez", b"a b: c")],
    "ten thousand headers": [asking(b"GET", b"/livez", *[b"a%d: b" % i for i in range(10_000)])],
    "line feeds alone": [b"GET /livez HTTP/1.1\nhost: x\n\n"],
    "carriage returns alone": [b"GET /livez HTTP/1.1\rhost: x\r\r"],
    "empty lines first": [b"\r\n" * 1_000 + asking(b"GET", b"/livez")],
    "a NUL flood": [b"\x00" * 200_000],
    "30 MB, promised": [asking(b"POST", b"/predict", KEY, text=b"x" * 30 * 2**20)],
    "30 MB, chunked": [
        chunked(),
        *[b"100000\r\n" + b"x" * 2**20 + b"\r\n"] * 30,
        b"0\r\n\r\n",
    ],
    "30 MB to nobody": [asking(b"POST", b"/predict", text=b"x" * 30 * 2**20)],
    "30 MB to a route without a body": [asking(b"GET", b"/livez", text=b"x" * 30 * 2**20)],
    "half a request": [b"POST /predict HT"],
    "half a body": [asking(b"POST", b"/predict", KEY, b"content-length: 80") + body()[:20]],
    "the other half late": [asking(b"POST", b"/predict", KEY, b"content-length: 80") + body()[:20], b"x" * 60],
}  # fmt: skip


@pytest.mark.parametrize("kind", BROKEN)
def test_what_is_hardly_http_leaves_the_server_as_it_was(guarded, kind):
    """4xx, or what HTTP makes of it, or a closed connection; no 5xx, no figures without a key; the next is answered."""
    heard = say(guarded, *BROKEN[kind], wait_s=6.0, pause_s=2.5 if kind == "the other half late" else 0.0)

    assert all(code < 500 for code in codes_in(heard)), heard[:300]
    assert b"proveout_http" not in heard
    assert b"Traceback" not in heard
    assert answers(guarded)


def test_many_who_say_nothing_keep_nobody_waiting(guarded):
    """Two hundred open connections, half of them in the middle of a body: the next request is answered all the same."""
    with contextlib.ExitStack() as open_ones:
        for number in range(200):
            wire = open_ones.enter_context(socket.create_connection(("127.0.0.1", guarded), timeout=PATIENCE_S))
            wire.sendall(asking(b"POST", b"/predict", KEY, b"content-length: 80") + body()[:20] if number % 2 else b"P")
        assert answers(guarded)
    assert answers(guarded)
