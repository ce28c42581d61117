"""The alert state: which alerts of the server are open.

Input: all current problems, as the processes report them. Output: an alert for each problem when it begins, and an
`info` alert when it has been gone for a while. A problem is identified by its text. So two API processes with the same
problem raise one alert, and so does a problem that comes and goes. Pure: the clock is an argument.
"""

from collections.abc import Iterable, Sequence

from proveout.records.drift_report import Alert

BY = "proveout serve"
"""The actor of these alerts in the ledger."""

GONE_S = 5.0
_OVER = "over: "


class AlertState:
    """The open alerts: each problem, and when it was last seen.

    Args:
        sent: the alerts that earlier servers sent, oldest first. Those still open are not sent again when they recur,
            but their end is.
    """

    def __init__(self, sent: Iterable[Alert] = ()) -> None:
        self._open: dict[str, float] = {}  # when each problem was last seen
        for alert in sent:
            if alert.what.startswith(_OVER):
                self._open.pop(alert.what.removeprefix(_OVER), None)
            elif alert.severity != "info":
                self._open[alert.what] = 0.0

    def update(self, problems: Sequence[Alert], *, clock: float, at: str) -> list[Alert]:
        """Take in all current problems. Returns the alerts to send: for new problems, and for those that are over."""
        seen = {alert.what: alert for alert in problems}
        begun = [alert for what, alert in seen.items() if what not in self._open]
        gone = [what for what, last in self._open.items() if what not in seen and (clock - last > GONE_S)]
        self._open.update(dict.fromkeys(seen, clock))
        for what in gone:
            del self._open[what]
        return begun + [_over(what, at) for what in gone]


def _over(what: str, at: str) -> Alert:
    return Alert(severity="info", what=f"{_OVER}{what}", details="It works again.", next_step="Nothing.", at=at)
