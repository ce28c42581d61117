"""Tables of every kind that notebooks hold: how many rows they have, which rows are equal, which raw row is which.

Input: frames, series, arrays, sparse matrices, lists, bunches of scikit-learn. Output: counts, booleans, frames.
"""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
import pandas as pd
from numpy.typing import NDArray

FEWEST_ROWS = 20  # fewer are somebody's example, not data
_RELATIVE, _ABSOLUTE = 1e-9, 1e-12


def rows_of(value: Any) -> int | None:
    """The number of rows of something like a table, or None. A pandas Index is no row data."""
    if isinstance(value, pd.DataFrame | pd.Series):
        return len(value)
    if isinstance(value, np.ndarray):
        return int(value.shape[0]) if value.ndim else None
    if type(value) in (list, tuple):
        return len(value)
    return _rows_of_wrapper(value)


def _rows_of_wrapper(value: Any) -> int | None:
    kind, module = type(value).__name__, type(value).__module__
    if module.startswith("scipy.sparse") and hasattr(value, "shape"):
        return int(value.shape[0])
    if kind == "Dataset" and module.startswith("lightgbm"):
        return rows_of(value.data)
    if kind == "DMatrix":
        return int(value.num_row())
    if kind in ("DataFrameGroupBy", "SeriesGroupBy", "_LocIndexer", "_iLocIndexer"):
        return len(value.obj)
    if kind in ("StringMethods", "CategoricalAccessor", "DatetimeProperties"):
        return len(getattr(value, "_parent", getattr(value, "_orig", ())))
    return None


def kept(value: Any) -> Any:
    """A deep copy of what was learned, or None where it is nothing that can be copied.

    A copy of a drawing would be the figure that the notebook's next line draws into.
    """
    if _is_drawing(value):
        return None
    try:
        return copy.deepcopy(value)
    except Exception:  # somebody's class may raise anything
        return None


def _is_drawing(value: Any, depth: int = 3) -> bool:
    if type(value).__module__.startswith(("matplotlib", "mpl_toolkits", "plotly", "seaborn.axisgrid")):
        return True
    if isinstance(value, np.ndarray | pd.Series) and value.dtype == object:
        parts = list(np.asarray(value).flat[:1])
    elif type(value) in (list, tuple, dict):
        parts = list(value.values() if isinstance(value, dict) else value)[:FEWEST_ROWS]
    else:
        return False
    return depth > 0 and any(_is_drawing(part, depth - 1) for part in parts)


def flat(table: Any) -> NDArray[Any]:
    """The values of a table, shape (rows, columns)."""
    if type(table).__name__ == "DMatrix":
        table = table.get_data()
    if hasattr(table, "toarray"):
        table = table.toarray()
    values = np.asarray(table)
    if not values.ndim:
        return values.reshape(1, 1)
    return values.reshape(len(values), int(np.prod(values.shape[1:])))


def equal_rows(one: Any, other: Any) -> NDArray[np.bool_]:
    """For each row, whether two tables agree in all columns: numbers to a billionth, NaN equal to NaN.

    Of another shape, no row is equal.
    """
    first, second = flat(one), flat(other)
    if first.shape != second.shape:
        return np.zeros(max(len(first), len(second), 1), dtype=bool)
    try:
        close = np.isclose(first.astype(float), second.astype(float), rtol=_RELATIVE, atol=_ABSOLUTE, equal_nan=True)
        found: NDArray[np.bool_] = close.all(axis=1)
        return found
    except (ValueError, TypeError):
        return np.array(
            [list(map(str, x)) == list(map(str, y)) for x, y in zip(first, second, strict=True)], dtype=bool
        )


def places_by_content(made: Any, wanted: Any) -> list[int | None]:
    """For each wanted row a row of `made` with the same values, each used once; None where there is none."""
    where: dict[Any, list[int]] = {}
    for place, mark in enumerate(_marks(flat(made))):
        where.setdefault(mark, []).append(place)
    return [where[mark].pop() if where.get(mark) else None for mark in _marks(flat(wanted))]


def _marks(values: NDArray[Any]) -> list[Any]:
    """For each row what equal rows have in common: of numbers their bytes, so that NaN is equal to NaN."""
    try:
        rounded = np.ascontiguousarray(np.round(values.astype(float), 9) + 0.0)  # -0.0 becomes 0.0
        return [row.tobytes() for row in rounded]
    except (ValueError, TypeError):
        return [tuple(map(str, row)) for row in values]


