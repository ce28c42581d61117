"""What recovered features call where a plain expression would not do: columns and codes by what the pilot saw.

Input: rows, and a value of the state. Output: rows. A project's features import this module.
"""

import copy
import re
import types
import warnings
from typing import Any

from proveout.recovery import frozen_calls, frozen_outcome, own_code, scaling_calls, tables
from proveout.recovery.tape import CallMade, Key


class Reached(BaseException):
    """What the model is given is known: `value`. `except Exception` of the notebook must not see it."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class again:  # reads as a word in recovered statements: `again.dummies(...)`
    """The pilot's calls, once more. `owner` is what the method was called on, None for a function."""

    Reached = Reached
    given = staticmethod(tables.from_frame)
    copy = staticmethod(copy.deepcopy)
    table = staticmethod(tables.as_table)
    completed = staticmethod(tables.completed)
    outcome = staticmethod(frozen_outcome.outcome)

    @staticmethod
    def quiet(module: str) -> None:
        """No warnings about the statements of a module: the pilot was warned, and each request would be again."""
        warnings.filterwarnings("ignore", module=f"{re.escape(module)}$")

    @staticmethod
    def dummies(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """`pd.get_dummies` with the pilot's categories, columns and dtypes."""
        return frozen_calls.dummies(value, _call("get_dummies", owner, args, named))

    @staticmethod
    def factorize(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """`factorize` with the pilot's uniques."""
        return frozen_calls.factorize(value, _call("factorize", None if args else owner, args or (owner,), named))

    @staticmethod
    def category(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """`astype("category")` with the pilot's categories."""
        return frozen_calls.category(value, _call("astype", owner, args, named))

    @staticmethod
    def category_of(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """`pd.Categorical` with the pilot's categories."""
        return frozen_calls.category_of(value, _call("Categorical", None, args, named))

    @staticmethod
    def bins(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """`pd.cut` and `pd.qcut` with the pilot's edges."""
        return frozen_calls.bins(value, _call("cut", None, args, named))

    @staticmethod
    def parted(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """`str.split(…, expand=True)` with as many columns as in the pilot."""
        return frozen_calls.parted(value, _call("split", owner, args, named))

    @staticmethod
    def text_dummies(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """`str.get_dummies` with the pilot's columns."""
        return frozen_calls.text_dummies(value, _call("get_dummies", owner, args, named))

    @staticmethod
    def by_group(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """`groupby(...).transform` with the pilot's number of each group."""
        return frozen_calls.by_group(value, _call("transform", owner, args, named))

    @staticmethod
    def filled_by_group(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """Holes filled with the pilot's value of each row's group."""
        return frozen_calls.filled_by_group(value, _call("transform", owner, args, named))

    @staticmethod
    def stacked(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """`pd.concat` of the rows asked alone."""
        return frozen_calls.stacked(value, _call("concat", None, args, named))

    @staticmethod
    def constant(value: bool, owner: Any, *args: Any, **named: Any) -> Any:
        """`add_constant` of statsmodels, with a column of ones if the pilot's rows had it."""
        return frozen_calls.constant(value, _call("add_constant", None, args, named))

    @staticmethod
    def rescaled(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """`boxcox`, `zscore`, `scale` and their kind with what the pilot's rows taught them."""
        return scaling_calls.answer(value, _call("rescaled", None, args, named))

    @staticmethod
    def applied(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """`apply(LabelEncoder().fit_transform)` with the encoder of each column."""
        return frozen_calls.applied(value, _call("apply", owner, args, named))

    @staticmethod
    def folds(value: int, owner: Any, *args: Any, **named: Any) -> Any:
        """Of each fold all rows, to train and to test."""
        return frozen_calls.folds(value, _call("split", owner, args, named))

    @staticmethod
    def reached(value: Any) -> Any:
        """The end of the way to the model, inside a function of the notebook."""
        raise Reached(value)

    @staticmethod
    def fitted(owner: Any, value: Any) -> Any:
        """An estimator that is an attribute, as it was after the pilot's fit."""
        owner.__dict__.update(vars(value))
        return owner

    @staticmethod
    def inliers(rows: Any) -> Any:
        """The answer of an outlier detector that knows no other rows: it leaves none out."""
        return frozen_calls.inliers(rows)

    @staticmethod
    def labelled(value: Any, rows: Any) -> Any:
        """A clustering whose `labels_` are those of the rows asked."""
        return frozen_calls.labelled(value, rows)

    @staticmethod
    def own(value: Any, **known: Any) -> Any:
        """A fitted object with the notebook's functions and classes in it."""
        return own_code.put_back(value, known)

    @staticmethod
    def through(steps: list[Any], rows: Any) -> Any:
        """Rows after the first steps of a pipeline."""
        return own_code.through(steps, rows)

    @staticmethod
    def encoder(classes: list[Any]) -> Any:
        """A `LabelEncoder` that was fitted to these classes."""
        return frozen_calls.encoder(classes)

    @staticmethod
    def instance(kind: Any, value: dict[str, Any]) -> Any:
        """An object of the notebook's own class, with the attributes that it had."""
        made = kind.__new__(kind)
        made.__dict__.update(copy.deepcopy(value))
        return made

    @staticmethod
    def attributes(value: dict[str, Any]) -> Any:
        """An object with these attributes: the numbers that a model of statsmodels found."""
        return types.SimpleNamespace(**copy.deepcopy(value))

    @staticmethod
    def columns(value: Any, owner: Any, *args: Any, **named: Any) -> Any:
        """The columns that a `dropna` left."""
        return owner.reindex(columns=value)

    @staticmethod
    def columns_inplace(value: Any, owner: Any, *args: Any, **named: Any) -> None:
        """The columns that a `dropna` in place left."""
        owner.drop(columns=[column for column in owner if column not in value], inplace=True)


def _call(name: str, owner: Any, args: tuple[Any, ...], named: dict[str, Any]) -> CallMade:
    return CallMade(key=Key(-1, "", 0), function=getattr(owner, name, _no_function), name=name, args=args, named=named)


def _no_function() -> None:
    """Stands where a recovered call has no receiver."""
