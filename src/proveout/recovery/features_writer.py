"""What was recovered, as a module that a person can read: the author's own statements with what they learned frozen.

A source becomes `frame`, a fit what was fitted, a filter nothing, a split the rows themselves, a mean its number. What
is too large for the page stands in the state.

Input: a tape and a verified recovery. Output: the module's text, and the values of STATE by name.
"""

import ast
import copy
import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from proveout.recovery import own_code
from proveout.recovery.instrument import AS_WRITTEN, Instrument
from proveout.recovery.program_slice import Effects, backward
from proveout.recovery.tables import emptied
from proveout.recovery.tape import ANSWER, FIRST, FITS, Key, Prediction, Tape
from proveout.recovery.verification import Recovery

HEAD = '''"""How a raw row becomes what the model is given: the statements of the pilot, recovered from its run.

What they learned is that of the run, in `state/`. Filters of rows do not apply: every row gets its answer.
"""'''
PUBLIC = '''STATE = state_files.read(Path(__file__).with_name("state"))


def {public}(rows):
    """The model's columns for raw rows, one row each, in order."""
    return again.table({inner}(again.completed(rows, STATE["row"]), STATE), rows.index)'''
IMPORTS = (
    "from pathlib import Path",
    "",
    "from proveout.recovery import state_files",
    "from proveout.recovery.frozen_state import again",
)
HEAD_STEPS = "first_steps"  # of the state: the steps of the model that became features
ROW = "row"  # of the state: one raw row, for the columns that nobody is asked for, and the dtypes
_LONGEST_LIST, _LONGEST_TEXT = 20, 80


class Unwritable(Exception):
    """The slice is right and cannot be written as a function of a frame."""


@dataclass(frozen=True, kw_only=True, eq=False)
class FeaturesModule:
    """A module that computes a model's inputs from raw rows.

    `function` is its name in it. `state` holds fitted objects, tables and lists. `steps` are fitted transformers that
    come after the function and before the model, because what they give is no table.
    """

    text: str
    function: str
    state: Mapping[str, Any]
    steps: tuple[Any, ...]


def write(tape: Tape, recovery: Recovery, *, fold: bool = False, head: Sequence[Any] = ()) -> FeaturesModule:
    """The module of a recovery.

    Args:
        head: fitted steps of the model that hold code of the notebook: they become the last of the features.
        fold: leave the last transformers to the model, as one that makes a sparse matrix of texts.
    Raises: Unwritable, with the reason.
    """
    assert recovery.replay is not None
    assert recovery.primary is not None
    assert recovery.raw is not None
    rewriting = _Rewriting(tape, recovery, frozenset(recovery.replay.places))
    lines, takes = _needed(rewriting, head)
    # A function that many statements call has learned something in each: once more, with those alone that are needed.
    rewriting = _Rewriting(tape, recovery, frozenset(line.place for line in lines) | {recovery.replay.places[-1]})
    lines, takes = _needed(rewriting, head)
    needed = [(line.text, line.cell) for line in lines]
    before = needed
    needed, takes, steps = _folded(needed, takes) if fold else (needed, takes, [])
    tops = _tops([text for text, _ in needed])
    names = {one.name for text in tops for one in ast.parse(text).body if hasattr(one, "name")}
    public = next(name for name in ("features", "features_of_rows", "columns_of_rows") if name not in names)
    inner = next(name for name in ("prepared", "prepared_by_pilot", "as_pilot_does") if name not in names)
    texts = [*(text for text, _ in needed), takes]
    state = {name: value for name, value in rewriting.state.items() if any(f"'{name}'" in text for text in texts)}
    state[ROW] = recovery.raw.iloc[[recovery.rows[0] if recovery.rows else 0]].reset_index(drop=True)
    found: tuple[Any, ...] = ()
    if steps:
        space: dict[str, Any] = {"__name__": "__main__"}  # so that code of the notebook is known as such
        above = _tops([text for text, _ in before])
        text = _function(inner, before, above, answer=f"[{', '.join(steps)}]", state=rewriting.state)
        exec("\n".join([*IMPORTS, *above, text]), space)  # noqa: S102  # as in the replay
        found = tuple(space[inner](recovery.raw.iloc[list(recovery.rows)].reset_index(drop=True), rewriting.state))
    shown = PUBLIC.format(public=public, inner=inner)
    prepared = _function(inner, needed, tops, answer=takes, state=state)
    text = "\n".join([HEAD, "", *IMPORTS, *tops, "", shown, "", "", prepared])
    return FeaturesModule(text=text + "\n", function=public, state=state, steps=found)


