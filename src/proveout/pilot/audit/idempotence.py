"""Whether an expression that is given its own result makes another one: what happens when a cell runs twice.

Input: the expression of `x = f(x)` or `df["a"] = f(df["a"])`. Output: a claim, as far as one can tell without running:
what is not known counts as changing nothing.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.syntax import walk

# Methods whose second application gives something else, or raises.
_OTHER_AGAIN = {
    "fit_transform",
    "transform",
    "map",
    "set_index",
    "pop",
    "append",
    "merge",
    "join",
    "melt",
    "pivot",
    "pivot_table",
    "stack",
    "unstack",
    "shift",
    "diff",
    "split",
    "groupby",
    "pct_change",
    "explode",
    "transpose",
    "cumsum",
    "cumprod",
    "toarray",
    "todense",
    "to_numpy",
    "inverse_transform",
    "add",
    "sub",
    "mul",
    "div",
    "union",
    "unionAll",
    "withColumnRenamed",
    "texts_to_sequences",
    "to_pandas",
    "toPandas",
    "to_list",
    "rolling",
    "resample",
    "agg",
    "log",
    "T",
}
_FUNCTIONS = {
    "numpy.log",
    "numpy.log1p",
    "numpy.log2",
    "numpy.log10",
    "numpy.exp",
    "numpy.expm1",
    "numpy.sqrt",
    "numpy.cbrt",
    "numpy.square",
    "numpy.power",
    "numpy.append",
    "numpy.concatenate",
    "numpy.vstack",
    "numpy.hstack",
    "numpy.column_stack",
    "numpy.expand_dims",
    "numpy.transpose",
    "numpy.diff",
    "numpy.cumsum",
    "numpy.insert",
    "numpy.delete",
    "pandas.concat",
    "pandas.merge",
    "pandas.melt",
    "sklearn.utils.shuffle",
    "scipy.stats.boxcox",
    "scipy.special.boxcox1p",
    "ast.literal_eval",
    "json.loads",
    "len",
}
_FUNCTION_NAMES = {"to_categorical", "one_hot", "literal_eval", "boxcox1p", "train_test_split", "word_tokenize"}
_CONVERSIONS = {"str", "int", "float", "abs", "bool"}
_DEPENDING = {"drop", "reset_index", "sample", "reshape", "replace"}
# Attributes that what they give does not have.
_GONE_AFTERWARDS = {"values", "T", "A", "index", "columns"}
_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def changes_again(  # noqa: PLR0911  # one return for each kind of expression
    value: ast.expr, name: str, analysis: Analysis, *, column: bool = False
) -> bool:
    """Whether `value`, computed from its own result in variable `name`, is another one. `column`: it is a column's."""
    match value:
        case ast.Call(func=ast.Attribute()):
            return _of_method(value, name, analysis, column=column)
        case ast.Call(func=ast.Name()):
            return _of_function(value, analysis)
        case ast.BinOp(op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div() | ast.Pow() | ast.FloorDiv() | ast.MatMult()):
            return not _is_standardised(value)
        case ast.Subscript(value=inner, slice=index):
            return _of_subscript(inner, index, name, analysis, column=column)
        case ast.Attribute(attr=attribute):
            return attribute in _GONE_AFTERWARDS
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            return any(isinstance(one, ast.Starred) for one in elements)
        case ast.ListComp(elt=ast.IfExp() as choice, generators=[ast.comprehension(target=ast.Name(id=each))]):
            return _choice_changes(choice, each, analysis)
        case ast.ListComp(elt=element):
            return isinstance(element, ast.BinOp) or (isinstance(element, ast.Call) and _of_function(element, analysis))
        case _:
            return False


def _of_method(value: ast.Call, name: str, analysis: Analysis, *, column: bool) -> bool:
    assert isinstance(value.func, ast.Attribute)
    method, inner = value.func.attr, value.func.value
    called = analysis.name_of(value.func)
    if called in _FUNCTIONS or method in _FUNCTION_NAMES:
        return True
    if called == "pandas.get_dummies":  # columns that are named are gone the second time
        return any(one.arg == "columns" for one in value.keywords)
    if method in ("apply", "applymap", "map"):
        return _of_mapping(method, value, analysis)
    before = isinstance(inner, ast.Call | ast.Subscript) and changes_again(inner, name, analysis, column=column)
    # The second time a column that was text holds numbers, and has no `.str`.
    becomes_numbers = method == "astype" and _reads_text(inner) and _is_number_type(value)
    by_arguments = method in _DEPENDING and _by_arguments(method, value, column=column)
    return before or becomes_numbers or by_arguments or method in _OTHER_AGAIN


