"""The settings of a project: `[tool.proveout]` in pyproject.toml, overridden by `PROVEOUT_*` in the environment.

Input: a directory. Output: `Settings`, read once by a host (flow, plugin, server, monitor, cli) and passed on
as values; and the user's own objects, named `path:object` and loaded by path, so that they are found from any
working directory and inside a container. Only importer of pydantic-settings.
"""

import importlib.util
import math
import os
import re
import sys
import tomllib
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal, Self
from urllib.parse import unquote

from pydantic import Field, StringConstraints, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from proveout.errors import ConfigError
from proveout.records.answer import TaskName

_OBJECT = re.compile(r"^[^:]+\.py:[A-Za-z_][A-Za-z0-9_]*$")
_TABLE = re.compile(r"[*?\[]|\.(csv|parquet)\b", re.IGNORECASE)
Named = Annotated[str, StringConstraints(pattern=_OBJECT.pattern)]
"""An object of the user's own code: `path/from/root.py:object`."""


Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^/\s]+)$")]
"""An origin as browsers send it: scheme, host, and the port if it is not the default; no path, no slash at the end."""

WEEK_S = 7 * 86_400.0


class Settings(BaseSettings):
    """`[tool.proveout]`, each field overridable as `PROVEOUT_<FIELD>`. Unknown keys are refused.

    Every number has bounds: a value beyond them would crash later, or switch off a guard by mistake.
    """

    model_config = SettingsConfigDict(env_prefix="PROVEOUT_", frozen=True, extra="forbid", allow_inf_nan=False)

    root: Path = Field(description="the folder with the project's pyproject.toml; found, not set")
    model: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]*$")] = Field(
        description="the model's name: small letters, digits, dashes"
    )
    task: TaskName = Field(
        default="binary", description="kind of prediction: true or false, one of several classes, or a number"
    )
    target_unit: str | None = Field(default=None, description="unit of a numeric answer, shown in reasons")
    # the user's own code
    source: str = Field(
        min_length=1,
        description="`path:function`, `(batch name, guarded tables)` to a DataFrame of raw rows, or KeyError; or a "
        "path, glob or URL of CSV or Parquet files, each one batch",
    )
    batches: tuple[str, ...] = Field(
        default=(),
        description="batches that `flows/ingest.py run` reads from a `source` function; files need none",
    )
    reference_source: Named | None = Field(default=None, description="`(table name, batch name)` to a DataFrame")
    reference_schemas: Named | None = Field(default=None, description="pandera model of each reference table, by name")
    batch_schema: Named | None = Field(
        default=None, description="pandera model of a raw batch; without one, the request schema for its columns"
    )
    request_schema: Named = Field(description="pandera model of one request")
    features: Named | None = Field(
        default=None,
        description="DataFrame of request columns to DataFrame of model columns; without it, the same columns",
    )
    feature_files: tuple[str, ...] = Field(
        default=(),
        description="files that `features` reads, in the folder of its code or below; they are packed with it",
    )
    target: str = Field(
        min_length=1,
        description="what is predicted: a raw column, or `path:function`, DataFrame of raw rows to a Series; null "
        "while unknown. Tables and answers use its name, and a class of the model may have it too",
    )
    event_key: tuple[str, ...] = Field(
        default=(), description="request fields that name one event: joins its outcome; without any, all of them do"
    )
    fallback: Named | None = Field(
        default=None,
        description="request record to an answer, when no model answers: see `task`; without it, none",
    )
    actions: Named | None = Field(
        default=None, description="`(answer)` to the recommended action; its value is None if there is no answer"
    )
    notebook: str = Field(description="the pilot")
    adopted: str | None = Field(
        default=None,
        description="what `proveout adopt` wrote of the notebook, which then reads and prepares the raw rows itself; "
        "without it, the notebook is given the columns that `features` computes",
    )
    train_config: str = Field(
        default="flows/train.toml", description="the configuration of a run; the gate's bounds are its `[evaluation]`"
    )
    parameter_defaults: Literal["forbidden", "allowed"] = Field(
        default="forbidden",
        description="whether train.toml may omit a parameter of the notebook, which then keeps its default",
    )
    # the guard
    max_rejected_share: float = Field(
        default=0.02, ge=0, le=0.5, description="largest share of bad rows in a batch; above it, the batch is refused"
    )
    # the gate
    checks: str = Field(default="checks", description="the folder of the checks")
    edge_cases: str = Field(default="checks/edge_cases.yaml", description="the edge cases")
    required_checks: tuple[str, ...] = Field(
        default=("checks",),
        min_length=1,
        description="pytest node ids, or prefixes of them: every check they match must pass",
    )
    approval_days: int = Field(default=90, ge=1, le=731, description="days that an approval is valid")
    waivers: str = Field(default="checks/waivers.yaml", description="checks that may fail: by whom, why, until when")
    max_newer_batches: int = Field(
        default=6, ge=0, le=1_000, description="more batches than this after the held-out one, and the holdout is stale"
    )
    holdout_alpha: float = Field(
        default=0.1,
        gt=0,
        le=1,
        description="warn above this chance that some candidate on the same held-out rows passes by luck",
    )
    required_approvals: int = Field(
        default=0, ge=0, le=10, description="persons who must approve a bundle after the gate"
    )
    approvers_dir: str = Field(default="approvers", description="folder of their public keys, `NAME.pub` each")
    attestations: str = Field(
        default="checks/attestations.yaml",
        description="statements for `proveout score` that a person signs off, each until a day",
    )
    cost_function: Named | None = Field(
        default=None, description="`(answer, outcome)` to the cost of the answer, for `proveout replay`"
    )
    # the server
    host: str = Field(default="127.0.0.1", description="address and port the server listens on")
    port: int = Field(default=8080, ge=0, le=65535, description="address and port the server listens on")
    deadline_s: float = Field(
        default=0.5, gt=0, le=60, description="every request is answered within this time, by a fallback if necessary"
    )
    max_body_bytes: int = Field(
        default=65_536, ge=1_024, le=2**30, description="largest request body; a larger one is refused"
    )
    worker_timeout_s: float = Field(
        default=5.0, gt=0, le=600, description="kill a worker that has not finished one batch after this long"
    )
    api_processes: int = Field(default=1, ge=1, le=64, description="number of processes that accept requests")
    auth: Literal["auto", "on", "off"] = Field(
        default="auto", description="require API keys; `auto`: only if the server listens beyond this machine"
    )
    cors_origins: tuple[Origin, ...] = Field(
        default=(),
        description="origins whose pages may send requests from a browser (CORS): "
        '`["https://desk.example"]`, or `["*"]`',
    )
    max_batch_rows: int = Field(default=1_000, ge=1, le=1_000_000, description="most rows in one `/predict/batch`")
    on_overload: Literal["shed", "fallback"] = Field(
        default="shed",
        description="when the model cannot answer all in time: `shed` answers 503, `fallback` answers by rules",
    )
    breaker_reset_s: float = Field(
        default=2.0,
        gt=0,
        le=3_600,
        description="seconds after which one request tries a failing release again",
    )
    cache_ttl_s: float = Field(
        default=0.0, ge=0, le=WEEK_S, description="serve cached answers up to this age; 0 disables the cache"
    )
    stale_if_error_s: float = Field(
        default=300.0, ge=0, le=WEEK_S, description="when the model fails, serve its last answer up to this age"
    )
    cache_size: int = Field(default=10_000, ge=0, le=10_000_000, description="answers each API process keeps in memory")
    background_cpu_share: float = Field(
        default=0.25,
        gt=0,
        le=1,
        description="share of the worker's time for explanations and shadows while requests wait",
    )
    durability: Literal["process", "power"] = Field(
        default="process",
        description="what logged answers survive: `process`, a killed process; `power`, also a power failure (fsync)",
    )
    on_log_failure: Literal["answer", "refuse"] = Field(
        default="answer",
        description="when the log cannot be written: `answer` and keep the log in memory, or `refuse` with 503",
    )
    # the canary
    canary_mode: Literal["auto", "advise"] = Field(
        default="auto", description="`auto`: promote or roll back a canary by its verdict; `advise`: only report it"
    )
    canary_min_answers: int = Field(
        default=500, ge=1, le=10_000_000, description="minimum number of answers before a canary may be promoted"
    )
    canary_alpha: float = Field(
        default=0.01, ge=1e-6, le=0.5, description="probability that a canary as good as the champion is rolled back"
    )
    canary_margin: float = Field(
        default=0.02, gt=0, lt=1, description="how much worse, as a share of answers, a canary may be and be promoted"
    )
    # the monitor
    drift_alpha: float = Field(
        default=0.01, ge=1e-6, le=0.5, description="probability of a false alarm among all drift tests of a window"
    )
    risk_alpha: float = Field(
        default=0.05,
        ge=1e-6,
        le=0.5,
        description="probability that a bundle which is no worse than on its held-out rows is ever reported as worse",
    )
    drift_mode: Literal["batch", "stream"] = Field(
        default="batch",
        description="`batch`: alarm where the window differs from the training rows; `stream`: where a day differs "
        "from the days before it more than days do",
    )
    drift_budget_days: float = Field(
        default=30.0, ge=2, le=1_000, description="`stream`: one false page in so many days, on average"
    )
    drift_cycle: Literal["none", "year"] = Field(
        default="none", description="`stream`: whether requests change with the season of the year"
    )
    event_date: tuple[str, ...] = Field(
        default=(),
        max_length=3,
        description="request columns that date an event: one with a date, or year, month and day; without, the time of "
        "the answer does. Rows of one day are alike: the monitor counts days, not rows",
    )
    alert_urls: tuple[str, ...] = Field(default=(), description="apprise addresses; keep them in the environment")
    # where state lives
    state: Path | None = Field(default=None, description="the state folder, relative to the root; `.proveout` there")
    ledger_url: str | None = Field(
        default=None, description="SQLAlchemy URL, its path relative to the root; SQLite in the state folder"
    )
    store_url: str | None = Field(
        default=None, description="a folder, relative to the root, or `s3://bucket/prefix`; `store` in the state folder"
    )

    @model_validator(mode="after")
    def _feature_files_can_be_packed(self) -> Self:
        # Relative to the code is how it finds them in the project and in the bundle: elsewhere it would not.
        if self.features is None and self.feature_files:
            raise ValueError("feature_files: no code reads them, for there is no setting `features`")
        beside = PurePosixPath((self.features or "").partition(":")[0]).parent
        for name in self.feature_files:
            file = PurePosixPath(name)
            if not file.is_relative_to(beside) or ".." in file.parts:
                raise ValueError(f"feature_files: {name} has to lie in {beside}/ or below, with the code that reads it")
            if file.suffix == ".py" or file == beside / "notebook.ipynb":
                raise ValueError(
                    f"feature_files: {name} is code: keep features in one file, or install it as a package"
                )
            if not (self.root / file).is_file():
                raise ValueError(f"feature_files: there is no file {name} in {self.root}")
        return self

    @field_validator("event_date")
    @classmethod
    def _a_date_has_one_or_three_columns(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(value) == 2:
            raise ValueError("a date is one column, or year, month and day")
        return value

    @field_validator("source")
    @classmethod
    def _source_is_code_or_files(cls, value: str) -> str:
        if not is_object(value) and not _TABLE.search(value):
            raise ValueError(
                f"{value} is neither path/from/root.py:function nor CSV or Parquet files, such as data/*.csv"
            )
        return value

    @field_validator("state", "ledger_url", "store_url", mode="before")
    @classmethod
    def _unset(cls, value: Any) -> Any:
        # If CI does not have a secret, its variable is empty.
        return None if value == "" else value

    # Relative paths are relative to the root, because flows, cron jobs and servers have different working directories.

    @property
    def target_name(self) -> str:
        """The name of the target in tables and answers: the column, or the function's name."""
        return self.target.rpartition(":")[2]

    @property
    def state_dir(self) -> Path:
        return self.root / (self.state or ".proveout")

    @property
    def ledger(self) -> str | Path:
        """SQLAlchemy URL of the ledger, or the SQLite file as a path, because a path in a URL would need quoting."""
        if self.ledger_url is None:
            return self.state_dir / "ledger.db"
        relative = re.fullmatch(r"sqlite(?:\+pysqlite)?:///(?!/|:memory:|file:)([^?]+)", self.ledger_url)
        return self.root / unquote(relative[1]) if relative else self.ledger_url

    @property
    def store(self) -> str:
        """Folder or `s3://` address of snapshots and bundles."""
        if self.store_url is None:
            return str(self.state_dir / "store")
        return self.store_url if "://" in self.store_url else str(self.root / self.store_url)

    @property
    def journal_dir(self) -> Path:
        return self.state_dir / "journal"

    @property
    def keys_dir(self) -> Path:
        return self.state_dir / "keys"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        # The values in the file arrive as init arguments (see `load`): the environment overrides them.
        return env_settings, init_settings


def find_root(start: Path | None = None) -> Path:
    """The nearest folder at or above `start` whose pyproject.toml has `[tool.proveout]`.

    `PROVEOUT_ROOT` in the environment overrides the search. Raises: ConfigError if there is none.
    """
    named = os.environ.get("PROVEOUT_ROOT")
    here = Path(named or start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        file = folder / "pyproject.toml"
        if file.is_file() and "proveout" in _read_toml(file).get("tool", {}):
            return folder
    raise ConfigError(
        str(here),
        "neither this folder nor one above it has a pyproject.toml with [tool.proveout]",
        "Go to the project, set PROVEOUT_ROOT, or make a project: proveout init DIR",
    )


def load(start: Path | None = None) -> Settings:
    """The settings of the project that `start` (default: the working directory) lies in.

    Raises: ConfigError, naming each setting that is missing, unknown or out of range.
    """
    root, environment = find_root(start), {k: v for k, v in os.environ.items() if k.startswith("PROVEOUT_")}
    return _load(root, tuple(sorted(environment.items())), (root / "pyproject.toml").stat().st_mtime_ns)


@lru_cache(maxsize=8)
def _load(root: Path, environment: tuple[tuple[str, str], ...], written_ns: int) -> Settings:
    # The last two are only part of the cache's key: if a variable or the file changes, the settings are read again.
    return _read(root)


def said_in_file(root: Path) -> Settings:
    """The settings in pyproject.toml in `root`, without the environment. Raises: as `load`."""
    return _read(root, _env_prefix="no variable begins like this ")


def _read(root: Path, **how: Any) -> Settings:
    file = root / "pyproject.toml"
    try:
        return Settings(**{"root": root, **_read_toml(file)["tool"]["proveout"]}, **how)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"[tool.proveout] in {file}", problems, "docs/settings.md lists each setting") from error


def read_bounds(settings: Settings) -> dict[str, str | int | float | bool]:
    """The bounds that the gate uses now, by name: `[evaluation]` of the project's train.toml; none without that file.

    Raises: ConfigError if the table is missing, or a bound is not a finite number, text, true or false.
    """
    file = settings.root / settings.train_config
    if not file.is_file():
        return {}
    table = _read_toml(file).get("evaluation")
    if not isinstance(table, dict):
        raise ConfigError(str(file), "has no table [evaluation]", "Add it, with the bounds that the checks ask for")
    for name, value in table.items():
        # A verdict stores them as JSON, which has no infinity, so an infinite bound could not be compared with the
        # file.
        if not isinstance(value, str | int | float) or (isinstance(value, float) and not math.isfinite(value)):
            problem = f"[evaluation] {name} = {value} is no finite number, text, true or false"
            raise ConfigError(str(file), problem, "Write what the checks ask for as one value")
    return table


def _read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # some editors begin a file with a mark
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(file), f"is not TOML: {error}", "Correct the line it names") from error


def is_object(name: str) -> bool:
    """Whether a setting names an object of the user's code, `path/from/root.py:object`, instead of a column or a file.

    >>> is_object("flows/source.py:read"), is_object("data/*.csv"), is_object("s3://bucket/a.csv"), is_object("price")
    (True, False, False, False)
    """
    return _OBJECT.match(name) is not None


def load_object(name: str, root: Path) -> Any:
    """The object that `path/from/root.py:object` names, its file loaded by path.

    The same file is loaded once per process. Raises: ConfigError if the file or the object is missing.
    """
    path, _, attribute = name.partition(":")
    module = load_module(root / path)
    try:
        return getattr(module, attribute)
    except AttributeError as error:
        raise ConfigError(name, f"{path} has no `{attribute}`", "Correct the name in [tool.proveout]") from error


def load_module(file: Path) -> Any:
    """The module in `file`, loaded by path and once per process. Raises: ConfigError if there is no such file."""
    file = file.resolve()
    # The module's name contains the whole path, so that the `schemas.py` of two projects (as in tests) are two modules.
    name = "proveout_user_" + re.sub(r"\W", "_", str(file))
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None or not file.is_file():
        raise ConfigError(str(file), "is not there, or is not a Python file", "Correct the path in [tool.proveout]")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
