"""Tests that hold at every moment they are looked at. Pure.

Input: counts of two arms to which a hash assigned the traffic. Output: how strongly they speak against "no
difference», and between which bounds a rate lies. A test made for one look, looked at every second, cries wolf sooner
or later with certainty; these may be looked at after every request and stopped at any time, and the chance that they
are ever wrong stays under the level they were asked for.

Both are mixtures of likelihood ratios, which under the hypothesis are martingales that start at 1, so that by Ville's
inequality the chance that one ever reaches 1 / alpha is at most alpha: Robbins, Statistical methods related to the law
of the iterated logarithm (1970); Howard, Ramdas, McAuliffe and Sekhon, Time-uniform, nonparametric, nonasymptotic
confidence sequences (2021); Johari, Koomen, Pekelis and Walsh, Always valid inference (2022).
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, inf, lgamma, log, log1p

# How many times as often as the champion a bad canary fails: what the test is on the watch for, each as likely as the
# other. A mixture over a few has nearly the power of the best of them: it pays log(15) once.
_TIMES_WORSE = (1.1, 1.2, 1.35, 1.5, 1.75, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 20.0, 50.0, 200.0, 1000.0)


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Between which shares a rate lies, 0 to 1."""

    low: float
    high: float


def evidence(canary: int, champion: int, *, share: float) -> float:
    """How many times better a worse canary explains who met the bad events than chance does.

    If the two do not differ, which of them meets an event is decided by the hash of its key alone: it is the canary
    with probability `share`, whatever the day, the load or the season does to both. So how often all goes well need
    not be known, and a bad hour speaks against nobody. Assumes that events are of different keys: several bad answers
    to one key are one event, for they went to the same arm by one throw.

    Args:
        canary, champion: bad events met by either, of different keys.
        share: of the keys that are the canary's, above 0 and below 1.
    Returns: the mixture likelihood ratio, 1 for no events. At or above 1 / alpha, "no difference" is rejected at the
        level alpha, no matter how often one looked; infinite where it is too large for a number.

    >>> evidence(1, 9, share=0.1) < 1.5, evidence(6, 0, share=0.1) > 10_000
    (True, True)
    """
    # The chance that an event is the canary's, where it fails `times` as often: share * times / (1 - share + that).
    grown = [log1p(share * (times - 1)) for times in _TIMES_WORSE]
    ratios = [canary * (log(times) - size) - champion * size for times, size in zip(_TIMES_WORSE, grown, strict=True)]
    most = max(ratios)
    logarithm = most + log(sum(exp(ratio - most) for ratio in ratios) / len(ratios))
    return exp(logarithm) if logarithm < 700 else inf


def bounds(bad: int, of: int, *, alpha: float) -> Bounds:
    """A confidence sequence for the rate of bad ones: at all times together it misses it with at most `alpha`.

    The rates that a mixture of all others, by Jeffreys' Beta(1/2, 1/2), does not beat by 1 / alpha. Assumes that each
    of `of` is bad with the same probability given those before; of answers to one key, count one.

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
    """Where `excluded` begins, on the side of what is excluded."""
    for _ in range(60):
        middle = (outside + inside) / 2
        if middle in {outside, inside}:
            break
        outside, inside = (middle, inside) if excluded(middle) else (outside, middle)
    return outside


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
