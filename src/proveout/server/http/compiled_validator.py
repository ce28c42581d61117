"""The quick reader: straight-line Python for one schema, made when the server starts.

Comes in: the compiled schema. Goes out: a function of a parsed body that gives the record, or None for a body that
needs a closer look: one that breaks a rule, or whose numbers come in another guise. It never says why; `validation`
does, with the same rules, so nothing is let in here that would be refused there.
"""

from collections.abc import Callable, Mapping
from typing import Any

from proveout.data import coercion
from proveout.data.request_schema import NO_NUL, RequestField, RequestSchema, Rule
from proveout.records import Scalar

Quick = Callable[[Mapping[str, Any], int], dict[str, Scalar] | None]
"""Of a document and the number of colons in its text (-1: not counted): the record, or None."""

_TYPES = {"int": int, "float": float, "str": str, "bool": bool}
_COMPARED = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
_MEASURED = {"minLength": ">=", "maxLength": "<="}


def compile_quick(schema: RequestSchema) -> Quick:
    """The function for `schema`. Only names and values that it holds are used; none of them becomes source text."""
    known: dict[str, Any] = {"ABSENT": object()}
    lines = ["def quick(document, colons):", "    absent = 0", "    get = document.get", "    try:"]
    for place, field in enumerate(schema.fields):
        lines += ["    " + line for line in _field(place, field, known)]
    # Every key is one of ours, and in a flat text without escapes each colon outside of a value follows a key: as
    # many as there are keys, so none is given twice.
    texts = [f"v{place}" for place, field in enumerate(schema.fields) if field.kind == "str"]
    inside = " + ".join(f'({value}.count(":") if {value} else 0)' for value in texts) or "0"
    if any(":" in name for name in schema.names):
        inside = "-1"  # names with colons: always a closer look
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
    quick: Quick = known["quick"]
    return quick


def _field(place: int, field: RequestField, known: dict[str, Any]) -> list[str]:
    """The lines that take one field out of the document, into `v<place>`."""
    value, kind = f"v{place}", field.kind
    known[f"N{place}"], known[f"D{place}"], known[f"T{place}"] = field.name, field.default, _TYPES[kind]
    lines, indent = [f"    {value} = document[N{place}]"], "    "
    if not field.needed:
        lines = [f"    {value} = get(N{place}, ABSENT)", f"    if {value} is ABSENT:", f"        {value} = D{place}"]
        lines += ["        absent += 1"]
        lines += [f"    elif {value} is None:", f"        {value} = D{place}"] if field.nullable else []
        lines += ["    else:"]
        indent = "        "
    lines += [f"{indent}if type({value}) is not T{place}:"]
    if kind == "float":
        known["INT"], known[f"E{place}"] = int, coercion.exact_integers(field.dtype)
        lines += [f"{indent}    if type({value}) is not INT or not -E{place} <= {value} <= E{place}:"]
        lines += [f"{indent}        return None", f"{indent}    {value} = T{place}({value})"]
        if field.dtype.lower() != "float64":
            known[f"C{place}"] = field.convert
            lines += [f"{indent}if C{place}({value}) is None:", f"{indent}    return None"]
    else:
        lines += [f"{indent}    return None"]
    tests = [_test(f"{place}_{number}", value, rule, known) for number, rule in enumerate(field.rules)]
    return lines + ([f"{indent}if not ({' and '.join(tests)}):", f"{indent}    return None"] if tests else [])


def _test(name: str, value: str, rule: Rule, known: dict[str, Any]) -> str:
    """The expression that is true where `rule` holds: a comparison where it is no more than that."""
    if rule is NO_NUL:
        known["NUL"] = "\x00"
        return f"NUL not in {value}"
    for compared, what in ((_COMPARED, value), (_MEASURED, f"len({value})")):
        if rule.words and rule.words.keys() <= compared.keys():
            known |= {f"B{name}{word}": bound for word, bound in rule.words.items()}
            return " and ".join(f"{what} {compared[word]} B{name}{word}" for word in rule.words)
    known[f"H{name}"] = rule.holds
    return f"H{name}({value})"
