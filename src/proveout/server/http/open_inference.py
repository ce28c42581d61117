"""The Open Inference Protocol, version 2, on the same prediction service: same validation, same fallback chain, same
log.

Input: one tensor for each field of the request schema, all of one length. Output: tensors of that length. The protocol
has no errors for single rows: one invalid row refuses the whole request, and the error names the row. A row without a
prediction has null in the tensors of its task, such as `probability` and `label`, and "none" in `answered_by`. Tensors
are JSON or binary (`binary_tensors`); a binary one has NaN, 0, false or "" in place of null.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from proveout import __version__
from proveout.records.prediction import Prediction
from proveout.schema.spec import Kind
from proveout.schema.validator import class_of, shown
from proveout.server.http.auth import Method
from proveout.server.http.batch import BODIES
from proveout.server.http.binary_tensors import EXTENSION, HEADER, BinaryBody, encoded
from proveout.server.http.request import JSON, OCTETS, Backend, Call, sentence
from proveout.server.http.validation import Problem, Reader, Refused, parsed, refuse_repeated
from proveout.server.queue.batcher import MOST_ROWS
from proveout.server.service.request_ids import sane_id
from proveout.server.service.service import Response
from proveout.server.service.types import Request
from proveout.settings import Settings
from proveout.task.output import Output
from proveout.task.task import Task

DATATYPES: Mapping[Kind, str] = {
    "int": "INT64", "float": "FP64", "bool": "BOOL", "str": "BYTES", "datetime": "BYTES", "category": "BYTES",
}  # fmt: skip
_INTEGERS = {f"{sign}INT{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)}
_FLOATS = {"FP16", "FP32", "FP64"}
_FITS: Mapping[Kind, set[str]] = {
    "int": _INTEGERS | _FLOATS,  # the reader refuses fractions
    "float": _INTEGERS | _FLOATS,
    "bool": {"BOOL"},
    "str": {"BYTES"},
    "datetime": {"BYTES"},
    "category": {"BYTES"},
}


@dataclass(frozen=True)
class Tensor:
    """An output: its datatype, its value for a prediction, and how many values per row if there are several."""

    datatype: str
    of: Callable[[Prediction], Any]
    width: int | None = None

    def shape(self, rows: int) -> list[int]:
        """The shape for `rows` rows; -1 stands for any number."""
        return [rows] if self.width is None else [rows, self.width]


_OF_ALL: Mapping[str, Tensor] = {
    "answered_by": Tensor("BYTES", lambda prediction: prediction.answered_by),
    "release": Tensor("BYTES", lambda prediction: prediction.release),
    "request_id": Tensor("BYTES", lambda prediction: prediction.request_id),
}


def outputs(task: Task) -> dict[str, Tensor]:
    """The output tensors of a task, by name."""

    def tensor(one: Output) -> Tensor:
        return Tensor(DATATYPES[one.kind], lambda prediction: one.of(prediction.answer), one.width)

    return {**{one.name: tensor(one) for one in task.outputs}, **_OF_ALL}


class Inference:
    """The handlers of the protocol's routes."""

    def __init__(self, reader: Reader, settings: Settings) -> None:
        self._reader, self._settings = reader, settings

    def routes(self) -> "Mapping[tuple[str, Method], Callable[[Call, Backend], Any]]":
        """The handler of each route."""
        model, version = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
        return {
            ("/v2", "GET"): self._server,
            ("/v2/health/live", "GET"): self._live,
            ("/v2/health/ready", "GET"): self._server_ready,
            **{(path, "GET"): self._metadata for path in (model, version)},
            **{(f"{path}/ready", "GET"): self._model_ready for path in (model, version)},
            **{(f"{path}/infer", "POST"): self._infer for path in (model, version)},
        }

    # --- metadata and health --------------------------------------------------------------------------------------

    async def _server(self, call: Call, backend: Backend) -> None:
        body = {"name": "proveout", "version": __version__, "extensions": [EXTENSION]}
        await call.respond(200, orjson.dumps(body), JSON)

    async def _live(self, call: Call, backend: Backend) -> None:
        await call.respond(200, b'{"live":true}', JSON)

    async def _server_ready(self, call: Call, backend: Backend) -> None:
        ready, _ = await backend.readiness()
        await call.respond(200 if ready else 503, orjson.dumps({"ready": ready}), JSON)

    async def _model_ready(self, call: Call, backend: Backend) -> None:
        self._require_version(call, backend)
        ready, _ = await backend.readiness()
        name = self._settings.model
        await call.respond(200 if ready else 503, orjson.dumps({"name": name, "ready": ready}), JSON)

    async def _metadata(self, call: Call, backend: Backend) -> None:
        self._require_version(call, backend)
        body = {
            "name": self._settings.model,
            "versions": _versions(backend),
            "platform": "proveout",
            "inputs": [
                {"name": field.name, "datatype": DATATYPES[field.kind], "shape": [-1]}
                for field in self._reader.schema.fields
            ],
            "outputs": [
                {"name": name, "datatype": tensor.datatype, "shape": tensor.shape(-1)}
                for name, tensor in outputs(backend.task).items()
            ],
        }
        await call.respond(200, orjson.dumps(body), JSON)

    def _require_version(self, call: Call, backend: Backend) -> None:
        """Check the model and version of the path. Raises: Refused with 404 if they are not served."""
        if call.params["name"] != self._settings.model:
            raise _refusal(404, f"This server has no model {shown(call.params['name'])}.")
        version = call.params.get("version")
        if version is not None and version not in _versions(backend):
            served = ", ".join(_versions(backend))
            raise _refusal(404, f"This server has no version {shown(version)}. It serves {served}.")

    # --- inference ------------------------------------------------------------------------------------------------

    async def _infer(self, call: Call, backend: Backend) -> None:
        self._require_version(call, backend)
        whole = await call.body(self._settings.max_body_bytes * BODIES)
        body = BinaryBody(whole, call.headers.get(HEADER), refuse=partial(_refusal, 400))
        document = parsed(body.json)
        if not isinstance(document, dict):
            raise _refusal(400, f"The body is {class_of(document)}, expected an object.")
        refuse_repeated(body.json, document)
        given_id, tensors = _id(document), outputs(backend.task)
        requested = _requested_outputs(document, tensors)
        columns = self._columns(document, body)
        requests = self._requests(columns)
        call.take(len(requests) - 1)
        responses: list[Response] = []
        for start in range(0, len(requests), MOST_ROWS):
            window = requests[start : start + MOST_ROWS]
            responses += await asyncio.gather(
                *(self._one(request, start + place, given_id, call, backend) for place, request in enumerate(window))
            )
        listed, binary = _tensors(responses, requested, tensors)
        answer = {
            "model_name": self._settings.model,
            "model_version": call.params.get("version") or _versions(backend)[0],
            **({} if given_id is None else {"id": given_id}),
            "parameters": {"unlogged": not all(one.logged for one in responses)},
            "outputs": listed,
        }
        text = orjson.dumps(answer)
        if any(requested.values()):
            await call.respond(200, text + binary, OCTETS, (HEADER, b"%d" % len(text)))
        else:
            await call.respond(200, text, JSON)

    async def _one(self, request: Request, place: int, given_id: str | None, call: Call, backend: Backend) -> Response:
        return await backend.service.answer(
            request,
            request_id=None if given_id is None else f"{given_id}.{place}",
            caller=call.caller,
            budget_s=call.budget_s(),
        )

    def _columns(self, document: Mapping[str, Any], body: BinaryBody) -> Mapping[str, Sequence[Any]]:
        """The values of each field. Raises: Refused with 400, naming the tensor."""
        inputs = document.get("inputs")
        if not isinstance(inputs, list) or not inputs:
            raise _refusal(400, "`inputs` must be an array with one tensor for each field.")
        kinds = {field.name: field.kind for field in self._reader.schema.fields}
        columns: dict[str, Sequence[Any]] = {}
        for tensor in inputs:
            name = tensor.get("name") if isinstance(tensor, dict) else None
            if not isinstance(name, str) or name not in kinds:
                known = ", ".join(kinds)
                raise _refusal(400, f"Each of `inputs` must have the name of a field: {known}.")
            if name in columns:
                raise _refusal(400, f"The tensor {name} is given twice.")
            columns[name] = _values(name, kinds[name], tensor, body)
        body.end()
        lengths = {len(values) for values in columns.values()}
        if len(lengths) != 1 or lengths == {0}:
            raise _refusal(400, "All tensors must have the same length, at least 1.")
        if max(lengths) > self._settings.max_batch_rows:
            raise _refusal(413, f"The tensors have more than {self._settings.max_batch_rows} rows.")
        return columns

    def _requests(self, columns: Mapping[str, Sequence[Any]]) -> list[Request]:
        """A request for each row. Raises: Refused with 400, naming the first invalid row."""
        requests: list[Request] = []
        for place, row in enumerate(zip(*columns.values(), strict=True)):
            try:
                requests.append(self._reader.take(dict(zip(columns, row, strict=True))))
            except Refused as refused:
                raise _refusal(400, f"Row {place}: {sentence(refused.problem)}") from refused
        return requests


