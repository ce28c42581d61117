"""What a request schema allows, field by field: the pandera schema, read for whoever makes values by it.

Comes in: a pandera DataFrameModel or DataFrameSchema. Goes out: `Request`, whose rules are functions of one value.
pandera itself is not imported: its objects are only read.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from proveout.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["int", "float", "str", "bool", "time", "other"]
Record = dict[str, Any]
"""A request as plain values by field; None for what is not known."""

MOST_LISTED = 20_000  # integers that are tried one by one against a check of the project's own


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One check. `broken` says in words what is wrong with a value that it refuses."""

    name: str
    broken: str
    holds: Callable[[Any], bool]
    own: bool = False  # written by the project: nobody knows what it lets through
    quick: bool = True  # asks one value, not a column of it


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What one field may be."""

    name: str
    kind: Kind
    dtype: Any  # as pandas takes it
    nullable: bool
    needed: bool  # whether the column must be there
    coerced: bool  # whether the schema makes values of other types fit
    filled: bool  # whether the schema puts a default where there is null
    rules: tuple[Rule, ...]
    low: Any = None  # the least and the greatest value, themselves allowed by the checks that set them
    high: Any = None
    choices: tuple[Any, ...] | None = None  # all values there are, where they are listed
    refused: tuple[Any, ...] = ()  # values that a check names as wrong
    patterns: tuple[str, ...] = ()  # text matches them from its beginning
    within: tuple[str, ...] = ()  # text has a part that matches
    begins: str = ""
    ends: str = ""
    shortest: int = 0
    longest: int | None = None

    def holds(self, value: Any) -> bool:
        """Whether every check lets `value`, which is of the right type and not null, through."""
        return all(rule.holds(value) for rule in self.rules)

    def fits(self, value: Any) -> bool:
        """Whether `value` is of the field's type. Null is of none."""
        if isinstance(value, bool) or self.kind == "bool":
            return isinstance(value, bool) and self.kind in ("bool", "other")
        kinds = {"int": int, "float": int | float, "str": str}
        return isinstance(value, kinds[self.kind]) if self.kind in kinds else True

    def typed(self, value: Any) -> bool:
        """Whether a column of the field's type can hold `value`."""
        return self.has_null if value is None else self.fits(value)

    @property
    def has_null(self) -> bool:
        """Whether a column of this type can hold a null at all."""
        return not re.fullmatch(r"u?int\d+|bool", str(self.dtype))


