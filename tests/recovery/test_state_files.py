"""Every value that features can have learned comes back from its file as it was."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import StandardScaler
from sklearn.utils import Bunch

from proveout.recovery import state_files

FRAME = pd.DataFrame({"a": [1, 2], ("b", 1): ["x", None]}, index=["p", "q"])
VALUES: dict[str, Any] = {
    "plain": {"a": [1, 2.5, None, "ä"], "b": True},
    "not a number": [float("nan"), float("inf")],
    "numpy scalars": [np.int64(7), np.float32(0.1), np.bool_(True)],
    "keys that are no text": {1: "one", None: "none", (1, "x"): 2},
    "nested": ([1, (2, 3)], {"x", "y"}),
    "array": np.arange(6, dtype="int32").reshape(2, 3),
    "large array": np.arange(5_000) / 3,
    "objects": np.array(["a", 1, None], dtype=object),
    "dates": [pd.Timestamp("2024-02-29 12:00", tz="UTC"), pd.Timedelta("3h"), pd.NaT],
    "series": pd.Series([1.5, 2.5], index=["x", "y"], name="mean"),
    "two levels": pd.Series(
        [1, 2, 3], index=pd.MultiIndex.from_tuples([("a", 1), ("a", 2), ("b", 1)], names=["k", "n"])
    ),
    "frame": FRAME,
    "flags with holes": pd.DataFrame({"asleep": pd.Series([True, False], dtype=object), "flag": [True, False]}),
    "a flag of its own": pd.Series([False], dtype=object, name="asleep"),
    "index": pd.Index([3, 1, 2], name="id"),
    "intervals": pd.interval_range(0, 3, periods=3),
    "one of them": [pd.Interval(0.5, 2.0, closed="left"), "unknown"],
    "distinct texts": pd.Series(["b", "a", "b"], dtype="string").unique(),
    "distinct categories": pd.Series(["b", "a"], dtype="category").unique(),
    "counts": Counter("abracadabra"),
    "bunch": Bunch(data=np.ones((1, 2)), target=np.array([1]), feature_names=["u", "v"]),
}


def same(one: Any, other: Any) -> bool:
    """Whether two values are of one type and equal, a missing value equal to itself."""
    if type(one) is not type(other) and not isinstance(one, float):
        return False
    if isinstance(one, pd.DataFrame | pd.Series | pd.Index):
        return bool(one.equals(other)) and type(one) is type(other)
    if isinstance(one, pd.api.extensions.ExtensionArray):
        return one.dtype == other.dtype and same(one.tolist(), other.tolist())
    if isinstance(one, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and same(one.tolist(), other.tolist())
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(same(x, y) for x, y in zip(one, other, strict=True))
    return bool(one == other) or (bool(pd.isna(one)) and bool(pd.isna(other)))


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_a_value_comes_back(value: Any, tmp_path: Path) -> None:
    """By type and content."""
    state_files.write({"learned": value}, tmp_path)

    assert same(state_files.read(tmp_path)["learned"], value)


def test_fitted_objects_come_back_as_skops(tmp_path: Path) -> None:
    """One in turn for each of several fits of one call."""
    scalers = [StandardScaler().fit([[0.0], [scale]]) for scale in (1.0, 2.0)]

    files = state_files.write({"cell3_1": scalers}, tmp_path)
    found = state_files.read(tmp_path)

    assert files == ("state.json", "cell3_1.skops", "cell3_1-1.skops")
    assert [one.mean_.tolist() for one in found["cell3_1"]] == [[0.5], [1.0]]


def test_what_no_file_can_hold_is_named(tmp_path: Path) -> None:
    """Never pickle."""
    with pytest.raises(state_files.Unstorable, match="cell4_2 is a function"):
        state_files.write({"cell4_2": lambda rows: rows}, tmp_path)
