"""What becomes of rows and models in a notebook: the records of it.

`flow_reader` fills them in. Output: `Flow`: splits, fits, statistics, predictions, measurements and saves, and where.
"""

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from proveout.pilot.audit import estimators

Part = Literal["whole", "train", "test", ""]
_TRAIN = re.compile(r"(?:^|_|[a-z0-9])(?:train|trn|tr|training)(?:_|\d|$|ing|[A-Z])|^train|Train", re.ASCII)
_TEST = re.compile(
    r"(?:^|_)(?:test|tst|ts|te|val|valid|validation|holdout|eval|dev|oos)(?:_|\d|$|ing)|[xXyYd]_?(?:test|val)|Test",
    re.ASCII,
)


FOLDS = 10**9  # stands for a split where the sides change: the folds of a loop


@dataclass(frozen=True, kw_only=True)
class Value:
    """What is known of a variable. `fits` and `learned` are what went into it of `Flow.fits` and `Flow.statistics`."""

    part: Part = ""
    split: int = -1  # the place in `Flow.splits` that it came out of
    estimator: str = ""  # the dotted name of its class
    parts_of: tuple[str, ...] = ()  # classes inside a pipeline, a search, a list or a dict of models
    prediction_of: str = ""  # the variable of the model that gave it
    fits: frozenset[int] = frozenset()
    learned: frozenset[int] = frozenset()  # statistics of rows that are in these rows now
    statistic: frozenset[int] = frozenset()  # statistics that this is, without rows of its own
    columns_of: str = ""  # the frame that it is a column or a selection of
    column: str = ""  # the one column that it is
    grouped: bool = False
    held: str = ""  # the variable it was made in
    holds: frozenset[str] = frozenset()  # variables that were put into it

    @property
    def is_rows(self) -> bool:
        """Whether it holds rows, as far as is known: no estimator, and no statistic of them."""
        return bool(self.held or self.columns_of or self.part) and not (self.estimator or self.statistic)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where something happens: `cell` counts all cells from 0, `line` from 1 in the cell."""

    cell: int
    line: int
    node: ast.Call
    statement: ast.stmt
    function: str = ""  # the function whose body it stands in
    in_loop: bool = False


@dataclass(frozen=True, kw_only=True)
class Split:
    """A call that cuts rows in two, or two slices of the same rows. `cell` and `line` are where."""

    cell: int
    line: int
    given: tuple[Value, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A call of fit, fit_transform, fit_predict or fit_resample. `on` is the first argument."""

    at: Place
    method: str
    receiver: str  # the variable, or "" where the estimator has none
    estimator: Value
    on: Value
    on_text: str
    target_text: str
    by_function: bool = False  # a function of the notebook fits, and this is a call of it


@dataclass(frozen=True, kw_only=True)
class Applied:
    """A call of transform or predict."""

    at: Place
    method: str
    receiver: str
    estimator: Value
    on: Value
    on_text: str


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A metric, a `score` or a cross-validation: of which model, on which rows."""

    at: Place
    name: str
    model: str
    on: Value
    folds: bool = False
    fits: frozenset[int] = frozenset()  # places in `Flow.fits` of the model that is measured
    truth: str = ""  # the source of what the answers are compared with
    by_function: bool = False  # a function of the notebook does it, and this is a call of it


@dataclass(frozen=True, kw_only=True)
class Saved:
    """An object that a call writes out. `variable` may be "" where it has none."""

    at: Place
    name: str
    variable: str
    value: Value


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """A number or a table that a call learned from rows."""

    at: Place
    name: str
    on: Value


@dataclass(frozen=True, kw_only=True)
class Called:
    """A call, with what is known of its receiver and its arguments."""

    node: ast.Call
    at: Place
    name: str  # dotted, imports resolved
    method: str  # "" for a plain function
    receiver: Value
    given: tuple[Value, ...]
    named: Mapping[str, Value]

    @property
    def arguments(self) -> list[Value]:
        """All arguments."""
        return [*self.given, *self.named.values()]

    @property
    def variable(self) -> str:
        """The variable that a method is called on, or ""."""
        inner = self.node.func.value if isinstance(self.node.func, ast.Attribute) else None
        return inner.id if isinstance(inner, ast.Name) else ""

    def argument(self, position: int, *names: str) -> Value:
        """The argument of that position, or of one of the names."""
        if position < len(self.given):
            return self.given[position]
        return next((self.named[name] for name in names if name in self.named), Value())

    def text(self, position: int, *names: str) -> str:
        """The source of that argument, or ""."""
        if position < len(self.node.args):
            return ast.unparse(self.node.args[position])
        return next((ast.unparse(one.value) for one in self.node.keywords if one.arg in names), "")


@dataclass(kw_only=True)
class Flow:
    """All that happened to rows and models, in order."""

    splits: list[Split] = field(default_factory=list)
    fits: list[Fit] = field(default_factory=list)
    applied: list[Applied] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    saved: list[Saved] = field(default_factory=list)
    statistics: list[Statistic] = field(default_factory=list)
    variables: dict[str, Value] = field(default_factory=dict)  # at the notebook's end
    fitted: dict[str, frozenset[int]] = field(default_factory=dict)  # places in `fits`, by the variable of the model

    def models(self) -> Iterator[Fit]:
        """Fits of what answers: models, searches, networks, and pipelines that end in one."""
        return (fit for fit in self.fits if is_model(fit.estimator))

    def transformers(self) -> Iterator[Fit]:
        """Fits of transformers alone."""
        return (fit for fit in self.fits if estimators.role(fit.estimator.estimator) == "transformer")


def is_model(value: Value) -> bool:
    """Whether the value answers questions once it is fitted."""
    role = estimators.role(value.estimator)
    inside = any(estimators.role(name) in ("model", "network", "search") for name in value.parts_of)
    if role == "pipeline":
        return not value.parts_of or inside
    if not value.estimator:
        return inside  # one of a list of models
    return role in ("model", "search", "network")


def hinted(name: str) -> Part:
    """The part that a variable's name promises.

    >>> hinted("X_train"), hinted("y_test"), hinted("xtrain_scaled"), hinted("trained"), hinted("data")
    ('train', 'test', 'train', '', '')
    """
    if re.search(r"train(ed|er|able)", name, re.IGNORECASE):
        return ""
    if _TEST.search(name):
        return "test"
    return "train" if _TRAIN.search(name) else ""


def joined(values: Sequence[Value]) -> Value:
    """What an expression is that several values went into."""
    parts = {value.part for value in values} - {""}
    part: Part = next(iter(parts)) if len(parts) == 1 else ("whole" if parts else "")
    classes = tuple(
        name for value in values for name in ((value.estimator,) if value.estimator else value.parts_of) if name
    )
    statistic = frozenset[int]().union(*(value.statistic for value in values))
    learned = frozenset[int]().union(*(value.learned for value in values))
    # A statistic among rows is in the rows now; among other statistics it stays one.
    mixed = any(value.is_rows for value in values)
    return Value(
        part=part,
        split=max((value.split for value in values), default=-1),
        fits=frozenset[int]().union(*(value.fits for value in values)),
        learned=learned | statistic if mixed else learned,
        statistic=frozenset() if mixed else statistic,
        parts_of=classes,
        prediction_of=next((value.prediction_of for value in values if value.prediction_of), ""),
        columns_of=next((value.columns_of or value.held for value in values if value.columns_of or value.held), ""),
        holds=frozenset(value.held for value in values if value.held),
    )
