"""A `Finding`: what the doctor says of one thing. It is well, or has a note, or is a fault that has to be mended.

Input: a look at one thing, a function. Output: its finding; whatever it raises is a fault.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from proveout.errors import sentence_of

State = Literal["ok", "note", "fault"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What was found of one thing. A `note` is a next step; a `fault` stops a command of proveout."""

    name: str
    state: State
    said: str
    remedy: str = ""


def well(name: str, said: str) -> Finding:
    """It is as it should be."""
    return Finding(name=name, state="ok", said=said)


def note(name: str, said: str, remedy: str) -> Finding:
    """Nothing is broken, and something is still to do, or soon will be."""
    return Finding(name=name, state="note", said=said, remedy=remedy)


def fault(name: str, said: str, remedy: str) -> Finding:
    """A command of proveout fails because of it."""
    return Finding(name=name, state="fault", said=said, remedy=remedy)


def look(name: str, at: Callable[[], Finding]) -> Finding:
    """What `at` finds. An error that it raises is a fault, with the remedy that the error has.

    Any error counts, also a missing module: the doctor is asked where something is broken.
    """
    try:
        return at()
    except Exception as error:
        remedy = getattr(error, "remedy", "")
        said = sentence_of(error) or f"{type(error).__name__}: {error}"
        said = said.removesuffix(".").removesuffix(remedy).rstrip(". ") if remedy else said
        return fault(name, said, remedy)
