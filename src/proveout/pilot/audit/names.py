"""What names in a notebook mean: what was imported under them, and what a cell binds and uses.

Input: trees of cells, in order. Output: dotted names as libraries know them, bindings and uses with their lines.
"""

import ast
import builtins
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from proveout.pilot.audit.syntax import children, walk

# What everybody calls these, for cells whose import is missing or stands in another file.
USUAL = {
    "np": "numpy",
    "pd": "pandas",
    "plt": "matplotlib.pyplot",
    "sns": "seaborn",
    "tf": "tensorflow",
    "xgb": "xgboost",
    "lgb": "lightgbm",
    "sm": "statsmodels.api",
    "os": "os",
    "nltk": "nltk",
    "joblib": "joblib",
    "pickle": "pickle",
    "random": "random",
    "requests": "requests",
    "warnings": "warnings",
    "torch": "torch",
}
PROVIDED = {
    "get_ipython",
    "In",
    "Out",
    "display",
    "exit",
    "quit",
    "_",
    "__",
    "___",
    "_i",
    "_ii",
    "_iii",
    "_dh",
    "_oh",
    "_ih",
}
BUILT_IN = frozenset(dir(builtins)) | PROVIDED | {"__file__", "__name__", "__doc__"}


@dataclass(frozen=True, kw_only=True)
class Binding:
    """A name that a cell gives a value at its top level. `value` is the expression, where there is one."""

    name: str
    line: int
    how: str  # assign, augment, import, def, class, for, with, except, delete
    value: ast.expr | None = None
    reads_itself: bool = False


@dataclass(frozen=True, kw_only=True)
class Use:
    """A name that is read. `deferred` uses stand in a function's body, and happen when it is called."""

    name: str
    line: int
    deferred: bool = False


def imported(tree: ast.AST) -> Mapping[str, str]:
    """Each name that imports of `tree` bind, and the dotted name behind it."""
    found: dict[str, str] = {}
    for node in walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = f"{node.module}.{alias.name}"
    return found


def dotted(node: ast.expr, known: Mapping[str, str]) -> str:
    """The name of what is called or read, with its import resolved: `pd.read_csv` is `pandas.read_csv`. Else "".

    >>> dotted(ast.parse("pd.read_csv", mode="eval").body, {"pd": "pandas"})
    'pandas.read_csv'
    """
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(known.get(node.id, USUAL.get(node.id, node.id)))
        return ".".join(reversed(parts))
    # A method of something nameless: `pd.read_csv(x).dropna` is `().dropna`.
    return ".".join(["()", *reversed(parts)]) if parts else ""


@dataclass
class _Scope:
    bindings: list[Binding] = field(default_factory=list)
    uses: list[Use] = field(default_factory=list)


