"""server/http/open_inference.py: the Open Inference Protocol, version 2."""

from typing import Any

import orjson
import pytest
from gateway_toy import run, running
from serving_toy import RELEASE, request

KINDS = {"number": "INT64", "size": "FP64", "city": "BYTES", "mode": "BYTES"}
VERSION = RELEASE.partition("@")[2]


def tensors(*rows: dict[str, Any], nested: bool = False) -> list[dict[str, Any]]:
    """The rows as one tensor for each field."""
    return [
        {
            "name": name,
            "datatype": KINDS[name],
            "shape": [len(rows), 1] if nested else [len(rows)],
            "data": [[row[name]] if nested else row[name] for row in rows],
        }
        for name in rows[0]
    ]


def changed(name: str, **members: Any) -> list[dict[str, Any]]:
    """The tensors of one request, that of one field changed."""
    return [{**one, **members} if one["name"] == name else one for one in tensors(request())]


async def infer(server: Any, document: Any, path: str = "/v2/models/toy/infer") -> Any:
    text = document if isinstance(document, bytes) else orjson.dumps(document)
    return await server.client.post(path, content=text)


def outputs(answer: Any) -> dict[str, list[Any]]:
    return {one["name"]: one["data"] for one in answer["outputs"]}


@pytest.mark.parametrize("path", ["/v2/models/toy/infer", f"/v2/models/toy/versions/{VERSION}/infer"])
@pytest.mark.parametrize("nested", [False, True])
def test_rows_are_answered_as_tensors(tmp_path, path, nested):
    """By the same prediction service, so with the same fallback chain and the same log."""

    async def test() -> None:
        async with running(tmp_path) as server:
            rows = [request(number=0, size=0.5), request(number=0, size=0.1, city=None), request(mode="raise")]
            response = await infer(server, {"id": "seven", "inputs": tensors(*rows, nested=nested)}, path)

            assert response.status_code == 200
            answer = response.json()
            assert (answer["model_name"], answer["model_version"], answer["id"]) == ("toy", VERSION, "seven")
            assert outputs(answer) == {
                "probability": [pytest.approx(0.35), pytest.approx(0.15), 0.4],
                "label": [True, False, True],
                "answered_by": ["model", "model", "rules"],
                "release": [RELEASE] * 3,
                "request_id": ["seven.0", "seven.1", "seven.2"],
            }
            assert {one["name"]: one["datatype"] for one in answer["outputs"]}["probability"] == "FP64"
            assert all(one["shape"] == [3] for one in answer["outputs"])
            assert [row.record["size"] for row in server.log()] == [0.5, 0.1, 0.5]

    run(test())


def test_a_row_without_a_prediction_is_null_and_says_so(tmp_path):
    """The protocol has no word for it; an invented number would be worse."""

    async def test() -> None:
        async with running(tmp_path) as server:
            answer = outputs((await infer(server, {"inputs": tensors(request(mode="rules-raise"))})).json())

            assert (answer["probability"], answer["label"], answer["answered_by"]) == ([None], [None], ["none"])

    run(test())


def test_only_the_outputs_that_are_asked_for_come(tmp_path):
    """In the order they are asked for."""

    async def test() -> None:
        async with running(tmp_path) as server:
            wanted = [{"name": "label"}, {"name": "probability"}]
            answer = (await infer(server, {"inputs": tensors(request()), "outputs": wanted})).json()

            assert [one["name"] for one in answer["outputs"]] == ["label", "probability"]

    run(test())


def test_fields_that_may_be_null_may_be_left_out(tmp_path):
    """As in any other request."""

    async def test() -> None:
        async with running(tmp_path) as server:
            given = [one for one in tensors(request()) if one["name"] != "city"]
            assert (await infer(server, {"inputs": given})).status_code == 200
            assert server.log()[0].record["city"] is None

    run(test())


@pytest.mark.parametrize(
    ("inputs", "datatype"),
    [
        (changed("number", datatype="INT8"), "an int of another size"),
        (changed("number", datatype="FP32", data=[3.0]), "an exact float"),
        (changed("size", datatype="INT64", data=[1]), "an int for a float"),
    ],
)
def test_other_number_types_are_taken_where_they_are_exact(tmp_path, inputs, datatype):
    """Clients send what their arrays have."""

    async def test() -> None:
        async with running(tmp_path) as server:
            assert (await infer(server, {"inputs": inputs})).status_code == 200, datatype

    run(test())


