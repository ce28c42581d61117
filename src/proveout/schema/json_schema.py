"""The request schema in JSON Schema, for the OpenAPI document.

Input: a `RequestSchema`. Output: plain values. Constraints without a JSON Schema keyword (a project's own check, the
end of a text) are left out; the validator checks them.
"""

from collections.abc import Mapping
from typing import Any

from proveout.records.values import Scalar
from proveout.schema import coercion
from proveout.schema.spec import TEXT_KINDS, RequestField, RequestSchema

_TYPES = {"int": "integer", "float": "number", "bool": "boolean", **dict.fromkeys(TEXT_KINDS, "string")}
_TIGHTENED = {"minimum": max, "maximum": min, "minLength": max, "maxLength": min}


def of_record(schema: RequestSchema, example: Mapping[str, Scalar]) -> dict[str, Any]:
    """A whole record, with an example."""
    return {
        "type": "object",
        "properties": {field.name: of_field(field) for field in schema.fields},
        "required": [field.name for field in schema.fields if field.needed],
        "additionalProperties": False,
        "examples": [dict(example)],
    }


def of_field(field: RequestField) -> dict[str, Any]:
    """One field."""
    told: dict[str, Any] = {"type": [_TYPES[field.kind], "null"] if field.takes_null else _TYPES[field.kind]}
    told |= {name: text for name, text in (("title", field.title), ("description", field.description)) if text}
    patterns = [coercion.ISO_8601] if field.kind == "datetime" else []
    for constraint in field.all_constraints:
        for word, bound in constraint.keywords.items():
            if word == "enum" and word in told:
                told[word] = [one for one in told[word] if one in bound]
            elif word == "pattern":
                patterns.append(bound)
            elif word in _TIGHTENED and word in told:
                told[word] = _TIGHTENED[word](told[word], bound)
            else:
                told[word] = bound
    if patterns:
        told["pattern"] = patterns[0]
    if patterns[1:]:
        told["allOf"] = [{"pattern": pattern} for pattern in patterns[1:]]
    if field.takes_null and "enum" in told:
        told["enum"] = [*told["enum"], None]
    if field.default is not None:
        told["default"] = field.default
    return told
