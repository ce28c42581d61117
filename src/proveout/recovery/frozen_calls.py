"""What a call answers when the same statements run again on other rows: what was learned stays as it was learned.

Rows are never left out: a filter of training is no reason to give no answer. A split gives every row to its test side.
Fitted state comes back instead of a fit. Counts, means and vocabularies are those of the pilot's own run.
"""

import copy
from collections.abc import Callable, Container, Mapping
from typing import Any

import numpy as np
import pandas as pd

from proveout.recovery import scaling_calls
from proveout.recovery.tables import kept, rows_of
from proveout.recovery.tape import ANSWER, FITS, CallMade, Key, Tape

ROW = "__row__"  # a column that is handed in once, to learn where each row went
# Where the pilot's filters apply, its order does not.
_ORDERS = frozenset({"sample", "shuffle", "resample", "sort_values", "sort_index"})


class Captured(BaseException):
    """The prediction was reached: `value` is what the model is given. `except Exception` must not see it."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


class FrozenCalls:
    """Answers calls for one replay.

    Args:
        tape: of the pilot's run.
        target: the call at which the replay ends.
        argument: which argument of that call is taken.
        feed: the rows in the place of a source: the key of the source, and what it gave.
        rows: how many are asked.
        primary: the split at which rows are handed in, where no source is known.
        same: the calls that read the rows asked.
        keep_filters: whether the pilot's filters of rows apply, to compare all rows at once.
        both_sides: whether a split gives the rows asked to its training side too; else that has the pilot's own rows.
    """

    def __init__(
        self,
        tape: Tape,
        *,
        target: Key,
        argument: int,
        feed: Callable[[Key, Any], Any],
        rows: int,
        primary: Key,
        same: Container[Key],
        keep_filters: bool,
        both_sides: bool,
    ) -> None:
        self.tape, self.target, self.argument, self.feed, self.primary = tape, target, argument, feed, primary
        self.keep_filters, self.both_sides, self.rows, self.same = keep_filters, both_sides, rows, same
        self.indexes: dict[int, pd.Index[Any]] = {}  # of the last table of each length
        self.gaps: dict[int, pd.Index[Any]] = {}  # of the last one whose index does not count from 0
        self.origin: Any = None  # the raw row of each row of the last table that carried the column ROW

    def call(self, call: CallMade) -> Any:
        """The answer of one call on the rows asked."""
        self._see(call.receiver, *call.args)
        if call.key == self.target:
            name = "y" if call.name in ("fit", "score") else ("y_true", "y_pred")[max(0, min(self.argument, 1))]
            raise Captured(call.run() if self.argument == ANSWER else call.argument(self.argument, name))
        kind, value = self.tape.kinds.get(call.key), self.tape.frozen.get(call.key)
        filters = kind in ("select", "select_inplace")
        if kind is None or kind == "ask" or (filters and self.keep_filters and call.name not in _ORDERS):
            return call.run()
        if kind == "source":
            return self._source(call, value)
        if kind == "split":
            return self._split(call)
        if kind == "row_range":
            return call.run() if self.keep_filters else range(int(call.args[0]) if call.args[1:] else 0, self.rows)
        if kind in ("learned", "score"):
            again = kept(value)
            return value if again is None else again
        return _fitted(kind, value, call) if kind in FITS else ANSWERS[kind](value, call)

    def _source(self, call: CallMade, value: Any) -> Any:
        if call.key in self.tape.joined and call.key not in self.same:
            return stacked(self.tape.joined[call.key], call)  # the rows asked are those of one of its files
        return self.feed(call.key, value)

    def item(self, key: Key, value: Any, index: Any) -> Any:
        """`value[index]`, without leaving rows out."""
        self._see(value)
        if self.tape.kinds.get(key) == "learned":
            return self.tape.frozen[key]
        if self.tape.kinds.get(key) != "select" or self.keep_filters:
            return value[index]
        if isinstance(index, tuple) and len(index) > 1:
            return value[(slice(None), *index[1:])]
        if type(value).__name__ in ("_LocIndexer", "_iLocIndexer"):
            return value[slice(None)].copy()
        return value.copy() if hasattr(value, "copy") else value

    def _see(self, *values: Any) -> None:
        for value in values:
            table = value.obj if type(value).__name__ in ("_LocIndexer", "_iLocIndexer") else value
            if isinstance(table, pd.DataFrame):
                self.indexes[len(table)] = index = table.index
                if not (isinstance(index, pd.RangeIndex) and index.start == 0 and index.step == 1):
                    self.gaps[len(table)] = index
                self.origin = table[ROW].to_numpy() if ROW in table.columns else self.origin

    def _split(self, call: CallMade) -> list[Any]:
        given = self.feed(call.key, call.args) if call.key == self.primary else call.args
        made = [kept(one) for one in given for _ in (0, 1)]  # two objects: notebooks change them in place
        if not self.both_sides:
            split = next(one for one in self.tape.splits if one.key == call.key)
            made[::2] = [kept(one) for one in split.before[::2]]
        return made


def _fitted(kind: str, value: Any, call: CallMade) -> Any:
    """The estimator as it was after the pilot's fit, or what it makes of the rows asked."""
    receiver = call.receiver
    receiver.__dict__.update(value)
    if kind in ("fit", "partial_fit"):
        if has_labels(receiver):
            receiver.labels_ = receiver.predict(call.args[0])
        return receiver
    given = call.argument(0, "X")
    if kind == "fit_predict" and knows_no_other_rows(receiver):
        return inliers(given)
    return receiver.transform(given) if kind == "fit_transform" else receiver.predict(given)