@dataclass(frozen=True)
class _Line:
    """A rewritten statement, its cell, and its place among those of the notebook."""

    text: str
    cell: int
    place: int


_SHOWS = frozenset({"print", "display", "pprint"})


def _silent(text: str) -> str:
    """The statement without what only shows something: a request must not print, in a loop least of all."""
    if not any(name in text for name in _SHOWS):
        return text
    made = _Silence().visit(ast.parse(text))
    return ast.unparse(made) if made.body else "None"


class _Silence(ast.NodeTransformer):
    def visit_Expr(self, node: ast.Expr) -> ast.Expr | None:
        called = node.value.func if isinstance(node.value, ast.Call) else None
        if not (isinstance(called, ast.Name) and called.id in _SHOWS):
            return node
        return node if "again.reached(" in ast.unparse(node) else None  # what it shows is where the function ends

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if getattr(node, "body", None) == [] and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]  # type: ignore[attr-defined]  # it has one
        return node


def _needed(rewriting: "_Rewriting", head: Sequence[Any]) -> tuple[list[_Line], str]:
    """The statements that the inputs need, and the expression of the inputs. What only training needed goes."""
    if head:
        names: set[str] = set()
        rewriting.state[HEAD_STEPS] = own_code.taken_out(list(head), names)
    lines = rewriting.lines()
    # What the last statement shows may be where a function is called that ends with the inputs.
    asks = rewriting.replay.places[-1] if rewriting.reached is not None else None
    lines = [line if line.place == asks else replace(line, text=_silent(line.text)) for line in lines]
    takes = "" if rewriting.reached is not None else rewriting.takes or rewriting.replay.prediction.inputs_name
    if takes is None:
        raise Unwritable("the prediction stands where no statement of the notebook leads")
    if head:
        if not takes:
            raise Unwritable("the model holds code of the notebook, and is asked inside a function")
        takes = f"again.through({_with_own(f'state[{HEAD_STEPS!r}]', names)}, {takes})"
    sources = [line.text for line in lines] + ([f"__taken__ = {takes}"] if takes else [])
    places = backward(sources, len(sources) - 1)
    needed = [lines[place] for place in (places[:-1] if takes else places)]
    return [line for line in needed if line.text != "None" and not re.fullmatch(r"(\w+) = \1", line.text)], takes


def _function(
    name: str, lines: Sequence[tuple[str, int]], tops: Sequence[str], *, answer: str, state: Mapping[str, Any]
) -> str:
    """The function that runs `lines`, but for those that stand above it, and returns `answer`."""
    body = [text if "\n" in text else f"{text}  # cell {cell}" for text, cell in lines if text not in tops]
    ends = [f"return {answer}"] if answer else []
    inside = [line for part in [*_head(state), *body, *ends] for line in part.splitlines()]
    return "\n".join([f"def {name}(frame, state):", *(f"    {line}" for line in inside)])


_OF_FUNCTION = {"frame", "state", "turns"}  # names that only the function of the features has
_TOP = ("import ", "from ", "def ", "class ", "async def ", "@")


