"""A request as an example: for the documentation, and for a form that is filled in already.

Comes in: the compiled schema. Goes out: a record that the schema lets in, the same one every time. A value is made from
what the rules say, then tried against them; a field whose rules say too little has none.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from re import _constants, _parser  # type: ignore[attr-defined]  # re has no public way to read a pattern
from typing import Any

from proveout.records import Scalar
from proveout.schema.spec import RequestField, RequestSchema

_LONGEST = 64


def record(schema: RequestSchema) -> dict[str, Scalar]:
    """An example for every field that has one. Fields that may be null have one too."""
    found = {field.name: value(field) for field in schema.fields}
    return {name: plain for name, plain in found.items() if plain is not None}


def value(field: RequestField) -> Scalar:
    """The first of some likely values that keeps every rule of `field`; None where none of them does."""
    words = {key: word for rule in field.all_constraints for key, word in rule.keywords.items()}
    for candidate in _candidates(field, words):
        if all(rule.holds(candidate) for rule in field.all_constraints):
            return candidate
    return None


def _candidates(field: RequestField, words: Mapping[str, Any]) -> Iterator[Scalar]:
    if field.default is not None:
        yield field.default
    yield from words.get("enum", ())
    if "const" in words:
        yield words["const"]
    if field.kind == "bool":
        yield from (True, False)
    elif field.kind == "str":
        yield from _texts(field)
    else:
        yield from _numbers(field, words)


def _numbers(field: RequestField, words: Mapping[str, Any]) -> Iterator[Scalar]:
    low = words.get("minimum", words.get("exclusiveMinimum", 0))
    high = words.get("maximum", words.get("exclusiveMaximum", low + 100))
    typed = int if field.kind == "int" else float
    # Not the edges first: an example shall look like what it is an example of.
    for share in (0.5, 0.25, 0.1, 0.01, 0.75, 0.0, 1.0):
        between = low + (high - low) * share
        yield typed(round(between) if high - low > 10 else between)
    yield from (typed(low + step) for step in range(1, 10))


def _texts(field: RequestField) -> Iterator[str]:
    for rule in field.all_constraints:
        if "pattern" in rule.keywords:
            yield _like(rule.keywords["pattern"])
    lengths = [rule.keywords["minLength"] for rule in field.all_constraints if "minLength" in rule.keywords]
    yield "text"
    yield "x" * min(max(lengths, default=1), _LONGEST)


def _like(pattern: str) -> str:
    """A short text that `pattern` may match.

    >>> _like("^[A-Z]{3}[0-9]+$")
    'AAA0'
    """
    try:
        return _written(_parser.parse(pattern))[:_LONGEST]
    except (re.error, KeyError, ValueError, OverflowError):
        return ""


def _written(parts: Any) -> str:
    text = ""
    for kind, argument in parts:
        if kind is _constants.LITERAL:
            text += chr(argument)
        elif kind is _constants.NOT_LITERAL:
            text += "y" if argument == ord("x") else "x"
        elif kind is _constants.IN:
            text += _one_of(argument)
        elif kind in {_constants.MAX_REPEAT, _constants.MIN_REPEAT}:
            least, _, inner = argument
            text += _written(inner) * min(least or (1 if argument[1] else 0), _LONGEST)
        elif kind is _constants.SUBPATTERN:
            text += _written(argument[-1])
        elif kind is _constants.BRANCH:
            text += _written(argument[1][0])
        elif kind is _constants.ANY:
            text += "x"
    return text


def _one_of(choices: Any) -> str:
    """A letter of a set, as the parser of `re` has it."""
    if choices[0][0] is _constants.NEGATE:
        named = {chr(code) for kind, argument in choices[1:] for code in _codes(kind, argument)}
        return next((letter for letter in "xyz059 -" if letter not in named), "~")
    for kind, argument in choices:
        if kind is _constants.CATEGORY:
            return {"CATEGORY_DIGIT": "0", "CATEGORY_SPACE": " "}.get(str(argument), "x")
        return chr(_codes(kind, argument)[0])
    return "x"


def _codes(kind: Any, argument: Any) -> Sequence[int]:
    if kind is _constants.RANGE:
        return range(argument[0], argument[1] + 1)
    return [argument] if kind is _constants.LITERAL else []
