"""The whole examination: each finding, in an order in which the first fault is the one to mend first.

Input: a folder. Output: an `Examination`, which `proveout doctor` prints.
"""

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import metadata, requires
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from proveout import gate_settings
from proveout.doctor import machine, project_code, state
from proveout.doctor.finding import Finding, look, well
from proveout.records.values import now

if TYPE_CHECKING:
    from proveout.settings import Settings

Look = Callable[[], Finding]


@dataclass(frozen=True, kw_only=True)
class Examination:
    """What was found. Without a readable project, `model` and `root` are None, and only the machine was looked at."""

    model: str | None
    root: str | None
    well: bool  # no finding is a fault
    findings: tuple[Finding, ...]


def examine(start: Path, *, tell: Callable[[str], None] = lambda _: None) -> Examination:
    """Look at the machine, and at the project that `start` lies in.

    Args:
        tell: gets the name of each thing before it is looked at.
    """
    read: list[Settings] = []

    def project() -> Finding:
        read.append(project_code.read_settings(start))
        return well("project", f"{read[0].model} in {read[0].root}")

    findings = []
    for name, at in (*_of_the_machine().items(), ("project", project)):
        tell(name)
        findings.append(look(name, at))
    settings = read[0] if read else None
    if settings is not None:
        with project_code.import_paths(settings):
            for name, at in _of_the_project(settings):
                tell(name)
                findings.append(look(name, at))
    return Examination(
        model=settings.model if settings else None,
        root=str(settings.root) if settings else None,
        well=all(finding.state != "fault" for finding in findings),
        findings=tuple(findings),
    )


def _of_the_machine() -> Mapping[str, Look]:
    asked = metadata("proveout")["Requires-Python"]
    return {
        "python": lambda: machine.python(platform.python_version(), asked=asked),
        "packages": lambda: machine.dependencies(requires("proveout") or (), installed=machine.installed),
    }


def _of_the_project(settings: "Settings") -> Iterator[tuple[str, Look]]:
    yield "extras", lambda: machine.extras(_extras(settings), found=lambda module: find_spec(module) is not None)
    yield "environment", lambda: project_code.environment(gate_settings.overridden())
    yield "files", lambda: project_code.files(settings)
    yield "code", lambda: project_code.code(settings)
    yield "schema", lambda: project_code.schema(settings)
    yield "train.toml", lambda: project_code.configuration(settings)
    yield "source", lambda: project_code.source(settings)
    yield "notebook", lambda: project_code.notebook(settings)
    yield "imports", lambda: project_code.imports(settings)
    yield "kernel", lambda: machine.kernel((settings.root / settings.notebook).parent)
    yield "disk", lambda: machine.disk(machine.free_bytes(settings.state_dir), folder=settings.state_dir)
    yield "state", lambda: state.state_folder(settings)
    yield "metaflow", lambda: state.datastore(settings, os.environ)
    yield "ledger", lambda: state.ledger(settings)
    yield (
        "clock",
        lambda: machine.clock(
            time.time(), newest_s=state.newest_entry_s(settings), file_s=machine.file_clock(settings.state_dir)
        ),
    )
    yield "keys", lambda: state.keys(settings)
    yield "champion", lambda: state.champion(settings, at=now())
    yield "port", lambda: state.port(settings)


def _extras(settings: "Settings") -> Iterator[tuple[str, str, str]]:
    if str(settings.ledger).startswith("postgres"):
        yield "postgres", "psycopg", "the ledger's address"
    if settings.store.startswith("s3://"):
        yield "s3", "boto3", "the store's address"
    if settings.alert_urls:
        yield "alerts", "apprise", "alert_urls"
