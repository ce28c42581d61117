"""Who is measured: proveout, and its peers at the settings that serve this model best, each in its own environment.

Input: the folder of the released bundle. Output: `Contestant`s: how each is started, asked and understood.
"""

import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import machine

HERE = Path(__file__).parent
ROOT = HERE.parent
PEERS = HERE / "peers"
Record = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A server of the model.

    Attributes:
        command: how it is started, given a port and an empty folder of its own.
        answers: where in its answer the probability is.
        others: how many answers it has given so far that were not the model's; 0 for who has no other.
        needs: the file in bench/peers/ with what is installed for it; None for proveout.
    """

    name: str
    settings: str
    command: Callable[[int, Path], Sequence[str]]
    path: str = "/predict"
    body: Callable[[Record], bytes] = lambda record: json.dumps(record).encode()
    answers: Callable[[Any], float] = lambda answer: float(answer["probability"])
    others: Callable[[int], int] = lambda port: 0
    environment: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = PEERS
    needs: str | None = None


def proveout(environment: Mapping[str, str], headers: Mapping[str, str]) -> Contestant:
    """Ours, as it runs in production."""
    return Contestant(
        name="proveout",
        settings="authentication, validation, rate limit, fallback chain and prediction log on; cache off",
        command=lambda port, folder: [sys.executable, "serve/app.py"],
        answers=_of_the_model,
        others=lambda port: _by_others(machine.get(port, "/metrics", headers)),
        environment=environment,
        headers=headers,
        cwd=ROOT,
    )


def _of_the_model(answer: Any) -> float:
    if answer["answered_by"] != "model":
        raise ValueError(f"answered by {answer['answered_by']}")
    return float(answer["prediction"]["probability"])


def _by_others(metrics: str) -> int:
    """How many predictions the metrics count that were not the model's."""
    counted = re.findall(r'^proveout_predictions_total\{[^}]*source="(\w+)"[^}]*\} (\S+)', metrics, flags=re.M)
    return sum(int(float(number)) for source, number in counted if source != "model")


def peers(bundle: Path) -> tuple[Contestant, ...]:
    """The others, all serving the pipeline of `bundle`."""
    environment = {"BENCH_BUNDLE": str(bundle), "BENTOML_DO_NOT_TRACK": "True", "PYTHONPATH": str(PEERS)}

    def script(needs: str, name: str, *options: str) -> Callable[[int, Path], Sequence[str]]:
        return lambda port, folder: [str(tool(needs, "python")), str(PEERS / name), str(bundle), str(port), *options]

    return (
        Contestant(
            name="fastapi",
            settings="uvicorn, the pipeline inline in an async handler",
            command=script("fastapi", "fastapi_inline.py"),
            environment=environment,
            needs="fastapi",
        ),
        Contestant(
            name="litserve",
            settings="as it comes",
            command=script("litserve", "litserve_server.py"),
            environment=environment,
            needs="litserve",
        ),
        Contestant(
            name="litserve-1ms",
            settings="max_batch_size 64, batch_timeout 1 ms",
            command=script("litserve", "litserve_server.py", "64", "0.001"),
            environment=environment,
            needs="litserve",
        ),
        Contestant(
            name="litserve-5ms",
            settings="max_batch_size 64, batch_timeout 5 ms",
            command=script("litserve", "litserve_server.py", "64", "0.005"),
            environment=environment,
            needs="litserve",
        ),
        Contestant(
            name="bentoml",
            settings="adaptive batching, max_batch_size 64, access log off",
            command=lambda port, folder: [
                str(tool("bentoml", "bentoml")), "serve", "bentoml_service:Flights", "--host", "127.0.0.1",
                "--port", str(port), "--working-dir", str(PEERS),
            ],
            body=lambda record: json.dumps({"flights": [record]}).encode(),
            answers=lambda answer: float(answer[0]),
            environment=environment,
            needs="bentoml",
        ),
        Contestant(
            name="mlserver",
            settings="parallel_workers 0, max_batch_size 64, max_batch_time 5 ms, no metrics",
            command=_mlserver,
            path="/v2/models/flights/infer",
            body=_v2,
            answers=lambda answer: float(answer["outputs"][0]["data"][0]),
            environment=environment,
            needs="mlserver",
        ),
    )  # fmt: skip


def _mlserver(port: int, folder: Path) -> Sequence[str]:
    settings = {"parallel_workers": 0, "debug": False, "metrics_endpoint": None, "host": "127.0.0.1"}
    ports = {"http_port": port, "grpc_port": machine.free_port(), "metrics_port": machine.free_port()}
    (folder / "settings.json").write_text(json.dumps({**settings, **ports}))
    model = {"implementation": "mlserver_runtime.Flights", "max_batch_size": 64, "max_batch_time": 0.005}
    (folder / "model-settings.json").write_text(json.dumps({"name": "flights", **model}))
    return [str(tool("mlserver", "mlserver")), "start", str(folder)]


def _v2(record: Record) -> bytes:
    kinds = {int: "INT64", str: "BYTES"}
    inputs = [
        {"name": name, "shape": [1, 1], "datatype": kinds.get(type(value), "FP64"), "data": [value]}
        for name, value in record.items()
    ]
    return json.dumps({"inputs": inputs}).encode()


# --- installing -------------------------------------------------------------------------------------------------------


def tool(needs: str, name: str) -> Path:
    """A program of a peer's environment."""
    return ROOT / ".venv-bench" / needs / "bin" / name


def install(needs: str) -> None:
    """The peer's environment, made once for each state of its requirements: some minutes. Raises: SystemExit."""
    requirements = PEERS / f"{needs}.txt"
    folder = ROOT / ".venv-bench" / needs
    wanted, stamp = hashlib.sha256(requirements.read_bytes()).hexdigest(), folder / ".ready"
    if stamp.is_file() and stamp.read_text() == wanted:
        return
    count = sum(1 for line in requirements.read_text().splitlines() if line)
    print(f"installing {count} pinned packages for {needs} into .venv-bench/{needs}, a minute or two", file=sys.stderr)
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(tool(needs, "python")), "-m", "pip", "install", "--disable-pip-version-check", "-q", "--no-deps",
         "-r", str(requirements)],
    ):  # fmt: skip
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{ran.stderr[-2000:]}\nMeasure without it: --only …")
    stamp.write_text(wanted)
