"""One column of a `Block`: a NumPy array that behaves like a pandas Series, or raises.

The operations here give the same results as in pandas, for numbers, booleans and text. Everything else raises
`NotDirect`, and so does a value for which the result would differ. Unknown numbers are NaN, unknown texts are None.
"""

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proveout.errors import ProveoutError

_INTEGERS = "iu"
NUMBERS = "biuf"
TEXT = "O"
_BITWISE = (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert, np.left_shift, np.right_shift)
_DIVIDED_DOWN = (np.floor_divide, np.remainder)
_SAME = (np.equal, np.not_equal)
NULL_TEXT: float | None = math.nan if int(version("pandas").partition(".")[0]) >= 3 else None
"""Null in a table's column of text that came from JSON or from a Parquet file: NaN, and None before pandas 3."""
_SCALARS: tuple[type, ...] = (int, float, bool)

Values = NDArray[Any]


class NotDirect(ProveoutError):
    """Only pandas supports the operation `asked`."""

    def __init__(self, asked: str) -> None:
        super().__init__(asked)
        self.asked = asked

    def __str__(self) -> str:
        return f"{self.asked} needs pandas"


Operator = Callable[["Column", Any], "Column"]


def _operators(ufunc: np.ufunc, apply: Callable[[Any, Any], Any] | None = None) -> tuple[Operator, Operator]:
    """The methods for `column + other` and `other + column`, as `ufunc`, or as `apply`, its operator."""

    def left(column: "Column", other: Any) -> "Column":
        return column._computed(ufunc, (column, other), apply or ufunc)

    def right(column: "Column", other: Any) -> "Column":
        return column._computed(ufunc, (other, column), apply or ufunc)

    return left, right


