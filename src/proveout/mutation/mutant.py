"""What a mutant is: a name, the mistake that causes it in real life, what should catch it, and how to make it.

Output: the records that each family of mutants fills in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from proveout.records.answer import TaskName

if TYPE_CHECKING:
    from proveout.model.repack import Change
    from proveout.mutation.context import MutationContext

Shows = Literal["in its answers", "elsewhere"]
"""Whether a mutant changes the answers to held-out rows, or is broken in a way that those rows do not show."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a check must measure to catch a mutant."""

    words: str
    remedy: str  # the line to add to checks/


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One way to break a model."""

    name: str
    slip: str  # the mistake that causes it
    asked: Mapping[TaskName, Question]  # what should catch it, for each task that it can break
    make: "Callable[[MutationContext], Change]"  # raises DoesNotApply
    refits: bool = False  # refits the candidate's own steps and parameters
    shows: Shows = "in its answers"
    first: str = ""  # a test of the ML Test Score; checks that cover it run first, because others would take too long
