"""PA405 copied-literal."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.rule import Example, Hit, Rule
from proveout.pilot.audit.syntax import walk

_SEARCHES = re.compile(
    r"best_params_|best_estimator_|best_score_|GridSearchCV|RandomizedSearchCV|value_counts|describe|mean\(|median\(|"
    r"unique\(|corr\(|\.mode\(|best_trial|study\.best"
)
# Cells that show the names of classes.
_NAMES = re.compile(r"unique\(|value_counts|classes_|\.labels\b|target_names|class_indices|class_names|categories")
_STATISTICS = re.compile(r"mean|median|mode|describe|value_counts|quantile|max\(|min\(")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")
_MOST_TEXT = 20_000
_LOOKS_UP = {"iloc", "loc", "iat", "at", "ix"}


@dataclass(frozen=True, kw_only=True)
class _Shown:
    """What the output of one cell says."""

    cell: int
    source: str
    text: str
    numbers: frozenset[str]
    parameters: tuple[dict[str, str], ...] = field(default=())


def find(analysis: Analysis) -> Iterator[Hit]:
    """Statements with a value that an earlier output shows."""
    shown: list[_Shown] = []
    for cell in analysis.cells:
        for statement in _simple(cell):
            if shown and (evidence := _copied(statement, shown, analysis)):
                yield Hit(cell=cell.index, line=statement.lineno, evidence=evidence)
        if cell.cell.outputs:
            shown.append(_read(cell))


def _read(cell: CodeCell) -> _Shown:
    text = "\n".join(cell.cell.outputs)[:_MOST_TEXT]
    found = (dict(re.findall(r"'(\w+)':\s*('?[\w.+-]+'?)", one)) for one in re.findall(r"\{[^{}]{5,400}\}", text))
    searched = bool(_SEARCHES.search(cell.cell.source))
    return _Shown(
        cell=cell.index,
        source=cell.cell.source,
        text=re.sub(r"\s+", " ", text),
        numbers=frozenset(_NUMBER.findall(text)),
        parameters=tuple(pairs for pairs in found if len(pairs) >= 2) if searched else (),
    )


def _simple(cell: CodeCell) -> Iterator[ast.stmt]:
    for node in cell.nodes:
        if isinstance(node, ast.Assign | ast.Expr | ast.AugAssign | ast.Return):
            yield node


def _copied(statement: ast.stmt, shown: list[_Shown], analysis: Analysis) -> str:
    kinds = (_parameters, _fill, _shape, _row, _arithmetic, _number, _list_of_numbers, _names)
    recoded = {id(part) for node in walk(statement) for part in _recoded(node)}
    for node in walk(statement):
        for kind in kinds:
            if kind is _names and id(node) in recoded:
                continue  # who gives three kinds another name has to name them
            if evidence := kind(node, shown, analysis):
                return evidence
    return ""


def _parameters(node: ast.AST, shown: list[_Shown], _: Analysis) -> str:
    """`SVC(C=10, gamma=0.01)` after `{'C': 10, 'gamma': 0.01}` was printed."""
    if not isinstance(node, ast.Call):
        return ""
    given = {one.arg: ast.unparse(one.value).replace('"', "'") for one in node.keywords if one.arg}
    for one in shown:
        for pairs in one.parameters:
            same = [name for name, value in given.items() if pairs.get(name) == value]
            if len(same) >= 2:
                return f"{', '.join(same)}: the values that cell {one.cell} printed"
    return ""


def _fill(node: ast.AST, shown: list[_Shown], _: Analysis) -> str:
    """`fillna(152.0)` after a cell printed 152.0 as a median."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fillna"):
        return ""
    value = node.args[0] if node.args else next((one.value for one in node.keywords if one.arg == "value"), None)
    if not (isinstance(value, ast.Constant) and isinstance(value.value, int | float) and abs(value.value) > 1):
        return ""
    texts = {repr(value.value), repr(float(value.value)), f"{value.value:g}"}
    for one in shown:
        if texts & one.numbers and _STATISTICS.search(one.source):
            return f"{value.value} was printed by cell {one.cell}"
    return ""