def _tensors(
    responses: Sequence[Response], requested: Mapping[str, bool], tensors: Mapping[str, Tensor]
) -> tuple[list[dict[str, Any]], bytes]:
    """The requested outputs, and the binary data of the binary ones.

    Args:
        requested: for each output, whether it is to be binary.
    """
    found: list[dict[str, Any]] = []
    binary: list[bytes] = []
    for name, in_binary in requested.items():
        tensor = tensors[name]
        values = [tensor.of(one.prediction) for one in responses]
        if tensor.width is not None:
            values = [value for row in values for value in (row if row is not None else [None] * tensor.width)]
        output: dict[str, Any] = {"name": name, "datatype": tensor.datatype, "shape": tensor.shape(len(responses))}
        if in_binary:
            binary.append(encoded(tensor.datatype, values))
            found.append({**output, "parameters": {"binary_data_size": len(binary[-1])}})
        else:
            found.append({**output, "data": values})
    return found, b"".join(binary)


def _values(name: str, kind: Kind, tensor: Mapping[str, Any], body: BinaryBody) -> Sequence[Any]:
    """The values of one tensor, flat. Raises: Refused with 400."""
    datatype, shape, data = tensor.get("datatype"), tensor.get("shape"), tensor.get("data")
    if not isinstance(datatype, str) or datatype not in _FITS[kind]:
        raise _refusal(400, f"The tensor {name} must have the datatype {DATATYPES[kind]}.")
    valid = isinstance(shape, list) and len(shape) in {1, 2} and all(type(length) is int for length in shape)
    if not isinstance(shape, list) or not valid or (len(shape) == 2 and shape[1] != 1):
        raise _refusal(400, f"The tensor {name} must have the shape [n] or [n, 1].")
    size = _parameters(tensor, f"the tensor {name}").get("binary_data_size")
    if size is not None:
        if data is not None:
            raise _refusal(400, f"The tensor {name} must have either `data` or `binary_data_size`, not both.")
        return body.take(name, datatype, max(0, shape[0]), size)
    if not isinstance(data, list) or len(data) != shape[0]:
        raise _refusal(400, f"The `data` of the tensor {name} must have as many values as its shape says.")
    flat = [one[0] if type(one) is list and len(one) == 1 else one for one in data] if len(shape) == 2 else data
    if not all(value is None or _holds(datatype, value) for value in flat):
        raise _refusal(400, f"The tensor {name} has a value that is not {datatype}.")
    return flat


