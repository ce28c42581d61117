"""PA305 unseeded-random."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit import estimators
from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.rule import Example, Hit, Rule

_GLOBAL_SEEDS = {
    "numpy.random.seed": "numpy",
    "random.seed": "random",
    "torch.manual_seed": "torch",
    "tensorflow.random.set_seed": "tensorflow",
    "tensorflow.set_random_seed": "tensorflow",
    "tensorflow.compat.v1.set_random_seed": "tensorflow",
    "tensorflow.keras.utils.set_random_seed": "all",
    "keras.utils.set_random_seed": "all",
    "numpy.random.set_state": "numpy",
    "pytorch_lightning.seed_everything": "all",
    "transformers.set_seed": "all",
}
_NUMPY_DRAWS = re.compile(
    r"^numpy\.random\.(?:rand|randn|randint|random|random_sample|choice|shuffle|permutation|normal|uniform|binomial|poisson|"
    r"exponential|beta|gamma|multivariate_normal|ranf|sample|random_integers|standard_normal|lognormal|laplace|multinomial|dirichlet)$"
)
_RANDOM_DRAWS = re.compile(
    r"^random\.(?:random|randint|choice|choices|shuffle|sample|uniform|gauss|randrange|normalvariate)$"
)
_TORCH_DRAWS = re.compile(r"^torch\.(?:rand|randn|randint|randperm|utils\.data\.random_split)$")
_SPLITS = {"train_test_split", "ShuffleSplit", "StratifiedShuffleSplit", "GroupShuffleSplit"}
_FOLDS = {"KFold", "StratifiedKFold", "RepeatedKFold", "RepeatedStratifiedKFold"}
_SEEDS = ("random_state", "seed", "random_seed", "rng", "generator")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Draws, shuffled splits and stochastic estimators that no seed fixes."""
    seeded: set[str] = set()
    for call in analysis.calls:
        if call.name in _GLOBAL_SEEDS:
            seeded.add(_GLOBAL_SEEDS[call.name])
            continue
        if "all" in seeded:
            continue
        evidence = _unseeded(call, seeded, analysis)
        if evidence:
            yield Hit(cell=call.cell, line=call.line, evidence=evidence)


def _unseeded(call: Call, seeded: set[str], analysis: Analysis) -> str:
    given = any(_is_seed(call, name) for name in _SEEDS)
    if _NUMPY_DRAWS.match(call.name):
        return "" if "numpy" in seeded else f"{call.name} draws without a seed"
    if call.name == "numpy.random.default_rng":
        return "" if call.node.args or given else "default_rng() draws without a seed"
    if _RANDOM_DRAWS.match(call.name):
        return "" if "random" in seeded else f"{call.name} draws without a seed"
    if _TORCH_DRAWS.match(call.name):
        return "" if "torch" in seeded or given else f"{call.name} draws without a seed"
    if given or "numpy" in seeded:
        return ""
    if call.method in _SPLITS:
        return "" if _is(call, "shuffle", False) else f"{call.method} shuffles without random_state"
    if call.method in _FOLDS:
        repeated = call.method.startswith("Repeated")
        return f"{call.method} shuffles without random_state" if repeated or _is(call, "shuffle", True) else ""
    if call.method == "sample" and "." in call.name and not call.name.startswith(("random.", "numpy.")):
        return "sample draws rows without random_state" if _draws_rows(call) else ""
    if call.name in ("sklearn.utils.shuffle", "sklearn.utils.resample"):
        return f"{call.method} draws without random_state"
    if call.name.startswith("sklearn.datasets.make_") or call.method in (
        "make_classification",
        "make_blobs",
        "make_moons",
        "make_regression",
    ):
        return f"{call.method} draws without random_state"
    if estimators.draws_at_random(call.name) and call.name.partition(".")[0] not in ("pyspark",):
        # A subclass or an own class of that name is not an estimator.
        return (
            ""
            if call.method in analysis.defined or _is_deterministic(call)
            else f"{call.method} is fitted without random_state"
        )
    return ""


def _is_seed(call: Call, name: str) -> bool:
    found = call.argument(-1, name)
    return (found is not None and not (isinstance(found, ast.Constant) and found.value is None)) or any(
        one.arg is None for one in call.node.keywords
    )


def _is(call: Call, name: str, value: bool) -> bool:
    found = call.argument(-1, name)
    return isinstance(found, ast.Constant) and found.value is value


def _draws_rows(call: Call) -> bool:
    return (
        call.argument(0) is not None
        or any(one.arg in ("n", "frac") for one in call.node.keywords)
        or not call.node.keywords
    )


def _is_deterministic(call: Call) -> bool:
    """LinearSVC without its dual problem, DBSCAN and the like draw nothing."""
    return call.method in ("LinearSVC", "LinearSVR") and _is(call, "dual", False)


RULE = Rule(
    code="PA305",
    kind="unseeded-random",
    severity="medium",
    title="Draws at random without a seed",
    why="Each run gives another split or model, so a change in quality may be luck, and no run can be repeated.",
    fix="Give random_state (or seed the generator once, at the top).",
    adopt="does",
    adopt_note="Repeats the pilot's own draw, and adds seeds to the project's copy.",
    find=find,
    positive=(
        Example(
            cells=("from sklearn.model_selection import train_test_split\na, b = train_test_split(X)",), found=((0, 2),)
        ),
        Example(cells=("import numpy as np\nx = np.random.rand(3)",), found=((0, 2),)),
        Example(
            cells=("from sklearn.ensemble import RandomForestClassifier\nm = RandomForestClassifier(100)",),
            found=((0, 2),),
        ),
        Example(cells=("s = df.sample(10)",), found=((0, 1),)),
        Example(cells=("from sklearn.model_selection import KFold\nk = KFold(5, shuffle=True)",), found=((0, 2),)),
    ),
    negative=(
        Example(cells=("import numpy as np\nnp.random.seed(0)\nx = np.random.rand(3)\nm = RandomForestClassifier()",)),
        Example(cells=("a, b = train_test_split(X, random_state=1)\nm = LogisticRegression()\nk = KFold(5)",)),
        Example(cells=("x = random_state\nm = KNeighborsClassifier()\nm = XGBClassifier()",)),
    ),
)
