"""server/http/openapi.py: the document says what the gateway does."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import orjson
import pytest
from every_field import GOOD, Everything
from gateway_toy import api_key, bearer, run, running
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from reference_project import ROOT
from serving_toy import CALM, request, settings_of

from proveout.schema import examples, request_schema
from proveout.server.http import openapi
from proveout.server.http.validation import Refused, read
from proveout.settings import load, load_object


def validator(document: Any, name: str) -> jsonschema.Draft202012Validator:
    """The check of one message against the document."""
    return jsonschema.Draft202012Validator(
        {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    )


@pytest.fixture
def document(tmp_path: Path) -> Any:
    schema = request_schema.read(Everything, name="everything")
    return openapi.document(schema, settings_of(tmp_path), examples.record(schema))


def test_every_message_of_the_gateway_is_as_documented(tmp_path):
    """Answers, problems, batches, tensors, dossiers: whoever generates a client from the document can read them."""

    async def test() -> None:
        async with running(tmp_path, schema_text=CALM) as server:
            told = (await server.client.get("/openapi.json")).json()
            post = server.client.post
            tensors = told["paths"]["/v2/models/{name}/infer"]["post"]["requestBody"]["content"]["application/json"]
            messages = {
                "Answer": [await server.ask(), await server.ask(explain=True), await server.ask(mode="rules-raise")],
                "BatchAnswer": [await post("/predict/batch", content=orjson.dumps([request(), 5]))],
                "Problem": [await post("/predict", content=b"{}"), await post("/predict", content=b"x")],
                "FeedbackTaken": [await post("/feedback", content=b'{"request_id": "a", "wrong": true}')],
                "InferAnswer": [await post("/v2/models/toy/infer", content=orjson.dumps(tensors["example"]))],
                "InferError": [await post("/v2/models/toy/infer", content=b"{}")],
            }
            for name, responses in messages.items():
                for response in responses:
                    validator(told, name).validate(response.json())
            assert messages["InferAnswer"][0].status_code == 200

    run(test())


def test_every_example_is_a_request(tmp_path):
    """The first thing anybody does is to send it."""

    async def test() -> None:
        async with running(tmp_path, schema_text=CALM) as server:
            told = (await server.client.get("/openapi.json")).json()
            sent = 0
            for path, operations in told["paths"].items():
                for method, operation in operations.items():
                    for media in operation.get("requestBody", {}).get("content", {}).values():
                        if "example" in media:
                            url = path.replace("{name}", "toy").replace("{version}", "0123456789ab")
                            text = orjson.dumps(media["example"])
                            response = await server.client.request(method, url, content=text)
                            assert response.status_code in {200, 202}, (path, response.text)
                            sent += 1
            assert sent == 5

    run(test())


def test_examples_show_what_the_model_learned_from(tmp_path):
    """The page showed the year 2056, the middle of what the schema allows; the rows are of 2013."""

    async def test() -> None:
        async with running(tmp_path, schema_text=CALM, typical={"size": 0.137}) as server:
            told = (await server.client.get("/openapi.json")).json()
            page = (await server.client.get("/")).text
            assert (
                told["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]["example"]["size"]
                == 0.137
            )
            assert 'placeholder="0.137"' in page

    run(test())


def test_the_reference_project_has_an_example_too():
    """Twenty-two fields with patterns, ranges and a check of its own."""
    settings = load(ROOT)
    schema = request_schema.read(load_object(settings.request_schema, settings.root), name=settings.request_schema)
    example = examples.record(schema)

    assert read(orjson.dumps(example), schema).record == example
    assert len(example) == len(schema.fields)
    units = openapi.document(schema, settings, example)["components"]["schemas"]["Request"]["properties"]
    assert units["wind_speed"]["description"] == "mph"
    assert units["origin"]["enum"] == ["EWR", "JFK", "LGA"]
    assert units["month"] == {"type": "integer", "minimum": 1, "maximum": 12}


VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-200, 200), st.floats(-5, 5, allow_nan=False),
    st.sampled_from(["AB", "ab", "left", "x-y", "x-", "nope", "four", "", "toolong", "é", [], {}]),
)  # fmt: skip


@hypothesis_settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(changed=st.dictionaries(st.sampled_from(sorted([*GOOD, "stranger", "explain"])), VALUES, max_size=3))
def test_the_document_forbids_nothing_that_the_gateway_lets_in(document, changed):
    """And what it allows is refused only by a rule that JSON Schema has no word for."""
    compiled = request_schema.read(Everything, name="everything")
    record = {**GOOD, **changed}
    allowed = validator(document, "Request").is_valid(record)
    try:
        read(orjson.dumps(record), compiled)
        let_in = True
    except Refused as refused:
        let_in = False
        unsayable = {"is_even", "eq", "ne", "str_startswith", "str_endswith", "notin"}
        if allowed:
            assert {problem.rule for problem in refused.problem.problems} <= unsayable, record
    assert allowed or not let_in, record


def test_the_document_names_every_code(tmp_path):
    """What a client may meet: each refusal that was seen stands there."""

    async def test() -> None:
        key = api_key(scopes=("predict",), rate_per_s=0.001, burst=3)
        async with running(tmp_path, keys=[key]) as server:
            told = (await server.client.get("/openapi.json")).json()
            seen = set()
            for text, headers in (
                (b"{}", {}), (b"{}", bearer(key)), (b"{", bearer(key)), (b"x" * 70_000, bearer(key)),
                (b"{}", bearer(key)),
            ):  # fmt: skip
                seen.add((await server.client.post("/predict", content=text, headers=headers)).status_code)
            assert seen == {401, 422, 400, 413, 429}
            assert {str(code) for code in seen} <= set(told["paths"]["/predict"]["post"]["responses"])
            assert {"401", "403"} <= set(told["paths"]["/metrics"]["get"]["responses"])
            assert "401" not in told["paths"]["/livez"]["get"]["responses"]

    run(test())


def test_the_document_is_openapi_3_1(document):
    """Checked by somebody else's reading of the standard."""
    from openapi_spec_validator import validate

    validate(document)