def _tops(texts: list[str]) -> list[str]:
    """Imports, functions and classes, but for those that read what stands between them: `medians[row['Sex']]`."""
    effects = {text: Effects(ast.parse(text).body[0], {}, frozenset()) for text in texts}
    inside = [text for text in texts if not text.startswith(_TOP) or re.search(r"^\s+nonlocal ", text, re.MULTILINE)]
    while True:
        names = {name for text in inside for name in effects[text].strong | effects[text].weak} | _OF_FUNCTION
        more = [text for text in texts if text not in inside and effects[text].uses & names]
        if not more:
            return [text for text in texts if text not in inside]
        inside += more


def _folded(needed: list[tuple[str, int]], takes: str) -> tuple[list[tuple[str, int]], str, list[str]]:
    """Statements for what the first of the last calls of `transform` takes, its name, and the transformers."""
    steps: list[str] = []
    while True:
        expression, at = ast.parse(takes, mode="eval").body, len(needed)
        if isinstance(expression, ast.Name):
            places = [place for place, (text, _) in enumerate(needed) if _assigned(text, expression.id) is not None]
            at = places[-1] if places else at
            assigned = _assigned(needed[at][0], expression.id) if places else None
            expression = assigned if assigned is not None else expression
        match expression:
            case ast.Name() | ast.Call(func=ast.Attribute(value=ast.Name(id="again"), attr="copy")) if at < len(needed):
                given = expression if isinstance(expression, ast.Name) else expression.args[0]
                needed, takes = needed[:at], ast.unparse(given)
            case ast.Call(func=ast.Attribute(value=step, attr="transform"), args=[given], keywords=[]):
                steps.insert(0, ast.unparse(step))
                needed, takes = needed[:at], ast.unparse(given)
            case _:
                break
    if not steps:
        raise Unwritable("its inputs are a sparse matrix that no transformer of scikit-learn makes")
    sources = [text for text, _ in needed] + [f"__taken__ = {takes}"]
    return [needed[place] for place in backward(sources, len(sources) - 1)[:-1]], takes, steps


def _assigned(text: str, name: str) -> ast.expr | None:
    match ast.parse(text).body:
        case [ast.Assign(targets=[ast.Name(id=given)], value=value)] if given == name:
            return value
        case [ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values))]:
            pairs = zip(targets, values, strict=False)
            return next((one for target, one in pairs if isinstance(target, ast.Name) and target.id == name), None)
    return None


def _head(state: Mapping[str, Any]) -> list[str]:
    turns = any(isinstance(value, Turns) for value in state.values())
    return ["turns = {name: iter(values) for name, values in state.items() if type(values) is list}"] if turns else []


class Turns(list[Any]):
    """The values that one call gave in turn: one encoder fitted in a loop."""


class _Rewriting:
    def __init__(self, tape: Tape, recovery: Recovery, statements: frozenset[int]) -> None:
        assert recovery.replay is not None
        self.statements = statements  # of the notebook, whose calls count
        self.reached: ast.Call | None = None  # what stands in the place of a prediction inside a function
        assert recovery.primary is not None
        self.tape, self.recovery, self.replay = tape, recovery, recovery.replay
        self.same = recovery.replay.same_source(recovery.primary)
        self.state: dict[str, Any] = {}
        self.models = _fitted(tape)
        self.takes: str | None = None
        defined = [node for one in tape.statements for node in ast.walk(ast.parse(one.source))]
        self.own = {node.name for node in defined if isinstance(node, ast.FunctionDef)}  # functions of the notebook

    def lines(self) -> list[_Line]:
        """The rewritten statements of the slice."""
        tape = self.tape
        found: list[_Line] = []
        for cell, group in itertools.groupby(
            range(len(tape.statements)), key=lambda place: tape.statements[place].cell
        ):
            rewrite = _Rewrite(cell, self)
            for place in group:
                rewrite.statement = place
                source = tape.statements[place].source
                last = place == self.replay.places[-1]
                rewrite.turn = self.replay.prediction.key.turn if last else None
                made = ast.fix_missing_locations(rewrite.visit(ast.parse(source).body[0]))
                if place in self.replay.places and place not in tape.failed:
                    parts = [made]
                    if last:
                        parts = _before(made, rewrite.prediction, rewrite.turn or 0)
                    if last and self.reached is not None:
                        parts = [_until_reached(made)]
                    texts = [ast.unparse(ast.fix_missing_locations(part)) for part in parts]
                    found += [_Line(text, cell, place) for text in texts]
            self.takes = self.takes or rewrite.takes
        return found


