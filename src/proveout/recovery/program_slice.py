"""Which statements of a notebook does one of them need? Backward over straight-line code, by names.

Takes too many rather than too few: a loop, an `if` or a `with` never ends the search for a name, and names that may be
one object are one. What only shows something is left out: an expression counts only if it can change a needed name.

Input: the sources of top-level statements, in order. Output: their places.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

# Methods that change what they are called on.
_CHANGES = frozenset(
    {
        "append",
        "extend",
        "insert",
        "pop",
        "remove",
        "update",
        "add",
        "setdefault",
        "fit",
        "partial_fit",
        "train",
        "compile",
        "load_weights",
        "set_params",
        "fit_transform",
        "clear",
        "sort",
        "reverse",
        "add_argument",
        "fit_resample",
        "fit_predict",
    }
)
_ITS_ARGUMENTS = "*"  # a function that changes what it is given


class Effects:
    """Names that a statement reads, binds anew (`strong`) or may change (`weak`); pairs that may be one object."""

    def __init__(self, tree: ast.stmt, functions: Mapping[str, frozenset[str]], modules: frozenset[str]) -> None:
        self.uses = set(_read(tree, frozenset()))
        self.strong: set[str] = set()
        self.weak: set[str] = set()
        self.same: list[tuple[str, str]] = []
        for node in ast.walk(tree):
            self._see(node, functions, modules)
        if isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            own = {
                one.arg
                for node in ast.walk(tree)
                if isinstance(node, ast.arguments)
                for one in node.args + node.kwonlyargs
            }
            said = (node.names for node in ast.walk(tree) if isinstance(node, ast.Global | ast.Nonlocal))
            shared = {name for names in said for name in names}
            # What it hands to a function that changes it is still read: only what it binds is its own.
            bound = _stored(tree) | {alias for node in ast.walk(tree) for alias in _imported(node)}
            self.uses = (self.uses - bound - own) | shared | (self.uses & {tree.name})
            self.strong, self.weak = {tree.name}, set()
        elif isinstance(tree, ast.Assign | ast.AnnAssign):
            targets = tree.targets if isinstance(tree, ast.Assign) else [tree.target]
            parts = [part for one in targets for part in (one.elts if isinstance(one, ast.Tuple | ast.List) else [one])]
            self.strong = {part.id for part in parts if isinstance(part, ast.Name)}
        elif isinstance(tree, ast.Import | ast.ImportFrom):
            self.strong = set(self.weak)

    def _see(self, node: ast.AST, functions: Mapping[str, frozenset[str]], modules: frozenset[str]) -> None:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                self.weak.add(name)
            case ast.Import() | ast.ImportFrom():
                self.weak |= _imported(node)
            case ast.Global(names=names):
                self.weak |= set(names)
            case ast.Attribute(ctx=ast.Store() | ast.Del()) | ast.Subscript(ctx=ast.Store() | ast.Del()):
                self.weak |= _some(base(node))
            case ast.Call():
                self._call(node, functions, modules)
            case ast.Assign(targets=targets, value=value):
                named = value.elts if isinstance(value, ast.List | ast.Tuple) else [value]
                names = [one.id for one in named if isinstance(one, ast.Name)]
                self.same += [(one.id, name) for one in targets if isinstance(one, ast.Name) for name in names]
            case ast.For(target=ast.Name(id=name), iter=over):
                parts = over.elts if isinstance(over, ast.List | ast.Tuple) else [over]
                self.same += [(name, one.id) for one in parts if isinstance(one, ast.Name)]
        if isinstance(node, ast.AugAssign):
            self.uses |= _some(base(node.target))

    def _call(self, node: ast.Call, functions: Mapping[str, frozenset[str]], modules: frozenset[str]) -> None:
        if isinstance(node.func, ast.Attribute):
            owner = base(node.func)
            changes = node.func.attr in _CHANGES or f".{node.func.attr}" in functions
            if owner and owner not in modules and (_is_in_place(node) or changes):
                self.weak.add(owner)
        elif isinstance(node.func, ast.Name) and node.func.id in functions:
            changed = functions[node.func.id]
            if _ITS_ARGUMENTS in changed:
                self.weak |= {one.id for one in node.args if isinstance(one, ast.Name)}
            self.weak |= changed - {_ITS_ARGUMENTS}


def _read(node: ast.AST, bound: frozenset[str]) -> Iterator[str]:
    """Names that are read and not bound in the same place, by a comprehension, a lambda or a loop around.

    >>> sorted(_read(ast.parse("[x + y for x in rows if x]"), frozenset()))
    ['rows', 'y']
    """
    match node:
        case ast.Name(id=name, ctx=ast.Load()):
            yield from {name} - bound
        case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
            for part in node.generators:
                yield from _read(part.iter, bound)
                bound |= _stored(part.target)
                yield from (name for one in part.ifs for name in _read(one, bound))
            parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
            yield from (name for one in parts for name in _read(one, bound))
        case ast.Lambda(args=arguments, body=body):
            given = {one.arg for one in ast.walk(arguments) if isinstance(one, ast.arg)}
            yield from _read(arguments, bound)
            yield from _read(body, bound | given)
        case ast.For(target=target, iter=over, body=body, orelse=otherwise):
            yield from _read(over, bound)
            bound |= _stored(target)
            yield from (name for one in [target, *body, *otherwise] for name in _read(one, bound))
        case _:
            yield from (name for one in ast.iter_child_nodes(node) for name in _read(one, bound))


def _imported(node: ast.AST) -> set[str]:
    """Names that an import binds. Of scikit-learn's experimental switches it is what they switch on: any."""
    if isinstance(node, ast.ImportFrom) and node.module == "sklearn.experimental":
        return {"*"}
    aliases = node.names if isinstance(node, ast.Import | ast.ImportFrom) else []
    return {(alias.asname or alias.name).partition(".")[0] for alias in aliases}


