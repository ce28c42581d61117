"""The Open Inference Protocol, version 2, on the same prediction service: same validation, same fallback chain, same
log.

Input: one tensor for each field of the request schema, all of one length. Output: tensors of that length. The
protocol knows no problem of one row: a request with a row that does not fit is refused whole, naming the row. A row
without a prediction has null in the tensors of its task, such as `probability` and `label`, and says so in
`answered_by`. Tensors come and go in JSON or in binary (`binary_tensors`), where such a row has NaN, 0, false or "".
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
    "int": _INTEGERS | _FLOATS,  # exact ones, as the reader sees to
    "float": _INTEGERS | _FLOATS,
    "bool": {"BOOL"},
    "str": {"BYTES"},
    "datetime": {"BYTES"},
    "category": {"BYTES"},
}


@dataclass(frozen=True)
class Tensor:
    """An output: its datatype, what a prediction has in it, and how many values, where it is more than one."""

    datatype: str
    of: Callable[[Prediction], Any]
    width: int | None = None

    def shape(self, rows: int) -> list[int]:
        """Of so many rows; -1 for any number."""
        return [rows] if self.width is None else [rows, self.width]


_OF_ALL: Mapping[str, Tensor] = {
    "answered_by": Tensor("BYTES", lambda prediction: prediction.answered_by),
    "release": Tensor("BYTES", lambda prediction: prediction.release),
    "request_id": Tensor("BYTES", lambda prediction: prediction.request_id),
}


def outputs(task: Task) -> dict[str, Tensor]:
    """The tensors that answers of a task have, by name."""

    def tensor(one: Output) -> Tensor:
        return Tensor(DATATYPES[one.kind], lambda prediction: one.of(prediction.answer), one.width)

    return {**{one.name: tensor(one) for one in task.outputs}, **_OF_ALL}


class Inference:
    """Answers the protocol's routes."""

    def __init__(self, reader: Reader, settings: Settings) -> None:
        self._reader, self._settings = reader, settings

    def routes(self) -> "Mapping[tuple[str, Method], Callable[[Call, Backend], Any]]":
        """Each route and who answers it."""
        model, version = "/v2/models/{name}", "/v2/models/{name}/versions/{version}"
        return {
            ("/v2", "GET"): self._server,
            ("/v2/health/live", "GET"): self._live,
            ("/v2/health/ready", "GET"): self._server_ready,
            **{(path, "GET"): self._metadata for path in (model, version)},
            **{(f"{path}/ready", "GET"): self._model_ready for path in (model, version)},
            **{(f"{path}/infer", "POST"): self._infer for path in (model, version)},
        }

    # --- what there is --------------------------------------------------------------------------------------------

    async def _server(self, call: Call, backend: Backend) -> None:
        told = {"name": "proveout", "version": __version__, "extensions": [EXTENSION]}
        await call.respond(200, orjson.dumps(told), JSON)

    async def _live(self, call: Call, backend: Backend) -> None:
        await call.respond(200, b'{"live":true}', JSON)

    async def _server_ready(self, call: Call, backend: Backend) -> None:
        ready, _ = await backend.readiness()
        await call.respond(200 if ready else 503, orjson.dumps({"ready": ready}), JSON)

    async def _model_ready(self, call: Call, backend: Backend) -> None:
        self._version(call, backend)
        ready, _ = await backend.readiness()
        name = self._settings.model
        await call.respond(200 if ready else 503, orjson.dumps({"name": name, "ready": ready}), JSON)

    async def _metadata(self, call: Call, backend: Backend) -> None:
        self._version(call, backend)
        told = {
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
        await call.respond(200, orjson.dumps(told), JSON)

    def _version(self, call: Call, backend: Backend) -> None:
        """Refuse a model or a version that is not served. Raises: Refused with 404."""
        if call.params["name"] != self._settings.model:
            raise _no(404, f"There is no model {shown(call.params['name'])} here.")
        version = call.params.get("version")
        if version is not None and version not in _versions(backend):
            raise _no(404, f"There is no version {shown(version)} here: it is {', '.join(_versions(backend))}.")

    # --- inference ------------------------------------------------------------------------------------------------

    async def _infer(self, call: Call, backend: Backend) -> None:
        self._version(call, backend)
        whole = await call.body(self._settings.max_body_bytes * BODIES)
        body = BinaryBody(whole, call.headers.get(HEADER), refuse=partial(_no, 400))
        document = parsed(body.json)
        if not isinstance(document, dict):
            raise _no(400, f"The body is {class_of(document)}, where an object is expected.")
        refuse_repeated(body.json, document)
        given_id, tensors = _id(document), outputs(backend.task)
        asked = _asked(document, tensors)
        columns = self._columns(document, body)
        requests = self._requests(columns)
        call.take(len(requests) - 1)
        given: list[Response] = []
        for start in range(0, len(requests), MOST_ROWS):
            window = requests[start : start + MOST_ROWS]
            given += await asyncio.gather(
                *(self._one(request, start + place, given_id, call, backend) for place, request in enumerate(window))
            )
        told, rest = _tensors(given, asked, tensors)
        answer = {
            "model_name": self._settings.model,
            "model_version": call.params.get("version") or _versions(backend)[0],
            **({} if given_id is None else {"id": given_id}),
            "parameters": {"unlogged": not all(one.logged for one in given)},
            "outputs": told,
        }
        text = orjson.dumps(answer)
        if any(asked.values()):
            await call.respond(200, text + rest, OCTETS, (HEADER, b"%d" % len(text)))
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
            raise _no(400, "`inputs` is an array with one tensor for each field.")
        kinds = {field.name: field.kind for field in self._reader.schema.fields}
        columns: dict[str, Sequence[Any]] = {}
        for tensor in inputs:
            name = tensor.get("name") if isinstance(tensor, dict) else None
            if not isinstance(name, str) or name not in kinds:
                known = ", ".join(kinds)
                raise _no(400, f"Each of `inputs` has the name of a field: {known}.")
            if name in columns:
                raise _no(400, f"The tensor {name} is given twice.")
            columns[name] = _values(name, kinds[name], tensor, body)
        body.end()
        lengths = {len(values) for values in columns.values()}
        if len(lengths) != 1 or lengths == {0}:
            raise _no(400, "All tensors have the same length, at least 1.")
        if max(lengths) > self._settings.max_batch_rows:
            raise _no(413, f"The tensors have more than {self._settings.max_batch_rows} rows.")
        return columns

    def _requests(self, columns: Mapping[str, Sequence[Any]]) -> list[Request]:
        """A request for each row. Raises: Refused with 400 for the first that does not fit, naming it."""
        requests: list[Request] = []
        for place, row in enumerate(zip(*columns.values(), strict=True)):
            try:
                requests.append(self._reader.take(dict(zip(columns, row, strict=True))))
            except Refused as refused:
                raise _no(400, f"Row {place}: {sentence(refused.problem)}") from refused
        return requests


def _tensors(
    given: Sequence[Response], asked: Mapping[str, bool], tensors: Mapping[str, Tensor]
) -> tuple[list[dict[str, Any]], bytes]:
    """The outputs that are `asked` for, in binary or not, and the bytes of those that are."""
    found: list[dict[str, Any]] = []
    rest: list[bytes] = []
    for name, in_binary in asked.items():
        tensor = tensors[name]
        values = [tensor.of(one.prediction) for one in given]
        if tensor.width is not None:
            values = [value for row in values for value in (row if row is not None else [None] * tensor.width)]
        told: dict[str, Any] = {"name": name, "datatype": tensor.datatype, "shape": tensor.shape(len(given))}
        if in_binary:
            rest.append(encoded(tensor.datatype, values))
            found.append({**told, "parameters": {"binary_data_size": len(rest[-1])}})
        else:
            found.append({**told, "data": values})
    return found, b"".join(rest)


def _values(name: str, kind: Kind, tensor: Mapping[str, Any], body: BinaryBody) -> Sequence[Any]:
    """The values of one tensor, flat. Raises: Refused with 400."""
    datatype, shape, data = tensor.get("datatype"), tensor.get("shape"), tensor.get("data")
    if not isinstance(datatype, str) or datatype not in _FITS[kind]:
        raise _no(400, f"The tensor {name} has the datatype {DATATYPES[kind]}.")
    sound = isinstance(shape, list) and len(shape) in {1, 2} and all(type(length) is int for length in shape)
    if not isinstance(shape, list) or not sound or (len(shape) == 2 and shape[1] != 1):
        raise _no(400, f"The tensor {name} has the shape [n] or [n, 1].")
    size = _parameters(tensor, f"the tensor {name}").get("binary_data_size")
    if size is not None:
        if data is not None:
            raise _no(400, f"The tensor {name} has either `data` or `binary_data_size`.")
        return body.take(name, datatype, max(0, shape[0]), size)
    if not isinstance(data, list) or len(data) != shape[0]:
        raise _no(400, f"The tensor {name} has as many values in `data` as its shape says.")
    flat = [one[0] if type(one) is list and len(one) == 1 else one for one in data] if len(shape) == 2 else data
    if not all(value is None or _holds(datatype, value) for value in flat):
        raise _no(400, f"The tensor {name} has a value that is no {datatype}.")
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
        raise _no(400, "`id` is a text of 1 to 128 visible ASCII characters.")
    return sane


def _asked(document: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> dict[str, bool]:
    """The tensors that are asked for, all where none are named, and whether in binary. Raises: Refused with 400."""
    wanted = document.get("outputs")
    usual = _parameters(document, "the request").get("binary_data_output", False)
    if wanted is None or wanted == []:
        wanted = [{"name": name} for name in tensors]
    names = [one.get("name") if isinstance(one, dict) else None for one in wanted] if isinstance(wanted, list) else []
    if not names or not all(isinstance(name, str) and name in tensors for name in names):
        raise _no(400, f"`outputs` names some of {', '.join(tensors)}.")
    found = {
        str(one["name"]): _parameters(one, f"the output {one['name']}").get("binary_data", usual) for one in wanted
    }
    if not all(isinstance(in_binary, bool) for in_binary in found.values()):
        raise _no(400, "`binary_data_output` of a request and `binary_data` of an output are true or false.")
    return found


def _parameters(of: Mapping[str, Any], what: str) -> Mapping[str, Any]:
    found = of.get("parameters")
    if found is not None and not isinstance(found, dict):
        raise _no(400, f"`parameters` of {what} is an object.")
    return found or {}


def _versions(backend: Backend) -> list[str]:
    """The champion's version first; it is the start of the bundle's digest."""
    desired = backend.desired
    return [] if desired is None else [desired.champion.bundle[:12]]


def _no(status: int, detail: str) -> Refused:
    return Refused(Problem(status=status, kind="inference", title="This is no inference request", detail=detail))
