"""A call of a notebook's function that asks the model, written out: the statements up to where the function asks it.

`evaluate(model, X_train, X_test, y_train, y_test)` becomes what its parameters are and what it does to them, so that
what the model is given has a name outside of the function.

Input: trees of statements and functions, and the call that asks the model in them. Output: statements, in order.
"""

import ast
import copy
from collections.abc import Collection, Iterator, Mapping, Sequence

_SCOPES = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.Lambda, ast.FunctionDef, ast.ClassDef)


class _NotInlined(Exception):
    """Which statements run before the call is more than reading can tell."""


def before(statement: ast.stmt, asked: ast.Call | None, turn: int) -> list[ast.stmt]:
    """What runs in a statement before a call in it: of a loop, in the turn of that call. A plain statement has none."""
    made: list[ast.stmt] = []
    if isinstance(statement, ast.For):
        turns = ast.Call(ast.Name("list", ast.Load()), [statement.iter], [])
        made.append(ast.Assign([statement.target], ast.Subscript(turns, ast.Constant(turn), ast.Load())))
    elif not isinstance(statement, ast.If | ast.With | ast.Try):
        return made
    for block in (statement.body, getattr(statement, "orelse", [])):
        place = next((place for place, part in enumerate(block) if _holds(part, asked)), None)
        if place is not None:
            return [*made, *block[:place], *before(block[place], asked, 0)]
        made += block if isinstance(statement, ast.Try) else []
    return []


def written_out(
    statement: ast.stmt, functions: Mapping[str, ast.FunctionDef], asked: ast.Call, turn: int
) -> list[ast.stmt] | None:
    """The statements that run until `asked`, which stands in one of `functions`; None if reading cannot tell them.

    Args:
        statement: calls one of the functions.
        turn: how often `asked` was reached in it before.
    """
    leading = {name for name, one in functions.items() if _holds(one, asked)}
    while more := {name for name, one in functions.items() if name not in leading and _calls(one.body, leading)}:
        leading |= more
    try:
        return [ast.fix_missing_locations(one) for one in _until(statement, functions, leading, asked, turn)]
    except _NotInlined:
        return None


def _until(
    statement: ast.stmt, functions: Mapping[str, ast.FunctionDef], leading: Collection[str], asked: ast.Call, turn: int
) -> list[ast.stmt]:
    """What runs until `asked`, from a statement that holds it or calls a function that leads to it."""
    calls = _calls([statement], leading)
    if not calls and not _holds(statement, asked):
        raise _NotInlined  # the function itself is handed to something that calls it
    call = asked if _holds(statement, asked) else calls[0]
    if (call is not asked and len(calls) > 1) or not any(one is call for one in _unscoped(statement)):
        raise _NotInlined
    made = before(statement, call, turn)
    if call is asked:
        return made
    function = functions[call.func.id]  # type: ignore[attr-defined]  # a name, by _calls
    made += _bound(function, call)
    turn = 0 if isinstance(statement, ast.For) else turn
    for part in function.body:
        if _holds(part, asked) or _calls([part], leading):
            return [*made, *_until(part, functions, leading, asked, turn)]
        if any(isinstance(one, ast.Return | ast.Yield) for one in _unscoped(part)):
            raise _NotInlined
        if not isinstance(part, ast.Nonlocal | ast.Global):
            made.append(part)
    raise _NotInlined


def _bound(function: ast.FunctionDef, call: ast.Call) -> list[ast.stmt]:
    """The parameters of a function as a call of it gives them."""
    given = function.args
    names = [one.arg for one in (*given.posonlyargs, *given.args)]
    starred = any(isinstance(one, ast.Starred) for one in call.args) or any(one.arg is None for one in call.keywords)
    if starred or given.vararg or given.kwarg or len(call.args) > len(names):
        raise _NotInlined
    known: dict[str, ast.expr] = {}
    known.update(zip(names[len(names) - len(given.defaults) :], given.defaults, strict=True))
    pairs = zip(given.kwonlyargs, given.kw_defaults, strict=True)
    known.update({one.arg: default for one, default in pairs if default is not None})
    known.update(zip(names, call.args, strict=False))
    known.update({one.arg: one.value for one in call.keywords if one.arg is not None})
    known = {name: one for name, one in known.items() if not (isinstance(one, ast.Name) and one.id == name)}
    if any(name in _read(one) for name in known for other, one in known.items() if other != name):
        names = list(known)  # one parameter is what another name means outside: all at once
        targets = ast.Tuple([ast.Name(name, ast.Store()) for name in names], ast.Store())
        return [_assigned(targets, ast.Tuple([known[name] for name in names], ast.Load()))]
    return [_assigned(ast.Name(name, ast.Store()), one) for name, one in known.items()]


def _assigned(target: ast.expr, value: ast.expr) -> ast.stmt:
    return ast.Assign([target], copy.deepcopy(value))


def _read(tree: ast.expr) -> set[str]:
    return {one.id for one in ast.walk(tree) if isinstance(one, ast.Name)}


def _holds(tree: ast.AST, asked: ast.Call | None) -> bool:
    return any(node is asked for node in ast.walk(tree))


def _unscoped(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a tree without those in functions, lambdas and comprehensions of it."""
    if not isinstance(tree, _SCOPES):
        yield tree
        for one in ast.iter_child_nodes(tree):
            yield from _unscoped(one)


def _calls(body: Sequence[ast.stmt], names: Collection[str]) -> list[ast.Call]:
    nodes = (one for statement in body for one in ast.walk(statement))
    calls = (one for one in nodes if isinstance(one, ast.Call))
    return [one for one in calls if isinstance(one.func, ast.Name) and one.func.id in names]
