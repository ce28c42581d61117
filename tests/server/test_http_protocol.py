"""server/http_protocol.py: what a client gets that would rather speak another protocol, over a real socket."""

import re
import socket
from collections.abc import Iterator, Sequence

import pytest
from gateway_port import listening
from gateway_toy import Running, body
from patience import PATIENCE_S
from serving_toy import request as record

from proveout.server.http.auth import RULES

H2C = (
    b"connection: Upgrade, HTTP2-Settings",
    b"upgrade: h2c",
    b"http2-settings: AAMAAABkAAQCAAAAAAIAAAAA",
)  # as curl --http2 and Java's HttpClient send them
WEBSOCKET = (
    b"connection: keep-alive, Upgrade",
    b"upgrade: websocket",
    b"sec-websocket-version: 13",
    b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Running]]:
    """The port of a gateway, and the gateway."""
    with listening(tmp_path_factory.mktemp("protocol")) as (url, running):
        yield int(url.rpartition(":")[2]), running


@pytest.fixture
def port(server: tuple[int, Running]) -> int:
    return server[0]


def asking(method: bytes, path: bytes, *headers: bytes, text: bytes = b"", version: bytes = b"1.1") -> bytes:
    lines = [method + b" " + path + b" HTTP/" + version, b"host: x", *headers]
    if text:
        lines.append(b"content-length: %d" % len(text))
    return b"\r\n".join(lines) + b"\r\n\r\n" + text


def said(port: int, *parts: bytes) -> bytes:
    """What the server says to `parts`, sent one by one, until it closes."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as wire:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for part in parts:
            wire.sendall(part)
        while part := wire.recv(1 << 16):
            heard += part
    return heard


def codes(heard: bytes) -> list[int]:
    return [int(code) for code in re.findall(rb"HTTP/1\.1 (\d{3})", heard)]


def answers(heard: bytes) -> Sequence[tuple[str, float]]:
    """The id, as it was given, and the probability of each answer, in order."""
    found = re.findall(rb'"request_id":"(\w+)[^"]*".*?"probability":([\d.]+).*?"answered_by":"model"', heard)
    return [(name.decode(), float(probability)) for name, probability in found]


LAST = asking(b"POST", b"/predict", b"connection: close", b"x-request-id: last", text=body(number=0, size=0.1))


@pytest.mark.parametrize("offer", [H2C, WEBSOCKET], ids=["h2c", "websocket"])
def test_a_client_that_offers_another_protocol_is_answered_in_http_1_1(port, offer):
    """Java's HttpClient offers HTTP/2 with its first request: its body was lost, and read as the next request."""
    first = asking(b"POST", b"/predict", b"x-request-id: first", *offer, text=body(number=0, size=0.5))

    heard = said(port, first, LAST)

    assert codes(heard) == [200, 200]
    assert answers(heard) == [("first", pytest.approx(0.35)), ("last", pytest.approx(0.15))]


def test_an_offer_with_a_body_in_chunks_is_answered_too(port):
    """Java sends a body of unknown length so."""
    text = body(number=0, size=0.5)
    chunks = b"%x\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (9, text[:9], len(text) - 9, text[9:])

    heard = said(port, asking(b"POST", b"/predict", *H2C, b"transfer-encoding: chunked") + chunks, LAST)

    assert codes(heard) == [200, 200]
    assert [probability for _, probability in answers(heard)] == [pytest.approx(0.35), pytest.approx(0.15)]


def test_offers_one_behind_the_other_are_answered_each_with_its_own(port):
    """Pipelined, with offers and without, and with a body that looks like a request itself."""
    offers: list[tuple[bytes, ...]] = [H2C, (), WEBSOCKET]
    many = b"".join(
        asking(b"POST", b"/predict", b"x-request-id: r%d" % i, *offers[i % 3], text=body(number=i)) for i in range(12)
    )
    hidden = asking(b"POST", b"/predict", *H2C, text=asking(b"GET", b"/livez"))

    heard = said(port, many + hidden + LAST)

    assert codes(heard) == [200] * 12 + [400, 200]
    assert [name for name, _ in answers(heard)] == [*(f"r{i}" for i in range(12)), "last"]


def test_an_offer_may_come_in_any_parts(port):
    """The network cuts where it likes: in the head, in the body, between two requests."""
    both = asking(b"POST", b"/predict", b"x-request-id: first", *H2C, text=body(number=0, size=0.5)) + LAST
    cuts = [*range(1, len(both), 23), len(both)]
    parts = [both[start:end] for start, end in zip([0, *cuts], cuts, strict=False)]

    heard = said(port, *parts)

    assert answers(heard) == [("first", pytest.approx(0.35)), ("last", pytest.approx(0.15))]


