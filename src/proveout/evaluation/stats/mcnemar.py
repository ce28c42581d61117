"""Two models that are right or wrong on the same rows: how far apart their shares of right answers are.

Input: the number of rows that only one of the two has right. Output: the ends of an interval.
Source: T. Tango, Equivalence test and confidence interval for the difference in proportions for the paired-sample
design, Statistics in Medicine 17 (1998); Q. McNemar, Psychometrika 12 (1947).
"""

BESIDE = 1e-9
FEW_DISCORDANT = 25  # below, McNemar's test is by the binomial distribution itself


def interval(only_first: int, only_second: int, rows: int, *, level: float) -> tuple[float, float]:
    """The interval of the difference of two shares, first less second, from paired rows; -1 to 1.

    Tango's score interval: 0 lies outside exactly when McNemar's test refuses that the two are equal. Where few rows
    are discordant it reaches at least as far as the binomial distribution of these says, so that then McNemar's exact
    test has to refuse, too.

    >>> low, high = interval(1, 7, 21, level=0.95)
    >>> round(low, 3), round(high, 3)
    (-0.517, 0.02)
    """
    low = max(-1.0, -_upper(only_second, only_first, rows, level))
    high = min(1.0, _upper(only_first, only_second, rows, level))
    return low, high


def exact_p(only_first: int, only_second: int) -> float:
    """The one-sided p of McNemar's exact test that the first is better: as many discordant rows for it, or more.

    >>> round(exact_p(7, 1), 4)
    0.0352
    """
    from scipy.stats import binom

    return float(binom.sf(only_first - 1, only_first + only_second, 0.5))


def _upper(plus: int, minus: int, rows: int, level: float) -> float:
    upper = tango_upper(plus, minus, rows, level)
    discordant = plus + minus
    return max(upper, _exact_upper(plus, minus, rows, level)) if 0 < discordant < FEW_DISCORDANT else upper


def tango_upper(plus: int, minus: int, rows: int, level: float) -> float:
    """The upper end of Tango's interval of (plus - minus) / rows. The lower one is that of the swapped, negated."""
    import math
    from statistics import NormalDist

    from scipy.optimize import brentq

    quantile = NormalDist().inv_cdf((1 + level) / 2)

    def away(truth: float) -> float:
        a, b = 2 * rows, -plus - minus + (2 * rows - plus + minus) * truth
        c = -minus * truth * (1 - truth)
        # The share of `minus` rows that fits the data best if the difference is `truth`.
        share = (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a)
        variance = rows * (2 * share + truth * (1 - truth))
        return (plus - minus - rows * truth) + quantile * math.sqrt(max(0.0, variance))

    # Without discordant rows nothing is away from the value itself: the other root is looked for from beside it.
    beside = (plus - minus) / rows + BESIDE
    return 1.0 if plus == rows else float(brentq(away, beside, 1.0))


def _exact_upper(plus: int, minus: int, rows: int, level: float) -> float:
    """After Clopper and Pearson, from the discordant rows alone."""
    from scipy.stats import beta

    share = 1.0 if minus == 0 else float(beta.ppf((1 + level) / 2, plus + 1, minus))
    return (2 * share - 1) * (plus + minus) / rows
