"""The compiled validator: straight-line Python for one schema, made when the server starts.

Input: the request schema. Output: a function that takes a parsed object and returns the record, or None if the object
needs a closer look: it breaks a constraint, or has numbers in another form. `validator` then finds the reason with the
same constraints, so this never accepts what `validator` would refuse.
"""

from collections.abc import Callable, Mapping
from typing import Any

from proveout.records.values import Scalar
from proveout.schema import coercion
from proveout.schema.constraints import NO_NUL, is_vague
from proveout.schema.spec import TEXT_KINDS, Constraint, RequestField, RequestSchema

CompiledValidator = Callable[[Mapping[str, Any], int], dict[str, Scalar] | None]
"""Takes a document and the number of colons in its text (-1: not counted); returns the record or None."""

_TYPES = {"int": int, "float": float, "bool": bool, **dict.fromkeys(TEXT_KINDS, str)}
_COMPARED = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
_MEASURED = {"minLength": ">=", "maxLength": "<="}


def compile_validator(schema: RequestSchema) -> CompiledValidator:
    """The function for `schema`. Names and values of the schema are bound as variables, never put into the source."""
    known: dict[str, Any] = {"ABSENT": object()}
    lines = ["def validate(document, colons):", "    absent = 0", "    get = document.get", "    try:"]
    for place, field in enumerate(schema.fields):
        lines += ["    " + line for line in _field(place, field, known)]
    # All keys are known. In flat JSON without escapes, each colon outside of a value follows a key. So if there are as
    # many colons as keys, there is no duplicate key.
    texts = [f"v{place}" for place, field in enumerate(schema.fields) if field.kind in TEXT_KINDS]
    inside = " + ".join(f'({value}.count(":") if {value} else 0)' for value in texts) or "0"
    if any(":" in name for name in schema.names):
        inside = "-1"  # field names with colons: always use the closer look
    lines += [
        "    except KeyError:",
        "        return None",
        "    given = len(document)",
        f"    if given + absent != {len(schema.fields)}:",
        "        return None",
        f"    if colons != given and colons >= 0 and colons != given + {inside}:",
        "        return None",
        "    return {" + ", ".join(f"N{place}: v{place}" for place in range(len(schema.fields))) + "}",
    ]
    exec("\n".join(lines), known)  # noqa: S102  # a loop over rules takes four times as long, for every request
    validate: CompiledValidator = known["validate"]
    return validate


def _field(place: int, field: RequestField, known: dict[str, Any]) -> list[str]:
    """The lines that read one field from the document into `v<place>`."""
    value, kind = f"v{place}", field.kind
    known[f"N{place}"], known[f"D{place}"], known[f"T{place}"] = field.name, field.default, _TYPES[kind]
    lines, indent = [f"    {value} = document[N{place}]"], "    "
    if not field.needed:
        lines = [f"    {value} = get(N{place}, ABSENT)", f"    if {value} is ABSENT:", f"        {value} = D{place}"]
        lines += ["        absent += 1"]
        lines += [f"    elif {value} is None:", f"        {value} = D{place}"] if field.takes_null else []
        lines += ["    else:"]
        indent = "        "
    lines += [f"{indent}if type({value}) is not T{place}:"]
    asked = value
    if kind == "float":
        known["INT"], known[f"E{place}"] = int, coercion.exact_integers(field.dtype)
        lines += [f"{indent}    if type({value}) is not INT or not -E{place} <= {value} <= E{place}:"]
        lines += [f"{indent}        return None", f"{indent}    {value} = T{place}({value})"]
        compared = any(rule.keywords.keys() & _COMPARED.keys() for rule in field.constraints)  # NaN fails each of these
        if field.dtype.lower() == "float64" and not compared:
            lines += [f"{indent}if {value} != {value}:", f"{indent}    return None"]
    else:
        lines += [f"{indent}    return None"]
    if kind == "datetime" or (kind == "float" and field.dtype.lower() != "float64"):
        # Constraints apply to the converted value.
        known[f"C{place}"], asked = field.convert, f"h{place}"
        lines += [f"{indent}{asked} = C{place}({value})", f"{indent}if {asked} is None:", f"{indent}    return None"]
    rules = enumerate(field.all_constraints)
    tests = [_test(f"{place}_{number}", asked, rule, known) for number, rule in rules]
    return lines + ([f"{indent}if not ({' and '.join(tests)}):", f"{indent}    return None"] if tests else [])


def _test(name: str, value: str, rule: Constraint, known: dict[str, Any]) -> str:
    """An expression that is true if `rule` holds; a plain comparison where possible."""
    if rule is NO_NUL:
        known["NUL"] = "\x00"
        return f"NUL not in {value}"
    for compared, what in ((_COMPARED, value), (_MEASURED, f"len({value})")):
        words = rule.keywords
        if words and words.keys() <= compared.keys() and not any(map(is_vague, words.values())):
            known |= {f"B{name}{word}": bound for word, bound in words.items()}
            return " and ".join(f"{what} {compared[word]} B{name}{word}" for word in words)
    known[f"H{name}"] = rule.holds
    return f"H{name}({value})"
