"""Bodies that are meant to break something, each against every route that reads one: 4xx, never 5xx, never a hang.

S4 of the scoreboard. LitServe answers most of them with 500 and a traceback in its log, or reads 30 MB.
"""

import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import serving_toy
from gateway_toy import body, run, running
from patience import PATIENCE_S, wait_until
from serving_toy import lay_out, settings_of

from proveout.ledger.ledger import Ledger

TENSORS = {
    "inputs": [
        {"name": "number", "datatype": "INT64", "shape": [1], "data": [1]},
        {"name": "size", "datatype": "FP64", "shape": [1], "data": [0.5]},
        {"name": "city", "datatype": "BYTES", "shape": [1], "data": ["EWR"]},
        {"name": "mode", "datatype": "BYTES", "shape": [1], "data": ["fine"]},
    ]
}
SAID = {"request_id": "x", "text": "EWR", "wrong": True, "size": 0.5}

# How a hostile value looks in the body of each route: the text of a good body, with one value put in its place.
ROUTES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "predict": ("/predict", lambda value: body().replace(b"0.5", value)),
    "batch": ("/predict/batch", lambda value: b"[" + body() + b"," + body().replace(b"0.5", value) + b"]"),
    "infer": ("/v2/models/toy/infer", lambda value: orjson.dumps(TENSORS).replace(b"0.5", value)),
    "feedback": ("/feedback", lambda value: orjson.dumps(SAID).replace(b"0.5", value)),
}
ITEMS = {"batch"}  # answers 200, with the problem in its place, where the whole can be read

VALUES: dict[str, bytes] = {
    "NaN": b"NaN",
    "Infinity": b"Infinity",
    "-Infinity": b"-Infinity",
    "1e999": b"1e999",
    "-1e999": b"-1e999",
    "1e-999999999": b"[1e-999999999]",
    "5,000 digits": b"1" * 5_000,
    "5,000 digits and a point": b"1" * 5_000 + b".5",
    "an exponent of 5,000 digits": b"1e" + b"9" * 5_000,
    "2**64": b"[18446744073709551616]",
    "-2**63-1": b"[-9223372036854775809]",
    "a lone high surrogate": b'"\\ud800"',
    "a lone low surrogate": b'"\\udfff"',
    "surrogates the wrong way round": b'"\\udc00\\ud800"',
    "bad UTF-8": b'"\xff\xfe"',
    "overlong UTF-8": b'"\xc0\xaf"',
    "a surrogate in UTF-8": b'"\xed\xa0\x80"',
    "half a character": b'"\xe2\x82"',
    "a raw control character": b'"\x01"',
    "a raw line feed": b'"a\nb"',
    "NUL": b'"a\\u0000b"',
    "right to left": '"\u202e\u2066"'.encode(),
    "a million letters": b'"' + b"x" * 1_000_000 + b'"',
    "100,000 deep, arrays": b"[" * 100_000 + b"]" * 100_000,
    "100,000 deep, objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "100,000 deep, unfinished": b"[" * 100_000,
    "900 deep": b"[" * 900 + b"]" * 900,
    "900 deep, objects": b'{"a":' * 900 + b"1" + b"}" * 900,
    "an object": b'{"a": 1}',
    "an empty object": b"{}",
    "an array": b"[1, 2, 3]",
    "null": b"null",
    "a truth": b"true",
    "a text": b'"0.5"',
    "a prototype": b'{"__proto__": {"x": 1}}',
    "twice": b'0.5, "size": 0.6',
    "twice, as escapes": b'0.5, "si\\u007ae": 0.6, "number": 1, "n\\u0075mber": 2',
    "twice, inside": b'{"a": 1, "a": 2}',
    "10,000 strangers": b"0.5," + b",".join(b'"f%d":1' % i for i in range(3_000)),
    "a stranger with a wicked name": b'0.5, "\\u001b[2J\\r\\nset-cookie: a=b": 1',
    "a comment": b"0.5 /* half */",
    "hexadecimal": b"0x10",
    "a leading zero": b"007",
    "a plus": b"+1",
    "a dot": b".5",
    "python": b"__import__('os').system('true')",
    "a template": b'"{{7*7}}"',
    "SQL": b'"\'; DROP TABLE predictions; --"',
    "a path": b'"../../etc/passwd"',
    "a null byte behind": b"0.5\x00",
}
WHOLE: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \n\t ",
    "one byte": b"\x00",
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": '{"number": 1}'.encode("utf-16"),
    "UTF-32": '{"number": 1}'.encode("utf-32"),
    "half": b'{"number": 1',
    "two documents": b"{}{}",
    "a number": b"5",
    "a text": b'"hello"',
    "null": b"null",
    "single quotes": b"{'number': 1}",
    "a form": b"number=1&size=0.5",
    "multipart": b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "a pickle": b"\x80\x04\x95\x1d\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94.",
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xab\xae\x05\x00\x43\xbf\xa6\xa3\x02\x00\x00\x00",
    "YAML": b"number: !!python/object/apply:os.system ['true']",
    "20 MB": b"x" * 20 * 2**20,
    "5 MB of JSON": b'{"number": "' + b"x" * 5 * 2**20 + b'"}',
}


