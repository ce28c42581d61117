"""What flows are built from: each step of a flow is one call in here.

Input: the settings, a configuration and the records of the step before. Output: a record of plain values, or
bytes, for Metaflow to version. `prepare` comes first in every flow file, before Metaflow is imported.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout import gate_settings
from proveout import settings as settings_module
from proveout.data.batch_names import order_problem
from proveout.data.splits import BATCH, HOLDOUT, SPLIT, TRAIN
from proveout.errors import BundleError, ConfigError, NotApproved, NotFound, UsageError
from proveout.project import actor, open_ledger, open_store, user_name
from proveout.records.answer import TaskFacts
from proveout.records.bundle import Bundle
from proveout.records.json_form import from_json
from proveout.records.snapshot import Batch, Snapshot
from proveout.records.train_config import Decision, TimeSplit, TrainConfig
from proveout.records.values import now
from proveout.records.verdict import Verdict
from proveout.schema import coercion
from proveout.settings import Settings
from proveout.task.binary import THRESHOLD
from proveout.training import flow_errors
from proveout.training.config import parse_config, read_config

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.data.splits import Membership
    from proveout.ledger.ledger import Ledger
    from proveout.task.task import Task
    from proveout.training.run_inputs import RunInputs

CONFIG_FILE = "PROVEOUT_CONFIG_FILE"
"""Variable that tells the steps of a run where its configuration stands: Metaflow hands them the values alone."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows ready for the notebook, as parquet: the model's columns, the label and the batch of each row."""

    parquet: bytes
    rows: int


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What came out of the notebook."""

    model: bytes  # skops
    metrics: str  # JSON
    notebook: bytes  # executed
    seconds: float


def prepare(start: str | Path | None = None) -> Settings:
    """Set Metaflow up for the project that `start` (a flow file, or the working directory) lies in.

    Call it before `import metaflow`. Runs then keep their data in the project root from wherever they are started, and
    need no `USER` (cron, systemd and containers set none). A flow that fails with an error of ours ends with its
    sentence.
    """
    file = Path(start) if start is not None else None
    os.environ.setdefault("METAFLOW_USER", user_name())
    if file is not None and file.is_file():
        flow_errors.in_this_process(sys.argv)
    settings = settings_module.load(file.parent if file is not None and file.is_file() else file)
    os.environ.setdefault("METAFLOW_DATASTORE_SYSROOT_LOCAL", str(settings.root))
    # Cards go to the nearest `.metaflow` at or above the working directory: there has to be one in the root.
    (settings.root / ".metaflow").mkdir(exist_ok=True)
    if file is not None and file.is_file() and "--config-value" not in sys.argv:  # a step has it from its run
        os.environ[CONFIG_FILE] = str(_config_file(sys.argv, default=settings.root / settings.train_config))
    if file is not None and file.is_file():
        flow_errors.in_metaflow(sys.argv)
    return settings


def _config_file(arguments: Sequence[str], *, default: Path) -> Path:
    """The file that `--config config FILE` names."""
    words = zip(arguments, arguments[1:], arguments[2:], strict=False)
    given = [file for option, name, file in words if (option, name) == ("--config", "config")]
    return Path(given[-1] if given else default).resolve()


# --- ingest -----------------------------------------------------------------------------------------------------------


def take_batches(settings: Settings, names: tuple[str, ...]) -> tuple[Batch, ...]:
    """Read, guard and store each batch. Idempotent: what is in the store already stays as it is."""
    from proveout.data import snapshots, sources

    store, code = open_store(settings), sources.code(settings)  # now: a process loads it once
    batches = []
    for name in names:
        batch = snapshots.take_batch(settings, store, name, code=code)
        why = "".join(f"; {refusal.check}: {refusal.rows:,}" for refusal in batch.refusals)
        why += "".join(f"; left out by the source, {left.check}: {left.rows:,}" for left in batch.left_out)
        print(f"{name}: {batch.rows:,} rows in, {batch.refused:,} to quarantine{why}", flush=True)
        batches.append(batch)
    return tuple(batches)


def take_snapshot(settings: Settings, batches: tuple[Batch, ...], *, onto_latest: bool) -> Snapshot:
    """The snapshot of `batches`, or of the newest snapshot and `batches`.

    The ledger notes it when it is new, and when other code than before made the same rows.
    """
    from proveout.data import snapshots

    store, ledger = open_store(settings), open_ledger(settings, create=True)
    try:
        parent = latest_snapshot(ledger) if onto_latest else None
        snapshot = snapshots.extend(store, parent, batches)
        known = ledger.entries(kind="snapshot", limit=1, newest_first=True)
        before = from_json(Snapshot, known[0].body) if known else None
        if before == snapshot:
            print(f"snapshot {snapshot.digest[:12]} was there already: no new rows", flush=True)
        else:
            names = [batch.name for batch in snapshot.batches]
            reason = f"batches {names[0]} to {names[-1]}" if len(names) > 1 else f"batch {names[0]}"
            if before is not None and before.digest == snapshot.digest:
                reason += ", the same rows by another source"
            ledger.append("snapshot", snapshot.digest, snapshot, actor=actor(), reason=reason, at=now())
            print(f"snapshot {snapshot.digest[:12]}: {snapshot.rows:,} rows, {reason}", flush=True)
    finally:
        ledger.close()
    if _orders_batches(settings):
        _warn_of_order(order_problem(batch.name for batch in snapshot.batches))
    return snapshot


def _orders_batches(settings: Settings) -> bool:
    """Whether the project's runs split by time; without a configuration that can be read, they may."""
    try:
        config = parse_config((settings.root / settings.train_config).read_text(encoding="utf-8"))
    except (OSError, ConfigError):
        return True
    return isinstance(read_config(config).split, TimeSplit)


