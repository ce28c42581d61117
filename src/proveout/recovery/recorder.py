"""What a call means, seen while the notebook runs: rows that came in, were split or left out, and what was learned.

Input: calls, in the order in which the pilot makes them. Output: entries on the tape. The call itself is not changed.
"""

import copy
import inspect
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proveout.model import native_boosters
from proveout.recovery import joined_files, learned_values
from proveout.recovery.file_lookup import ROOT_VARIABLE, answered, same_name
from proveout.recovery.handed_rows import HandedRows, HoldBack
from proveout.recovery.tables import FEWEST_ROWS, is_bunch, kept, rows_of
from proveout.recovery.tape import FITS, JOINS, CallMade, Fit, Key, MetricCall, Prediction, Source, Split, Tape

_ASKS = frozenset({"predict", "predict_proba", "decision_function", "score"})
_SELECTS = frozenset(
    {"dropna", "drop_duplicates", "sample", "head", "tail", "nlargest", "nsmallest", "sort_values", "sort_index",
     "drop", "shuffle", "filter", "truncate", "resample", "query"}
)  # fmt: skip
_GROWS = frozenset(
    {"concat", "merge", "append", "join", "vstack", "concatenate", "explode", "melt", "reset_index", "r_"}
)
# Learned, also where each row has a value of its own and the answer is as long as the table.
_REDUCES = frozenset({"mode", "value_counts", "unique", "quantile", "describe", "corr", "cov"})
# Row by row by nature, or nothing that is learned.
_AS_IT_IS = frozenset(
    {"len", "range", "enumerate", "zip", "list", "isinstance", "type", "id", "where", "nonzero", "argwhere", "copy",
     "deepcopy", "set_index", "hasattr", "getattr", "print", "display", "DataFrame", "Series", "array", "to_frame",
     "groupby", "info", "plot", "figure", "tolist", "to_list", "Dataset", "DMatrix", "iterrows", "items", "flatten",
     "rename", "setattr", "iter", "next", "str", "append", "map", "filter"}
)  # fmt: skip
_READS = ("read_", "loadtxt", "genfromtxt", "open", "load", "ExcelFile", "ZipFile", "imread")
_MEASURED = ("y_true", "y_pred", "y_score", "y_prob", "y_proba")
_MOST_PARTS = 20


