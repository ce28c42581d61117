"""PA404 magic-number."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit import estimators
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule
from proveout.pilot.audit.syntax import children, walk

_DISPLAY = re.compile(
    r"^(?:matplotlib|seaborn|plotly|altair|bokeh|IPython)\.|^(?:print|display|plt|sns|ax\w*|fig\w*|axes|axs|range|enumerate|len|open|str|round)(?:\.|$)|"
    r"\.(?:head|tail|plot|hist|boxplot|set_(?!params|hyper)\w+|figure|subplots?|subplots_adjust|savefig|show|legend|xticks|yticks|annotate|text|title|xlabel|ylabel|heatmap|"
    r"barh?|scatter|pie|style|add_subplot|add_trace|update_layout|set_option|format|info|describe|sleep|seed|set_seed|manual_seed|strftime|sample|tick_params|"
    r"axhline|axvline|colorbar|imshow|suptitle|tight_layout|twinx|round|bar_label|summary)$|^time\.sleep$|seed$"
)
_HARMLESS_KEYWORDS = {
    "random_state",
    "seed",
    "n_jobs",
    "nthread",
    "figsize",
    "verbose",
    "axis",
    "dpi",
    "fontsize",
    "size",
    "rotation",
    "alpha",
    "linewidth",
    "lw",
    "s",
    "num_workers",
    "workers",
    "indent",
    "width",
    "height",
    "thread_count",
    "header",
    "index_col",
    "ncol",
    "pad",
    "labelpad",
    "level",
    "ndmin",
    "sharex",
    "sharey",
    "random_seed",
    "verbosity",
    "max_rows",
    "max_columns",
    "rand_state",
    "precision",
    "decimals",
    "color",
    "zorder",
    "markersize",
    "font_scale",
    "min_font_size",
    "max_font_size",
    "max_words",
    "min_word_length",
    "max_nodes",
    "min_nodes",
    "instance_count",
    "initial_instance_count",
    "train_instance_count",
    "volume_size",
    "train_volume_size",
    "cpu_cores",
    "memory_gb",
    "timeout",
    "port",
    "max_run",
    "replicas",
    "verbose_eval",
    "truncate",
    "print_every",
    "delay",
}
_PLAIN = {0, 1, -1}
_HARMLESS_NAMES = re.compile(r"seed|random_state|^fig|^ax|n_jobs|color|size_of_fig|^dpi|palette", re.IGNORECASE)
_DRAWS = re.compile(
    r"^(?:matplotlib|seaborn|plotly|altair|bokeh|IPython|wordcloud)\.|^(?:print|display|plt|sns|ax\w*|fig\w*|axes|axs)(?:\.|$)|"
    r"\.(?:plot|hist|boxplot|bar|barh|scatter|pie|imshow|heatmap|set_\w+|annotate|text|title|legend|show)$"
)


def find(analysis: Analysis) -> Iterator[Hit]:
    """Statements with a number that changes the data, the split, the model or the search."""
    drawn = _only_drawn(analysis)
    for cell, statement in analysis.statements():
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            continue
        if isinstance(statement, ast.Assign) and _names_of(statement) and _names_of(statement) <= drawn:
            continue
        numbers = list(_numbers(statement, analysis))
        if numbers:
            shown = ", ".join(dict.fromkeys(numbers))
            yield Hit(
                cell=cell.index,
                line=statement.lineno,
                evidence=f"{shown[:80]} in `{ast.unparse(statement).splitlines()[0][:80]}`",
            )


def _names_of(statement: ast.Assign) -> set[str]:
    """The variables that an assignment makes. Of a column or an attribute, none: its frame goes on."""
    if any(not isinstance(target, ast.Name | ast.Tuple) for target in statement.targets):
        return set()
    return {one.id for target in statement.targets for one in walk(target) if isinstance(one, ast.Name)}


def _only_drawn(analysis: Analysis) -> set[str]:
    """Variables that are read by drawings and printed texts alone."""
    drawn: set[str] = set()
    used: set[str] = set()
    for cell in analysis.cells:
        waiting: list[tuple[ast.AST, bool]] = [(cell.code.tree, False)]
        while waiting:
            node, inside = waiting.pop()
            if isinstance(node, ast.Call):
                inside = inside or bool(_DRAWS.search(analysis.name_of(node.func)))
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                (drawn if inside else used).add(node.id)
            waiting.extend((child, inside) for child in children(node))
    return drawn - used


def _numbers(statement: ast.stmt, analysis: Analysis) -> Iterator[str]:
    if isinstance(statement, ast.Expr) and not _is_consequential(statement.value, analysis):
        return
    waiting: list[ast.AST] = [child for child in children(statement) if not isinstance(child, ast.stmt)]
    if isinstance(statement, ast.Assign):
        names = _names_of(statement)
        if names and all(_HARMLESS_NAMES.search(name) for name in names):
            return
        if re.search(r"rcParams|options\.display|figsize|plt\.", ast.unparse(statement.targets[0])):
            return
        waiting.extend(_of_cut(statement.value))
    yield from _within(waiting, analysis)


def _of_cut(value: ast.expr) -> Iterator[ast.AST]:
    """`df = df.head(1000)` and `{"depth": range(2, 10)}` decide; elsewhere head and range only show and count."""
    inner = value
    while isinstance(inner, ast.Call | ast.Attribute):
        if isinstance(inner, ast.Call):
            if isinstance(inner.func, ast.Attribute) and inner.func.attr in ("head", "tail", "sample", "limit"):
                yield from inner.args
                yield from (one.value for one in inner.keywords if one.arg in ("n", "frac", "fraction"))
            inner = inner.func
        else:
            inner = inner.value
    for one in (value, *(value.values if isinstance(value, ast.Dict) else ())):
        if isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id == "range":
            yield from one.args


def _within(waiting: list[ast.AST], analysis: Analysis) -> Iterator[str]:
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Call():
                name = analysis.name_of(node.func)
                if _DISPLAY.search(name) or _of_plot(name):
                    # What a frame gave before `.plot(...)` counts still.
                    waiting.extend([node.func.value] if isinstance(node.func, ast.Attribute) else [])
                    continue
                waiting.append(node.func)
                waiting.extend(node.args)
                waiting.extend(one.value for one in node.keywords if one.arg not in _HARMLESS_KEYWORDS)
            case ast.Subscript(value=value, slice=index):
                waiting.append(value)
                waiting.extend(_of_index(index))
            case ast.Dict(values=values):
                waiting.extend(values)
            case ast.BinOp(left=left, op=op, right=right):
                sides = [left] if _is_of_formula(op, right) else [left, right]
                waiting.extend(sides if not _is_percent(op, left) else [right])
            case ast.Constant(value=int() | float() as number):
                if not isinstance(number, bool) and number not in _PLAIN:
                    yield repr(number)
            case ast.JoinedStr():
                continue
            case _:
                waiting.extend(child for child in children(node) if not isinstance(child, ast.stmt))


def _is_of_formula(op: ast.operator, right: ast.expr) -> bool:
    """Squares, roots and percents are no choice of anybody."""
    if isinstance(op, ast.Pow):
        return isinstance(right, ast.Constant) and right.value in (2, 0.5)
    return _is_percent(op, right)


def _is_percent(op: ast.operator, side: ast.expr) -> bool:
    return isinstance(op, ast.Mult | ast.Div) and isinstance(side, ast.Constant) and side.value in (100, 100.0)


def _of_plot(name: str) -> bool:
    return name.partition(".")[0] in ("plt", "sns", "px", "go", "alt")


def _of_index(index: ast.expr) -> Iterator[ast.AST]:
    """Numbers in `x[3]` only look something up; those in a slice or a comparison choose rows."""
    if isinstance(index, ast.Constant) or (isinstance(index, ast.UnaryOp) and isinstance(index.operand, ast.Constant)):
        return
    if isinstance(index, ast.Tuple):
        for one in index.elts:
            yield from _of_index(one)
        return
    yield index


def _is_consequential(value: ast.expr, analysis: Analysis) -> bool:
    """Whether an expression that stands alone does something: a fit, an edit in place, a step of a model."""
    if not isinstance(value, ast.Call):
        return False
    name = analysis.name_of(value.func)
    if _DISPLAY.search(name) or _of_plot(name):
        return False
    method = name.rpartition(".")[2]
    in_place = any(one.arg == "inplace" for one in value.keywords)
    acts = method in (
        "fit",
        "fit_transform",
        "fit_generator",
        "add",
        "compile",
        "append",
        "train",
        "set_params",
        "insert",
        "update",
        "extend",
        "partial_fit",
        "set_hyperparameters",
    )
    chain = any(
        isinstance(one, ast.Call)
        and (isinstance(one.func, ast.Attribute) and one.func.attr in ("fit", "fit_transform"))
        for one in walk(value)
    )
    return in_place or acts or chain or estimators.role(name) is not None or estimators.is_cross_validation(name)


RULE = Rule(
    code="PA404",
    kind="magic-number",
    severity="info",
    title="Number without a name",
    why="The number decides about rows, split or model, and no run records which it was.",
    fix="Give it a name in the cell that is tagged `parameters`.",
    adopt="does",
    adopt_note="Lifts sizes and hyperparameters into the parameters cell.",
    find=find,
    positive=(
        Example(
            cells=("a, b = train_test_split(X, test_size=0.2, random_state=42)\ndf = df[df.age > 18]",),
            found=((0, 1), (0, 2)),
        ),
        Example(
            cells=("df = df.head(10000)\ngrid = {'max_depth': range(2, 10)}\ns = df.sample(frac=0.3, random_state=1)",),
            found=((0, 1), (0, 2), (0, 3)),
        ),
        Example(cells=("m = KNeighborsClassifier(n_neighbors=7)\nk = 5",), found=((0, 1), (0, 2))),
    ),
    negative=(
        Example(cells=("plt.figure(figsize=(10, 6))\ndf.head(20)\nnp.random.seed(42)\nx = y[3]\nprint(round(a, 2))",)),
        Example(cells=("a = 0.4\nfirst = df[df.k == 3]", "plt.plot(x, alpha=a)\nfirst.plot(kind='bar')")),
        Example(cells=("names = {0: 'no', 2: 'yes'}\nshare = 100 * a / b\nerror = ((y - p) ** 2).mean() ** 0.5",)),
        Example(cells=("m = SVC(random_state=3, n_jobs=4)\ni = 0\nseed = 7",)),
    ),
)
