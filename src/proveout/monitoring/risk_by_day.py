"""Whether the days of a stream are worse than the reference's: valid however often one looks, also of few days. Pure.

Input: one number for each day, such as its mean loss. Output: the evidence after each day of the stream.

Days differ by more than their rows would by chance: weather and news make all rows of a day alike. So a day is one
observation. If days of the stream come from where those of the reference came from, the rank of each new day among all
before it is drawn at random, whatever the distribution of the losses. A gambler bets on high ranks, as they would be
after a shift of so many standard deviations since a certain day; the shifted days before the new one are part of those
it is ranked among. The mean capital over shifts and first days is the evidence. Nothing is estimated and nothing has to
be bounded, so thirty days are enough of a reference.

Sources: Vovk, Gammerman and Shafer, Algorithmic learning in a random world (2005), for ranks as bets; Shin, Ramdas and
Rinaldo, E-detectors (2023), for the mixture over first days.
"""

from typing import TYPE_CHECKING

import numpy as np

from proveout.monitoring.risk_evidence import Evidence

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHIFTS = np.array([0.25, 0.5, 0.8, 1.2, 1.8, 2.6])  # standard deviations of the days
_FURTHEST = 12.0  # standard deviations: no normal number is beyond it
_OF_DAYS = 1.31  # the sum of 1 / ((j + 1) log(j + 2)^2) over all days j = 1, 2, ...
_HALVINGS = 40  # of the interval that a quantile is looked for in


def worse(reference: "NDArray[np.float64]", stream: "NDArray[np.float64]") -> Evidence:
    """The evidence that the days of the stream are worse, higher, than those of the reference.

    Args:
        reference, stream: one finite number for each day, in order of time; shapes (days,). Ties are broken at random,
            with a fixed seed.

    >>> rng = np.random.default_rng(1)
    >>> worse(rng.normal(size=30), rng.normal(size=90)).first_alarm(0.05) is None
    True
    >>> found = worse(rng.normal(size=30), np.concatenate([rng.normal(size=20), rng.normal(2, size=30)]))
    >>> 20 < found.first_alarm(0.05) < 35, 15 < found.since < 25
    (True, True)
    """
    ranks = _ranks(reference, stream)
    first = _first_days(len(stream))
    shares = _shares(first)
    capital = np.zeros((len(first), len(_SHIFTS)))  # logarithm of what each bet has made of 1
    logarithm = np.empty(len(stream))
    for day, rank in enumerate(ranks.tolist()):
        begun = first <= day
        before, shifted = len(reference) + first[begun], day - first[begun]
        capital[begun] += _gain(rank, before[:, None], shifted[:, None])
        kept = 1 - shares[begun].sum()  # not bet so far
        held = np.log(shares[begun, None] / len(_SHIFTS)) + capital[begun]
        logarithm[day] = np.logaddexp(np.logaddexp.reduce(held.ravel()), np.log(kept))
    won = np.log(shares) + np.logaddexp.reduce(capital, axis=1)
    return Evidence(logarithm=logarithm, since=int(first[won.argmax()]) if len(stream) else 0)


def _ranks(reference: "NDArray[np.float64]", stream: "NDArray[np.float64]") -> "NDArray[np.intp]":
    """How many of all days before it each day of the stream is above, shape (days,)."""
    random = np.random.default_rng(0)
    known = np.sort(reference)
    found = np.empty(len(stream), dtype=np.intp)
    for day, value in enumerate(stream.tolist()):
        least, most = np.searchsorted(known, value, "left"), np.searchsorted(known, value, "right")
        found[day] = random.integers(least, most + 1) if most > least else least
        known = np.insert(known, least, value)
    return found


def _first_days(days: int) -> "NDArray[np.intp]":
    """The days with which a change may begin: each of the first forty, then each twentieth part of the time so far."""
    found = [0]
    while (after := found[-1] + max(1, found[-1] // 20)) < days:
        found.append(after)
    return np.array(found)


def _shares(first: "NDArray[np.intp]") -> "NDArray[np.float64]":
    """The share of the capital that is bet from each first day on, half of it from the very first: less than 1 in all.

    It does not depend on how many days there are so far.
    """
    later = 0.5 / (_OF_DAYS * (first + 1) * np.log(first + 2) ** 2)
    return np.asarray(np.where(first == 0, 0.5, later))


def _gain(rank: int, before: "NDArray[np.intp]", shifted: "NDArray[np.intp]") -> "NDArray[np.float64]":
    """The logarithm of what bets on each first day and shift win with this rank, shape (first days, shifts).

    If a day is normal with a mean shifted by s, and is ranked among `before` days without and `shifted` ones with it,
    a rank between two quantiles of this mixture has the probability of the shifted normal between the same two; at
    random it has 1 / days.
    """
    from scipy.special import ndtr

    among = before + shifted + 1
    low, high = _quantiles(np.array([rank, rank + 1])[:, None, None] / among, before, shifted)
    share = np.where(high < 0, ndtr(high) - ndtr(low), ndtr(-low) - ndtr(-high))
    return np.asarray(np.log(among * np.maximum(share, 1e-300)))


def _quantiles(
    shares: "NDArray[np.float64]", before: "NDArray[np.intp]", shifted: "NDArray[np.intp]"
) -> "NDArray[np.float64]":
    """Quantiles of the mixture, less the shift: shape (shares, first days, shifts)."""
    from scipy.special import ndtr

    low = np.full(np.broadcast_shapes(shares.shape, _SHIFTS.shape), -_FURTHEST)
    high = low + 2 * _FURTHEST + _SHIFTS.max()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        above = before * ndtr(middle) + shifted * ndtr(middle - _SHIFTS) > shares * (before + shifted)
        high, low = np.where(above, middle, high), np.where(above, low, middle)
    return np.asarray((low + high) / 2 - _SHIFTS)
