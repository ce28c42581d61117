"""An adopted notebook: what a training run has to know of the pilot that it runs.

Output: `AdoptedNotebook`; `proveout adopt` writes it as flows/adopted.json.
"""

from dataclasses import dataclass
from typing import Literal

from proveout.records.values import TargetValue


@dataclass(frozen=True, kw_only=True)
class CallPlace:
    """A call in a notebook: the same place in every run of the same cells."""

    cell: int  # of the statement that runs, counted from 0 over all cells of the pilot's file
    statement: int  # among the top-level statements of the cell
    call: int  # among the calls and reads of items in the cell where it is written
    turn: int  # how often that call was reached in its statement before
    written_in: int | None = None  # the cell where the call is written, if it stands in a function of another cell


@dataclass(frozen=True, kw_only=True)
class RawColumn:
    """A column of the raw rows as the pilot read them. `index`: it was their index, or a level of it.

    `categories` are those of a categorical column, in their order: the dummies of a notebook have it.
    """

    name: str | int
    dtype: str
    index: bool = False
    categories: tuple[TargetValue, ...] = ()
    ordered: bool = False


@dataclass(frozen=True, kw_only=True)
class RenamedClass:
    """A class of the pilot's model, and how the project calls it."""

    was: TargetValue
    now: TargetValue


SourceForm = Literal["frame", "other", "split"]
"""What the reading call gives: a table; another form, such as that of scikit-learn's data sets; or rows for a split."""


@dataclass(frozen=True, kw_only=True)
class AdoptedNotebook:
    """Which call of a notebook reads the raw rows, and which prediction is that of its model.

    `skipped_cells` do not run: they raised in the pilot, or take long, and the model needs nothing of them.
    `raising_cells` raised after the statements that it needs, and of `idle_cells` it needs nothing: they may raise.
    `held_back` is the share of the raw rows that the notebook does not get, because it fits its model to all of them:
    then `prediction` is the place of that fit. `learns_unknown`: the pilot learned from rows without an outcome,
    because it fills the outcome in.
    """

    prediction: CallPlace
    source: CallPlace
    source_form: SourceForm
    columns: tuple[RawColumn, ...]
    held_back: float = 0.0
    learns_unknown: bool = True
    classes: tuple[RenamedClass, ...] = ()
    skipped_cells: tuple[int, ...] = ()
    raising_cells: tuple[int, ...] = ()
    idle_cells: tuple[int, ...] = ()
