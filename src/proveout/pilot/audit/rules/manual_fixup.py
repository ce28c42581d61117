"""PA402 manual-fixup."""

import ast
import re
from collections.abc import Iterator
from typing import TypeGuard

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule
from proveout.pilot.audit.syntax import walk

_IDENTIFIER = re.compile(
    r"(?:^|_)(?:id|key|code|no|number|name|uuid|customer|user|passenger|player|patient)(?:_|$)|id$", re.IGNORECASE
)


def find(analysis: Analysis) -> Iterator[Hit]:
    """Statements that edit rows chosen by a literal number or by the id of one thing."""
    for cell, statement in analysis.statements():
        if isinstance(statement, ast.Assign | ast.AugAssign):
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            for target in targets:
                if evidence := _of_target(target):
                    yield Hit(cell=cell.index, line=statement.lineno, evidence=evidence)
                    break
            else:
                if evidence := _of_value(statement.value):
                    yield Hit(cell=cell.index, line=statement.lineno, evidence=evidence)
        elif isinstance(statement, ast.Expr) and (evidence := _of_value(statement.value)):
            yield Hit(cell=cell.index, line=statement.lineno, evidence=evidence)


def _of_target(target: ast.expr) -> str:
    if not (isinstance(target, ast.Subscript) and isinstance(target.value, ast.Attribute)):
        # df['a'][3] = 1: a column, then a row.
        if (
            isinstance(target, ast.Subscript)
            and isinstance(target.value, ast.Subscript)
            and _is_row(target.slice)
            and _is_column(target.value.slice)
        ):
            return f"`{ast.unparse(target)}` edits one row by its number"
        return ""
    if target.value.attr not in ("loc", "iloc", "at", "iat", "ix"):
        return ""
    rows = target.slice.elts[0] if isinstance(target.slice, ast.Tuple) and target.slice.elts else target.slice
    if _is_row(rows):
        return f"`{ast.unparse(target)[:80]}` edits rows by their numbers"
    if _is_one_thing(rows):
        return f"`{ast.unparse(target)[:80]}` edits the rows of one id"
    return ""


def _is_column(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is_row(node: ast.expr) -> bool:
    match node:
        case ast.Constant(value=int() as value):
            return not isinstance(value, bool)
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())):
            return True
        case ast.List(elts=elements) if elements:
            return all(_is_row(one) for one in elements)
    return False


def _is_one_thing(node: ast.expr) -> bool:
    """`df['id'] == 4711`: one thing, by its id."""
    for one in walk(node):
        if (
            isinstance(one, ast.Compare)
            and len(one.ops) == 1
            and isinstance(one.ops[0], ast.Eq)
            and isinstance(one.comparators[0], ast.Constant)
        ):
            left = one.left
            column = (
                left.attr
                if isinstance(left, ast.Attribute)
                else left.slice.value
                if isinstance(left, ast.Subscript) and isinstance(left.slice, ast.Constant)
                else ""
            )
            if isinstance(column, str) and (_IDENTIFIER.search(column) or column == "index"):
                return True
    return False


def _of_value(node: ast.expr) -> str:
    """`df.drop([523, 1298])`, `df.drop(df.index[[3, 7]])`, `df.drop(df[df.id == 12].index)`."""
    for call in walk(node):
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
            continue
        if call.func.attr == "drop" and (rows := _dropped_rows(call)) is not None:
            if _is_row(rows) or (_is_of_index(rows) and _is_row(rows.slice)):
                return f"`{ast.unparse(call)[:80]}` drops rows by their numbers"
            if isinstance(rows, ast.Attribute) and rows.attr == "index" and _is_one_thing(rows.value):
                return f"`{ast.unparse(call)[:80]}` drops the row of one id"
        elif call.func.attr == "set_value" and call.args and _is_row(call.args[0]):
            return f"`{ast.unparse(call)[:80]}` edits one row by its number"
    return ""


def _dropped_rows(call: ast.Call) -> ast.expr | None:
    """What `drop` takes as rows. None where it drops columns."""
    keywords = {one.arg: one.value for one in call.keywords}
    axis = keywords.get("axis", call.args[1] if len(call.args) > 1 else None)
    if "columns" in keywords or (isinstance(axis, ast.Constant) and axis.value in (1, "columns")):
        return None
    return keywords.get("index", keywords.get("labels", call.args[0] if call.args else None))


def _is_of_index(rows: ast.expr) -> TypeGuard[ast.Subscript]:
    return isinstance(rows, ast.Subscript) and isinstance(rows.value, ast.Attribute) and rows.value.attr == "index"


RULE = Rule(
    code="PA402",
    kind="manual-fixup",
    severity="medium",
    title="Rows edited by hand",
    why="The row has this number in this file only. In the next one another row is changed, or none.",
    fix="Write the rule that made the row wrong, or mend it in the source.",
    adopt="asks",
    adopt_note="Leaves the edit out of what serves and names it for a person to decide.",
    find=find,
    positive=(
        Example(
            cells=("df.loc[12, 'age'] = 30\ndf.iloc[3] = 0\ndf = df.drop([523, 1298])",), found=((0, 1), (0, 2), (0, 3))
        ),
        Example(cells=("df.loc[df['id'] == 4711, 'x'] = 1",), found=((0, 1),)),
        Example(cells=("df.drop(df.index[[3, 7]], inplace=True)",), found=((0, 1),)),
        Example(cells=("df = df.drop(df[df['user_id'] == 77].index)",), found=((0, 1),)),
    ),
    negative=(
        Example(cells=("df.loc[df.age > 100, 'age'] = 100\ndf = df.drop('id', axis=1)\nx = df.iloc[3]",)),
        Example(cells=("df.drop([0], axis=1)\ndf.loc[:, 'x'] = 1\ndf = df.drop(df[df.age > 90].index)",)),
    ),
)
