"""PA303 non-idempotent-cell."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.rule import Example, Hit, Rule

_ACCUMULATE = {"append", "extend", "insert", "add_row"}
# Changing a frame once more by these gives the same frame: filling holes, sorting.
_SAME_AGAIN = {
    "fillna",
    "sort_values",
    "sort_index",
    "drop_duplicates",
    "dropna",
    "ffill",
    "bfill",
    "strip",
    "lower",
    "upper",
    "astype",
    "copy",
    "reset_index_",
    "replace_",
    "clip",
    "abs",
    "round",
    "to_frame_",
    "set_params",
    "sort",
    "unique",
}
_RAISES_AGAIN = {"drop", "pop", "set_index", "rename_", "remove"}


def find(analysis: Analysis) -> Iterator[Hit]:
    """Cells in which a second run would find other state than the first: the first line that does it."""
    for cell in analysis.cells:
        found = sorted(_lines(cell, analysis))
        if found:
            line, evidence = found[0]
            yield Hit(cell=cell.index, line=line, evidence=evidence)


def _lines(cell: CodeCell, analysis: Analysis) -> Iterator[tuple[int, str]]:
    fresh: set[str] = set()  # names that the cell itself made anew before
    for statement in cell.code.tree.body:
        yield from _of_statement(statement, fresh, analysis)
        fresh |= _made_anew(statement)


def _made_anew(statement: ast.stmt) -> set[str]:
    """Names that a statement gives a value that does not come from themselves."""
    made: set[str] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                for one in ast.walk(target):
                    if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store) and one.id not in _read(node.value):
                        made.add(one.id)
        elif isinstance(node, ast.For | ast.AsyncFor):
            made |= {one.id for one in ast.walk(node.target) if isinstance(one, ast.Name)}
        elif isinstance(node, ast.With | ast.AsyncWith):
            made |= {
                one.id
                for item in node.items
                if item.optional_vars
                for one in ast.walk(item.optional_vars)
                if isinstance(one, ast.Name)
            }
    return made


def _read(node: ast.AST) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Load)}


def _of_statement(statement: ast.stmt, fresh: set[str], analysis: Analysis) -> Iterator[tuple[int, str]]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return
    inner_fresh = set(fresh)
    if isinstance(statement, ast.For | ast.While | ast.If | ast.With | ast.Try | ast.AsyncFor | ast.AsyncWith):
        inner_fresh |= _made_anew(statement) if not isinstance(statement, ast.If) else set()
        for field in ("body", "orelse", "finalbody", "handlers"):
            for inner in getattr(statement, field, ()):
                for one in inner.body if isinstance(inner, ast.ExceptHandler) else [inner]:
                    yield from _of_statement(one, inner_fresh, analysis)
                    inner_fresh |= _made_anew(one)
        return
    if isinstance(statement, ast.AugAssign):
        base = _base(statement.target)
        if base and base not in fresh:
            yield statement.lineno, f"`{ast.unparse(statement)[:80]}` adds up each time the cell runs"
    elif isinstance(statement, ast.Assign):
        yield from _of_assignment(statement, fresh, analysis)
    elif isinstance(statement, ast.Delete):
        for target in statement.targets:
            base = _base(target)
            if base and base not in fresh:
                yield statement.lineno, f"`{ast.unparse(statement)[:80]}` raises the second time"
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        yield from _of_call(statement.value, fresh, analysis)


def _of_assignment(statement: ast.Assign, fresh: set[str], analysis: Analysis) -> Iterator[tuple[int, str]]:
    text = ast.unparse(statement)[:80]
    for target in statement.targets:
        if isinstance(target, ast.Name):
            name = target.id
            if name in fresh or name not in _read(statement.value):
                continue
            if _changes_again(statement.value, name, analysis):
                yield statement.lineno, f"`{text}` makes {name!r} from itself: a second run changes it again"
        elif isinstance(target, ast.Subscript):
            base = _base(target)
            key = ast.unparse(target)
            if base is None or base in fresh:
                continue
            reads = {
                ast.unparse(one) for one in ast.walk(statement.value) if isinstance(one, ast.Subscript | ast.Attribute)
            }
            same = _same_columns(target, reads)
            if (key in reads or same) and _changes_again(statement.value, base, analysis, column=True):
                yield statement.lineno, f"`{text}` makes a column from itself: a second run changes it again"


def _same_columns(target: ast.Subscript, reads: set[str]) -> bool:
    """`df['a'] = df.a * 2` reads what it writes, by another spelling."""
    if (
        isinstance(target.slice, ast.Constant)
        and isinstance(target.slice.value, str)
        and target.slice.value.isidentifier()
    ):
        return f"{ast.unparse(target.value)}.{target.slice.value}" in reads
    return False


def _changes_again(value: ast.expr, name: str, analysis: Analysis, *, column: bool = False) -> bool:
    """Whether computing `value` from its own result gives something else, as far as one can tell."""
    match value:
        case ast.Call(func=ast.Attribute(attr=method, value=inner)):
            own = _base(inner) == name
            if method in _SAME_AGAIN and own:
                return _changes_again(inner, name, analysis, column=column) if isinstance(inner, ast.Call) else False
            if method in (
                "fit_transform",
                "transform",
                "inverse_transform",
                "map",
                "apply",
                "applymap",
                "replace",
                "drop",
                "set_index",
                "reset_index",
                "pop",
                "append",
                "merge",
                "join",
                "melt",
                "pivot",
                "stack",
                "unstack",
                "rename",
                "iloc",
                "shift",
                "diff",
                "reshape",
                "T",
                "split",
                "groupby",
                "pct_change",
                "explode",
                "query",
                "sample",
                "transpose",
                "concat",
                "get_dummies",
            ):
                return method not in ("reshape", "query", "sample", "rename", "inverse_transform") and not (
                    method == "replace" and not column
                )
            called = analysis.name_of(value.func)
            if called in (
                "pandas.get_dummies",
                "numpy.log",
                "numpy.log1p",
                "numpy.sqrt",
                "numpy.append",
                "numpy.concatenate",
                "pandas.concat",
                "numpy.exp",
                "numpy.vstack",
                "numpy.hstack",
                "numpy.expand_dims",
                "pandas.merge",
                "numpy.column_stack",
                "numpy.c_",
            ):
                return True
            return False
        case ast.Call(func=ast.Name()):
            return False  # a function of the author: unknown
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow() | ast.FloorDiv()):
            return True
        case (
            ast.Subscript(value=ast.Attribute(attr="iloc"))
            | ast.Subscript(value=ast.Attribute(attr="loc"), slice=ast.Slice())
        ):
            return True
        case ast.Subscript(value=ast.Name(id=base), slice=ast.Slice()) if base == name:
            return True
        case _:
            return False


def _of_call(call: ast.Call, fresh: set[str], analysis: Analysis) -> Iterator[tuple[int, str]]:
    if not isinstance(call.func, ast.Attribute):
        return
    method, base = call.func.attr, _base(call.func.value)
    if base is None or base in fresh or base in analysis.imports:
        return
    text = ast.unparse(call)[:80]
    in_place = any(
        one.arg == "inplace" and isinstance(one.value, ast.Constant) and one.value.value is True
        for one in call.keywords
    )
    ignores = any(
        one.arg == "errors" and isinstance(one.value, ast.Constant) and one.value.value == "ignore"
        for one in call.keywords
    )
    if (
        in_place
        and method in ("drop", "set_index", "reset_index", "pop", "rename", "replace", "insert")
        and not ignores
    ):
        if method not in ("rename", "replace"):
            yield call.lineno, f"`{text}` changes the frame in place: a second run raises or changes it again"
    elif method in _ACCUMULATE and isinstance(call.func.value, ast.Name | ast.Attribute):
        yield call.lineno, f"`{text}` grows {base!r} each time the cell runs"
    elif method == "add" and len(call.args) == 1 and isinstance(call.args[0], ast.Call):
        yield call.lineno, f"`{text}` adds to {base!r} each time the cell runs"
    elif method == "pop" or (method == "insert" and len(call.args) >= 2):
        yield call.lineno, f"`{text}` changes {base!r} each time the cell runs"


def _base(node: ast.expr) -> str | None:
    while isinstance(node, ast.Subscript | ast.Attribute | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else None


RULE = Rule(
    code="PA303",
    kind="non-idempotent-cell",
    severity="medium",
    title="Cell that must not run twice",
    why="Who runs it again, to look or after an error, goes on with other data and is not told.",
    fix="Give what the cell makes a new name, or make it from its origin each time.",
    adopt="does",
    adopt_note="Runs each cell once, in order.",
    find=find,
    positive=(
        Example(cells=("df['a'] = df['a'] * 2",), found=((0, 1),)),
        Example(cells=("x = 1\ndf.drop('id', axis=1, inplace=True)",), found=((0, 2),)),
        Example(cells=("scores.append(1)",), found=((0, 1),)),
        Example(cells=("n += 1",), found=((0, 1),)),
        Example(cells=("df = pd.get_dummies(df)",), found=((0, 1),)),
        Example(cells=("df = df.drop(columns=['id'])",), found=((0, 1),)),
    ),
    negative=(
        Example(cells=("scores = []\nfor m in models:\n    scores.append(m)\nn = 0\nn += 1",)),
        Example(cells=("df = df.dropna()\ndf['b'] = df['a'] * 2\ndf['a'] = df['a'].fillna(0)",)),
        Example(cells=("def f(x):\n    x += 1\n    return x",)),
        Example(cells=("df = pd.read_csv('x.csv')\ndf = df.drop(columns=['id'])",)),
    ),
)
