"""Training again: whether the same configuration and the same data give the same bundle.

Input: the candidate and its project. Output: `Evidence`. The notebook runs a second time in a separate process, and the
files that the digest is over are written into a temporary folder. Only if the model alone differs is a bundle packed,
so that its scores can be compared. Store and ledger are not changed. It is the longest of most gates' checks, so the
gate begins it before the first check, beside which it goes on.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from proveout import interpreter_exit
from proveout.project import open_store
from proveout.records.answer import TaskFacts
from proveout.records.bundle import PackedConfig
from proveout.records.json_form import from_json, to_json
from proveout.records.values import Digest
from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle
    from proveout.settings import Settings

# Causes before effects: another notebook makes another model.
_CAUSES = ("code/features.py", "code/notebook.ipynb", "config.json", "signature.json", "model.skops")
_LINES = 12
_BESIDE_S = 300  # for the features, the packing and the start of a process
_MADE = "made.json"
_SAID = "said.txt"
_SETTINGS = ("state", "store_url")


@dataclass(frozen=True, kw_only=True)
class Again:
    """The result of the second training."""

    files: Mapping[str, str]  # SHA-256 of each file of the identity
    bundle: Digest | None  # in the temporary store; None if none was packed
    seconds: float  # from its first line on


class Retraining:
    """A second training of a bundle, under way in a process of its own. Close it, also if nobody waited for its end."""

    def __init__(self, folder: Path, project: "Settings", *, timeout_s: float | None = None) -> None:
        """Begin it.

        Args:
            folder: of the bundle.
            project: the settings; its current notebook, features and store are used.
            timeout_s: time limit; a run that takes longer counts as not reproduced. Default: what the notebook has in
                the bundle's configuration, and five minutes.
        """
        self._limit_s = _configured_s(folder) if timeout_s is None else timeout_s
        self._began = time.monotonic()
        self._temporary = tempfile.TemporaryDirectory(prefix="proveout-again-", ignore_cleanup_errors=True)
        self.into = Path(self._temporary.name)
        named = {f"PROVEOUT_{name.upper()}": str(value) for name in _SETTINGS if (value := getattr(project, name))}
        with (self.into / _SAID).open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(folder), str(self.into)],
                cwd=project.root,
                env={**os.environ, **named, "PROVEOUT_ROOT": str(project.root)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=said,
            )

    def end(self) -> tuple[Again | None, str]:
        """Wait for its end: what it made; or None, and the reason."""
        if not self.into.exists():
            return None, "it was closed"
        try:
            self._process.wait(timeout=max(0.0, self._began + self._limit_s - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._stop()
            return None, f"it was not done after {self._limit_s:g} s"
        with suppress(OSError):
            return from_json(Again, (self.into / _MADE).read_bytes()), ""
        said = (self.into / _SAID).read_text(encoding="utf-8", errors="replace")
        return None, " ".join(said.strip().splitlines()[-_LINES:])

    def close(self) -> None:
        """Stop it if it still runs, and delete what it wrote."""
        self._stop()
        self._temporary.cleanup()

    def _stop(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()


def again(
    candidate: "OpenBundle",
    holdout: "LabelledRows",
    retraining: Retraining,
    *,
    apart_at_most: float | None = None,
    seconds_at_most: float | None = None,
) -> tuple[Evidence, ...]:
    """Whether running the notebook again with the candidate's configuration and data gives the same bundle.

    evidence(reproducibility.again(candidate, holdout, retraining))

    Args:
        retraining: the fixture, or one that was begun for the candidate. It is waited for.
        apart_at_most: how far scores may differ if the model is not equal to the last bit. Default: the rounding
            tolerance of a solver, if the candidate has one (`fastpath/tolerance.py`); otherwise the digest must be
            the same. Another configuration, data or code always fails.
    Returns: the files of the identity that differ, the first of them in the decision; the largest difference of scores
        on the held-out rows, if only the model differs; the seconds it took, with whatever ran beside it.
    """
    from proveout.evaluation.predictions import largest_difference
    from proveout.model.bundle import open_bundle

    name = "files of the bundle that differ, trained again"
    made, problem = retraining.end()
    if made is None:
        decision = f"it did not come to a bundle: {problem}"
        return (Evidence(name=name, value=len(_CAUSES), at_most=0, decision=decision, covers=("infra-1",)),)
    took = Evidence(name="training again, s", value=made.seconds, at_most=seconds_at_most)
    differing = _differing(_identity(candidate.folder), made.files)
    if made.bundle is None or differing != ["model.skops"]:
        decision = f"{differing[0]} first" if differing else "the same digest"
        found = Evidence(name=name, value=len(differing), at_most=0, decision=decision, covers=("infra-1",))
        return (found, took)
    packed = open_bundle(retraining.into / "store" / "bundles" / made.bundle, direct=False)
    apart = largest_difference(candidate.predict(holdout.records), packed.predict(holdout.records))
    most = apart_at_most if apart_at_most is not None else candidate.tolerance.fitted or None
    return (
        Evidence(
            name=name,
            value=1,
            at_most=None if most is not None else 0,
            decision="model.skops",
            covers=("infra-1",),
        ),
        Evidence(
            name="largest difference of a score, trained again",
            value=apart,
            at_most=most,
            rows=holdout.rows,
            covers=("infra-1",),
        ),
        took,
    )


def _configured_s(folder: Path) -> float:
    packed = from_json(PackedConfig, (folder / "config.json").read_bytes())
    return packed.config.infrastructure.timeout_s + _BESIDE_S


def _identity(folder: Path) -> Mapping[str, str]:
    from proveout.model.manifest import MANIFEST

    files: Mapping[str, str] = orjson.loads((folder / MANIFEST).read_bytes())["identity"]["files"]
    return files


def _differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The files whose digests differ, causes first."""
    different = {name for name in {*one, *other} if one.get(name) != other.get(name)}
    read = {name for name in different if name.startswith("code/")}.difference(_CAUSES)
    causes = [_CAUSES[0], *sorted(read), *_CAUSES[1:]]
    return [name for name in causes if name in different] + sorted(different.difference(causes))