def _warn_of_order(problem: str) -> None:
    if problem:
        remedy = 'take it in under that name, and the other out: proveout data drop BATCH --reason "…"'
        print(f"warning: {problem}; {remedy}", flush=True)


def latest_snapshot(ledger: "Ledger") -> Snapshot | None:
    """The snapshot that `latest` means; None while nothing was taken in."""
    newest = ledger.entries(kind="snapshot", limit=1, newest_first=True)
    return from_json(Snapshot, newest[0].body) if newest else None


# --- train ------------------------------------------------------------------------------------------------------------


def begin(settings: Settings, config: Mapping[str, Any]) -> "RunInputs":
    """What this run begins with: the snapshot that `[data]` means, the configuration, and the code as it lies there.

    Args:
        config: what `parse_config` gave.
    Raises: ConfigError, NotFound as `choose_data`; UsageError in a run that resumes one that never began.
    """
    from proveout.training import run_inputs

    if (origin := _resumed()) is not None:
        raise UsageError(
            f"Run {origin} ended before it had begun, and to resume it would take the configuration of then: "
            "start a new one: python flows/train.py run"
        )
    read = read_config(config)
    named = os.environ.get(CONFIG_FILE)
    file = Path(named) if named is not None and _says(Path(named), read) else None
    return run_inputs.record(settings, snapshot=choose_data(settings, read), config=read, config_file=file)


def _says(file: Path, config: TrainConfig) -> bool:
    try:
        return read_config(parse_config(file.read_text(encoding="utf-8"))) == config
    except (OSError, ConfigError):
        return False


def _same_inputs(settings: Settings, inputs: "RunInputs") -> None:
    """Return if the run goes on with what it began with; one that resumes another says so. Raises: InputsChanged."""
    from proveout.training import run_inputs

    run_inputs.check(settings, inputs)
    if (origin := _resumed()) is not None:
        print(f"goes on with the code and the configuration that run {origin} began with", flush=True)


def _resumed() -> str | None:
    """The id of the run that this one resumes."""
    if "metaflow" not in sys.modules:  # called by others than a flow
        return None
    from metaflow.metaflow_current import current

    origin = current.get("origin_run_id")
    return str(origin) if origin is not None else None


def choose_data(settings: Settings, config: TrainConfig) -> Snapshot:
    """The snapshot that `[data]` of train.toml means: `latest` or a digest; of it the batches that the split looks at.

    Raises: NotFound for a snapshot or a batch that is not there; ConfigError where the split does not fit the batches.
    """
    from proveout.data import snapshots, splits

    store, whole, version = open_store(settings), None, config.data.version
    if version == "latest":
        with open_ledger(settings) as ledger:
            whole = latest_snapshot(ledger)
    if whole is None:
        if version == "latest":
            raise NotFound("snapshot", "yet", "Make one: python flows/ingest.py run")
        whole = snapshots.describe(store, store.find("snapshots", version))
    needed = splits.batches_needed(config.split, [batch.name for batch in whole.batches])
    _warn_of_order(splits.order_warning(config.split, needed))
    return snapshots.extend(store, None, [batch for batch in whole.batches if batch.name in needed])


