"""Converts a check of a pandera model to a constraint on one value: a function, words for it, and JSON Schema.

Input: a pandera check and the type of its column. Output: a `Constraint`. pandera's built-in checks become plain Python
with the same results as pandas has on a column of that type; a project's own check is called itself. pandera is not
imported: its objects are only read.
"""

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from proveout.schema import coercion
from proveout.schema.spec import Constraint, Kind

LONGEST_TEXT = 1_000  # characters, where no `str_length` says more; a bound for regular expressions and for the log

# PostgreSQL cannot store it in text.
NO_NUL = Constraint(name="text", expected="text without NUL characters", holds=lambda v: "\x00" not in v)

Arguments = Mapping[str, Any]
Make = Callable[[Arguments], Constraint]


def read(check: Any, kind: Kind, dtype: Any) -> Constraint:
    """A pandera check as a constraint on one value.

    Raises: TypeError or ValueError for a check that does not apply to values of this kind.
    """
    make = BUILT_IN.get(str(check.name))
    if check.element_wise or check.groupby is not None or make is None or not check.statistics:
        return _custom(check, dtype)
    if kind == "category" and str(check.name) in _ORDERED:
        return _by_rank(make, check, coercion.name_of(dtype))
    made = make(_arguments(check.statistics, kind, coercion.name_of(dtype)))
    # JSON Schema cannot compare datetimes.
    return replace(made, keywords={}) if kind == "datetime" else made


def longest_text(checks: Sequence[Any]) -> int:
    """How many characters a text of these checks may have: `LONGEST_TEXT`, or more where `str_length` says so."""
    stated = [lengths(check.statistics)[1] for check in checks if check.name == "str_length" and check.statistics]
    return max([LONGEST_TEXT, *(most for most in stated if isinstance(most, int))])


def of_type(kind: Kind, dtype: str, *, longest: int = LONGEST_TEXT) -> tuple[Constraint, ...]:
    """What a column of this type can hold in a request at all.

    Args:
        longest: characters of a text.
    """
    if kind == "str":
        fits = Constraint(
            name="length",
            expected=f"at most {longest} characters",
            holds=lambda v: len(v) <= longest,
            keywords={"maxLength": longest},
        )
        return (fits, NO_NUL)
    if kind == "category":
        listed = coercion.categories_of(dtype)
        expected, keywords = f"one of {', '.join(listed)}", {"enum": list(listed)}
        return (Constraint(name="category", expected=expected, holds=listed.__contains__, keywords=keywords),)
    if kind == "int":
        low, high = coercion.integer_range(dtype)
        return (
            Constraint(
                name="size",
                expected=f"an integer of {coercion.bits_of(dtype)} bits",
                holds=lambda v: low <= v <= high,
                keywords={"minimum": low, "maximum": high},
            ),
        )
    return ()


def pattern_of(said: Any) -> str:
    """The pattern as text, with a closing `$` that does not allow a trailing line feed.

    >>> pattern_of("^[A-Z]{2}$")
    '^[A-Z]{2}\\\\Z'
    """
    pattern = str(getattr(said, "pattern", said))
    return pattern[:-1] + r"\Z" if pattern.endswith("$") and not pattern.endswith(r"\$") else pattern


_ORDERED = {"greater_than", "greater_than_or_equal_to", "less_than", "less_than_or_equal_to", "in_range"}


def _by_rank(make: Make, check: Any, dtype: str) -> Constraint:
    """A comparison of ordered categories."""
    if not dtype.startswith("ordered"):
        raise TypeError("its categories have no order")
    ranks = {text: rank for rank, text in enumerate(coercion.categories_of(dtype))}
    unknown = [bound for key, bound in check.statistics.items() if key in _BOUNDS and bound not in ranks]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is not one of its categories")
    found = {key: ranks[bound] if key in _BOUNDS else bound for key, bound in check.statistics.items()}
    told, made = make(check.statistics), make(found)
    return replace(told, holds=lambda text: text in ranks and made.holds(ranks[text]), keywords={}, arguments={})


# --- arguments --------------------------------------------------------------------------------------------------------

_BOUNDS = ("min_value", "max_value", "value")
_LISTS = ("allowed_values", "forbidden_values")


def _arguments(statistics: Arguments, kind: Kind, dtype: str) -> Arguments:
    """The arguments of a check, with the bounds converted as pandas converts them for a comparison."""
    read = dict(statistics)
    for key, value in statistics.items():
        if key in _BOUNDS and not (kind == "str" and value is None):
            read[key] = _bound(value, kind, dtype)
        elif key in _LISTS:
            read[key] = [_bound(one, kind, dtype) for one in value] if kind == "datetime" else value
            vague = kind == "int" and any(isinstance(one, int) and abs(one) >= coercion.EXACT_INTEGERS for one in value)
            if vague and any(isinstance(one, float) for one in value):
                raise ValueError("compared with a float, pandas changes an integer beyond 2**53")
    return read


def _bound(bound: Any, kind: Kind, dtype: str) -> Any:
    if hasattr(bound, "item") and not hasattr(bound, "isoformat"):
        bound = bound.item()  # a NumPy number
    if kind == "float" and not isinstance(bound, str):
        return coercion.rounded(bound, dtype)  # NumPy converts the number to the column's width
    if kind == "datetime":
        import pandas as pd

        return pd.Timestamp(bound)
    return bound


# --- checks of the project's own --------------------------------------------------------------------------------------


def _custom(check: Any, dtype: Any) -> Constraint:
    words = str(check.error or check.description or f"a value that passes {check.name}").rstrip(".")
    alone = bool(check.element_wise)
    holds = _asked_alone(check._check_fn) if alone else lambda value: passes(check, value, dtype)
    return Constraint(name=str(check.name), expected=words, holds=holds, custom=True, whole_column=not alone)


