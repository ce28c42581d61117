"""What a mutant is: a name, the slip that makes one in real life, who should notice, and how it is made here.

Input: nothing. Output: the records that each family of mutants fills in.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from proveout.records.answer import TaskName

if TYPE_CHECKING:
    from proveout.model.repack import Change
    from proveout.mutation.context import MutationContext

Shows = Literal["in its answers", "elsewhere"]
"""Whether a mutant answers the held-out rows otherwise, or is broken in what those rows do not show."""


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a gate has to ask to catch a mutant."""

    words: str
    remedy: str  # the line to add to checks/ that asks it


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One way to break a model."""

    name: str
    slip: str  # what a careless person did to get it
    asked: Mapping[TaskName, Question]  # what it is meant to trip, for each task that it can break
    make: "Callable[[MutationContext], Change]"  # raises DoesNotApply
    refits: bool = False  # fitted again, by the candidate's own steps and parameters
    shows: Shows = "in its answers"
    first: str = ""  # a test of the ML Test Score: what covers it is asked first, for all else would take too long
