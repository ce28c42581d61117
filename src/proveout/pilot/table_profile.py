"""What each column of a table holds, and how a new project uses it: as a feature, as event key, or not at all.

Input: the rows and the target. Output: a `Column` each, with what the rows show and what was decided, in words.
Decisions are proposals: the schema shows them in comments, and the user changes them there.
"""

import datetime
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from proveout.data.splits import BATCH, SPLIT
from proveout.evaluation import leakage
from proveout.pilot import written_otherwise
from proveout.pilot.table_target import Target, outcomes

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["whole", "number", "flag", "category", "code", "prose", "moment"]
"""`category`: text with few distinct values. `code`: text with many. `prose`: running text."""
Use = Literal["feature", "event key", "left out", "leak suspect"]

MOST_CATEGORIES = 60  # distinct texts that the schema lists one by one
_FEWEST_OF_A_CATEGORY = 5  # rows per distinct value, on average
_PROSE_WORDS = 4.0  # on average
_ID_NAME = re.compile(r"(^|[_\W])(id|ids|key|uuid|guid|nr|no|number|index|code|ref|reference)$|[a-z]Id$|ID$", re.I)
_ISO_DATE = re.compile(r"^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?$")
_RESERVED = (SPLIT, "explain")  # used in requests or in the notebook's table
_PAIRS_OF_CHANCE = 20.0  # expected equal pairs; the chance to see none is then 2 in 1,000,000,000
_ROWS_FOR_LEAKS = 20_000
_EXACT = 2**53  # beyond it a float no longer says which whole number was meant
_EVENT_KEY = "names the row: used as event key, not as input of the model"
_EVENT_KEY = "names the row: used as event key, not as input of the model"
_EVENT_KEY = "names the row: used as event key, not as input of the model"
_SHOWN = 6
_OF_THE_ROW = "the number of the row, which nobody knows who asks"


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column. Numbers have `low` and `high`; a category has `kinds`, the most frequent first."""

    name: str
    kind: Kind
    use: Use
    seen: str  # what the rows show
    decided: str = ""  # why it is not used as a plain feature
    nulls: int = 0
    low: float | None = None
    high: float | None = None
    kinds: tuple[str, ...] = ()
    longest: int = 0  # text: most characters
    holds: str = ""  # text: a pattern of what each has somewhere; "" for nothing
    zoned: bool = False  # moment: has a time zone
    first: str = ""  # moment: ISO 8601
    last: str = ""
    has_hours: bool = False  # moment: not all at midnight
    limits: tuple[float, float] | None = None  # numbers: what requests may have, where a person said so

    @property
    def nullable(self) -> bool:
        """Whether the column has nulls."""
        return self.nulls > 0

    @property
    def is_asked(self) -> bool:
        """Whether it is a field of a request."""
        return self.use in {"feature", "event key"}


def read(rows: "pd.DataFrame", target: Target, *, apart: Sequence[str] = ()) -> tuple[Column, ...]:
    """Each column but the target, in the order of the table.

    Args:
        rows: raw rows; proveout added their column `batch`.
        apart: columns that say how rows are split. Requests do not have them.
    """
    names = [str(name) for name in rows.columns if name not in (BATCH, target.column)]
    files = [part.index for _, part in rows.groupby(BATCH, sort=False)] if BATCH in rows else [rows.index]
    columns = [_apart(rows[name]) if name in apart else _column(rows[name], files) for name in names]
    suspects = dict(_leak_suspects(rows, target, [one.name for one in columns if one.use == "feature"]))
    return tuple(
        replace(one, use="leak suspect", decided=suspects[one.name]) if one.name in suspects else one for one in columns
    )


# --- one column -------------------------------------------------------------------------------------------------------


def _column(values: "pd.Series[Any]", files: "Sequence[pd.Index[Any]]") -> Column:
    name, known = str(values.name), values.dropna()
    nulls = len(values) - len(known)
    distinct = int(known.astype(str).nunique()) if known.dtype == object else int(known.nunique())
    if known.empty or distinct == 1:
        seen = "null in every row" if known.empty else f"always {known.tolist()[0]!r}{_null_words(nulls, len(values))}"
        return Column(name=name, kind="category", use="left out", seen=seen, decided="has no information", nulls=nulls)
    if known.dtype.kind in "iuf" and not nulls and all(_counts_rows(values[file]) for file in files):
        seen = f"{_plain(float(known.min()))} to {_plain(float(known.max()))}"
        made = Column(name=name, kind="whole", use="left out", seen=seen, decided=_OF_THE_ROW)
    else:
        made = _of_type(values, known, name=name, distinct=distinct)
    if name in _RESERVED and made.is_asked:
        made = replace(
            made, use="left out", decided="proveout uses this name itself: rename the column to have it used"
        )
    return replace(made, seen=made.seen + _null_words(nulls, len(values)), nulls=nulls)


def _apart(values: "pd.Series[Any]") -> Column:
    seen = f"{int(values.nunique()):,} values"
    return Column(
        name=str(values.name), kind="code", use="left out", seen=seen, nulls=int(values.isna().sum()),
        decided="says how rows are split, so requests do not have it",
    )  # fmt: skip


def _counts_rows(numbers: "pd.Series[Any]") -> bool:
    import numpy as np

    steps = np.diff(numbers.to_numpy(dtype=float))
    return len(steps) > 0 and bool((steps == 1).all() or (steps == -1).all())


def _of_type(values: "pd.Series[Any]", known: "pd.Series[Any]", *, name: str, distinct: int) -> Column:
    import pandas as pd

    known = _native(known)
    kind = known.dtype.kind
    if kind == "b" or known.map(lambda value: isinstance(value, bool)).all():
        return Column(name=name, kind="flag", use="feature", seen=f"true in {100 * known.astype(bool).mean():.3g} %")
    if kind == "M":
        return _moment(known, name=name)
    if kind in "iuf":
        return _number(values, known, name=name, distinct=distinct)
    if isinstance(known.dtype, pd.CategoricalDtype) or kind == "O" or pd.api.types.is_string_dtype(known.dtype):
        plain = known.astype(object)
        if plain.map(lambda value: isinstance(value, str)).all():
            return _text(plain, name=name, distinct=distinct)
    return Column(
        name=name, kind="code", use="left out", seen=f"values such as {known.tolist()[0]!r}",
        decided="a request cannot carry this type",
    )  # fmt: skip


def _native(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """Decimals as numbers and dates as moments, which is what the schema makes of them; all else as it is."""
    import pandas as pd

    known = values.dropna()
    if values.dtype != object or known.empty:
        return values
    if known.map(lambda value: isinstance(value, Decimal)).all():
        return values.astype("float64")
    if known.map(lambda value: isinstance(value, datetime.date)).all():
        moments = pd.to_datetime(values, errors="coerce")
        return moments if moments.notna().sum() == len(known) else values
    return values


def _number(values: "pd.Series[Any]", known: "pd.Series[Any]", *, name: str, distinct: int) -> Column:
    import numpy as np

    numbers = known.to_numpy(dtype=float)
    if not np.isfinite(numbers).all():
        seen = f"infinite in {int((~np.isfinite(numbers)).sum()):,} rows"
        return Column(name=name, kind="number", use="left out", seen=seen, decided="JSON has no infinity")
    low, high = float(numbers.min()), float(numbers.max())
    if known.dtype.kind in "iu" and max(abs(low), abs(high)) >= _EXACT:
        return Column(
            name=name, kind="code", use="left out", seen=f"{_plain(low)} to {_plain(high)}",
            decided="whole numbers beyond 2**53, which JSON rounds: they name things, and measure none",
        )  # fmt: skip
    whole = bool((numbers % 1 == 0).all()) and max(abs(low), abs(high)) < _EXACT
    seen = f"{_plain(low)} to {_plain(high)}" + (f", {distinct} whole numbers" if whole and distinct <= 20 else "")
    column = Column(name=name, kind="whole" if whole else "number", use="feature", seen=seen, low=low, high=high)
    unique = whole and distinct == len(values)
    if unique and _ID_NAME.search(name):
        return replace(column, use="event key", decided=_EVENT_KEY)
    # The birthday problem: independent random numbers from this range have so many equal pairs on average if all values
    # are equally likely, and more if not. The chance to see no equal pair is at most exp(-pairs).
    pairs = distinct * (distinct - 1) / 2 / (high - low + 1)
    if unique and pairs > _PAIRS_OF_CHANCE:
        return replace(column, use="left out", decided="it names a row: numbers that measure something would repeat")
    return column


def _moment(known: "pd.Series[Any]", *, name: str) -> Column:
    zoned = getattr(known.dtype, "tz", None) is not None
    plain = known.dt.tz_convert("UTC") if zoned else known
    first, last = plain.min(), plain.max()
    return Column(
        name=name, kind="moment", use="feature", seen=f"{first.date()} to {last.date()}", zoned=zoned,
        first=first.isoformat(), last=last.isoformat(), has_hours=bool((plain != plain.dt.normalize()).any()),
    )  # fmt: skip


def _text(known: "pd.Series[Any]", *, name: str, distinct: int) -> Column:
    import pandas as pd

    if known.map(lambda text: _ISO_DATE.match(text) is not None).all():
        moments = pd.to_datetime(known, format="ISO8601", utc=_is_zoned(known), errors="coerce")
        if moments.notna().all():
            return _moment(moments, name=name)
    lengths = known.map(len)
    words = float(known.head(2_000).map(lambda text: len(text.split())).mean())
    column = Column(name=name, kind="category", use="feature", seen=f"{distinct:,} texts", longest=int(lengths.max()))
    few = distinct <= MOST_CATEGORIES and len(known) >= _FEWEST_OF_A_CATEGORY * distinct and column.longest <= 200
    form = written_otherwise.find(known)
    if form is not None and not (few and form.what == "numbers"):
        return replace(
            column, kind="code", use="left out", seen=f"{form.what} such as {form.example}",
            decided=f"write {form.what} as {form.instead} to have them used",
        )  # fmt: skip
    if few:
        kinds = tuple(map(str, known.value_counts().index))
        shown = ", ".join(kinds[:_SHOWN]) + (", …" if len(kinds) > _SHOWN else "")
        return replace(column, seen=f"{distinct} kinds: {shown}", kinds=kinds)
    if words >= _PROSE_WORDS:
        return replace(
            column, kind="prose", seen=f"{words:.0f} words on average, {column.longest:,} characters at most"
        )
    if distinct == len(known) and _ID_NAME.search(name):
        return replace(column, kind="code", use="event key", decided=_EVENT_KEY)
    decided = "every row has its own value" if distinct == len(known) else "too many distinct values to learn from"
    return replace(column, kind="code", use="left out", seen=f"{distinct:,} kinds", decided=decided)


def _is_zoned(known: "pd.Series[Any]") -> bool:
    return bool(known.str.contains(r"(?:Z|[+-]\d{2}:?\d{2})$", regex=True).all()) and known.map(len).min() > 10


# --- the whole table --------------------------------------------------------------------------------------------------


def _leak_suspects(rows: "pd.DataFrame", target: Target, names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Columns that predict the outcome almost alone, by the gate's bound for leakage, each with its measure."""
    known = rows[rows[target.column].notna()]
    some = known.sample(min(len(known), _ROWS_FOR_LEAKS), random_state=0).reset_index(drop=True)
    if not names:
        return
    *found, _ = leakage.of_columns(
        target.task, {name: _native(some[name]) for name in names}, outcomes(some[target.column], target)
    )
    for one in found:
        if one.breaks and one.slice is not None and one.value is not None:
            measure = one.name.partition(" of ")[0].partition(" by ")[0]
            yield one.slice, f"it predicts {target.column} by itself: {measure} {one.value:.3f}"


