"""What libraries gave up in the tree of a cell, written by the names of today: a transformer of trees.

Input: what is gone, and what a notebook calls its libraries. Output: the tree, and which places of the source changed.
"""

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from proveout.pilot.adopt import renames
from proveout.records.values import Scalar

_AVERAGES = frozenset({"mean", "median", "std", "var", "corr", "cov", "skew", "kurt", "sem", "quantile"})
_MAKE_FRAMES = frozenset(
    {"DataFrame", "concat", "copy", "drop", "dropna", "drop_duplicates", "fillna", "get_dummies", "head", "merge",
     "query", "read_csv", "read_excel", "read_json", "read_parquet", "read_table", "reset_index", "sample", "set_index",
     "sort_values", "tail", "to_frame"}
)  # fmt: skip
_PATTERN = re.compile(r"\\[dDwWsS]|\[.+\]|\.[*+]")  # what nobody means as plain text
_STOPPING = frozenset({"early_stopping_rounds", "eval_metric"})
_IMPUTER = ("missing_values", "strategy", "axis", "verbose", "copy")


@dataclass(frozen=True, kw_only=True)
class Gone:
    """What cells said is gone."""

    keywords: bool = False
    values: frozenset[tuple[str, str, str]] = frozenset()  # parameter, class, value
    attributes: frozenset[str] = frozenset()
    frames_append: bool = False
    numpy: frozenset[str] = frozenset()
    modules: frozenset[str] = frozenset()
    imported: frozenset[tuple[str, str]] = frozenset()  # module, name
    places: bool = False  # arguments that were taken by their places
    axis_beside_labels: bool = False  # `drop(columns=[...], axis=1)`, which took no notice of the axis
    tuples: bool = False
    patterns: bool = False  # that `str.replace` took for patterns, and takes for plain text
    flags: bool = False  # 0 and 1 as `get_dummies` gave them, and gives False and True


