"""PA403 positional-schema."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.rule import Example, Hit, Rule


def find(analysis: Analysis) -> Iterator[Hit]:
    """Statements that choose columns by their places, or give them other names than the file does."""
    for cell, statement in analysis.statements():
        if evidence := _evidence(cell, statement, analysis):
            yield Hit(cell=cell.index, line=statement.lineno, evidence=evidence)


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement, without the statements inside it."""
    waiting: list[ast.AST] = [child for child in ast.iter_child_nodes(statement) if not isinstance(child, ast.stmt)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt))


def _evidence(cell: CodeCell, statement: ast.stmt, analysis: Analysis) -> str:
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if (
                isinstance(target, ast.Attribute)
                and target.attr == "columns"
                and isinstance(statement.value, ast.List | ast.Tuple | ast.Name)
            ):
                return f"`{ast.unparse(target)} = ...` names the columns by their places"
    for node in _own_nodes(statement):
        if isinstance(node, ast.Subscript) and (text := _by_place(node)):
            return text
        if isinstance(node, ast.Call) and (text := _of_call(node, analysis)):
            return text
    return ""


def _by_place(node: ast.Subscript) -> str:
    value, index = node.value, node.slice
    if (
        isinstance(value, ast.Attribute)
        and value.attr in ("iloc", "ix")
        and isinstance(index, ast.Tuple)
        and len(index.elts) == 2
    ):
        if _is_place(index.elts[1]):
            return f"`{ast.unparse(node)[:80]}` chooses columns by their places"
    if isinstance(value, ast.Attribute) and value.attr == "columns" and _is_place(index):
        return f"`{ast.unparse(node)[:80]}` chooses columns by their places"
    # Arrays made of frames: dataset.values[:, 0:8], and X[:, 1].
    if isinstance(index, ast.Tuple) and len(index.elts) == 2 and isinstance(index.elts[0], ast.Slice):
        whole = index.elts[0].lower is None and index.elts[0].upper is None
        if whole and _is_place(index.elts[1]) and isinstance(value, ast.Name | ast.Attribute):
            return f"`{ast.unparse(node)[:80]}` chooses columns by their places"
    return ""


def _is_place(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=int() as value):
            return not isinstance(value, bool)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return _is_place(inner)
        case ast.Slice(lower=lower, upper=upper):
            bounds = [one for one in (lower, upper) if one is not None]
            return bool(bounds) and all(_is_place(one) for one in bounds)
        case ast.List(elts=elements):
            return bool(elements) and all(_is_place(one) for one in elements)
    return False


def _of_call(call: ast.Call, analysis: Analysis) -> str:
    name = analysis.name_of(call.func)
    method = name.rpartition(".")[2]
    if method.startswith("read_") or method == "ExcelFile.parse":
        for keyword in call.keywords:
            if keyword.arg == "header" and not (
                isinstance(keyword.value, ast.Constant) and keyword.value.value in (0, "infer")
            ):
                return f"{method} with header={ast.unparse(keyword.value)} does not use the file's own header"
            if keyword.arg == "names" and not any(one.arg == "header" for one in call.keywords):
                return f"{method} with names= names the columns by their places"
            if keyword.arg == "usecols" and _is_place(keyword.value):
                return f"{method} with usecols= chooses columns by their places"
            if keyword.arg == "index_col" and _is_place(keyword.value) and method != "read_excel":
                return ""
    return ""


RULE = Rule(
    code="PA403",
    kind="positional-schema",
    severity="medium",
    title="Columns by their places",
    why="A column more, or another order, and the model reads other quantities under the same places without an error.",
    fix="Choose columns by their names, and check them in the schema.",
    adopt="does",
    adopt_note="Writes the names that stood at these places into the schema and the features.",
    find=find,
    positive=(
        Example(cells=("X = df.iloc[:, 0:4].values\ny = df.iloc[:, -1]",), found=((0, 1), (0, 2))),
        Example(cells=("df.columns = ['a', 'b']\nd = pd.read_csv('x.csv', header=None)",), found=((0, 1), (0, 2))),
        Example(cells=("x = data[:, 1:3]",), found=((0, 1),)),
    ),
    negative=(
        Example(cells=("X = df[['a', 'b']]\nr = df.iloc[3]\nd = pd.read_csv('x.csv', header=0)",)),
        Example(cells=("h = df.iloc[0:5]\nx = df.loc[:, 'a']",)),
    ),
)
