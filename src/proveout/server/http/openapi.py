"""The OpenAPI document: the requests, answers and problems of every route.

Input: the request schema and the settings. Output: an OpenAPI 3.1 document, of plain values. The rule of each route
comes from `auth.RULES`, so document and gateway cannot differ.
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
    400: "The body, or a header, cannot be read.",
    401: "No API key, or none that is valid here.",
    403: "The key has no scope for this.",
    404: "There is no such thing, or not for this key.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body comes in a coding other than gzip; `Accept-Encoding` says what is taken.",
    422: "The body does not fit the schema; `problems` names each field and rule.",
    429: "The key's limit is reached; `Retry-After` says for how long.",
    503: "Not now; `Retry-After` says when.",
}
_RETRY = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}}
_CODINGS = {"Accept-Encoding": {"description": "The codings that are taken.", "schema": {"const": CODINGS.decode()}}}
_CODED = "As it is, or compressed: `Content-Encoding: gzip`. Limits are those of the decoded body."
_DEADLINE = {
    "name": "x-proveout-deadline-ms",
    "in": "header",
    "description": "How long the client will wait. Only shortens the server's deadline.",
    "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
}
_REQUEST_ID = {
    "name": "x-request-id",
    "in": "header",
    "description": "The client's own id: 1 to 128 visible ASCII characters. Without one, the answer has a new id.",
    "schema": {"type": "string"},  # any other is no reason to refuse an answer
}


def document(schema: RequestSchema, settings: Settings, example: Mapping[str, Scalar]) -> Schema:
    """The document, with one request as the example."""
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
        told = {"summary": summary, **members}
        paths.setdefault(path, {})[method] = _operation(path, method, told, responses, refusals)

    route(
        "/predict", "post", "One prediction.",
        {"200": {"description": "An answer, whichever source it is from.", "headers": _answer_headers(), **answer}},
        400, 408, 413, 422, 429, 503,
        requestBody=_body("Request", example), parameters=[_REQUEST_ID, _DEADLINE],
    )  # fmt: skip
    route(
        "/predict/batch", "post", "Many predictions: an array, or a stream of lines (NDJSON).",
        {"200": {"description": "For each item its answer or its problem, in order.", **_json("BatchAnswer")}},
        400, 408, 413, 429, 503,
        requestBody=batch, parameters=[_REQUEST_ID, _DEADLINE],
    )  # fmt: skip
    outcome = {"binary": True, "multiclass": "a class", "regression": 12.5}[settings.task]
    said = {"request_id": "0192a3b4-0000-7000-8000-000000000000", "outcome": outcome, "text": "As I saw it."}
    route(
        "/feedback", "post", "What really happened, or that an answer was wrong.",
        {"202": {"description": "It is in the journal.", **_json("FeedbackTaken")}},
        400, 408, 413, 422, 429, 503, requestBody=_body("Feedback", said),
    )  # fmt: skip
    route(
        "/predictions/{id}", "get", "The dossier of one answer.",
        {"200": {"description": "All that is known of it.", **_json("Dossier")}},
        404, 429, 503, parameters=[_path_parameter("id", "The answer's request id.")],
    )  # fmt: skip
    _add_health(route)
    _add_pages(route)
    _add_inference(route, settings, example)
    return paths


def _add_health(route: Any) -> None:
    route("/livez", "get", "Whether the process answers.", {"200": _told("It does.")})
    for path, words in (("/readyz", "Whether a model answers, by a real prediction."),
                        ("/startupz", "Whether a model has answered since the start.")):  # fmt: skip
        route(path, "get", words, {"200": _told("It does."), "503": _told("Not yet, or not now.")})
    text = {"text/plain": {"schema": {"type": "string"}}}
    route("/metrics", "get", "Counts, for Prometheus.", {"200": {"description": "The metrics.", "content": text}})


def _add_pages(route: Any) -> None:
    html = {"text/html": {"schema": {"type": "string"}}}
    route("/", "get", "A form for people.", {"200": {"description": "The page.", "content": html}})
    route("/docs", "get", "This document, for people.", {"200": {"description": "The page.", "content": html}})
    route("/openapi.json", "get", "This document.", {"200": _told("The document.")})


def _add_inference(route: Any, settings: Settings, example: Mapping[str, Scalar]) -> None:
    name = _path_parameter("name", "The model.", settings.model)
    version = _path_parameter("version", "The first 12 digits of the champion's digest.")
    route("/v2", "get", "Open Inference Protocol: the server.", {"200": _told("Its name and version.")})
    route("/v2/health/live", "get", "Whether the process answers.", {"200": _told("It does.")})
    ready = {"200": _told("It does."), "503": _told("Not now.")}
    route("/v2/health/ready", "get", "Whether a model answers.", ready)
    for path, parameters in (("/v2/models/{name}", [name]),
                             ("/v2/models/{name}/versions/{version}", [name, version])):  # fmt: skip
        route(
            path, "get", "The model's tensors.", {"200": _told("Its inputs and outputs.")}, 404, parameters=parameters
        )
        route(f"{path}/ready", "get", "Whether it answers.", dict(ready), 404, parameters=parameters)
        route(
            f"{path}/infer", "post", "Predictions, as tensors.",
            {"200": {"description": "A tensor for each output.", **_json("InferAnswer")}},
            400, 404, 408, 413, 429, 503,
            parameters=[*parameters, _DEADLINE], requestBody=_body("InferRequest", openapi_schemas.tensors(example)),
        )  # fmt: skip


def _operation(
    path: str, method: str, members: Mapping[str, Any], responses: Schema, refusals: tuple[int, ...]
) -> Schema:
    needed = auth.RULES[(path, "POST" if method == "post" else "GET")]
    keyed = (401, 403) if needed else ()
    told = dict(responses)
    coded = (415,) if method == "post" else ()
    for status in sorted({*refusals, *keyed, *coded}):
        told.setdefault(str(status), _refusal(status, v2=path.startswith("/v2")))
    scopes = " or ".join(f"`{scope}`" for scope in sorted(needed))
    operation: Schema = {
        "operationId": f"{method}_{path.strip('/').replace('/', '_').replace('{', '').replace('}', '') or 'page'}",
        **members,
        "responses": told,
    }
    if needed:
        # An empty one says that there may be a server that asks for no key.
        operation |= {"description": f"Needs the scope {scopes}.", "security": [{"bearer": []}, {"header": []}, {}]}
    return operation


def _refusal(status: int, *, v2: bool) -> Schema:
    kind = "application/json" if v2 else "application/problem+json"
    told: Schema = {
        "description": _REFUSALS[status],
        "content": {kind: {"schema": {"$ref": f"#/components/schemas/{'InferError' if v2 else 'Problem'}"}}},
    }
    headers = {415: _CODINGS, 503: _RETRY}.get(status)
    return told if headers is None else {**told, "headers": headers}


def _body(name: str, example: Any) -> Schema:
    return {
        "description": _CODED,
        "required": True,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}, "example": example}},
    }


def _json(name: str) -> Schema:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def _told(words: str) -> Schema:
    return {"description": words, "content": {"application/json": {"schema": {"type": "object"}}}}


def _path_parameter(name: str, words: str, example: str | None = None) -> Schema:
    told = {"name": name, "in": "path", "required": True, "description": words, "schema": {"type": "string"}}
    return told if example is None else {**told, "example": example}


def _answer_headers() -> Schema:
    return {
        "x-request-id": {"description": "The answer's id.", "schema": {"type": "string"}},
        "x-proveout-latency-ms": {"description": "Of the answer, without log.", "schema": {"type": "number"}},
        "x-proveout-unlogged": {"description": "`1`: its log is in memory only.", "schema": {"type": "string"}},
        "x-proveout-cache": {
            "description": "Whether it was given before; `stale` for a silent model's last good answer.",
            "schema": {"type": "string", "enum": ["hit", "miss", "stale"]},
        },
    }