class Column:
    """An immutable column with arithmetic, comparison, NumPy's element-wise functions, and the methods below.

    It does not define `+=`: Python turns `a += 1` into `a = a + 1`, so the column from which `a` came does not change.
    """

    __slots__ = ("_values",)
    __hash__ = None  # type: ignore[assignment]  # `==` compares rows, as in pandas

    def __init__(self, values: Values) -> None:
        self._values = values

    __add__, __radd__ = _operators(np.add)
    __sub__, __rsub__ = _operators(np.subtract)
    __mul__, __rmul__ = _operators(np.multiply)
    __truediv__, __rtruediv__ = _operators(np.true_divide)
    __floordiv__, __rfloordiv__ = _operators(np.floor_divide)
    __mod__, __rmod__ = _operators(np.remainder)
    # NumPy 1 squares by `**` otherwise than by `power`, in the last bit.
    __pow__, __rpow__ = _operators(np.power, operator.pow)
    __and__, __rand__ = _operators(np.bitwise_and)
    __or__, __ror__ = _operators(np.bitwise_or)
    __xor__, __rxor__ = _operators(np.bitwise_xor)
    __lt__, __le__ = _operators(np.less)[0], _operators(np.less_equal)[0]
    __gt__, __ge__ = _operators(np.greater)[0], _operators(np.greater_equal)[0]
    __eq__ = _operators(np.equal)[0]  # type: ignore[assignment]  # rows, not a bool
    __ne__ = _operators(np.not_equal)[0]  # type: ignore[assignment]

    def __neg__(self) -> "Column":
        return self._computed(np.negative, (self,))

    def __invert__(self) -> "Column":
        return self._computed(np.invert, (self,))

    def __abs__(self) -> "Column":
        return self.abs()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **options: Any) -> "Column":
        if method != "__call__" or options or ufunc.nout != 1:
            raise NotDirect(f"numpy.{ufunc.__name__} with {method if method != '__call__' else 'options'}")
        return self._computed(ufunc, inputs)

    def _computed(self, ufunc: np.ufunc, inputs: tuple[Any, ...], apply: Callable[..., Any] | None = None) -> "Column":
        values = []
        for value in inputs:
            if type(value) is Column:
                if value._values.dtype.kind == TEXT:
                    return self._compared_as_text(ufunc, inputs)
                values.append(value._values)
            else:
                values.append(self._operand(value))
        if ufunc in _DIVIDED_DOWN and not (values[1] if type(values[1]) in _SCALARS else np.all(values[1])):
            raise NotDirect(f"numpy.{ufunc.__name__} by zero")  # infinite in pandas, 0 for integers in NumPy
        if ufunc in _BITWISE and len({"b" if _kind(value) == "b" else "i" for value in values}) > 1:
            raise NotDirect(f"numpy.{ufunc.__name__} of flags and numbers")
        return self._made((apply or ufunc)(*values))

    def _compared_as_text(self, ufunc: np.ufunc, inputs: tuple[Any, ...]) -> "Column":
        texts = [value for value in inputs if isinstance(value, str)]
        if ufunc not in _SAME or len(texts) != 1:
            raise NotDirect(f"numpy.{ufunc.__name__} of text")
        return self._made(np.asarray(ufunc(self._values, texts[0]), dtype=bool))

    def _operand(self, value: Any) -> Any:
        if type(value) in _SCALARS:
            return value
        if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in NUMBERS and value.ndim <= 1:
            return value
        raise NotDirect(f"arithmetic with a {type(value).__name__}")

    def _made(self, values: Values) -> "Column":
        if values.shape != self._values.shape:
            raise NotDirect(f"a result of shape {values.shape} for {len(self)} rows")
        return Column(values)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Values:
        if self.is_text:
            raise NotDirect("text as a NumPy array")
        return self._values.astype(dtype or self._values.dtype)  # a copy: writing to it changes nothing here

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        values = self._values.tolist()
        return iter([NULL_TEXT if value is None else value for value in values] if self.is_text else values)

    def __bool__(self) -> bool:
        raise NotDirect("`if` of a whole column")

    def __contains__(self, value: object) -> bool:
        raise NotDirect("`in` of a column")

    def __getitem__(self, key: object) -> Any:
        raise NotDirect("picking rows of a column")

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)  # how NumPy and others ask what this is
        raise NotDirect(f"Series.{name}")

    @property
    def is_text(self) -> bool:
        return self._values.dtype.kind == TEXT

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.is_text:
            raise NotDirect("the dtype of text")
        return self._values.dtype

    @property
    def values(self) -> Values:
        return self.__array__()

    def to_numpy(self) -> Values:
        """The values, a copy."""
        return self.__array__()

    def copy(self) -> "Column":
        """The column itself, because it is immutable."""
        return self

    def isna(self) -> "Column":
        """Where the value is unknown."""
        if self.is_text:
            return Column(np.array([_unknown(value) for value in self._values.tolist()], dtype=bool))
        return Column(np.isnan(self._values) if self._values.dtype.kind == "f" else np.zeros(len(self), dtype=bool))

    def notna(self) -> "Column":
        """Where the value is known."""
        return Column(~self.isna()._values)

    isnull, notnull = isna, notna

    def fillna(self, value: Any) -> "Column":
        """The column with `value` in place of unknown values."""
        fits = isinstance(value, str) if self.is_text else isinstance(value, int | float | np.number)
        if not fits or isinstance(value, bool):
            raise NotDirect(f"Series.fillna with a {type(value).__name__}")
        if self._values.dtype.kind not in "fO":
            return self  # this type has no unknown values
        filled = self._values.copy()
        filled[self.isna()._values] = value
        return Column(filled)

    def isin(self, values: Any) -> "Column":
        """Where the value is one of `values`."""
        among = list(values)
        right = str if self.is_text else int | float | np.number
        if not all(isinstance(value, right) and not _unknown(value) for value in among):
            raise NotDirect("Series.isin with values of another kind")
        if self.is_text:
            known = frozenset(among)
            return Column(np.array([value in known for value in self._values.tolist()], dtype=bool))
        return Column(np.isin(self._values, among))

    def map(self, table: Any) -> "Column":
        """Look each value up in `table`, a plain dict; unknown if it is not there."""
        if type(table) is not dict:
            raise NotDirect("Series.map with a function")
        right = str if self.is_text else int | float
        if not all(isinstance(key, right) and not isinstance(key, bool) and not _unknown(key) for key in table):
            raise NotDirect("Series.map from values of another kind")
        kinds = {type(value) for value in table.values()}
        if not kinds or not (kinds <= {int, float} or kinds == {str}):
            raise NotDirect("Series.map to values of several kinds")
        found = [table.get(value) for value in self._values.tolist()]
        if kinds == {str}:
            return Column(text(found))
        if kinds == {int} and None not in found:
            return Column(np.array(found, dtype=np.int64))
        return Column(np.array([math.nan if value is None else value for value in found], dtype=np.float64))

    def astype(self, dtype: Any) -> "Column":
        """The column as numbers or booleans of another type."""
        if self.is_text or not isinstance(dtype, str | type | np.dtype) or dtype in ("str", "string", str, object):
            raise NotDirect(f"Series.astype({dtype!r})")
        try:
            wanted = np.dtype(dtype)
        except TypeError as error:
            raise NotDirect(f"Series.astype({dtype!r})") from error
        if wanted.kind not in NUMBERS:
            raise NotDirect(f"Series.astype({dtype!r})")
        if wanted.kind in _INTEGERS and self._values.dtype.kind == "f" and not np.all(np.isfinite(self._values)):
            raise NotDirect("Series.astype of NaN to an integer")
        return Column(self._values.astype(wanted))

    def where(self, condition: Any, other: Any = math.nan) -> "Column":
        """The value where `condition` holds, else `other`."""
        return self._chosen(_flags(condition, len(self)), other)

    def mask(self, condition: Any, other: Any = math.nan) -> "Column":
        """`other` where `condition` holds, else the value."""
        return self._chosen(~_flags(condition, len(self)), other)

    def _chosen(self, keep: Values, other: Any) -> "Column":
        # pandas changes the type only if a value requires it, so the result for a single row could differ.
        if self._values.dtype.kind not in "fi" or isinstance(other, bool):
            raise NotDirect("Series.where of text or flags")
        value = self._operand(other)
        made = np.where(keep, self._values, value)
        if made.dtype != self._values.dtype:
            raise NotDirect("Series.where with values of another kind")
        return self._made(made)

    def abs(self) -> "Column":
        """The absolute values."""
        return self._made(np.abs(self._number()))

    def clip(self, lower: Any = None, upper: Any = None, *, out: None = None) -> "Column":
        """The values limited to `lower` and `upper`; NaN stays NaN."""
        made = self._number()
        for bound, ufunc in ((lower, np.maximum), (upper, np.minimum)):
            if bound is not None:
                if not isinstance(bound, int | float) or _unknown(bound):
                    raise NotDirect(f"Series.clip by a {type(bound).__name__}")
                made = ufunc(made, bound)
        if made.dtype != self._values.dtype:
            raise NotDirect("Series.clip by values of another kind")
        return self._made(made)

    def round(self, decimals: int = 0) -> "Column":
        """The values rounded to `decimals` places."""
        return self._made(np.round(self._number(), decimals))

    def between(self, left: Any, right: Any) -> "Column":
        """Where left <= value <= right."""
        made: Column = (self >= left) & (self <= right)
        return made

    def _number(self) -> Values:
        if self._values.dtype.kind not in "iuf":
            raise NotDirect("arithmetic with text or flags")
        return self._values


def _unknown(value: Any) -> bool:
    return value is None or value != value  # noqa: PLR0124  # only NaN is not equal to itself


def _kind(value: Any) -> str:
    return "b" if isinstance(value, bool) else np.asarray(value).dtype.kind


def _flags(condition: Any, rows: int) -> Values:
    values = condition._values if isinstance(condition, Column) else condition
    if not isinstance(values, np.ndarray) or values.dtype.kind != "b" or values.shape != (rows,):
        raise NotDirect("Series.where with a condition that is not one flag per row")
    return values


def text(values: Sequence[Any]) -> Values:
    """Texts and None as an array of objects."""
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made