def make_features(settings: Settings, inputs: "RunInputs") -> Table:
    """The rows of the snapshot whose outcome is known, as the model sees them, with their label, batch and split."""
    _same_inputs(settings, inputs)
    rows = _split_rows(settings, inputs)
    table = _table(settings, rows)
    columns, held_out = len(table.columns) - 3, int((table[SPLIT] == HOLDOUT).sum())
    print(
        f"{len(table):,} rows with a known outcome, {held_out:,} of them held out; {columns} model columns", flush=True
    )
    return Table(parquet=_parquet(table), rows=len(table))


@dataclass(frozen=True, kw_only=True)
class _SplitRows:
    """The rows of a snapshot, in its order."""

    raw: "pd.DataFrame"
    labels: "pd.Series[Any]"  # null while unknown
    membership: "Membership"
    task: "Task"

    def learned(self) -> "NDArray[np.bool_]":
        """The rows to learn from."""
        return self.membership.train & self.labels.notna().to_numpy()

    def held_out(self) -> "NDArray[np.bool_]":
        """The rows to judge by."""
        return self.membership.holdout & self.labels.notna().to_numpy()

    def outcomes(self, rows: "NDArray[np.bool_]") -> "NDArray[Any]":
        """What happened to some of the rows whose outcome is known, in the type that the task computes with."""
        return self.task.outcomes(self.labels[rows].to_numpy())


def _split_rows(settings: Settings, inputs: "RunInputs") -> _SplitRows:
    from proveout.data import features, snapshots, splits
    from proveout.task import task as tasks

    rows = snapshots.read(open_store(settings), inputs.snapshot.digest)
    labels = features.labels(settings, rows)
    found = splits.assign(inputs.config.split, rows, event_key=features.event_key(settings), target=labels)
    return _SplitRows(raw=rows, labels=labels, membership=found, task=tasks.named(settings.task))


def _table(settings: Settings, rows: _SplitRows) -> "pd.DataFrame":
    """What the notebook is given: rows on one side of the split whose outcome is known."""
    from proveout.data import features

    learned = rows.learned()
    given = learned | rows.held_out()
    raw = rows.raw[given]
    function, name = features.load(settings), features.name(settings)
    columns = features.request_columns(settings)
    # Before the notebook, which may take hours: packing would refuse it as well.
    features.check_columns(function, raw, columns, name=name)
    table = features.compute(function, raw, columns, name=name)
    ours: dict[str, Any] = {
        settings.target_name: rows.outcomes(given),
        BATCH: raw[BATCH],
        SPLIT: [TRAIN if one else HOLDOUT for one in learned[given]],
    }
    if taken := [name for name in ours if name in table]:
        raise ConfigError(
            name,
            f"gives a column called {taken[0]}, which the notebook's table has of its own",
            "Give it another name",
        )
    return table.assign(**ours)


def _parquet(table: "pd.DataFrame") -> bytes:
    import io

    packed = io.BytesIO()
    table.to_parquet(packed, index=False)
    return packed.getvalue()


def run_notebook(settings: Settings, inputs: "RunInputs", table: Table) -> Trained:
    """Run the project's notebook on `table` and take `model` and `metrics` out of it.

    The half-executed notebook of a failure is kept in `reports/` in the project root, and the error names it.
    """
    from proveout.errors import NotebookFailed
    from proveout.training import notebook

    _same_inputs(settings, inputs)
    config = inputs.config
    reports = settings.root / "reports"
    reports.mkdir(exist_ok=True)
    path = settings.root / settings.notebook
    infrastructure = config.infrastructure
    with tempfile.TemporaryDirectory(prefix="proveout-notebook-") as temporary:
        into = Path(temporary)
        (into / "features.parquet").write_bytes(table.parquet)
        try:
            ran = notebook.run(
                path,
                parameters={**config.parameters, "features_path": str(into / "features.parquet")},
                exports=("model", "metrics"),
                into=into,
                timeout_s=infrastructure.timeout_s,
                cell_timeout_s=infrastructure.cell_timeout_s,
                threads=infrastructure.threads,
                defaults_allowed=settings.parameter_defaults == "allowed",
                progress=_tell,
            )
        except NotebookFailed as error:
            kept = reports / f"{path.stem}-failed.ipynb"
            kept.write_bytes(Path(error.executed).read_bytes())
            raise NotebookFailed(
                error.notebook, error.cell, error.source, error.problem, str(kept), error.traceback
            ) from error
        if ran.defaults:
            print(f"parameters left at the notebook's own value: {', '.join(ran.defaults)}", flush=True)
        for note in ran.notes:
            print(note, flush=True)
        return Trained(
            model=ran.exports["model"].read_bytes(),
            metrics=ran.exports["metrics"].read_text(encoding="utf-8"),
            notebook=ran.executed.read_bytes(),
            seconds=ran.seconds,
        )


