"""Coercion: how a value of another type is stored in a column. The same rule applies to batches and requests.

Input: a pandas type and a value. Output: the value as a column of that type holds it, or None if that would change the
value: 5.7 in a column of integers, "no" in a column of flags. The guard quarantines such a row, and the gateway refuses
such a request. pandas itself would make it 5 and True.

Equal values are converted: 5.0 and 5, 1 and True. In a batch, text equals the number or flag that it spells ("5",
"5.0", "true"), because a CSV file has only text. The gateway does not accept text for a number. A whole number may
become text, but a float may not: 7030.0 would become another code than 7030. A float may be rounded to the precision of
a narrower type, an integer may not.
"""

import datetime
import json
import math
import re
import struct
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import partial
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["int", "float", "str", "bool", "datetime", "category"]
"""What a column holds. JSON has the first four; a datetime is ISO 8601 text there, and a category is its text."""

Convert = Callable[[Any], Any]
"""Converts a value that is not null to an equal one that the column can hold; None if there is none."""

TEXT = "str"
"""The name of the type of text."""

EXACT_INTEGERS = 2**53
"""Beyond it, a float no longer identifies one integer."""

_KINDS: Mapping[str, Kind] = {
    r"u?int\d+": "int",
    r"float\d+": "float",
    r"bool(ean)?": "bool",
    r"str(ing.*)?": "str",
    r"datetime64\[.*\]": "datetime",
    r"(category|ordered)\[.*\]": "category",
}
_FLOATS = {16: ("e", 11), 32: ("f", 24), 64: ("d", 53)}  # `struct` format, and bits of the fraction
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
_LONGEST_NUMBER = 400  # characters; the greatest float has 309 digits
_FLAGS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}([T ].*)?", re.ASCII)
ISO_8601 = f"^{_DAY.pattern}$"
"""The form of a datetime in JSON text, as far as a pattern can describe it."""


# --- values -----------------------------------------------------------------------------------------------------------


def kind_of(dtype: str) -> Kind | None:
    """The kind of a pandas type, given its `name_of`; None for a type that JSON cannot carry.

    >>> kind_of("Int64"), kind_of("datetime64[ns, UTC]"), kind_of("object")
    ('int', 'datetime', None)
    """
    return next((kind for pattern, kind in _KINDS.items() if re.fullmatch(pattern, dtype.lower(), re.DOTALL)), None)


def name_of(dtype: Any) -> str:
    """The name of a pandas type. For a category of texts, the name includes them, so that the type can be rebuilt.

    >>> import pandas as pd
    >>> name_of(pd.CategoricalDtype(["low", "high"])), name_of(pd.CategoricalDtype([1, 2]))
    ('category["low", "high"]', 'category')
    """
    listed = getattr(dtype, "categories", None)
    if listed is None or not len(listed) or not all(isinstance(one, str) for one in listed):
        return TEXT if _is_numpy_text(dtype) else str(dtype)
    return f"{'ordered' if dtype.ordered else 'category'}{json.dumps(list(listed))}"


def name_of_column(values: "pd.Series[Any]") -> str:
    """The `name_of` the type of a column. A column of text is `str`, also before pandas 3, where it has objects.

    >>> import pandas as pd
    >>> name_of_column(pd.Series(["a", None])), name_of_column(pd.Series([1.5]))
    ('str', 'float64')
    """
    import pandas as pd

    objects_hold_text = values.dtype == object and _is_numpy_text(pd.api.types.pandas_dtype(TEXT))
    if objects_hold_text and pd.api.types.infer_dtype(values) in ("string", "empty"):
        return TEXT
    return name_of(values.dtype)


def _is_numpy_text(dtype: Any) -> bool:
    """Whether this is how pandas calls text before its version 3, which has a type of its own: `str`."""
    return getattr(dtype, "kind", None) == "U"


def categories_of(name: str) -> tuple[str, ...]:
    """The texts of a category, given its `name_of`."""
    return tuple(json.loads(name[name.index("[") :]))


def pandas_dtype(name: Any) -> Any:
    """The pandas type for a `name_of`, or for anything that pandas accepts as a type.

    >>> pandas_dtype('ordered["low", "high"]').categories.tolist()
    ['low', 'high']
    """
    import pandas as pd

    if isinstance(name, str) and kind_of(name) == "category":
        return pd.CategoricalDtype(list(categories_of(name)), ordered=name.startswith("ordered"))
    found = pd.api.types.pandas_dtype(name)
    return pd.api.types.pandas_dtype(TEXT) if _is_numpy_text(found) else found


def has_null(dtype: str) -> bool:
    """Whether a column of this type can hold a null. NumPy's integers and flags cannot."""
    return re.fullmatch(r"u?int\d+|bool", dtype) is None


def bits_of(dtype: str) -> int:
    """The width of a type of numbers."""
    return int(re.sub(r"\D", "", dtype))