class Recorder:
    """Runs each call as written and puts on the tape what has to be known of it."""

    def __init__(self, tape: Tape, handed: HandedRows | None = None, hold_back: HoldBack | None = None) -> None:
        self.tape, self.handed, self.hold_back = tape, handed, hold_back
        self._again: set[tuple[str, str]] = set()  # calls that read the rows in whose place others are handed in
        self._files: list[pd.DataFrame] = []  # tables as they were read
        self._wrapped: dict[int, tuple[Any, Any, Any]] = {}  # tables of the boosters: each, its rows and their truth
        self._answers: set[int] = set()  # ids of answers of models

    def call(self, call: CallMade) -> Any:
        """The answer of the call itself."""
        if call.name == "train_test_split":
            return self._split(call)
        if call.name == "split" and type(call.receiver).__module__.startswith("sklearn.model_selection"):
            return self._folds(call)
        if call.function is range:
            self._range(call)
        if call.name == "apply" and isinstance(call.receiver, pd.DataFrame) and call.args:
            method = call.args[0]
            if getattr(method, "__name__", "") == "fit_transform" and hasattr(method, "__self__"):
                return self._applied(call, method)
        tape, receiver = self.tape, call.receiver
        given = [one for one in _parts((receiver, *call.args, *call.named.values())) if tape.is_rows(one)]
        mark, asked = len(tape.order), len(tape.predictions)
        before = (len(receiver), list(receiver.columns)) if isinstance(receiver, pd.DataFrame) else None
        special = learned_values.special(call) if given else None
        answer = self._run(call)
        try:
            if self._known(call, answer) or not given:
                return answer
            if call.function is len and call.key.site in tape.shares:
                tape.kinds[call.key], tape.frozen[call.key] = "learned", answer
            if special is not None:
                kind, learned = special
                tape.kinds[call.key], tape.frozen[call.key] = kind, learned(answer)
                if kind == "stacked":
                    tape.count_rows(answer)
                if kind == "wrapped":
                    self._wrapped[id(answer)] = (answer, call.args[0], call.argument(1, "label"))
                return answer
            self._classify(call, given, answer, before)
            self._settle(call, mark=mark, predicted=len(tape.predictions) > asked)
        except Exception:  # somebody's objects: what cannot be noted may not stop the notebook
            self._forget(call.key)
        return answer

    def _folds(self, call: CallMade) -> Any:
        """The folds of a splitter: later each of them holds all rows asked, on both sides."""
        folds = list(call.run())
        self.tape.kinds[call.key], self.tape.frozen[call.key] = "folds", len(folds)
        return iter(folds)

    def _applied(self, call: CallMade, fit_transform: Callable[..., Any]) -> Any:
        """`df[columns].apply(LabelEncoder().fit_transform)`: one encoder, fitted to each column in turn."""
        states: dict[Any, Any] = {}
        owner: Any = fit_transform.__self__  # type: ignore[attr-defined]  # it is a method

        def fitted(column: Any) -> Any:
            answer = fit_transform(column)
            states[column.name] = copy.copy(owner)
            return answer

        answer = call.receiver.apply(fitted, *call.args[1:], **call.named)
        self.tape.kinds[call.key], self.tape.frozen[call.key] = "applied", states
        return answer

    def _range(self, call: CallMade) -> None:
        """A loop over as many rows as there were, counted by hand: `for i in range(0, 1000): df["text"][i]`."""
        stop, source = call.args[-1], self.tape.statements[call.key.statement].source
        loop = re.search(rf"for (\w+) in range\((?:0, )?{stop}\)", source)
        if stop in self.tape.row_counts and loop and re.search(rf"\[{loop[1]}\b", source):
            self.tape.kinds[call.key] = "row_range"

    def _forget(self, key: Key) -> None:
        self.tape.kinds.pop(key, None)
        self.tape.frozen.pop(key, None)

    def item(self, key: Key, value: Any, index: Any) -> Any:
        """`value[index]`: rows may be left out."""
        answer = value[index]
        tape = self.tape
        if id(value) in self._answers and np.ndim(value) == 2 and np.ndim(answer) == 1:
            if np.array_equal(answer, np.asarray(value)[:, -1]):
                tape.columns[id(answer)] = (answer, value)
            return answer
        if key.site in tape.shares and type(value) is tuple and answer in tape.row_counts and value[0] is answer:
            tape.kinds[key], tape.frozen[key] = "learned", answer  # `rows.shape[0]`
        if type(value) in (list, tuple) or not tape.is_rows(value):
            return answer
        rows, whole = rows_of(answer), rows_of(value)
        first = index[0] if isinstance(index, tuple) and index else index
        by_rows = (isinstance(first, slice) and first != slice(None)) or isinstance(
            first, np.ndarray | pd.Series | pd.Index | list
        )
        if rows is None or whole is None or not by_rows or isinstance(answer, str | tuple | list):
            return answer
        # A mask that leaves nothing out today leaves rows out another day.
        mask = str(getattr(first, "dtype", "")) in ("bool", "boolean") or isinstance(first, slice)
        if rows < whole or (rows == whole and mask):
            tape.kinds[key] = "select"
            tape.count_rows(answer)
        return answer

    def _run(self, call: CallMade) -> Any:
        answer = self._given(call)
        if self.hold_back is not None and self._reads_the_rows(call, self.hold_back):
            whole, answer = self.hold_back.rest(answer)
            self.tape.held_back = (whole, self.hold_back.rows(len(whole)))
        return answer

    def _given(self, call: CallMade) -> Any:
        handed = self.handed if self.handed is not None and self._reads_the_rows(call, self.handed) else None
        if handed is not None and handed.form == "frame":
            return handed.table()
        answer = self._read(call) if call.name.startswith(_READS) else call.run()
        return answer if handed is None else handed.like(answer)

    def _reads_the_rows(self, call: CallMade, rows: HandedRows | HoldBack) -> bool:
        """Whether the call is the one that the rows stand for, or reads the same once more."""
        if call.name in JOINS:
            return rows.is_for(self.tape, call.key)
        if not _is_source(getattr(call.function, "__module__", None) or "", call.name):
            return False
        what = (call.name, str(call.args[0])[:200] if call.args else "")
        if rows.is_for(self.tape, call.key):
            self._again.add(what)
        return what in self._again

    # --- what is known by name
    def _known(self, call: CallMade, answer: Any) -> bool:
        """Whether the call is one of those that have a meaning of their own; then it is on the tape."""
        module, receiver = getattr(call.function, "__module__", None) or "", call.receiver
        if _is_source(module, call.name) or (call.name in JOINS and self._joins_files(call)):
            self._source(call, answer)
        elif call.name in FITS and hasattr(receiver, "fit") and not isinstance(receiver, type) and _learns(call):
            self._fit(call, answer)
        elif call.name == "train" and native_boosters.is_booster(answer):
            _, rows, truth = self._wrapped.get(id(call.argument(1, "dtrain")), (None, None, None))
            self.tape.fits.append(Fit(key=call.key, name=call.name, model=answer, inputs=rows, truth=truth))
            self.tape.kinds[call.key], self.tape.frozen[call.key] = "learned", answer
        elif call.name in _ASKS and hasattr(receiver, "predict") and call.args:
            self._ask(call, answer)
        elif module.startswith("sklearn.metrics"):
            named = [call.named[word] for word in _MEASURED if word in call.named]
            value = float(answer) if isinstance(answer, float | int | np.number) else None
            plain = len(call.args) <= 2 and len(named) == len(call.named)
            metric = MetricCall(key=call.key, name=call.name, arguments=(*call.args, *named), value=value, plain=plain)
            self.tape.metrics.append(metric)
            self.tape.kinds[call.key], self.tape.frozen[call.key] = "learned", answer
        elif call.name == "fit_resample":
            self.tape.kinds[call.key] = "fit_resample"
            self.tape.count_rows(*answer)
        else:
            return False
        return True

    def _source(self, call: CallMade, answer: Any) -> None:
        tape = self.tape
        tape.kinds[call.key], tape.frozen[call.key] = "source", kept(answer)
        tables: list[Any] = list(answer) if isinstance(answer, tuple) else [answer]
        if is_bunch(answer):
            tables = [answer["data"]]
        sizes = [rows for table in tables if (rows := rows_of(table)) and rows >= FEWEST_ROWS]
        tape.row_counts.update(sizes)
        if call.name == "concat" and (below := learned_values.stacked(call)) is not None:
            tape.joined[call.key] = below[1](answer)
        asked = str(call.args[0])[:200] if call.args and call.name not in JOINS else ""
        tape.sources.append(Source(key=call.key, name=call.name, asked=asked, rows=sizes[0] if sizes else 0))
        if isinstance(answer, pd.DataFrame) and call.name != "concat":
            self._files.append(tape.frozen[call.key])

    def _joins_files(self, call: CallMade) -> bool:
        """Whether files are put one below the other, or side by side: the raw rows are what they become."""
        if call.name == "merge":
            left = call.args[0] if call.receiver is None else call.receiver
            right = call.args[1 if call.receiver is None else 0] if len(call.args) > (call.receiver is None) else None
            if not (isinstance(left, pd.DataFrame) and isinstance(right, pd.DataFrame)):
                return False
            keys = call.named.get("on") or [column for column in left if column in right]
            return joined_files.are_side_by_side(left, right, keys if isinstance(keys, list) else [keys], self._files)
        return learned_values.stacked(call) is not None and joined_files.are_joined(
            call.argument(0, "objs"), self._files
        )

    def _fit(self, call: CallMade, answer: Any) -> None:
        tape, receiver = self.tape, call.receiver
        if call.name == "fit" and answer is not receiver and hasattr(answer, "predict"):
            # statsmodels: fit gives another object
            tape.kinds[call.key], tape.frozen[call.key] = "learned", answer
            return
        # Shallow: a new fit makes new arrays. One encoder refitted for ten columns is common.
        tape.frozen[call.key] = dict(receiver.__dict__)
        tape.kinds[call.key] = call.name  # type: ignore[assignment]  # one of FITS
        if call.args:
            truth = call.argument(1, "y")
            tape.fits.append(Fit(key=call.key, name=call.name, model=receiver, inputs=call.args[0], truth=truth))

    def _ask(self, call: CallMade, answer: Any) -> None:
        tape, scored = self.tape, call.name == "score"
        _, inputs, _ = self._wrapped.get(id(call.args[0]), (None, call.args[0], None))
        names = (word for word, value in tape.names.items() if value is inputs and not word.startswith("_"))
        tape.predictions.append(
            Prediction(
                key=call.key,
                name=call.name,
                model=call.receiver,
                state=dict(getattr(call.receiver, "__dict__", {})),
                inputs=inputs.copy() if hasattr(inputs, "copy") else inputs,
                inputs_id=id(inputs),
                inputs_name=next(names, None),
                rows=rows_of(inputs),
                answers=answer,
                truth=call.argument(1, "y") if scored else None,
            )
        )
        if not scored:
            self._answers.add(id(answer))
        tape.kinds[call.key] = "score" if scored else "ask"
        tape.frozen[call.key] = answer if scored else None

    # --- what is seen by its rows
    def _classify(self, call: CallMade, given: list[Any], answer: Any, before: tuple[int, list[Any]] | None) -> None:
        tape, key, name = self.tape, call.key, call.name
        if answer is None:
            self._in_place(call, before)
            return
        rows, sizes = rows_of(answer), {rows_of(one) for one in given}
        if rows is not None and rows in sizes and name not in _REDUCES:
            if name == "dropna" and before and isinstance(answer, pd.DataFrame) and list(answer.columns) != before[1]:
                tape.kinds[key], tape.frozen[key] = "columns", list(answer.columns)
            elif name in _SELECTS - {"drop", "filter"} or _drops_rows(call):
                tape.kinds[key] = "select"
            return
        own_class = isinstance(call.function, type) and call.function.__module__ == "__main__"
        if own_class or (_is_own(call.function) and self._hands_out_rows(answer, sizes)):
            return  # its own calls were seen
        if isinstance(answer, pd.DatetimeIndex | pd.PeriodIndex | pd.TimedeltaIndex) and len(answer) in sizes:
            return  # a date of each row, and no learned one
        if isinstance(answer, tuple) and answer and all(rows_of(one) in sizes for one in answer):
            return  # the rows again, side by side: `align`
        if name in _GROWS and rows is not None:
            tape.count_rows(answer)
        elif name in _SELECTS and rows is not None and type(answer) is not list:
            tape.kinds[key] = "select"
            tape.count_rows(answer)
        elif name not in _AS_IT_IS and not isinstance(answer, type):
            value = kept(answer)
            if value is not None:
                tape.kinds[key], tape.frozen[key] = "learned", value

    def _in_place(self, call: CallMade, before: tuple[int, list[Any]] | None) -> None:
        if before is None:
            return
        rows, columns = before
        if len(call.receiver) < rows or _drops_rows(call) or call.name in ("sort_values", "sort_index"):
            self.tape.kinds[call.key] = "select_inplace"
            self.tape.count_rows(call.receiver)
        elif call.name == "dropna" and list(call.receiver.columns) != columns:
            self.tape.kinds[call.key], self.tape.frozen[call.key] = "columns_inplace", list(call.receiver.columns)

    def _hands_out_rows(self, answer: Any, sizes: set[int | None]) -> bool:
        parts = _parts(answer.values() if isinstance(answer, dict) else [answer])
        return any(rows_of(one) in sizes | self.tape.row_counts for one in parts)

    def _settle(self, call: CallMade, *, mark: int, predicted: bool) -> None:
        """What was learned on the way to a learned value is not needed: 10,000 gradient steps are one result."""
        tape, key = self.tape, call.key
        if _is_own(call.function) and predicted:  # a prediction was made in there: it has to be reached again
            self._forget(key)
        if tape.kinds.get(key) == "learned":
            for inner in tape.order[mark:]:
                self._forget(inner)
            del tape.order[mark:]
        if key in tape.kinds:
            tape.order.append(key)

    def _split(self, call: CallMade) -> Any:
        """A split, and the same draw once more of the places: unseeded splits are the rule."""
        tape, handed = self.tape, self.handed
        if handed is not None and handed.form == "split" and handed.is_for(tape, call.key):
            call = replace(call, args=tuple(handed.like(tuple(call.args))))
        first = call.args[0] if call.args else None
        rows = len(first) if isinstance(first, pd.Index) else rows_of(first)
        if rows is None:
            return call.run()
        state, twin = np.random.get_state(), copy.deepcopy(call.named.get("random_state"))
        answer = call.run()
        after = np.random.get_state()
        np.random.set_state(state)
        train, test = call.function(np.arange(rows), **{**call.named, "random_state": twin})
        np.random.set_state(after)
        known = rows in tape.row_counts or isinstance(first, pd.Index)
        if not known and not any(hasattr(one, "tocsr") for one in call.args):
            # Rows of unknown origin, as from the author's own reader: these are the rawest that there are.
            tape.sources.append(Source(key=call.key, name=call.name, asked="", rows=rows))
            tape.frozen[call.key] = tuple(kept(one) for one in call.args)
            tape.row_counts.add(rows)
        tape.count_rows(*answer)
        labels = next((one.index for one in call.args if isinstance(one, pd.DataFrame | pd.Series)), range(rows))
        labels = first if isinstance(first, pd.Index) else labels
        tape.kinds[call.key] = "split"
        tape.splits.append(
            Split(
                key=call.key,
                of=rows,
                train=train,
                test=test,
                labels=tuple(labels),
                sides={id(one): place % 2 for place, one in enumerate(answer)},
                outputs=tuple(answer),
                before=tuple(kept(one) for one in answer),
            )
        )
        return answer

    def _read(self, call: CallMade) -> Any:
        """The file asked for, or the one named for it before the run; if it is not there, the one of its name."""
        asked = str(call.args[0]) if call.args and isinstance(call.args[0], str | os.PathLike) else ""
        if not asked or _writes(call):
            return call.run()
        named = answered(asked)
        if named is not None:
            return self._redirected(call, asked, named)
        try:
            return call.run()
        except (FileNotFoundError, PermissionError, NotADirectoryError):
            found = same_name(asked, Path(os.environ.get(ROOT_VARIABLE, ".")), Path.cwd())
            if not found:
                raise
            return self._redirected(call, asked, str(found[0]))

    def _redirected(self, call: CallMade, asked: str, file: str) -> Any:
        self.tape.redirected.append((asked, file))
        return call.function(file, *call.args[1:], **call.named)


