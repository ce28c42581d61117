"""The results of a mutation run: a trial for each mutant, and the report.

Output: frozen records. They are returned to the caller and not written to the ledger, because a mutant is not a
candidate.
"""

from dataclasses import dataclass
from typing import Literal

from proveout.records.values import Digest

TrialOutcome = Literal[
    "caught", "out of time", "survived", "same answers", "does not apply", "not opened", "no verdict"
]
NOTICED: frozenset[TrialOutcome] = frozenset({"caught", "out of time"})
COUNTED: frozenset[TrialOutcome] = NOTICED | {"survived"}


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The result of one mutant."""

    mutant: str
    fate: TrialOutcome
    slip: str  # the mistake that causes it
    what: str  # what was broken here
    check: str = ""  # node id of the check that caught it: the first that did not pass
    message: str = ""  # the check's message; or why there is no result
    by_error: bool = False  # the check raised an error instead of measuring
    not_counted: tuple[str, ...] = ()  # checks that failed, but fail for every mutant, so they catch none
    question: str  # what should catch it
    remedy: str  # the line to add to checks/
    seconds: float = 0.0  # how long its gate run took


@dataclass(frozen=True, kw_only=True)
class MutationReport:
    """Which mutants of one candidate the gate caught."""

    model: str
    candidate: Digest
    champion: Digest | None
    trials: tuple[Trial, ...]
    checks: int  # number of checks that judged the candidate itself
    fail_for_all: tuple[str, ...] = ()  # checks that fail if only the digest changes
    tolerated: int  # mutants that may survive
    workers: int
    seconds: float

    @property
    def counted(self) -> tuple[Trial, ...]:
        """The trials that measure the gate."""
        return tuple(trial for trial in self.trials if trial.fate in COUNTED)

    @property
    def noticed(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.fate in NOTICED)

    @property
    def survivors(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.fate == "survived")

    @property
    def untold(self) -> tuple[Trial, ...]:
        """The trials that should have a result but have none."""
        return tuple(trial for trial in self.trials if trial.fate in ("not opened", "no verdict"))

    @property
    def passed(self) -> bool:
        """Whether the gate caught enough mutants. False if no mutant could be tried."""
        return bool(self.noticed) and len(self.survivors) <= self.tolerated and not self.untold
