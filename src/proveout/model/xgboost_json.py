"""Boosters of XGBoost as JSON. One of two importers of xgboost.

Input: a booster, or untrusted JSON of one. Output: JSON in one canonical form, or a booster that scores in one thread.

XGBoost follows the indices in its trees without checking: a missing child, feature or class would read or write foreign
memory. So each number is validated here, and XGBoost gets JSON that is written again from the validated values; the
file is not read twice.
"""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from proveout.errors import BundleError

_FORGED = "Do not use this file: no training makes one like it"
_OBJECTIVES = {
    "binary:logistic", "count:poisson", "multi:softmax", "multi:softprob", "reg:absoluteerror", "reg:gamma",
    "reg:logistic", "reg:pseudohubererror", "reg:quantileerror", "reg:squarederror", "reg:squaredlogerror",
    "reg:tweedie",
}  # fmt: skip
_NUMBERS = ("base_weights", "loss_changes", "split_conditions", "sum_hessian")
_INTEGERS = ("default_left", "left_children", "parents", "right_children", "split_indices", "split_type")
_CATEGORIES = ("categories", "categories_nodes", "categories_segments", "categories_sizes")
_TREE = {*_NUMBERS, *_INTEGERS, *_CATEGORIES, "id", "tree_param"}
_NONE = 2**31 - 1  # the parent of a root, and the feature of a pruned node
_MOST_BITS = 2**28  # XGBoost allocates one bit for each category up to the last one in a node
_SCORES = re.compile(r"\[?[-+.0-9eE]+(,[-+.0-9eE]+)*\]?")


def dumped(booster: Any, *, name: str) -> bytes:
    """The JSON of a booster: the same bytes for the same trees.

    Args:
        name: names the model's file in errors.
    Raises: BundleError for an unsupported kind of booster.
    """
    return _checked(bytes(booster.save_raw("json")), name=name)


def opened(packed: bytes, *, name: str) -> Any:
    """The booster in `packed`. Raises: BundleError if it is not safe for XGBoost to read."""
    import xgboost

    text = _checked(packed, name=name)
    booster = xgboost.Booster()
    booster.load_model(bytearray(text))
    # One thread, because several threads on few rows wait for each other longer than they work.
    booster.set_param({"nthread": 1})
    return booster


def _checked(packed: bytes, *, name: str) -> bytes:
    try:
        model = orjson.loads(packed)
        _refuse_unsupported(model["learner"], name=name)
        _look_at(model)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError, RecursionError) as error:
        problem = f"its booster of XGBoost is none: {error if isinstance(error, ValueError) else repr(error)}"
        raise BundleError(name, problem, _FORGED) from error
    return orjson.dumps(model, option=orjson.OPT_SORT_KEYS)


def _refuse_unsupported(learner: Mapping[str, Any], *, name: str) -> None:
    """Return if a bundle supports this booster. Raises: BundleError otherwise."""
    kind, objective = learner["gradient_booster"]["name"], learner["objective"]["name"]
    if kind not in {"gbtree", "dart"}:
        raise BundleError(name, f"its booster of XGBoost is a {kind}", "Fit trees (booster='gbtree'), or Ridge")
    if objective not in _OBJECTIVES:
        problem = f"its booster of XGBoost was fitted to {objective}, whose answers are no values and no probabilities"
        raise BundleError(name, problem, f"Fit it to one of {', '.join(sorted(_OBJECTIVES))}")
    if learner["learner_model_param"]["num_target"] != "1":
        raise BundleError(name, "its booster of XGBoost answers several targets", "Fit one model for each target")


def _need(sound: "bool | np.bool_", problem: str) -> None:
    if not sound:
        raise ValueError(problem)