# --- in that process --------------------------------------------------------------------------------------------------


def main(folder: str, into: str) -> None:
    """Train again from the configuration and data of the bundle in `folder`, and write `Again` into `into`."""
    interpreter_exit.without_collection()
    began = time.monotonic()
    from proveout import settings
    from proveout.data import snapshots
    from proveout.model import packing
    from proveout.training import run_inputs, train_steps

    project = settings.load()
    packed = from_json(PackedConfig, (Path(folder) / "config.json").read_bytes())
    snapshot = snapshots.describe(open_store(project), packed.snapshot)
    apart = _apart(project, snapshot.digest, Path(into))
    inputs = run_inputs.record(apart, snapshot=snapshot, config=packed.config)
    trained = train_steps.run_notebook(apart, inputs, train_steps.make_features(apart, inputs))
    rows = train_steps.packed_rows(apart, inputs, trained)
    order = train_steps.pack_order(apart, inputs, rows, trained, into=Path(into), run="again")
    # The classes are those of the model, which is not opened for them: equal models have equal ones, and where only
    # the model differs, packing reads them from it.
    signature = orjson.loads((Path(folder) / "signature.json").read_bytes())
    task = replace(order.task, classes=from_json(TaskFacts, orjson.dumps(signature["task"])).classes)
    (identity := Path(into) / "identity").mkdir()
    files: Mapping[str, str] = packing.write_identity(identity, replace(order, task=task))
    packed_again = None
    if _differing(_identity(Path(folder)), files) == ["model.skops"]:
        store = open_store(apart)
        packed_again = packing.pack(order, store).digest
        files = _identity(store.folder("bundles", packed_again))
    made = Again(files=files, bundle=packed_again, seconds=time.monotonic() - began)
    (Path(into) / _MADE).write_text(to_json(made), encoding="utf-8")


def _apart(project: "Settings", snapshot: Digest, into: Path) -> "Settings":
    """The same project with a separate ledger and store; the data is linked, not copied."""
    from proveout.data import snapshots

    store = open_store(project)
    links = {into / "store" / "snapshots" / snapshot: store.folder("snapshots", snapshot)}
    for batch in snapshots.describe(store, snapshot).batches:
        links[into / "store" / "batches" / batch.digest] = store.folder("batches", batch.digest)
    for link, folder in links.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(folder.resolve())
    return project.model_copy(update={"state": into, "store_url": str(into / "store"), "ledger_url": None})


if __name__ == "__main__":
    main(*sys.argv[1:])
