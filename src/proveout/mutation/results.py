"""The results of a mutation run: a trial for each mutant, and the report of all.

Input: nothing. Output: frozen records. They go to whoever asked for the run, not into the ledger: what the
gate said of a mutant is no verdict on anything that was trained.
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
    """One mutant before the gate."""

    mutant: str
    fate: TrialOutcome
    slip: str  # what a careless person did to get it
    what: str  # what was broken here
    check: str = ""  # node id of the check that caught it: the first that did not pass
    message: str = ""  # what that check said; or why there is no answer
    by_error: bool = False  # the check broke down rather than measured
    not_counted: tuple[str, ...] = ()  # checks that failed for it, and fail for every mutant: they catch none
    question: str  # what it was meant to trip
    remedy: str  # the line of a check that asks it
    seconds: float = 0.0  # of its run of the gate


@dataclass(frozen=True, kw_only=True)
class MutationReport:
    """What the gate noticed of one candidate's mutants."""

    model: str
    candidate: Digest
    champion: Digest | None
    trials: tuple[Trial, ...]
    checks: int  # that the candidate itself was judged by
    fail_for_all: tuple[str, ...] = ()  # checks that fail for the same answers under another digest
    tolerated: int  # mutants that may survive
    workers: int
    seconds: float

    @property
    def counted(self) -> tuple[Trial, ...]:
        """The trials that say something of the gate."""
        return tuple(trial for trial in self.trials if trial.fate in COUNTED)

    @property
    def noticed(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.fate in NOTICED)

    @property
    def survivors(self) -> tuple[Trial, ...]:
        return tuple(trial for trial in self.trials if trial.fate == "survived")

    @property
    def untold(self) -> tuple[Trial, ...]:
        """The trials that should have an answer and have none."""
        return tuple(trial for trial in self.trials if trial.fate in ("not opened", "no verdict"))

    @property
    def passed(self) -> bool:
        """Whether the gate noticed enough. One that was tried on nothing noticed nothing."""
        return bool(self.noticed) and len(self.survivors) <= self.tolerated and not self.untold
