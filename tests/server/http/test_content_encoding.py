"""server/http/content_encoding.py: bodies that come compressed, on every route that takes a body."""

import asyncio
import gzip
import tracemalloc
import zlib
from typing import Any

import orjson
import pytest
from gateway_toy import body, run, running
from serving_toy import request

from proveout.server.http.auth import RULES
from proveout.server.http.content_encoding import Gunzip
from proveout.server.http.validation import Refused

TENSORS = orjson.dumps(
    {
        "inputs": [
            {"name": name, "datatype": kind, "shape": [1], "data": [request(number=0)[name]]}
            for name, kind in (("number", "INT64"), ("size", "FP64"), ("city", "BYTES"), ("mode", "BYTES"))
        ]
    }
)
LINES = b"\n".join(body(number=i, size=0.5) for i in range(300))
NDJSON = {"content-type": "application/x-ndjson"}
BODIES: dict[str, tuple[bytes, dict[str, str]]] = {
    "/predict": (body(number=0, size=0.5), {}),
    "/predict/batch": (b"[" + body(number=0, size=0.5) + b"]", {}),
    "/predict/batch#": (body(number=0, size=0.5), NDJSON),
    "/feedback": (b'{"request_id": "a", "wrong": true}', {}),
    "/v2/models/toy/infer": (TENSORS, {}),
    "/v2/models/toy/versions/0123456789ab/infer": (TENSORS, {}),
}


def coded(coding: str, **others: str) -> dict[str, str]:
    return {"content-encoding": coding, **others}


def test_every_route_with_a_body_is_asked_here():
    """A new one is."""
    posts = {template.replace("{name}", "toy").replace("{version}", "0123456789ab")
             for template, method in RULES if method == "POST"}  # fmt: skip

    assert {path.rstrip("#") for path in BODIES} == posts


def test_every_route_takes_gzip(tmp_path):
    """However it is written; the answer is that to the same body sent as it is."""

    async def test() -> None:
        async with running(tmp_path) as server:
            for path, (text, headers) in BODIES.items():
                plain = await server.client.post(path, content=text, headers=headers)
                assert plain.status_code in {200, 202}, plain.text
                for coding in ("gzip", "x-gzip", "GZip", "identity", "", "identity, gzip"):
                    sent = gzip.compress(text) if "gzip" in coding.lower() else text
                    zipped = await server.client.post(path, content=sent, headers={**coded(coding), **headers})

                    assert zipped.status_code == plain.status_code, zipped.text
                    if path == "/predict":
                        assert zipped.json()["prediction"] == plain.json()["prediction"]
            assert len(server.log()) == 7 * (len(BODIES) - 1)  # feedback is no answer

    run(test())


def test_any_other_coding_is_refused_by_name_on_every_route(tmp_path):
    """It was read as JSON, or as lines of it: 400 about UTF-8, or 200 with nonsense."""

    async def test() -> None:
        async with running(tmp_path) as server:
            for path, (text, headers) in BODIES.items():
                for coding in ("br", "deflate", "zstd", "gzip, gzip", "gzip, br", "aws-chunked", "*", "g\u00fczip"):
                    named = (b"content-encoding", coding.encode("latin-1"))
                    refused = await server.client.post(path, content=text, headers=[*headers.items(), named])

                    assert refused.status_code == 415, (path, coding)
                    assert refused.headers["accept-encoding"] == "gzip"
                    said = refused.json().get("detail") or refused.json()["error"]
                    assert said.startswith(f"Content-Encoding {coding} is not supported: ")
            assert server.rows() == []

    run(test())


def test_codings_in_two_headers_are_two_codings(tmp_path):
    """A proxy adds its own line: reading only the last one would decode once what was encoded twice."""

    async def test() -> None:
        async with running(tmp_path) as server:
            headers = [("content-encoding", "br"), ("content-encoding", "gzip")]
            refused = await server.client.post("/predict", content=gzip.compress(body()), headers=headers)

            assert refused.status_code == 415
            assert "br, gzip" in refused.json()["detail"]

    run(test())


SPOILED = {
    "plain": (body(), "is not gzip, or is damaged"),
    "zlib": (zlib.compress(body()), "is not gzip, or is damaged"),
    "cut off": (gzip.compress(body())[:-9], "is incomplete"),
    "without its end": (gzip.compress(body())[:-1], "is incomplete"),
    "empty": (b"", "is incomplete"),
    "another checksum": (gzip.compress(body())[:-8] + b"\x00" * 8, "is not gzip, or is damaged"),
    "followed by something": (gzip.compress(body()) + b"more", "is not gzip, or is damaged"),
}


def test_what_is_no_gzip_is_refused_with_a_sentence(tmp_path):
    """400: the client sent another body than its header says."""

    async def test() -> None:
        async with running(tmp_path) as server:
            for path in BODIES:
                if path.endswith("#"):
                    continue  # a stream is answered as far as it goes: the tests below
                for how, (text, words) in SPOILED.items():
                    refused = await server.client.post(path, content=text, headers=coded("gzip"))

                    assert refused.status_code == 400, (path, how)
                    said = refused.json().get("detail") or refused.json()["error"]
                    assert said == f"The body {words}. Its Content-Encoding says gzip."
            assert server.rows() == []

    run(test())