@dataclass(frozen=True, kw_only=True)
class Names:
    """What the notebook calls NumPy, pandas and LightGBM, and the names that hold frames as far as it shows them."""

    numpy: frozenset[str]
    pandas: str | None
    lightgbm: str | None
    bound: Mapping[str, tuple[ast.expr, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, trees: Sequence[ast.Module]) -> "Names":
        modules: dict[str, list[str]] = {}
        bound: dict[str, tuple[ast.expr, ...]] = {}
        for node in (node for tree in trees for node in ast.walk(tree)):
            if isinstance(node, ast.Import):
                for one in node.names:
                    modules.setdefault(one.name, []).append(one.asname or one.name)
            elif isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        bound[target.id] = (*bound.get(target.id, ()), node.value)
        return cls(
            numpy=frozenset(modules.get("numpy", ())),
            pandas=next(iter(modules.get("pandas", ())), None),
            lightgbm=next(iter(modules.get("lightgbm", ())), None),
            bound=bound,
        )

    def is_frame(self, value: ast.expr, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a value is a frame for sure: made by pandas, or chosen by a condition or a list of columns."""
        match value:
            case ast.Call(func=ast.Attribute(attr=name)) if name in _MAKE_FRAMES:
                return True
            case ast.Name(id=name):
                made = self.bound.get(name, ())
                return name not in seen and bool(made) and all(self.is_frame(one, seen | {name}) for one in made)
            case ast.Subscript(value=inner, slice=ast.Compare() | ast.BinOp() | ast.List()):
                return self.is_frame(inner, seen)
        return False


class Statements(ast.Module, ast.stmt):
    """Several statements in the place of one."""


class Renewal(ast.NodeTransformer):
    """Gives a tree the names of today. `changed` holds the place in the source of each node that is another one now."""

    def __init__(self, gone: Gone, names: Names, *, texts: bool) -> None:
        self.gone, self.names, self.texts = gone, names, texts
        self.changed: dict[int, tuple[tuple[int, int], tuple[int, int]]] = {}
        self._kept: list[ast.AST] = []  # an id is that of one node as long as the node is there

    def _now(self, old: Any, new: Any) -> Any:
        place = ((old.lineno, old.col_offset), (old.end_lineno, old.end_col_offset))
        for attribute in ("lineno", "col_offset", "end_lineno", "end_col_offset"):
            setattr(new, attribute, getattr(old, attribute))
        self.changed[id(new)] = self.changed.get(id(old), place)
        self._kept.append(new)
        return new

    # imports

    def visit_Import(self, node: ast.Import) -> Any:
        if not any(_names_module(self.gone, one.name) for one in node.names):
            return node
        made = []
        for one in node.names:
            owner, _, last = one.name.rpartition(".")
            if (owner, last) in renames.IMPORTED and one.asname:
                module, name = renames.IMPORTED[owner, last]
                made.append(ast.alias(f"{module}.{name}".lstrip("."), one.asname))
            else:
                made.append(ast.alias(renames.MODULES.get(one.name, one.name), one.asname))
        same = [(one.name, one.asname) for one in made] == [(one.name, one.asname) for one in node.names]
        return node if same else self._now(node, ast.Import(made))

    def visit_ImportFrom(self, node: ast.ImportFrom) -> Any:
        module = node.module or ""
        if node.level or not (_names_module(self.gone, module) or any(one[0] == module for one in self.gone.imported)):
            return node
        now: dict[str, list[ast.alias]] = {}
        for one in node.names:
            known = renames.IMPORTED.get((module, one.name))
            where, name = known or (renames.MODULES.get(module, module), one.name)
            called = one.asname or (one.name if name != one.name and one.name not in renames.PLOTS else None)
            now.setdefault(where, []).append(ast.alias(name, called))
        if now == {module: node.names}:
            return node
        statements: list[ast.stmt] = [
            ast.ImportFrom(module=where, names=names, level=0) if where else ast.Import(names)
            for where, names in now.items()
        ]
        if [ast.unparse(one) for one in statements] == [ast.unparse(node)]:
            return node
        return self._now(node, Statements(statements, []))

    # names of attributes

    def visit_Attribute(self, node: ast.Attribute) -> Any:
        self.generic_visit(node)
        owner, name = node.value, node.attr
        if (
            isinstance(owner, ast.Name)
            and owner.id in self.names.numpy
            and name in self.gone.numpy & renames.NUMPY.keys()
        ):
            return self._now(node, ast.parse(renames.NUMPY[name].format(owner.id), mode="eval").body)
        of_dates = isinstance(owner, ast.Attribute) and owner.attr == "dt"
        if name in self.gone.attributes and (of_dates or name not in ("week", "weekofyear")):
            chain = ast.parse(f"x.{renames.ATTRIBUTES[name]}", mode="eval").body
            first = next(one for one in ast.walk(chain) if isinstance(one, ast.Attribute) and _is_x(one.value))
            first.value = owner
            return self._now(node, chain)
        return node

    # groupby("a")["b", "c"]

    def visit_Subscript(self, node: ast.Subscript) -> Any:
        self.generic_visit(node)
        if self.gone.tuples and isinstance(node.slice, ast.Tuple) and _calls(node.value, "groupby"):
            return self._now(node, ast.Subscript(node.value, ast.List(node.slice.elts, ast.Load()), node.ctx))
        return node

    # values in the grid of a search

    def visit_Dict(self, node: ast.Dict) -> Any:
        self.generic_visit(node)
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str) and isinstance(value, ast.List | ast.Tuple):
                for place, one in enumerate(value.elts):
                    new = self._value(key.value.rpartition("__")[2], one, None)
                    value.elts[place] = new if new is not None else one
        return node

    def _value(self, parameter: str, given: ast.expr, owner: str | None) -> ast.expr | None:
        """What `given` is today as the value of a parameter; None if it is what it was."""
        if not isinstance(given, ast.Constant) or not isinstance(given.value, str):
            return None
        for name, kind, value in self.gone.values:
            if (name, value) == (parameter, given.value) and owner in (kind, None):
                now = _value_of_today(parameter, kind, value)
                if now != value:
                    made: ast.expr = self._now(given, ast.Constant(now))
                    return made
        return None

    # calls

    def visit_Expr(self, node: ast.Expr) -> Any:
        call = node.value
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "append":
            self.generic_visit(call)  # its answer is not used: a list
            return node
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> Any:
        self.generic_visit(node)
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for one in node.keywords:
            new = self._value(one.arg, one.value, name) if one.arg else None
            one.value = new if new is not None else one.value
        if self.gone.frames_append and name == "append":
            return self._concatenated(node)
        if name in renames.PLOTS and any(one == ("sklearn.metrics", name) for one in self.gone.imported):
            shows = ast.Attribute(ast.Name(renames.PLOTS[name], ast.Load()), "from_estimator", ast.Load())
            return self._now(node, ast.Call(shows, node.args, node.keywords))
        made = self._by_name(node, name) if self.gone.places else node
        if name == "Imputer" and ("sklearn.preprocessing", name) in self.gone.imported:
            made = self._simple_imputer(made)
        for word in [one.arg for one in made.keywords if one.arg] if self.gone.keywords else []:
            made = self._without_old_keyword(made, name, word)
            if not isinstance(made, ast.Call):
                return made
        said = {one.arg: one for one in made.keywords}
        if self.gone.axis_beside_labels and name == "drop" and {"columns", "index"} & said.keys() and "axis" in said:
            made = self._now(made, ast.Call(made.func, made.args, [one for one in made.keywords if one.arg != "axis"]))
        if self.texts and name in _AVERAGES and isinstance(made.func, ast.Attribute) and not made.args + made.keywords:
            numbers = ast.keyword("numeric_only", ast.Constant(True))
            return self._now(node, ast.Call(made.func, [], [numbers]))
        return self._as_by_default(made, name)

    def _as_by_default(self, node: ast.Call, name: str) -> ast.Call:
        """With the keyword whose default another value was before pandas 2."""
        said = {one.arg for one in node.keywords}
        new: ast.keyword | None = None
        match name, node:
            case "replace", ast.Call(
                func=ast.Attribute(value=ast.Attribute(attr="str")), args=[ast.Constant(value=str(text)), _]
            ) if self.gone.patterns and "regex" not in said and _PATTERN.search(text):
                new = ast.keyword("regex", ast.Constant(True))
            case "get_dummies", _ if self.gone.flags and "dtype" not in said:
                new = ast.keyword("dtype", ast.Constant("uint8"))
        made: ast.Call = node if new is None else self._now(node, ast.Call(node.func, node.args, [*node.keywords, new]))
        return made

    def _by_name(self, node: ast.Call, name: str) -> ast.Call:
        keep, words = renames.PLACES.get(name, (0, ()))
        if not keep < len(node.args) <= len(words) or any(isinstance(one, ast.Starred) for one in node.args):
            return node
        named = [ast.keyword(word, value) for word, value in zip(words[keep:], node.args[keep:], strict=False)]
        made: ast.Call = self._now(node, ast.Call(node.func, node.args[:keep], [*named, *node.keywords]))
        return made

    def _simple_imputer(self, node: ast.Call) -> ast.Call:
        """`Imputer` of columns, for holes that are NaN, which it called "NaN"."""
        given = {one.arg: one.value for one in node.keywords} | dict(zip(_IMPUTER, node.args, strict=False))
        of_columns = _is(given.pop("axis", ast.Constant(0)), 0)
        if any(isinstance(one, ast.Starred) for one in node.args) or not of_columns:
            return node
        if _is(given.get("missing_values", ast.Constant("NaN")), "NaN"):
            given["missing_values"] = ast.parse("float('nan')", mode="eval").body
        words = [ast.keyword(word, value) for word, value in given.items() if word != "verbose"]
        made: ast.Call = self._now(node, ast.Call(node.func, [], words))
        return made

    def _without_old_keyword(self, node: ast.Call, name: str, word: str) -> Any:
        given = next((one.value for one in node.keywords if one.arg == word), None)
        if given is None:  # it went with another one
            return node
        rest = [one for one in node.keywords if one.arg != word]
        constant = given.value if isinstance(given, ast.Constant) else ...
        now = renames.KEYWORDS.get((name, word)) or renames.KEYWORDS.get((renames.ANY, word))
        unsaid = renames.UNSAID.get((name, word)) or renames.UNSAID.get((renames.ANY, word)) or frozenset()
        if now == renames.DROP or (constant is not ... and any(constant is one for one in unsaid)):
            return self._now(node, ast.Call(node.func, node.args, rest))
        if now is not None:
            words = [ast.keyword(now, one.value) if one.arg == word else one for one in node.keywords]
            return self._now(node, ast.Call(node.func, node.args, words))
        if name == "fit" and word in _STOPPING and isinstance(node.func, ast.Attribute):
            return self._stopped_early(node, node.func)
        return self._otherwise_said(node, name, (word, constant), rest)

    def _otherwise_said(self, node: ast.Call, name: str, said: tuple[str, Any], rest: list[ast.keyword]) -> Any:
        """A keyword whose work another keyword, method or operator does today."""
        new: ast.expr | None = None
        match name, *said:
            case "mean_squared_error", "squared", False:
                new = ast.BinOp(ast.Call(node.func, node.args, rest), ast.Pow(), ast.Constant(0.5))
            case "read_csv" | "read_table", "error_bad_lines", bool(fails):
                bad = ast.keyword("on_bad_lines", ast.Constant("error" if fails else "skip"))
                new = ast.Call(node.func, node.args, [*rest, bad])
            case "read_csv" | "read_table", "delim_whitespace", True:
                new = ast.Call(node.func, node.args, [*rest, ast.keyword("sep", ast.Constant(r"\s+"))])
            case "fillna", "method", str(method) if isinstance(node.func, ast.Attribute) and not node.args:
                fills = {"pad": "ffill", "backfill": "bfill"}.get(method, method)
                new = ast.Call(ast.Attribute(node.func.value, fills, ast.Load()), [], rest)
        return node if new is None else self._now(node, new)

    def _stopped_early(self, node: ast.Call, fit: ast.Attribute) -> Any:
        """XGBoost takes it when the model is made, LightGBM as a callback."""
        models = self.names.bound.get(fit.value.id, ()) if isinstance(fit.value, ast.Name) else ()
        moved = [one for one in node.keywords if one.arg in _STOPPING]
        rest = [one for one in node.keywords if one not in moved]
        if any(_calls(one, "XGBClassifier", "XGBRegressor") for one in models):
            sets = ast.Call(ast.Attribute(fit.value, "set_params", ast.Load()), [], moved)
            return self._now(node, ast.Call(ast.Attribute(sets, "fit", ast.Load()), node.args, rest))
        rounds = next((one.value for one in moved if one.arg == "early_stopping_rounds"), None)
        if (
            rounds is None
            or self.names.lightgbm is None
            or not any(_calls(one, "LGBMClassifier", "LGBMRegressor") for one in models)
        ):
            return node
        stops = ast.Call(ast.parse(f"{self.names.lightgbm}.early_stopping", mode="eval").body, [rounds], [])
        others = [one for one in node.keywords if one.arg not in ("early_stopping_rounds", "verbose")]
        callbacks = ast.keyword("callbacks", ast.List([stops], ast.Load()))
        return self._now(node, ast.Call(fit, node.args, [*others, callbacks]))

    def _concatenated(self, node: ast.Call) -> Any:
        """`a.append(b)` of frames: `pd.concat([a, b])`. What b is must be sure: a row goes another way."""
        if not isinstance(node.func, ast.Attribute) or len(node.args) != 1 or self.names.pandas is None:
            return node
        [other] = node.args
        parts = other.elts if isinstance(other, ast.List) else [other]
        if not all(self.names.is_frame(one) for one in parts):
            return node
        concat = ast.Attribute(ast.Name(self.names.pandas, ast.Load()), "concat", ast.Load())
        kept = [one for one in node.keywords if one.arg in ("ignore_index", "sort", "verify_integrity")]
        return self._now(node, ast.Call(concat, [ast.List([node.func.value, *parts], ast.Load())], kept))


def _names_module(gone: Gone, module: str) -> bool:
    """Whether a cell said that the module is gone, or the package it is in."""
    return any(module == one or module.startswith(f"{one}.") or one.startswith(f"{module}.") for one in gone.modules)


def _is_x(value: ast.expr) -> bool:
    return isinstance(value, ast.Name) and value.id == "x"


def _calls(value: ast.expr, *names: str) -> bool:
    func = value.func if isinstance(value, ast.Call) else None
    return (func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", None)) in names


def _is(value: ast.expr, constant: Scalar) -> bool:
    return isinstance(value, ast.Constant) and value.value == constant


def _value_of_today(parameter: str, kind: str, value: str) -> Scalar:
    if (parameter, value) == ("max_features", "auto"):
        return "sqrt" if kind.endswith("Classifier") else 1.0
    return renames.VALUES.get((parameter, value), value)
