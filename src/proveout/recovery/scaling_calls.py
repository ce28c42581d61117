"""Functions that learn from the rows and change them in one call: `boxcox(column)`, `zscore(column)`, `scale(X)`.

Each is what a transformer of scikit-learn does, fitted to the pilot's rows: that is what is kept of it.

Input: a call, and what it gave. Output: the fitted transformer; and what it makes of other rows.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from proveout.recovery.tables import equal_rows, flat
from proveout.recovery.tape import CallMade

_NOT_OF_THE_TRANSFORMER = frozenset({"axis", "copy", "ddof", "nan_policy", "alpha", "optimizer"})


class _OtherwiseThanPilot(Exception):
    """No transformer gives what the call gave."""


def learned(call: CallMade) -> Callable[[Any], dict[str, Any]] | None:
    """What makes a transformer of the call's answer; None for a call that learns nothing, or along each row."""
    module = (getattr(call.function, "__module__", None) or "").partition("._")[0]
    known = _TRANSFORMERS.get((module, call.name))
    rows = call.argument(0, "x") if call.args else None
    if (module, call.name) == _CLIPS and isinstance(rows, pd.Series | np.ndarray) and np.ndim(rows) == 1:
        return lambda answer: _checked({"limits": [float(np.min(answer)), float(np.max(answer))]}, rows, answer)
    if known is None or not isinstance(rows, pd.DataFrame | pd.Series | np.ndarray) or call.named.get("axis", 0) != 0:
        return None
    if call.argument(1, "lmbda") is not None and call.name in ("boxcox", "yeojohnson"):
        return None

    def fitted(answer: Any) -> dict[str, Any]:
        made = known({name: value for name, value in call.named.items() if name not in _NOT_OF_THE_TRANSFORMER})
        made.fit(_numbers(rows))
        rest = list(answer[1:]) if isinstance(answer, tuple) else []
        values = answer[0] if isinstance(answer, tuple) else answer
        if rest:
            made.lambdas_ = np.array([rest[0]], dtype=float)
        elif call.named.get("ddof"):
            made.scale_ = made.scale_ * np.sqrt(len(rows) / (len(rows) - call.named["ddof"]))
        value = {"transformer": made, "rest": rest, "table": isinstance(values, pd.DataFrame | pd.Series)}
        return _checked(value, rows, values)

    return fitted


def _checked(value: dict[str, Any], rows: Any, answer: Any) -> dict[str, Any]:
    if not equal_rows(_values(value, rows), answer).all():
        raise _OtherwiseThanPilot
    return value


def answer(value: Mapping[str, Any], call: CallMade) -> Any:
    """What the transformer makes of the rows that the call is given, in the form that the pilot's call gave."""
    values = _values(value, call.args[0])
    return (values, *value["rest"]) if value.get("rest") else values


def _values(value: Mapping[str, Any], rows: Any) -> Any:
    if "limits" in value:
        return np.clip(np.asarray(rows, dtype=float), *value["limits"])
    made = value["transformer"].transform(_numbers(rows))
    if not value["table"]:
        return made.reshape(np.shape(rows))
    if isinstance(rows, pd.Series):
        return pd.Series(made[:, 0], index=rows.index, name=rows.name)
    return pd.DataFrame(made, index=rows.index, columns=rows.columns)


def _numbers(rows: Any) -> Any:
    return flat(rows).astype(float)


def _of(name: str, **given: Any) -> Callable[[Mapping[str, Any]], Any]:
    def made(named: Mapping[str, Any]) -> Any:
        from sklearn import preprocessing

        return getattr(preprocessing, name)(**{**given, **named})

    return made


_SKLEARN, _SCIPY = "sklearn.preprocessing", "scipy.stats"
_CLIPS = (_SCIPY, "winsorize")  # each value becomes one between the least and the greatest that are left
_TRANSFORMERS: Mapping[tuple[str, str], Callable[[Mapping[str, Any]], Any]] = {
    (_SCIPY, "boxcox"): _of("PowerTransformer", method="box-cox", standardize=False),
    (_SCIPY, "yeojohnson"): _of("PowerTransformer", method="yeo-johnson", standardize=False),
    (_SCIPY, "zscore"): _of("StandardScaler"),
    (_SKLEARN, "scale"): _of("StandardScaler"),
    (_SKLEARN, "minmax_scale"): _of("MinMaxScaler"),
    (_SKLEARN, "maxabs_scale"): _of("MaxAbsScaler"),
    (_SKLEARN, "robust_scale"): _of("RobustScaler"),
    (_SKLEARN, "power_transform"): _of("PowerTransformer"),
    (_SKLEARN, "quantile_transform"): _of("QuantileTransformer"),
}
