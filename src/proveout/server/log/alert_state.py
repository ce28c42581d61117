"""The current troubles of the server, and the alerts about them.

Input: at each look, every trouble that the processes see. Output: an alert for each trouble when it begins, and an
`info` when it has been gone for a while. A trouble is identified by its text. So two API processes that see the same
one make one alert, and so does one that comes and goes. Pure: the clock is given.
"""

from collections.abc import Iterable, Sequence

from proveout.records.drift_report import Alert

BY = "proveout serve"
"""Who raises them, as the ledger names it."""

GONE_S = 5.0
_OVER = "over: "


class Alarms:
    """Tells news from what was said already.

    Args:
        said: alerts of a server before, the oldest first: what stands of them is not said again, and its end is.
    """

    def __init__(self, said: Iterable[Alert] = ()) -> None:
        self._stands: dict[str, float] = {}  # what is wrong, and when it was last seen
        for alert in said:
            if alert.what.startswith(_OVER):
                self._stands.pop(alert.what.removeprefix(_OVER), None)
            elif alert.severity != "info":
                self._stands[alert.what] = 0.0

    def look(self, wrong: Sequence[Alert], *, clock: float, at: str) -> list[Alert]:
        """What a person is to be told, now that `wrong` stands."""
        seen = {alert.what: alert for alert in wrong}
        begun = [alert for what, alert in seen.items() if what not in self._stands]
        gone = [w for w, last in self._stands.items() if w not in seen and (clock - last > GONE_S)]
        self._stands.update(dict.fromkeys(seen, clock))
        for what in gone:
            del self._stands[what]
        return begun + [_over(what, at) for what in gone]


def _over(what: str, at: str) -> Alert:
    return Alert(severity="info", what=f"{_OVER}{what}", details="It works again.", next_step="Nothing.", at=at)
