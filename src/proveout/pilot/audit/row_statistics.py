"""Calls that learn something from many rows at once: a mean, a quantile, a table by group.

Input: the name of a call and what it is called on. Output: whether its answer depends on which rows were there.
"""

import ast
import re

# Of a column or a frame. Sums and counts of all rows are mostly shown; by group they become features.
_OF_ROWS = frozenset(
    {"mean", "median", "mode", "std", "var", "quantile", "min", "max", "describe", "skew", "sem", "mad", "nanmedian"}
)
_OF_GROUPS = _OF_ROWS | {"agg", "aggregate", "sum", "count", "size", "nunique", "first", "last", "apply", "transform"}
_FUNCTIONS = re.compile(
    r"^(?:numpy\.(?:nan)?(?:mean|median|std|var|min|max|amin|amax|percentile|quantile|average)|"
    r"scipy\.stats\.(?:mode|iqr|trim_mean|zscore|gmean|boxcox)|pandas\.pivot_table|"
    r"sklearn\.feature_selection\.(?:f_classif|f_regression|chi2|mutual_info_classif|mutual_info_regression))$"
)
# Answers of one value for each row, with the statistic in it.
_KEEPS_ROWS = re.compile(r"(?:^|\.)(?:zscore|boxcox|transform)$")
_SELECTS = re.compile(r"^sklearn\.feature_selection\.")
_OF_DATES = re.compile(r"date|time|year|month|day|week", re.IGNORECASE)


def is_statistic(name: str, node: ast.Call, *, grouped: bool) -> bool:
    """Whether a call summarises rows. `grouped`: it is called on groups.

    >>> is_statistic("df.age.mean", ast.parse("df.age.mean()", mode="eval").body, grouped=False)
    True
    >>> is_statistic("df.mean", ast.parse("df.mean(axis=1)", mode="eval").body, grouped=False)
    False
    """
    if _by_row(node) or _in_windows(node):
        return False
    if _FUNCTIONS.match(name):
        return True
    method = name.rpartition(".")[2]
    if not isinstance(node.func, ast.Attribute):
        return False
    if grouped:
        return method in _OF_GROUPS
    if method in ("min", "max") and _OF_DATES.search(ast.unparse(node.func.value)[-60:]):
        return False  # the last day of a table dates it
    return method in _OF_ROWS or method == "pivot_table"


def keeps_rows(name: str) -> bool:
    """Whether the answer has one value for each row: `groupby(...).transform`, `zscore`."""
    return _KEEPS_ROWS.search(name) is not None


def selects_features(name: str) -> bool:
    """Whether a call ranks columns by what all rows say of them."""
    return _SELECTS.match(name) is not None


def _in_windows(node: ast.Call) -> bool:
    """`df.rolling(5).mean()` is of the rows before each row."""
    inner: ast.expr = node.func
    while isinstance(inner, ast.Attribute | ast.Call | ast.Subscript):
        if isinstance(inner, ast.Attribute) and inner.attr in ("rolling", "expanding", "ewm", "resample", "shift"):
            return True
        inner = inner.func if isinstance(inner, ast.Call) else inner.value
    return False


def _by_row(node: ast.Call) -> bool:
    axis = next((one.value for one in node.keywords if one.arg == "axis"), None)
    return isinstance(axis, ast.Constant) and axis.value in (1, "columns")
