"""PA403 positional-schema."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule
from proveout.pilot.audit.syntax import children

_SAME_ROWS = {"astype", "copy", "reshape", "to_numpy", "ravel", "flatten", "todense", "toarray"}


def find(analysis: Analysis) -> Iterator[Hit]:
    """Statements that choose columns by their places, or give them other names than the file does."""
    for cell, statement in analysis.statements():
        if evidence := _evidence(statement, analysis):
            yield Hit(cell=cell.index, line=statement.lineno, evidence=evidence)


def _own_nodes(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement, without the statements inside it."""
    waiting: list[ast.AST] = [child for child in children(statement) if not isinstance(child, ast.stmt)]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(child for child in children(node) if not isinstance(child, ast.stmt))


def _evidence(statement: ast.stmt, analysis: Analysis) -> str:
    if isinstance(statement, ast.Assign):
        if text := _renames(statement):
            return text
        values = statement.value.elts if isinstance(statement.value, ast.Tuple) else [statement.value]
        for value in values:
            if text := _of_array(value):
                return text
    for node in _own_nodes(statement):
        if isinstance(node, ast.Subscript) and (text := _by_place(node)):
            return text
        if isinstance(node, ast.Call) and (text := _of_call(node, analysis)):
            return text
    return ""


def _renames(statement: ast.Assign) -> str:
    for target in statement.targets:
        names_all = isinstance(target, ast.Attribute) and target.attr == "columns"
        if names_all and isinstance(statement.value, ast.List | ast.Tuple | ast.Name):
            return f"`{ast.unparse(target)} = ...` names the columns by their places"
    return ""


def _by_place(node: ast.Subscript) -> str:
    """`df.iloc[:, 3]` and `df.columns[3]`."""
    value, index = node.value, node.slice
    if not isinstance(value, ast.Attribute):
        return ""
    of_frame = value.attr in ("iloc", "ix") and isinstance(index, ast.Tuple) and len(index.elts) == 2
    chosen = index.elts[1] if of_frame and isinstance(index, ast.Tuple) else index
    if (of_frame or value.attr == "columns") and _is_place(chosen):
        return f"`{ast.unparse(node)[:80]}` chooses columns by their places"
    return ""


def _of_array(value: ast.expr) -> str:
    """`X = data[:, 0:8]`: the columns of an array are chosen, and not only looked at."""
    while isinstance(value, ast.Call | ast.Attribute):  # X = data[:, 0:8].astype(float).copy()
        if isinstance(value, ast.Call):
            if not (isinstance(value.func, ast.Attribute) and value.func.attr in _SAME_ROWS):
                return ""
            value = value.func
        value = value.value
    if not (isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Tuple) and len(value.slice.elts) == 2):
        return ""
    rows, columns = value.slice.elts
    whole = isinstance(rows, ast.Slice) and rows.lower is None and rows.upper is None
    several = isinstance(columns, ast.List) and bool(columns.elts) and not any(map(_is_text, columns.elts))
    if whole and (_is_place(columns) or several) and isinstance(value.value, ast.Name | ast.Attribute):
        of_answers = isinstance(value.value, ast.Name) and re.search(r"prob|score|pred", value.value.id) is not None
        return "" if of_answers else f"`{ast.unparse(value)[:80]}` chooses columns by their places"
    return ""


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


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
        Example(cells=("x = data[:, 1:3]\ny = data[:, 8].astype(int)",), found=((0, 1), (0, 2))),
        Example(cells=("X, y = data[:, :-1], data[:, -1]\nX = X[:, [first, second]]",), found=((0, 1), (0, 2))),
    ),
    negative=(
        Example(cells=("X = df[['a', 'b']]\nr = df.iloc[3]\nd = pd.read_csv('x.csv', header=0)",)),
        Example(cells=("plt.scatter(X[:, 0], X[:, 1])\nlow = X[:, 0].min()\np = m.predict_proba(X)[:, 1]",)),
        Example(cells=("h = df.iloc[0:5]\nx = df.loc[:, 'a']",)),
    ),
)
