"""What a check asks of one value: a function of it, and words for what is wrong where it says no.

Comes in: a pandera check and the type of its column. Goes out: `Rule`. What pandera brings is asked in plain Python; a
check of the project's own is asked itself, of one value or of a column with one.
"""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from proveout.fuzz.bounds import Kind, held, pattern_of


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One check. `broken` says in words what is wrong with a value that it refuses."""

    name: str
    broken: str
    holds: Callable[[Any], bool]
    own: bool = False  # written by the project: nobody knows what it lets through
    quick: bool = True  # asks one value, not a column of it


def rules(check: Any, kind: Kind, dtype: Any) -> list[Rule]:
    """The check as rules: one for each end of a range, else one."""
    name, s = str(check.name), check.statistics
    if kind == "float" and s:
        s = {key: held(kind, dtype, bound) if key in _BOUNDS else bound for key, bound in s.items()}
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
        Rule(name=name, broken=f"{name} broken", holds=lambda value: passes(check, value, dtype), own=True, quick=quick)
    ]


def _built_in(name: str, statistics: Mapping[str, Any]) -> Rule:
    broken, holds = _BUILT_IN[name](statistics)
    return Rule(name=name, broken=broken, holds=holds)


_LONG = {"gt": "greater_than", "ge": "greater_than_or_equal_to", "lt": "less_than", "le": "less_than_or_equal_to"}
_BOUNDS = ("min_value", "max_value", "value")
_KEY = {"gt": "min_value", "ge": "min_value", "lt": "max_value", "le": "max_value"}


def passes(check: Any, value: Any, dtype: Any) -> bool:
    """Whether a check of the project's own lets one value through. One that stumbles over it does not."""
    import numpy as np
    import pandas as pd

    try:
        # The function itself: pandera's public way in wraps the value in a frame, which takes milliseconds.
        asked = value if check.element_wise else pd.Series([value], dtype=dtype)
        return bool(np.all(check._check_fn(asked)))
    except Exception:
        return False


def _compared(key: str, broken: str, holds: Callable[[Any, Any], Any]) -> Callable[[Mapping[str, Any]], Any]:
    return lambda s: (broken, lambda value: bool(holds(value, s[key])))


def _str_length(s: Mapping[str, Any]) -> tuple[str, Callable[[Any], bool]]:
    exact = s.get("exact_value")
    least, most = (exact, exact) if exact is not None else (s.get("min_value") or 0, s.get("max_value"))
    return "too short or too long", lambda value: least <= len(value) and (most is None or len(value) <= most)


def _matching(find: str) -> Callable[[Mapping[str, Any]], Any]:
    def build(s: Mapping[str, Any]) -> tuple[str, Callable[[Any], bool]]:
        # pandas asks RE2, for which \d is 0 to 9; Python's own would take the digits of every script.
        matches = getattr(re.compile(pattern_of(s["pattern"]), re.ASCII), find)
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
