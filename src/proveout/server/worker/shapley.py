"""Explanations: sampled Shapley values of the request's fields, in the unit of the score (the probability of the event
or of the answered class, or the value itself).

Input: one request as a row, background rows, and the model as a function. Output: `Reason`s, largest first.
Method: permutation sampling (Castro, Gómez, Tejada 2009), each order also walked backwards (antithetic; Mitchell et
al. 2022). Each background row starts exactly one pair of walks, so the effects of all fields add up to f(request) minus
the mean of f(background) exactly, not only on average. Correlated fields share their credit as if they could vary
independently.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from proveout.records.json_form import canonical
from proveout.records.values import Scalar

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

BACKGROUND_ROWS = 16
MOST_REASONS = 5
MOST_ROWS = 4_096  # predicted per explanation; a request with many fields gets fewer background rows

Columns = Mapping[str, Any]  # NumPy or pandas arrays of one length, by field


@dataclass(frozen=True, kw_only=True)
class Reason:
    """The effect of one field on the score, in the unit of the score: for a probability, 0.12 is 12 points."""

    field: str
    value: Scalar
    unit: str | None = None
    effect: float
    text: str


def background_places(scores: "NDArray[np.float64]", *, fields: int) -> "NDArray[np.intp]":
    """The indices of the background rows: the middle of each equal part of the rows sorted by score, shape (rows,)."""
    import numpy as np

    count = len(scores)
    rows = min(count, max(1, min(BACKGROUND_ROWS, MOST_ROWS // (2 * fields))))
    middles = ((np.arange(rows) + 0.5) * count / rows).astype(int)
    chosen: NDArray[np.intp] = np.argsort(scores, kind="stable")[middles]
    return chosen


def seed_of(record: Mapping[str, Scalar]) -> int:
    """The seed of a request: the same request always gets the same reasons."""
    return int.from_bytes(blake2b(canonical(dict(record)), digest_size=8).digest(), "big")


@dataclass(frozen=True, kw_only=True)
class Walks:
    """The sampled walks from background rows to the request, which change one field at a time.

    Each step is a row that mixes both. The rows can be predicted in parts; see `mixture` and `effects`.
    """

    fields: tuple[str, ...]
    orders: "NDArray[np.intp]"  # of fields, one for each background row
    taken: "NDArray[np.bool_]"  # shape (walks, steps, fields): whether the field has the request's value

    @property
    def rows(self) -> int:
        return int(self.taken.shape[0] * self.taken.shape[1])


def walks(fields: tuple[str, ...], *, starts: int, seed: int) -> Walks:
    """Walks from each of `starts` background rows, forwards and backwards."""
    import numpy as np

    count = len(fields)
    rng = np.random.default_rng(seed)
    orders = np.stack([rng.permutation(count) for _ in range(starts)])
    # taken[i, k, j]: after k steps from background row i, does field j have the request's value?
    rank = np.argsort(orders, axis=1)
    taken = rank[:, None, :] < np.arange(count + 1)[None, :, None]
    # Walking an order backwards passes the complements, in reverse.
    return Walks(fields=fields, orders=orders, taken=np.concatenate([taken, ~taken[:, ::-1, :]]))


def mixture(ways: Walks, against: Columns, requests: Columns, request: int, *, first: int, last: int) -> Columns:
    """Rows `first` to `last` of the walks to one request.

    Args:
        against: the background rows, as columns.
        requests: the requests, as columns of the same types.
        request: the position of the request in `requests`.
    Returns: columns of the same types.
    """
    import numpy as np

    walks_, steps, fields = ways.taken.shape
    starts = len(ways.orders)
    row = np.arange(first, min(last, ways.rows))
    start = row // steps % starts
    taken = ways.taken.reshape(walks_ * steps, fields)[first:last]
    mixed = {}
    for j, name in enumerate(ways.fields):
        here = against[name].take(start)
        here[taken[:, j]] = requests[name][request]
        mixed[name] = here
    return mixed


def effects(ways: Walks, scores: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """The effect of each field, from the scores of all rows of the walks.

    Returns: shape (fields,); the sum is f(request) - mean(f(background rows)).
    """
    import numpy as np

    starts, fields = ways.orders.shape
    total: NDArray[np.float64] = np.zeros(fields)
    steps = np.diff(scores.reshape(2 * starts, fields + 1), axis=1)
    np.add.at(total, np.concatenate([ways.orders, ways.orders[:, ::-1]]), steps)
    total /= 2 * starts
    return total


def units_of(descriptions: Mapping[str, str | None]) -> dict[str, str]:
    """The units of the fields: a description of one word is a unit.

    >>> units_of({"wind": "mph", "time": "local clock as HHMM", "city": None})
    {'wind': 'mph'}
    """
    return {field: text for field, text in descriptions.items() if text and " " not in text}


def reasons(
    effect: "NDArray[np.float64]",
    record: Mapping[str, Scalar],
    units: Mapping[str, str],
    *,
    words: Callable[[float], str],
    smallest: float,
) -> tuple[Reason, ...]:
    """The largest effects, at most five, none smaller than `smallest`.

    Args:
        words: describes an effect, see `Task.effect_words`.
    """
    ranked = sorted(zip(record.items(), effect.tolist(), strict=True), key=lambda pair: -abs(pair[1]))
    return tuple(
        Reason(
            field=field,
            value=value,
            unit=units.get(field),
            effect=round(points, 6),
            text=f"{_named(field, value, unit=units.get(field))} {words(points)}",
        )
        for (field, value), points in ranked[:MOST_REASONS]
        if points and abs(points) >= smallest
    )


def _named(field: str, value: Scalar, *, unit: str | None = None) -> str:
    """A field and its value as text.

    >>> _named("precip", 0.4, unit="inches"), _named("wind_gust", None, unit="mph")
    ('precip 0.4 inches', 'wind_gust unknown')
    """
    text = "unknown" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return f"{field} {text} {unit}" if unit is not None and value is not None else f"{field} {text}"