def _fitted(tape: Tape) -> dict[Key, Any]:
    """Each estimator as it was after each of its fits."""
    made = {}
    for fit in tape.fits:
        if fit.name == "train":
            continue  # a booster: it is made, and not fitted
        model = copy.copy(fit.model)
        model.__dict__ = dict(tape.frozen.get(fit.key) or {})
        made[fit.key] = model
    return made


class _Rewrite(Instrument):
    """The numbering of Instrument, with the frozen meaning put in the place of each call."""

    def __init__(self, cell: int, rewriting: _Rewriting) -> None:
        super().__init__(cell)
        self.rewriting, self.tape = rewriting, rewriting.tape
        self.statement = -1
        self.turn: int | None = None  # of the loop that the prediction stands in
        self.takes: str | None = None
        self.prediction: ast.Call | None = None
        self.depth = 0  # functions around what is visited

    def _keys(self, site: str) -> list[Key]:
        counted = self.rewriting.statements | {self.statement}
        keys = [key for key in self.tape.kinds if key.site == site and key.statement in counted]
        return [key for key in keys if key.turn == self.turn] or keys

    def visit_Call(self, node: ast.Call) -> ast.expr:
        site = self.site()
        written = isinstance(node.func, ast.Name) and node.func.id in AS_WRITTEN
        self.generic_visit(node)
        prediction: Prediction = self.rewriting.replay.prediction
        if site == prediction.key.site:
            return self._predicted(node, prediction)
        keys = [] if written else self._keys(site)
        around = self.prediction is not None and any(one is self.prediction for one in ast.walk(node))
        if not keys or around or self._asks_inside(node):
            return node
        word = FIRST.get(getattr(node.func, "attr", getattr(node.func, "id", "")))
        named = next((one for one in node.keywords if word is not None and one.arg == word), None)
        if named is not None and not node.args:
            node.args = [named.value]
            node.keywords.remove(named)
        return self._answer(node, keys)

    def _asks_inside(self, node: ast.Call) -> bool:
        """Whether a value of this call, in the last statement, comes of a function that makes the prediction."""
        rewriting = self.rewriting
        if rewriting.reached is None or self.depth or self.statement != rewriting.replay.places[-1]:
            return False
        values = [*node.args, *(one.value for one in node.keywords)]
        calls = [one for value in values for one in ast.walk(value) if isinstance(one, ast.Call)]
        return any(getattr(one.func, "attr", getattr(one.func, "id", "")) in rewriting.own for one in calls)

    def _predicted(self, node: ast.Call, prediction: Prediction) -> ast.expr:
        self.takes, self.prediction = _taken(node, prediction.argument), node
        if self.depth and self.takes is not None:
            self.prediction = self.rewriting.reached = _call(f"again.reached({self.takes})")
        return self.prediction

    def visit_Global(self, node: ast.Global) -> ast.stmt:
        return ast.Nonlocal(node.names)  # the notebook's names are those of the function of the features

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        self.depth += 1
        made = super().visit_FunctionDef(node)
        self.depth -= 1
        if self.rewriting.reached is not None:
            made.body = _cut(made.body, self.rewriting.reached)
        return made

    def _answer(self, node: ast.Call, keys: list[Key]) -> ast.expr:  # noqa: PLR0911  # one return for each kind of call
        kind, owner = self.tape.kinds[keys[0]], node.func.value if isinstance(node.func, ast.Attribute) else None
        if kind in ("source", "split"):
            return self._rows(node, keys, split=kind == "split")
        if kind == "row_range":
            return ast.Call(node.func, [*node.args[:-1], _name("len(frame)")], [])
        if kind == "select":
            return _selected(node, owner)
        if kind in ("ask", "select_inplace"):
            return node if kind == "ask" else ast.Constant(None)
        if kind in FITS:
            return self._fit(node, keys, owner)
        if kind == "wrapped":
            return node.args[0]
        if kind == "fit_resample":
            return ast.Tuple(node.args[:2], ast.Load())
        if kind in ("learned", "score"):
            return self._kept(keys)
        return ast.Call(
            _name(f"again.{kind}"), [self._kept(keys), owner or ast.Constant(None), *node.args], node.keywords
        )

    def _rows(self, node: ast.Call, keys: list[Key], *, split: bool) -> ast.expr:
        handed_in = keys[0] in self.rewriting.same
        if split and not handed_in:
            twice = (part for one in node.args for part in (one, _name(f"again.copy({ast.unparse(one)})")))
            return ast.Tuple(list(twice), ast.Load())
        if not handed_in:
            return self._kept(keys)
        whole = self.tape.frozen[keys[0]]
        if isinstance(whole, pd.DataFrame):
            return _name("frame.copy()")
        given = ast.Call(_name("again.given"), [_name("frame"), self._stored(keys, [emptied(whole)])], [])
        if not split:
            return given
        return _name(f"[rows for rows in {ast.unparse(given)} for _ in (0, 1)]")

    def _fit(self, node: ast.Call, keys: list[Key], owner: ast.expr | None) -> ast.expr:
        kind = self.tape.kinds[keys[0]]
        known = [self.rewriting.models[key] for key in keys if key in self.rewriting.models]
        own = [fit.key for fit in self.tape.fits if fit.model is self.rewriting.replay.prediction.model]
        if owner is not None and kind == "fit" and set(keys) <= set(own):
            return owner  # the model itself is not needed for what it is given
        if not known:
            raise Unwritable(f"`{ast.unparse(node)[:60]}` fits without rows")
        fitted = self._stored(keys, known)
        if isinstance(owner, ast.Name):
            fitted = ast.NamedExpr(ast.Name(owner.id, ast.Store()), fitted)
        elif isinstance(owner, ast.Attribute | ast.Subscript):
            fitted = ast.Call(_name("again.fitted"), [owner, fitted], [])
        if kind in ("fit", "partial_fit"):
            return fitted
        method = "transform" if kind == "fit_transform" else "predict"
        return ast.Call(ast.Attribute(fitted, method, ast.Load()), node.args[:1], [])

    def visit_Subscript(self, node: ast.Subscript) -> ast.expr:
        site = self.site()
        self.generic_visit(node)
        selects = any(self.tape.kinds[key] == "select" for key in self._keys(site))
        if not isinstance(node.ctx, ast.Load) or not selects:
            return node
        if isinstance(node.slice, ast.Tuple):
            node.slice.elts[0] = ast.Slice()
            return node
        inner = node.value
        return inner.value if isinstance(inner, ast.Attribute) and inner.attr in ("loc", "iloc") else inner

    def _kept(self, keys: list[Key]) -> ast.expr:
        values = [self.tape.frozen[key] for key in keys]
        if len(values) == 1 and _is_small(values[0]):
            return ast.parse(repr(_plain(values[0])), mode="eval").body
        return self._stored(keys, values)

    def _stored(self, keys: list[Key], values: list[Any]) -> ast.expr:
        label = f"cell{self.cell}_{keys[0].site.rpartition('.')[2]}"
        one, own = len(values) == 1, type(values[0]) if _is_own(values[0]) else None
        names: set[str] = set()
        if own is not None:
            values = [dict(vars(value)) for value in values]
        else:
            values = [own_code.taken_out(value, names) for value in values]
        self.rewriting.state[label] = values[0] if one else Turns(values)
        taken = f"state['{label}']" if one else f"next(turns['{label}'])"
        if own is not None:
            return _name(f"again.instance({own.__qualname__}, {taken})")
        if names:
            return _name(_with_own(taken, names))
        # The next line of the notebook may change what it was given.
        changeable = type(values[0]) in (pd.DataFrame, pd.Series, dict, list, np.ndarray)
        return _name(f"{taken}.copy()" if changeable else taken)