def _holds(datatype: str, value: Any) -> bool:
    given = type(value)
    if datatype in _INTEGERS:
        return given is int
    if datatype in _FLOATS:
        return given is float or given is int
    return given is (str if datatype == "BYTES" else bool)


def _id(document: Mapping[str, Any]) -> str | None:
    given = document.get("id")
    if given is None:
        return None
    sane = sane_id(given.encode("utf-8", "replace")) if isinstance(given, str) else None
    if sane is None:
        raise _refusal(400, "`id` must be a string of 1 to 128 visible ASCII characters.")
    return sane


def _requested_outputs(document: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, bool]:
    """The requested outputs (all if none are named), and whether each is to be binary. Raises: Refused with 400."""
    wanted = document.get("outputs")
    usual = _parameters(document, "the request").get("binary_data_output", False)
    if wanted is None or wanted == []:
        wanted = [{"name": name} for name in tensors]
    names = [one.get("name") if isinstance(one, dict) else None for one in wanted] if isinstance(wanted, list) else []
    if not names or not all(isinstance(name, str) and name in tensors for name in names):
        raise _refusal(400, f"`outputs` must name some of {', '.join(tensors)}.")
    found = {
        str(one["name"]): _parameters(one, f"the output {one['name']}").get("binary_data", usual) for one in wanted
    }
    if not all(isinstance(in_binary, bool) for in_binary in found.values()):
        raise _refusal(400, "`binary_data_output` of a request and `binary_data` of an output must be true or false.")
    return found


def _parameters(of: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    found = of.get("parameters")
    if found is not None and not isinstance(found, dict):
        raise _refusal(400, f"`parameters` of {what} must be an object.")
    return found or {}


def _versions(backend: Backend) -> list[str]:
    """The champion's version: the first 12 digits of its bundle's digest. Empty before the first desired state."""
    desired = backend.desired
    return [] if desired is None else [desired.champion.bundle[:12]]


def _refusal(status: int, detail: str) -> Refused:
    return Refused(Problem(status=status, kind="inference", title="Invalid inference request", detail=detail))