def _by_arguments(method: str, call: ast.Call, *, column: bool) -> bool:
    keywords = {one.arg: one.value for one in call.keywords}
    if method == "drop":
        rows = call.args[0] if call.args else keywords.get("index")
        by_condition = isinstance(rows, ast.Attribute) and rows.attr == "index"
        with_axis = len(call.args) > 1 or "axis" in keywords
        return not (by_condition and not with_axis) and not _is(keywords.get("errors"), "ignore")
    if method == "reset_index":
        return not _is(keywords.get("drop"), True)
    if method == "sample":
        share = keywords.get("frac")
        return isinstance(share, ast.Constant) and share.value != 1
    if method == "reshape":  # `X.values.reshape(...)`: an array has no `.values`
        inner = call.func.value if isinstance(call.func, ast.Attribute) else None
        return isinstance(inner, ast.Attribute) and inner.attr in _GONE_AFTERWARDS
    return column and _replaces_its_own_results(call)


def _replaces_its_own_results(call: ast.Call) -> bool:
    """`replace({1: 2, 2: 3})`: what it gives is replaced the next time."""
    if call.args and isinstance(call.args[0], ast.Dict):
        mapping = _constant_pairs(call.args[0])
        return any(value in mapping and mapping[value] != value for value in mapping.values())
    return False


def _constant_pairs(node: ast.Dict) -> dict[object, object]:
    return {
        key.value: value.value
        for key, value in zip(node.keys, node.values, strict=True)
        if isinstance(key, ast.Constant) and isinstance(value, ast.Constant)
    }


def _of_mapping(method: str, call: ast.Call, analysis: Analysis) -> bool:  # noqa: PLR0911  # one return for each kind of argument
    """`map` and `apply`: by a table it loses what is no key of it; by a function it depends."""
    by = call.args[0] if call.args else next((one.value for one in call.keywords if one.arg in ("arg", "func")), None)
    match by:
        case ast.Dict():
            pairs = _constant_pairs(by)
            return any(pairs.get(value, by) != value for value in pairs.values()) or not pairs
        case ast.Lambda():
            return _lambda_changes(by, analysis)
        case ast.Name(id=function) if function in analysis.defined:
            return _function_changes(analysis.defined[function])
        case ast.Name(id=function) if function in _CONVERSIONS:
            return False
        case ast.Attribute(attr=attribute):
            return attribute in ("fit_transform", "transform", "get", "stem") or (
                analysis.name_of(by) in _FUNCTIONS or attribute in _FUNCTION_NAMES
            )
        case ast.Name():
            return method == "map" or analysis.name_of(by) in _FUNCTIONS
        case ast.Call():
            return True
        case _:
            return False


