"""What a measurement is given, looked at before it is measured: a value per row, all of one length, none missing.

Input: lists, arrays, columns of a frame. Output: NumPy arrays, or UsageError with the sentence that says what is
wrong.
"""

from typing import TYPE_CHECKING, Any

from proveout.errors import UsageError

SUM_TOLERANCE = 1e-3  # probabilities stored as float32, or rounded for a log, add up to 1 only nearly

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def outcomes(values: "ArrayLike") -> "NDArray[np.float64]":
    """The outcomes of a regression, finite numbers, shape (rows,).

    Raises: UsageError if one is missing, infinite or no number.

    >>> outcomes([1.5, 2]).tolist()
    [1.5, 2.0]
    """
    import pandas as pd

    _refuse_missing(pd.isna(_plain(values, "outcomes")))
    return numbers(values, "outcomes")


def classes_of(labels: "ArrayLike", classes: "Sequence[Any]", *, what: str = "outcomes") -> "NDArray[np.intp]":
    """The place in `classes` of each label, shape (rows,).

    Raises: UsageError for a missing label, for a class that is not among them, and for fewer than two classes.

    >>> classes_of(["red", "blue", "red"], ["blue", "red"]).tolist()
    [1, 0, 1]
    """
    import pandas as pd

    known = pd.Index(list(classes), dtype=object)
    if len(known) < 2 or not known.is_unique:
        named = ", ".join(map(str, known)) or "none"
        raise UsageError(f"The classes are {named}: name two or more, each once, in the order of the probabilities.")
    found = plain_classes(labels, what)
    places = places_of(found, list(known))
    if (places < 0).any():
        strange = ", ".join(sorted({str(one) for one in found[places < 0]})[:5])
        count = int((places < 0).sum())
        raise UsageError(
            f"{count:,} of {len(found):,} {what} {'is' if count == 1 else 'are'} of a class that the model does not "
            f"know ({strange}); it knows {', '.join(map(str, known[:20]))}. Train on rows of each class, or let the "
            "target give these rows another one."
        )
    return places


def plain_classes(labels: "ArrayLike", what: str) -> "NDArray[Any]":
    """A class per row as objects, shape (rows,). Raises: UsageError for one that is missing.

    >>> plain_classes([True, None], "labels")
    Traceback (most recent call last):
    proveout.errors.UsageError: 1 of 2 labels is missing: only rows with a label can be judged. Leave the others out.
    """
    import pandas as pd

    found = pd.Series(_plain(labels, what)).astype(object)
    _refuse_missing(found.isna().to_numpy(), what=what)
    return found.to_numpy()


def sorted_classes(found: "Sequence[Any]") -> list[Any]:
    """The distinct classes, sorted; by their text where they are of several types.

    >>> sorted_classes(["b", 2, "b"]), sorted_classes([10, 9])
    ([2, 'b'], [9, 10])
    """
    import pandas as pd

    distinct = list(pd.unique(pd.Series(found, dtype=object)))
    try:
        return sorted(distinct)
    except TypeError:
        return sorted(distinct, key=str)


def places_of(found: "NDArray[Any]", classes: "Sequence[Any]") -> "NDArray[np.intp]":
    """The place of each row's class among `classes`, shape (rows,); -1 for one that is not there."""
    import numpy as np
    import pandas as pd

    known = pd.Index(list(classes), dtype=object)
    return np.asarray(known.get_indexer(pd.Index(found, dtype=object)), dtype=np.intp)


def probabilities(values: "ArrayLike", classes: "Sequence[Any]") -> "NDArray[np.float64]":
    """A probability per class, shape (rows, classes), 0 to 1; the rows add up to 1.

    Raises: UsageError for another shape, NaN, or what is no probability.

    >>> probabilities([[0.2, 0.8], [1, 0]], ["blue", "red"]).tolist()
    [[0.2, 0.8], [1.0, 0.0]]
    """
    import numpy as np

    try:
        found = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The probabilities are no numbers: {error}") from error
    if found.ndim != 2 or found.shape[1] != len(classes):
        raise UsageError(
            f"The probabilities have the shape {found.shape}, expected: one column for each of the {len(classes)} "
            "classes, as predict_proba gives them. A model without predict_proba gives labels alone: ask for its "
            "accuracy, recall or F1 instead."
        )
    _finite(found, "probabilities")
    off = np.flatnonzero((found < 0).any(axis=1) | (np.abs(found.sum(axis=1) - 1) > SUM_TOLERANCE))
    if len(off):
        raise UsageError(
            f"{len(off):,} of {len(found):,} rows of probabilities do not add up to 1, or hold one below 0; the first "
            f"is row {off[0]}, which adds up to {found[off[0]].sum():.6g}."
        )
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


_WATCHED: "dict[bytes, NDArray[np.intp]]" = {}
_WATCHING: list[int] = []


def watch_groups(rows: int) -> None:
    """From here on, keep the clusters that anybody names of so many rows."""
    _WATCHING[:] = [rows]
    _WATCHED.clear()


def watched_groups() -> "tuple[NDArray[np.intp], ...]":
    """The number of each row's cluster, for each way to group that was named since `watch_groups`."""
    return tuple(_WATCHED.values())


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
    if rows in _WATCHING:
        _WATCHED[codes.tobytes()] = codes
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


def _refuse_missing(missing: "NDArray[np.bool_]", *, what: str = "outcomes") -> None:
    count = int(missing.sum())
    if count:
        with_one = "an outcome" if what == "outcomes" else "a label"
        raise UsageError(
            f"{count:,} of {len(missing):,} {what} {'is' if count == 1 else 'are'} missing: only rows with {with_one} "
            "can be judged. Leave the others out."
        )


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