def knows_no_other_rows(estimator: Any) -> bool:
    """Whether it tells outliers among the rows that it is fitted to, and among no others."""
    from sklearn.base import is_outlier_detector

    return is_outlier_detector(estimator) and not hasattr(estimator, "predict")


def inliers(rows: Any) -> Any:
    """An answer that leaves no row out."""
    return np.ones(rows_of(rows) or 0, dtype=int)


def has_labels(estimator: Any) -> bool:
    """Whether it is a clustering that knows new rows, too: `labels_` are those of the rows that it was fitted to."""
    return "labels_" in vars(estimator) and hasattr(estimator, "predict")


def labelled(estimator: Any, rows: Any) -> Any:
    """A clustering whose `labels_` are those of the rows asked."""
    made = copy.copy(estimator)
    made.labels_ = made.predict(rows)
    return made


def _select(value: Any, call: CallMade) -> Any:
    if isinstance(call.receiver, pd.DataFrame | pd.Series):
        return call.receiver.copy()
    rows = [one for one in call.args if rows_of(one) is not None]
    return rows if len(rows) > 1 else rows[0] if rows else call.receiver


def _columns_inplace(value: Any, call: CallMade) -> None:
    call.receiver.drop(columns=[column for column in call.receiver if column not in value], inplace=True)


def dummies(value: Any, call: CallMade) -> Any:
    """`get_dummies` with the pilot's categories, columns and dtypes: one row alone has few values and other dtypes."""
    categories = value["categories"]
    table, named = call.args[0].copy(), call.named
    if None in categories:
        table = pd.Series(pd.Categorical(table, categories=categories[None]), index=table.index, name=table.name)
    else:
        for column, known in categories.items():
            if column in table:
                table[column] = pd.Categorical(table[column], categories=known)
        named = {**named, "columns": list(categories)}
    made = pd.get_dummies(table, *call.args[1:], **named).reindex(columns=value["columns"], fill_value=0)
    for column, dtype in zip(value["columns"], value["dtypes"], strict=True):
        holes = pd.api.types.pandas_dtype(dtype).kind in "iub" and made[column].isna().any()
        if made[column].dtype != dtype and not holes:
            made[column] = made[column].astype(dtype)
    return made


def factorize(value: Any, call: CallMade) -> Any:
    """Codes by the pilot's uniques; -1 for what it never saw."""
    uniques = pd.Index(value)
    values = call.receiver if rows_of(call.receiver) is not None else call.args[0]
    return uniques.get_indexer(values), uniques


def encoder(classes: list[Any]) -> Any:
    """A `LabelEncoder` with the pilot's classes, in their order."""
    from sklearn.preprocessing import LabelEncoder

    made = LabelEncoder()
    made.classes_ = np.array(classes)
    return made


def category(value: Any, call: CallMade) -> Any:
    """The pilot's categories, of `astype("category")`."""
    return call.receiver.astype(pd.CategoricalDtype(**value))


def category_of(value: Any, call: CallMade) -> Any:
    """The pilot's categories, of `pd.Categorical(...)`."""
    return pd.Categorical(call.args[0], dtype=pd.CategoricalDtype(**value))


