"""The request schema: the project's pandera schema, compiled once into plain rules. No pandas per request.

Comes in: a pandera model. Goes out: a `RequestSchema`, whose rules are functions of one value; what cannot be asked of
one request alone is refused when the project is opened, by ingest as by the server. pandera itself is not imported: its
objects are only read.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from proveout.data import coercion
from proveout.data.coercion import Convert, Kind
from proveout.errors import ConfigError
from proveout.records import Scalar
from proveout.settings import Settings, load_object

EXPLAIN = "explain"
"""Reserved key beside the record's fields: the request asks for reasons."""

LONGEST_TEXT = 1_000  # characters; a bound for regular expressions of the schema as much as for the log
_TYPE_REMEDY = "Use int, float, str or bool, or one of Int64, Float64, boolean; a category or a time travels as text"
_REMEDY = "Write it as a Field constraint or an element-wise check, or leave it to the batch schema"


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One check of a field that is there and has the right type."""

    name: str
    expected: str
    holds: Callable[[Any], object]  # something true, where it does
    words: Mapping[str, Any] = field(default_factory=dict)  # the same in JSON Schema, as far as that can say it


# PostgreSQL refuses it in text, and no model was trained on it.
NO_NUL = Rule(name="text", expected="text without NUL characters", holds=lambda v: "\x00" not in v)


@dataclass(frozen=True, kw_only=True)
class RequestField:
    """One field of a request. `dtype` is the pandas type its column has in front of the model."""

    name: str
    kind: Kind
    dtype: str
    nullable: bool
    needed: bool
    default: Scalar
    rules: tuple[Rule, ...]
    title: str | None = None
    description: str | None = None
    pii: bool = False  # about a person: `metadata={"pii": True}`

    @property
    def convert(self) -> Convert:
        """What a column of the type makes of a value, see `coercion.converter`."""
        convert = coercion.converter(self.dtype)
        assert convert is not None  # only fields of such a type are made
        return convert


@dataclass(frozen=True, kw_only=True)
class RequestSchema:
    """Every field of a request, in order."""

    fields: tuple[RequestField, ...]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(one.name for one in self.fields)

    @property
    def pii_fields(self) -> tuple[str, ...]:
        """The fields whose values only the model and the rules may see."""
        return tuple(one.name for one in self.fields if one.pii)

    @property
    def nullable(self) -> tuple[str, ...]:
        """The fields that may be null."""
        return tuple(one.name for one in self.fields if one.nullable)

    @property
    def dtypes(self) -> dict[str, str]:
        """The pandas type of each column."""
        return {one.name: one.dtype for one in self.fields}


def load(settings: Settings) -> RequestSchema:
    """The project's request schema, compiled: what ingests, trains, judges and serves reads it, and refuses the same.

    Raises: ConfigError, as `compile_schema`.
    """
    return compile_schema(load_object(settings.request_schema, settings.root), name=settings.request_schema)


def compile_schema(model: Any, *, name: str) -> RequestSchema:
    """The plain rules of `model`, a pandera DataFrameModel or DataFrameSchema.

    Args:
        name: what to call the schema in an error.
    Raises: ConfigError for whatever one request cannot be checked by without pandas, naming it.
    """
    schema = model.to_schema() if hasattr(model, "to_schema") else model
    if schema.checks:
        found = ", ".join(str(check.name) for check in schema.checks)
        raise ConfigError(name, f"has checks over the whole frame ({found}): a request is one row", _REMEDY)
    if schema.index is not None or getattr(schema, "parsers", None):
        raise ConfigError(name, "has an index or parsers, which a request does not", "Leave them to the batch schema")
    if EXPLAIN in schema.columns:
        raise ConfigError(name, f"has a field `{EXPLAIN}`, which asks for reasons in a request", "Rename the field")
    return RequestSchema(fields=tuple(_field(name, column) for column in schema.columns.values()))


def _field(schema: str, column: Any) -> RequestField:
    where = f"{schema}, field `{column.name}`"
    if column.regex or column.parsers:
        raise ConfigError(where, "is a pattern of names or has parsers", "Name each field and send it as it is")
    dtype = str(getattr(column.dtype, "type", None))
    kind = coercion.kind_of(dtype)
    if kind is None:
        raise ConfigError(where, f"has the type {dtype}, which JSON cannot carry", _TYPE_REMEDY)
    if column.nullable and not coercion.has_null(dtype):
        raise ConfigError(where, f"is nullable, but a column of {dtype} has no null", "Use float, Int64 or boolean")
    rules = tuple(_rule(where, check) for check in column.checks if not check.raise_warning)
    return RequestField(
        name=str(column.name),
        kind=kind,
        dtype=dtype,
        nullable=bool(column.nullable),
        needed=bool(column.required) and not column.nullable and column.default is None,
        default=column.default,
        rules=(*_type_bounds(kind, dtype), *rules),
        title=column.title,
        description=column.description,
        pii=_about_a_person(where, column.metadata or {}),
    )


def _about_a_person(where: str, metadata: Mapping[str, Any]) -> bool:
    """Whether the field is marked. What may be meant as a mark and is none hides nobody: it is refused."""
    meant = [key for key in metadata if str(key).lower() in {"pii", "personal", "sensitive"} and key != "pii"]
    marked = metadata.get("pii", False)
    if meant or not isinstance(marked, bool):
        said = f"{meant[0]!r}" if meant else f"'pii': {marked!r}"
        raise ConfigError(where, f"has the metadata {said}, which hides nothing", 'Write metadata={"pii": True}')
    return marked


def _type_bounds(kind: Kind, dtype: str) -> tuple[Rule, ...]:
    """What a column of this type can hold at all."""
    if kind == "str":
        fits = Rule(
            name="length",
            expected=f"at most {LONGEST_TEXT} characters",
            holds=lambda v: len(v) <= LONGEST_TEXT,
            words={"maxLength": LONGEST_TEXT},
        )
        return (fits, NO_NUL)
    if kind == "int":
        low, high = coercion.integer_range(dtype)
        expected = f"an integer of {coercion.bits_of(dtype)} bits"
        words = {"minimum": low, "maximum": high}
        return (Rule(name="size", expected=expected, holds=lambda v: low <= v <= high, words=words),)
    return ()


def _rule(where: str, check: Any) -> Rule:
    """A pandera check, as a rule on one value."""
    if check.element_wise:
        # The function itself: pandera's public way in wraps the value in a Series.
        return Rule(name=str(check.name), expected=_custom_words(check), holds=_guarded(check._check_fn))
    build = _BUILT_IN.get(str(check.name))
    if build is None or not check.statistics or check.groupby is not None:
        raise ConfigError(where, f"the check `{check.name}` needs a whole column", _REMEDY)
    return build(check.statistics)


def _custom_words(check: Any) -> str:
    return str(check.error or check.description or f"a value that passes {check.name}").rstrip(".")


def _guarded(function: Callable[[Any], Any]) -> Callable[[Any], bool]:
    def holds(value: Any) -> bool:
        try:
            return bool(function(value))
        except Exception:  # a value the check stumbles over has not passed it
            return False

    return holds


def _in_range(s: Mapping[str, Any]) -> Rule:
    low, high, at_low, at_high = s["min_value"], s["max_value"], s["include_min"], s["include_max"]

    def holds(value: Any) -> bool:
        return bool((low <= value if at_low else low < value) and (value <= high if at_high else value < high))

    words = f"{'at least' if at_low else 'more than'} {low} and {'at most' if at_high else 'less than'} {high}"
    low_word, high_word = "minimum" if at_low else "exclusiveMinimum", "maximum" if at_high else "exclusiveMaximum"
    return Rule(name="in_range", expected=words, holds=holds, words={low_word: low, high_word: high})


def _str_length(s: Mapping[str, Any]) -> Rule:
    exact, low, high = s.get("exact_value"), s.get("min_value"), s.get("max_value")
    low, high = (exact, exact) if exact is not None else (low or 0, math.inf if high is None else high)
    words = f"exactly {exact} characters" if exact is not None else f"{low} to {high} characters"
    lengths = {"minLength": low} | ({} if high == math.inf else {"maxLength": high})
    return Rule(name="str_length", expected=words, holds=lambda v: low <= len(v) <= high, words=lengths)


def _str_matches(s: Mapping[str, Any]) -> Rule:
    pattern = s["pattern"]
    if isinstance(pattern, str) and pattern.endswith("$") and not pattern.endswith(r"\$"):
        # `$` lets a line feed follow in Python, and in pandas where that asks Python: no identifier ends in one.
        pattern = pattern[:-1] + r"\Z"
    match = re.compile(pattern).match
    told = _words(s["pattern"])
    anchored = told if told.startswith("^") else f"^(?:{told})"
    return Rule(
        name="str_matches",
        expected=f"text like {told}",
        holds=match,
        words={"pattern": anchored},
    )


def _str_contains(s: Mapping[str, Any]) -> Rule:
    search = re.compile(s["pattern"]).search
    told = _words(s["pattern"])
    return Rule(
        name="str_contains",
        expected=f"text with {told}",
        holds=search,
        words={"pattern": told},
    )


def _words(pattern: Any) -> str:
    return str(getattr(pattern, "pattern", pattern))


def _compared(
    rule: str, words: str, key: str, holds: Callable[[Any, Any], bool], keyword: str | None = None
) -> Callable[[Mapping[str, Any]], Rule]:
    """A check that compares with one number or text, found under `key` in the check's statistics."""

    def build(s: Mapping[str, Any]) -> Rule:
        bound = s[key]
        return Rule(
            name=rule,
            expected=f"{words} {bound}".strip(),
            holds=lambda v: bool(holds(v, bound)),
            words={} if keyword is None else {keyword: bound},
        )

    return build