def _with_own(taken: str, names: set[str]) -> str:
    return f"again.own({taken}, {', '.join(f'{name}={name}' for name in sorted(names))})"


def _is_own(value: Any) -> bool:
    """Whether the notebook itself defines the class of `value`: no file may bring that class with it."""
    return type(value).__module__ == "__main__" and hasattr(value, "__dict__")


def _cut(body: list[ast.stmt], reached: ast.Call) -> list[ast.stmt]:
    """Statements without those that come after the prediction."""
    for place, statement in enumerate(body):
        if any(node is reached for node in ast.walk(statement)):
            for block in ("body", "orelse", "finalbody"):
                if getattr(statement, block, None):
                    setattr(statement, block, _cut(getattr(statement, block), reached))
            return body[: place + 1]
    return body


def _until_reached(statement: ast.stmt) -> ast.stmt:
    """A statement in which a function of the notebook comes to its prediction: what the model is given is returned."""
    made = ast.parse("try:\n    pass\nexcept again.Reached as reached:\n    return reached.value").body[0]
    assert isinstance(made, ast.Try)
    made.body = [statement]
    return made


def _before(statement: ast.stmt, prediction: ast.Call | None, turn: int) -> list[ast.stmt]:
    """What a loop does before its prediction, in the turn of it; nothing for another statement."""

    def holds(part: ast.stmt) -> bool:
        return any(node is prediction for node in ast.walk(part))

    made: list[ast.stmt] = []
    if isinstance(statement, ast.For):
        chosen = ast.Subscript(ast.Call(_name("list"), [statement.iter], []), ast.Constant(turn), ast.Load())
        made.append(ast.Assign([statement.target], chosen))
    elif not isinstance(statement, ast.If | ast.With):
        return made
    for part in [*statement.body, *getattr(statement, "orelse", ())]:
        if holds(part):
            return [*made, *_before(part, prediction, 0)]
        made.append(part)
    return []