def _tell(progress: Any) -> None:
    if progress.seconds is not None:
        print(f"cell {progress.cell} of {progress.cells}, {progress.seconds:4.1f} s: {progress.title[:70]}", flush=True)


def notebook_page(trained: Trained) -> str:
    """The executed notebook as one HTML page, its pictures inside: what the run's card shows."""
    import nbformat
    from nbconvert import HTMLExporter

    # Without the scripts that nbconvert's page would fetch from a content network: it opens offline, and tells nobody.
    scripts = ("mathjax", "require_js", "jquery", "jupyter_widgets_base", "mermaid_js", "mermaid_layout_elk_js")
    exporter = HTMLExporter(template_name="lab", embed_images=True, **{f"{script}_url": "" for script in scripts})
    body, _ = exporter.from_notebook_node(nbformat.reads(trained.notebook.decode(), as_version=4))
    return str(body)


def pack_bundle(settings: Settings, inputs: "RunInputs", table: Table, trained: Trained, *, run: str) -> Bundle:
    """Pack what the notebook made of `table`, put it into the store and note it in the ledger as a candidate.

    Raises: InputsChanged; BundleError if the features of the snapshot are no longer those in `table`.
    """
    from proveout.data import features, splits
    from proveout.model import packing
    from proveout.training import run_inputs

    _same_inputs(settings, inputs)
    store, config, snapshot = open_store(settings), inputs.config, inputs.snapshot
    rows = _split_rows(settings, inputs)
    _compare_tables(table.parquet, _parquet(_table(settings, rows)), settings=settings)
    columns = list(features.request_columns(settings))
    learned, held_out = rows.learned(), rows.held_out()
    metrics = json.loads(trained.metrics)
    if not isinstance(metrics, dict) or not all(isinstance(value, int | float) for value in metrics.values()):
        raise ConfigError(settings.notebook, "`metrics` is not a dict of numbers", 'Set metrics = {"auc": ...}')
    with tempfile.TemporaryDirectory(prefix="proveout-pack-") as temporary:
        model_file, executed = Path(temporary) / "model.skops", Path(temporary) / "executed.ipynb"
        lock = _lock(settings, Path(temporary))
        model_file.write_bytes(trained.model)
        executed.write_bytes(trained.notebook)
        packed = packing.pack(
            packing.PackOrder(
                model=settings.model,
                model_file=model_file,
                features=settings.features,
                root=settings.root,
                feature_files=settings.feature_files,
                notebook=settings.root / settings.notebook,
                executed=executed,
                config=config,
                snapshot=snapshot.digest,
                membership=splits.table(rows.raw[BATCH], rows.membership),
                label=settings.target_name,
                task=task_facts(settings, config.decision),
                request={name: coercion.name_of(rows.raw[name].dtype) for name in columns},
                training=rows.raw.loc[learned, columns],
                training_labels=rows.outcomes(learned),
                heldout=rows.raw.loc[held_out, columns],
                heldout_labels=rows.outcomes(held_out),
                metrics={name: float(value) for name, value in metrics.items()},
                run=run,
                git_commit=git_commit(settings.root),
                trained_at=now(),
                lock=lock,
            ),
            store,
        )
    run_inputs.check(settings, inputs)  # packing reads them again
    ledger = open_ledger(settings, create=True)
    try:
        ledger.append("bundle", packed.digest, packed, actor=actor(), reason=f"packed by {run}", at=now())
    finally:
        ledger.close()
    print(f"bundle {packed.name}, {packed.bytes / 1e6:.1f} MB", flush=True)
    if config.evaluation != settings_module.read_bounds(settings):
        print(f"note: the gate asks [evaluation] of {settings.train_config}, not of this run's file", flush=True)
    return packed


def task_facts(settings: Settings, decision: Decision) -> TaskFacts:
    """What `[decision]` of train.toml says of the project's task. Raises: ConfigError for what is another task's."""
    from proveout.task import task as tasks

    threshold, coverage = decision.threshold, decision.coverage
    if settings.task != "binary" and threshold is not None:
        problem = f"has a threshold, and the task is {settings.task}: only a binary answer has one"
        raise ConfigError("[decision] in train.toml", problem, "Take it out, or correct `task` in [tool.proveout]")
    if settings.task != "regression" and coverage is not None:
        problem = f"has a coverage, and the task is {settings.task}: only a regression answers with an interval"
        raise ConfigError("[decision] in train.toml", problem, "Take it out, or correct `task` in [tool.proveout]")
    task = tasks.named(settings.task)
    known = [name for name in task.metric_names if task.metric(name).better != "neither"]
    if decision.metric is not None and decision.metric not in known:
        problem = f"promises {decision.metric}, which is no metric of a {settings.task} task"
        if decision.metric in task.metric_names:
            problem = f"promises {decision.metric}, of which neither more nor less is better"
        raise ConfigError("[decision] in train.toml", problem, f"Name one of {', '.join(known)}")
    if settings.task == "binary":
        return TaskFacts(threshold=THRESHOLD if threshold is None else float(threshold))
    return TaskFacts(task=settings.task, coverage=None if coverage is None else float(coverage))


