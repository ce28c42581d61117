"""The worker: a process of LitServe's that holds the model and answers the gateway over a unix socket.

LitServe starts it, sees it die and starts another; requests do not travel through LitServe's queues, which lose
what a dead worker had taken. Messages in (`wire`):

    {"ask": "predict", "columns": {field: [value, …]}}   →  {"probability": […], "confidence": […], "problem": […]}
    {"ask": "explain", "columns": {field: [value]}}      →  {"reasons": [{"field", "value", "effect", "text"}]}
    {"ask": "probe"}                                     →  {"probability": [one row of the training data, scored]}

and first, to whoever connects: {"pid", "release", "threshold"}. Door to: LitServe (LitAPI, LitLoop).
"""

import math
import os
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import litserve
from litserve.loops import LitLoop

from proveout.errors import BundleError, ProveoutError
from proveout.records import Plain
from proveout.serving import explain, tether, wire
from proveout.serving.champion import Served, Source
from proveout.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_BREATH_S = 1.0  # LitServe starts a worker that failed at once again; the reason may pass (a locked ledger) or not
_REPORT_EVERY_S = 60.0
_MOST_CALLS = 32  # of the model, to find the rows of one batch that it raises on


def socket_path(folder: Path, worker: int) -> str:
    """Where worker number `worker` listens. The folder's path is short: a socket's may have 100 characters."""
    return str(folder / f"worker-{worker}")


class Bench:
    """An opened model and how messages about it are answered. One message at a time: the model is not shared."""

    def __init__(self, served: Served, dtypes: Mapping[str, str]) -> None:
        self._served, self._dtypes = served, dict(dtypes)
        self._columns = tuple(name for name in dtypes if name in served.model.request_columns)
        strange = sorted(set(served.model.request_columns) - set(dtypes))
        if strange:
            raise BundleError(
                served.release,
                f"asks for {', '.join(strange)}, which no request has",
                "Train again with this request schema, or serve with the one it was trained with",
            )
        reference = self._typed(served.model.reference())
        self._background = explain.background(reference, served.model.predict(reference), fields=len(self._columns))
        self._one = reference.head(1)
        self._busy = threading.Lock()
        self._reported: dict[type[Exception], float] = {}
        # The first call of a model is the slowest: it is ours. And a model that cannot score its own training rows
        # does not start.
        if self.answer({"ask": "probe"}).get("probability", [None])[0] is None:
            raise BundleError(served.release, "cannot score its own reference rows", "Train it again")

    def hello(self) -> dict[str, Any]:
        """What a gateway is told when it connects."""
        return {"pid": os.getpid(), "release": self._served.release, "threshold": self._served.model.threshold}

    def answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        """The reply to one message. What the model raises becomes `problem`: a class name, never a value."""
        with self._busy:
            try:
                return self._answer(message)
            except Exception as error:
                self._report(error)
                return {"problem": f"it raised {type(error).__name__}"}

    def _answer(self, message: Mapping[str, Any]) -> dict[str, Any]:
        if message["ask"] == "probe":
            return {"probability": _plain(self._served.model.predict(self._one), 1)}
        if message["ask"] == "explain":
            return {"reasons": self._reasons(message["columns"])}
        rows = self._frame(message["columns"])
        scores: list[Any] = [None] * len(rows)
        problems: list[str | None] = [None] * len(rows)
        self._score(rows, list(range(len(rows))), scores, problems, calls=[_MOST_CALLS])
        confidence = [self._confidence(score) for score in scores]
        return {"probability": scores, "confidence": confidence, "problem": problems if any(problems) else None}

    def _score(
        self,
        rows: "pd.DataFrame",
        places: list[int],
        scores: list[Any],
        problems: list[str | None],
        *,
        calls: list[int],
    ) -> None:
        """Fill `scores` at `places`. Where the model raises, halves are tried: one request does not cost the others
        that happened to travel with it their answer."""
        calls[0] -= 1
        try:
            asked = rows if len(places) == len(rows) else rows.iloc[places]
            found = _plain(self._served.model.predict(asked), len(places))
        except Exception as error:
            if len(places) == 1 or calls[0] < 2:
                self._report(error)
                for place in places:
                    problems[place] = f"it raised {type(error).__name__}"
                return
            middle = len(places) // 2
            self._score(rows, places[:middle], scores, problems, calls=calls)
            self._score(rows, places[middle:], scores, problems, calls=calls)
            return
        for place, score in zip(places, found, strict=True):
            scores[place] = score

    def _confidence(self, score: Any) -> float | None:
        try:
            return None if score is None else float(self._served.model.confidence(score))
        except Exception as error:  # a prediction is worth more than how sure one is of it
            self._report(error)
            return None

    def _report(self, error: Exception) -> None:
        """The traceback, for whoever mends the model; one of a kind a minute, for whoever reads the log."""
        last = self._reported.get(type(error), -math.inf)
        if time.monotonic() - last > _REPORT_EVERY_S:
            self._reported[type(error)] = time.monotonic()
            traceback.print_exception(error, file=sys.stderr)

    def _reasons(self, columns: Mapping[str, Sequence[Plain]]) -> list[explain.Reason]:
        record = {name: columns[name][0] for name in self._columns}
        effects = explain.effects(
            self._served.model.predict, self._frame(columns), self._background, seed=explain.seed_of(record)
        )
        return list(explain.reasons(effects, record))

    def _frame(self, columns: Mapping[str, Sequence[Plain]]) -> "pd.DataFrame":
        import pandas as pd

        return pd.DataFrame({name: _column(columns[name], self._dtypes[name]) for name in self._columns})

    def _typed(self, rows: "pd.DataFrame") -> "pd.DataFrame":
        return rows[list(self._columns)].astype({name: self._dtypes[name] for name in self._columns})


