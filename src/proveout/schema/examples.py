"""An example request, for the documentation and for prefilling the form.

Input: the request schema, and typical values from the training rows. Output: a valid record, always the same one. A
field without a typical value gets one made from its constraints; if these say too little, it gets none.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from re import _constants, _parser  # type: ignore[attr-defined]  # re has no public way to read a pattern
from typing import TYPE_CHECKING, Any

from proveout.records.values import Scalar
from proveout.schema import bounds, coercion
from proveout.schema.spec import Kind, RequestField, RequestSchema

if TYPE_CHECKING:
    import pandas as pd

_LONGEST = 64
_SHARED_BY = 5  # rows; a text in fewer rows is not used as an example


def typical_values(rows: "pd.DataFrame", schema: RequestSchema) -> dict[str, Scalar]:
    """Typical values of each field: the median, or the most frequent text or flag.

    Personal data fields get none, and neither does a text that hardly any rows share: it could identify a person.

    Args:
        rows: training rows with the request columns; other columns are ignored.
    """
    found: dict[str, Scalar] = {}
    for field in schema.fields:
        if field.pii or field.name not in rows.columns:
            continue
        known = rows[field.name].dropna()
        ordered = field.kind in ("int", "float", "datetime")
        value = _median(known, field.kind) if ordered else _most_frequent(known)
        if value is not None:
            found[field.name] = value
    return found


def _median(known: "pd.Series[Any]", kind: Kind) -> Scalar:
    """The lower median, which is a value of some row. A narrow float gets its short form: 0.1, not 0.10000000149."""
    if known.empty:
        return None
    middle = known.sort_values().iloc[(len(known) - 1) // 2]
    if kind == "datetime":
        return str(coercion.plain(middle))
    return coercion.whole(middle.item()) if kind == "int" else float(str(middle))


def _most_frequent(known: "pd.Series[Any]") -> Scalar:
    counts = known.value_counts()
    if counts.empty or counts.iloc[0] < _SHARED_BY:
        return None
    value = min(counts.index[counts == counts.iloc[0]])  # of equally frequent ones always the same
    return bool(value) if known.dtype.kind == "b" or isinstance(value, bool) else str(value)


def record(schema: RequestSchema, typical: Mapping[str, Scalar] | None = None) -> dict[str, Scalar]:
    """An example value for every field that has one, including nullable fields.

    Args:
        typical: values to prefer if they are valid, see `typical_values`.
    """
    found = {field.name: value(field, (typical or {}).get(field.name)) for field in schema.fields}
    return {name: plain for name, plain in found.items() if plain is not None}


def value(field: RequestField, typical: Scalar = None) -> Scalar:
    """The typical value, or the first likely value that meets all constraints of `field`; None if none does."""
    keywords = {key: word for rule in field.all_constraints for key, word in rule.keywords.items()}
    first: tuple[Scalar, ...] = () if typical is None else (typical,)
    for candidate in (*first, *_candidates(field, keywords)):
        held = field.convert(candidate)
        if held is not None and all(rule.holds(held) for rule in field.all_constraints):
            return candidate
    return None


def _candidates(field: RequestField, keywords: Mapping[str, Any]) -> Iterator[Scalar]:
    if field.default is not None:
        yield field.default
    yield from keywords.get("enum", ())
    if "const" in keywords:
        yield keywords["const"]
    if field.kind == "bool":
        yield from (True, False)
    elif field.kind == "str":
        yield from _texts(field)
    elif field.kind == "datetime":
        yield from _moments(field)
    else:
        yield from _numbers(field, keywords)


def _numbers(field: RequestField, keywords: Mapping[str, Any]) -> Iterator[Scalar]:
    low = keywords.get("minimum", keywords.get("exclusiveMinimum", 0))
    high = keywords.get("maximum", keywords.get("exclusiveMaximum", low + 100))
    typed = int if field.kind == "int" else float
    # Not the extremes first: an example should look typical.
    for share in (0.5, 0.25, 0.1, 0.01, 0.75, 0.0, 1.0):
        between = low + (high - low) * share
        yield typed(round(between) if high - low > 10 else between)
    yield from (typed(low + step) for step in range(1, 10))


def _moments(field: RequestField) -> Iterator[str]:
    found = bounds.of(field)
    yield from (coercion.plain(one) for one in (*(found.named or ()), found.low, found.high) if one is not None)
    zone = "+00:00" if getattr(field.pandas_dtype, "tz", None) is not None else ""
    yield f"2024-01-01T12:00:00{zone}"


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
    """A letter of a character set, in the form of `re`'s parser."""
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
