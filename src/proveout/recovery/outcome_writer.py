"""The way to an outcome as a module that a person can read: the author's own statements with what they learned frozen.

Numbers, edges and names stand in the text; only what no page can show, such as a fitted transformer, is in a state.

Input: a tape, a verified recovery and the way to its outcome. Output: `OutcomeModule`, as it was checked: it gives the
pilot's outcome of each held-out row, all at once and alone, from the columns of the outcome and from no other.
"""

import contextlib
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from proveout.recovery import features_writer, outcome_lines, state_files
from proveout.recovery.features_writer import ROW
from proveout.recovery.frozen_state import Reached
from proveout.recovery.outcome_way import OutcomeWay
from proveout.recovery.rewritten_slice import Turns, Unwritable
from proveout.recovery.tables import equal_rows, index_of, with_text_names
from proveout.recovery.tape import Tape
from proveout.recovery.verification import Recovery

STATE = "target_state"
_MODULE = "target.py"
_LONGEST = 600  # characters of a value that stands in the text
_ALONE = 8


@dataclass(frozen=True, kw_only=True, eq=False)
class OutcomeModule:
    """The text of a module with `COLUMNS`, perhaps `STATE`, and `function`, that gives the outcome of known rows.

    `call` is the expression of the outcome of `rows`, null where it is unknown. `name` is what the notebook calls it,
    or "". `files` are those of the state.
    """

    text: str
    call: str
    name: str
    files: tuple[str, ...]


def write(tape: Tape, found: Recovery, way: OutcomeWay, folder: Path) -> OutcomeModule:
    """The module of an outcome; its state goes into `folder`, if it needs one. Raises: Unwritable, Unstorable."""
    writing = _writing(tape, found, way, folder)
    writing.module(writing.lines, whole=True)
    lines = writing.needed_of(writing.lines)
    with contextlib.suppress(Unwritable):  # of columns that the outcome does not depend on, only what it asks for
        return writing.module(lines, whole=False)
    return writing.module(lines, whole=True)  # again, for the state in the folder is that of the last try


def _writing(tape: Tape, found: Recovery, way: OutcomeWay, folder: Path) -> "_Writing":
    assert found.primary is not None
    rewriting, lines, takes = features_writer.rewritten(tape, replace(found, replay=way.replay, inputs=way.truth))
    state = features_writer.used_of(rewriting.state, [*(text for text, _ in lines), takes])
    shown = {name: text for name, value in state.items() if (text := _literal(value)) is not None}
    lines, takes = [(_with(text, shown), cell) for text, cell in lines], _with(takes, shown)
    return _Writing(
        found=found,
        way=way,
        folder=folder,
        lines=outcome_lines.without_pairs(lines, takes) if takes else lines,
        takes=takes,
        state={name: value for name, value in state.items() if name not in shown},
        index=index_of(tape.frozen[found.primary.key]),
    )


_Lines = list[tuple[str, int]]  # statements, each with its cell


@dataclass(frozen=True, kw_only=True, eq=False)
class _Writing:
    """What a module is made of: the statements, the expression of the outcome behind them, and what they take."""

    found: Recovery
    way: OutcomeWay
    folder: Path
    lines: _Lines
    takes: str
    state: Mapping[str, Any]
    index: Sequence[Any]

    def needed_of(self, lines: _Lines) -> _Lines:
        """The statements without those that change other columns alone, by the outcomes of all held-out rows."""
        own = {str(column) for column in self.way.columns}
        for line in reversed(lines):
            rest = [one for one in lines if one is not line]
            if outcome_lines.is_of_others(line[0], [*(text for text, _ in rest), self.takes], own=own):
                with contextlib.suppress(Unwritable):
                    self.module(rest, whole=True)
                    lines = rest
        return outcome_lines.led_to(lines, self.takes) if self.takes else lines

    def module(self, lines: _Lines, *, whole: bool) -> OutcomeModule:
        """The module of these statements, checked. Raises: Unwritable.

        Args:
            whole: the statements are given all raw columns, those that the outcome does not depend on from an example.
        """
        raw = self.found.raw
        assert raw is not None
        state = features_writer.used_of(self.state, [*(text for text, _ in lines), self.takes])
        dtypes = [raw[column].dtype for column in self.way.columns]
        if whole or any(isinstance(one, pd.CategoricalDtype) for one in dtypes):
            state[ROW] = features_writer.example(self.found)
        shutil.rmtree(self.folder / STATE, ignore_errors=True)
        files = state_files.write(state, self.folder / STATE) if state else ()
        made = replace(self._text(lines, state), files=files)
        _check(made, self.found, self.way, self.folder)
        return made

    def _text(self, lines: _Lines, state: Mapping[str, Any]) -> OutcomeModule:
        raw = self.found.raw
        assert raw is not None
        tops = features_writer.tops_of([text for text, _ in lines])
        taken = features_writer.names_of(tops)
        inner = next(one for one in ("made_by_pilot", "outcome_by_pilot", "as_pilot_does") if one not in taken)
        given = "frame, state" if state else "frame"
        body = features_writer.function(inner, lines, tops, answer=self.takes, state=state, given=given)
        more = [*(["STATE"] if state else []), *([f'example=STATE["{ROW}"]'] if ROW in state else [])]
        more += [f"index={list(self.index)!r}"] if self.index and ROW in state else []
        if self.way.optional:
            more.append(f"optional={[str(column) for column in self.way.optional]!r}")
        columns = _listed({str(column): str(raw[column].dtype) for column in self.way.columns})
        text = [
            *(["from pathlib import Path", ""] if state else []),
            *(line for line in ("import pandas as pd",) if line not in tops),
            *(["from proveout.recovery import state_files"] if state else []),
            "from proveout.recovery.frozen_state import again",
            *(one for one in tops if one.startswith(("import ", "from "))),
            *(line for one in tops if not one.startswith(("import ", "from ")) for line in ("", "", one)),
            "",
            "",
            "again.quiet(__name__)",
            *([f'STATE = state_files.read(Path(__file__).with_name("{STATE}"))'] if state else []),
            f"COLUMNS = {columns}  # what the outcome is made of",
            "",
            "",
            body,
        ]
        call = ", ".join([f"again.outcome({inner}, rows, COLUMNS", *more]) + ")"
        name = self.way.name or outcome_lines.name_of(lines, self.takes)
        return OutcomeModule(text="\n".join(text) + "\n", call=call, name=name, files=())


