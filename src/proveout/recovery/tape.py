"""What is remembered of one run of a notebook, and who is asked at each call: the recorder, or the replay.

Input: calls, from the instrumented cells. Output: sources, splits, fits, predictions and metrics; and what each call
learned from the rows.
"""

import ast
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proveout.recovery.tables import FEWEST_ROWS, rows_of


class Key(NamedTuple):
    """One call: the top-level statement that runs, the site in the source, and how often that site was reached in it.

    A site alone would be wrong: loops, and helpers that are called from several cells.
    """

    statement: int
    site: str
    turn: int


# What a call did, seen from serving: how it is answered on other rows.
Kind = Literal[
    "source", "split", "select", "select_inplace", "columns", "columns_inplace", "fit", "partial_fit", "fit_transform",
    "fit_predict", "fit_resample", "learned", "score", "ask", "dummies", "factorize", "category", "category_of", "bins",
    "by_group", "filled_by_group", "folds", "row_range",
    "applied", "stacked", "wrapped", "constant", "parted", "rescaled", "text_dummies",
]  # fmt: skip
FITS: frozenset[Kind] = frozenset({"fit", "fit_transform", "partial_fit", "fit_predict"})


JOINS = frozenset({"concat", "merge"})  # calls that may make raw rows of several files


ANSWER = -1  # in the place of an argument: what the call itself answers


@dataclass(frozen=True, kw_only=True)
class Statement:
    """A top-level statement. `cell` counts all cells of the notebook from 0; `node` is what ran, instrumented."""

    cell: int
    source: str
    node: ast.stmt


@dataclass(frozen=True, kw_only=True, eq=False)
class Source:
    """A call that brought rows in. `asked` is its first argument as text."""

    key: Key
    name: str
    asked: str
    rows: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """A call of train_test_split: the places it drew, the labels of the index, and what it handed out."""

    key: Key
    of: int
    train: Any
    test: Any
    labels: tuple[Any, ...]
    sides: dict[int, int]  # id of an output: 0 for the training side, 1 for the other
    outputs: tuple[Any, ...]
    before: tuple[Any, ...]  # copies, taken before the notebook changed them in place


@dataclass(frozen=True, kw_only=True, eq=False)
class Fit:
    """A call of fit and its kind."""

    key: Key
    name: str
    model: Any
    inputs: Any
    truth: Any


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """A call of predict or score, with the state that the model had then."""

    key: Key
    name: str
    model: Any
    state: dict[str, Any]
    inputs: Any
    inputs_id: int
    inputs_name: str | None
    rows: int | None
    answers: Any
    truth: Any
    argument: int = 0  # which argument of the call holds the inputs, or the answers where no estimator gave them


@dataclass(frozen=True, kw_only=True, eq=False)
class MetricCall:
    """A call of sklearn.metrics, and the number it gave, if it gave one.

    `plain` says that it was given the truth and the answers alone: `average="macro"` makes another number.
    """

    key: Key
    name: str
    arguments: tuple[Any, ...]
    value: float | None
    plain: bool = True


@dataclass(frozen=True, kw_only=True, eq=False)
class CallMade:
    """A call that a cell makes, with the first argument in `args` also where the cell names it."""

    key: Key
    function: Callable[..., Any]
    name: str
    args: tuple[Any, ...]
    named: dict[str, Any]

    @property
    def receiver(self) -> Any:
        """What a method is called on; None for a function."""
        return getattr(self.function, "__self__", None)

    def run(self) -> Any:
        """The call as written."""
        return self.function(*self.args, **self.named)

    def argument(self, position: int, name: str) -> Any:
        """The argument of that position, else of that name, else None."""
        return self.args[position] if position < len(self.args) else self.named.get(name)


class Answering(Protocol):
    """Who answers calls: the recorder while the pilot runs, the replay afterwards."""

    def call(self, call: CallMade) -> Any:
        """The answer of one call."""

    def item(self, key: Key, value: Any, index: Any) -> Any:
        """The answer of one read of an item."""