def bodies(route: str) -> Iterator[tuple[str, bytes]]:
    _, spoiled = ROUTES[route]
    yield from ((name, spoiled(value)) for name, value in VALUES.items())
    yield from WHOLE.items()


@pytest.mark.parametrize("route", ROUTES)
def test_every_hostile_body_is_refused_and_the_server_still_answers(tmp_path, route):
    """Each is told what is wrong in JSON; the next request is answered by the model as if nothing had been."""
    path, _ = ROUTES[route]
    refused = 0

    async def test() -> None:
        nonlocal refused
        async with running(tmp_path) as server:
            for name, text in bodies(route):
                response = await server.client.post(path, content=text)
                if route in ITEMS and response.status_code == 200:
                    good, bad = response.json()
                    assert good["answered_by"] == "model", name
                    assert 400 <= bad["status"] < 500, name
                else:
                    assert 400 <= response.status_code < 500, (name, response.text[:300])
                    told = response.json()
                    assert told["error"] if route == "infer" else told["status"] == response.status_code, name
                assert len(response.content) < 30_000, name
                assert "Traceback" not in response.text, name
                refused += 1
                assert (await server.ask()).json()["answered_by"] == "model", name

    run(test())
    assert refused >= 60


def test_hostile_lines_of_a_stream_cost_only_themselves(tmp_path):
    """The same values, as lines between good ones."""
    lines = [ROUTES["predict"][1](value) for value in VALUES.values() if b"\n" not in value]

    async def test() -> None:
        async with running(tmp_path) as server:
            text = b"\n".join(part for line in lines for part in (line, body()))
            headers = {"content-type": "application/x-ndjson"}
            response = await server.client.post("/predict/batch", content=text, headers=headers)
            answers = [json.loads(line) for line in response.text.splitlines()]

            assert [400 <= answer.get("status", 200) < 500 for answer in answers] == [True, False] * len(lines)

    run(test())


def test_no_refusal_says_the_value_it_refuses(tmp_path):
    """It goes through proxies and logs; what a person typed is theirs."""
    secret = b"Ada-Lovelace-1815"

    async def test() -> None:
        async with running(tmp_path) as server:
            for path, spoiled in ROUTES.values():
                for value in (b'"' + secret + b'"', b'["' + secret + b'"]', b'{"a": "' + secret + b'"}', b'"' + secret):
                    response = await server.client.post(path, content=spoiled(value))
                    assert secret not in response.content, path

    run(test())


HEADERS: dict[str, list[tuple[bytes, bytes]]] = {
    "an id of 10 kB": [(b"x-request-id", b"x" * 10_000)],
    "an id of bytes": [(b"x-request-id", bytes(range(0x80, 0x100)))],
    "a content type of bytes": [(b"content-type", b"\xff\xfe")],
    "a content type of 10 kB": [(b"content-type", b"application/json;" + b"a=b;" * 2_500)],
    "a length that is no number": [(b"content-length", b"many")],
    "a key of bytes": [(b"authorization", b"Bearer \xff\xfe")],
    "many keys": [(b"authorization", b"Bearer po_a_b")] * 50,
    "a deadline of bytes": [(b"x-proveout-deadline-ms", b"\xb2")],
}


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
def test_hostile_headers_are_no_fault_of_the_server(tmp_path, headers):
    """They are bytes from outside, as bodies are."""

    async def test() -> None:
        async with running(tmp_path) as server:
            for path, _ in ROUTES.values():
                sent: list[Any] = []
                scope = {"type": "http", "path": path, "method": "POST", "headers": headers}

                async def receive() -> dict[str, Any]:
                    return {"type": "http.request", "body": body(), "more_body": False}

                async def send(message: Any, sent: list[Any] = sent) -> None:
                    sent.append(message)

                await server.gateway(scope, receive, send)
                assert sent[0]["status"] < 500, path

    run(test())


@pytest.mark.parametrize(
    "path",
    ["/predictions/" + "x" * 5_000, "/predictions/%2e%2e", "/v2/models/\x00", "/é", "//", "/predict\r\n", "*", ""],
)
def test_hostile_paths_are_not_found(tmp_path, path, monkeypatch):
    """A path is text from outside too."""
    monkeypatch.setattr("proveout.server.http.prediction_detail._DRAIN_S", 0.0)

    async def test() -> None:
        async with running(tmp_path) as server:
            Ledger(settings_of(tmp_path).ledger).close()  # the controller makes it, and there is none here
            sent: list[Any] = []

            async def receive() -> dict[str, Any]:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                sent.append(message)

            await server.gateway({"type": "http", "path": path, "method": "GET", "headers": []}, receive, send)
            assert sent[0]["status"] == 404

    run(test())


