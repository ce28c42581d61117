"""Checks untrusted values: shares, numbers and classes.

Input: any object. Output: a plain Python value, or None if it is not of that form. Uses no library, because the gateway
calls this for every answer.
"""

import math
from numbers import Integral, Real

from proveout.records.values import TargetValue


def share(value: object) -> float | None:
    """`value` if it is a number from 0 to 1, else None.

    >>> share(0.25), share(1), share(1.5), share(float("nan")), share(True), share("0.5")
    (0.25, 1.0, None, None, None, None)
    """
    found = number(value)
    return found if found is not None and 0 <= found <= 1 else None


def number(value: object) -> float | None:
    """`value` if it is a finite number, else None; also None for true and false.

    >>> number(3), number(float("inf")), number(True)
    (3.0, None, None)
    """
    if type(value) is float:  # the usual case; checking for Real takes longer
        return value if math.isfinite(value) else None
    if isinstance(value, bool) or not isinstance(value, Real):  # numpy's floats are Real, its bool is not
        return None
    try:
        found = float(value)
    except OverflowError:  # such as an integer of 400 digits
        return None
    return found if math.isfinite(found) else None


def truth(value: object) -> bool | None:
    """`value` if it is true or false, of Python or NumPy, else None; also None for 1 and 0."""
    if isinstance(value, bool):
        return value
    # NumPy 1 calls it `bool_`.
    return bool(value) if type(value).__name__ in {"bool", "bool_"} and type(value).__module__ == "numpy" else None


def class_of(value: object) -> TargetValue | None:
    """`value` as a class: a text, a whole number, true or false; else None. 3.0 becomes 3.

    >>> class_of("red"), class_of(3.0), class_of(True), class_of(2.5), class_of(None)
    ('red', 3, True, None, None)
    """
    if isinstance(value, str):
        return str(value)
    if (said := truth(value)) is not None:
        return said
    if isinstance(value, Integral):
        return int(value)
    found = number(value)
    return int(found) if found is not None and found.is_integer() else None


def class_text(value: TargetValue) -> str:
    """A class as the key of a JSON object.

    >>> class_text("red"), class_text(3), class_text(True)
    ('red', '3', 'true')
    """
    return str(value).lower() if isinstance(value, bool) else str(value)