def _shape(node: ast.AST, shown: list[_Shown], _: Analysis) -> str:
    """`input_shape=(26,)` after a cell printed (7032, 26)."""
    if not isinstance(node, ast.keyword) or node.arg not in ("input_shape", "input_dim", "in_features", "shape"):
        return ""
    numbers = [one.value for one in walk(node.value) if isinstance(one, ast.Constant) and isinstance(one.value, int)]
    if len(numbers) != 1 or numbers[0] < 2:
        return ""
    for one in shown:
        if re.search(rf"\(\d+, {numbers[0]}\)", one.text) or f"Index: {numbers[0]} " in one.text:
            return f"{numbers[0]} columns: the shape that cell {one.cell} printed"
    return ""


def _row(node: ast.AST, shown: list[_Shown], _: Analysis) -> str:
    """`df.iloc[488]` and `df.id == 1299` after a cell showed that row."""
    looked_up: list[ast.expr] = []
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Attribute) and node.value.attr in _LOOKS_UP:
        looked_up = node.slice.elts[:1] if isinstance(node.slice, ast.Tuple) else [node.slice]
    elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
        looked_up = node.comparators
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "drop":
        looked_up = [part for one in node.args[:1] for part in (one.elts if isinstance(one, ast.List) else [one])]
    for one in looked_up:
        if isinstance(one, ast.Constant) and isinstance(one.value, int) and _tells(one.value):
            for earlier in shown:
                if str(one.value) in earlier.numbers:
                    return f"{one.value} was shown by cell {earlier.cell}"
    return ""


def _tells(number: int) -> bool:
    """Whether a number is so particular that nobody writes it by chance."""
    return abs(number) >= 100 and number % 50 != 0


def _arithmetic(node: ast.AST, shown: list[_Shown], analysis: Analysis) -> str:
    """`876 / (876 + 172)` after a cell showed both, if only in a picture of the confusion matrix."""
    if not isinstance(node, ast.BinOp):
        return ""
    inside = list(walk(node))
    if not all(isinstance(one, ast.BinOp | ast.Constant | ast.operator) for one in inside):
        return ""
    numbers = {str(one.value) for one in inside if isinstance(one, ast.Constant) and one.value not in (0, 1, 2, 100)}
    if len(numbers) < 2 or max(len(number) for number in numbers) < 3:
        return ""
    for one in shown:
        if numbers <= one.numbers:
            return f"{', '.join(sorted(numbers))}: the numbers that cell {one.cell} printed"
    share = isinstance(node.op, ast.Div) and isinstance(node.right, ast.BinOp) and isinstance(node.right.op, ast.Add)
    counted = any(one.name == "confusion_matrix" for one in analysis.flow.measured)
    return f"`{ast.unparse(node)}` repeats numbers of the confusion matrix" if share and counted else ""


def _number(node: ast.AST, shown: list[_Shown], _: Analysis) -> str:
    if not (isinstance(node, ast.Constant) and isinstance(node.value, float)):
        return ""
    text = repr(node.value)
    if len(text.replace("-", "").replace("0.", "", 1).strip("0").replace(".", "")) < 4:
        return ""
    return next((f"{text} was printed by cell {one.cell}" for one in shown if text in one.numbers), "")


def _list_of_numbers(node: ast.AST, shown: list[_Shown], _: Analysis) -> str:
    """`[1, 3, 5, 6]` after a cell printed an array of these, and of few others."""
    if not (isinstance(node, ast.List) and len(node.elts) >= 4):
        return ""
    values = [one.value for one in node.elts if isinstance(one, ast.Constant) and isinstance(one.value, int)]
    if len(values) < len(node.elts) or values == list(range(values[0], values[0] + len(values))):
        return ""
    for one in shown:
        for printed in re.findall(r"\[([\d, ]+)\]", one.text):
            array = [int(number) for number in re.findall(r"\d+", printed)]
            if set(values) <= set(array) and len(values) >= 0.6 * len(array):
                return f"{ast.unparse(node)[:60]} was printed by cell {one.cell}"
    return ""


