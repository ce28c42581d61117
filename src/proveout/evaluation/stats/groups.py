"""Rows by what they have in common: the values of a column, bands of a number, the cross of several columns.

Input: columns. Output: slices, each with its name and the positions of its rows. Every row is in one of them: what
is missing is a kind of its own, what lies outside of the edges a band.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError
from proveout.evaluation.stats import array_checks

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

MOST_SLICES = 1_000  # nobody reads more


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Rows that have a value in common."""

    name: str  # such as "carrier=UA & origin=EWR"
    rows: "NDArray[np.intp]"  # their positions


def bands(
    values: "ArrayLike",
    edges: "Sequence[float] | NDArray[np.float64]",
    labels: Sequence[str] | None = None,
    *,
    name: str | None = None,
) -> "pd.Series[Any]":
    """A number as bands, each from an edge up to below the next, the last with its upper edge: a column for `by`.

    What lies outside of the edges is a band as well, and what is missing stays missing: no row is lost.

    Args:
        values: shape (rows,).
        edges: rising, shape (bands + 1,).
        labels: a name for each band, shape (bands,); by default its edges.
        name: of the column; by default the one that `values` has.

    >>> list(bands([0, 5, 6, 24, 25], [0, 6, 24], name="hour"))
    ['[0, 6)', '[0, 6)', '[6, 24]', '[6, 24]', 'above 24']
    """
    import numpy as np
    import pandas as pd

    column = pd.Series(values)
    numbers = column.to_numpy(dtype=float, na_value=np.nan)
    sharp = np.asarray(edges, dtype=float)
    if len(sharp) < 2 or not (np.diff(sharp) > 0).all():
        raise UsageError(f"bands() needs two edges or more, rising: got {list(edges)}.")
    if labels is not None and len(set(labels)) != len(sharp) - 1:
        raise UsageError(
            f"bands() needs a label of its own for each of the {len(sharp) - 1} bands: got {list(labels)}."
        )
    written = _distinct(sharp)
    between = [f"[{low}, {high})" for low, high in pairwise(written)]
    between[-1] = f"{between[-1][:-1]}]"
    kinds = [f"below {written[0]}", *(labels or between), f"above {written[-1]}"]
    place = np.searchsorted(sharp, numbers, side="right")
    place[numbers == sharp[-1]] = len(sharp) - 1
    place[np.isnan(numbers)] = -1
    banded = pd.Categorical.from_codes(place, categories=pd.Index(kinds), ordered=True)
    return pd.Series(banded, index=column.index, name=name or column.name).cat.remove_unused_categories()


def quantile_bands(values: "ArrayLike", count: int = 4, *, name: str | None = None) -> "pd.Series[Any]":
    """A number as at most `count` bands of about equally many rows; fewer where values repeat.

    >>> list(quantile_bands([1, 2, 3, 4], 2))
    ['[1, 2.5)', '[1, 2.5)', '[2.5, 4]', '[2.5, 4]']
    """
    import numpy as np
    import pandas as pd

    numbers = pd.Series(values).to_numpy(dtype=float, na_value=np.nan)
    known = numbers[np.isfinite(numbers)]
    if not len(known):
        return bands(values, [0.0, 1.0], name=name)
    edges = np.unique(np.quantile(known, np.linspace(0, 1, count + 1)))
    return bands(values, edges if len(edges) > 1 else [edges[0], edges[0] + 1], name=name)


def split(by: Any, *, rows: int) -> tuple[Slice, ...]:
    """The slices that one column makes, or the cross of several; missing values last. Only those that have rows.

    >>> [(part.name, len(part.rows)) for part in split({"carrier": ["UA", None, "UA"]}, rows=3)]
    [('carrier=UA', 2), ('carrier not known', 1)]

    Raises: UsageError for a column of another length, for no column, and for more than a thousand slices.
    """
    import numpy as np

    columns = _named(by)
    if not columns:
        raise UsageError('by= names no column. Give it one, such as records["carrier"].')
    array_checks.same_length(rows, **{f"values of {name}": values for name, values in columns.items()})
    coded = [kinds_of(values, name=name) for name, values in columns.items()]
    crossed = np.ravel_multi_index([codes for codes, _ in coded], [len(names) for _, names in coded])
    there, codes = np.unique(crossed, return_inverse=True)
    if len(there) > MOST_SLICES:
        raise UsageError(
            f"by={' and '.join(columns)} gives {len(there):,} slices. Numbers want slices.bands(values, edges), "
            "texts of many kinds a coarser column."
        )
    places = np.unravel_index(there, [len(names) for _, names in coded])
    order = np.split(np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1])
    return tuple(
        Slice(name=" & ".join(names[place] for (_, names), place in zip(coded, at, strict=True)), rows=where)
        for at, where in zip(zip(*places, strict=True), order, strict=True)
    )


def kinds_of(values: Any, *, name: str) -> "tuple[NDArray[np.intp], list[str]]":
    """The kind of each row, as a number, and what the kinds are called: `carrier=UA`, `carrier not known`."""
    import numpy as np
    import pandas as pd

    column = pd.Series(values)
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, kinds = column.cat.codes.to_numpy(), list(column.cat.categories)
    else:
        try:
            codes, found = pd.factorize(column, sort=True)
        except TypeError:  # of several types, which have no order
            codes, found = pd.factorize(column.astype("str").where(column.notna()), sort=True)
        kinds = list(found)
    written = [int(kind) if isinstance(kind, float) and kind.is_integer() else kind for kind in kinds]
    missing = len(kinds)
    return np.where(codes < 0, missing, codes), [*(f"{name}={kind}" for kind in written), f"{name} not known"]


def _named(by: Any) -> dict[str, Any]:
    import pandas as pd

    if isinstance(by, pd.DataFrame | Mapping):
        return {str(name): values for name, values in by.items()}
    return {str(getattr(by, "name", None) or "slice"): by}


def _distinct(numbers: "NDArray[np.float64]") -> list[str]:
    """Numbers as short as they can be written without two of them looking alike."""
    for digits in range(6, 18):
        written = [f"{number:.{digits}g}" for number in numbers]
        if len(set(written)) == len(written):
            return written
    return [repr(float(number)) for number in numbers]
