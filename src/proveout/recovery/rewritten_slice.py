"""The statements of a slice as they are written for other rows: what each call learned stands in its place.

Input: a tape and a verified recovery. Output: `RewrittenSlice`: lines, what they take from the state, and what the
model is given.
"""

import ast
import copy
import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from proveout.recovery import inlined_call, own_code
from proveout.recovery.frozen_calls import has_labels, knows_no_other_rows
from proveout.recovery.instrument import AS_WRITTEN, Instrument
from proveout.recovery.tables import emptied, index_of
from proveout.recovery.tape import ANSWER, FIRST, FITS, Key, Prediction, Tape
from proveout.recovery.verification import Recovery

_LONGEST_LIST, _LONGEST_TEXT = 20, 80


class Unwritable(Exception):
    """The slice is right and cannot be written as a function of a frame."""


@dataclass(frozen=True)
class Line:
    """A rewritten statement, its cell, and its place among those of the notebook."""

    text: str
    cell: int
    place: int


class Turns(list[Any]):
    """The values that one call gave in turn: one encoder fitted in a loop."""


class RewrittenSlice:
    """The slice of a recovery. `statements` are those whose calls count; `lines` fills `state`."""

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

    def lines(self) -> list[Line]:
        """The rewritten statements of the slice."""
        tape = self.tape
        found: list[Line] = []
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
                    if last and self.reached is not None:
                        parts = self._written_out(source) or [_until_reached(made)]
                    elif last:
                        parts = inlined_call.before(made, rewrite.prediction, rewrite.turn or 0)
                    texts = [ast.unparse(ast.fix_missing_locations(part)) for part in parts]
                    texts = [] if place in self.replay.left.instead else texts
                    found += [Line(text, cell, place) for text in [*texts, *rewrite.left()]]
            if self.reached is None:
                self.takes = self.takes or rewrite.takes
        return found

    def _written_out(self, source: str) -> list[ast.stmt] | None:
        """The last statement, with the function of the notebook that it calls written out up to the prediction."""
        cell_of = [statement.cell for statement in self.tape.statements]
        functions: dict[str, ast.FunctionDef] = {}
        found: ast.Call | None = None
        last = ast.parse(source).body[0]
        for cell, group in itertools.groupby(range(len(cell_of)), key=lambda place: cell_of[place]):
            rewrite = _Rewrite(cell, self, asked=True)
            for place in group:
                tree = ast.parse(self.tape.statements[place].source).body[0]
                rewrite.counts_only = not (isinstance(tree, ast.FunctionDef) or place == self.replay.places[-1])
                rewrite.statement = place
                made = rewrite.visit(tree)
                if isinstance(made, ast.FunctionDef) and place in self.replay.places:
                    functions[made.name] = made
                if place == self.replay.places[-1]:
                    last = made
            if rewrite.prediction is not None:
                found, takes = rewrite.prediction, rewrite.takes
        if found is None or takes is None:
            return None
        parts = inlined_call.written_out(last, functions, found, self.replay.prediction.key.turn)
        if parts is not None:
            self.reached, self.takes = None, takes
        return parts


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

    def __init__(self, cell: int, rewriting: RewrittenSlice, *, asked: bool = False) -> None:
        super().__init__(cell)
        self.rewriting, self.tape = rewriting, rewriting.tape
        self.asked = asked  # only what calls learned in the statement that makes the prediction
        self.counts_only = False  # numbers calls, and leaves them as they are
        self.statement = -1
        self.turn: int | None = None  # of the loop that the prediction stands in
        self.takes: str | None = None
        self.prediction: ast.Call | None = None
        self.depth = 0  # functions around what is visited

    def visit_Lambda(self, node: ast.Lambda) -> ast.expr:
        self.generic_visit(node)
        return node

    def _keys(self, site: str) -> list[Key]:
        if self.counts_only:
            return []
        if self.asked:
            return self._keys_of_call(site)
        counted = self.rewriting.statements | {self.statement}
        keys = [key for key in self.tape.kinds if key.site == site and key.statement in counted]
        return [key for key in keys if key.turn == self.turn] or keys

    def _keys_of_call(self, site: str) -> list[Key]:
        """Of the calls at `site` in the last statement those of the one call of a function that predicts."""
        place, turn = self.rewriting.replay.places[-1], self.rewriting.replay.prediction.key.turn
        predicted = self.rewriting.replay.prediction.key.site
        times = sum(key.site == predicted and key.statement == place for key in self.tape.kinds)
        keys = [key for key in self.tape.kinds if key.site == site and key.statement == place]
        each, rest = divmod(len(keys), max(times, 1))
        return keys[turn * each : (turn + 1) * each] if each and not rest else keys

    def visit_Call(self, node: ast.Call) -> ast.expr:
        site = self.site()
        written = isinstance(node.func, ast.Name) and node.func.id in AS_WRITTEN
        self.generic_visit(node)
        prediction: Prediction = self.rewriting.replay.prediction
        if site == prediction.key.site and not self.counts_only:
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
        if self.depth and self.takes is not None and not self.asked:
            self.prediction = self.rewriting.reached = _call(f"again.reached({self.takes})")
        return self.prediction

    def visit_Global(self, node: ast.Global) -> ast.stmt:
        return ast.Nonlocal(node.names)  # the notebook's names are those of the function of the features

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        self.depth += 1
        made = super().visit_FunctionDef(node)
        self.depth -= 1
        if self.rewriting.reached is not None and not self.asked:
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
        if not handed_in and keys[0] in self.tape.joined:
            parts = self._stored(keys, [self.tape.joined[key] for key in keys])
            return ast.Call(_name("again.stacked"), [parts, ast.Constant(None), *node.args], node.keywords)
        if not handed_in:
            return self._kept(keys)
        whole = self.tape.frozen[keys[0]]
        if isinstance(whole, pd.DataFrame):
            index = index_of(whole)
            return _name(f"frame.set_index({index!r})" if index else "frame.copy()")
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
        if kind == "fit_predict" and all(map(knows_no_other_rows, known)):
            return ast.Call(_name("again.inliers"), node.args[:1], [])
        fitted = self._stored(keys, known)
        if kind == "fit" and all(map(has_labels, known)):
            fitted = ast.Call(_name("again.labelled"), [fitted, *node.args[:1]], [])
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
        keys = self._keys(site)
        if keys and all(self.tape.kinds[key] == "learned" for key in keys):
            return self._kept(keys)
        selects = any(self.tape.kinds[key] == "select" for key in keys)
        if not isinstance(node.ctx, ast.Load) or not selects:
            return node
        if isinstance(node.slice, ast.Tuple):
            node.slice.elts[0] = ast.Slice()
            return node
        inner = node.value
        return inner.value if isinstance(inner, ast.Attribute) and inner.attr in ("loc", "iloc") else inner

    def left(self) -> list[str]:
        """What the statement has left of the pilot's rows, as statements."""
        values = self.rewriting.replay.left.values.get(self.statement, {})
        texts = {
            name: repr(_plain(value))
            if _is_small(value)
            else ast.unparse(self._from_state(f"cell{self.cell}_{name}_{self.statement}", [value]))
            for name, value in values.items()
        }
        return [f"{name} = {text}" for name, text in texts.items()]

    def _kept(self, keys: list[Key]) -> ast.expr:
        values = [self.tape.frozen[key] for key in keys]
        if all(map(_is_small, values)) and len({repr(value) for value in values}) == 1:
            values = values[:1]  # one number, learned again for each row that a function was given
        if len(values) == 1 and _is_small(values[0]):
            return ast.parse(repr(_plain(values[0])), mode="eval").body
        return self._stored(keys, values)

    def _stored(self, keys: list[Key], values: list[Any]) -> ast.expr:
        return self._from_state(
            f"cell{self.cell}_{keys[0].site.rpartition('.')[2]}" + ("_asked" if self.asked else ""), values
        )

    def _from_state(self, label: str, values: list[Any]) -> ast.expr:
        """What takes a value, or one value after another, from the state."""
        one, own = len(values) == 1, type(values[0]) if _is_own(values[0]) else None
        names: set[str] = set()
        results = all(map(_is_results, values))
        if own is not None:
            values = [dict(vars(value)) for value in values]
        elif results:
            values = [_numbers_of(value) for value in values]
        else:
            values = [own_code.taken_out(own_code.with_columns(value), names) for value in values]
        self.rewriting.state[label] = values[0] if one else Turns(values)
        taken = f"state['{label}']" if one else f"next(turns['{label}'])"
        if own is not None:
            return _name(f"again.instance({own.__qualname__}, {taken})")
        if results:
            return _name(f"again.attributes({taken})")
        if names:
            return _name(with_own(taken, names, self.tape.lambdas))
        # The next line of the notebook may change what it was given.
        changeable = type(values[0]) in (pd.DataFrame, pd.Series, dict, list, np.ndarray, set, Counter)
        return _name(f"{taken}.copy()" if changeable else taken)


