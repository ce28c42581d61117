"""How far a field goes: the ends of its range, and what its text looks like, of all its checks together.

Comes in: the type of a column and its checks. Goes out: `Limits`. A number is as wide as the column: an end that no
value of this type has is moved inside, to the first that one has.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["int", "float", "str", "bool", "time", "other"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What `Allowed` says under the same names."""

    low: Any
    high: Any
    patterns: tuple[str, ...]
    within: tuple[str, ...]
    begins: str
    ends: str
    shortest: int
    longest: int | None


def kind_of(dtype: str) -> Kind:
    """What a pandas type, written small, is to a request."""
    kinds: dict[str, Kind] = {
        r"u?int\d+": "int", r"float\d+": "float", r"bool(ean)?": "bool", r"str(ing.*)?": "str", r"datetime64.*": "time",
    }  # fmt: skip
    return next((kind for pattern, kind in kinds.items() if re.fullmatch(pattern, dtype)), "other")


def limits(kind: Kind, dtype: Any, checks: Sequence[Any]) -> Limits:
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
            text["patterns"] += (pattern_of(s["pattern"]),)
        elif name == "str_contains":
            text["within"] += (pattern_of(s["pattern"]),)
        elif name == "str_startswith":
            text["begins"] = max(text["begins"], s["string"], key=len)
        elif name == "str_endswith":
            text["ends"] = max(text["ends"], s["string"], key=len)
        elif name == "str_length":
            exact = s.get("exact_value")
            least, most = (exact, exact) if exact is not None else (s.get("min_value") or 0, s.get("max_value"))
            text["shortest"], text["longest"] = max(text["shortest"], least), _lower(text["longest"], most)
    return Limits(low=low, high=high, **text)


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
        return step(dtype, held(kind, dtype, bound), up=up) if out else held(kind, dtype, bound)
    return bound


def step(dtype: Any, value: float, *, up: bool) -> float:
    """The next number that a column of floats of this type can hold."""
    import numpy as np

    narrow: Any = np.dtype(str(dtype).lower()).type
    with np.errstate(over="ignore"):  # beyond the last one is infinity
        return float(np.nextafter(narrow(value), narrow(np.inf if up else -np.inf)))


def held(kind: Kind, dtype: Any, bound: Any) -> Any:
    """A bound as NumPy compares with it: as a number of the column's own width."""
    import numpy as np

    return float(np.dtype(str(dtype).lower()).type(bound)) if kind == "float" else bound


def _higher(one: Any, other: Any) -> Any:
    return other if one is None or (other is not None and other > one) else one


def _lower(one: Any, other: Any) -> Any:
    return other if one is None or (other is not None and other < one) else one


def pattern_of(said: Any) -> str:
    """The pattern as text. Its closing `$` lets no line feed follow: no identifier ends in one."""
    pattern = str(getattr(said, "pattern", said))
    return pattern[:-1] + r"\Z" if pattern.endswith("$") and not pattern.endswith(r"\$") else pattern