def _column(values: Sequence[Plain], dtype: str) -> Any:
    import numpy as np
    import pandas as pd

    if dtype[0] in "iuf":  # NumPy's own number types; it reads None as NaN where the type has one
        return np.array(values, dtype=dtype)
    return pd.array(list(values), dtype=dtype)  # type: ignore[call-overload]  # pandas-stubs list the names of types


def _plain(scores: "NDArray[np.float64]", rows: int) -> list[float | None]:
    """The scores as floats, None for NaN. Raises: ValueError if there is not one for each row."""
    import numpy as np

    found = np.asarray(scores, dtype=float)
    if found.shape != (rows,):
        raise WrongShape(f"{found.shape} for {rows} rows")
    return [score if math.isfinite(score) else None for score in found.tolist()]


class WrongShape(ValueError):
    """The model gave another number of scores than it was asked for."""


def listen(path: str) -> socket.socket:
    """A socket at `path`, in place of the one a dead worker left there."""
    Path(path).unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen(16)
    return listening


def attend(listening: socket.socket, bench: Bench) -> None:
    """Answer every gateway that connects, until the process ends."""
    while True:
        connection, _ = listening.accept()
        threading.Thread(target=_attend_one, args=(connection, bench), daemon=True).start()


def _attend_one(connection: socket.socket, bench: Bench) -> None:
    with connection:
        try:
            connection.sendall(wire.pack(bench.hello()))
            for message in wire.messages(connection):
                connection.sendall(wire.pack(bench.answer(message)))
        except OSError:
            return  # the gateway is gone: nobody waits for this any more


class Exchange(LitLoop):  # type: ignore[misc]  # LitServe ships no types
    """LitServe's loop: it listens on the socket instead of LitServe's queue."""

    def __call__(self, lit_api: Any, *_: Any, **__: Any) -> None:
        """Attend to gateways for as long as the process lives."""
        attend(lit_api.listening, lit_api.bench)


class Worker(litserve.LitAPI):  # type: ignore[misc]  # LitServe ships no types
    """What LitServe hosts: a model, opened in a process of its own.

    Args:
        parent: the process that has to live for this one to.
        folder: where it listens, see `socket_path`.
        dtypes: the pandas type of each request field.
    """

    def __init__(
        self, settings: Settings, *, source: Source, parent: int, folder: Path, dtypes: Mapping[str, str]
    ) -> None:
        super().__init__(api_path="/predict", loop=Exchange())
        self._settings, self._source, self._dtypes = settings, source, dict(dtypes)
        self._parent, self._folder = parent, folder

    def setup(self, device: str) -> None:
        """Open the model; LitServe calls the worker ready when this returns."""
        tether.hold(self._parent)
        # The main process ends this one, after the gateway has given its last answer.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        try:
            self.bench = Bench(self._source.open(self._settings), self._dtypes)
        except ProveoutError as error:
            print(f"proveout: the worker cannot start: {error}", file=sys.stderr, flush=True)
            time.sleep(_BREATH_S)
            raise
        # Bound here and not in the loop, so that whoever hears «ready» can connect.
        self.listening = listen(socket_path(self._folder, int(os.environ.get("LITSERVE_WORKER_ID", "0"))))

    def predict(self, x: Any, **_: Any) -> Any:
        """Never called: requests arrive at the socket."""
        raise NotImplementedError