def integer_range(dtype: str) -> tuple[int, int]:
    """The least and the greatest integer of a type.

    >>> integer_range("int8"), integer_range("UInt8")
    ((-128, 127), (0, 255))
    """
    bits = bits_of(dtype)
    return (0, 2**bits - 1) if dtype.lower().startswith("u") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def exact_integers(dtype: str) -> int:
    """The largest integer up to which this type of float holds every integer exactly.

    >>> exact_integers("float32")
    16777216
    """
    return int(2 ** _FLOATS[bits_of(dtype)][1])


def greatest_float(dtype: str) -> float:
    """The greatest number of a type of floats.

    >>> greatest_float("float16")
    65504.0
    """
    form, fraction = _FLOATS[bits_of(dtype)]
    exponent = {"e": 16, "f": 128, "d": 1024}[form]
    return math.ldexp(2 - 2.0 ** (1 - fraction), exponent - 1)


def rounded(number: float, dtype: str) -> float:
    """The nearest number that this type of float can hold; infinity beyond its greatest.

    >>> rounded(0.1, "float32"), rounded(1e39, "float32")
    (0.10000000149011612, inf)
    """
    form, _ = _FLOATS[bits_of(dtype)]
    exact = float(number)
    try:
        held: float = struct.unpack(form, struct.pack(form, exact))[0]
    except OverflowError:
        return math.copysign(math.inf, exact)
    return held


def is_of_kind(value: Any, kind: Kind | None) -> bool:
    """Whether `value` has the Python type of a column of this kind. False for null.

    For datetimes, categories and unknown kinds, everything but a flag counts.
    """
    if isinstance(value, bool):
        return kind == "bool"
    types: Mapping[Kind | None, Any] = {"int": Integral, "float": Real, "bool": bool, "str": str}
    return isinstance(value, types.get(kind, object))


def plain(held: Any) -> Any:
    """A column's value as JSON writes it: a datetime in ISO 8601."""
    return held.isoformat() if hasattr(held, "isoformat") else held


def converter(dtype: str) -> Convert | None:
    """The function that converts a value for a column of this pandas type; None for a type without plain values.

    >>> converter("int64")(5.0), converter("int64")(5.7), converter("int8")(261), converter("bool")("no")
    (5, None, None, None)
    """
    kind = kind_of(dtype)
    if kind == "int":
        low, high = integer_range(dtype)
        return partial(_integer, low=low, high=high)
    if kind == "float":
        form, fraction = _FLOATS[bits_of(dtype)]
        return partial(_float, form=form, fraction=fraction)
    if kind in ("datetime", "category"):
        return _special(pandas_dtype(dtype))
    return {"bool": _flag, "str": _text}.get(str(kind))


def whole(number: float | Decimal) -> int | None:
    """The number as an integer; None if it is not whole, or too large for a float to identify one integer."""
    most = EXACT_INTEGERS if isinstance(number, float) else 2**64
    if not -most <= number <= most:  # also false for NaN
        return None
    integer = int(number)
    return integer if integer == number else None


def _integer(value: Any, *, low: int, high: int) -> int | None:
    number = _number(value)
    integer = None if number is None else whole(number)
    return integer if integer is not None and low <= integer <= high else None


def _float(value: Any, *, form: str, fraction: int) -> float | None:
    number = _number(value)
    if number is None:
        return None
    try:
        held: float = struct.unpack(form, struct.pack(form, float(number)))[0]
    except OverflowError:
        return None
    if isinstance(number, int):
        return held if held == number else None
    exact = float(number)
    # A Decimal too large for a float becomes infinity.
    if math.isinf(held) and not (isinstance(number, float) and math.isinf(number)):
        return None
    return held if held == exact or abs(held - exact) <= abs(exact) * 2.0**-fraction else None


def _flag(value: Any) -> bool | None:
    if isinstance(value, str):
        return _FLAGS.get(value.strip())
    number = _number(value)
    return bool(number) if number is not None and number in (0, 1) else None


def _text(value: Any) -> str | None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:  # a lone surrogate, which no file or database can store
            return None
        return str(value)
    return str(int(value)) if isinstance(value, Integral) and not isinstance(value, bool) else None


def _number(value: Any) -> int | float | Decimal | None:
    """The number that `value` is or spells; an int if it has no decimal point."""
    if isinstance(value, str):
        if len(value) > _LONGEST_NUMBER or _NUMBER.fullmatch(value) is None:
            return None
        return int(value) if value.strip().lstrip("+-").isdigit() else Decimal(value.strip())
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Decimal):
        return int(value) if value.is_finite() and value.as_tuple().exponent == 0 else value
    return float(value) if isinstance(value, Real) else None


# --- columns ----------------------------------------------------------------------------------------------------------


def has_rule(dtype: Any) -> bool:
    """Whether this module defines the conversion to this pandas type."""
    return dtype is not None and (kind_of(name_of(dtype)) is not None or _special(pandas_dtype(dtype)) is not None)