def test_a_stream_of_gzip_is_answered_line_by_line_wherever_it_is_cut(tmp_path):
    """Each line by itself, in order, as if it had come alone."""

    async def parts() -> Any:
        whole = gzip.compress(LINES[: len(LINES) // 2]) + gzip.compress(LINES[len(LINES) // 2 :])
        for start in range(0, len(whole), 97):
            yield whole[start : start + 97]

    async def test() -> None:
        async with running(tmp_path) as server:
            answered = await server.client.post("/predict/batch", content=parts(), headers=coded("gzip", **NDJSON))

            said = [orjson.loads(line)["prediction"]["probability"] for line in answered.text.splitlines()]
            assert said == [pytest.approx(0.35 + 0.0001 * i) for i in range(300)]

    run(test())


def test_a_stream_that_is_cut_off_ends_with_the_reason(tmp_path):
    """What came before was answered; where nothing did, it is 400."""

    async def test() -> None:
        async with running(tmp_path) as server:
            headers = coded("gzip", **NDJSON)
            cut = await server.client.post("/predict/batch", content=gzip.compress(LINES)[:-40], headers=headers)
            none = await server.client.post("/predict/batch", content=LINES, headers=headers)

            *answers, last = [orjson.loads(line) for line in cut.text.splitlines()]
            assert cut.status_code == 200
            assert len(answers) > 200
            assert {answer["answered_by"] for answer in answers} == {"model"}
            assert (last["status"], last["type"]) == (400, "urn:proveout:problem:content-encoding")
            assert (none.status_code, none.json()["type"]) == (400, "urn:proveout:problem:content-encoding")

    run(test())


def test_the_limit_is_that_of_the_decoded_body(tmp_path):
    """To the byte; what is sent may even be longer, where it cannot be made smaller."""

    async def test() -> None:
        async with running(tmp_path, max_body_bytes=1_024) as server:
            largest = body().ljust(1_024)
            for level in (0, 9):
                taken = await server.client.post(
                    "/predict", content=gzip.compress(largest, level), headers=coded("gzip")
                )
                refused = await server.client.post(
                    "/predict", content=gzip.compress(largest + b" ", level), headers=coded("gzip")
                )

                assert taken.status_code == 200
                assert (refused.status_code, refused.json()["detail"]) == (413, "The body has more than 1024 bytes.")

    run(test())


def test_a_bomb_becomes_no_more_memory_than_a_body_may_have():
    """Twenty megabytes in twenty kilobytes."""
    bomb = gzip.compress(b"\x00" * 20 * 2**20, 1)
    tracemalloc.start()
    try:
        found = Gunzip().whole(bomb, 65_536)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert len(found) == 65_537
    assert peak < 2**20


def test_a_bomb_in_a_stream_costs_its_line_and_nobodys_time(tmp_path):
    """A line is skipped as far as it is too long, and others have a turn after each piece: counted, not timed."""

    async def test() -> None:
        async with running(tmp_path) as server:
            text = gzip.compress(b"x" * 10 * 2**20 + b"\n" + body(number=0, size=0.5))
            bomb = asyncio.create_task(
                server.client.post("/predict/batch", content=text, headers=coded("gzip", **NDJSON))
            )
            turns = 0
            while not bomb.done():
                await asyncio.sleep(0)
                turns += 1
                if turns == 100:  # of 160 pieces
                    assert (await server.ask()).status_code == 200
            first, second = [orjson.loads(line) for line in (await bomb).text.splitlines()]

            assert turns > 100
            assert first["status"] == 413
            assert second["prediction"]["probability"] == pytest.approx(0.35)

    run(test())


@pytest.mark.parametrize("most", [1, 2, 7, 64, 258, 65_536])
@pytest.mark.parametrize("cut", [1, 5, 4_096, 10**6])
def test_pieces_of_any_size_are_the_body(most, cut):
    """zlib keeps what a limit leaves over in two places, and what it has computed already in a third."""
    text = b"a" * 1_500 + bytes(range(256)) * 3
    sent = gzip.compress(text) + gzip.compress(b"") + gzip.compress(text[:300])
    gunzip, found = Gunzip(), b""
    for start in range(0, len(sent), cut):
        gunzip.feed(sent[start : start + cut])
        while piece := gunzip.take(most):
            assert len(piece) <= most
            found += piece
    gunzip.end()

    assert found == text + text[:300]


def test_a_member_that_is_not_whole_is_noticed_behind_one_that_is():
    """The end of the first is not the end of the body."""
    gunzip = Gunzip()
    gunzip.feed(gzip.compress(b"first") + gzip.compress(b"second")[:-3])
    while gunzip.take(64):
        pass

    with pytest.raises(Refused, match="is incomplete"):
        gunzip.end()
