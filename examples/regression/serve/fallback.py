"""The rules: what to answer when the model cannot. A ruler on a map.

Fitted by hand to the flights of 2013: 18 minutes for take-off, climb and approach, and 7.9 miles a minute. On the
held-out flights it is off by 9.4 minutes on average; the model is to save a part of that, and `pytest checks/` asks.
"""

from collections.abc import Mapping

Value = str | int | float | bool | None


def rules(flight: Mapping[str, Value]) -> float:
    """Minutes in the air of `flight`, a valid request."""
    return 18.0 + float(flight["distance"]) / 7.9