def test_schemathesis_finds_no_fault(tmp_path, monkeypatch):
    """S4 of the scoreboard: requests made from the document, good and spoiled; no fault, no undocumented code."""
    import schemathesis
    from schemathesis.generation import GenerationMode

    monkeypatch.chdir(tmp_path)  # it writes a folder of its own into the working directory
    tried = 0

    async def test() -> None:
        nonlocal tried
        async with running(tmp_path, schema_text=CALM) as server:
            told = (await server.client.get("/openapi.json")).json()
            loaded = schemathesis.openapi.from_dict(told)
            cases: list[Any] = []
            for result in loaded.get_all_operations():
                operation = result.ok()
                for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                    cases += _draw(operation.as_strategy(generation_mode=mode))
            for case in cases:
                response = await _send(server, case)
                tried += 1
                codes = set(told["paths"][case.path][case.method.lower()]["responses"]) | {"404", "405"}
                assert response.status_code < 500 or response.status_code == 503, case
                assert str(response.status_code) in codes, (case.method, case.path, response.status_code)

    run(test())
    assert tried > 80


def _draw(strategy: Any) -> list[Any]:
    drawn: list[Any] = []

    @hypothesis_settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(case=strategy)
    def collect(case: Any) -> None:
        drawn.append(case)

    try:
        collect()
    except BaseException as error:  # an operation without parameters cannot be spoiled
        if "Unsatisfiable" not in type(error).__name__ and "Unsatisfied" not in type(error).__name__:
            raise
    return drawn


async def _send(server: Any, case: Any) -> Any:
    path = case.path
    for name, value in (case.path_parameters or {}).items():
        path = path.replace("{" + name + "}", str(value).replace("/", "%2F") or "x")
    headers = [(name.encode(), str(value).encode("utf-8", "replace")) for name, value in (case.headers or {}).items()]
    body = case.body
    if isinstance(body, bytes):
        content: bytes | None = body
    else:
        try:
            content = json.dumps(body).encode() if case.method.upper() == "POST" else None
        except (TypeError, ValueError):
            content = b""
    if case.media_type:
        headers.append((b"content-type", str(case.media_type).encode()))
    from urllib.parse import quote

    safe = quote(path, safe="/%{}")
    return await server.client.request(case.method, safe, headers=headers, content=content)
