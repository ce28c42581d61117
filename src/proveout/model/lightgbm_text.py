"""Boosters of LightGBM as text. One of two importers of lightgbm.

Input: a booster, or untrusted text of one. Output: text in one canonical form, or a booster.

LightGBM follows the indices in its trees without checking them, and reads beyond the end of a list. So each number is
validated here, and LightGBM gets text that is written again from the validated values; the file is not read twice.
Parts that predictions do not need are left out: the parameters, which include the number of cores, and the importances,
which LightGBM can compute again.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proveout.errors import BundleError

_FORGED = "Do not use this file: no training makes one like it"
_OBJECTIVES = {
    "binary", "cross_entropy", "fair", "gamma", "huber", "mape", "multiclass", "multiclassova", "poisson", "quantile",
    "regression", "regression_l1", "tweedie",
}  # fmt: skip
_HEADER = (
    "version", "num_class", "num_tree_per_iteration", "label_index", "max_feature_idx", "objective", "average_output",
    "feature_names", "monotone_constraints", "feature_infos", "tree_sizes",
)  # fmt: skip
_NEEDED = {*_HEADER} - {"average_output", "monotone_constraints", "objective", "tree_sizes"}
_SPLIT_NUMBERS = ("split_gain", "threshold", "internal_value", "internal_weight")
_SPLIT_INTEGERS = ("split_feature", "decision_type", "left_child", "right_child", "internal_count")
_LEAF_NUMBERS = ("leaf_value", "leaf_weight")
_TREE = (
    "num_leaves", "num_cat", "split_feature", "split_gain", "threshold", "decision_type", "left_child", "right_child",
    "leaf_value", "leaf_weight", "leaf_count", "internal_value", "internal_weight", "internal_count", "cat_boundaries",
    "cat_threshold", "is_linear", "shrinkage",
)  # fmt: skip
_INTEGER = re.compile(r"-?[0-9]{1,10}")
_NUMBER = re.compile(r"-?[0-9]{1,330}(\.[0-9]{1,330})?([eE][-+]?[0-9]{1,3})?|-?inf|-?nan")
_LINE = re.compile(r"[^\x00-\x1f\x7f]*")
_RANGE = re.compile(r"none|\[[-+.:0-9eEinfa]+\]|[-:0-9]+")
_TAIL = "pandas_categorical:"


def dumped(booster: Any, *, name: str) -> bytes:
    """The text of a booster up to its best round: the same bytes for the same trees.

    Args:
        name: names the model's file in errors.
    Raises: BundleError for an unsupported kind of booster.
    """
    best = booster.best_iteration if booster.best_iteration > 0 else -1
    return _checked(booster.model_to_string(num_iteration=best).encode(), name=name)


def opened(packed: bytes, *, name: str) -> Any:
    """The booster in `packed`. Raises: BundleError if it is not safe for LightGBM to read."""
    import lightgbm

    return lightgbm.Booster(model_str=_checked(packed, name=name).decode())


def _checked(packed: bytes, *, name: str) -> bytes:
    try:
        text = packed.decode()
        begin, _, rest = text.partition("\n\n")
        trees, _, tail = rest.partition("end of trees\n")
        header = _header(begin)
        _refuse_unsupported(header, trees, name=name)
        features, classes = _sizes(header)
        blocks = [_tree(block, place, features) for place, block in enumerate(trees.split("\n\n\n")[:-1])]
        if len(blocks) % classes:
            raise ValueError("its rounds do not have a tree for each class")
        named = _names_of_categories(tail)
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise BundleError(name, f"its booster of LightGBM is none: {error}", _FORGED) from error
    header["tree_sizes"] = " ".join(str(len(block.encode())) for block in blocks)
    lines = [key if key == "average_output" else f"{key}={header[key]}" for key in _HEADER if key in header]
    begin = "\n".join(("tree", *lines))
    return f"{begin}\n\n{''.join(blocks)}end of trees\n\n{_TAIL}{named}\n".encode()


def _header(text: str) -> dict[str, str]:
    first, *lines = text.split("\n")
    found: dict[str, str] = {}
    for line in lines:
        key, _, value = line.partition("=")
        if key not in _HEADER or key in found or not _LINE.fullmatch(value):
            raise ValueError(f"its line {line!r:.60} is not LightGBM's, or there twice")
        found[key] = value
    if first != "tree" or not set(found) >= _NEEDED or "average_output=" in text:
        raise ValueError("it does not begin as LightGBM's do")
    return found


def _refuse_unsupported(header: Mapping[str, str], trees: str, *, name: str) -> None:
    """Return if a bundle supports this booster. Raises: BundleError otherwise."""
    objective = header.get("objective", "a function of your own")
    if objective.partition(" ")[0] not in _OBJECTIVES:
        problem = f"its booster of LightGBM was fitted to {objective}, whose answers are no values and no probabilities"
        raise BundleError(name, problem, f"Fit it to one of {', '.join(sorted(_OBJECTIVES))}")
    if "\nis_linear=1\n" in trees:
        raise BundleError(
            name, "its booster of LightGBM has linear models in its leaves", "Fit it with linear_tree=False"
        )


def _sizes(header: Mapping[str, str]) -> tuple[int, int]:
    """The number of features in a row, and of scores in an answer."""
    features, classes = _integer(header["max_feature_idx"]) + 1, _integer(header["num_class"])
    if features < 1 or classes < 1 or _integer(header["num_tree_per_iteration"]) != classes:
        raise ValueError("it has no features, or not one tree for each class and round")
    _integer(header["label_index"])
    name, *options = header["objective"].split(" ")
    # Softmax writes as many scores as the objective says into an array of the size that the model says.
    stated = [option for option in options if option.startswith("num_class:")]
    if stated != ([f"num_class:{classes}"] if name.startswith("multiclass") else []) or (classes > 1) != bool(stated):
        raise ValueError(f"its objective is not one of {classes} classes")
    for key in ("feature_names", "feature_infos", "monotone_constraints"):
        if key in header and len(header[key].split(" ")) != features:
            raise ValueError(f"it has not one of {key} for each feature")
    if not all(_RANGE.fullmatch(one) for one in header["feature_infos"].split(" ")):
        raise ValueError("one of its feature_infos is no range")
    if "monotone_constraints" in header and not {*header["monotone_constraints"].split(" ")} <= {"-1", "0", "1"}:
        raise ValueError("one of its monotone_constraints is none")
    if header["version"] != "v4":
        raise ValueError(f"its version is {header['version']:.20}, and v4 is read")
    return features, classes


def _tree(block: str, place: int, features: int) -> str:
    """The lines of one tree, written again."""
    first, *lines = block.split("\n")
    found: dict[str, str] = {}
    for line in lines:
        key, sign, value = line.partition("=")
        if not sign or key not in _TREE or key in found:
            raise ValueError(f"the line {line!r:.60} of a tree is not LightGBM's, or there twice")
        found[key] = value
    if first != f"Tree={place}":
        raise ValueError("its trees are not in order")
    leaves, categories = _integer(found["num_leaves"]), _integer(found["num_cat"])
    if leaves < 1 or categories < 0:
        raise ValueError("a tree has no leaf")
    whole = {key: _integers(found[key], leaves - 1) for key in _SPLIT_INTEGERS}
    whole["leaf_count"] = _integers(found["leaf_count"], leaves)
    numbers = {key: _numbers(found[key], leaves - 1) for key in _SPLIT_NUMBERS}
    # For a tree without a split, LightGBM writes only its value.
    numbers |= {key: _numbers(found[key], 0 if leaves == 1 and not found[key] else leaves) for key in _LEAF_NUMBERS}
    if not found["leaf_value"] or not _NUMBER.fullmatch(found["shrinkage"]) or found["is_linear"] != "0":
        raise ValueError("a leaf has no value")
    _refuse_leading_out(whole, leaves=leaves, features=features)
    _refuse_categories(found, numbers["threshold"], whole["decision_type"], categories)
    return "\n".join((first, *(f"{key}={found[key]}" for key in _TREE if key in found), "", "", ""))


def _refuse_leading_out(numbers: Mapping[str, NDArray[np.int64]], *, leaves: int, features: int) -> None:
    here = np.arange(leaves - 1)
    for side in (numbers["left_child"], numbers["right_child"]):
        # A child node has a higher number than its parent, and leaves are numbered from -1 down, so every walk ends.
        if ((side >= 0) & (side <= here)).any() or (side >= leaves - 1).any() or (side < -leaves).any():
            raise ValueError("a node leads outside of its tree, or back")
    if (numbers["split_feature"] < 0).any() or (numbers["split_feature"] >= features).any():
        raise ValueError("a node asks for a feature that no row has")
    if (np.abs(numbers["decision_type"]) > 127).any():
        raise ValueError("a node decides in a way that there is not")


def _refuse_categories(
    found: Mapping[str, str], thresholds: list[str], decisions: NDArray[np.int64], categories: int
) -> None:
    asked = [thresholds[place] for place in np.flatnonzero(decisions & 1).tolist()]
    if not categories:
        if asked or "cat_boundaries" in found or "cat_threshold" in found:
            raise ValueError("a node asks for categories that are not listed")
        return
    bounds = _integers(found["cat_boundaries"], categories + 1)
    listed = _integers(found["cat_threshold"], None)
    if bounds[0] != 0 or bounds[-1] != len(listed) or (np.diff(bounds) < 0).any():
        raise ValueError("its categories are no categories")
    if (listed < 0).any() or (listed >= 2**32).any():
        raise ValueError("its categories are no categories")
    if not all(_INTEGER.fullmatch(one) and 0 <= int(one) < categories for one in asked):
        raise ValueError("a node asks for categories that are not listed")


def _names_of_categories(tail: str) -> str:
    """The categories of a table's columns, one list per categorical column."""
    line = next((line for line in tail.split("\n") if line.startswith(_TAIL)), _TAIL + "null")
    named = json.loads(line.removeprefix(_TAIL))
    lists = named if named is not None else []
    plain = (str, int, float, bool)
    if not isinstance(lists, list) or not all(isinstance(one, list) for one in lists):
        raise ValueError("its names of categories are none")
    if not all(isinstance(value, plain) for one in lists for value in one):
        raise ValueError("a name of a category is no plain value")
    return json.dumps(named)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError(f"{text!r:.40} is no whole number")
    return int(text)


def _integers(text: str, count: int | None) -> NDArray[np.int64]:
    tokens = text.split(" ") if text else []
    if (count is not None and len(tokens) != count) or not all(map(_INTEGER.fullmatch, tokens)):
        raise ValueError(f"a list of a tree is not one of {count} whole numbers")
    return np.array([int(token) for token in tokens], dtype=np.int64)


def _numbers(text: str, count: int) -> list[str]:
    tokens = text.split(" ") if text else []
    if len(tokens) != count or not all(map(_NUMBER.fullmatch, tokens)):
        raise ValueError(f"a list of a tree is not one of {count} numbers")
    return tokens
