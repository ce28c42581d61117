"""A folder of journals beside its ledger: rows to put in, a drain, and what it brought over."""

from pathlib import Path
from typing import Any

from proveout.ledger.ledger import Ledger
from proveout.records.answer import Answer
from proveout.records.prediction import Prediction
from proveout.records.values import now
from proveout.server.log.shipper import LogShipper


def prediction(request_id: str, **changed: Any) -> Prediction:
    values = {
        "request_id": request_id, "at": now(), "model": "toy", "release": "toy@0123456789ab", "record": {"a": 1},
        "answered_by": "model", "answer": Answer(value=True, probability=0.5), "latency_ms": 1.5,
    }  # fmt: skip
    return Prediction(**{**values, **changed})


def url(folder: Path) -> str:
    return f"sqlite:///{folder / 'ledger.db'}"


def drain_of(folder: Path, **options: Any) -> LogShipper:
    return LogShipper(folder, **{"open_log": lambda: Ledger(url(folder)), **options})


def drain_once(folder: Path, **options: Any) -> LogShipper:
    """One look of a process that then ends: only one drains a folder at a time."""
    drain = drain_of(folder, **options)
    drain.once()
    drain.close()
    return drain


def ids(folder: Path) -> list[str]:
    with Ledger(url(folder)) as ledger:
        return sorted(row.request_id for row in ledger.predictions())