def _taken(node: ast.Call, argument: int) -> str | None:
    if argument == ANSWER:
        return ast.unparse(node)
    if argument < len(node.args):
        return ast.unparse(node.args[argument])
    named = next((one.value for one in node.keywords if one.arg in ("X", "y_pred")), None)
    return ast.unparse(named) if named is not None else None


def _selected(node: ast.Call, owner: ast.expr | None) -> ast.expr:
    """The rows without a filter: what the method was called on, or what a function was given."""
    function = isinstance(node.func, ast.Name) or getattr(owner, "id", "") in ("sklearn", "utils")
    if not function and owner is not None:
        return owner
    return ast.Tuple(node.args, ast.Load()) if len(node.args) > 1 else node.args[0]


def _call(text: str) -> ast.Call:
    made = _name(text)
    assert isinstance(made, ast.Call)
    return made


def _name(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def _plain(value: Any) -> Any:
    """A value whose repr is Python: numpy's scalars print as `np.float64(1.0)`."""
    if isinstance(value, np.generic):
        return value.item()
    return type(value)(map(_plain, value)) if type(value) in (list, tuple) else value


def _is_small(value: Any) -> bool:
    value = _plain(value)
    if type(value) in (list, tuple):
        return len(value) < _LONGEST_LIST and all(map(_is_small, value))
    if type(value) is float:
        return bool(np.isfinite(value))
    return value is None or type(value) in (int, bool) or (type(value) is str and len(value) < _LONGEST_TEXT)