def test_on_every_route_an_offer_changes_nothing(port, monkeypatch):
    """GET too: a probe or a scraper that offers HTTP/2 gets what any other gets."""
    monkeypatch.setattr("proveout.server.http.prediction_detail._DRAIN_S", 0.0)  # nobody drains here: it waits in vain
    for (template, method), _ in RULES.items():
        path = re.sub(r"\{\w+\}", "toy", template).encode()
        text = body() if method == "POST" else b""
        plain, h2c, websocket = (
            said(port, asking(method.encode(), path, *offer, text=text) + LAST) for offer in ((), H2C, WEBSOCKET)
        )
        assert codes(plain)[-1] == 200, template
        assert codes(h2c) == codes(websocket) == codes(plain), template
        assert len(codes(plain)) == 2, template


def test_in_http_1_0_and_without_an_end_an_offer_is_ignored_too(port):
    """RFC 9110: a server must ignore an Upgrade in HTTP/1.0."""
    heard = said(port, asking(b"POST", b"/predict", *H2C, text=body(number=0, size=0.5), version=b"1.0"))

    assert codes(heard) == [200]
    assert [probability for _, probability in answers(heard)] == [pytest.approx(0.35)]


def test_an_offer_is_logged_as_any_other_request(server):
    """The record in the log is the one that was sent."""
    port, running = server
    said(port, asking(b"POST", b"/predict", b"x-request-id: logged", b"connection: close, upgrade", b"upgrade: h2c",
                      text=body(number=7, size=0.25)))  # fmt: skip

    [row] = [row for row in running.log() if row.request_id == "logged"]
    assert row.record == record(number=7, size=0.25)


# --- what HTTP/1.1 asks for ---------------------------------------------------------------------------------------


def test_a_body_that_is_announced_too_large_is_refused_before_it_is_sent(port):
    """`curl -d @large` asks first, and was asked for the body: 408 after five seconds instead of 413 at once."""
    for path in (b"/predict", b"/predict/batch", b"/feedback", b"/v2/models/toy/infer"):
        for length in (b"500000000", b"9" * 15):
            heard = said(port, asking(b"POST", path, b"expect: 100-continue", b"content-length: " + length))

            assert codes(heard) == [413], path  # no 100 before it
            assert b"connection: close" in heard


def test_a_body_that_is_announced_and_fits_is_asked_for(port):
    """The client waits for the 100; the connection goes on."""
    text = body(number=0, size=0.5)
    head = asking(b"POST", b"/predict", b"expect: 100-continue", b"content-length: %d" % len(text))
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S) as wire:
        wire.sendall(head)
        assert wire.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        wire.sendall(text + LAST)
        heard = b""
        while part := wire.recv(1 << 16):
            heard += part

    assert codes(heard) == [200, 200]
    assert [probability for _, probability in answers(heard)] == [pytest.approx(0.35), pytest.approx(0.15)]


def test_a_body_that_was_never_asked_for_costs_its_connection(port):
    """Whoever got an answer without a 100 may send the body or not: what follows could be either."""
    for method, path, code in ((b"GET", b"/livez", 200), (b"POST", b"/nowhere", 404), (b"PUT", b"/predict", 405)):
        heard = said(port, asking(method, path, b"expect: 100-continue", b"content-length: 80"))

        assert codes(heard) == [code]
        assert b"connection: close" in heard


@pytest.mark.parametrize("hosts", [(), (b"host: x", b"host: x"), (b"host: x", b"host: y")])
def test_a_request_in_http_1_1_has_one_host(port, hosts):
    """RFC 9112: anything else is 400, on every route; a proxy and a server may read two in two ways."""
    for line in (b"GET /livez", b"POST /predict", b"GET /v2", b"GET /nowhere"):
        heard = said(port, b"\r\n".join((line + b" HTTP/1.1", b"connection: close", *hosts, b"", b"")))

        assert codes(heard) == [400], line
        assert b"needs exactly one Host header" in heard


def test_a_request_in_http_1_0_needs_no_host(port):
    """And an empty one is one: RFC 9110 asks for it where there is no name."""
    assert codes(said(port, b"GET /livez HTTP/1.0\r\n\r\n")) == [200]
    assert codes(said(port, b"GET /livez HTTP/1.1\r\nhost:\r\nconnection: close\r\n\r\n")) == [200]