def _null_words(nulls: int, rows: int) -> str:
    return f"; null in {100 * nulls / rows:.2g} %" if nulls else ""


def _plain(number: float) -> str:
    return f"{int(number)}" if number.is_integer() and abs(number) < 1e15 else f"{number:.6g}"


# --- proposals --------------------------------------------------------------------------------------------------------


def bounds(column: Column) -> tuple[float, float]:
    """The range of values that requests may have: the range seen, widened by half to each side and rounded outwards.

    A range without negative values stays without them, and one without positive values too.

    >>> bounds(Column(name="age", kind="whole", use="feature", seen="", low=18, high=77))
    (0.0, 110.0)
    >>> bounds(Column(name="share", kind="number", use="feature", seen="", low=0.02, high=0.97))
    (0.0, 1.0)
    """
    if column.limits is not None:
        return column.limits
    assert column.low is not None and column.high is not None
    low, high = column.low, column.high
    if column.kind == "whole" and low >= 0 and high <= 1:
        return 0.0, 1.0
    if column.kind == "number" and low >= 0 and 0.5 < high <= 1:
        return 0.0, 1.0
    room = (high - low) / 2
    least, most = low - room, high + room
    if low >= 0 and least < low:
        least = max(least, 0.0) if least > high / 10 else 0.0
    if high <= 0:
        most = min(most, 0.0)
    return _rounded(least, up=False), _rounded(most, up=True)


def longest_text(column: Column) -> int:
    """How many characters a request may have in a column of text: twice as many as were seen."""
    return 2 * column.longest


def _rounded(number: float, *, up: bool) -> float:
    """Rounded to two digits: `up`, or else down."""
    if number == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(number))) - 1)
    rounded = (math.ceil if up else math.floor)(number / unit) * unit
    return float(f"{rounded:.12g}")