def _compare_tables(given: bytes, again: bytes, *, settings: Settings) -> None:
    """Return if two tables, as parquet, hold the same values, null for null. Raises: BundleError."""
    from proveout.data import features

    if given == again:
        return
    differing = table_differences(given, again)
    if differing:
        what = ", ".join(f"{column} in {cells:,} cells" for column, cells in list(differing.items())[:5])
        raise BundleError(
            features.name(settings),
            f"computed again for the same rows, the model's columns are not those that the notebook was given: {what}",
            "They may depend on the row alone: no clock, no random numbers, no file that changes; then start a new run",
        )


def table_differences(given: bytes, again: bytes) -> dict[str, int]:
    """How many cells of each column differ between two tables in parquet; a column with none is left out.

    A column that only one of the two has, or that has another type there, differs in all its cells.
    """
    import io

    import pandas as pd

    one, other = (pd.read_parquet(io.BytesIO(content)) for content in (given, again))
    found = {}
    for column in dict.fromkeys([*one.columns, *other.columns]):
        there = column in one.columns and column in other.columns and len(one) == len(other)
        if there and one[column].dtype == other[column].dtype:
            before, after = one[column].astype(object), other[column].astype(object)
            differ = int((~((before == after) | (before.isna() & after.isna()))).sum())
        else:
            differ = max(len(one), len(other))
        if differ:
            found[str(column)] = differ
    return found


def _lock(settings: Settings, into: Path) -> Path:
    """The project's requirements.lock; where it has none, what is installed here, each in the version it has."""
    from importlib.metadata import distributions

    lock = settings.root / "requirements.lock"
    if lock.is_file():
        return lock
    frozen = into / "requirements.lock"
    pinned = {f"{one.name}=={one.version}" for one in distributions() if one.name}
    frozen.write_text("".join(f"{line}\n" for line in sorted(pinned)), encoding="utf-8")
    return frozen


def archive_bundle(settings: Settings, packed: Bundle) -> bytes:
    """The bundle as one zip file, for Metaflow to keep with the run."""
    from proveout.model import packing

    return packing.archive(open_store(settings).folder("bundles", packed.digest))


def judge(settings: Settings, inputs: "RunInputs", packed: Bundle, *, checks: str | None = None) -> Verdict:
    """Run the gate, `pytest checks/`, on the candidate in a process of its own, and return what it said.

    Args:
        checks: another folder of checks than the project's own.
    Raises: InputsChanged; ProveoutError if the gate came to no verdict.
    """
    from proveout.training import gate_run

    gate_settings.refuse_overrides()
    _same_inputs(settings, inputs)
    run = gate_run.judge(gate_settings.with_checks(settings, checks), ["--candidate", packed.digest, "-q"])
    if run.verdict is None:
        raise NotApproved(packed.name, f"the gate {run.end} and came to no verdict")
    return run.verdict


def conclude(packed: Bundle, verdict: Verdict) -> None:
    """Say how it ended. Raises: NotApproved if it is not approved, so that the run fails and a scheduler notices."""
    if verdict.outcome != "approved":
        did = "refused it on" if verdict.outcome == "refused" else "never ran"
        raise NotApproved(packed.name, f"the gate {did} {', '.join(verdict.failed + verdict.unproven)}")
    print(f"approved   {packed.name}   {verdict.passed} checks passed", flush=True)
    other = f" --checks {verdict.checks_folder}" if verdict.checks_folder else ""
    print(f'next: proveout release {packed.digest[:12]} --reason "..."{other}', flush=True)


def git_commit(root: Path) -> str:
    """The commit of the checkout in `root`; "+changes" when it is dirty; "unknown" where there is no git."""
    try:
        commit = _git(root, "rev-parse", "HEAD")
        return f"{commit}+changes" if _git(root, "status", "--porcelain") else commit
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _git(root: Path, *arguments: str) -> str:
    ran = subprocess.run(["git", *arguments], cwd=root, capture_output=True, text=True, check=True)  # noqa: S607  # the user's git
    return ran.stdout.strip()