def _asked_alone(function: Callable[[Any], Any]) -> Callable[[Any], bool]:
    # The function itself, because pandera's public API would wrap the value in a Series.
    def holds(value: Any) -> bool:
        try:
            return bool(function(value))
        except Exception:  # a check that raises on a value has failed
            return False

    return holds


def lets_null_through(check: Any, dtype: Any) -> bool:
    """Whether pandera accepts null in a column with this check."""
    import pandas as pd

    if check.ignore_na:
        return True
    try:
        return bool(check(pd.Series([None], dtype=dtype)).check_passed)
    except Exception:  # whatever a project's own check raises on null
        return False


def passes(check: Any, value: Any, dtype: Any) -> bool:
    """Whether a check passes for a column with only this value. A check that raises fails."""
    import numpy as np
    import pandas as pd

    try:
        column = pd.Series([value], dtype=dtype)
        said = column.map(check._check_fn) if check.element_wise else check._check_fn(column)
        return bool(np.asarray(said).all())
    except Exception:
        return False


# --- checks that pandera brings ---------------------------------------------------------------------------------------


def _compared(name: str, words: str, key: str, compare: Callable[[Any, Any], Any], keyword: str | None = None) -> Make:
    """A check that compares with one number, text or datetime, the argument `key`."""

    def make(arguments: Arguments) -> Constraint:
        bound = arguments[key]
        return Constraint(
            name=name,
            expected=f"{words} {bound}".strip(),
            holds=_comparison(compare, bound),
            arguments=arguments,
            keywords={} if keyword is None else {keyword: bound},
        )

    return make


def _comparison(compare: Callable[[Any, Any], Any], bound: Any) -> Callable[[Any], bool]:
    if is_vague(bound):
        return lambda value: bool(compare(float(value), bound))
    return lambda value: bool(compare(value, bound))


def is_vague(bound: Any) -> bool:
    """Whether an integer is to be compared with the bound as a float, as NumPy does: 2**53 + 1 is not above 2.0**53."""
    return isinstance(bound, float) and abs(bound) >= coercion.EXACT_INTEGERS


def _in_range(arguments: Arguments) -> Constraint:
    low, high = arguments["min_value"], arguments["max_value"]
    at_low, at_high = arguments.get("include_min", True), arguments.get("include_max", True)
    above = _comparison(operator.ge if at_low else operator.gt, low)
    below = _comparison(operator.le if at_high else operator.lt, high)
    words = f"{'at least' if at_low else 'more than'} {low} and {'at most' if at_high else 'less than'} {high}"
    low_word, high_word = "minimum" if at_low else "exclusiveMinimum", "maximum" if at_high else "exclusiveMaximum"
    return Constraint(
        name="in_range",
        expected=words,
        holds=lambda value: above(value) and below(value),
        arguments=arguments,
        keywords={low_word: low, high_word: high},
    )


def lengths(arguments: Arguments) -> tuple[int, int | None]:
    """The shortest and the longest text that `str_length` lets through; None for no longest."""
    exact = arguments.get("exact_value")
    return (exact, exact) if exact is not None else (arguments.get("min_value") or 0, arguments.get("max_value"))


def _str_length(arguments: Arguments) -> Constraint:
    low, longest = lengths(arguments)
    high = math.inf if longest is None else longest
    words = f"exactly {low} characters" if low == high else f"{low} to {high} characters"
    keywords = {"minLength": low} | ({} if longest is None else {"maxLength": longest})
    return Constraint(
        name="str_length",
        expected=words,
        holds=lambda v: low <= len(v) <= high,
        arguments=arguments,
        keywords=keywords,
    )


def _str_matches(arguments: Arguments) -> Constraint:
    told = _told(arguments["pattern"])
    return Constraint(
        name="str_matches",
        expected=f"text like {told}",
        holds=_compiled(arguments["pattern"]).match,
        arguments=arguments,
        keywords={"pattern": told if told.startswith("^") else f"^(?:{told})"},
    )


def _str_contains(arguments: Arguments) -> Constraint:
    told = _told(arguments["pattern"])
    return Constraint(
        name="str_contains",
        expected=f"text with {told}",
        holds=_compiled(arguments["pattern"]).search,
        arguments=arguments,
        keywords={"pattern": told},
    )


def _compiled(pattern: Any) -> re.Pattern[str]:
    return re.compile(pattern_of(pattern), getattr(pattern, "flags", 0))


def _told(pattern: Any) -> str:
    return str(getattr(pattern, "pattern", pattern))


def _isin(arguments: Arguments) -> Constraint:
    allowed = frozenset(map(_plain, arguments["allowed_values"]))
    return Constraint(
        name="isin",
        expected=f"one of {_listed(allowed)}",
        holds=allowed.__contains__,
        arguments=arguments,
        keywords={"enum": sorted(allowed, key=str)},
    )


def _notin(arguments: Arguments) -> Constraint:
    forbidden = frozenset(map(_plain, arguments["forbidden_values"]))
    return Constraint(
        name="notin",
        expected=f"none of {_listed(forbidden)}",
        holds=lambda v: v not in forbidden,
        arguments=arguments,
        keywords={"not": {"enum": sorted(forbidden, key=str)}},
    )


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") and not hasattr(value, "isoformat") else value


def _listed(values: frozenset[Any]) -> str:
    return ", ".join(map(str, sorted(values, key=str)))


BUILT_IN: Mapping[str, Make] = {
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
"""By pandera's name: the rule's name in a problem, and the function that makes its constraint."""
