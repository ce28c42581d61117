"""Model files that would run code, or do harm, when they are opened: each a genuine dump with something put in.

`CODE` names ways to have `call(command)` run by whoever rebuilds the objects; `crafted` makes the file. What they run
is `touch FILE`, so whether one of them ran is whether that file is there.
"""

import io
import json
import pickle
import zipfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import skops.io

Node = dict[str, Any]


def text(value: Any, **lies: str) -> Node:
    """A plain value, as skops writes it. `lies`: what it says its class is, which skops does not look at."""
    claims = {"__class__": "str", "__module__": "builtins", **lies}
    return {**claims, "__loader__": "JsonNode", "content": json.dumps(value), "is_json": True}


def several(*nodes: Node, kind: str = "tuple", loader: str = "TupleNode", module: str = "builtins") -> Node:
    return {"__class__": kind, "__module__": module, "__loader__": loader, "content": list(nodes)}


def table(content: Mapping[str, Node], key_types: Node | None = None) -> Node:
    strings = several(*[named("str", "builtins", "TypeNode")] * len(content), kind="list", loader="ListNode")
    return {**named("dict", "builtins", "DictNode"), "content": dict(content), "key_types": key_types or strings}


def named(name: str, module: str, loader: str, **more: Any) -> Node:
    return {"__class__": name, "__module__": module, "__loader__": loader, **more}


def popen(command: list[str]) -> Node:
    """What calls `subprocess.Popen(command)` when it is rebuilt."""
    arguments = several(several(*map(text, command), kind="list", loader="ListNode"))
    return named("Popen", "subprocess", "ConstructorFromReduceNode", content=arguments)


CODE: Mapping[str, Callable[[list[str]], Node]] = {
    "constructor": popen,
    "function as a key's type": lambda c: table({" ".join(c): text(1)}, several(named("system", "os", "FunctionNode"))),
    "type as a key's type": lambda c: table({" ".join(c): text(1)}, several(named("system", "os", "TypeNode"))),
    "list that is a process": lambda c: several(*map(text, c), kind="Popen", loader="ListNode", module="subprocess"),
    "set that is a process": lambda c: several(*map(text, c), kind="Popen", loader="SetNode", module="subprocess"),
    "loss that is a function": lambda c: named(
        "system", "os", "LossNode", __reduce__={"args": several(text(" ".join(c)))}, content=table({})
    ),
    "array in an array": lambda c: named(
        "ndarray", "numpy", "NdArrayNode", type="json", content=[popen(c)], shape=several(text(1))
    ),
    "masked array": lambda c: named(
        "MaskedArray", "numpy.ma", "MaskedArrayNode", content={"data": popen(c), "mask": text(False)}
    ),
    "dtype": lambda c: named("dtype", "numpy", "DTypeNode", content=popen(c)),
    "default of a dict": lambda c: named(
        "defaultdict", "collections", "DefaultDictNode", content={"main": table({}), "default_factory": popen(c)}
    ),
    "random state": lambda c: named("RandomState", "numpy.random.mtrand", "RandomStateNode", content=popen(c)),
    "estimator's state": lambda c: named(
        "LogisticRegression", "sklearn.linear_model._logistic", "ObjectNode", content=table({"coef_": popen(c)})
    ),
    "tree's arguments": lambda c: named(
        "Tree", "sklearn.tree._tree", "TreeNode", __reduce__={"args": several(popen(c))}, content=table({})
    ),
    "calibrated classifier's arguments": lambda c: named(
        "_CalibratedClassifier", "sklearn.calibration", "ConstructorFromReduceNode", content=several(popen(c))
    ),
    "method of what runs": lambda c: named(
        "Popen", "subprocess", "MethodNode", content={"func": "wait", "obj": popen(c)}
    ),
    "partial": lambda c: named(
        "partial", "functools", "PartialNode",
        content={"func": popen(c), "args": several(), "kwds": table({}), "namespace": text(None)},
    ),
    "operator": lambda c: named("attrgetter", "operator", "OperatorFuncNode", attrs=several(popen(c))),
}  # fmt: skip
"""Ways that do run the command once everything they name is trusted."""

