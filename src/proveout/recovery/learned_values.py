"""Calls whose columns or codes depend on which values there are: `get_dummies`, `cut`, `astype("category")`, `concat`.

Input: a call. Output: its kind on the tape, and what reads off its answer what it learned.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd

from proveout.recovery import frozen_calls, scaling_calls
from proveout.recovery.tables import flat
from proveout.recovery.tape import CallMade, Kind

_GROUP_NUMBERS = ("mean", "median", "min", "max", "sum", "count", "size", "nunique", "std", "var", "first", "last")

Special = tuple[Kind, Callable[[Any], Any]]
"""The kind of a call, and from its answer what it learned."""


def special(call: CallMade) -> Special | None:
    """What kind of call it is, and what it learned, read off its answer; None for one that learns nothing so."""
    try:
        return _read_off(call)
    except Exception:  # the call itself says what is wrong with its arguments
        return None


def _read_off(call: CallMade) -> Special | None:
    reader = _READERS.get(call.name)
    if reader is not None:
        return reader(call)
    learned = scaling_calls.learned(call)
    return ("rescaled", learned) if learned is not None else None


def _categories(call: CallMade) -> Special | None:
    if str(call.argument(0, "dtype")) != "category" or not isinstance(call.receiver, pd.Series):
        return None
    return "category", lambda answer: _vocabulary(answer.dtype)


def stacked(call: CallMade) -> Special | None:
    """Tables one below the other: those of a file beside the raw rows, or parts of the same rows."""
    if not (getattr(call.function, "__module__", None) or "").startswith("pandas"):
        return None
    tables = call.argument(0, "objs")
    below = call.named.get("axis", call.args[1] if len(call.args) > 1 else 0) in (0, "index")
    if not below or type(tables) not in (list, tuple) or not all(isinstance(one, pd.DataFrame) for one in tables):
        return None
    marks = [frozen_calls.mark(one) for one in tables]
    return "stacked", lambda answer: {"columns": list(answer.columns), "marks": marks}


def _by_group(call: CallMade) -> Special | None:
    """`groupby(...).transform("mean")`; and `lambda rows: rows.fillna(rows.median())`, where that is all it does."""
    if not call.args or not hasattr(call.receiver, "ngroup"):
        return None
    if _is_word(call.args, _GROUP_NUMBERS):
        numbers = call.receiver.agg(call.args[0])
        return "by_group", lambda answer: numbers
    if not callable(call.args[0]) or not isinstance(call.receiver.obj, pd.Series):
        return None
    groups, function, hole = call.receiver, call.args[0], pd.Series([np.nan])
    table = pd.Series({name: function(pd.concat([group, hole]).rename(name)).iloc[-1] for name, group in groups})
    filled = frozen_calls.filled_by_group(table, call)
    return ("filled_by_group", lambda answer: table) if filled.equals(call.run()) else None


def _is_word(args: tuple[Any, ...], words: Iterable[str]) -> bool:
    return bool(args) and isinstance(args[0], str) and args[0] in words


def _vocabulary(dtype: Any) -> dict[str, Any]:
    return {"categories": list(dtype.categories), "ordered": bool(dtype.ordered)}


def _edges(call: CallMade) -> Special | None:
    bins = call.named.get("bins", call.named.get("q", call.args[1] if len(call.args) > 1 else None))
    if call.name == "cut" and not np.isscalar(bins):
        return None  # the author's own edges
    given = {word: value for word, value in call.named.items() if word != "retbins"}
    edges = [float(edge) for edge in getattr(pd, call.name)(*call.args, **given, retbins=True)[1]]

    def learned(answer: Any) -> dict[str, Any]:
        own = call.named.get("labels") is None and hasattr(answer, "cat")
        lowest = call.name == "qcut" or bool(call.named.get("include_lowest", False))
        return {"edges": edges, "labels": answer.cat.categories if own else None, "lowest": lowest}

    return "bins", learned


def _dummies(call: CallMade) -> Special | None:
    table, named = call.argument(0, "data"), call.named
    if type(call.receiver).__name__ == "StringMethods":
        return "text_dummies", lambda answer: list(answer.columns)
    if isinstance(table, pd.Series):
        known: dict[Any, list[Any]] = {None: list(pd.Categorical(table).categories)}
    elif isinstance(table, pd.DataFrame):
        texts = ("object", "str", "category", "string")
        chosen = named.get("columns")
        if chosen is None:
            chosen = [column for column in table.columns if str(table[column].dtype) in texts]
        known = {column: list(pd.Categorical(table[column]).categories) for column in chosen}
    else:
        return None

    def learned(answer: Any) -> dict[str, Any]:
        return {"categories": known, "columns": list(answer.columns), "dtypes": [str(one) for one in answer.dtypes]}

    return "dummies", learned


def _wrapped(call: CallMade) -> Special | None:
    """A table that a booster learns from or is asked about: the rows in it are its inputs."""
    module = (getattr(call.function, "__module__", None) or "").partition(".")[0]
    return ("wrapped", lambda answer: None) if module in ("xgboost", "lightgbm") and call.args else None


def _constant(call: CallMade) -> Special | None:
    """`add_constant` of statsmodels leaves its column out where another is constant, as each one is in one row."""
    columns = flat(call.argument(0, "data")).shape[1]
    return "constant", lambda answer: flat(answer).shape[1] > columns


_READERS: dict[str, Callable[[CallMade], Special | None]] = {
    "add_constant": _constant,
    "DMatrix": _wrapped,
    "Dataset": _wrapped,
    "get_dummies": _dummies,
    "astype": _categories,
    "cut": _edges,
    "qcut": _edges,
    "factorize": lambda call: ("factorize", lambda answer: list(answer[1])),
    "Categorical": lambda call: ("category_of", lambda answer: _vocabulary(answer.dtype)),
    "concat": stacked,
    "transform": _by_group,
    "split": lambda call: ("parted", lambda answer: answer.shape[1]) if call.named.get("expand") is True else None,
}
