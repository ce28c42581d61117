"""Profiles: a summary of a batch in a few kilobytes. Only importer of whylogs.

Input: a DataFrame. Output: a whylogs profile as bytes, stored with the batch, and its numbers as records. whylogs 1.6.4
is the last release: it uses a name that numpy 2 removed, sends telemetry at import unless a variable is set before, and
imports scikit-learn for experiments of its own, which takes longer than all else. `_whylogs` handles the three.
"""

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from proveout.records.snapshot import ColumnSketch, ColumnStats

if TYPE_CHECKING:
    import pandas as pd


def _whylogs() -> Any:
    # Any value disables telemetry, but only before the first import.
    os.environ["WHYLOGS_NO_ANALYTICS"] = "True"
    import numpy as np

    if not hasattr(np, "unicode_"):
        np.unicode_ = np.str_  # type: ignore[attr-defined]  # the name whylogs uses, gone since numpy 2
    with _without_scikit_learn():
        import whylogs.core

    return whylogs.core


@contextmanager
def _without_scikit_learn() -> Iterator[None]:
    """Let its import be refused, as if it were not installed, unless somebody has imported it already."""
    hidden = "sklearn.cluster"
    if "sklearn" in sys.modules or "whylogs.core" in sys.modules:
        yield
        return
    sys.modules[hidden] = None  # type: ignore[assignment]  # so the import system is told
    try:
        yield
    finally:
        del sys.modules[hidden]


def profile(frame: "pd.DataFrame") -> bytes:
    """A profile of `frame`: counts, null counts, cardinality, distribution of each column.

    Datetimes are profiled as seconds since 1970, time spans as seconds, booleans as 0 and 1, and other types as text,
    because whylogs does not support them.
    """
    import pandas as pd

    core = _whylogs()
    tracked = core.DatasetProfile()
    tracked.track(pd.DataFrame({name: _readable(frame[name]) for name in frame.columns}))
    data: bytes = tracked.view().serialize()
    return data


def _readable(values: "pd.Series[Any]") -> "pd.Series[Any]":
    """A column in a form that whylogs supports; nulls stay null."""
    import pandas as pd

    if isinstance(values.dtype, pd.CategoricalDtype):
        values = values.astype(object)
    kind = values.dtype.kind
    if kind == "M":
        epoch = pd.Timestamp(0, tz=getattr(values.dtype, "tz", None))
        values, kind = values - epoch, "m"
    if kind == "m":
        seconds: pd.Series[Any] = values.dt.total_seconds()
        return seconds
    if kind in "bu":  # whylogs reads unsigned integers as signed ones, the largest as -1
        return values.astype("float64")
    if kind in "if" or isinstance(values.dtype, pd.StringDtype):
        return values
    known = pd.api.types.infer_dtype(values, skipna=True) in _READ_BY_WHYLOGS
    return values if known else values.astype(object).map(str, na_action="ignore")


# Kinds of Python objects, by pandas' names.
_READ_BY_WHYLOGS = {"string", "decimal", "integer", "floating", "mixed-integer-float", "boolean", "empty"}


def numbers(profiled: bytes) -> tuple[ColumnStats, ...]:
    """The numbers of a profile, a record per column, by name."""
    view = _whylogs().DatasetProfileView.deserialize(profiled)
    return tuple(_numbers(name, column) for name, column in sorted(view.get_columns().items()))


def _numbers(name: str, column: Any) -> ColumnStats:
    summary = column.to_summary_dict()

    def finite(key: str) -> float | None:
        value = summary.get(key)
        return None if value is None or not math.isfinite(value) else float(value)

    # A text column also has an (empty) distribution: its minimum is NaN, and so None here.
    return ColumnStats(
        name=name,
        rows=int(summary["counts/n"]),
        nulls=int(summary["counts/null"]),
        distinct=float(summary.get("cardinality/est") or 0.0),
        minimum=finite("distribution/min"),
        maximum=finite("distribution/max"),
        mean=finite("distribution/mean") if finite("distribution/min") is not None else None,
        stddev=finite("distribution/stddev") if finite("distribution/min") is not None else None,
    )


_RANKS = 200


def merged(profiled: Sequence[bytes]) -> bytes:
    """The profile of all rows together, from the profiles of their parts."""
    core = _whylogs()
    views = [core.DatasetProfileView.deserialize(one) for one in profiled]
    whole = views[0]
    for view in views[1:]:
        whole = whole.merge(view)
    data: bytes = whole.serialize()
    return data


def sketches(first: bytes, second: bytes) -> tuple[tuple[ColumnSketch, ...], tuple[ColumnSketch, ...]]:
    """The distributions of the columns that both profiles have, by name: shares at the same points on both sides."""
    core = _whylogs()
    sides = [core.DatasetProfileView.deserialize(one).get_columns() for one in (first, second)]
    pairs = [_pair(name, sides[0][name], sides[1][name]) for name in sorted(sides[0].keys() & sides[1].keys())]
    return tuple(pair[0] for pair in pairs), tuple(pair[1] for pair in pairs)


def _pair(name: str, first: Any, second: Any) -> tuple[ColumnSketch, ColumnSketch]:
    quantiles = [column.get_metric("distribution").kll.value for column in (first, second)]
    points: list[float] = []
    if not any(one.is_empty() for one in quantiles):
        ranks = [rank / _RANKS for rank in range(_RANKS + 1)]
        # Just above a value, so that the value itself counts as below.
        found = {math.nextafter(value, math.inf) for one in quantiles for value in one.get_quantiles(ranks)}
        points = sorted(value for value in found if math.isfinite(value))
    return _sketch(name, first, points), _sketch(name, second, points)


def _sketch(name: str, column: Any, points: Sequence[float]) -> ColumnSketch:
    summary = column.to_summary_dict()
    rows, nulls = int(summary["counts/n"]), int(summary["counts/null"])
    if points:
        quantiles = column.get_metric("distribution").kll.value
        below = tuple(float(share) for share in quantiles.get_cdf(list(points))[: len(points)])
        error = float(quantiles.normalized_rank_error(False)) if quantiles.is_estimation_mode() else 0.0
        return ColumnSketch(name=name, rows=rows, nulls=nulls, below=below, rank_error=error)
    metric = column.get_metric("frequent_items")
    items = metric.strings if metric is not None else []
    levels = tuple((str(item.value), int(item.est)) for item in items)
    error_rows = max((int(item.upper - item.lower) for item in items), default=0)
    others = max(0, rows - nulls - sum(count for _, count in levels))
    return ColumnSketch(name=name, rows=rows, nulls=nulls, levels=levels, levels_error=error_rows, others=others)