def _writes(call: CallMade) -> bool:
    """Whether `open` is called with a mode that writes."""
    mode = call.argument(1, "mode")
    return call.name == "open" and isinstance(mode, str) and bool(set(mode) & set("wax+"))


def _parts(values: Iterable[Any]) -> Iterator[Any]:
    """Values, and what short lists and tuples among them hold."""
    for value in values:
        yield value
        if type(value) in (list, tuple) and len(value) < _MOST_PARTS:
            yield from value


def _drops_rows(call: CallMade) -> bool:
    """Whether `drop` takes rows by their labels, also where there are none today."""
    axis = call.named.get("axis", call.args[1] if len(call.args) > 1 else 0)
    return call.name == "drop" and "columns" not in call.named and axis in (0, "index", "rows")


def _is_own(function: Callable[..., Any]) -> bool:
    """Whether the notebook itself defines the function."""
    return getattr(function, "__module__", None) == "__main__" and inspect.isroutine(function)


def _learns(call: CallMade) -> bool:
    """Whether `fit` is given rows. A method `fit` of the author's class without any calls others that are."""
    return bool(call.args) or type(call.receiver).__module__ != "__main__"


def _is_source(module: str, name: str) -> bool:
    return (
        (module.startswith("pandas") and name.startswith("read_"))
        or (module.startswith("sklearn.datasets") and name.startswith(("load_", "fetch_", "make_")))
        or (module.startswith("seaborn") and name == "load_dataset")
        or (module.startswith("numpy") and name in ("loadtxt", "genfromtxt", "load"))
    )