def _stored(target: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(target) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)}


def base(node: ast.expr) -> str | None:
    """The name at the root of `a.b[c].d(...)`, or None.

    >>> base(ast.parse("a.b[0].c()", mode="eval").body)
    'a'
    """
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


def _some(name: str | None) -> set[str]:
    return {name} if name else set()


def _is_in_place(node: ast.Call) -> bool:
    return any(
        one.arg == "inplace" and isinstance(one.value, ast.Constant) and one.value.value is True
        for one in node.keywords
    )


@lru_cache(maxsize=4096)
def _parsed(source: str) -> ast.Module:
    return ast.parse(source)


def changing_functions(sources: Sequence[str]) -> dict[str, frozenset[str]]:
    """For each function of the notebook the globals that it sets, and `*` where it changes what it is given."""
    return {name: changed for source in sources for name, changed in _changing_functions(source)}


@lru_cache(maxsize=4096)
def _changing_functions(source: str) -> tuple[tuple[str, frozenset[str]], ...]:
    functions = (node for node in _parsed(source).body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return tuple((node.name, frozenset(_changed_by(node))) for node in functions)


@lru_cache(maxsize=4096)
def _changing_methods(source: str) -> frozenset[str]:
    """`.name` of each method of the notebook's classes that may change its object: it stores, or calls another."""
    found: set[str] = set()
    for node in ast.walk(_parsed(source)):
        if not isinstance(node, ast.ClassDef):
            continue
        methods = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.args.args]
        for method in methods:
            own = method.args.args[0].arg
            calls = any(isinstance(one, ast.Call) and base(one.func) == own for one in ast.walk(method))
            if _ITS_ARGUMENTS in _changed_by(method) or calls:
                found.add(f".{method.name}")
    return frozenset(found)


@lru_cache(maxsize=4096)
def _modules(source: str) -> frozenset[str]:
    imports = (node for node in ast.walk(_parsed(source)) if isinstance(node, ast.Import | ast.ImportFrom))
    return frozenset((alias.asname or alias.name).partition(".")[0] for node in imports for alias in node.names)


def _known(sources: Sequence[str]) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
    """What functions and methods of the notebook change, and the names of modules."""
    methods = {name: frozenset[str]() for source in sources for name in _changing_methods(source)}
    modules = frozenset(name for source in sources for name in _modules(source))
    return {**changing_functions(sources), **methods}, modules