class _Reader(ast.NodeVisitor):
    """Bindings and uses of a module's top level. Names local to functions and comprehensions stay inside."""

    def __init__(self) -> None:
        self.found = _Scope()
        self._local: list[set[str]] = []
        self._deferred = 0

    # --- uses
    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Load):
            if not any(node.id in local for local in self._local):
                self.found.uses.append(Use(name=node.id, line=node.lineno, deferred=self._deferred > 0))
        elif not self._local:
            self._bind(node.id, node.lineno, "delete" if isinstance(node.ctx, ast.Del) else "assign")

    def _bind(self, name: str, line: int, how: str, value: ast.expr | None = None) -> None:
        if self._local:
            return
        reads = value is not None and any(
            isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load) for one in walk(value)
        )
        self.found.bindings.append(Binding(name=name, line=line, how=how, value=value, reads_itself=reads))

    # --- bindings
    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self._target(target, node.value, "assign")

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)
            self._target(node.target, node.value, "assign")

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        self.visit(node.value)
        if isinstance(node.target, ast.Name):
            if not any(node.target.id in local for local in self._local):
                self.found.uses.append(Use(name=node.target.id, line=node.target.lineno, deferred=self._deferred > 0))
            if not self._local:
                self.found.bindings.append(
                    Binding(name=node.target.id, line=node.lineno, how="augment", value=node.value, reads_itself=True)
                )
        else:
            self.visit(node.target)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self._target(node.target, node.value, "assign")

    def _target(self, target: ast.expr, value: ast.expr | None, how: str) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, target.lineno, how, value)
        elif isinstance(target, ast.Tuple | ast.List):
            pairs = (
                value.elts
                if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts)
                else [value] * len(target.elts)
            )
            for one, part in zip(target.elts, pairs, strict=True):
                self._target(one, part, how)
        elif isinstance(target, ast.Starred):
            self._target(target.value, value, how)
        else:
            self.visit(target)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self._target(node.target, None, "for")
        for statement in (*node.body, *node.orelse):
            self.visit(statement)

    visit_AsyncFor = visit_For

    def visit_With(self, node: ast.With | ast.AsyncWith) -> None:
        for item in node.items:
            self.visit(item.context_expr)
            if item.optional_vars is not None:
                self._target(item.optional_vars, item.context_expr, "with")
        for statement in node.body:
            self.visit(statement)

    visit_AsyncWith = visit_With

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.type is not None:
            self.visit(node.type)
        if node.name:
            self._bind(node.name, node.lineno, "except")
        for statement in node.body:
            self.visit(statement)

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self._bind(alias.asname or alias.name.partition(".")[0], node.lineno, "import")

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for alias in node.names:
            self._bind(alias.asname or alias.name, node.lineno, "import")

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.pattern is not None:
            self.visit(node.pattern)
        if node.name:
            self._bind(node.name, node.lineno, "assign")

    # --- scopes of their own
    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for one in (
            *node.decorator_list,
            *node.args.defaults,
            *(default for default in node.args.kw_defaults if default),
        ):
            self.visit(one)
        self._bind(node.name, node.lineno, "def")
        self._inside(_locals_of(node), node.body)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for default in (*node.args.defaults, *(one for one in node.args.kw_defaults if one)):
            self.visit(default)
        self._inside(set(_arguments(node.args)), [node.body])

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for one in (*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords)):
            self.visit(one)
        self._bind(node.name, node.lineno, "class")
        self._local.append({name for statement in node.body for name in _bound_in(statement)})
        for statement in node.body:
            self.visit(statement)
        self._local.pop()

    def _inside(self, local: set[str], body: list[ast.stmt] | list[ast.expr]) -> None:
        self._local.append(local)
        self._deferred += 1
        for one in body:
            self.visit(one)
        self._deferred -= 1
        self._local.pop()

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        self.visit(node.generators[0].iter)
        local = {
            name.id for generator in node.generators for name in walk(generator.target) if isinstance(name, ast.Name)
        }
        self._local.append(local)
        for place, generator in enumerate(node.generators):
            if place:
                self.visit(generator.iter)
            for condition in generator.ifs:
                self.visit(condition)
        if isinstance(node, ast.DictComp):
            self.visit(node.key)
            self.visit(node.value)
        else:
            self.visit(node.elt)
        self._local.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _comprehension


def _arguments(arguments: ast.arguments) -> Iterator[str]:
    for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg, arguments.kwarg):
        if one is not None:
            yield one.arg


def _locals_of(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    shared = {name for node in walk(function) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}
    bound = {name for statement in function.body for name in _bound_in(statement)}
    return (set(_arguments(function.args)) | bound) - shared


def _bound_in(statement: ast.stmt) -> Iterator[str]:
    """Names that a statement binds in the scope it stands in."""
    waiting: list[ast.AST] = [statement]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
            continue
        if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
            continue
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0]
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name
        waiting.extend(children(node))


def read(tree: ast.Module) -> tuple[tuple[Binding, ...], tuple[Use, ...]]:
    """What the top level of a cell binds, in order, and all names that it reads.

    >>> bindings, uses = read(ast.parse("x = y\\nx += 1"))
    >>> [(binding.name, binding.how) for binding in bindings], [use.name for use in uses]
    ([('x', 'assign'), ('x', 'augment')], ['y', 'x'])
    """
    reader = _Reader()
    reader.visit(tree)
    return tuple(reader.found.bindings), tuple(reader.found.uses)


def headed_names(statement: ast.stmt) -> set[str]:
    """Names that the head of a `with` binds."""
    items = getattr(statement, "items", ())
    return {
        one.id for item in items if item.optional_vars for one in walk(item.optional_vars) if isinstance(one, ast.Name)
    }


def names_made_anew(statement: ast.stmt) -> set[str]:
    """Names that a statement gives a value that does not come from themselves."""
    if isinstance(statement, ast.Assign):
        read = names_read(statement.value)
        return {
            one.id
            for target in statement.targets
            for one in walk(target)
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store) and one.id not in read
        }
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return {statement.target.id}
    return set()


def names_read(node: ast.AST) -> set[str]:
    """Names that a node reads."""
    return {one.id for one in walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}
