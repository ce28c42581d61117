"""What a sequential test of the risk found. The tests are `risk_by_day` and `risk_by_row`."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, eq=False)
class Evidence:
    """What a stream shows against the hypothesis that its losses are no worse than the reference's.

    The evidence is a capital that began at 1 and that nobody can expect to grow if the hypothesis is true. So it ever
    reaches 1 / level with a probability of at most `level` (Ville's inequality), however often one looks.
    """

    logarithm: "NDArray[np.float64]"  # shape (units,): of the capital after each day or row; negative if it lost
    since: int  # the unit with which the change began, if there was one: where bets begin that won most

    def first_alarm(self, level: float) -> int | None:
        """The first unit after which the hypothesis is rejected; None if there is none so far.

        Args:
            level: the probability that a stream which is no worse is ever rejected, above 0 and below 1.
        """
        found = np.flatnonzero(self.logarithm >= -np.log(level))
        return int(found[0]) if len(found) else None
