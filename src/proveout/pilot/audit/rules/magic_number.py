"""PA404 magic-number."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit import estimators
from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.rule import Example, Hit, Rule

_DISPLAY = re.compile(
    r"^(?:matplotlib|seaborn|plotly|altair|bokeh|IPython)\.|^(?:print|display|plt|sns|ax\w*|fig\w*|axes|axs|range|enumerate|len|open|str|round)(?:\.|$)|"
    r"\.(?:head|tail|plot|hist|boxplot|set_\w+|figure|subplots?|subplots_adjust|savefig|show|legend|xticks|yticks|annotate|text|title|xlabel|ylabel|heatmap|"
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
    "skiprows_",
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
}
_PLAIN = {0, 1, -1}


def find(analysis: Analysis) -> Iterator[Hit]:
    """Statements with a number that changes the data, the split, the model or the search."""
    for cell, statement in analysis.statements():
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom):
            continue
        numbers = list(_numbers(statement, cell, analysis))
        if numbers:
            shown = ", ".join(dict.fromkeys(numbers))
            yield Hit(
                cell=cell.index,
                line=statement.lineno,
                evidence=f"{shown[:80]} in `{ast.unparse(statement).splitlines()[0][:80]}`",
            )


def _numbers(statement: ast.stmt, cell: CodeCell, analysis: Analysis) -> Iterator[str]:
    if isinstance(statement, ast.Expr) and not _is_consequential(statement.value, analysis):
        return
    if isinstance(statement, ast.Assign):
        names = [one.id for target in statement.targets for one in ast.walk(target) if isinstance(one, ast.Name)]
        if names and all(
            re.search(r"seed|random_state|^fig|^ax|n_jobs|color|size_of_fig", name, re.IGNORECASE) for name in names
        ):
            return
        text = ast.unparse(statement.targets[0])
        if re.search(r"rcParams|options\.display|figsize|plt\.", text):
            return
    waiting: list[ast.AST] = [child for child in ast.iter_child_nodes(statement) if not isinstance(child, ast.stmt)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Call):
            name = analysis.name_of(node.func)
            if _DISPLAY.search(name) or _of_plot(name):
                # What a frame gave before `.plot(...)` counts still.
                if isinstance(node.func, ast.Attribute):
                    waiting.append(node.func.value)
                continue
            waiting.append(node.func)
            waiting.extend(node.args)
            waiting.extend(one.value for one in node.keywords if one.arg not in _HARMLESS_KEYWORDS)
            continue
        if isinstance(node, ast.Subscript):
            waiting.append(node.value)
            waiting.extend(_of_index(node.slice))
            continue
        if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
            if node.value not in _PLAIN:
                yield repr(node.value)
            continue
        if isinstance(node, ast.JoinedStr | ast.Lambda) and not isinstance(node, ast.Lambda):
            continue
        waiting.extend(child for child in ast.iter_child_nodes(node) if not isinstance(child, ast.stmt))


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
    """Whether an expression that stands alone does something: a fit, an edit in place, a step of a model; not a display."""
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
    )
    chain = any(
        isinstance(one, ast.Call)
        and (isinstance(one.func, ast.Attribute) and one.func.attr in ("fit", "fit_transform"))
        for one in ast.walk(value)
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
        Example(cells=("m = KNeighborsClassifier(n_neighbors=7)\nk = 5",), found=((0, 1), (0, 2))),
    ),
    negative=(
        Example(cells=("plt.figure(figsize=(10, 6))\ndf.head(20)\nnp.random.seed(42)\nx = y[3]\nprint(round(a, 2))",)),
        Example(cells=("m = SVC(random_state=3, n_jobs=4)\ni = 0\nseed = 7",)),
    ),
)
