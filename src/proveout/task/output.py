"""The output columns of many answers, for tensor protocols."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from proveout.records.answer import Answer
from proveout.records.values import TargetValue

Kind = Literal["float", "bool", "int", "str"]


@dataclass(frozen=True)
class Output:
    """One column: its name, the kind of its values, and how to get them from an answer.

    With a `width`, each row has this many values; all are None if the answer has none.
    """

    name: str
    kind: Kind
    of: Callable[[Answer], TargetValue | Sequence[float] | None]
    width: int | None = None
