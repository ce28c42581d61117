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
_MAKERS = ("make_classification", "make_blobs", "make_moons", "make_regression", "make_circles")
_SEEDS = ("random_state", "seed", "random_seed", "rng", "generator")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Draws, shuffled splits and stochastic estimators that no seed fixes."""
    seeded: set[str] = set()
    networks = {
        (fit.at.cell, fit.at.line)
        for fit in analysis.flow.fits
        if estimators.role(fit.estimator.estimator) == "network"
    }
    for call in analysis.calls:
        if call.name in _GLOBAL_SEEDS:
            seeded.add(_GLOBAL_SEEDS[call.name])
            continue
        if "all" in seeded:
            continue
        evidence = _drawn(call, seeded) or _split(call, seeded) or _estimated(call, seeded, analysis)
        if not evidence and (call.cell, call.line) in networks and call.method.startswith("fit") and not seeded:
            evidence = "weights of the network start and are trained at random"
        if evidence:
            yield Hit(cell=call.cell, line=call.line, evidence=evidence)


def _is_seeded(call: Call) -> bool:
    return any(_is_seed(call, name) for name in _SEEDS)


def _drawn(call: Call, seeded: set[str]) -> str:
    """Numbers drawn by a generator."""
    for pattern, generator in ((_NUMPY_DRAWS, "numpy"), (_RANDOM_DRAWS, "random"), (_TORCH_DRAWS, "torch")):
        if pattern.match(call.name) and generator not in seeded and not (generator == "torch" and _is_seeded(call)):
            return f"{call.name} draws without a seed"
    if call.name == "numpy.random.default_rng" and not call.node.args and not _is_seeded(call):
        return "default_rng() draws without a seed"
    if call.name.startswith("torch.") and call.method == "DataLoader" and _is(call, "shuffle", True):
        return "" if "torch" in seeded or _is_seeded(call) else "DataLoader shuffles without a seed"
    return ""


def _split(call: Call, seeded: set[str]) -> str:
    """Rows that are shuffled, sampled or made."""
    if _is_seeded(call) or "numpy" in seeded:
        return ""
    repeats = call.method.startswith("Repeated") or _is(call, "shuffle", True)
    cuts = call.method in _SPLITS and not _is(call, "shuffle", False)
    if cuts or (call.method in _FOLDS and repeats):
        return f"{call.method} shuffles without random_state"
    of_frame = call.method == "sample" and "." in call.name and not call.name.startswith(("random.", "numpy."))
    if of_frame and _draws_rows(call):
        return "sample draws rows without random_state"
    if call.method == "randomSplit" and len(call.node.args) < 2:
        return "randomSplit draws rows without a seed"
    made = call.name.startswith("sklearn.datasets.make_") or call.method in _MAKERS
    if made or call.name in ("sklearn.utils.shuffle", "sklearn.utils.resample"):
        return f"{call.method} draws without random_state"
    return ""


def _estimated(call: Call, seeded: set[str], analysis: Analysis) -> str:
    """Estimators that draw. A subclass or an own class of that name is none."""
    if _is_seeded(call) or "numpy" in seeded or not estimators.draws_at_random(call.name):
        return ""
    own = call.method in analysis.defined or call.name.startswith("pyspark.") or _is_deterministic(call)
    return "" if own else f"{call.method} is fitted without random_state"


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
        Example(
            cells=("from keras.models import Sequential\nm = Sequential()", "m.fit(X, y, epochs=3)"), found=((1, 1),)
        ),
        Example(cells=("from torch.utils.data import DataLoader\nd = DataLoader(x, shuffle=True)",), found=((0, 2),)),
        Example(cells=("a, b = df.randomSplit([0.8, 0.2])",), found=((0, 1),)),
        Example(cells=("from sklearn.model_selection import KFold\nk = KFold(5, shuffle=True)",), found=((0, 2),)),
    ),
    negative=(
        Example(cells=("import numpy as np\nnp.random.seed(0)\nx = np.random.rand(3)\nm = RandomForestClassifier()",)),
        Example(cells=("a, b = train_test_split(X, random_state=1)\nm = LogisticRegression()\nk = KFold(5)",)),
        Example(cells=("import tensorflow as tf\ntf.random.set_seed(1)\nm = tf.keras.Sequential()\nm.fit(X, y)",)),
        Example(cells=("x = random_state\nm = KNeighborsClassifier()\nm = XGBClassifier()",)),
    ),
)