def target_column(raw: pd.DataFrame, truth: Any, rows: Sequence[int]) -> str | None:
    """The raw column that holds the true values of `rows`, or that determines them; None if no column does.

    A column equal to the truth, or one to one with it, comes first. Then one that determines it (`num > 0`), has its
    order (the logarithm of a price), or whose ranges it names (`price > price.median()`).
    """
    size = rows_of(truth)
    if size is None or size != len(rows) or np.size(truth) != len(rows) or max(rows, default=0) >= len(raw):
        return None
    wanted = pd.Series(np.asarray(truth).ravel())
    found: dict[str, str] = {}  # the first column of each kind
    nearly: tuple[float, str | None] = (_MOST, None)  # not all: rows that look alike were told apart by nothing
    for column in raw.columns:
        name, values = str(column), raw[column].iloc[list(rows)].reset_index(drop=True)
        equal = equal_rows(values, wanted)
        share = float(equal.mean())
        if share == 1:
            return name
        if share > nearly[0] and wanted.nunique() > FEWEST_ROWS:
            nearly = (share, name)
        if wanted.nunique() < 2:
            continue  # one value for all rows: any column would determine it
        pairs = pd.DataFrame({"value": values.astype(str), "truth": wanted.astype(str)}).drop_duplicates()
        if pairs.value.is_unique and pairs.truth.is_unique and len(pairs) < max(len(wanted) / 2, 3):
            found.setdefault("one to one", name)
        elif (pairs.value.is_unique and len(pairs) < max(len(wanted) / 4, 3)) or _same_order(values, wanted):
            found.setdefault("determines", name)
        elif share > _MOST and _in_each_class(equal, wanted):
            found.setdefault("nearly", name)
        elif _in_ranges(values, wanted):
            found.setdefault("ranges", name)
    ranked = [found.get("one to one"), nearly[1], *map(found.get, ("determines", "nearly", "ranges"))]
    return next((name for name in ranked if name is not None), None)


def _in_each_class(equal: NDArray[np.bool_], wanted: "pd.Series[Any]") -> bool:
    """Whether most rows of each class agree: all zeros agree with nearly all rows of a rare event, too."""
    return bool(pd.Series(equal).groupby(wanted.to_numpy()).mean().min() > _MOST)


_MOST = 0.8
_MOST_RANGES = 10


def _in_ranges(values: "pd.Series[Any]", wanted: "pd.Series[Any]") -> bool:
    """Whether each class has a range of the numbers for itself."""
    if values.dtype.kind not in "fiu" or values.nunique() < 2 * FEWEST_ROWS or not 1 < wanted.nunique() <= _MOST_RANGES:
        return False
    ends = values.groupby(wanted.astype(str).to_numpy()).agg(["min", "max"]).sort_values("min")
    return bool((ends["max"].to_numpy()[:-1] < ends["min"].to_numpy()[1:]).all())


def _same_order(values: "pd.Series[Any]", wanted: "pd.Series[Any]") -> bool:
    if values.dtype.kind not in "fiu" or wanted.dtype.kind not in "fiu" or wanted.nunique() <= FEWEST_ROWS:
        return False
    if abs(float(values.corr(wanted.astype(float), method="spearman"))) > 0.9999:  # ties apart, one order
        return True
    ordered = wanted[np.lexsort((wanted, values))]  # of equal values the truth is one, where it is rounded
    one_each = bool(wanted.groupby(values.to_numpy()).nunique().max() <= 1)
    return one_each and bool(ordered.is_monotonic_increasing or ordered.is_monotonic_decreasing)


# --- what a source gave, as a table of raw rows, and back ---------------------------------------------------------


def is_bunch(value: Any) -> bool:
    """Whether it is what `sklearn.datasets` hands out."""
    return isinstance(value, Mapping) and hasattr(value, "keys") and "data" in value


def as_frame(source: Any) -> pd.DataFrame:
    """The raw rows of what a source gave, the target among the columns where the source has one.

    An index with a name is a column of the file, and one of the rows.
    """
    if isinstance(source, pd.DataFrame):
        return source.reset_index(drop=not index_of(source))
    if isinstance(source, pd.Series):
        return source.reset_index(drop=True).to_frame()
    if is_bunch(source):
        return _frame_of_bunch(source)
    if isinstance(source, tuple):
        first = source[0].reset_index(drop=True) if _is_named(source[0]) else pd.DataFrame(flat(source[0]))
        if not _is_named(source[0]):
            first.columns = [f"x{place}" for place in range(first.shape[1])]
        second = source[1] if len(source) > 1 else None
        return first if second is None else first.assign(target=np.asarray(second))
    values = np.asarray(source)
    return pd.DataFrame(values.reshape(len(values), -1))


def _is_named(table: Any) -> TypeGuard[pd.DataFrame]:
    """Whether it is a table whose columns can stand beside one that is called "target"."""
    return isinstance(table, pd.DataFrame) and table.columns.is_unique and "target" not in table.columns


def _frame_of_bunch(source: Mapping[str, Any]) -> pd.DataFrame:
    data = source["data"]
    if isinstance(data, pd.DataFrame):
        frame = data.reset_index(drop=True).copy()
    elif np.ndim(data) == 1:
        frame = pd.DataFrame({"text": list(data)})
    else:
        frame = pd.DataFrame(np.asarray(data).reshape(len(data), -1))
        names = list(source.get("feature_names", ()))
        if len(names) == frame.shape[1]:
            frame.columns = names
    return frame.assign(target=np.asarray(source["target"]))


def index_of(source: Any) -> list[Any]:
    """The columns of a file that became the index of the rows: `index_col="Id"`."""
    names = list(source.index.names) if isinstance(source, pd.DataFrame) else []
    return names if names and None not in names and not set(names) & set(source.columns) else []


