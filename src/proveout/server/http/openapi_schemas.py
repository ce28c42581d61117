"""The schemas of the OpenAPI document, in JSON Schema: requests, answers, problems.

Input: the request schema and the settings. Output: plain values. `openapi` says which route uses which.
"""

from collections.abc import Mapping
from typing import Any, get_args

from proveout.records.prediction import AnswerSource
from proveout.records.values import Scalar
from proveout.schema import json_schema
from proveout.schema.request_schema import EXPLAIN
from proveout.schema.spec import RequestSchema
from proveout.server.http.feedback import LONGEST_ID, LONGEST_TEXT
from proveout.server.http.open_inference import DATATYPES, outputs
from proveout.settings import Settings
from proveout.task import task as tasks

Schema = dict[str, Any]


def schemas(schema: RequestSchema, settings: Settings, example: Mapping[str, Scalar]) -> Schema:
    """Every schema, by name."""
    text, number = {"type": "string"}, {"type": "number"}
    maybe_text = {"type": ["string", "null"]}
    task = tasks.named(settings.task)
    tensors = list(outputs(task))
    reason = _object({"field": text, "value": {}, "effect": number, "text": text}, "field", "effect", "text")
    answer = _object(
        {
            "request_id": text,
            "prediction": task.schema(target=settings.target_name),
            "confidence": {
                "description": "How often such a score was right on held-out rows; null if unknown.",
                "oneOf": [{"type": "null"}, _object({"share": number, "level": text}, "share", "level")],
            },
            "action": {"type": "string", "description": "The recommended action."},
            "answered_by": {"enum": list(get_args(AnswerSource))},
            "release": text,
            "fallback_reason": maybe_text,
            "reasons": {"type": "array", "items": reason, "description": "If the request has `explain: true`."},
            "reasons_missing": {"type": "string", "description": "Why there are no reasons."},
        },
        "request_id", "prediction", "confidence", "action", "answered_by", "release", "fallback_reason",
    )  # fmt: skip
    request = json_schema.of_record(schema, example)
    request["properties"][EXPLAIN] = {"type": "boolean", "default": False, "description": "Return reasons."}
    problem_of_field = _object({"field": text, "rule": text, "expected": text, "got": text}, "field", "rule")
    problem = _object(
        {
            "type": text, "title": text, "status": {"type": "integer"}, "detail": text,
            "problems": {"type": "array", "items": problem_of_field},
        },
        "type", "title", "status", "detail",
    )  # fmt: skip
    feedback = _object(
        {
            "request_id": {"type": "string", "minLength": 1, "maxLength": LONGEST_ID, "pattern": "^[!-~]+$"},
            "outcome": {**task.outcome_schema(), "description": "The true value."},
            "wrong": {"type": "boolean", "description": "The answer was wrong."},
            "text": {"type": "string", "maxLength": LONGEST_TEXT, "pattern": "^[^\\u0000]*$"},
        },
        "request_id",
    )
    feedback["additionalProperties"] = False
    known = [kind for kind in task.outcome_schema()["type"] if kind != "null"]
    given = {"outcome": {"type": known if known[1:] else known[0]}, "wrong": {"const": True}, "text": {"minLength": 1}}
    feedback["anyOf"] = [_object({name: something}, name) for name, something in given.items()]
    tensor = _object(
        {
            "name": text, "datatype": text, "shape": {"type": "array", "items": {"type": "integer"}},
            "data": {"type": "array", "description": "The values of a tensor that is not binary."},
            "parameters": {
                "type": ["object", "null"],
                "description": "`binary_data_size`: the size of its values in bytes, which follow the JSON.",
            },
        },
        "name", "datatype", "shape",
    )  # fmt: skip
    either = [{"$ref": "#/components/schemas/Answer"}, {"$ref": "#/components/schemas/Problem"}]
    return {
        "Request": request,
        "Answer": answer,
        "BatchAnswer": {"type": "array", "items": {"anyOf": either}},
        "Problem": problem,
        "Feedback": feedback,
        "FeedbackTaken": _object({"feedback_id": text, "request_id": text}, "feedback_id", "request_id"),
        "PredictionDetail": _object(
            {
                "prediction": {"type": "object"}, "release": {"type": ["object", "null"]}, "verdict": maybe_text,
                "approval": {"type": ["object", "null"]}, "shadows": {"type": "array"},
                "feedback": {"type": "array"}, "outcome": task.outcome_schema(), "reasons": {"type": "array"},
            },
            "prediction", "release", "verdict", "approval", "shadows", "feedback", "outcome", "reasons",
        ),
        "InferRequest": _object(
            {
                "id": {"type": ["string", "null"], "minLength": 1, "maxLength": LONGEST_ID, "pattern": "^[!-~]+$"},
                "inputs": {"type": "array", "items": tensor, "minItems": 1},
                "outputs": {"type": ["array", "null"], "items": _object({"name": {"enum": tensors}}, "name")},
                "parameters": {
                    "type": ["object", "null"],
                    "description": "`binary_data_output`: true for binary outputs. Binary tensors follow the JSON, "
                    "whose length is in the header Inference-Header-Content-Length.",
                },
            },
            "inputs",
        ),
        "InferAnswer": _object(
            {
                "model_name": text, "model_version": text, "id": text, "parameters": {"type": "object"},
                "outputs": {"type": "array", "items": tensor, "description": f"Of {', '.join(tensors)}."},
            },
            "model_name", "outputs",
        ),
        "InferError": _object({"error": text}, "error"),
    }  # fmt: skip


def _object(properties: Schema, *needed: str) -> Schema:
    return {"type": "object", "properties": properties, "required": list(needed)}


def tensors(example: Mapping[str, Scalar]) -> Schema:
    """A request of the Open Inference Protocol with one row."""
    kinds: Mapping[type, str] = {int: DATATYPES["int"], float: DATATYPES["float"], str: "BYTES", bool: "BOOL"}
    return {
        "inputs": [
            {"name": name, "datatype": kinds[type(value)], "shape": [1], "data": [value]}
            for name, value in example.items()
        ]
    }
