"""What a statement leaves behind that is no row: a count of words, a list of the frequent ones, a sum by hand.

No single call learned it: a loop did, or a generator, and one row alone would leave another one. Each statement's names
are noted while the notebook runs. Where its way from raw rows fails for one row, those that this row leaves otherwise
are kept as the pilot's rows left them.

Input: a tape, a replay, raw rows. Output: for each statement the names and their values.
"""

import ast
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from proveout.recovery.program_slice import Effects
from proveout.recovery.tables import FEWEST_ROWS, kept, rows_of
from proveout.recovery.tape import Tape

_MOST_VALUES = 50_000
_SCALARS = (bool, int, float, str, bytes, type(None), np.generic, pd.Timestamp, pd.Timedelta)
_CONTAINERS = (list, tuple, set, frozenset, dict)


@dataclass(kw_only=True)
class LeftValues:
    """By statement, what it left. `instead` are those that need not run, because all that counts of them is kept."""

    values: dict[int, dict[str, Any]] = field(default_factory=dict)
    instead: set[int] = field(default_factory=set)

    def put(self, place: int, space: dict[str, Any]) -> None:
        """Bind the names of a statement."""
        space.update({name: kept(value) for name, value in self.values.get(place, {}).items()})


def note(tape: Tape) -> None:
    """Note what the statement that has just run left behind. Never raises."""
    place = tape.statement
    if not 0 <= place < len(tape.statements) or place in tape.left:
        return
    try:
        found = {
            name: value
            for name in _bound(tape.statements[place].source)
            if name in tape.names and (value := _noted(tape.names[name], tape)) is not None
        }
    except Exception:  # somebody's objects may raise at anything
        return
    if found:
        tape.left[place] = found


def _bound(source: str) -> set[str]:
    tree = ast.parse(source).body[0]
    if isinstance(tree, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
        return set()
    effects = Effects(tree, {}, frozenset())
    return effects.strong | effects.weak


def _noted(value: Any, tape: Tape) -> Any:
    """A copy of a value that holds no rows and is no object of a library; None for another."""
    if isinstance(value, _SCALARS):
        return value
    if isinstance(value, pd.DataFrame | pd.Series | np.ndarray):
        rows = rows_of(value) or 0
        return kept(value) if value.size <= _MOST_VALUES and rows not in _row_counts(tape) else None
    if not isinstance(value, _CONTAINERS) or len(value) in _row_counts(tape) or not _is_plain(value):
        return None
    copied = kept(value)
    return dict(copied) if isinstance(value, dict) and type(value) not in (dict, Counter) else copied


def _row_counts(tape: Tape) -> set[int]:
    return {count for count in tape.row_counts if count >= FEWEST_ROWS}


def _is_plain(value: Any, depth: int = 3) -> bool:
    if isinstance(value, _SCALARS):
        return True
    if not depth or not isinstance(value, _CONTAINERS) or len(value) > _MOST_VALUES:
        return False
    parts = [*value, *value.values()] if isinstance(value, dict) else value
    return all(_is_plain(part, depth - 1) for part in parts)


def watched(tape: Tape, places: Sequence[int]) -> Mapping[int, tuple[frozenset[str], dict[str, Any]]]:
    """Of each statement of a slice the names that others read, and of those that were noted the values."""
    effects = {place: Effects(ast.parse(tape.statements[place].source).body[0], {}, frozenset()) for place in places}
    reads = {place: effect.uses | effect.weak for place, effect in effects.items()}
    found = {}
    for place in places:
        bound = _bound(tape.statements[place].source)
        # A function may stand above what it reads.
        read = set().union(*(names for other, names in reads.items() if other > place or _is_function(tape, other)))
        live = frozenset(bound & read)
        found[place] = live, {name: value for name, value in tape.left.get(place, {}).items() if name in live}
    return found


def _is_function(tape: Tape, place: int) -> bool:
    return tape.statements[place].source.startswith(("def ", "class ", "@", "async def "))


def equal(one: Any, other: Any) -> bool:
    """Whether two noted values are the same."""
    if type(one) is not type(other):
        return False
    if isinstance(one, pd.DataFrame | pd.Series):
        return bool(one.equals(other))
    if isinstance(one, np.ndarray):
        return (
            one.shape == other.shape
            and bool((pd.isna(one) == pd.isna(other)).all())
            and bool((one[~pd.isna(one)] == other[~pd.isna(other)]).all())
        )
    return repr(one) == repr(other) if isinstance(one, float) else bool(one == other)
