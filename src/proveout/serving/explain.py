"""Why a score is what it is: Shapley values of the request's fields, sampled, in units of probability.

Comes in: one request as a row, background rows, and the model as a function. Goes out: `Reason`s, largest first.
Method: permutation sampling (Castro, Gómez, Tejada 2009), each order also walked backwards (antithetic; Mitchell et
al. 2022). Each background row is walked from once, so the effects of all fields add up to f(request) minus the mean of
f(background) exactly, not only on average. Correlated fields share their credit as if they could vary alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from proveout.records import Plain, canonical

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

BACKGROUND_ROWS = 16
MOST_REASONS = 5
MOST_ROWS = 4_096  # predicted for one explanation; a wide request gets fewer background rows
_SMALLEST_EFFECT = 0.0005  # of probability; less is printed as nothing

Predict = Callable[["pd.DataFrame"], "NDArray[np.float64]"]


@dataclass(frozen=True, kw_only=True)
class Reason:
    """What one field of the request does to the probability. `effect` is in probability: 0.12 is 12 points."""

    field: str
    value: Plain
    effect: float
    text: str


def background(reference: "pd.DataFrame", probability: "NDArray[np.float64]", *, fields: int) -> "pd.DataFrame":
    """A few rows of `reference` that stand for all of it: one from the middle of each equal part, by probability."""
    import numpy as np

    rows = min(len(reference), max(1, min(BACKGROUND_ROWS, MOST_ROWS // (2 * fields))))
    middles = ((np.arange(rows) + 0.5) * len(reference) / rows).astype(int)
    chosen: pd.DataFrame = reference.iloc[np.argsort(probability, kind="stable")[middles]]
    return chosen.reset_index(drop=True)


def seed_of(record: Mapping[str, Plain]) -> int:
    """The seed of a request: the same request is always explained the same way."""
    return int.from_bytes(blake2b(canonical(dict(record)), digest_size=8).digest(), "big")


def effects(predict: Predict, row: "pd.DataFrame", against: "pd.DataFrame", *, seed: int) -> "NDArray[np.float64]":
    """The effect of each column of `row` (one row) on its probability, against the rows of `against`.

    Returns: shape (columns,); the sum is predict(row) - mean(predict(against)).
    """
    import numpy as np

    fields, starts = row.shape[1], len(against)
    rng = np.random.default_rng(seed)
    orders = np.stack([rng.permutation(fields) for _ in range(starts)])
    # taken[i, k, j]: after k steps from background row i, does field j have the request's value?
    rank = np.argsort(orders, axis=1)
    taken = rank[:, None, :] < np.arange(fields + 1)[None, :, None]
    # Walking an order backwards passes the complements, in reverse. All walks are scored in one batch.
    scores = _scores(predict, row, against, np.concatenate([taken, ~taken[:, ::-1, :]]))
    total = np.zeros(fields)
    np.add.at(total, np.concatenate([orders, orders[:, ::-1]]), np.diff(scores, axis=1))
    return total / (2 * starts)


def _scores(predict: Predict, row: "pd.DataFrame", against: "pd.DataFrame", taken: Any) -> "NDArray[np.float64]":
    """What the model says of each mixture of the request with a background row, shape (walks, steps)."""
    import numpy as np
    import pandas as pd

    walks, steps, fields = taken.shape
    start = np.repeat(np.arange(walks) % len(against), steps)
    flat = taken.reshape(-1, fields)
    both = pd.concat([against, row], ignore_index=True)  # the request is the last row
    mixed = pd.DataFrame(
        {
            name: pd.Series(both[name].array.take(np.where(flat[:, j], len(against), start)))
            for j, name in enumerate(row.columns)
        }
    )
    return np.asarray(predict(mixed), dtype=float).reshape(walks, steps)


def reasons(effect: "NDArray[np.float64]", record: Mapping[str, Plain]) -> tuple[Reason, ...]:
    """The largest effects in words, at most five, none that rounds to nothing."""
    ranked = sorted(zip(record.items(), effect.tolist(), strict=True), key=lambda pair: -abs(pair[1]))
    return tuple(
        Reason(field=field, value=value, effect=round(points, 6), text=_text(field, value, points))
        for (field, value), points in ranked[:MOST_REASONS]
        if abs(points) >= _SMALLEST_EFFECT
    )


def _text(field: str, value: Plain, effect: float) -> str:
    """One effect as a sentence.

    >>> _text("precip", 0.4, 0.1234)
    'precip 0.4 raises the probability by 12.3 points'
    >>> _text("wind_gust", None, -0.02)
    'wind_gust unknown lowers the probability by 2.0 points'
    """
    said = "unknown" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
    return f"{field} {said} {'raises' if effect > 0 else 'lowers'} the probability by {abs(effect) * 100:.1f} points"
