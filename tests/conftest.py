"""Fixtures shared by the tests: a project trained once, by its real flows, in a state folder of its own."""

import fcntl
import gc
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import doc_blocks
import pytest
import real_postgres
from hypothesis import settings as hypothesis_settings
from reference_project import FEW_CHECKS, ROOT, LaidOut, Project

if TYPE_CHECKING:
    from gate_toy import Gate
    from tiny_project import Project as TinyProject

collect_ignore = ["few_checks"]  # unless they are asked for by name
# Five test processes share two cores: threads that spin while they wait for each other would take them from the rest.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Plugins that no check uses, for the gates of other projects too: they cost each of many runs a second or two.
os.environ.setdefault("PYTEST_ADDOPTS", "-p no:schemathesis -p no:typeguard -p no:anyio")
# How long an example takes is the machine's business, 200 ms by default. The rest is as the machine has it.
hypothesis_settings.register_profile("any machine", hypothesis_settings(), deadline=None)
hypothesis_settings.load_profile("any machine")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes first, then what waits: one that began last would keep one process busy and three idle."""
    places = {"long": 0, "live": 1}
    items.sort(key=lambda item: min((places.get(mark.name, 2) for mark in item.iter_markers()), default=2))


def pytest_collection_finish() -> None:
    """Thousands of collected tests live to the end: the search for reference cycles passes over them from here on."""
    gc.freeze()


@pytest.fixture(scope="session")
def ingested_by_commands(tmp_path_factory: pytest.TempPathFactory) -> LaidOut:
    """The README's project after its first two commands: the months of January to May, taken in by flows/ingest.py."""
    made = LaidOut(_shared(tmp_path_factory) / "ingested")
    with _once(made.folder) as missing:
        if missing:
            made.folder.mkdir()
            made.type(doc_blocks.INIT)
            made.type(doc_blocks.INGEST)
    return made


@pytest.fixture(scope="session")
def trained_by_commands(ingested_by_commands: LaidOut, tmp_path_factory: pytest.TempPathFactory) -> LaidOut:
    """And after the third: with a candidate that the gate has approved by a few checks."""
    made = LaidOut(_shared(tmp_path_factory) / "trained")
    with _once(made.folder) as missing:
        if missing:
            ingested_by_commands.copy(made.folder)
            not_code = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / FEW_CHECKS, made.root / FEW_CHECKS, ignore=not_code)
            made.type(doc_blocks.TRAIN, "--checks", FEW_CHECKS)
    return made


@pytest.fixture(scope="session")
def ingested(ingested_by_commands: LaidOut, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The project of this repository, with the months of January to May."""
    return Project(ingested_by_commands.root / ".proveout").copy(tmp_path_factory.mktemp("project") / "state")


@pytest.fixture(scope="session")
def trained(ingested: Project, trained_by_commands: LaidOut) -> Project:
    """The project with a candidate that the gate has approved."""
    shutil.copytree(trained_by_commands.root / ".proveout", ingested.state, dirs_exist_ok=True)
    return ingested


@pytest.fixture(scope="session")
def adopted_pilot(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder in which examples/pilot.ipynb was adopted into `cancer`, and what that printed. Its server ended."""
    folder = _shared(tmp_path_factory) / "adopted"
    with _once(folder) as missing:
        if missing:
            folder.mkdir()
            (folder / "examples").symlink_to(ROOT / "examples")
            environment = {k: v for k, v in os.environ.items() if not k.startswith(("PROVEOUT_", "METAFLOW_"))}
            ran = subprocess.run(
                [sys.executable, "-m", *doc_blocks.ADOPT.split()],
                cwd=folder, env=environment, capture_output=True, text=True, timeout=1_500, check=False,
            )  # fmt: skip
            live = re.search(r"^live at .* kill (\d+)$", ran.stdout, flags=re.M)
            assert live is not None, ran.stdout + ran.stderr
            os.kill(int(live[1]), signal.SIGTERM)
            (folder / "printed.txt").write_text(ran.stdout)
    return folder, (folder / "printed.txt").read_text()


@pytest.fixture
def order(tmp_path: Path) -> Callable[..., Any]:
    """A tiny run, ready to be packed; `order(...)` changes parts of it."""
    from tiny_project import orders

    return orders(tmp_path)


@pytest.fixture
def packed(order: Callable[..., Any], tmp_path: Path) -> Path:
    """The folder of a packed bundle."""
    from proveout.data.store import Store
    from proveout.model import packing

    store = Store(str(tmp_path / "store"))
    return store.folder("bundles", packing.pack(order(), store).digest)


@pytest.fixture
def tiny(order: Callable[..., Any], tmp_path: Path, no_signing_key: None) -> "TinyProject":
    """A tiny real project, whose bundles the test packs, judges and releases."""
    from tiny_project import Project as TinyProject

    return TinyProject(tmp_path / "project", order)


@pytest.fixture
def no_signing_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys are made in the project of the test, whatever the developer's environment holds."""
    monkeypatch.delenv("PROVEOUT_SIGNING_KEY", raising=False)


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose gate runs in a second, made once and copied for each test."""
    from gate_toy import make_project

    root = tmp_path_factory.mktemp("toy")
    make_project(root)
    return root


@pytest.fixture
def gate(template: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> "Gate":
    """Run pytest on a copy of the template. Its module says `pytest_plugins = "pytester"`."""
    from gate_toy import PLUGINS, Gate

    for name in [name for name in os.environ if name.startswith(("PROVEOUT_", "GITHUB_"))]:
        monkeypatch.delenv(name)
    for name, value in PLUGINS.items():
        monkeypatch.setenv(name, value)
    shutil.copytree(template, pytester.path, dirs_exist_ok=True)
    return Gate(pytester)


@pytest.fixture(scope="session")
def postgres() -> str:
    """Address of a PostgreSQL server."""
    return real_postgres.address()


def _shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of a test run have in common: they train one model, and each has a copy."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@contextmanager
def _once(made: Path) -> Iterator[bool]:
    """True in the one process that is to make it; the others wait, and find it made."""
    done = made.with_suffix(".done")
    with made.with_suffix(".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield not done.exists()
        done.touch()