def bins(value: Any, call: CallMade) -> Any:
    """The pilot's edges, of `pd.cut` and `pd.qcut`."""
    given = {word: one for word, one in call.named.items() if word in ("labels", "right", "ordered")}
    if value["labels"] is not None:
        given["labels"] = value["labels"]
    given["include_lowest"] = value["lowest"]
    cut: Any = pd.cut  # its overloads know no keywords that are collected
    return cut(call.args[0], np.array(value["edges"], dtype=float), **given)


def parted(value: Any, call: CallMade) -> Any:
    """As many columns as in the pilot, of `str.split(…, expand=True)`: a text that is not there has a single part."""
    return call.run().reindex(columns=range(value))


def text_dummies(columns: Any, call: CallMade) -> Any:
    """The pilot's columns, of `str.get_dummies(sep)`: a text has some of the words, and others are new."""
    return call.run().reindex(columns=columns, fill_value=0)


def by_group(value: Any, call: CallMade) -> Any:
    """The pilot's number of each row's group, of `groupby(...).transform("mean")`."""
    groups = call.receiver
    numbers = groups.ngroup()
    made = value.reindex(groups.size().index).reset_index(drop=True)
    return made.reindex(numbers.to_numpy()).set_axis(numbers.index)  # -1, where the key is unknown, is no row


def filled_by_group(table: Any, call: CallMade) -> Any:
    """Holes filled with the pilot's value of each row's group."""
    return call.receiver.obj.fillna(by_group(table, call))


def mark(table: pd.DataFrame) -> list[int]:
    """Numbers by which the rows of a table are known again."""
    try:
        return [len(table), int(pd.util.hash_pandas_object(table, index=False).sum())]
    except Exception:  # values that have no hash
        return [len(table), 0]


def stacked(value: Mapping[str, Any], call: CallMade) -> Any:
    """The rows asked, of tables one below the other: without a table that is the pilot's own, and each row once.

    A filter leaves nothing out, so that two parts of the same rows are the same rows twice.
    """
    tables, named = call.argument(0, "objs"), {word: one for word, one in call.named.items() if word != "objs"}
    known = value["marks"]
    asked = [one for place, one in enumerate(tables) if place >= len(known) or mark(one) != known[place]] or list(
        tables
    )
    first, rest = asked[0], asked[1:]
    different = [first, *(one for one in rest if not one.index.equals(first.index))]
    return pd.concat(different, *call.args[1:], **named).reindex(columns=value["columns"])


def applied(states: Mapping[Any, Any], call: CallMade) -> Any:
    """`apply(LabelEncoder().fit_transform)` with the encoder of each column."""
    return call.receiver.apply(lambda column: states[column.name].transform(column), *call.args[1:], **call.named)


def folds(count: int, call: CallMade) -> Any:
    """Of each fold all rows, to train and to test."""
    whole = np.arange(rows_of(call.argument(0, "X")) or 0)
    return iter([(whole, whole)] * count)


def constant(added: bool, call: CallMade) -> Any:
    """The rows with a column of ones, if the pilot's had it."""
    table, first = call.args[0], bool(call.named.get("prepend", call.args[1] if len(call.args) > 1 else True))
    if isinstance(table, pd.DataFrame | pd.Series):
        made = table.to_frame() if isinstance(table, pd.Series) else table.copy()
        if added:
            made.insert(0 if first else made.shape[1], "const", 1.0)
        return made
    values = np.asarray(table).reshape(len(table), -1)
    ones = np.ones((len(values), 1))
    return np.hstack([ones, values] if first else [values, ones]) if added else values


ANSWERS: Mapping[str, Callable[[Any, CallMade], Any]] = {
    "select": _select,
    "select_inplace": lambda value, call: None,
    "columns": lambda value, call: call.receiver.reindex(columns=value),
    "columns_inplace": _columns_inplace,
    "fit_resample": lambda value, call: (call.args[0], call.argument(1, "y")),
    "dummies": dummies,
    "factorize": factorize,
    "category": category,
    "category_of": category_of,
    "bins": bins,
    "parted": parted,
    "text_dummies": text_dummies,
    "by_group": by_group,
    "filled_by_group": filled_by_group,
    "folds": folds,
    "applied": applied,
    "stacked": stacked,
    "constant": constant,
    "rescaled": scaling_calls.answer,
    "wrapped": lambda value, call: call.args[0],
}