def _look_at(model: Mapping[str, Any]) -> None:
    learner = model["learner"]
    version = model["version"]
    sound = set(model) == {"learner", "version"} and all(isinstance(one, int) for one in version)
    _need(sound, "it says more than XGBoost does")
    known = {"attributes", "feature_names", "feature_types", "gradient_booster", "learner_model_param", "objective"}
    _need(set(learner) == known, "its learner says more, or less, than XGBoost's does")
    sizes = learner["learner_model_param"]
    features, classes = _whole(sizes["num_feature"]), _whole(sizes["num_class"])
    scores = max(1, classes)
    _need(0 < features < _NONE, "its rows have no features")
    for names in (learner["feature_names"], learner["feature_types"]):
        _need(len(names) in {0, features} and all(isinstance(one, str) for one in names), "it names other features")
    begins = sizes["base_score"]
    _need(_SCORES.fullmatch(begins) is not None, "it does not begin with a score")
    _need(begins.count(",") + 1 in {1, scores}, "it does not begin with one score for each class")
    _need(_are_texts(learner["attributes"]) and _are_texts(sizes), "its attributes are no texts")
    _look_at_objective(learner["objective"], classes)
    _look_at_booster(learner["gradient_booster"], features=features, scores=scores)


def _are_texts(part: Mapping[str, Any]) -> bool:
    return isinstance(part, dict) and all(isinstance(value, str) for value in part.values())


def _look_at_objective(objective: Mapping[str, Any], classes: int) -> None:
    options = [part for key, part in objective.items() if key != "name"]
    _need(all(map(_are_texts, options)), "its objective is none")
    # Softmax writes as many scores as the objective says into an array of the size that the model says.
    stated = [_whole(part["num_class"]) for part in options if "num_class" in part]
    several = objective["name"].startswith("multi:")
    _need(stated == ([classes] if several else []), f"its objective is not one of {classes} classes")
    _need(several == (classes > 1), f"its objective is not one of {classes} classes")


def _look_at_booster(booster: Mapping[str, Any], *, features: int, scores: int) -> None:
    within = booster["gbtree"] if booster["name"] == "dart" else booster
    model = within["model"]
    needed = {"gbtree_model_param", "iteration_indptr", "tree_info", "trees"}
    _need(needed <= set(model) <= needed | {"cats", "weight_drop"}, "its list of trees is none")
    for part in (booster, within, model):
        weights = part.get("weight_drop", [])
        sound = len(weights) <= len(model["trees"]) and all(isinstance(weight, float) for weight in weights)
        _need(sound, "its trees have weights that are none")
    if "cats" in model:
        _look_at_names(model["cats"], features)
    _look_at_trees(model, scores=scores)
    for tree in model["trees"]:
        _look_at_tree(tree, features)
    # XGBoost allocates memory for all categories up to the last one in a node.
    bits = sum(int(last) for tree in model["trees"] for last in _last_categories(tree))
    _need(bits <= _MOST_BITS, "its nodes name categories without end")


def _look_at_trees(model: Mapping[str, Any], *, scores: int) -> None:
    trees, sizes, rounds = model["trees"], model["gbtree_model_param"], _integers(model["iteration_indptr"])
    count = len(trees)
    _need(_are_texts(sizes) and _whole(sizes["num_trees"]) == count, "it has fewer trees than it says, or more")
    _need(_whole(sizes["num_parallel_tree"]) > 0, "a round has no tree")
    _need(len(rounds) > 0 and rounds[0] == 0 and rounds[-1] == count, "its rounds are not made of its trees")
    _need((np.diff(rounds) >= 0).all(), "its rounds are not made of its trees")
    # The scores of a tree are added at the index of its class.
    places = _integers(model["tree_info"])
    _need(len(places) == count and _within(places, scores), "one of its trees is of a class that is not listed")
    _need([tree["id"] for tree in trees] == list(range(count)), "its trees are not in order")