def _function_changes(function: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> bool:
    """Whether a function gives something else for what it gave: it cuts, or does not know its own results."""
    returned = [one.value for one in walk(function) if isinstance(one, ast.Return) and one.value is not None]
    if any(isinstance(one, ast.Subscript) and _cuts_again(one.slice) for one in returned):
        return True
    results = {one.value for one in returned if isinstance(one, ast.Constant)}
    asked = {
        one.value
        for compare in walk(function)
        if isinstance(compare, ast.Compare)
        for one in compare.comparators
        if isinstance(one, ast.Constant) and isinstance(one.value, str)
    }
    return bool(results) and bool(asked) and len(results) == len(returned) and not results & asked


def _lambda_changes(function: ast.Lambda, analysis: Analysis) -> bool:
    """Whether a lambda gives something else for what it gave."""
    if not function.args.args:
        return True
    name, body = function.args.args[0].arg, function.body
    if isinstance(body, ast.IfExp):
        return _choice_changes(body, name, analysis)
    if isinstance(body, ast.Constant | ast.Compare | ast.BoolOp):
        return isinstance(body, ast.Compare)
    if isinstance(body, ast.Call) and isinstance(body.func, ast.Name):
        return _of_function(body, analysis)
    if isinstance(body, ast.Call) and isinstance(body.func, ast.Attribute) and body.func.attr in ("join", "sub"):
        return False
    return changes_again(body, name, analysis)


def _choice_changes(choice: ast.IfExp, name: str, analysis: Analysis) -> bool:
    """`0 if x == 0 else 1` gives the same for its results; `1 if x == "yes" else 0` gives 0 for them all."""
    results = [_plain(one) for one in _results(choice)]
    results = [one for one in results if not (isinstance(one, ast.Name) and one.id == name)]
    if not all(isinstance(one, ast.Constant) for one in results):
        return any(changes_again(one, name, analysis) for one in results)
    try:
        return any(_evaluated(choice, name, one.value) != one.value for one in results if isinstance(one, ast.Constant))
    except (TypeError, ValueError):
        return True


def _plain(node: ast.expr) -> ast.expr:
    """`int(0)` is 0."""
    match node:
        case ast.Call(func=ast.Name(id="int" | "str" | "float"), args=[ast.Constant() as inner]):
            return inner
    return node


def _results(node: ast.expr) -> list[ast.expr]:
    return [*_results(node.body), *_results(node.orelse)] if isinstance(node, ast.IfExp) else [node]


def _evaluated(node: ast.expr, name: str, given: object) -> object:  # noqa: PLR0911  # one return for each kind of expression
    """The value of an expression of constants, comparisons and one variable. Raises: ValueError for any other."""
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Call(func=ast.Name(id="int" | "str" | "float"), args=[ast.Constant(value=value)]):
            return value
        case ast.Name(id=read) if read == name:
            return given
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return _evaluated(body if _evaluated(test, name, given) else orelse, name, given)
        case ast.Compare(left=left, ops=[one], comparators=[right]) if type(one) in _COMPARE:
            return _COMPARE[type(one)](_evaluated(left, name, given), _evaluated(right, name, given))
        case ast.Tuple(elts=elements) | ast.List(elts=elements) | ast.Set(elts=elements):
            return [_evaluated(one, name, given) for one in elements]
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case _:
            raise ValueError


def _of_function(call: ast.Call, analysis: Analysis) -> bool:
    called = analysis.name_of(call.func)
    return called in _FUNCTIONS or called.rpartition(".")[2] in _FUNCTION_NAMES


def _of_subscript(inner: ast.expr, index: ast.expr, name: str, analysis: Analysis, *, column: bool) -> bool:
    if isinstance(inner, ast.Attribute) and inner.attr in ("iloc", "loc"):
        rows = index.elts[0] if isinstance(index, ast.Tuple) and index.elts else index
        by_places = isinstance(index, ast.Tuple) and len(index.elts) == 2 and _is_slice_of_places(index.elts[1])
        return _cuts_again(rows) or (inner.attr == "iloc" and by_places)
    if isinstance(inner, ast.Name) and inner.id == name:
        return _cuts_again(index) or (isinstance(index, ast.Constant) and isinstance(index.value, int))
    if isinstance(inner, ast.Call | ast.Attribute):
        return changes_again(inner, name, analysis, column=column) and not isinstance(inner, ast.Attribute)
    return False


def _is_slice_of_places(node: ast.expr) -> bool:
    return isinstance(node, ast.Slice) and node.lower is not None


def _cuts_again(index: ast.expr) -> bool:
    """`x[1:]` and `x[:-5]` take something off each time; `x[:1000]` leaves the first thousand."""
    if not isinstance(index, ast.Slice):
        return False
    upper_from_end = isinstance(index.upper, ast.UnaryOp)
    return index.lower is not None or upper_from_end or index.step is not None


def _is_standardised(value: ast.BinOp) -> bool:
    """`(x - x.mean()) / x.std()` and `x / x.max()`: what is scaled stays as it is."""
    if not isinstance(value.op, ast.Div):
        return False
    statistics = {"mean", "std", "min", "max", "norm", "sum"}
    below = {one.attr for one in walk(value.right) if isinstance(one, ast.Attribute)}
    return bool(below & statistics)


def _reads_text(node: ast.expr) -> bool:
    return any(isinstance(one, ast.Attribute) and one.attr == "str" for one in walk(node))


def _is_number_type(call: ast.Call) -> bool:
    given = [*call.args, *(one.value for one in call.keywords)]
    return any(
        (isinstance(one, ast.Name) and one.id in ("int", "float"))
        or (isinstance(one, ast.Constant) and str(one.value).lower().startswith(("int", "float")))
        or (isinstance(one, ast.Attribute) and one.attr.startswith(("int", "float")))
        for one in given
    )


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value
