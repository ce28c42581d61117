"""The project's cost function: what an answer costs, given the outcome.

Input: the setting `cost_function`, and answers with their outcomes. Output: a cost for each, in the project's unit.
"""

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from proveout.errors import ConfigError
from proveout.records.answer import Answer
from proveout.records.values import TargetValue
from proveout.settings import Settings, load_object
from proveout.task.binary import Binary

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Cost = Callable[[Answer, TargetValue], float]
"""`(answer, outcome)` to what the answer costs."""


def load(settings: Settings) -> Cost | None:
    """The project's cost function; None if it has none. Raises: ConfigError if it cannot be used."""
    if settings.cost_function is None:
        return None
    function: Cost = load_object(settings.cost_function, settings.root)
    if settings.task == "binary":  # other tasks have no example answer to try it with
        task = Binary()
        of_each(function, [task.answer([0.9]), task.answer([0.1])], [False, True], name=settings.cost_function)
    return function


def of_each(
    function: Cost, answers: Sequence[Answer], outcomes: Sequence[TargetValue], *, name: str = "cost"
) -> "NDArray[np.float64]":
    """The cost of each answer, shape (rows,). Raises: ConfigError, naming an answer without a valid cost.

    >>> of_each(lambda answer, outcome: 5.0 * (answer.value != outcome), [Answer(value=True)] * 2, [True, False])
    array([0., 5.])
    """
    import numpy as np

    spent: list[float] = []
    for answer, outcome in zip(answers, outcomes, strict=True):
        try:
            cost = float(function(answer, outcome))
        except Exception as error:  # the user's own code
            problem = f"raises {type(error).__name__} on {_shown(answer)} and the outcome {outcome!r}: {error}"
            raise ConfigError(name, problem, "Correct it") from error
        if not math.isfinite(cost):
            raise ConfigError(name, f"gives {cost} on {_shown(answer)} and {outcome!r}", "A cost is a number")
        spent.append(cost)
    return np.array(spent)


def _shown(answer: Answer) -> str:
    """An answer without its empty fields."""
    told = {name: value for name, value in vars(answer).items() if value is not None}
    return f"Answer({', '.join(f'{name}={value!r}' for name, value in told.items())})"