def _isin(s: Mapping[str, Any]) -> Rule:
    allowed = frozenset(s["allowed_values"])
    return Rule(
        name="isin",
        expected=f"one of {_listed(allowed)}",
        holds=allowed.__contains__,
        words={"enum": sorted(allowed, key=str)},
    )


def _notin(s: Mapping[str, Any]) -> Rule:
    forbidden = frozenset(s["forbidden_values"])
    return Rule(
        name="notin",
        expected=f"none of {_listed(forbidden)}",
        holds=lambda v: v not in forbidden,
        words={"not": {"enum": sorted(forbidden, key=str)}},
    )


def _listed(values: frozenset[Any]) -> str:
    return ", ".join(map(str, sorted(values, key=str)))


_BUILT_IN: Mapping[str, Callable[[Mapping[str, Any]], Rule]] = {
    "equal_to": _compared("eq", "", "value", operator.eq, "const"),
    "not_equal_to": _compared("ne", "not", "value", operator.ne),
    "greater_than": _compared("gt", "more than", "min_value", operator.gt, "exclusiveMinimum"),
    "greater_than_or_equal_to": _compared("ge", "at least", "min_value", operator.ge, "minimum"),
    "less_than": _compared("lt", "less than", "max_value", operator.lt, "exclusiveMaximum"),
    "less_than_or_equal_to": _compared("le", "at most", "max_value", operator.le, "maximum"),
    "in_range": _in_range,
    "isin": _isin,
    "notin": _notin,
    "str_matches": _str_matches,
    "str_contains": _str_contains,
    "str_startswith": _compared("str_startswith", "text that starts with", "string", str.startswith),
    "str_endswith": _compared("str_endswith", "text that ends with", "string", str.endswith),
    "str_length": _str_length,
}
