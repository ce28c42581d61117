"""What a measurement is given, looked at before it is measured: a value per row, all of one length, none missing.

Comes in: lists, arrays, columns of a frame. Goes out: NumPy arrays, or UsageError with the sentence that says what is
wrong.
"""

from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike, NDArray


def numbers(values: "ArrayLike", what: str) -> "NDArray[np.float64]":
    """`values` as finite numbers, shape (rows,). Raises: UsageError if one is missing, infinite or no number at all.

    >>> numbers([0.5, float("nan")], "scores")
    Traceback (most recent call last):
    proveout.errors.UsageError: 1 of 2 scores is no finite number, the first in row 1 (nan): nothing is left out.
    """
    import numpy as np

    found = _plain(values, what)
    try:
        found = found.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The {what} are no numbers: {error}") from error
    _finite(found, what)
    return found


def truths(values: "ArrayLike") -> "NDArray[np.bool_]":
    """Labels as true and false, shape (rows,). Raises: UsageError for anything but true, false, 1 and 0."""
    import numpy as np

    found = numbers(values, "labels")
    strange = sorted({float(one) for one in found[(found != 0) & (found != 1)][:1000]})
    if strange:
        seen = ", ".join(f"{one:g}" for one in strange[:3])
        raise UsageError(f"Labels are true or false (1 or 0), and here they are {seen} too: compare them, late > 30.")
    return np.equal(found, 1)


def values_of(values: Any, what: str) -> "NDArray[Any]":
    """`values` for a metric that knows what they mean, shape (rows, ...): of any kind, but a number is finite."""
    import numpy as np

    found = np.asarray(values)
    if found.ndim == 0:
        raise UsageError(f"The {what} are one value, not one per row.")
    if found.dtype.kind == "f":
        _finite(found, what)
    return found


def groups(clusters: "ArrayLike | None", rows: int) -> "NDArray[np.intp] | None":
    """The number of each row's cluster, 0 upwards, shape (rows,); None without clusters."""
    import pandas as pd

    if clusters is None:
        return None
    named = pd.Series(clusters)  # of any kind: days, carriers, numbers
    same_length(rows, clusters=named)
    codes, _ = pd.factorize(named)
    if (codes < 0).any():
        raise UsageError(
            f"{int((codes < 0).sum())} of {rows} rows name no cluster: give them one, or leave these rows out."
        )
    return codes


def same_length(rows: int, **others: Any) -> None:
    """Raises: UsageError if one of `others` has not a value for each of the `rows` labels."""
    for name, values in others.items():
        if len(values) != rows:
            raise UsageError(
                f"There are {rows:,} rows and {len(values):,} {name.replace('_', ' ')}: all of them belong to the same "
                "rows, in the same order."
            )


def within(name: str, value: float, low: float, high: float) -> None:
    """Raises: UsageError if `value` does not lie between the two, both excluded."""
    if not low < value < high:
        raise UsageError(f"{name} is {value:g}, asked: between {low:g} and {high:g}, such as 0.95.")


def _plain(values: "ArrayLike", what: str) -> "NDArray[Any]":
    import numpy as np

    found = np.asarray(values)
    if found.ndim != 1:
        raise UsageError(
            f"The {what} have the shape {found.shape}, asked: one per row, as predict_proba(rows)[:, 1] is."
        )
    return found


def _finite(found: "NDArray[Any]", what: str) -> None:
    import numpy as np

    bad = np.flatnonzero(~np.isfinite(found).reshape(len(found), -1).all(axis=1)) if found.size else found
    if len(bad):
        verb = "is" if len(bad) == 1 else "are"
        raise UsageError(
            f"{len(bad):,} of {len(found):,} {what} {verb} no finite number, the first in row {bad[0]} "
            f"({found[bad[0]]}): nothing is left out."
        )
