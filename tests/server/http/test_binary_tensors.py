"""server/http/binary_tensors.py: tensors in binary, asked for by a real Triton client and by hand."""

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
import pytest
from gateway_port import listening
from gateway_toy import Running, run, running
from serving_toy import RELEASE, request
from tritonclient import http as triton
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

TYPES: dict[str, Any] = {"number": np.int64, "size": np.float64, "city": np.object_, "mode": np.object_}
INFER = "/v2/models/toy/infer"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Running]]:
    """Where a gateway listens, and the gateway."""
    with listening(tmp_path_factory.mktemp("triton")) as (url, found):
        yield url.removeprefix("http://"), found


@pytest.fixture
def client(server: tuple[str, Running]) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(server[0]) as made:
        yield made


def inputs(rows: list[dict[str, Any]], *, in_binary: bool = True, **types: Any) -> list[triton.InferInput]:
    """The rows as tensors, as a client makes them."""
    made = []
    for name in rows[0]:
        values = np.array([row[name] for row in rows], dtype=types.get(name, TYPES[name]))
        tensor = triton.InferInput(name, list(values.shape), np_to_triton_dtype(values.dtype))
        tensor.set_data_from_numpy(values, binary_data=in_binary)
        made.append(tensor)
    return made


ROWS = [request(number=0, size=0.5), request(number=0, size=0.1, city="JFK"), request(number=100, size=0.5)]
EXPECTED = [pytest.approx(0.35), pytest.approx(0.15), pytest.approx(0.36)]


@pytest.mark.parametrize("asks_in_binary", [True, False])
@pytest.mark.parametrize("answered_in_binary", [True, False, None])
def test_a_triton_client_is_answered_in_binary_and_in_json(client, asks_in_binary, answered_in_binary):
    """As it comes, it sends binary and asks for binary: it got "not JSON in UTF-8: surrogates not allowed"."""
    outputs = None
    if answered_in_binary is not None:
        outputs = [triton.InferRequestedOutput(name, binary_data=answered_in_binary) for name in
                   ("label", "probability", "answered_by", "request_id", "release")]  # fmt: skip

    answer = client.infer("toy", inputs(ROWS, in_binary=asks_in_binary), request_id="seven", outputs=outputs)

    assert answer.as_numpy("probability").tolist() == EXPECTED
    assert answer.as_numpy("probability").dtype == np.float64
    assert answer.as_numpy("label").tolist() == [True, False, True]
    texts = {name: [as_text(value) for value in answer.as_numpy(name)] for name in ("answered_by", "release")}
    assert texts == {"answered_by": ["model"] * 3, "release": [RELEASE] * 3}
    assert answer.get_response()["id"] == "seven"
    assert ("data" in answer.get_output("label")) is (answered_in_binary is False)


def as_text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def test_the_log_has_the_records_that_were_sent(server, client):
    """Whatever they were sent as."""
    client.infer("toy", inputs([request(number=7, size=0.25, city="LGA")]), request_id="logged")

    [row] = [row for row in server[1].log() if row.request_id.startswith("logged")]
    assert row.record == request(number=7, size=0.25, city="LGA")


@pytest.mark.parametrize("kind", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "float32"])
def test_every_type_of_number_is_read(client, kind):
    """Each has its own width, and a sign or none."""
    answer = client.infer("toy", inputs([request(number=100, size=0.5)] * 2, number=np.dtype(kind)))

    assert answer.as_numpy("probability").tolist() == [pytest.approx(0.36)] * 2


def test_small_floats_and_compressed_bodies_are_read_too(client):
    """A half is exact in FP16; the client compresses where it is told to."""
    tensors = inputs([request(number=0, size=0.5)], size=np.float16)
    answer = client.infer("toy", tensors, request_compression_algorithm="gzip")

    assert answer.as_numpy("probability").tolist() == [pytest.approx(0.35)]
    with pytest.raises(InferenceServerException, match="Content-Encoding deflate is not supported"):
        client.infer("toy", tensors, request_compression_algorithm="deflate")


def test_what_is_not_known_is_nan_on_its_way_in_and_out(client):
    """NaN for a field that may not be missing is refused; without a prediction there is no number."""
    with pytest.raises(InferenceServerException, match=r"Row 0: .*size is null"):
        client.infer("toy", inputs([request(size=float("nan"))]))
    answer = client.infer("toy", inputs([request(mode="rules-raise"), request(number=0, size=0.5)]))

    assert np.isnan(answer.as_numpy("probability")[0])
    assert [as_text(value) for value in answer.as_numpy("answered_by")] == ["none", "model"]
    assert answer.as_numpy("label").tolist() == [False, True]