STRANGE: Mapping[str, Callable[[list[str]], Node]] = {
    "function": lambda c: named("system", "os", "FunctionNode"),
    "function of a trusted estimator": lambda c: named(
        "FunctionTransformer",
        "sklearn.preprocessing._function_transformer",
        "ObjectNode",
        content=table({"func": named("system", "os", "FunctionNode")}),
    ),
    "function by its file": lambda c: named("system", "posix", "TypeNode"),
    "object": lambda c: named("Popen", "subprocess", "ObjectNode", content=table({"args": text(c)})),
    "partial of a function": lambda c: named(
        "partial", "functools", "PartialNode",
        content={
            "func": named("system", "os", "FunctionNode"), "args": several(text(" ".join(c))),
            "kwds": table({}), "namespace": text(None),
        },
    ),
    "method of a text": lambda c: named(
        "str", "builtins", "MethodNode", content={"func": "format", "obj": text("{0}")}
    ),
    "method of what calls itself a dtype": lambda c: named(
        "dtype", "numpy", "MethodNode",
        content={"func": "__init_subclass__", "obj": text("x", __class__="dtype", __module__="numpy")},
    ),
    "method under a trusted name": lambda c: named(
        "_tree", "sklearn.tree", "MethodNode",
        content={"func": "Tree", "obj": text("x", __class__="_tree", __module__="sklearn.tree")},
    ),
    "method caller": lambda c: named("methodcaller", "operator", "OperatorFuncNode", attrs=several(text("kill"))),
    "operator of another module": lambda c: named("system", "os", "OperatorFuncNode", attrs=several(text(" ".join(c)))),
    "generator that is a function": lambda c: named(
        "Generator", "numpy.random._generator", "RandomGeneratorNode",
        content={"bit_generator": table({"bit_generator": text("set_state")}), "seed_seq": table({})},
    ),
    "name with dots": lambda c: named("path.os.system", "os", "FunctionNode"),
    "no module": lambda c: named("system", None, "FunctionNode"),  # type: ignore[arg-type]
    "unknown loader": lambda c: named("system", "os", "PickleNode", content=" ".join(c)),
    "unknown id": lambda c: named("system", "os", "CachedNode", __id__=123456789),
    "itself": lambda c: {**several({"__id__": 77}, kind="list", loader="ListNode"), "__id__": 77},
}  # fmt: skip
"""What must not be opened either, though opening it as it stands might only fail."""


def crafted(node: Node, model: Any, *, protocol: int = 2, extra: Mapping[str, bytes] | None = None) -> bytes:
    """A genuine dump of `model`, a pipeline, with `node` put where its memory is."""
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(model))) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    schema = json.loads(entries["schema.json"])
    schema["content"]["content"]["memory"] = node
    schema["protocol"] = protocol
    return zipped({**entries, **(extra or {}), "schema.json": json.dumps(schema).encode()})


def zipped(entries: Mapping[str, bytes], *, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", compression) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return packed.getvalue()


class Evil:
    """Runs `command` when it is unpickled."""

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __reduce__(self) -> Any:
        import subprocess

        return subprocess.call, (self._command,)


def pickled(command: list[str]) -> bytes:
    return pickle.dumps(Evil(command))


def pickled_array(command: list[str]) -> bytes:
    """A .npy file whose one value is a pickle."""
    packed = io.BytesIO()
    np.save(packed, np.array([Evil(command)], dtype=object), allow_pickle=True)
    return packed.getvalue()


@cache
def bomb(inflated: int) -> bytes:
    """So many zeros as a .npy file would hold them, in a zip that takes a thousandth of that."""
    packed = io.BytesIO()
    zeros = bytes(2**20)
    with (
        zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("1.npy", "w", force_zip64=False) as out,
    ):
        for _ in range(inflated // len(zeros)):
            out.write(zeros)
    return packed.getvalue()


def lying(packed: bytes, *, says: int) -> bytes:
    """`packed`, whose only entry says of itself that it inflates to so many bytes."""
    changed = bytearray(packed)
    directory = packed.index(b"PK\x01\x02")
    for place in (directory + 24, 22):
        changed[place : place + 4] = says.to_bytes(4, "little")
    return bytes(changed)


def touched(canary: Path) -> list[str]:
    return ["touch", str(canary)]