@dataclass(frozen=True, kw_only=True)
class Request:
    """Every field of a request, in order; `whole` are checks over all fields of one together."""

    fields: tuple[Allowed, ...]
    whole: tuple[Rule, ...]
    unique: bool  # whether the schema compares rows with each other
    refuses_unknown: bool
    makes_missing: bool

    def frame(self, records: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
        """The records as a table, shape (records, fields that one of them has), typed as in front of the model.

        A column with a value of another type is left as Python objects, for the schema to refuse.
        """
        return _frame({field.name: field for field in self.fields}, records)


def read(schema: Any) -> Request:
    """What `schema` allows.

    Raises: ConfigError for what one request cannot be made by, naming it.

    >>> import pandera.pandas as pa
    >>> [hour] = read(pa.DataFrameSchema({"hour": pa.Column(int, pa.Check.in_range(0, 23))})).fields
    >>> hour.kind, hour.low, hour.high
    ('int', 0, 23)
    """
    schema = schema.to_schema() if hasattr(schema, "to_schema") else schema
    if schema.index is not None or getattr(schema, "parsers", None):
        raise ConfigError(_name(schema), "has an index or parsers, which a request does not", "Leave them out")
    coerced = bool(schema.coerce)
    columns = [(column, coerced or bool(column.coerce)) for column in schema.columns.values()]
    fields = {str(column.name): _field(_name(schema), column, coerced) for column, coerced in columns}
    return Request(
        fields=tuple(fields.values()),
        whole=tuple(_whole(check, fields) for check in schema.checks if not check.raise_warning),
        unique=bool(schema.unique) or any(column.unique for column, _ in columns),
        refuses_unknown=schema.strict is True,
        makes_missing=bool(getattr(schema, "add_missing_columns", False)),
    )


def _name(schema: Any) -> str:
    return str(schema.name or "the request schema")


def _field(schema: str, column: Any, coerced: bool) -> Allowed:
    where = f"{schema}, field `{column.name}`"
    if column.regex or getattr(column, "parsers", None):
        raise ConfigError(where, "is a pattern of names or has parsers", "Name each field and send it as it is")
    dtype = getattr(column.dtype, "type", None)
    checks = [check for check in column.checks if not check.raise_warning]
    if any(check.groupby is not None for check in checks):
        raise ConfigError(
            where, "has a check over groups of rows", "A request is one row: leave it to the batch schema"
        )
    kind = _kind(str(dtype).lower())
    limits = _limits(kind, dtype, checks)
    rules = tuple(rule for check in checks for rule in _rules(check, kind, dtype))
    nullable = bool(column.nullable) and all(check.ignore_na or _passes(check, None, dtype) for check in checks)
    return Allowed(
        name=str(column.name),
        kind=kind,
        dtype=dtype,
        nullable=nullable,
        needed=bool(column.required),
        coerced=coerced,
        filled=column.default is not None,
        rules=rules,
        choices=_choices(where, _listed(kind, dtype, limits, checks, rules), rules, as_float=kind == "float"),
        refused=_refused(checks),
        **limits,
    )


def _kind(dtype: str) -> Kind:
    kinds: dict[str, Kind] = {
        r"u?int\d+": "int", r"float\d+": "float", r"bool(ean)?": "bool", r"str(ing.*)?": "str", r"datetime64.*": "time",
    }  # fmt: skip
    return next((kind for pattern, kind in kinds.items() if re.fullmatch(pattern, dtype)), "other")


# --- limits -----------------------------------------------------------------------------------------------------------


def _limits(kind: Kind, dtype: Any, checks: Sequence[Any]) -> dict[str, Any]:
    """The ends of a range, and what text must look like, from the checks that pandera brings."""
    low, high = type_ends(kind, dtype)
    text: dict[str, Any] = {"patterns": (), "within": (), "begins": "", "ends": "", "shortest": 0, "longest": None}
    for check in checks:
        name, s = str(check.name), check.statistics or {}
        if name in ("greater_than", "greater_than_or_equal_to"):
            low = _higher(low, _inside(kind, dtype, s["min_value"], up=True, out=name == "greater_than"))
        elif name in ("less_than", "less_than_or_equal_to"):
            high = _lower(high, _inside(kind, dtype, s["max_value"], up=False, out=name == "less_than"))
        elif name == "in_range":
            low = _higher(low, _inside(kind, dtype, s["min_value"], up=True, out=not s["include_min"]))
            high = _lower(high, _inside(kind, dtype, s["max_value"], up=False, out=not s["include_max"]))
        elif name == "str_matches":
            text["patterns"] += (_pattern(s["pattern"]),)
        elif name == "str_contains":
            text["within"] += (_pattern(s["pattern"]),)
        elif name == "str_startswith":
            text["begins"] = max(text["begins"], s["string"], key=len)
        elif name == "str_endswith":
            text["ends"] = max(text["ends"], s["string"], key=len)
        elif name == "str_length":
            exact = s.get("exact_value")
            least, most = (exact, exact) if exact is not None else (s.get("min_value") or 0, s.get("max_value"))
            text["shortest"], text["longest"] = max(text["shortest"], least), _lower(text["longest"], most)
    return {"low": low, "high": high, **text}


def type_ends(kind: Kind, dtype: Any) -> tuple[Any, Any]:
    """The ends of what the type holds. None for a type without."""
    if kind == "int":
        bits, unsigned = int(re.sub(r"\D", "", str(dtype))), str(dtype).lower().startswith("u")
        return (0, 2**bits - 1) if unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    if kind == "float":
        import numpy as np

        most = float(np.finfo(np.dtype(str(dtype).lower())).max)
        return -most, most
    return None, None


def _inside(kind: Kind, dtype: Any, bound: Any, *, up: bool, out: bool) -> Any:
    """The first value on the right side of `bound`, which is itself `out` or not."""
    if kind == "int":
        whole = math.ceil(bound) if up else math.floor(bound)
        return whole + (1 if up else -1) if out and whole == bound else whole
    if kind == "float":
        return step(dtype, _held(kind, dtype, bound), up=up) if out else _held(kind, dtype, bound)
    return bound


def step(dtype: Any, value: float, *, up: bool) -> float:
    """The next number that a column of floats of this type can hold."""
    import numpy as np

    narrow: Any = np.dtype(str(dtype).lower()).type
    with np.errstate(over="ignore"):  # beyond the last one is infinity
        return float(np.nextafter(narrow(value), narrow(np.inf if up else -np.inf)))


def _held(kind: Kind, dtype: Any, bound: Any) -> Any:
    """A bound as NumPy compares with it: as a number of the column's own width."""
    import numpy as np

    return float(np.dtype(str(dtype).lower()).type(bound)) if kind == "float" else bound


def _higher(one: Any, other: Any) -> Any:
    return other if one is None or (other is not None and other > one) else one


def _lower(one: Any, other: Any) -> Any:
    return other if one is None or (other is not None and other < one) else one


def _pattern(said: Any) -> str:
    """The pattern as text. Its closing `$` lets no line feed follow: no identifier ends in one."""
    pattern = str(getattr(said, "pattern", said))
    return pattern[:-1] + r"\Z" if pattern.endswith("$") and not pattern.endswith(r"\$") else pattern


def _listed(
    kind: Kind, dtype: Any, limits: Mapping[str, Any], checks: Sequence[Any], rules: Sequence[Rule]
) -> Sequence[Any] | None:
    """All values that there may be, in order; None where nobody can list them."""
    named: list[Any] | None = None
    for check in checks:
        key = {"isin": "allowed_values", "equal_to": "value"}.get(str(check.name))
        if key is not None and check.statistics:
            found = list(check.statistics[key]) if key == "allowed_values" else [check.statistics[key]]
            named = found if named is None else [value for value in named if value in found]
    if named is not None:
        return named
    if kind == "bool":
        return (False, True)
    if hasattr(dtype, "categories"):
        return [] if dtype.categories is None else list(dtype.categories)
    low, high = limits["low"], limits["high"]
    if low is not None and low > high:
        return ()
    # Each is asked of all of them: a check over a column would take seconds.
    few = kind == "int" and high - low < MOST_LISTED and any(rule.own for rule in rules)
    return range(low, high + 1) if few and all(rule.quick for rule in rules) else None


def _choices(
    where: str, listed: Sequence[Any] | None, rules: Sequence[Rule], *, as_float: bool
) -> tuple[Any, ...] | None:
    """Those of the listed values that every rule lets through. Raises: ConfigError if there are none."""
    if listed is None:
        return None
    plain = [value.item() if hasattr(value, "item") else value for value in listed]
    typed = [float(value) for value in plain] if as_float else plain
    found = tuple(value for value in typed if all(rule.holds(value) for rule in rules))
    if not found:
        names = ", ".join(dict.fromkeys(rule.name for rule in rules)) or "its type"
        raise ConfigError(where, f"allows no value at all ({names})", "Mend its checks")
    return found


def _refused(checks: Sequence[Any]) -> tuple[Any, ...]:
    """The values that `ne` and `notin` name."""
    found: list[Any] = []
    for check in checks:
        if check.statistics and str(check.name) == "notin":
            found += check.statistics["forbidden_values"]
        elif check.statistics and str(check.name) == "not_equal_to":
            found.append(check.statistics["value"])
    return tuple(found)


# --- rules ------------------------------------------------------------------------------------------------------------


def _rules(check: Any, kind: Kind, dtype: Any) -> list[Rule]:
    name, s = str(check.name), check.statistics
    if kind == "float" and s:
        s = {key: _held(kind, dtype, bound) if key in _BOUNDS else bound for key, bound in s.items()}
    if name == "in_range" and s and not check.element_wise:
        ends = (
            ("ge" if s["include_min"] else "gt", s["min_value"]),
            ("le" if s["include_max"] else "lt", s["max_value"]),
        )
        return [_built_in(_LONG[end], {_KEY[end]: bound}) for end, bound in ends]
    if name in _BUILT_IN and s and not check.element_wise:
        return [_built_in(name, s)]
    quick = bool(check.element_wise)
    return [
        Rule(
            name=name, broken=f"{name} broken", holds=lambda value: _passes(check, value, dtype), own=True, quick=quick
        )
    ]


def _built_in(name: str, statistics: Mapping[str, Any]) -> Rule:
    broken, holds = _BUILT_IN[name](statistics)
    return Rule(name=name, broken=broken, holds=holds)


_LONG = {"gt": "greater_than", "ge": "greater_than_or_equal_to", "lt": "less_than", "le": "less_than_or_equal_to"}
_BOUNDS = ("min_value", "max_value", "value")
_KEY = {"gt": "min_value", "ge": "min_value", "lt": "max_value", "le": "max_value"}


def _passes(check: Any, value: Any, dtype: Any) -> bool:
    """Whether a check of the project's own lets one value through. One that stumbles over it does not."""
    import numpy as np
    import pandas as pd

    try:
        # The function itself: pandera's public way in wraps the value in a frame, which takes milliseconds.
        asked = value if check.element_wise else pd.Series([value], dtype=dtype)
        return bool(np.all(check._check_fn(asked)))
    except Exception:
        return False


def _whole(check: Any, fields: Mapping[str, Allowed]) -> Rule:
    """A check over the frame, as one over a record."""
    name = str(check.name)
    if check.groupby is not None:
        raise ConfigError(f"The check `{name}`", "asks groups of rows", "A request is one row: leave it to the batch")

    def holds(record: Mapping[str, Any]) -> bool:
        import numpy as np

        try:
            asked = _frame(fields, [record])
            said = asked.apply(check._check_fn, axis=1) if check.element_wise else check._check_fn(asked)
            return bool(np.asarray(said).all())
        except Exception:
            return False

    return Rule(name=name, broken=f"{name} broken", holds=holds, own=True)


def _frame(fields: Mapping[str, Allowed], records: Sequence[Mapping[str, Any]]) -> "pd.DataFrame":
    import pandas as pd

    known = [name for name in fields if any(name in record for record in records)]
    strange = dict.fromkeys(name for record in records for name in record if name not in fields)
    columns = {name: [record.get(name) for record in records] for name in (*known, *strange)}
    return pd.DataFrame({name: _column(fields.get(name), values) for name, values in columns.items()})


def _column(field: Allowed | None, values: list[Any]) -> "pd.Series[Any]":
    import pandas as pd

    if field is not None and all(field.typed(value) for value in values):
        try:
            typed: pd.Series[Any] = pd.Series(values, dtype=field.dtype)
            return typed
        except (TypeError, ValueError, OverflowError):
            pass
    return pd.Series(values, dtype=object)


def _compared(key: str, broken: str, holds: Callable[[Any, Any], Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda s: (broken, lambda value: bool(holds(value, s[key])))


def _str_length(s: Mapping[str, Any]) -> tuple[str, Callable[[Any], bool]]:
    exact = s.get("exact_value")
    least, most = (exact, exact) if exact is not None else (s.get("min_value") or 0, s.get("max_value"))
    return "too short or too long", lambda value: least <= len(value) and (most is None or len(value) <= most)


def _matching(find: str) -> Callable[[Mapping[str, Any]], Any]:
    def build(s: Mapping[str, Any]) -> tuple[str, Callable[[Any], bool]]:
        # pandas asks RE2, for which \d is 0 to 9; Python's own would take the digits of every script.
        matches = getattr(re.compile(_pattern(s["pattern"]), re.ASCII), find)
        return "pattern broken", lambda value: matches(value) is not None

    return build


_BUILT_IN: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "equal_to": _compared("value", "not what it must be", operator.eq),
    "not_equal_to": _compared("value", "what it must not be", operator.ne),
    "greater_than": _compared("min_value", "below the range", operator.gt),
    "greater_than_or_equal_to": _compared("min_value", "below the range", operator.ge),
    "less_than": _compared("max_value", "above the range", operator.lt),
    "less_than_or_equal_to": _compared("max_value", "above the range", operator.le),
    "isin": _compared("allowed_values", "not in isin", lambda value, allowed: value in list(allowed)),
    "notin": _compared("forbidden_values", "in notin", lambda value, forbidden: value not in list(forbidden)),
    "str_matches": _matching("match"),
    "str_contains": _matching("search"),
    "str_startswith": _compared("string", "wrong beginning", str.startswith),
    "str_endswith": _compared("string", "wrong end", str.endswith),
    "str_length": _str_length,
}
