"""Fitted objects that hold functions or classes of the notebook: `CountVectorizer(analyzer=words_of)`.

No file may bring code with it. What the notebook defines is taken out, its name is left in its place, and the features,
where its definition stands, put it back.

Input: an estimator, and what it holds. Output: a copy without code and the names; and the estimator again.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from proveout.recovery.instrument import NAME

_NAME, _ATTRIBUTES = "__own__", "__attributes__"
_DEEPEST = 12


def taken_out(value: Any, names: set[str]) -> Any:
    """A copy of `value` without the notebook's functions and objects. Adds the names of what was taken to `names`."""

    def out(part: Any) -> Any:
        if _is_function(part):
            names.add(_name_of(part))
            return {_NAME: _name_of(part)}
        if type(part).__module__ == "__main__" and hasattr(part, "__dict__"):
            names.add(type(part).__name__)
            return {_NAME: type(part).__name__, _ATTRIBUTES: _parts(vars(part), out)}
        return _NOTHING

    return _walked(value, out)


def put_back(value: Any, known: Mapping[str, Any]) -> Any:
    """The estimator with the functions and classes in `known` where their names stand."""

    def back(part: Any) -> Any:
        if not (type(part) is dict and _NAME in part):
            return _NOTHING
        own = known[part[_NAME]]
        if _ATTRIBUTES not in part:
            return own
        made = own.__new__(own)
        made.__dict__.update(_parts(part[_ATTRIBUTES], back))
        return made

    return _walked(value, back)


def with_columns(value: Any) -> Any:
    """A copy whose column transformers name their columns in lists, and whose steps say themselves what they give.

    A selector may hold a type, and the index that pandas makes of texts holds what no file can. `set_config` holds for
    the process of the notebook alone.
    """

    def named(part: Any) -> Any:
        chosen = getattr(part, "_columns", None)
        if type(part).__name__ != "ColumnTransformer" or chosen is None or not any(map(_selects, part.transformers)):
            return _NOTHING
        made = copy.copy(part)
        made.transformers = [
            (name, step, columns) for (name, step, _), columns in zip(part.transformers, chosen, strict=True)
        ]
        return made

    def listed(part: Any) -> Any:
        return part.tolist() if isinstance(part, pd.Index) else _NOTHING

    return _with_output(_walked(_walked(value, named), listed))


def _with_output(value: Any) -> Any:
    """What `set_config(transform_output="pandas")` says of all transformers, said of each."""
    from sklearn import get_config

    form = get_config().get("transform_output", "default")
    if form == "default":
        return value

    def said(part: Any) -> Any:
        if hasattr(part, "set_output") and hasattr(part, "transform") and not hasattr(part, _OUTPUT):
            return _walked(_said(part, form), said)
        return _NOTHING

    return _walked(value, said)


def _said(transformer: Any, form: str) -> Any:
    made = copy.copy(transformer)
    setattr(made, _OUTPUT, {"transform": form})
    return made


_OUTPUT = "_sklearn_output_config"  # where set_output writes it


def _selects(transformer: tuple[str, Any, Any]) -> bool:
    return type(transformer[2]).__name__ == "make_column_selector"


def is_in(value: Any) -> bool:
    """Whether the estimator holds code of the notebook."""
    names: set[str] = set()
    taken_out(value, names)
    return bool(names)


def through(steps: Sequence[Any], rows: Any) -> Any:
    """What the transformers make of `rows`, one after the other."""
    for step in steps:
        rows = step.transform(rows) if hasattr(step, "transform") else rows  # "passthrough"
    return rows


_NOTHING = object()


def _name_of(function: Any) -> Any:
    """Its name in the notebook, or the one that a lambda got."""
    return getattr(function, NAME, None) or getattr(function, "__name__", "")


def _is_function(value: Any) -> bool:
    name = _name_of(value) if callable(value) else ""
    return (
        callable(value)
        and not isinstance(value, type)
        and getattr(value, "__module__", None) == "__main__"
        and isinstance(name, str)
        and name.isidentifier()
    )


def _parts(values: Mapping[Any, Any], change: Callable[[Any], Any]) -> dict[Any, Any]:
    return {name: _walked(one, change) for name, one in values.items()}


def _walked(value: Any, change: Callable[[Any], Any], deep: int = 0) -> Any:
    changed = change(value)
    if changed is not _NOTHING or deep > _DEEPEST:
        return value if changed is _NOTHING else changed
    if type(value) in (list, tuple):
        return type(value)(_walked(one, change, deep + 1) for one in value)
    if type(value) is dict:
        return {name: _walked(one, change, deep + 1) for name, one in value.items()}
    if hasattr(value, "get_params") and not isinstance(value, type) and hasattr(value, "__dict__"):
        made = copy.copy(value)
        made.__dict__ = {name: _walked(one, change, deep + 1) for name, one in vars(value).items()}
        return made
    return value