def _listed(dtypes: Mapping[str, str]) -> str:
    """The columns with their dtypes, one a line where there are many."""
    line = repr(dict(dtypes))
    return line if len(line) < 100 else "{\n" + "".join(f"    {one!r}: {dtypes[one]!r},\n" for one in dtypes) + "}"


def _literal(value: Any) -> str | None:
    """A value in Python, if it is one that a person can read; else None."""
    if type(value) is Turns:
        return None
    try:
        if type(value).__name__ == "LabelEncoder":
            return f"again.encoder({_plain(np.asarray(value.classes_).tolist())!r})"
        text = repr(_plain(value))
    except _NotPlain:
        return None
    return text if len(text) <= _LONGEST else None


class _NotPlain(Exception):
    """A value that has no literal."""


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, pd.Index) and type(value) is pd.Index and value.name is None:
        return [_plain(one) for one in value]
    if type(value) in (list, tuple):
        return type(value)(_plain(one) for one in value)
    if type(value) is dict:
        return {_plain(key): _plain(one) for key, one in value.items()}
    if value is None or type(value) in (bool, int, str) or (type(value) is float and np.isfinite(value)):
        return value
    raise _NotPlain


def _with(text: str, shown: Mapping[str, str]) -> str:
    """A statement with literals in the place of what it takes from the state."""
    return re.sub(
        r"state\['(\w+)'\](\.copy\(\))?", lambda found: shown.get(found[1], found[0]), text
    )  # a literal is new each time: it needs no copy


def _check(made: OutcomeModule, found: Recovery, way: OutcomeWay, folder: Path) -> None:
    """Raises: Unwritable if the module as it was written gives another outcome of a held-out row."""
    assert found.raw is not None
    space: dict[str, Any] = {"__file__": str(folder / _MODULE), "__name__": "target"}
    names = [str(column) for column in way.columns]
    rows = with_text_names(found.raw).iloc[list(found.rows)].reset_index(drop=True)[names]
    try:
        exec(compile(made.text, _MODULE, "exec"), space)  # noqa: S102  # the statements of the notebook itself
        outcome = eval(f"lambda rows: {made.call}", space)  # noqa: S307  # our own expression
        whole = outcome(rows)
        alone = [outcome(rows.iloc[[place]]).iloc[0] for place in range(min(_ALONE, len(rows)))]
        unknown = outcome(rows.head(2).assign(**dict.fromkeys(names)))
    except Reached as error:
        raise Unwritable("a function that is given the outcome is called for something else before") from error
    except Exception as error:
        raise Unwritable(f"written as a module it fails: {type(error).__name__}: {str(error)[:150]}") from error
    known = whole.notna().to_numpy()
    if not known.any() or not unknown.isna().all():
        raise Unwritable("written as a module it gives an outcome where nothing is known")
    if not _equal(whole, way.truth, known) or not _equal(
        pd.Series(alone), way.truth[: len(alone)], known[: len(alone)]
    ):
        raise Unwritable("written as a module it gives other outcomes than in the notebook")


def _equal(made: "pd.Series[Any]", truth: NDArray[Any], known: NDArray[np.bool_]) -> bool:
    return bool(equal_rows(made.to_numpy()[known], truth[known]).all())
