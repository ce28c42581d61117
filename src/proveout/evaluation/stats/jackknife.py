"""The jackknife: how much a number moves when one row, or one whole cluster, is left out.

Takes the value of a number without each unit. Gives its standard error, and interval ends on a scale on which the
number is nearly normal: logarithms for what is above 0 (a squared error, a ratio), logits for what lies from 0 to 1.
Source: B. Efron and C. Stein, The jackknife estimate of variance, Annals of Statistics 9 (1981).
"""

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def error(without: "NDArray[np.float64]") -> float:
    """The standard error of a number, from its value without each unit, shape (units,).

    >>> import numpy as np
    >>> values = np.array([1.0, 2.0, 4.0, 5.0])
    >>> round(error((values.sum() - values) / 3), 3), round(float(values.std(ddof=1)) / 2, 3)
    (0.913, 0.913)
    """
    import numpy as np

    units = len(without)
    return math.sqrt((units - 1) / units * float(np.square(without - without.mean()).sum()))


def without_each(values: "NDArray[np.float64]", groups: "NDArray[np.intp] | None") -> "NDArray[np.float64]":
    """The sum of `values` without each row, or without each cluster: shape (units,).

    >>> import numpy as np
    >>> without_each(np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1])).tolist()
    [3.0, 3.0]
    """
    import numpy as np

    own = values if groups is None else np.bincount(groups, values)
    return np.asarray(values.sum() - own)


def log_ends(value: float, error: float, *, units: int, level: float) -> tuple[float, float]:
    """The interval of a number above 0, by Student's t on its logarithm; 0 alone has no width.

    >>> low, high = log_ends(2.0, 0.2, units=1_000, level=0.95)
    >>> round(low, 2), round(high, 2)
    (1.64, 2.43)
    """
    if value == 0 or error == 0:
        return value, value
    width = _t(units, level) * error / value
    # A width beyond any meaning: exp would overflow.
    return value * math.exp(-width), value * math.exp(width) if width < 700 else math.inf


def logit_ends(value: float, error: float, *, units: int, level: float) -> tuple[float, float]:
    """The interval of a number between 0 and 1, by Student's t on its logit; the ends of the range have no width.

    >>> low, high = logit_ends(0.9, 0.03, units=1_000, level=0.95)
    >>> round(low, 2), round(high, 2)
    (0.82, 0.95)
    """
    if not 0 < value < 1 or error == 0:
        return value, value
    middle = math.log(value / (1 - value))
    width = _t(units, level) * error / (value * (1 - value))
    return _from_logit(middle - width), _from_logit(middle + width)


def _from_logit(logit: float) -> float:
    return 1 / (1 + math.exp(-max(-700.0, min(logit, 700.0))))


def _t(units: int, level: float) -> float:
    from scipy.stats import t

    return float(t.ppf((1 + level) / 2, units - 1))
