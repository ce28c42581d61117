"""The steps of flows/train.py: inputs, features, notebook, bundle, checks, verdict.

Input: the settings, a configuration and the records of the previous step. Output: a record of plain values, or bytes,
which Metaflow versions. It uses Metaflow only for the running flow, and nbconvert for the notebook's page.
"""

import json
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout import gate_settings
from proveout import settings as settings_module
from proveout.data.splits import BATCH, HOLDOUT, SPLIT
from proveout.errors import ConfigError, NotApproved, NotFound, UsageError
from proveout.project import actor, open_ledger, open_store
from proveout.records.bundle import Bundle
from proveout.records.snapshot import Snapshot
from proveout.records.train_config import NotebookSplit, TrainConfig
from proveout.records.values import now
from proveout.records.verdict import Verdict
from proveout.schema import coercion
from proveout.settings import Settings
from proveout.training import recorded_notebook
from proveout.training.code_version import git_commit, requirements_lock
from proveout.training.config import parse_config, read_config
from proveout.training.flow_setup import CONFIG_FILE
from proveout.training.ingest_steps import latest_snapshot, warn_of_order
from proveout.training.notebook_table import Table, as_parquet, compare_tables, raw_table, split_rows, table_of
from proveout.training.recorded_notebook import RecordedRun
from proveout.training.task_facts import task_facts

if TYPE_CHECKING:
    import pandas as pd

    from proveout.model.packing import PackOrder
    from proveout.training.notebook import NotebookRun
    from proveout.training.notebook_table import SplitRows
    from proveout.training.run_inputs import RunInputs


@dataclass(frozen=True, kw_only=True)
class RecoveredFeatures:
    """What a recorded run has left beside the model."""

    function: str  # in the module
    module: bytes
    state: Mapping[str, bytes]  # the files in `state/` beside it
    sides: bytes  # Parquet: the side of each row of the snapshot


@dataclass(frozen=True, kw_only=True)
class Trained:
    """The results of the notebook."""

    model: bytes  # skops
    metrics: str  # JSON
    notebook: bytes  # executed
    seconds: float
    recovered: "RecoveredFeatures | None" = None  # of an adopted notebook


def begin(settings: Settings, config: Mapping[str, Any]) -> "RunInputs":
    """The inputs of this run: the snapshot that `[data]` means, the configuration, and the digests of the code.

    Args:
        config: the result of `parse_config`.
    Raises: ConfigError, NotFound as in `choose_data`; UsageError if this run resumes one that never began.
    """
    from proveout.training import run_inputs

    if (origin := _resumed()) is not None:
        raise UsageError(
            f"Run {origin} ended before its first step finished, so it cannot be resumed with its configuration. "
            "Start a new one: python flows/train.py run"
        )
    read = read_config(config)
    _check_split(settings, read)
    named = os.environ.get(CONFIG_FILE)
    file = Path(named) if named is not None and _says(Path(named), read) else None
    return run_inputs.record(settings, snapshot=choose_data(settings, read), config=read, config_file=file)


def _check_split(settings: Settings, config: TrainConfig) -> None:
    """Return if the split is the notebook's own exactly where the notebook is adopted. Raises: ConfigError."""
    own = isinstance(config.split, NotebookSplit)
    where = f"[split] of {settings.train_config}"
    if own and settings.adopted is None:
        problem = 'kind "notebook" is for an adopted notebook, whose run says which rows it held out'
        raise ConfigError(where, problem, 'Choose kind = "random", "time", "group" or "column"')
    if settings.adopted is not None and not own:
        problem = (
            f'the notebook is adopted ({settings.adopted}) and splits its rows itself, not by "{config.split.kind}"'
        )
        raise ConfigError(where, problem, 'Write kind = "notebook"')


def _says(file: Path, config: TrainConfig) -> bool:
    try:
        return read_config(parse_config(file.read_text(encoding="utf-8"))) == config
    except (OSError, ConfigError):
        return False


def _same_inputs(settings: Settings, inputs: "RunInputs") -> None:
    """Return if the run's inputs are unchanged; a resumed run prints a note. Raises: InputsChanged."""
    from proveout.training import run_inputs

    run_inputs.check(settings, inputs)
    if (origin := _resumed()) is not None:
        print(f"continues with the code and configuration of run {origin}", flush=True)


def _resumed() -> str | None:
    """The id of the run that this one resumes; None if it resumes none."""
    if "metaflow" not in sys.modules:  # not called from a flow
        return None
    from metaflow.metaflow_current import current

    origin = current.get("origin_run_id")
    return str(origin) if origin is not None else None