def _recoded(node: ast.AST) -> list[ast.expr]:
    """Lists and tables of names that choose or rename values."""
    method = node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""
    if not isinstance(node, ast.Call) or method not in ("replace", "map", "isin", "Categorical", "OrdinalEncoder"):
        return []
    return [*node.args, *(one.value for one in node.keywords)]


@lru_cache(maxsize=1)
def _columns(analysis: Analysis) -> frozenset[str]:
    """Texts that the notebook uses as names of columns."""
    looked_up = {
        node.slice.value
        for _, node in analysis.nodes(ast.Subscript)
        if isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
    }
    attributes = {node.attr for _, node in analysis.nodes(ast.Attribute)}
    listed = {
        one.value
        for _, node in analysis.nodes(ast.Subscript, ast.keyword)
        if isinstance(node, ast.Subscript) or node.arg in ("columns", "subset", "cols", "usecols")
        for one in getattr(node.slice if isinstance(node, ast.Subscript) else node.value, "elts", ())
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }
    return frozenset(looked_up | attributes | listed)


def _names(node: ast.AST, shown: list[_Shown], analysis: Analysis) -> str:
    """The names of the classes, typed in after a cell showed them."""
    if not isinstance(node, ast.List | ast.Dict):
        return ""
    elements = node.elts if isinstance(node, ast.List) else [key for key in node.keys if key is not None]
    words = [one.value for one in elements if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    if len(words) < 3 or len(words) < len(elements) or min(len(word) for word in words) < 3:
        return ""
    if set(words) & _columns(analysis):
        return ""
    for one in shown:
        counted = "value_counts" in one.source
        if _NAMES.search(one.source) and all((word if counted else repr(word)) in one.text for word in words):
            return f"{words[0]!r} and the others: the names that cell {one.cell} printed"
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
        Example(cells=("df.a.median()", "df.a.fillna(37.0)"), found=((1, 1),), metadata=(("output:0", "37.0"),)),
        Example(
            cells=("confusion_matrix(y, p)", "precision = 412 / (412 + 63)"),
            found=((1, 1),),
            metadata=(("output:0", "array([[412,  63],\n       [ 55, 901]])"),),
        ),
        Example(
            cells=("df[df.age > 99]", "df.loc[1473]\ndf = df[df.key != 1473]"),
            found=((1, 1), (1, 2)),
            metadata=(("output:0", "       age  key\n1473  112  1473"),),
        ),
        Example(
            cells=("df.kind.unique()", "names = ['apple', 'pear', 'plum']"),
            found=((1, 1),),
            metadata=(("output:0", "array(['apple', 'pear', 'plum'], dtype=object)"),),
        ),
        Example(
            cells=("X.shape", "m.add(Dense(8, input_dim=17))"),
            found=((1, 1),),
            metadata=(("output:0", "(1200, 17)"),),
        ),
        Example(
            cells=("np.where(p < 0.05)", "X = X[:, [0, 2, 5, 9]]"),
            found=((1, 1),),
            metadata=(("output:0", "(array([0, 2, 5, 9]),)"),),
        ),
    ),
    negative=(
        Example(
            cells=("df.kind.value_counts()", "df.kind = df.kind.replace(['apple', 'pear', 'plum'], 'fruit')"),
            metadata=(("output:0", "apple 3\npear 2\nplum 1"),),
        ),
        Example(cells=("m = SVC(C=10, gamma=0.01)", "print(1)"), metadata=(("output:1", "{'C': 10, 'gamma': 0.01}"),)),
        Example(cells=("print(0.5)", "x = 0.5"), metadata=(("output:0", "0.5"),)),
        Example(cells=("df.head()", "df = df[df.a == 1000]\ny = x[3]"), metadata=(("output:0", "0 1000\n3 2"),)),
        Example(
            cells=("df.kind.value_counts()", "df = pd.get_dummies(df, columns=['kind', 'shop', 'city'])"),
            metadata=(("output:0", "kind shop city"),),
        ),
        Example(cells=("df.head()", "cols = ['alpha', 'beta', 'gamma']"), metadata=(("output:0", "alpha beta gamma"),)),
    ),
)
