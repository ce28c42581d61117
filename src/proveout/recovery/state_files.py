"""What recovered features have learned, as files: JSON that a person can read, tables as Parquet, the rest as skops.

Never pickle: opening these files runs no code from them.

Input: values by name. Output: files in a folder, `state.json` first, and the values again.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from proveout.model import model_io

STATE = "state.json"
_MOST_INLINE = 1_000  # values of an array that are written into the JSON


class Unstorable(Exception):
    """A value that none of the forms can hold."""


def write(state: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    """Write `state` into `folder`. Returns the names of the files. Raises: Unstorable, naming the value."""
    folder.mkdir(parents=True, exist_ok=True)
    files: list[str] = []
    nodes = {name: _Writer(name, folder, files).node(value) for name, value in state.items()}
    (folder / STATE).write_text(json.dumps(nodes, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return (STATE, *files)


def read(folder: Path) -> dict[str, Any]:
    """The values that `write` stored in `folder`."""
    nodes = json.loads((folder / STATE).read_text(encoding="utf-8"))
    return {name: _value(node, folder) for name, node in nodes.items()}


def names(folder: Path) -> tuple[str, ...]:
    """The names of the values in `folder`."""
    return tuple(json.loads((folder / STATE).read_text(encoding="utf-8")))


def node(folder: Path, name: str) -> Mapping[str, Any]:
    """How a value is stored. Raises: KeyError."""
    found: Mapping[str, Any] = json.loads((folder / STATE).read_text(encoding="utf-8"))[name]
    return found


def files_of(node: Any) -> Iterator[str]:
    """The files that a stored value refers to, at any depth."""
    if isinstance(node, list):
        for one in node:
            yield from files_of(one)
    elif isinstance(node, Mapping):
        for key, one in node.items():
            if key in _IN_FILES and isinstance(one, str):
                yield one
            elif key != "value":
                yield from files_of(one)


_IN_FILES = frozenset({"frame", "series", "array_file", "skops"})


class _Writer:
    def __init__(self, name: str, folder: Path, files: list[str]) -> None:
        self.name, self.folder, self.files = name, folder, files

    def _file(self, ending: str) -> Path:
        again = sum(file.startswith(f"{self.name}.") or file.startswith(f"{self.name}-") for file in self.files)
        file = f"{self.name}-{again}{ending}" if again else f"{self.name}{ending}"
        self.files.append(file)
        return self.folder / file

    def node(self, value: Any) -> dict[str, Any]:  # noqa: PLR0911  # one return for each form
        if _is_plain(value):
            return {"value": value}
        if isinstance(value, float | int | str | np.generic):
            return {"number": repr(float(value))} if isinstance(value, float) else self._scalar(value)
        if isinstance(value, pd.DataFrame | pd.Series):
            return self._table(value)
        if isinstance(value, pd.Index):
            return self._index(value)
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, pd.api.extensions.ExtensionArray):  # as `unique` gives it of a column of texts
            return {"extension": self._table(pd.Series(value))}
        if isinstance(value, Mapping):
            kind = {"Bunch": "bunch", "Counter": "counter"}.get(type(value).__name__, "mapping")
            return {kind: [[self.node(key), self.node(one)] for key, one in value.items()]}
        if isinstance(value, list | tuple | set | frozenset):
            kind = next(name for name, known in _SEQUENCES.items() if isinstance(value, known))
            return {kind: [self.node(one) for one in value]}
        if isinstance(value, pd.Timestamp | pd.Timedelta):
            return {type(value).__name__.lower(): value.isoformat()}
        if isinstance(value, pd.Interval):
            return {"interval": [self.node(value.left), self.node(value.right)], "closed": value.closed}
        if value is pd.NaT or value is pd.NA:
            return {"missing": str(value)}
        return self._object(value)

    def _scalar(self, value: Any) -> dict[str, Any]:
        if isinstance(value, np.generic) and not isinstance(value.item(), np.generic):
            return {"scalar": self.node(value.item()), "dtype": str(value.dtype)}
        raise Unstorable(f"{self.name} holds a {type(value).__name__}, which no file can hold")

    def _table(self, value: "pd.DataFrame | pd.Series[Any]") -> dict[str, Any]:
        frame = value.to_frame() if isinstance(value, pd.Series) else value
        columns = frame.columns
        stored = frame.set_axis([str(place) for place in range(frame.shape[1])], axis=1)
        file = self._file(".parquet")
        try:
            stored.to_parquet(file)
        except Exception as error:  # whatever pyarrow says of somebody's values
            raise Unstorable(f"{self.name} is a table that Parquet cannot hold: {error}") from error
        kind = "series" if isinstance(value, pd.Series) else "frame"
        mixed = [place for place, dtype in enumerate(frame.dtypes) if dtype.kind == "O"]
        return {kind: file.name, "columns": self._index(columns), "objects": mixed}

    def _index(self, value: "pd.Index[Any]") -> dict[str, Any]:
        if isinstance(value, pd.IntervalIndex):
            ends = {"left": [float(one) for one in value.left], "right": [float(one) for one in value.right]}
            return {"intervals": {**ends, "closed": value.closed}}
        names = [self.node(name) for name in value.names]
        return {"index": [self.node(one) for one in value], "names": names, "levels": value.nlevels}

    def _array(self, value: Any) -> dict[str, Any]:
        if value.dtype == object or value.size <= _MOST_INLINE:
            shape = list(value.shape)
            return {
                "array": [self.node(one) for one in value.ravel().tolist()],
                "dtype": str(value.dtype),
                "shape": shape,
            }
        file = self._file(".npy")
        np.save(file, value, allow_pickle=False)
        return {"array_file": file.name}

    def _object(self, value: Any) -> dict[str, Any]:
        file = self._file(".skops")
        try:
            model_io.dump(value, file)
            model_io.load(file)
        except Exception as error:  # skops may raise anything
            raise Unstorable(f"{self.name} is a {type(value).__name__}, which cannot be stored: {error}") from error
        return {"skops": file.name}


_SEQUENCES: dict[str, Any] = {"list": list, "tuple": tuple, "set": (set, frozenset)}


def _is_plain(value: Any) -> bool:
    """Whether JSON gives the same value again."""
    if value is None or type(value) in (bool, int, str):
        return True
    if type(value) is float:
        return math.isfinite(value)
    if type(value) is list:
        return all(map(_is_plain, value))
    return type(value) is dict and all(type(key) is str and _is_plain(one) for key, one in value.items())


def _value(node: Mapping[str, Any], folder: Path) -> Any:
    kind, content = next(iter(node.items()))
    return _READ[kind](content, node, folder)


def _pairs(content: Any, folder: Path) -> Iterator[tuple[Any, Any]]:
    return ((_value(key, folder), _value(one, folder)) for key, one in content)


def _read_table(content: str, node: Mapping[str, Any], folder: Path) -> Any:
    frame = pd.read_parquet(folder / content)
    for place in node.get("objects", ()):  # flags alone come back as a type that has no holes, and NaN would be true
        if frame.dtypes.iloc[place].kind != "O":
            frame[str(place)] = frame[str(place)].astype(object)
    frame.columns = _value(node["columns"], folder)
    return frame


def _read_series(content: str, node: Mapping[str, Any], folder: Path) -> Any:
    frame = _read_table(content, node, folder)
    made = frame.iloc[:, 0]
    made.name = frame.columns[0]
    return made


def _read_index(content: Any, node: Mapping[str, Any], folder: Path) -> Any:
    values = [_value(one, folder) for one in content]
    names = [_value(one, folder) for one in node["names"]]
    if node["levels"] > 1:
        return pd.MultiIndex.from_tuples(values, names=names)
    return pd.Index(values, name=names[0])


def _read_interval(content: Any, node: Mapping[str, Any], folder: Path) -> Any:
    left, right = (_value(one, folder) for one in content)
    return pd.Interval(left, right, closed=node["closed"])


def _read_array(content: Any, node: Mapping[str, Any], folder: Path) -> Any:
    values = [_value(one, folder) for one in content]
    if node["dtype"] != "object":
        return np.array(values, dtype=node["dtype"]).reshape(node["shape"])
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made.reshape(node["shape"])


def _read_bunch(content: Any, node: Mapping[str, Any], folder: Path) -> Any:
    from sklearn.utils import Bunch

    return Bunch(**dict(_pairs(content, folder)))


def _read_scalar(content: Any, node: Mapping[str, Any], folder: Path) -> Any:
    return np.array(_value(content, folder), dtype=node["dtype"])[()]


_READ: dict[str, Any] = {
    "value": lambda content, node, folder: content,
    "number": lambda content, node, folder: float(content),
    "scalar": _read_scalar,
    "frame": _read_table,
    "series": _read_series,
    "intervals": lambda content, node, folder: pd.IntervalIndex.from_arrays(**content),
    "interval": _read_interval,
    "index": _read_index,
    "array": _read_array,
    "extension": lambda content, node, folder: _value(content, folder).array,
    "array_file": lambda content, node, folder: np.load(folder / content, allow_pickle=False),
    "bunch": _read_bunch,
    "mapping": lambda content, node, folder: dict(_pairs(content, folder)),
    "counter": lambda content, node, folder: Counter(dict(_pairs(content, folder))),
    "list": lambda content, node, folder: [_value(one, folder) for one in content],
    "tuple": lambda content, node, folder: tuple(_value(one, folder) for one in content),
    "set": lambda content, node, folder: {_value(one, folder) for one in content},
    "timestamp": lambda content, node, folder: pd.Timestamp(content),
    "timedelta": lambda content, node, folder: pd.Timedelta(content),
    "missing": lambda content, node, folder: pd.NaT if content == "NaT" else pd.NA,
    "skops": lambda content, node, folder: model_io.load(folder / content),
}