def with_own(taken: str, names: set[str], lambdas: Mapping[str, str]) -> str:
    """The expression of a fitted object with code of the notebook, where its names are known. `lambdas` have none."""
    code = (f"{name}={lambdas.get(name, name)}" for name in sorted(names))
    return f"again.own({taken}, {', '.join(code)})"


def _is_own(value: Any) -> bool:
    """Whether the notebook itself defines the class of `value`: no file may bring that class with it."""
    return type(value).__module__ == "__main__" and hasattr(value, "__dict__")


def _is_results(value: Any) -> bool:
    """Whether it is what a model of statsmodels found, which no file can hold."""
    return type(value).__module__.startswith("statsmodels.") and hasattr(value, "params")


# What a notebook reads of it to choose columns.
_NUMBERS = ("params", "pvalues", "tvalues", "bse", "rsquared", "rsquared_adj", "aic", "bic", "fvalue", "f_pvalue")


def _numbers_of(results: Any) -> dict[str, Any]:
    return {name: getattr(results, name) for name in _NUMBERS if hasattr(results, name)}


def _cut(body: list[ast.stmt], reached: ast.Call) -> list[ast.stmt]:
    """Statements without those that come after the prediction; what a function in them does is its own."""
    for place, statement in enumerate(body):
        if not isinstance(statement, ast.FunctionDef) and any(node is reached for node in ast.walk(statement)):
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


def _taken(node: ast.Call, argument: int) -> str | None:
    if argument == ANSWER:
        return ast.unparse(node)
    if argument < len(node.args):
        return ast.unparse(node.args[argument])
    names = ("y", "y_pred") if argument else ("X", "y_true")
    named = next((one.value for one in node.keywords if one.arg in names), None)
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
