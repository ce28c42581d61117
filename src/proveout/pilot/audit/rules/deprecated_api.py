"""PA207 deprecated-api."""

import ast
import re
from collections.abc import Iterator
from functools import lru_cache

from proveout.pilot.audit import frame_types
from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.removed_apis import (
    BY_PLACE,
    GONE,
    GRID_VALUES,
    KEYWORDS,
    METHODS,
    SEABORN_BY_KEYWORD,
    SEABORN_PALETTES,
)
from proveout.pilot.audit.rule import Example, Hit, Rule

_FRAME_APPEND = re.compile(r"^(?:df\w*|data\w*|\w*_df|\w*[Ff]rame|train\w*|test\w*|results?_df|X\w*)$")


_FRAMES = re.compile(r"^pandas\.(?:read_\w+|DataFrame)$")
_FREQUENCY = re.compile(r"^\d*(?:B?[MQYA]|BA|H|T|S|L|U|N)(?:-[A-Z]{3})?$")
_COLUMNS_CHANGED = {
    "fillna",
    "replace",
    "drop_duplicates",
    "dropna",
    "clip",
    "mask",
    "where",
    "interpolate",
    "ffill",
    "bfill",
    "update",
}


def find(analysis: Analysis) -> Iterator[Hit]:
    """Statements that use what current releases have removed, deprecated or given another meaning."""
    places: dict[tuple[int, int], str] = {}
    for cell, line, evidence in (
        *_imports(analysis),
        *_attributes(analysis),
        *_calls(analysis),
        *_grids(analysis),
        *_python_2(analysis),
        *_copies(analysis),
    ):
        places.setdefault((cell, line), evidence)
    for (index, line), evidence in sorted(places.items()):
        yield Hit(cell=index, line=line, evidence=evidence)


_Found = Iterator[tuple[int, int, str]]


def _imports(analysis: Analysis) -> _Found:
    for cell, node in analysis.nodes(ast.Import, ast.ImportFrom):
        found = next(((module, what) for module in _imported(node) if (what := _gone(module))), None)
        if found:
            yield cell.index, node.lineno, f"{found[0]}: {found[1]}"


