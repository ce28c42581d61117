"""PA208 runtime-assumption."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.rule import Example, Hit, Rule

_THREADS = {
    "n_jobs",
    "nthread",
    "num_workers",
    "workers",
    "thread_count",
    "num_threads",
    "n_threads",
    "nthreads",
    "use_multiprocessing",
}
_DEVICES = {
    "device",
    "task_type",
    "tree_method",
    "accelerator",
    "device_type",
    "devices",
    "gpus",
    "gpu_id",
    "predictor",
}
_DEVICE = re.compile(
    r"^(?:cuda(?::\d+)?|gpu|GPU|gpu_hist|gpu_predictor|/(?:device:)?(?:GPU|CPU|gpu|cpu):\d+|mps|tpu|TPU)$"
)
_INSTANCE = re.compile(
    r"^(?:ml\.)?[a-z]\d[a-z]{0,2}\.(?:\d*x?large|medium|small|metal)$|^(?i:standard)_[A-Z]\w+$|^n1-\w+-\d+$"
)
_CALLS = re.compile(
    r"^(?:torch\.(?:device|cuda\.\w+)|tensorflow\.(?:device|config\.\w*\.?(?:list_physical_devices|list_logical_devices|set_memory_growth|set_visible_devices|set_logical_device_configuration)|"
    r"test\.(?:gpu_device_name|is_gpu_available)|distribute\.\w+(?:\.\w+)*)|pyspark\.(?:SparkContext|SparkConf)|pyspark\.sql\.SparkSession.*|SparkSession\.builder.*|SparkContext(?:\.getOrCreate)?|"
    r"findspark\.init|h2o\.init|ray\.init|dask\.distributed\.Client|multiprocessing\.(?:Pool|cpu_count)|os\.cpu_count|pandarallel\.initialize|"
    r"concurrent\.futures\.\w+Executor|jpype\.startJVM)$"
)


def find(analysis: Analysis) -> Iterator[Hit]:
    """Calls that ask for processors, devices, instances or a JVM."""
    places: dict[tuple[int, int], str] = {}
    for call in analysis.calls:
        if evidence := _of_keywords(call) or _of_name(call):
            places.setdefault((call.cell, call.line), evidence)
    for cell, node in analysis.nodes(ast.Dict):
        for line, evidence in _of_dict(node):
            places.setdefault((cell.index, line), evidence)
    if (first := _given_session(analysis)) is not None:
        places.setdefault(first, "spark is a session that the platform gives")
    for (index, line), evidence in sorted(places.items()):
        yield Hit(cell=index, line=line, evidence=evidence)


def _of_keywords(call: Call) -> str:
    for keyword in call.node.keywords:
        value = keyword.value
        if keyword.arg in _THREADS and not (isinstance(value, ast.Constant) and value.value in (1, None, False)):
            return f"{keyword.arg}={ast.unparse(value)} counts on the machine's processors"
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            if keyword.arg in _DEVICES and _DEVICE.match(value.value):
                return f"{keyword.arg}={value.value!r} asks for a device"
            if _INSTANCE.match(value.value):
                return f"{keyword.arg}={value.value!r} names a machine"
    return ""


def _of_dict(node: ast.Dict) -> Iterator[tuple[int, str]]:
    """`parameters = {"n_jobs": -1}`: what a model is given later."""
    for key, value in zip(node.keys, node.values, strict=True):
        if not (isinstance(key, ast.Constant) and isinstance(value, ast.Constant | ast.UnaryOp)):
            continue
        text = ast.unparse(value)
        if key.value in _THREADS and text not in ("1", "None", "False"):
            yield key.lineno, f"{key.value}={text} counts on the machine's processors"
        elif key.value in _DEVICES and isinstance(value, ast.Constant) and _DEVICE.match(str(value.value)):
            yield key.lineno, f"{key.value}={text} asks for a device"


def _of_name(call: Call) -> str:
    if _CALLS.match(call.name) or (call.method == "getOrCreate" and "SparkSession" in ast.unparse(call.node.func)[:60]):
        return f"{call.name} counts on a runtime"
    if call.method == "cuda" and not call.node.args:
        return "moves to a GPU"
    return "moves to a device" if call.method == "to" and _is_device(call.argument(0)) else ""


def _given_session(analysis: Analysis) -> tuple[int, int] | None:
    """The first use of a Spark session that no cell makes."""
    if any(binding.name == "spark" for cell in analysis.cells for binding in cell.bindings):
        return None
    uses = [(cell.index, use.line) for cell in analysis.cells for use in cell.uses if use.name == "spark"]
    return min(uses, default=None)


def _is_device(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and bool(_DEVICE.match(node.value))


RULE = Rule(
    code="PA208",
    kind="runtime-assumption",
    severity="low",
    title="Counts on a machine",
    why="Processors, a GPU or a JVM that another machine has not change the time, the memory, and at times the digits.",
    fix="Make it a parameter; train with a stated number of threads.",
    adopt="does",
    adopt_note="Sets one thread where the answer could depend on it and says so.",
    find=find,
    positive=(
        Example(cells=("m = RandomForestClassifier(n_jobs=-1)",), found=((0, 1),)),
        Example(cells=("import torch\nd = torch.device('cuda')\nnet.cuda()",), found=((0, 2), (0, 3))),
        Example(
            cells=("from pyspark.sql import SparkSession\nspark = SparkSession.builder.appName('x').getOrCreate()",),
            found=((0, 2),),
        ),
        Example(cells=("df = spark.read.csv('a.csv')\nspark.sql('select 1')",), found=((0, 1),)),
        Example(cells=("p = {'depth': 3,\n'n_jobs': -1,\n'device': 'cuda'}",), found=((0, 2), (0, 3))),
        Example(cells=("c = f(vm_size='STANDARD_D2_V2')",), found=((0, 1),)),
        Example(cells=("e = Estimator(instance_type='ml.m4.xlarge')",), found=((0, 1),)),
    ),
    negative=(Example(cells=("m = RandomForestClassifier(n_jobs=1)\nx = f(device='cpu')",)),),
)
