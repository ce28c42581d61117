"""PA405 copied-literal."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.rule import Example, Hit, Rule

_SEARCHES = re.compile(
    r"best_params_|best_estimator_|best_score_|GridSearchCV|RandomizedSearchCV|value_counts|describe|mean\(|median\(|unique\(|corr\(|\.mode\("
)
_NUMBER = re.compile(r"(?<![\w.])-?\d+\.\d{2,}(?:e[+-]?\d+)?(?![\w])|(?<![\w.])-?\d{3,}(?![\w.])")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Statements with a number or parameters that an earlier output shows."""
    printed: dict[str, int] = {}
    parameters: list[tuple[int, dict[str, str]]] = []
    for cell in analysis.cells:
        for statement in _simple(cell):
            if evidence := _copied(statement, printed, parameters):
                yield Hit(cell=cell.index, line=statement.lineno, evidence=evidence)
        for text in cell.cell.outputs:
            if len(text) > 20_000:
                text = text[:20_000]
            for number in _NUMBER.findall(text):
                printed.setdefault(number, cell.index)
            for found in re.findall(r"\{[^{}]{5,400}\}", text):
                pairs = dict(re.findall(r"'(\w+)':\s*('?[\w.+-]+'?)", found))
                if len(pairs) >= 2 and _SEARCHES.search(cell.cell.source):
                    parameters.append((cell.index, pairs))


def _simple(cell: CodeCell) -> Iterator[ast.stmt]:
    for node in ast.walk(cell.code.tree):
        if isinstance(node, ast.Assign | ast.Expr | ast.AugAssign | ast.Return):
            yield node


def _copied(statement: ast.stmt, printed: dict[str, int], parameters: list[tuple[int, dict[str, str]]]) -> str:
    for node in ast.walk(statement):
        if isinstance(node, ast.Call):
            given = {one.arg: ast.unparse(one.value).replace('"', "'") for one in node.keywords if one.arg}
            for index, pairs in parameters:
                same = [name for name, value in given.items() if pairs.get(name) == value]
                if len(same) >= 2:
                    return f"{', '.join(same)}: the values that cell {index} printed"
        elif isinstance(node, ast.Constant) and isinstance(node.value, float):
            text = repr(node.value)
            if text in printed and len(text.replace("-", "").replace("0.", "", 1).strip("0").replace(".", "")) >= 4:
                return f"{text} was printed by cell {printed[text]}"
    return ""


RULE = Rule(
    code="PA405",
    kind="copied-literal",
    severity="medium",
    title="Value copied from an output",
    why="The next data set gives another value, and the copy stays.",
    fix="Use the object that the value was printed from, such as best_params_ or the mean itself.",
    adopt="does",
    adopt_note="Keeps the value as the pilot's parameter, and says which output it repeats.",
    find=find,
    positive=(
        Example(
            cells=("search.fit(X, y)\nprint(search.best_params_)", "m = SVC(C=10, gamma=0.01)"),
            found=((1, 1),),
            metadata=(("output:0", "{'C': 10, 'gamma': 0.01}"),),
        ),
        Example(
            cells=("df.age.mean()", "df.age = df.age.fillna(29.699118)"),
            found=((1, 1),),
            metadata=(("output:0", "29.699118"),),
        ),
    ),
    negative=(
        Example(cells=("m = SVC(C=10, gamma=0.01)", "print(1)"), metadata=(("output:1", "{'C': 10, 'gamma': 0.01}"),)),
        Example(cells=("print(0.5)", "x = 0.5"), metadata=(("output:0", "0.5"),)),
    ),
)
