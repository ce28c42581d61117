"""The user's business function: what an answer costs, once it is known what happened.

Comes in: the setting `cost_function`, and answers with their outcomes. Goes out: a number for each, in the user's unit.
"""

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from proveout.errors import ConfigError
from proveout.settings import Settings, load_object

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Cost = Callable[[bool, float, bool], float]
"""`(label, probability, outcome)` to what the answer costs."""


def load(settings: Settings) -> Cost | None:
    """The function that the project names; None where it names none. Raises: ConfigError if it cannot be used."""
    if settings.cost_function is None:
        return None
    function: Cost = load_object(settings.cost_function, settings.root)
    of_each(function, [True, False], [0.9, 0.1], [False, True], name=settings.cost_function)
    return function


def of_each(
    function: Cost,
    labels: "NDArray[np.bool_] | list[bool]",
    probabilities: "NDArray[np.float64] | list[float]",
    outcomes: "NDArray[np.bool_] | list[bool]",
    *,
    name: str = "cost",
) -> "NDArray[np.float64]":
    """What each answer costs, shape (rows,). Raises: ConfigError, naming the answer that has no cost.

    >>> of_each(lambda label, probability, outcome: 5.0 * (label != outcome), [True, True], [0.7, 0.8], [True, False])
    array([0., 5.])
    """
    import numpy as np

    spent: list[float] = []
    for label, probability, outcome in zip(labels, probabilities, outcomes, strict=True):
        asked = (bool(label), float(probability), bool(outcome))
        try:
            cost = float(function(*asked))
        except Exception as error:  # the user's own code
            raise ConfigError(name, f"raises {type(error).__name__} on {asked}: {error}", "Mend it") from error
        if not math.isfinite(cost):
            raise ConfigError(name, f"gives {cost} on {asked}", "A cost is a number")
        spent.append(cost)
    return np.array(spent)
