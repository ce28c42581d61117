"""What becomes of rows and models in a notebook: the records of it.

`flow_reader` fills them in. Output: `Flow`: splits, fits, transforms, predictions, measurements and saves, each with its
place.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

from proveout.pilot.audit import estimators

Part = Literal["whole", "train", "test", ""]
_TRAIN = re.compile(r"(?:^|_|[a-z0-9])(?:train|trn|tr|training)(?:_|\d|$|ing|[A-Z])|^train|Train", re.ASCII)
_TEST = re.compile(
    r"(?:^|_)(?:test|tst|ts|te|val|valid|validation|holdout|eval|dev|oos)(?:_|\d|$|ing)|[xXyY]_?(?:test|val)|Test",
    re.ASCII,
)


@dataclass(frozen=True, kw_only=True)
class Value:
    """What is known of a variable. `fits` are the places in `Flow.fits` whose learned state went into it."""

    part: Part = ""
    split: int = -1  # the place in `Flow.splits` that it came out of
    estimator: str = ""  # the dotted name of its class
    parts_of: tuple[str, ...] = ()  # classes inside a pipeline, a search, a list or a dict of models
    prediction_of: str = ""  # the variable of the model that gave it
    fits: frozenset[int] = frozenset()
    columns_of: str = ""  # the frame that it is a column or a selection of
    held: str = ""  # the variable it was made in


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
    """A call that cuts rows in two."""

    at: Place
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


@dataclass(frozen=True, kw_only=True)
class Saved:
    """An object that a call writes out. `variable` may be "" where it has none."""

    at: Place
    name: str
    variable: str
    value: Value


@dataclass(kw_only=True)
class Flow:
    """All that happened to rows and models, in order."""

    splits: list[Split] = field(default_factory=list)
    fits: list[Fit] = field(default_factory=list)
    applied: list[Applied] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    saved: list[Saved] = field(default_factory=list)
    statistics: list[tuple[Place, str, Value]] = field(default_factory=list)
    variables: dict[str, Value] = field(default_factory=dict)

    def models(self) -> Iterator[Fit]:
        """Fits of what answers: models, searches, networks, and pipelines that end in one."""
        return (fit for fit in self.fits if is_model(fit.estimator))

    def transformers(self) -> Iterator[Fit]:
        """Fits of transformers alone."""
        return (fit for fit in self.fits if estimators.role(fit.estimator.estimator) == "transformer")


def is_model(value: Value) -> bool:
    """Whether the value answers questions once it is fitted."""
    role = estimators.role(value.estimator)
    if role == "pipeline":
        return not value.parts_of or any(estimators.role(name) in ("model", "network") for name in value.parts_of)
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