def column(values: "pd.Series[Any]", dtype: Any, *, strictly: bool = False) -> "tuple[pd.Series[Any], pd.Series[bool]]":
    """`values` converted to `dtype`, and a flag for each value that cannot be converted.

    Args:
        dtype: the pandas type, or its name.
        strictly: a value must have the type's own kind: no text for a number, no number for a flag.
    A flagged value is null in the column, or unchanged if the type has no null.
    """
    import numpy as np
    import pandas as pd

    wanted = pandas_dtype(dtype)
    name = name_of(wanted)
    null = values.isna()
    if values.dtype == wanted:
        return values, null & False
    convert = converter(name) or _special(wanted)
    if convert is None:
        return values, null & False  # a type that holds anything, or that only its own library can convert
    unheld = null & (not has_null(name))
    if not strictly and _plainly_held(values, name):
        return values.astype(wanted), unheld
    kind = kind_of(name)
    made: list[Any] = [None] * len(values)
    bad = unheld.to_numpy(dtype=bool, copy=True)
    missing = null.to_numpy(dtype=bool)
    for place, came in enumerate(values.tolist()):
        if missing[place]:
            continue
        value = came.item() if isinstance(came, np.generic) and came.dtype.kind in "biufU" else came
        held = None if strictly and kind is not None and not is_of_kind(value, kind) else convert(value)
        made[place], bad[place] = held, held is None
    flags = pd.Series(bad, index=values.index)
    whole = has_null(name) or not (bad | missing).any()
    if not whole:
        made = [came if held is None else held for came, held in zip(values.tolist(), made, strict=True)]
    return pd.Series(made, index=values.index, name=values.name, dtype=wanted if whole else object), flags


def _plainly_held(values: "pd.Series[Any]", dtype: str) -> bool:
    """Whether NumPy shows quickly that a numeric column holds all of `values`, which is the usual case."""
    import numpy as np

    kind, came = kind_of(dtype), values.dtype
    if kind not in ("int", "float") or not isinstance(came, np.dtype) or came.kind not in "iuf" or not len(values):
        return False
    numbers = values.to_numpy()
    low, high = (float(end) for end in (numbers.min(), numbers.max()))  # NaN if there is a NaN
    if kind == "int":
        least, most = integer_range(dtype)
        within = max(least, -EXACT_INTEGERS) <= low and high <= min(most, EXACT_INTEGERS)
        return bool(within and (came.kind in "iu" or (numbers == np.trunc(numbers)).all()))
    exact = exact_integers(dtype)
    return bool(came.kind in "iu" and -exact <= low and high <= exact)


def _special(wanted: Any) -> Convert | None:
    """The conversion for datetimes and for categories with listed texts."""
    import pandas as pd

    if isinstance(wanted, pd.DatetimeTZDtype) or wanted.kind == "M":
        return partial(_moment, wanted=wanted)
    if isinstance(wanted, pd.CategoricalDtype) and wanted.categories is not None:
        listed = {value: value for value in wanted.categories}
        return lambda value: listed.get(value) if value.__hash__ is not None else None
    return None


def _moment(value: Any, *, wanted: Any) -> "pd.Timestamp | None":
    """Convert a datetime to the column's time zone; without a zone, it is taken to be in that zone.

    A zone is never dropped. Text must be ISO 8601, because 05/06/2013 is ambiguous; numbers are not accepted.
    """
    import numpy as np
    import pandas as pd

    if not isinstance(value, datetime.date | np.datetime64) and not (isinstance(value, str) and _DAY.fullmatch(value)):
        return None
    zone = getattr(wanted, "tz", None)
    try:
        moment = pd.Timestamp(value)
        if zone is None and moment.tz is not None:
            return None
        if zone is not None:
            moment = moment.tz_localize(zone) if moment.tz is None else moment.tz_convert(zone)
        unit: Any = np.datetime_data(getattr(wanted, "base", wanted))[0]
        return moment.as_unit(unit, round_ok=False)
    except (ValueError, OverflowError):  # no such day, an hour skipped by daylight saving time, a year out of range
        return None


def altered_by(values: "pd.Series[Any]", coerce: "Callable[[pd.Series[Any]], pd.Series[Any]]") -> "pd.Series[bool]":
    """A flag for each of `values` that a foreign function `coerce` raises on or changes to an unequal value.

    For example, a library's own type for decimals or dates. Values that it parses from text cannot be compared and are
    accepted.
    """
    import pandas as pd

    try:
        made = coerce(values)
    except Exception:  # whatever that library raises: find the value that it raises on
        if len(values) == 1:
            return pd.Series(True, index=values.index)
        middle = len(values) // 2
        return pd.concat([altered_by(part, coerce) for part in (values.iloc[:middle], values.iloc[middle:])])
    flags = [not _equal(came, held) for came, held in zip(values.tolist(), made.tolist(), strict=True)]
    return pd.Series(flags, index=values.index, dtype=bool) & ~(values.isna() & made.isna())


def _equal(came: Any, held: Any) -> bool:
    import pandas as pd

    if isinstance(came, str) and not isinstance(held, str) and not pd.isna(held):
        return True
    try:
        if type(held) is datetime.date and isinstance(came, datetime.datetime):  # never equal in Python
            return pd.Timestamp(held) == pd.Timestamp(came)
        return bool(came == held)
    except (TypeError, ValueError):
        return False