@dataclass(kw_only=True)
class Tape:
    """Everything that is remembered of one run."""

    statements: list[Statement] = field(default_factory=list)
    kinds: dict[Key, Kind] = field(default_factory=dict)
    frozen: dict[Key, Any] = field(default_factory=dict)
    order: list[Key] = field(default_factory=list)  # of what is frozen
    row_counts: set[int] = field(default_factory=set)  # of what came out of a source or was selected from it
    sources: list[Source] = field(default_factory=list)
    joined: dict[Key, Any] = field(default_factory=dict)  # of files put one below the other: which table is which
    splits: list[Split] = field(default_factory=list)
    fits: list[Fit] = field(default_factory=list)
    predictions: list[Prediction] = field(default_factory=list)
    metrics: list[MetricCall] = field(default_factory=list)
    columns: dict[int, tuple[Any, Any]] = field(
        default_factory=dict
    )  # by id: what was read of answers, and all of them
    redirected: list[tuple[str, str]] = field(default_factory=list)  # a path asked for, the file that was read
    lost: list[tuple[int, str]] = field(default_factory=list)  # cells, and what Python said of an import or a drawing
    begun: set[int] = field(default_factory=set)
    failed: set[int] = field(default_factory=set)
    unshown: set[int] = field(default_factory=set)  # those that failed, and would only have shown something
    held_back: tuple[pd.DataFrame, NDArray[np.bool_]] | None = None  # all raw rows, and which the notebook never saw
    names: dict[str, Any] = field(default_factory=dict)  # the notebook's own namespace
    lambdas: dict[str, str] = field(default_factory=dict)  # the name that each got, and its source
    shares: set[str] = field(default_factory=set)  # sites of `len(rows)` and `rows.shape[0]` in a division
    outcomes: dict[Any, Any] = field(default_factory=dict)  # ways to an outcome that were looked for: models share them
    left: dict[int, dict[str, Any]] = field(default_factory=dict)  # by statement: names of what is no row
    answering: Answering | None = None
    statement: int = -1
    cell: int = 0  # the one that runs, among all cells of the notebook
    _turns: dict[str, int] = field(default_factory=dict)

    def begin(self, statement: int) -> None:
        """A top-level statement starts."""
        self.statement, self._turns = statement, {}
        self.begun.add(statement)

    def lost_import(self, error: Exception) -> None:
        """An import failed. The rest of its cell runs."""
        self._lose(error)

    def lost_show(self, error: Exception) -> None:
        """A statement that only shows something failed. The rest of its cell runs."""
        self.failed.add(self.statement)
        self.unshown.add(self.statement)
        self._lose(error)

    def _lose(self, error: Exception) -> None:
        lost = (self.cell, f"{type(error).__name__}: {error}")
        if lost not in self.lost:
            self.lost.append(lost)
            print(lost[1], file=sys.stderr)  # into the cell's output, as its author would see it

    def key(self, site: str) -> Key:
        """The key of the call at `site` now."""
        turn = self._turns.get(site, -1) + 1
        self._turns[site] = turn
        return Key(self.statement, site, turn)

    def whole(self, value: Any) -> Any:
        """The answers of which a value is the last column, as the probability of the event is; else the value."""
        return self.columns[id(value)][1] if id(value) in self.columns else value

    def is_rows(self, value: Any) -> bool:
        """Whether a value holds rows of the data, by their number."""
        rows = rows_of(value)
        return rows is not None and rows >= FEWEST_ROWS and rows in self.row_counts

    def count_rows(self, *values: Any) -> None:
        """Remember the numbers of rows of `values`: they are data from now on."""
        self.row_counts.update(rows for value in values if (rows := rows_of(value)) and rows >= FEWEST_ROWS)

    def call(self, site: str, function: Any) -> Any:
        """What stands in a cell in the place of a function: the function itself, or one that asks who answers."""
        answering = self.answering
        name = getattr(function, "__name__", "")
        if answering is None or name in _BY_FRAME:
            return function
        key = self.key(site)
        asks = name == "query" and isinstance(getattr(function, "__self__", None), pd.DataFrame)

        def answered(*args: Any, **named: Any) -> Any:
            first = FIRST.get(name)
            if asks:  # pandas looks for `@name` in the frame of its caller, which is this one
                caller = sys._getframe(1)
                named = {"local_dict": caller.f_locals, "global_dict": caller.f_globals, **named}
            if first is not None and not args and first in named:
                args = (named.pop(first),)
            return answering.call(CallMade(key=key, function=function, name=name, args=args, named=named))

        return answered

    def item(self, site: str, value: Any, index: Any) -> Any:
        """What stands in a cell in the place of `value[index]`."""
        if self.answering is None:
            return value[index]
        return self.answering.item(self.key(site), value, index)


# These read the frame of their caller: `df.eval("a > @b")`, formulas.
_BY_FRAME = frozenset({"eval", "ols", "logit", "glm", "from_formula", "dmatrices", "dmatrix", "show"})
# The first argument of these, where it is given by name.
FIRST = {
    "get_dummies": "data", "predict": "X", "transform": "X", "fit": "X", "fit_transform": "X", "cut": "x", "qcut": "x",
    "predict_proba": "X", "score": "X", "fit_resample": "X", "read_csv": "filepath_or_buffer", "read_excel": "io",
    "read_table": "filepath_or_buffer", "read_json": "path_or_buf", "read_parquet": "path", "read_feather": "path",
    "read_pickle": "filepath_or_buffer", "open": "file", "loadtxt": "fname", "genfromtxt": "fname", "load": "file",
    "query": "expr", "add_constant": "data", "DMatrix": "data", "Dataset": "data",
}  # fmt: skip
