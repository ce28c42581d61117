"""The columns of many answers, for protocols that speak in tensors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from proveout.records.answer import Answer
from proveout.records.values import TargetValue

Kind = Literal["float", "bool", "int", "str"]


@dataclass(frozen=True)
class Output:
    """One column: what it is called, of which kind its values are, and what an answer has in it.

    With a `width` each row has so many values, all of them None where there are none.
    """

    name: str
    kind: Kind
    of: Callable[[Answer], TargetValue | Sequence[float] | None]
    width: int | None = None
