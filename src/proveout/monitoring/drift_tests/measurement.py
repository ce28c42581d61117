"""What a test finds, before it is known in which family it stands."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The numbers of one two-sample test."""

    statistic: float
    p_value: float
    effect: float  # how far apart the sides are, in the unit of the test


ALIKE = Measurement(statistic=0.0, p_value=1.0, effect=0.0)
"""Where nothing can be told apart."""
