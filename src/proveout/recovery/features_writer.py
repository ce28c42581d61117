"""What was recovered, as a module that a person can read: the author's own statements with what they learned frozen.

A source becomes `frame`, a fit what was fitted, a filter nothing, a split the rows themselves, a mean its number. What
is too large for the page stands in the state.

Input: a tape and a verified recovery. Output: the module's text, and the values of STATE by name.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from proveout.recovery import own_code
from proveout.recovery.program_slice import Effects, backward
from proveout.recovery.rewritten_slice import Line, RewrittenSlice, Turns, Unwritable, with_own
from proveout.recovery.tables import index_of
from proveout.recovery.tape import Tape
from proveout.recovery.verification import Recovery

HEAD = '''"""How a raw row becomes what the model is given: the statements of the pilot, recovered from its run.

What they learned is that of the run, in `state/`. Filters of rows do not apply: every row gets its answer.
"""'''
PUBLIC = '''again.quiet(__name__)
STATE = state_files.read(Path(__file__).with_name("state"))


def {public}(rows):
    """The model's columns for raw rows, one row each, in order."""
    return again.table({inner}(again.completed(rows, STATE["row"]{index}), STATE), rows.index)'''
IMPORTS = (
    "from pathlib import Path",
    "",
    "from proveout.recovery import state_files",
    "from proveout.recovery.frozen_state import again",
)
HEAD_STEPS = "first_steps"  # of the state: the steps of the model that became features
ROW = "row"  # of the state: one raw row, for the columns that nobody is asked for, and the dtypes


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
    assert recovery.primary is not None
    assert recovery.raw is not None
    rewriting, needed, takes = rewritten(tape, recovery, head)
    before = needed
    needed, takes, steps = _folded(needed, takes) if fold else (needed, takes, [])
    tops = tops_of([text for text, _ in needed])
    names = names_of(tops)
    public = next(name for name in ("features", "features_of_rows", "columns_of_rows") if name not in names)
    inner = next(name for name in ("prepared", "prepared_by_pilot", "as_pilot_does") if name not in names)
    state = {**used_of(rewriting.state, [*(text for text, _ in needed), takes]), ROW: example(recovery)}
    found: tuple[Any, ...] = ()
    if steps:
        space: dict[str, Any] = {"__name__": "__main__"}  # so that code of the notebook is known as such
        above = tops_of([text for text, _ in before])
        text = function(inner, before, above, answer=f"[{', '.join(steps)}]", state=rewriting.state)
        exec("\n".join([*IMPORTS, *above, text]), space)  # noqa: S102  # as in the replay
        found = tuple(space[inner](recovery.raw.iloc[list(recovery.rows)].reset_index(drop=True), rewriting.state))
    index = index_of(tape.frozen[recovery.primary.key])
    shown = PUBLIC.format(public=public, inner=inner, index=f", index={index!r}" if index else "")
    prepared = function(inner, needed, tops, answer=takes, state=state)
    text = "\n".join([HEAD, "", *IMPORTS, *tops, "", shown, "", "", prepared])
    return FeaturesModule(text=text + "\n", function=public, state=state, steps=found)


def rewritten(
    tape: Tape, recovery: Recovery, head: Sequence[Any] = ()
) -> tuple[RewrittenSlice, list[tuple[str, int]], str]:
    """The slice of a recovery: the statements that are needed, each with its cell, and the expression of its end.

    Raises: Unwritable.
    """
    assert recovery.replay is not None
    rewriting = RewrittenSlice(tape, recovery, frozenset(recovery.replay.places))
    lines, takes = _needed(rewriting, head)
    # A function that many statements call has learned something in each: once more, with those alone that are needed.
    rewriting = RewrittenSlice(tape, recovery, frozenset(line.place for line in lines) | {recovery.replay.places[-1]})
    lines, takes = _needed(rewriting, head)
    return rewriting, [(line.text, line.cell) for line in lines], takes


def names_of(tops: Sequence[str]) -> set[str]:
    """The names of the functions and classes among statements."""
    return {one.name for text in tops for one in ast.parse(text).body if hasattr(one, "name")}


def used_of(state: Mapping[str, Any], texts: Sequence[str]) -> dict[str, Any]:
    """The values of the state that statements take."""
    return {name: value for name, value in state.items() if any(f"'{name}'" in text for text in texts)}


def example(recovery: Recovery) -> Any:
    """One raw row, for the columns that nobody is asked for, and the dtypes."""
    assert recovery.raw is not None
    return recovery.raw.iloc[[recovery.rows[0] if recovery.rows else 0]].reset_index(drop=True)


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


def _needed(rewriting: "RewrittenSlice", head: Sequence[Any]) -> tuple[list[Line], str]:
    """The statements that the inputs need, and the expression of the inputs. What only training needed goes."""
    if head:
        names: set[str] = set()
        rewriting.state[HEAD_STEPS] = own_code.taken_out(own_code.with_columns(list(head)), names)
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
        takes = f"again.through({with_own(f'state[{HEAD_STEPS!r}]', names, rewriting.tape.lambdas)}, {takes})"
    sources = [line.text for line in lines] + ([f"__taken__ = {takes}"] if takes else [])
    places = backward(sources, len(sources) - 1)
    needed = [lines[place] for place in (places[:-1] if takes else places)]
    needed = _without_idle(needed, takes) if takes else needed
    return [line for line in needed if line.text != "None" and not re.fullmatch(r"(\w+) = \1", line.text)], takes


def _without_idle(lines: Sequence[Line], takes: str) -> list[Line]:
    """The lines without what loops do to a table that nothing else reads: the training side beside the other one."""
    trees = [ast.parse(line.text) for line in lines]
    everything = [*trees, ast.parse(takes)]

    def idle(statement: ast.stmt) -> bool:
        match statement:
            case ast.Assign(targets=[ast.Subscript(value=ast.Name(id=name))]):
                inside = _reads(statement, name)
                return sum(_reads(tree, name) for tree in everything) == inside
        return False

    kept = []
    for line, tree in zip(lines, trees, strict=True):
        [loop] = tree.body
        body = [one for one in loop.body if not idle(one)] if isinstance(loop, ast.For) else []
        if isinstance(loop, ast.For) and 0 < len(body) < len(loop.body):
            loop.body = body
            line = replace(line, text=ast.unparse(loop))  # noqa: PLW2901  # it goes on as this one
        kept.append(line)
    return kept


def _reads(tree: ast.AST, name: str) -> int:
    return sum(isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load) for one in ast.walk(tree))


def function(
    name: str, lines: Sequence[tuple[str, int]], tops: Sequence[str], *, answer: str, state: Mapping[str, Any],
    given: str = "frame, state",
) -> str:  # fmt: skip
    """The function of `given` that runs `lines`, but for those that stand above it, and returns `answer`."""
    body = [text if "\n" in text else f"{text}  # cell {cell}" for text, cell in lines if text not in tops]
    ends = [f"return {answer}"] if answer else []
    inside = [line for part in [*_head(state), *_unbound(lines), *body, *ends] for line in part.splitlines()]
    return "\n".join([f"def {name}({given}):", *(f"    {line}" for line in inside)])


def _unbound(lines: Sequence[tuple[str, int]]) -> list[str]:
    """Statements for the names that functions of the notebook set as global ones, and no statement outside of them."""
    said: set[str] = set()
    bound: set[str] = set()
    for text, _ in lines:
        tree = ast.parse(text).body[0]
        said |= {name for node in ast.walk(tree) if isinstance(node, ast.Nonlocal) for name in node.names}
        bound |= Effects(tree, {}, frozenset()).strong | Effects(tree, {}, frozenset()).weak
    return [f"{name} = None" for name in sorted(said - bound)]


_OF_FUNCTION = {"frame", "state", "turns"}  # names that only the function of the features has
_TOP = ("import ", "from ", "def ", "class ", "async def ", "@")


def tops_of(texts: list[str]) -> list[str]:
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
