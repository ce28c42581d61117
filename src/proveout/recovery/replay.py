"""The statements that lead to one prediction, run again on other rows with everything learned frozen.

Input: a tape, a prediction on it, and rows. Output: what the model is given for these rows.
"""

import ast
import copy
from collections.abc import Callable, Mapping
from types import CodeType
from typing import Any

import pandas as pd

from proveout.recovery import left_values
from proveout.recovery.frozen_calls import Captured, FrozenCalls
from proveout.recovery.left_values import LeftValues
from proveout.recovery.program_slice import backward
from proveout.recovery.tables import from_frame
from proveout.recovery.tape import Key, Prediction, Source, Tape

SPLIT = "train_test_split"
_Step = Callable[[int, CodeType, dict[str, Any]], None]


class Unreached(Exception):
    """The statements ran to their end and the prediction was not among them."""


class Replay:
    """One prediction's slice, compiled once. `places` are the statements in it.

    Args:
        left: what statements leave behind as the pilot's rows left it.
    """

    def __init__(self, tape: Tape, prediction: Prediction, left: LeftValues | None = None) -> None:
        self.left = left if left is not None else LeftValues()
        self.tape, self.prediction = tape, prediction
        sources = [statement.source for statement in tape.statements]
        self._given: dict[str, Any] = {}
        stop = None
        if tape.splits and not any(source.name != SPLIT and source.rows for source in tape.sources):
            # Nobody knows where the rows come from: they are handed in at the split.
            stop = tape.splits[0].key.statement
            self._given = {one.id: None for one in ast.walk(ast.parse(sources[stop])) if isinstance(one, ast.Name)}
        self.places = [place for place in backward(sources, prediction.key.statement, stop=stop) if place in tape.begun]
        inside = set(self.places)
        in_slice = (source for source in tape.sources if source.key.statement in inside and source.rows)
        # Files side by side are whole rows only when they are joined; of several joins the last one has all columns.
        joined = [(source.name != "merge", -source.rows, -place, source) for place, source in enumerate(in_slice)]
        self.sources = [source for *_, source in sorted(joined, key=lambda one: one[:2] if one[0] else one[:3])]
        self.at = self.places[0]  # the statement that runs, for who reads an error
        self.origin: Any = None
        self.indexes: Mapping[int, pd.Index[Any]] = {}
        self.gaps: Mapping[int, pd.Index[Any]] = {}
        self._code = [
            (
                place,
                compile(ast.Module([tape.statements[place].node], []), f"<cell {tape.statements[place].cell}>", "exec"),
            )
            for place in self.places
        ]

    def same_source(self, primary: Source) -> frozenset[Key]:
        """The calls that read what `primary` read: a file that is read twice is the same rows twice."""
        if primary.name == "merge":
            return frozenset({primary.key})
        what = (primary.name, primary.asked, primary.rows)
        same = {one.key for one in self.tape.sources if (one.name, one.asked, one.rows) == what}
        return frozenset(same | {primary.key})

    def run(self, frame: pd.DataFrame, primary: Source, *, keep_filters: bool = False, both_sides: bool = True) -> Any:
        """What the model is given for the raw rows in `frame`.

        Raises: Unreached; and whatever a statement of the notebook raises for these rows, with `at` telling which.
        """
        return self._run(frame, primary, self._step, keep_filters=keep_filters, both_sides=both_sides)

    def _step(self, place: int, code: CodeType, space: dict[str, Any]) -> None:
        if place not in self.left.instead:
            exec(code, space)  # noqa: S102  # the notebook that the user adopts
        self.left.put(place, space)

    def left_otherwise(self, frame: pd.DataFrame, primary: Source, *, both_sides: bool = True) -> LeftValues:
        """What statements leave behind of these rows otherwise than of the pilot's, as the pilot's left it.

        Raises: as `run`, where a statement raises that leaves more than was noted.
        """
        watched, found = left_values.watched(self.tape, self.places), LeftValues()

        def step(place: int, code: CodeType, space: dict[str, Any]) -> None:
            live, noted = watched[place]
            try:
                exec(code, space)  # noqa: S102  # as in `_step`
                apart = {
                    name: value
                    for name, value in noted.items()
                    if name not in space or not left_values.equal(space[name], value)
                }
            except Exception:
                apart = noted
                if not noted or live - noted.keys():
                    raise
            if apart:
                found.values[place] = apart
            if apart and apart.keys() == live:
                found.instead.add(place)
            found.put(place, space)

        self._run(frame, primary, step, keep_filters=False, both_sides=both_sides)
        return found

    def _run(self, frame: pd.DataFrame, primary: Source, step: _Step, *, keep_filters: bool, both_sides: bool) -> Any:
        tape, same = self.tape, self.same_source(primary)

        def feed(key: Key, value: Any) -> Any:
            if primary.name == SPLIT:
                return from_frame(frame, tape.frozen[primary.key])
            return from_frame(frame, value) if key in same else copy.deepcopy(value)

        answering = FrozenCalls(
            tape,
            target=self.prediction.key,
            argument=self.prediction.argument,
            feed=feed,
            rows=len(frame),
            primary=primary.key,
            same=same,
            keep_filters=keep_filters,
            both_sides=both_sides,
        )
        space = {**self._given, "__name__": "__main__", "get_ipython": tape.names.get("get_ipython")}
        before, tape.answering = tape.answering, answering
        try:
            for place, code in self._code:
                tape.begin(place)
                self.at = place
                if place not in tape.failed:  # what raised in the pilot had no effect there
                    step(place, code, space)
        except Captured as reached:
            return reached.value
        finally:
            tape.answering, self.origin = before, answering.origin
            self.indexes, self.gaps = answering.indexes, answering.gaps
        raise Unreached
