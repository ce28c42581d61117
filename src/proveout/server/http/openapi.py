"""The OpenAPI document: the requests, answers and problems of every route.

Input: the request schema and the settings. Output: an OpenAPI 3.1 document, of plain values. The scopes of each route
come from `auth.RULES`, so document and gateway cannot differ.
"""

from collections.abc import Mapping
from typing import Any

from proveout import __version__
from proveout.records.values import Scalar
from proveout.schema.spec import RequestSchema
from proveout.server.http import auth, openapi_schemas
from proveout.server.http.content_encoding import CODINGS
from proveout.settings import Settings

Schema = dict[str, Any]

_REFUSALS = {
    400: "The body or a header cannot be read.",
    401: "The API key is missing or invalid.",
    403: "The API key lacks the scope.",
    404: "Not found, or not visible to this key.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The content coding is not supported. `Accept-Encoding` lists those that are.",
    422: "The body does not fit the schema. `problems` names each field and rule.",
    429: "The rate limit of the key is reached. `Retry-After` says how long to wait.",
    503: "Temporarily unavailable. `Retry-After` says how long to wait.",
}
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_CODINGS = {"Accept-Encoding": {"description": "Supported content codings.", "schema": {"const": CODINGS.decode()}}}
_CODED = "Plain, or compressed with `Content-Encoding: gzip`. Size limits apply to the decoded body."
_DEADLINE = {
    "name": "x-proveout-deadline-ms",
    "in": "header",
    "description": "How long the client will wait, in milliseconds. Can only shorten the server's deadline.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}
_REQUEST_ID = {
    "name": "x-request-id",
    "in": "header",
    "description": "The client's own id: 1 to 128 visible ASCII characters. Otherwise the server makes one.",
    "schema": {"type": "string"},  # no pattern: an invalid id is replaced, not refused
}


def document(schema: RequestSchema, settings: Settings, example: Mapping[str, Scalar]) -> Schema:
    """The document, with `example` as the example request."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": settings.model,
            "version": __version__,
            "description": f"Predictions of `{settings.model}`. Every accepted request is answered within "
            f"{settings.deadline_s:g} s, by the model or by the next source of the fallback "
            "chain. `answered_by` names it.",
        },
        "paths": _paths(settings, example),
        "components": {
            "schemas": openapi_schemas.schemas(schema, settings, example),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "An API key: `po_<id>_<secret>`."},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


# --- paths --------------------------------------------------------------------------------------------------------


def _paths(settings: Settings, example: Mapping[str, Scalar]) -> Schema:
    answer, one = _json("Answer"), {"$ref": "#/components/schemas/Request"}
    many = {"type": "array", "maxItems": settings.max_batch_rows, "items": one}
    batch = {
        "description": _CODED,
        "required": True,
        "content": {
            "application/json": {"schema": many, "example": [example, example]},
            "application/x-ndjson": {"schema": {"type": "string"}, "x-line": one},
        },
    }
    paths: Schema = {}

    def route(path: str, method: str, summary: str, responses: Schema, *refusals: int, **members: Any) -> None:
        described = {"summary": summary, **members}
        paths.setdefault(path, {})[method] = _operation(path, method, described, responses, refusals)

    route(
        "/predict", "post", "One prediction.",
        {"200": {"description": "An answer. `answered_by` names its source.", "headers": _answer_headers(), **answer}},
        400, 408, 413, 422, 429, 503,
        requestBody=_body("Request", example), parameters=[_REQUEST_ID, _DEADLINE],
    )  # fmt: skip
    route(
        "/predict/batch", "post", "Many predictions: an array, or a stream of lines (NDJSON).",
        {"200": {"description": "An answer or a problem for each item, in order.", **_json("BatchAnswer")}},
        400, 408, 413, 429, 503,
        requestBody=batch, parameters=[_REQUEST_ID, _DEADLINE],
    )  # fmt: skip
    outcome = {"binary": True, "multiclass": "a class", "regression": 12.5}[settings.task]
    feedback = {"request_id": "0192a3b4-0000-7000-8000-000000000000", "outcome": outcome, "text": "A comment."}
    route(
        "/feedback", "post", "Report the outcome of a prediction, or that it was wrong.",
        {"202": {"description": "The feedback is in the journal.", **_json("FeedbackTaken")}},
        400, 408, 413, 422, 429, 503, requestBody=_body("Feedback", feedback),
    )  # fmt: skip
    route(
        "/predictions/{id}", "get", "The details of one answer.",
        {"200": {"description": "Request, release, approval, reasons and feedback.", **_json("PredictionDetail")}},
        404, 429, 503, parameters=[_path_parameter("id", "The answer's request id.")],
    )  # fmt: skip
    _add_health(route)
    _add_pages(route)
    _add_inference(route, settings, example)
    return paths


def _add_health(route: Any) -> None:
    route("/livez", "get", "Liveness: whether the process responds.", {"200": _response("Alive.")})
    ready = {"200": _response("Ready."), "503": _response("No model answers.")}
    route("/readyz", "get", "Readiness: whether a model answers, checked by a real prediction.", ready)
    started = {"200": _response("Started."), "503": _response("No model has answered yet.")}
    route("/startupz", "get", "Startup: whether a model has answered since the process started.", started)
    text = {"text/plain": {"schema": {"type": "string"}}}
    route("/metrics", "get", "Metrics for Prometheus.", {"200": {"description": "The metrics.", "content": text}})


def _add_pages(route: Any) -> None:
    html = {"text/html": {"schema": {"type": "string"}}}
    route("/", "get", "An HTML form for predictions.", {"200": {"description": "The page.", "content": html}})
    route("/docs", "get", "This document as HTML.", {"200": {"description": "The page.", "content": html}})
    route("/openapi.json", "get", "This document.", {"200": _response("The document.")})


def _add_inference(route: Any, settings: Settings, example: Mapping[str, Scalar]) -> None:
    name = _path_parameter("name", "The model.", settings.model)
    version = _path_parameter("version", "The first 12 digits of the champion's digest.")
    route("/v2", "get", "Open Inference Protocol: server metadata.", {"200": _response("Name and version.")})
    route("/v2/health/live", "get", "Liveness: whether the process responds.", {"200": _response("Alive.")})
    ready = {"200": _response("Ready."), "503": _response("No model answers.")}
    route("/v2/health/ready", "get", "Readiness: whether a model answers.", ready)
    for path, parameters in (("/v2/models/{name}", [name]),
                             ("/v2/models/{name}/versions/{version}", [name, version])):  # fmt: skip
        metadata = {"200": _response("Its input and output tensors.")}
        route(path, "get", "Model metadata.", metadata, 404, parameters=parameters)
        route(f"{path}/ready", "get", "Readiness: whether the model answers.", dict(ready), 404, parameters=parameters)
        route(
            f"{path}/infer", "post", "Predictions as tensors.",
            {"200": {"description": "A tensor for each output.", **_json("InferAnswer")}},
            400, 404, 408, 413, 429, 503,
            parameters=[*parameters, _DEADLINE], requestBody=_body("InferRequest", openapi_schemas.tensors(example)),
        )  # fmt: skip


def _operation(
    path: str, method: str, members: Mapping[str, Any], responses: Schema, refusals: tuple[int, ...]
) -> Schema:
    needed = auth.RULES[(path, "POST" if method == "post" else "GET")]
    keyed = (401, 403) if needed else ()
    every = dict(responses)
    coded = (415,) if method == "post" else ()
    for status in sorted({*refusals, *keyed, *coded}):
        every.setdefault(str(status), _refusal(status, v2=path.startswith("/v2")))
    scopes = " or ".join(f"`{scope}`" for scope in sorted(needed))
    operation: Schema = {
        "operationId": f"{method}_{path.strip('/').replace('/', '_').replace('{', '').replace('}', '') or 'page'}",
        **members,
        "responses": every,
    }
    if needed:
        # The empty requirement: a server may run without API keys.
        operation |= {"description": f"Needs the scope {scopes}.", "security": [{"bearer": []}, {"header": []}, {}]}
    return operation


def _refusal(status: int, *, v2: bool) -> Schema:
    kind = "application/json" if v2 else "application/problem+json"
    response: Schema = {
        "description": _REFUSALS[status],
        "content": {kind: {"schema": {"$ref": f"#/components/schemas/{'InferError' if v2 else 'Problem'}"}}},
    }
    headers = {415: _CODINGS, 503: _RETRY}.get(status)
    return response if headers is None else {**response, "headers": headers}


def _body(name: str, example: Any) -> Schema:
    return {
        "description": _CODED,
        "required": True,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}, "example": example}},
    }


def _json(name: str) -> Schema:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def _response(description: str) -> Schema:
    return {"description": description, "content": {"application/json": {"schema": {"type": "object"}}}}


def _path_parameter(name: str, description: str, example: str | None = None) -> Schema:
    found = {"name": name, "in": "path", "required": True, "description": description, "schema": {"type": "string"}}
    return found if example is None else {**found, "example": example}


def _answer_headers() -> Schema:
    return {
        "x-request-id": {"description": "The answer's id.", "schema": {"type": "string"}},
        "x-proveout-latency-ms": {
            "description": "Time to compute the answer, without logging it.",
            "schema": {"type": "number"},
        },
        "x-proveout-unlogged": {
            "description": "`1`: the answer is not in the journal yet.",
            "schema": {"type": "string"},
        },
        "x-proveout-cache": {
            "description": "Whether the answer is from the cache. `stale`: an older one, because the model failed.",
            "schema": {"type": "string", "enum": ["hit", "miss", "stale"]},
        },
    }