def _changed_by(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    own = {one.arg for one in function.args.args}
    nodes = list(ast.walk(function))
    stores = {
        name
        for node in nodes
        if isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store) and (name := base(node))
    }
    stores |= {
        name
        for node in nodes
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and (node.func.attr in _CHANGES or any(one.arg == "inplace" for one in node.keywords))
        and (name := base(node.func))
    }
    local = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    shared = {name for node in nodes if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    return ({_ITS_ARGUMENTS} if stores & own else set()) | shared | (stores - own - local)


def backward(sources: Sequence[str], target: int, *, stop: int | None = None) -> list[int]:
    """Places of the statements that the one at `target` needs, itself included, in order.

    At `stop` rows are handed in: of what stands before it, only imports count.
    """
    functions, modules = _known(sources)
    effects = [Effects(_parsed(source).body[0], functions, modules) for source in sources[: target + 1]]
    groups, bodies = _one_object(effects), _bodies(sources[: target + 1], effects)
    needed, chosen = _called(effects[target].uses, bodies), [target]
    for place in range(target - 1, -1, -1):
        effect = effects[place]
        touched = {name for one in effect.weak for name in groups.get(one, {one})}
        if effect.strong & needed or touched & needed or "*" in effect.strong:  # `from sklearn.metrics import *`
            chosen.append(place)
            needed -= effect.strong
            needed |= effect.uses & modules if place == stop else _called(effect.uses, bodies)
    return sorted(chosen)


def dependents(cells: Mapping[int, Sequence[str]], first: int) -> set[int]:
    """The cell `first`, and all later ones that read what it makes or changes, or what one of these does.

    Args:
        cells: the sources of the top-level statements of each cell, in order.
    """
    sources = [source for statements in cells.values() for source in statements]
    functions, modules = _known(sources)
    effects = {place: [Effects(_parsed(one).body[0], functions, modules) for one in cells[place]] for place in cells}
    in_order = [effect for several in effects.values() for effect in several]
    groups, bodies = _one_object(in_order), _bodies(sources, in_order)
    found, lost = {first}, _made(effects[first], groups)
    for place in cells:
        if place <= first:
            continue
        left = set(lost)  # a name that the cell binds anew, before it reads it, is its own
        for effect in effects[place]:
            if _called(effect.uses, bodies) & left:
                found.add(place)
                lost |= _made(effects[place], groups)
                break
            left -= effect.strong
        else:
            lost = left
    return found


def _made(effects: Sequence[Effects], groups: Mapping[str, set[str]]) -> set[str]:
    """Names that statements bind or may change, with those that may be the same object as one that they change."""
    changed = {name for effect in effects for one in effect.weak for name in groups.get(one, {one})}
    return changed | {name for effect in effects for name in effect.strong}


def showing(sources: Sequence[str], first: int) -> frozenset[int]:
    """Which of the statements from `first` on only show something, counted from there: no name is another after them.

    A loop or an `if` shows only if all in it does. What it counts with is its own.
    """
    functions, modules = _known(sources)
    return frozenset(
        place
        for place, source in enumerate(sources[first:])
        if all(_shows(statement, functions, modules) for statement in _parsed(source).body)
    )


def _shows(statement: ast.stmt, functions: Mapping[str, frozenset[str]], modules: frozenset[str]) -> bool:
    match statement:
        case ast.Expr():
            return not Effects(statement, functions, modules).weak
        case ast.For(body=body, orelse=otherwise) | ast.If(body=body, orelse=otherwise):
            return all(_shows(one, functions, modules) for one in [*body, *otherwise])
        case ast.With(body=body, items=items):
            return all(one.optional_vars is None for one in items) and all(
                _shows(one, functions, modules) for one in body
            )
    return False


def _bodies(sources: Sequence[str], effects: Sequence[Effects]) -> dict[str, set[str]]:
    """What each function and class of the notebook reads: when it is called, not where it is defined."""
    found: dict[str, set[str]] = {}
    for source, effect in zip(sources, effects, strict=True):
        node = _parsed(source).body[0]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.setdefault(node.name, set()).update(effect.uses)
    return found


def _called(uses: set[str], bodies: Mapping[str, set[str]]) -> set[str]:
    """Names that are read, and those that the functions among them read in their turn."""
    found, new = set(uses), set(uses)
    while new:
        new = {name for one in new & bodies.keys() for name in bodies[one]} - found
        found |= new
    return found


def _one_object(effects: Sequence[Effects]) -> dict[str, set[str]]:
    """For each name all names that may be the same object: `df2 = df`, `for d in [a, b]`."""
    groups: dict[str, set[str]] = {}
    for effect in effects:
        for one, other in effect.same:
            joined = groups.get(one, {one}) | groups.get(other, {other})
            for name in joined:
                groups[name] = joined
    return groups