def _look_at_tree(tree: Mapping[str, Any], features: int) -> None:
    sizes = tree["tree_param"]
    _need(set(tree) == _TREE and _are_texts(sizes), "one of its trees is none")
    _need(sizes["size_leaf_vector"] in {"0", "1"}, "a leaf has several values")
    nodes = _whole(sizes["num_nodes"])
    sound: bool | np.bool_ = nodes > 0 and all(len(tree[key]) == nodes for key in (*_NUMBERS, *_INTEGERS))
    _need(sound, "one of its trees has fewer nodes than it says, or more")
    sound = all(isinstance(value, float | int) for key in _NUMBERS for value in tree[key])
    _need(sound, "a node decides by what is no number")
    numbers = {key: _integers(tree[key]) for key in _INTEGERS}
    left, right, feature = numbers["left_children"], numbers["right_children"], numbers["split_indices"]
    here = np.flatnonzero(left != -1)
    # A child node comes after its parent, with both children adjacent, so every walk ends.
    sound = (left[here] > here).all() and (right[here] == left[here] + 1).all() and (right[here] < nodes).all()
    _need(sound, "a node leads outside of its tree, or back")
    _need((feature >= 0).all() and _within(feature[here], features), "a node asks for a feature that no row has")
    parents = numbers["parents"]
    _need(parents[0] == _NONE and _within(parents[1:], nodes), "a node hangs under one that is not there")
    _need(_within(numbers["default_left"], 2) and _within(numbers["split_type"], 2), "a node decides in a strange way")
    _look_at_categories(tree, numbers["split_type"])


def _look_at_categories(tree: Mapping[str, Any], kinds: NDArray[np.int64]) -> None:
    listed, nodes, begins, counts = (_integers(tree[key]) for key in _CATEGORIES)
    sound: bool | np.bool_ = np.array_equal(nodes, np.flatnonzero(kinds == 1)) and len(nodes) == len(begins) == len(
        counts
    )
    _need(sound, "a node asks for categories that are not its own")
    sound = (counts > 0).all() and (begins >= 0).all() and (begins + counts <= len(listed)).all()
    _need(sound, "a node asks for categories that are not listed")
    _need(_within(listed, 2**24), "a category is no number that XGBoost has")


def _last_categories(tree: Mapping[str, Any]) -> list[int]:
    """The last category in each node."""
    begins = zip(tree["categories_segments"], tree["categories_sizes"], strict=True)
    return [max(tree["categories"][begin : begin + count]) for begin, count in begins]


def _look_at_names(names: Mapping[str, Any], features: int) -> None:
    """Validate the categories of a table's columns."""
    _need(set(names) == {"enc", "feature_segments", "sorted_idx"}, "its names of categories are none")
    columns, ends, order = names["enc"], names["feature_segments"], _integers(names["sorted_idx"])
    counts = [_count_of(column) for column in columns]
    if not columns:
        _need(ends == [] and len(order) == 0, "it has names of categories of no column")
        return
    _need(len(columns) == features, "it has categories of other columns")
    _need(ends == [0, *np.cumsum(counts).tolist()] and len(order) == ends[-1], "its columns have other categories")
    for begin, count in zip(ends, counts, strict=False):
        _need(sorted(order[begin : begin + count].tolist()) == list(range(count)), "its categories are not in order")


def _count_of(column: Mapping[str, Any]) -> int:
    """How many categories a column has."""
    values = _integers(column["values"])
    if "offsets" not in column:
        _need(set(column) == {"type", "values"} and isinstance(column["type"], int), "a category has no type")
        return len(values)
    _need(set(column) == {"offsets", "values"}, "the names of its categories are none")
    offsets = [0] if column["offsets"] == [] else _integers(column["offsets"]).tolist()
    sound = offsets[0] == 0 and offsets[-1] == len(values) and offsets == sorted(offsets)
    _need(sound and (np.abs(values) < 256).all(), "the names of its categories are none")
    return len(offsets) - 1


def _within(numbers: NDArray[np.int64], end: int) -> bool:
    return bool((numbers >= 0).all() and (numbers < end).all())


def _integers(values: Any) -> NDArray[np.int64]:
    made = np.asarray(values if values else [], dtype=None if values else np.int64)
    if not isinstance(values, list) or made.ndim != 1 or made.dtype != np.int64 or (np.abs(made) > _NONE).any():
        raise ValueError("a number is no whole one of 32 bits")
    return made


def _whole(text: str) -> int:
    # XGBoost's own syntax, because Python would also accept 1_0 as ten.
    if not re.fullmatch("[0-9]{1,10}", text, flags=re.ASCII):
        raise ValueError(f"{text!r:.40} is no whole number")
    return int(text)