def choose_data(settings: Settings, config: TrainConfig) -> Snapshot:
    """The snapshot that `[data]` of train.toml means, `latest` or a digest, with the batches that the split uses.

    Raises: NotFound for a missing snapshot or batch; ConfigError if the split does not fit the batches.
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
    warn_of_order(splits.order_warning(config.split, needed))
    return snapshots.extend(store, None, [batch for batch in whole.batches if batch.name in needed])


def make_features(settings: Settings, inputs: "RunInputs") -> Table:
    """The snapshot's rows with a known outcome: the model's columns, the label, the batch and the side of the split."""
    _same_inputs(settings, inputs)
    if settings.adopted is not None:
        raw = raw_table(settings, inputs)
        print(f"{len(raw):,} raw rows, which the adopted notebook prepares and splits itself", flush=True)
        return Table(parquet=as_parquet(raw), rows=len(raw))
    rows = split_rows(settings, inputs)
    table = table_of(settings, rows)
    columns, held_out = len(table.columns) - 3, int((table[SPLIT] == HOLDOUT).sum())
    print(
        f"{len(table):,} rows with a known outcome, {held_out:,} of them held out; {columns} model columns", flush=True
    )
    return Table(parquet=as_parquet(table), rows=len(table))


def run_notebook(settings: Settings, inputs: "RunInputs", table: Table) -> Trained:
    """Run the project's notebook on `table` and export `model` and `metrics` from it; or recover them, if adopted.

    If it fails, the half-executed notebook is kept in `reports/` in the project root, and the error names it.
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
        given = into / "features.parquet"
        given.write_bytes(table.parquet)
        adopted = recorded_notebook.read(settings)
        own = {"features_path": str(given)} if adopted is None else {}
        try:
            ran = notebook.run(
                path,
                parameters={**config.parameters, **own},
                exports=("model", "metrics") if adopted is None else (),
                into=into,
                timeout_s=infrastructure.timeout_s,
                cell_timeout_s=infrastructure.cell_timeout_s,
                threads=infrastructure.threads,
                defaults_allowed=settings.parameter_defaults == "allowed",
                recorded=None if adopted is None else RecordedRun(adopted=adopted, rows=given, root=settings.root),
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
        if ran.recovered is not None:
            return _recovered(settings, ran, into)
        return Trained(
            model=ran.exports["model"].read_bytes(),
            metrics=ran.exports["metrics"].read_text(encoding="utf-8"),
            notebook=ran.executed.read_bytes(),
            seconds=ran.seconds,
        )


def _recovered(settings: Settings, ran: "NotebookRun", folder: Path) -> Trained:
    from proveout.recovery import handover

    found = ran.recovered
    assert found is not None
    assert found.handed is not None
    if found.handed.note:
        print(found.handed.note, flush=True)
    recorded_notebook.check_learned(settings, folder)
    others = recorded_notebook.other_outcomes(settings, folder)
    if others:
        what = "held-out rows have another outcome in the notebook than by the project's target"
        print(f"{others:,} {what}: its metrics keep names of their own, pilot_...", flush=True)
    state = {name: (folder / handover.STATE / name).read_bytes() for name in found.handed.state}
    return Trained(
        model=(folder / handover.MODEL).read_bytes(),
        metrics=json.dumps(dict(recorded_notebook.metrics(found, comparable=not others))),
        notebook=ran.executed.read_bytes(),
        seconds=ran.seconds,
        recovered=RecoveredFeatures(
            function=found.handed.function,
            module=(folder / handover.FEATURES).read_bytes(),
            state=state,
            sides=(folder / handover.SIDES).read_bytes(),
        ),
    )


def _tell(progress: Any) -> None:
    if progress.seconds is not None:
        print(f"cell {progress.cell} of {progress.cells}, {progress.seconds:4.1f} s: {progress.title[:70]}", flush=True)


def notebook_page(trained: Trained) -> str:
    """The executed notebook as one HTML page with its pictures, for the run's card."""
    import nbformat
    from nbconvert import HTMLExporter

    # Without the scripts that nbconvert's page would load from a CDN: it opens offline and makes no requests.
    scripts = ("mathjax", "require_js", "jquery", "jupyter_widgets_base", "mermaid_js", "mermaid_layout_elk_js")
    exporter = HTMLExporter(template_name="lab", embed_images=True, **{f"{script}_url": "" for script in scripts})
    body, _ = exporter.from_notebook_node(nbformat.reads(trained.notebook.decode(), as_version=4))
    return str(body)


def pack_bundle(settings: Settings, inputs: "RunInputs", table: Table, trained: Trained, *, run: str) -> Bundle:
    """Pack the notebook's results, put the bundle into the store and record it in the ledger as a candidate.

    Raises: InputsChanged; BundleError if the features of the snapshot no longer equal those in `table`.
    """
    from proveout.model import packing
    from proveout.training import run_inputs

    _same_inputs(settings, inputs)
    store, config = open_store(settings), inputs.config
    rows = packed_rows(settings, inputs, trained)
    if trained.recovered is None:
        compare_tables(table.parquet, as_parquet(table_of(settings, rows)), settings=settings)
    with tempfile.TemporaryDirectory(prefix="proveout-pack-") as temporary:
        packed = packing.pack(pack_order(settings, inputs, rows, trained, into=Path(temporary), run=run), store)
    run_inputs.check(settings, inputs)  # packing reads them again
    ledger = open_ledger(settings, create=True)
    try:
        ledger.append("bundle", packed.digest, packed, actor=actor(), reason=f"packed by {run}", at=now())
    finally:
        ledger.close()
    print(f"bundle {packed.name}, {packed.bytes / 1e6:.1f} MB", flush=True)
    if config.evaluation != settings_module.read_bounds(settings):
        print(f"note: the gate uses [evaluation] of {settings.train_config}, not of this run's file", flush=True)
    return packed


def packed_rows(settings: Settings, inputs: "RunInputs", trained: Trained) -> "SplitRows":
    """The rows of the run's snapshot, on the sides of the split that the notebook was given, or chose itself."""
    return split_rows(settings, inputs, None if trained.recovered is None else _sides(trained.recovered))


def pack_order(
    settings: Settings, inputs: "RunInputs", rows: "SplitRows", trained: Trained, *, into: Path, run: str
) -> "PackOrder":
    """What is packed of a run; the files that it names are written into the folder `into`.

    Raises: ConfigError if the notebook's metrics are not numbers.
    """
    from proveout.data import features, splits
    from proveout.model import packing

    config = inputs.config
    columns = list(features.request_columns(settings))
    learned, held_out = rows.learned(), rows.held_out()
    metrics = json.loads(trained.metrics)
    if not isinstance(metrics, dict) or not all(isinstance(value, int | float) for value in metrics.values()):
        raise ConfigError(settings.notebook, "`metrics` is not a dict of numbers", 'Set metrics = {"auc": ...}')
    model_file, executed = into / "model.skops", into / "executed.ipynb"
    lock = requirements_lock(settings, into)
    model_file.write_bytes(trained.model)
    executed.write_bytes(trained.notebook)
    code = _code(settings, trained.recovered, into)
    return packing.PackOrder(
        model=settings.model,
        model_file=model_file,
        features=code.features,
        root=code.root,
        feature_files=code.files,
        notebook=settings.root / settings.notebook,
        executed=executed,
        config=config,
        snapshot=inputs.snapshot.digest,
        membership=splits.table(rows.raw[BATCH], rows.membership),
        label=settings.target_name,
        task=task_facts(settings, config.decision),
        request={name: coercion.name_of_column(rows.raw[name]) for name in columns},
        training=rows.raw.loc[learned, columns],
        training_labels=rows.outcomes(learned),
        heldout=rows.raw.loc[held_out, columns],
        heldout_labels=rows.outcomes(held_out),
        metrics={name: float(value) for name, value in metrics.items()},
        run=run,
        git_commit=git_commit(settings.root),
        trained_at=now(),
        lock=lock,
        metrics_seen=trained.recovered is not None,
    )


@dataclass(frozen=True, kw_only=True)
class _FeatureCode:
    """Where the features of a run are: the project's own, or those that were recovered."""

    features: str | None
    root: Path
    files: tuple[str, ...]


def _code(settings: Settings, recovered: RecoveredFeatures | None, temporary: Path) -> _FeatureCode:
    if recovered is None:
        return _FeatureCode(features=settings.features, root=settings.root, files=settings.feature_files)
    from proveout.recovery import handover

    root = temporary / "recovered"
    (root / handover.STATE).mkdir(parents=True)
    (root / handover.FEATURES).write_bytes(recovered.module)
    files = tuple(f"{handover.STATE}/{name}" for name in recovered.state)
    for name, content in zip(files, recovered.state.values(), strict=True):
        (root / name).write_bytes(content)
    return _FeatureCode(features=f"{handover.FEATURES}:{recovered.function}", root=root, files=files)


def _sides(recovered: RecoveredFeatures) -> "pd.Series[Any]":
    import io

    import pandas as pd

    return pd.read_parquet(io.BytesIO(recovered.sides))[SPLIT]


def archive_bundle(settings: Settings, packed: Bundle) -> bytes:
    """The bundle as one zip file, which Metaflow stores with the run."""
    from proveout.model import packing

    return packing.archive(open_store(settings).folder("bundles", packed.digest))


def judge(settings: Settings, inputs: "RunInputs", packed: Bundle, *, checks: str | None = None) -> Verdict:
    """Run the gate, `pytest checks/`, on the candidate in a separate process, and return its verdict.

    Args:
        checks: a folder of checks to use instead of the project's own.
    Raises: InputsChanged; ProveoutError if the gate wrote no verdict.
    """
    from proveout.training import gate_run

    gate_settings.refuse_overrides()
    _same_inputs(settings, inputs)
    run = gate_run.judge(gate_settings.with_checks(settings, checks), ["--candidate", packed.digest, "-q"])
    if run.verdict is None:
        raise NotApproved(packed.name, f"the gate {run.end} before its verdict")
    return run.verdict


def conclude(packed: Bundle, verdict: Verdict) -> None:
    """Print the result. Raises: NotApproved if it is not approved, so that the run fails and a scheduler notices."""
    if verdict.outcome != "approved":
        did = "refused it on" if verdict.outcome == "refused" else "never ran"
        raise NotApproved(packed.name, f"the gate {did} {', '.join(verdict.failed + verdict.unproven)}")
    print(f"approved   {packed.name}   {verdict.passed} checks passed", flush=True)
    other = f" --checks {verdict.checks_folder}" if verdict.checks_folder else ""
    print(f'next: proveout release {packed.digest[:12]} --reason "..."{other}', flush=True)