def from_frame(frame: pd.DataFrame, source: Any) -> Any:
    """Rows of a frame in the form that `source` had."""
    if isinstance(source, pd.DataFrame):
        return frame.set_index(index) if (index := index_of(source)) else frame.copy()
    if isinstance(source, pd.Series):
        return frame.iloc[:, 0].copy()
    if is_bunch(source):
        return _bunch_of_frame(frame, source)
    if isinstance(source, tuple):
        labelled = "target" in frame
        rest = frame.drop(columns="target") if labelled else frame
        first = (
            rest if isinstance(source[0], pd.DataFrame) else rest.to_numpy().reshape(len(frame), *_shape(source[0])[1:])
        )
        return (first, frame["target"].to_numpy(), *source[2:]) if labelled else (first,)
    return frame.to_numpy().reshape(len(frame), *np.shape(source)[1:])


def _shape(table: Any) -> tuple[int, ...]:
    shape: tuple[int, ...] = table.shape if hasattr(table, "toarray") else np.shape(table)
    return shape


def _bunch_of_frame(frame: pd.DataFrame, source: Any) -> Any:
    made = type(source)(**{name: source[name] for name in source})
    rest = frame.drop(columns="target")
    if list(rest) == ["text"]:
        made["data"] = list(rest["text"])
    else:
        made["data"] = rest.copy() if isinstance(source["data"], pd.DataFrame) else rest.to_numpy()
    series = isinstance(source["target"], pd.Series)
    made["target"] = frame["target"].copy() if series else frame["target"].to_numpy()
    if source.get("frame") is not None:
        made["frame"] = frame.set_axis(source["frame"].columns, axis=1)
    if "images" in made:
        made["images"] = made["data"].reshape(len(frame), *np.shape(source["images"])[1:])
    return made


def emptied(source: Any) -> Any:
    """The form of a source with one row of it."""
    if is_bunch(source):
        rows = ("data", "target", "images", "frame")
        return type(source)(
            **{name: value[:1] if name in rows and value is not None else value for name, value in source.items()}
        )
    if not isinstance(source, tuple):
        return source[:1]
    return tuple(part[:1] if isinstance(part, pd.DataFrame) else np.asarray(part)[:1] for part in source)


def some_rows(table: Any, positions: Sequence[int]) -> Any:
    """Rows of a table, a matrix or a list, in its own form."""
    places = list(positions)
    if hasattr(table, "iloc"):
        return table.iloc[places]
    if hasattr(table, "tocsr"):
        return table.tocsr()[places]
    return [table[place] for place in places] if type(table) in (list, tuple) else table[places]


# --- raw rows as a request has them, and a model's inputs as a table ----------------------------------------------


def with_text_names(raw: pd.DataFrame) -> pd.DataFrame:
    """The same rows with the names of columns as text: a request and a Parquet file have no others."""
    return raw.set_axis([str(column) for column in raw.columns], axis=1)


def completed(rows: pd.DataFrame, example: pd.DataFrame, index: Sequence[Any] = ()) -> pd.DataFrame:
    """Rows with all raw columns and their dtypes, from rows with some of them.

    A column that is not there has the value in `example`, shape (1, columns): the model does not depend on it.
    """
    given, made = dict(rows.items()), dict[Any, Any]()
    for column, wanted in zip(example.columns, example.dtypes, strict=True):
        values = given.get(str(column))
        if values is not None:
            made[column] = _as_type(values, wanted)
        elif column in index and wanted.kind in "iu":
            # Labels that are the same join each row with all others: `merge(..., left_index=True, right_index=True)`.
            made[column] = np.arange(len(rows), dtype=wanted)
        else:
            made[column] = example[column].array.take(np.zeros(len(rows), np.intp))
    # Arrays, not columns with labels: those would be aligned with each other, for each request.
    table = pd.DataFrame(made, index=pd.RangeIndex(len(rows)))
    table.columns = example.columns
    return table


def _as_type(values: "pd.Series[Any]", wanted: Any) -> Any:
    # Two categories of the same texts are equal in any order, and their codes are not.
    if values.dtype == wanted and not isinstance(wanted, pd.CategoricalDtype):
        return values.array
    try:
        return values.astype(wanted).array
    except (ValueError, TypeError):  # a hole where there was none: what it means is up to the statements
        return values.array


def as_table(inputs: Any, index: "pd.Index[Any]") -> pd.DataFrame:
    """A model's inputs as a table with text as names of its columns."""
    if isinstance(inputs, pd.DataFrame):
        return with_text_names(inputs).set_axis(index)
    if isinstance(inputs, pd.Series) or type(inputs) in (list, tuple) or np.ndim(inputs) == 1:
        name = str(getattr(inputs, "name", None) or ("text" if isinstance(next(iter(inputs), ""), str) else "answer"))
        return pd.DataFrame({name: list(inputs)}, index=index)
    values = flat(inputs)
    return pd.DataFrame(values, columns=[f"x{place}" for place in range(values.shape[1])], index=index).infer_objects()