def test_the_server_says_that_it_speaks_binary(client):
    """By the name that the extension has."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("toy")
    assert client.get_server_metadata()["extensions"] == ["binary_tensor_data"]
    assert {one["name"] for one in client.get_model_metadata("toy")["inputs"]} == set(TYPES)


# --- by hand -------------------------------------------------------------------------------------------------------


def text_bytes(*texts: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


RAW = {
    "number": ("INT64", struct.pack("<q", 1)),
    "size": ("FP64", struct.pack("<d", 0.5)),
    "city": ("BYTES", text_bytes(b"EWR")),
    "mode": ("BYTES", text_bytes(b"fine")),
}


def by_hand(*, header: int | str | None = 0, more: bytes = b"", **changed: Any) -> tuple[bytes, dict[str, str]]:
    """A body in two parts, and its headers. `changed`: a tensor's datatype, bytes, and members of its own."""
    tensors, rest = [], b""
    for name, (datatype, raw) in RAW.items():
        asked, sent, members = changed.get(name, (datatype, raw, {}))
        sizes = {"parameters": {"binary_data_size": len(sent)}}
        tensors.append({"name": name, "datatype": asked, "shape": [1], **sizes, **members})
        rest += sent
    told = orjson.dumps({"inputs": tensors, **changed.get("request", {})})
    length = str(len(told) + header) if isinstance(header, int) else header
    return told + rest + more, {} if length is None else {"inference-header-content-length": length}


WRONG: dict[str, tuple[tuple[bytes, dict[str, str]], str]] = {
    "no header": (by_hand(header=None), "The body is not JSON in UTF-8"),
    "a header beyond the body": (by_hand(header=10_000), "must be the number of JSON bytes in the body"),
    "a header that is no number": (by_hand(header="many"), "must be the number of JSON bytes in the body"),
    "a header that cuts the JSON": (by_hand(header=-5), "The body is not JSON in UTF-8"),
    "too few bytes": (by_hand(number=("INT64", b"\x01", {})),
                      "The tensor number has 1 bytes of binary data. Its shape and INT64 need 8."),
    "another width": (by_hand(number=("INT32", struct.pack("<q", 1), {})), "Its shape and INT32 need 4"),
    "a vast shape": (by_hand(number=("INT64", b"\x01" * 8, {"shape": [10**18]})), "has 8 bytes of binary data"),
    "a negative shape": (by_hand(number=("INT64", b"\x01" * 8, {"shape": [-1]})), "has 8 bytes of binary data"),
    "more than there is": (by_hand(mode=("BYTES", b"", {"parameters": {"binary_data_size": 99}})), "at most the 0"),
    "a size that is none": (by_hand(mode=("BYTES", b"", {"parameters": {"binary_data_size": "8"}})),
                            "must be a number of bytes"),
    "a negative size": (by_hand(mode=("BYTES", b"", {"parameters": {"binary_data_size": -8}})),
                        "must be a number of bytes"),
    "bytes left": (by_hand(more=b"xyz"), "The body has 3 more bytes"),
    "data twice": (by_hand(number=("INT64", struct.pack("<q", 1), {"data": [1]})), "either `data` or"),
    "a text cut short": (by_hand(mode=("BYTES", text_bytes(b"fine")[:-1], {})), "each after its length in four bytes"),
    "two texts for one": (by_hand(mode=("BYTES", text_bytes(b"fine", b"fine"), {})), "must be 1 texts in UTF-8"),
    "half a length": (by_hand(mode=("BYTES", b"\x01\x00", {})), "each after its length in four bytes"),
    "a text that is none": (by_hand(mode=("BYTES", text_bytes(b"\xff\xfe"), {})), "must be 1 texts in UTF-8"),
    "infinity": (by_hand(size=("FP64", struct.pack("<d", float("inf")), {})), "Row 0: "),
    "parameters that are none": (by_hand(request={"parameters": [1]}), "`parameters` of the request must be an object"),
    "a wish that is none": (by_hand(request={"parameters": {"binary_data_output": "yes"}}), "must be true or false"),
}  # fmt: skip


def test_what_does_not_fit_is_refused_with_a_sentence(tmp_path):
    """Sizes, lengths and types are the client's word: none is believed."""

    async def test() -> None:
        async with running(tmp_path) as server:
            text, headers = by_hand()
            assert (await server.client.post(INFER, content=text, headers=headers)).status_code == 200
            for how, ((text, headers), words) in WRONG.items():
                refused = await server.client.post(INFER, content=text, headers=headers)

                assert refused.status_code == 400, how
                assert words in refused.json()["error"], how
            assert len(server.rows()) == 1

    run(test())


def test_a_bool_is_one_byte_of_two(tmp_path):
    """Any other is a slip: of the shape, or of the order of the tensors."""
    schema = (
        "import pandera.pandas as pa\n\n\nclass ToyRequest(pa.DataFrameModel):\n    number: int\n    size: float\n"
        "    city: str\n    mode: str\n    night: bool\n"
    )

    async def test() -> None:
        async with running(tmp_path, schema_text=schema) as server:
            for byte, status in ((b"\x00", 200), (b"\x01", 200), (b"\x02", 400)):
                document = {
                    "inputs": [
                        *({"name": name, "datatype": kind, "shape": [1], "data": [request()[name]]}
                          for name, (kind, _) in RAW.items()),
                        {"name": "night", "datatype": "BOOL", "shape": [1], "parameters": {"binary_data_size": 1}},
                    ]
                }  # fmt: skip
                told = orjson.dumps(document)
                headers = {"inference-header-content-length": str(len(told))}
                answer = await server.client.post(INFER, content=told + byte, headers=headers)

                assert answer.status_code == status, answer.text
            assert [row.record["night"] for row in server.log()] == [False, True]

    run(test())
