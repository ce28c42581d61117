"""The verdict of a drift test in words, and the names of the tests.

Input: a test. Output: a sentence. Pure.
"""

from collections.abc import Callable, Mapping

from proveout.records.drift_report import DriftTest, TestName

TITLES: Mapping[TestName, str] = {
    "ks": "Kolmogorov–Smirnov",
    "chi2": "chi-square",
    "psi": "stability index",
    "nulls": "missing, Fisher’s p",
    "new_levels": "new levels",
    "cardinality": "number of levels",
    "mmd": "maximum mean discrepancy",
    "domain_classifier": "classifier of the two sides",
}

_LARGE: Mapping[TestName, tuple[float, float]] = {
    "ks": (0.1, 0.3), "chi2": (0.1, 0.3), "nulls": (0.02, 0.1), "new_levels": (0.02, 0.1), "cardinality": (0.1, 0.5),
    "mmd": (0.1, 0.3), "domain_classifier": (0.06, 0.14),
}  # fmt: skip
"""Effects from which a change is called moderate, and large. For V: Cohen (1988); the rest follow the same idea."""


def verdict(test: DriftTest) -> str:
    """What the test says: whether something moved, how far, and how sure that is.

    >>> verdict(DriftTest(part="inputs", column="temp", test="ks", statistic=0.34, p_value=1e-9, level=1e-4,
    ...                   effect=0.34, reference_rows=2000, window_rows=300, verdict="", alarmed=True, listed=True))
    'moved, a large change: 34 % of the rows would have to be others'
    """
    if test.test == "psi":
        return _index(test)
    if not (test.alarmed or test.listed):
        return "calm: no more than chance gives"
    sure = "moved" if test.alarmed else "suspected, too little for an alarm"
    return f"{sure}, {size(test)} change: {_SAID[test.test](test)}"


def size(test: DriftTest) -> str:
    """How large the change is, whether or not it is sure."""
    moderate, large = _LARGE[test.test]
    effect = abs(test.effect)
    return "a large" if effect >= large else "a moderate" if effect >= moderate else "a small"


def _index(test: DriftTest) -> str:
    if not test.chance:
        return "nothing to compare"
    beyond = "beyond" if test.statistic > test.chance else "within"
    return f"{test.statistic:.3g}, {beyond} what chance gives on these rows: up to {test.chance:.3g}"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


_SAID: Mapping[TestName, Callable[[DriftTest], str]] = {
    "ks": lambda test: f"{_percent(test.effect)} of the rows would have to be others",
    "chi2": lambda test: f"the shares of its levels, V = {test.effect:.2g}",
    "nulls": lambda test: (
        f"{_percent(abs(test.effect))} of the rows {'more' if test.effect > 0 else 'fewer'} are missing"
    ),
    "new_levels": lambda test: f"{_percent(test.effect)} of the rows have a level that the reference does not have",
    "cardinality": lambda test: (
        f"{test.statistic:,.0f} levels, {_percent(abs(test.effect))} {'more' if test.effect > 0 else 'fewer'} than "
        "rows like the reference would have"
    ),
    "mmd": lambda test: f"rows as a whole, discrepancy {test.effect:.2g}",
    "domain_classifier": lambda test: f"a forest tells the sides apart with an AUC of {test.statistic:.2g}",
}
