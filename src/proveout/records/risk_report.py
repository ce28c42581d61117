"""Record of the risk: the loss of a release's answers, as outcomes arrive, compared with its held-out rows."""

from dataclasses import dataclass
from typing import Literal

from proveout.records.values import Digest


@dataclass(frozen=True, kw_only=True)
class RiskReport:
    """What is known of the risk of a bundle at some time."""

    model: str
    bundle: Digest
    loss: str  # of the task, such as `brier`
    unit: Literal["day", "row"]  # what counts as independent of each other
    level: float  # probability that a bundle which is no worse is ever reported as worse
    reference_rows: int  # held-out rows with an outcome
    reference_units: int
    reference_risk: float | None  # mean loss of the held-out rows, in the loss's own unit
    rows: int  # answers that count
    units: int
    waiting: int  # answers with an outcome whose day does not count yet
    risk: float | None  # mean loss of the answers that count; None without any
    evidence: float  # against "no worse": reported at 1 / level; 1 without any
    alarmed_on: str | None  # the day, or for rows the time, at which it was; None if it was not
    since: str | None = None  # when the change began, if it was
    risk_since: float | None = None  # mean loss from then on
    unjudged: str = ""  # why nothing can be said

    @property
    def alarm(self) -> bool:
        """Whether the bundle is reported as worse."""
        return self.alarmed_on is not None
