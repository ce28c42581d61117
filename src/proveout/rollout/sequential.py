"""Sequential tests, which are valid at every time they are evaluated. Pure.

Input: counts of two arms to which a hash assigned the traffic. Output: the evidence against "no difference", and bounds
of a rate. A test for a single evaluation, repeated every second, raises a false alarm sooner or later. These tests may
be evaluated after every request and stopped at any time, and the probability that they are ever wrong stays below the
requested level.

Both are mixtures of likelihood ratios, which under the hypothesis are martingales that start at 1. So by Ville's
inequality, the probability that one ever reaches 1 / alpha is at most alpha: Robbins, Statistical methods related to
the law of the iterated logarithm (1970); Howard, Ramdas, McAuliffe and Sekhon, Time-uniform, nonparametric,
nonasymptotic confidence sequences (2021); Johari, Koomen, Pekelis and Walsh, Always valid inference (2022).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, lgamma, log, log1p

# The ratios of a bad canary's failure rate to the champion's that the test looks for, with equal weights. A mixture of
# a few has nearly the power of the best one: it loses log(15) once.
_TIMES_WORSE = (1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0, 200.0, 1000.0)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """The bounds of a rate, 0 to 1."""

    low: float
    high: float


def evidence(canary: int, champion: int, *, share: float) -> float:
    """The likelihood ratio of a worse canary against no difference, from the bad events of both.

    Without a difference, only the hash of the key decides which arm has a bad event: the canary with probability
    `share`, independent of time and load. So the number of good events is not needed, and a bad hour for both is no
    evidence. Assumes events with different keys: several bad answers to one key are one event, because one hash
    assigned them.

    Args:
        canary, champion: bad events of each, with different keys.
        share: the canary's share of the keys, above 0 and below 1.
    Returns: the mixture likelihood ratio; 1 without events. At 1 / alpha or more, "no difference" is rejected at the
        level alpha, however often one looked; infinite if too large for a number.

    >>> evidence(1, 9, share=0.1) < 1.5, evidence(6, 0, share=0.1) > 10_000
    (True, True)
    """
    # If the canary fails `times` as often, an event is its own with probability share * times / (1 - share + share *
    # times).
    grown = [log1p(share * (times - 1)) for times in _TIMES_WORSE]
    ratios = [canary * (log(times) - size) - champion * size for times, size in zip(_TIMES_WORSE, grown, strict=True)]
    most = max(ratios)
    logarithm = most + log(sum(exp(ratio - most) for ratio in ratios) / len(ratios))
    return exp(logarithm) if logarithm < 700 else inf


def bounds(bad: int, of: int, *, alpha: float) -> Bounds:
    """A confidence sequence for the rate of bad events: it ever misses the rate with a probability of at most `alpha`.

    It contains the rates that the mixture of all rates, with Jeffreys' prior Beta(1/2, 1/2), does not beat by 1 /
    alpha. Assumes that each event is bad with the same probability, given the earlier ones; count one answer per key.

    >>> bounds(0, 500, alpha=0.005).high < 0.02 < bounds(20, 500, alpha=0.005).high
    True
    """
    if of == 0:
        return Bounds(low=0.0, high=1.0)
    mixture = _log_beta(bad + 0.5, of - bad + 0.5) - _log_beta(0.5, 0.5)

    def excluded(rate: float) -> bool:
        likelihood = (bad * log(rate) if bad else 0.0) + ((of - bad) * log1p(-rate) if bad < of else 0.0)
        return mixture - likelihood >= -log(alpha)

    rate = bad / of
    return Bounds(
        low=0.0 if bad == 0 else _edge(excluded, outside=0.0, inside=rate),
        high=1.0 if bad == of else _edge(excluded, outside=1.0, inside=rate),
    )


def _edge(excluded: Callable[[float], bool], *, outside: float, inside: float) -> float:
    """The point where `excluded` begins, on its excluded side."""
    for _ in range(60):
        middle = (outside + inside) / 2
        if middle in {outside, inside}:
            break
        outside, inside = (middle, inside) if excluded(middle) else (outside, middle)
    return outside


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