# --- on a real socket ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real server."""
    root = lay_out(tmp_path_factory.mktemp("hostile"))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number = int(probe.getsockname()[1])
    environment = {
        **os.environ,
        "PROVEOUT_PORT": str(number),
        "PROVEOUT_STATE": str(root / "state"),
        "PROVEOUT_DEADLINE_S": "30",
    }
    toy = Path(serving_toy.__file__)
    process = subprocess.Popen(
        [sys.executable, str(toy), str(root)], env=environment, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        ask = b"GET /readyz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
        wait_until(lambda: _say(number, ask)[:12] == b"HTTP/1.1 200" or process.poll() is not None, "a ready server")
        assert process.poll() is None
        yield number
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)


def _say(port: int, text: bytes, *, wait_s: float = PATIENCE_S, reset: bool = False) -> bytes:
    """What the server says to `text`, until it closes or falls silent."""
    heard = b""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=wait_s) as wire:
            if reset:
                wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wire.sendall(text)
            while not reset and (part := wire.recv(65_536)):
                heard += part
    except OSError:
        pass
    return heard


def _post(text: bytes, *headers: bytes, path: bytes = b"/predict") -> bytes:
    head = b"POST " + path + b" HTTP/1.1\r\nhost: x\r\nconnection: close\r\n" + b"".join(h + b"\r\n" for h in headers)
    return head + b"\r\n" + text


RAW: dict[str, bytes] = {
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64 + b"\r\n\r\n",
    "a wrong length": _post(b"{}", b"content-length: -5"),
    "two lengths": _post(b"{}", b"content-length: 2", b"content-length: 3"),
    "a length and chunks": _post(b"2\r\n{}\r\n0\r\n\r\n", b"content-length: 2", b"transfer-encoding: chunked"),
    "chunks without an end": _post(b"2\r\n{}\r\n", b"transfer-encoding: chunked"),
    "a chunk of nonsense": _post(b"zz\r\n{}\r\n0\r\n\r\n", b"transfer-encoding: chunked"),
    "a body that stops": _post(b'{"number"', b"content-length: 500"),
    "headers without an end": b"POST /predict HTTP/1.1\r\nhost: x\r\n" + b"a: b\r\n" * 50,
    "200 kB of headers": b"GET /livez HTTP/1.1\r\n" + b"a: " + b"b" * 200_000 + b"\r\n\r\n",
    "a path of bytes": b"GET /\xff\xfe HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    "a promise of a gigabyte": _post(b"x" * 100_000, b"content-length: 1000000000"),
}


@pytest.mark.parametrize("text", RAW.values(), ids=RAW)
def test_what_is_hardly_http_leaves_the_server_answering(port, text):
    """4xx, a closed connection, or silence; never a 5xx."""
    heard = _say(port, text, wait_s=8.0)

    assert heard[:9] != b"HTTP/1.1 " or heard[9:10] in {b"2", b"4"}, heard[:200]
    assert _answered(port)


def test_a_client_that_offers_http_2_is_answered_by_the_real_server_too(port):
    """Its body is not lost, whatever hosts the gateway."""
    text = body()
    offer = (b"upgrade: h2c", b"http2-settings: AAMAAABkAAQCAAAAAAIAAAAA")
    heard = _say(port, _post(text, b"content-length: %d" % len(text), *offer).replace(b"close", b"close, Upgrade"))

    assert heard[:12] == b"HTTP/1.1 200"
    assert b'"answered_by":"model"' in heard


def test_a_client_that_resets_its_connection_is_nobodys_problem(port):
    """In the middle of a body, and right behind one."""
    text = body()
    length = b"content-length: %d" % len(text)
    for cut in (text, text[:10], b""):
        for _ in range(10):
            _say(port, _post(cut, length), reset=True)

    assert _answered(port)


def test_a_body_that_comes_a_byte_at_a_time_is_refused_in_time(port):
    """Slow loris holds a connection for five seconds, and nobody else's: its body would take four minutes."""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as wire:
        wire.sendall(_post(b"", b"content-length: 1000"))
        with pytest.raises(OSError):  # it was refused and closed
            for _ in range(1_000):
                wire.sendall(b" ")
                time.sleep(0.25)
    assert _answered(port)


def _answered(port: int) -> bool:
    text = body()
    heard = _say(port, _post(text, b"content-length: %d" % len(text)))
    return heard[:12] == b"HTTP/1.1 200" and b'"answered_by":"model"' in heard