BAD: dict[str, Any] = {
    "nothing": b"",
    "an array": [],
    "no inputs": {},
    "no tensors": {"inputs": []},
    "inputs are text": {"inputs": "number"},
    "a tensor is text": {"inputs": ["number"]},
    "an unknown field": {
        "inputs": [*tensors(request()), {"name": "x", "datatype": "INT64", "shape": [1], "data": [1]}]
    },
    "a tensor twice": {"inputs": tensors(request()) * 2},
    "a missing field": {"inputs": tensors(request())[:1]},
    "wrong datatype": {"inputs": changed("number", datatype="BYTES", data=["1"])},
    "unknown datatype": {"inputs": changed("number", datatype="BF16")},
    "no datatype": {"inputs": changed("number", datatype=None)},
    "datatype and data differ": {"inputs": changed("number", data=[1.5])},
    "a bool among ints": {"inputs": changed("number", data=[True])},
    "a text among floats": {"inputs": changed("size", data=["0.5"])},
    "a float that is no integer": {"inputs": changed("number", datatype="FP64", data=[1.5])},
    "out of range": {"inputs": changed("number", data=[5_000])},
    "null where there is none": {"inputs": changed("number", data=[None])},
    "a wrong shape": {"inputs": changed("number", shape=[2])},
    "a shape of two": {"inputs": changed("number", shape=[1, 2], data=[[1, 2]])},
    "no shape": {"inputs": changed("number", shape=None)},
    "a shape of truth": {"inputs": changed("number", shape=[True])},
    "a huge shape": {"inputs": changed("number", shape=[10**18])},
    "no data": {"inputs": changed("number", data=None)},
    "lengths differ": {"inputs": changed("number", shape=[2], data=[1, 2])},
    "no rows": {"inputs": [{**one, "shape": [0], "data": []} for one in tensors(request())]},
    "an id that is none": {"id": "two words", "inputs": tensors(request())},
    "an id of another type": {"id": 5, "inputs": tensors(request())},
    "unknown outputs": {"inputs": tensors(request()), "outputs": [{"name": "logits"}]},
    "outputs are text": {"inputs": tensors(request()), "outputs": "label"},
    "given twice": orjson.dumps({"inputs": tensors(request())})[:-1] + b', "id": "a", "id": "b"}',
    "a member of a tensor twice": orjson.dumps({"inputs": tensors(request())}).replace(b'"data"', b'"name":"x","data"'),
}


def test_what_does_not_fit_is_refused_whole_with_a_sentence(tmp_path):
    """The protocol's errors are one text each: it names the tensor, or the row and the field."""

    async def test() -> None:
        async with running(tmp_path) as server:
            for name, document in BAD.items():
                response = await infer(server, document)
                assert response.status_code == 400, (name, response.text)
                assert set(response.json()) == {"error"}, name
                assert len(response.json()["error"]) > 20, name
            assert server.log() == []
            second = [request(), request(number=-1)]
            said = (await infer(server, {"inputs": tensors(*second)})).json()["error"]
            assert "Row 1" in said and "number" in said

    run(test())


def test_more_rows_than_a_batch_may_have_are_refused(tmp_path):
    """One bound, whichever way they come."""

    async def test() -> None:
        async with running(tmp_path, max_batch_rows=3) as server:
            assert (await infer(server, {"inputs": tensors(*[request()] * 4)})).status_code == 413

    run(test())


@pytest.mark.parametrize(
    "path",
    ["/v2/models/other", "/v2/models/other/infer", "/v2/models/toy/versions/1", "/v2/models/toy/versions/1/infer",
     "/v2/models/toy/versions/ffffffffffff/ready", "/v2/models"],
)  # fmt: skip
def test_models_and_versions_that_are_not_served_are_not_found(tmp_path, path):
    """A client pinned to a version must not be answered by another."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await server.client.request("POST" if path.endswith("infer") else "GET", path, content=b"{}")
            assert (response.status_code, set(response.json())) == (404, {"error"})

    run(test())


def test_server_and_model_describe_themselves(tmp_path):
    """What a generic client asks before it sends anything."""

    async def test() -> None:
        async with running(tmp_path) as server:
            get = server.client.get
            assert (await get("/v2")).json()["name"] == "proveout"
            model = (await get(f"/v2/models/toy/versions/{VERSION}")).json()
            assert model == (await get("/v2/models/toy")).json()
            assert model["versions"] == [VERSION]
            assert {one["name"]: one["datatype"] for one in model["inputs"]} == KINDS
            assert (await get("/v2/health/live")).status_code == 200
            assert (await get("/v2/health/ready")).status_code == 200
            assert (await get("/v2/models/toy/ready")).status_code == 200
            server.backend._connections.plain._disconnect()
            assert (await get("/v2/health/ready")).status_code == 503
            assert (await get("/v2/models/toy/ready")).status_code == 503

    run(test())