def _imported(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{node.module}.{alias.name}" for alias in node.names] if node.module and not node.level else []


def _gone(module: str) -> str:
    """What happened to a dotted name, or to a package it is in."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        found = GONE.get(".".join(parts[:length]))
        if found:
            return found
    return ""


def _attributes(analysis: Analysis) -> _Found:
    for cell, node in analysis.nodes(ast.Attribute, ast.Subscript):
        if isinstance(node, ast.Subscript):
            if evidence := _of_subscript(node, analysis):
                yield cell.index, node.lineno, evidence
        elif isinstance(node.ctx, ast.Load):
            name = analysis.name_of(node)
            if name in GONE and (not name.startswith("numpy.") or _is_numpy(node, analysis)):
                yield cell.index, node.lineno, f"{name}: {GONE[name]}"
            elif node.attr in METHODS:
                yield cell.index, node.lineno, f"{node.attr}: {METHODS[node.attr]}"


def _is_numpy(node: ast.Attribute, analysis: Analysis) -> bool:
    return isinstance(node.value, ast.Name) and analysis.name_of(node.value) == "numpy"


def _of_subscript(node: ast.Subscript, analysis: Analysis) -> str:
    """`df['a'][-1]`, `df['a'][:, np.newaxis]` and `df.groupby('a')['b', 'c']`."""
    value, index = node.value, node.slice
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr == "groupby":
        return "groupby takes a list of columns since pandas 2.0" if isinstance(index, ast.Tuple) else ""
    if not (isinstance(value, ast.Subscript) and _is_text(value.slice) and isinstance(value.value, ast.Name)):
        return ""
    if isinstance(index, ast.UnaryOp) and isinstance(index.op, ast.USub) and isinstance(node.ctx, ast.Load):
        return f"`{ast.unparse(node)[:60]}`: a Series takes labels only since pandas 3.0, use iloc"
    if isinstance(index, ast.Tuple) and any(_is_new_axis(one, analysis) for one in index.elts):
        return f"`{ast.unparse(node)[:60]}`: a Series has no second axis since pandas 1.0"
    return ""


def _is_new_axis(node: ast.expr, analysis: Analysis) -> bool:
    return (isinstance(node, ast.Constant) and node.value is None) or analysis.name_of(node) == "numpy.newaxis"


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _calls(analysis: Analysis) -> _Found:
    checks = (_of_keywords, _of_names, _of_seaborn, _of_frames, _of_scikit_learn, _of_frequency)
    for call in analysis.calls:
        for check in checks:
            if evidence := check(call, analysis):
                yield call.cell, _line_of(call), evidence
                break


def _line_of(call: Call) -> int:
    simple = isinstance(call.statement, ast.Expr | ast.Assign | ast.AugAssign | ast.Return | ast.AnnAssign)
    return call.statement.lineno if simple else call.line


def _of_keywords(call: Call, _: Analysis) -> str:
    own = call.method
    if call.name.startswith("torch."):
        return ""  # Adam(lr=...) is the other library's
    for method, keyword, value, what in KEYWORDS:
        if own == method:
            given = call.argument(-1, keyword)
            if given is not None and (value is None or (isinstance(given, ast.Constant) and given.value == value)):
                return f"{method}({keyword}={ast.unparse(given)[:30]}): {what}"
    return ""


def _of_names(call: Call, analysis: Analysis) -> str:
    if call.name in ("xrange", "raw_input", "unicode"):
        return f"{call.name}: Python 2"
    if call.name == "numpy.sum" and call.node.args and _is_whole_frame(call.node.args[0], analysis):
        return "np.sum of a frame adds up all of it since pandas 3.0, not each column"
    return ""


def _is_whole_frame(node: ast.expr, analysis: Analysis) -> bool:
    """A frame, or `df.isnull()` of it."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ("isnull", "isna"):
        node = node.func.value
    return isinstance(node, ast.Name) and node.id in _frames(analysis)


@lru_cache(maxsize=1)  # asked for each call
def _frames(analysis: Analysis) -> frozenset[str]:
    """Variables that hold frames that were read or made."""
    return frozenset(
        binding.name
        for cell in analysis.cells
        for binding in cell.bindings
        if isinstance(binding.value, ast.Call) and _FRAMES.match(analysis.name_of(binding.value.func))
    )


def _of_seaborn(call: Call, _: Analysis) -> str:
    if not call.name.startswith("seaborn."):
        return ""
    if call.method in SEABORN_PALETTES and call.argument(-1, "palette") is not None and not call.has("hue"):
        return f"seaborn.{call.method} with palette and without hue is deprecated since 0.13"
    if call.method not in SEABORN_BY_KEYWORD or not call.node.args:
        return ""
    first, several = call.node.args[0], len(call.node.args) > 1
    frame = isinstance(first, ast.Name) and not several and call.has("x")
    takes_frame = call.method in ("boxplot", "violinplot", "catplot", "barplot", "lineplot", "stripplot")
    if not frame and not isinstance(first, ast.Constant) and (several or not takes_frame):
        return f"seaborn.{call.method} takes its data by keyword since 0.12"
    return ""


def _of_frames(call: Call, analysis: Analysis) -> str:
    base = call.node.func.value if isinstance(call.node.func, ast.Attribute) else None
    named_frame = isinstance(base, ast.Name) and bool(_FRAME_APPEND.match(base.id) or base.id in _frames(analysis))
    if call.method == "append" and base is not None:
        by_keyword = any(one.arg in ("ignore_index", "sort", "verify_integrity") for one in call.node.keywords)
        if by_keyword or (named_frame and isinstance(call.statement, ast.Assign)):
            return "DataFrame.append was removed in pandas 2.0: use concat"
    all_columns = call.method == "corr" and not call.node.args and not call.has("numeric_only")
    if (
        all_columns
        and named_frame
        and isinstance(base, ast.Name)
        and frame_types.may_hold_text(base.id, call, analysis)
    ):
        return "DataFrame.corr raises for columns of text since pandas 2.0: numeric_only=True"
    if frame_types.averages_text(call, analysis):
        return f"{call.method} raises for columns of text since pandas 2.0: numeric_only=True"
    axis = call.argument(-1, "axis")
    if call.method == "drop" and axis is not None and call.argument(-1, "columns") is not None:
        return "DataFrame.drop takes columns or axis, and not both, since pandas 3.0"
    if call.method == "drop" and len(call.node.args) >= 2:
        return "DataFrame.drop takes its axis by keyword since pandas 2.0"
    return ""


def _of_scikit_learn(call: Call, _: Analysis) -> str:
    most = BY_PLACE.get(call.method)
    given = [one for one in call.node.args if not isinstance(one, ast.Starred)]
    if most is not None and call.name.startswith("sklearn.") and len(given) > most:
        return f"{call.method} takes its other arguments by keyword since scikit-learn 1.0"
    return ""


def _of_frequency(call: Call, _: Analysis) -> str:
    if call.method in ("resample", "asfreq"):
        given = call.argument(0, "rule") or call.argument(-1, "freq")
    elif call.method in ("date_range", "Grouper", "bdate_range"):
        given = call.argument(-1, "freq")
    else:
        return ""
    if isinstance(given, ast.Constant) and isinstance(given.value, str) and _FREQUENCY.match(given.value):
        return f"{call.method}({given.value!r}): the alias was renamed in pandas 2.2 and removed in 3.0"
    return ""


def _grids(analysis: Analysis) -> _Found:
    """Values of a search that the estimators no longer take: `{"max_features": ["auto", "sqrt"]}`."""
    for cell, node in analysis.nodes(ast.Dict):
        for key, value in zip(node.keys, node.values, strict=True):
            if not (isinstance(key, ast.Constant) and isinstance(key.value, str) and isinstance(value, ast.List)):
                continue
            name = key.value.rpartition("__")[2]
            for one in value.elts:
                what = GRID_VALUES.get((name, str(one.value))) if isinstance(one, ast.Constant) else None
                if what:
                    yield cell.index, one.lineno, f"{name}={ast.unparse(one)}: {what}"


def _python_2(analysis: Analysis) -> _Found:
    for cell in analysis.cells:
        for fault in cell.code.faults:
            if cell.code.text(fault.line).startswith(("print ", "exec ")):
                yield cell.index, fault.line, "the print statement is Python 2"


def _copies(analysis: Analysis) -> _Found:
    """`df['a'].fillna(0, inplace=True)` and `df['a'][mask] = 0` change a copy since pandas 3.0."""
    for cell, statement in analysis.statements():
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
            if _changes_column(statement.value):
                text = ast.unparse(statement.value)[:70]
                yield (
                    cell.index,
                    statement.lineno,
                    f"`{text}` changes a copy since pandas 3.0, and nothing in the frame",
                )
        elif isinstance(statement, ast.Assign):
            for target in statement.targets:
                if _is_chained(target):
                    text = ast.unparse(target)[:70]
                    yield (
                        cell.index,
                        statement.lineno,
                        f"`{text} = ...` changes a copy since pandas 3.0, and nothing in the frame",
                    )


def _changes_column(call: ast.Call) -> bool:
    in_place = any(
        one.arg == "inplace" and isinstance(one.value, ast.Constant) and one.value.value is True
        for one in call.keywords
    )
    if not in_place or not isinstance(call.func, ast.Attribute) or call.func.attr not in _COLUMNS_CHANGED:
        return False
    base = call.func.value
    if isinstance(base, ast.Attribute):
        return isinstance(base.value, ast.Name) and base.attr not in ("columns", "index")
    # A list of columns is a frame of its own.
    return isinstance(base, ast.Subscript)


def _is_chained(target: ast.expr) -> bool:
    return (
        isinstance(target, ast.Subscript)
        and isinstance(target.value, ast.Subscript)
        and _is_text(target.value.slice)
        and isinstance(target.value.value, ast.Name)
        and not isinstance(target.slice, ast.Constant)
    )


RULE = Rule(
    code="PA207",
    kind="deprecated-api",
    severity="high",
    title="API that current libraries do not have, or mean otherwise",
    why="With the libraries of today the cell raises, or gives another result without an error.",
    fix="Use the present form, or pin the environment of the notebook's time.",
    adopt="does",
    adopt_note="Where a cell raises for it: writes today's form if there is an exact one, and shows the diff; "
    "otherwise chooses an environment of the notebook's time.",
    find=find,
    positive=(
        Example(
            cells=("from sklearn.cross_validation import train_test_split\nimport numpy as np\nx = np.float(3)",),
            found=((0, 1), (0, 3)),
        ),
        Example(
            cells=("df = df.append(row, ignore_index=True)\ndf['a'].fillna(0, inplace=True)",), found=((0, 1), (0, 2))
        ),
        Example(cells=("import seaborn as sns\nsns.distplot(x)\nsns.countplot(df['a'])",), found=((0, 2), (0, 3))),
        Example(cells=("x = df.ix[3]\nfor k, v in d.iteritems():\n    pass",), found=((0, 1), (0, 2))),
        Example(cells=("df = df.drop(columns=['a'], axis=1)",), found=((0, 1),)),
        Example(
            cells=("df.info()", "df.groupby('a').mean()\ndf = df.fillna(df.mean())"),
            found=((1, 1), (1, 2)),
            metadata=(("output:0", " 0 a 9 non-null object\n 1 b 9 non-null int64\ndtypes: int64(1), object(1)"),),
        ),
        Example(cells=("print 'a'",), found=((0, 1),)),
        Example(
            cells=("import seaborn as sns\nsns.barplot(data=d, x='a', y='b', palette='viridis')",), found=((0, 2),)
        ),
        Example(cells=("grid = {'m__max_features': ['auto', 'sqrt'], 'depth': [3]}",), found=((0, 1),)),
        Example(
            cells=("df = pd.read_csv('a.csv')\nnp.sum(df.isnull())\ndf.corr()",),
            found=((0, 2), (0, 3)),
        ),
        Example(
            cells=("last = df['a'][-1]\nX = df['a'][:, np.newaxis]\ng = df.groupby('a')['b', 'c'].mean()",),
            found=((0, 1), (0, 2), (0, 3)),
        ),
        Example(
            cells=("from sklearn.feature_selection import RFE\nRFE(model, 5)\ndf.resample('M').mean()",),
            found=((0, 2), (0, 3)),
        ),
        Example(
            cells=("m = RandomForestClassifier(max_features='auto')\nOneHotEncoder(sparse=False)",),
            found=((0, 1), (0, 2)),
        ),
    ),
    negative=(
        Example(
            cells=(
                "df.info()",
                "df = encode(df)",
                "df.groupby('a').mean()\ndf['b'].mean()\ndf.groupby('a')['b'].mean()",
            ),
            metadata=(("output:0", " 0 a 9 non-null object\n 1 b 9 non-null int64"),),
        ),
        Example(cells=("import torch\no = torch.optim.Adam(p, lr=0.1)",)),
        Example(
            cells=(
                "import numpy as np\nx = np.float64(3)\nl = []\nl.append(3)\ndf = df.fillna(0)\n"
                "sns.countplot(x='a', data=df)\nsns.barplot(data=d, x='a', hue='b', palette='viridis')",
            )
        ),
        Example(
            cells=(
                "from sklearn.model_selection import train_test_split\nx = df.drop('a', axis=1)\n"
                "y = df.drop(columns='a')",
            )
        ),
        Example(
            cells=("df = df.select_dtypes('number')\ndf.corr()\nx = df['a'][3]\ndf.resample('D').sum()\nnp.sum(x)",)
        ),
        Example(
            cells=("df = pd.read_csv('a.csv')\ndf.info()", "df.corr()"),
            metadata=(("output:0", " 0 a 9 non-null int64\ndtypes: int64(1)"),),
        ),
    ),
)
