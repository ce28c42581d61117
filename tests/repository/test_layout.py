"""The house stands as DESIGN says: who may import whom, and by which door a library comes in.

Read from the source with `ast`, so an import inside a function, or one for the type checker only, counts as well: a
room that names another one's types knows that room.
"""

import ast
import doctest
import importlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SRC = ROOT / "src" / "proveout"

# A file imports from floors below its own. Halves are steps within a floor.
FLOORS = {
    "errors": 0.0, "records": 0.0, "code_files": 0.1, "settings": 0.2, "gate_settings": 0.3, "strict_yaml": 0.3,
    "html_pages": 0.3, "interpreter_exit": 0.0,
    "task": 1.0, "schema": 1.0,
    "data": 2.0, "ledger": 2.0, "fastpath": 2.5,
    "trust": 3.0, "project": 3.3, "model": 3.5,
    "recovery": 4.0,
    "training": 5.0, "rollout": 5.0, "edge_cases": 5.0, "fuzz": 5.5,
    "evaluation": 6.0,
    "pilot": 7.0, "gate": 7.0, "mutation": 7.0, "server": 7.0, "monitoring": 7.0, "replay": 7.0, "score": 7.0,
    "demo": 7.5, "doctor": 7.5, "cli": 8.0, "magics": 8.2, "__main__": 8.5,
}  # fmt: skip

# Where a library may be imported: a file, or a folder with all in it. What is not named may come in anywhere.
DOORS = {
    "pydantic_settings": ("settings.py",),
    "pandera": ("schema/", "data/"),
    "whylogs": ("data/profiles.py",),
    "duckdb": ("data/",),
    "fsspec": ("data/files.py",),
    "boto3": ("data/store.py",),
    "botocore": ("data/store.py",),
    "sqlalchemy": ("ledger/",),
    "alembic": ("ledger/",),
    "psycopg": ("ledger/",),
    "cryptography": ("trust/signing.py",),
    "papermill": ("training/kernel.py",),
    "nbclient": ("training/kernel.py",),
    "jupyter_client": ("training/kernel.py",),
    "metaflow": ("training/train_steps.py", "training/flow_errors.py"),
    "nbformat": ("training/", "pilot/", "model/notebook_file.py"),
    "nbconvert": ("training/",),
    "xgboost": ("model/xgboost_json.py", "model/native_boosters.py"),
    "lightgbm": ("model/lightgbm_text.py", "model/native_boosters.py"),
    "skops": ("model/model_io.py",),
    "libcst": ("pilot/",),
    "pytest": ("gate/",),
    "hypothesis": ("fuzz/", "gate/"),
    "litserve": ("server/",),
    "starlette": ("server/",),
    "uvicorn": ("server/",),
    "httptools": ("server/http_protocol.py",),
    "scipy": ("monitoring/", "evaluation/", "model/model_io.py"),
    "apprise": ("monitoring/alerts.py",),
    "jinja2": ("html_pages.py", "server/http/ui.py"),
    "typer": ("cli/",),
}

# Folders inside a room stand in a line too: a file imports from folders behind its own. "" is the room's loose files,
# where they have a place in the line.
LINES = {
    "server": ("http", "service", "log", "worker", "queue"),
    "evaluation": ("", "stats"),
    "gate": ("reports", "guards"),
    "monitoring": ("", "stream", "drift_tests"),
}

# These are called by what people look for in a list of kinds, and not by us.
NAMED_BY_KIND = ("pilot/audit/rules",)

# A module is a noun. These end like participles, and are the nouns that people look for.
NOUNS = {
    "batch_timing", "content_encoding", "finding", "monitoring", "packing", "routing", "sampling", "scoring", "signing",
    "training", "tuning",
    "uncollected",  # a guard is called by what it finds
}  # fmt: skip
PREPOSITIONS = {
    "about",
    "above",
    "after",
    "apart",
    "before",
    "behind",
    "below",
    "beside",
    "between",
    "beyond",
    "without",
}


def imports(file: Path, package: Path) -> Iterator[tuple[int, str]]:
    """Each module that `file` imports, dotted, with its line. `from a import b` gives `a.b`."""
    inside = ("proveout", *file.relative_to(package).with_suffix("").parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, name.name) for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = ".".join(inside[: len(inside) - node.level]) if node.level else ""
            module = ".".join(part for part in (above, node.module) if part)
            yield from ((node.lineno, f"{module}.{name.name}") for name in node.names)
        elif isinstance(node, ast.Call) and _called(node) in {"import_module", "__import__"}:
            named = node.args[0] if node.args else None
            if isinstance(named, ast.Constant) and isinstance(named.value, str):
                yield node.lineno, named.value


def _called(call: ast.Call) -> str:
    function = call.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def room_of(file: Path, package: Path) -> str:
    return file.relative_to(package).with_suffix("").parts[0]


def violations(package: Path) -> list[str]:
    """Each import that DESIGN does not allow, as `file:line why`."""
    return [
        f"{file.relative_to(package)}:{line} {why}"
        for file in sorted(package.rglob("*.py"))
        for line, module in imports(file, package)
        if (why := _objection(file, module, package))
    ]


def _objection(file: Path, module: str, package: Path) -> str:
    place, room = str(file.relative_to(package)), room_of(file, package)
    top, _, rest = module.partition(".")
    if top == "proveout":
        other = rest.partition(".")[0]
        if room == "__init__" or other in {room, "__version__", ""}:
            return ""
        if room not in FLOORS or other not in FLOORS:
            return f"knows {other}: one of the two has no floor in tests/repository/test_layout.py"
        return "" if FLOORS[other] < FLOORS[room] else f"knows {other}, which is not below it"
    if file.name == "__init__.py" and room != "cli":
        return f"imports {module}: the __init__ of a room imports nothing"
    doors = DOORS.get(top, ("",))
    return "" if any(place == door or place.startswith(door) for door in doors) else f"has heard of {top}"


def test_each_room_imports_only_from_the_floors_below():
    """A room that knows its neighbour can no longer be restarted, tested or replaced alone."""
    assert violations(SRC) == []


@pytest.mark.parametrize(
    ("file", "source", "said"),
    [
        ("server/main.py", "from proveout.gate import verdict", "server/main.py:1 knows gate, which is not below it"),
        (
            "data/guard.py",
            "import proveout.training.train_steps",
            "data/guard.py:1 knows training, which is not below it",
        ),
        ("data/guard.py", "from proveout.ledger.ledger import Ledger", "data/guard.py:1 knows ledger, which"),
        (
            "records/answer.py",
            "from proveout import settings",
            "records/answer.py:1 knows settings, which is not below it",
        ),
        ("serving/deep/er.py", "from ...gate.verdict import judge", "serving/deep/er.py:1 knows gate"),
        ("gate/verdict.py", "def f():\n    import whylogs", "gate/verdict.py:2 has heard of whylogs"),
        ("gate/verdict.py", "import importlib\nimportlib.import_module('papermill')", "gate/verdict.py:2 has heard of"),
        ("monitoring/drift.py", "if TYPE_CHECKING:\n    import apprise", "monitoring/drift.py:2 has heard of apprise"),
        ("server/main.py", "from scipy.stats import ks_2samp", "server/main.py:1 has heard of scipy"),
        ("data/__init__.py", "import pandas", "data/__init__.py:1 imports pandas: the __init__ of a room"),
        ("cellar/wine.py", "from proveout import errors", "cellar/wine.py:1 knows errors: one of the two has no floor"),
    ],
)
def test_the_reader_of_imports_catches_a_planted_one(tmp_path, file, source, said):
    """A layout test that sees nothing would be calm for ever."""
    planted = tmp_path / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(source)

    [found] = violations(tmp_path)

    assert found.startswith(said)


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("server/main.py", "from proveout.model.bundle import OpenBundle\nimport litserve"),
        (
            "monitoring/drift.py",
            "from scipy.stats import ks_2samp\nfrom proveout.records.drift_report import DriftTest",
        ),
        ("monitoring/report.py", "from proveout.monitoring import drift"),
        ("settings.py", "from .errors import ConfigError"),
        ("cli/__init__.py", "import typer\nfrom proveout import __version__"),
    ],
)
def test_what_design_allows_is_allowed(tmp_path, file, source):
    """A test that objects to everything would be switched off."""
    allowed = tmp_path / file
    allowed.parent.mkdir(parents=True, exist_ok=True)
    allowed.write_text(source)

    assert violations(tmp_path) == []


def test_a_room_imports_nothing_by_being_named():
    """`proveout --help` answers in 0.3 s because an `__init__` costs nothing.

    The command line's own one is the app. The checks of a project call edge cases by the name of their room.
    """
    rooms = FLOORS.keys() - {"cli", "edge_cases"}
    files = [SRC / "__init__.py", *(SRC / room / "__init__.py" for room in sorted(rooms))]

    magics = [(SRC / "__init__.py", "proveout.magics.load")]  # inside of the function that `%load_ext proveout` calls
    assert [(file, name) for file in files if file.is_file() for _, name in imports(file, SRC)] == magics


def test_every_module_has_a_floor():
    """A new room takes its place in the house before anybody moves in."""
    rooms = {room_of(file, SRC) for file in SRC.rglob("*.py")} - {"__init__"}

    assert rooms - FLOORS.keys() == set()


OTHER_TESTS = re.compile(r"^\s*(?:from|import)\s+(?:tests\b|test_\w+|conftest\b).*", re.MULTILINE)


def imports_of_test_modules(folder: Path) -> list[str]:
    """Each line below `folder` that imports a test module or a conftest.py, also in code that a test starts."""
    return [
        f"{file.relative_to(folder)}: {line.strip()}"
        for file in sorted(folder.rglob("*.py"))
        for line in OTHER_TESTS.findall(file.read_text(encoding="utf-8"))
    ]


def test_no_test_module_imports_another():
    """What two of them need stands in tests/support/, or is a fixture of a conftest.py: each can be moved alone."""
    assert imports_of_test_modules(ROOT / "tests") == []


@pytest.mark.parametrize(
    "line",
    ["from test_bundle import order", "import test_bundle", "from tests.gate import test_plugin", "import conftest"],
)
def test_a_planted_import_of_a_test_module_is_found(tmp_path, line):
    """Inside a function, and in the text of a program that a test starts, as well."""
    for name, text in {"a": line, "b": f"def f():\n    {line}", "c": f'CODE = """\n{line}\n"""'}.items():
        (tmp_path / f"test_{name}.py").write_text(text)
    (tmp_path / "test_d.py").write_text("from tiny_project import Project\nimport testing_tools\n")

    assert imports_of_test_modules(tmp_path) == [f"test_{name}.py: {line}" for name in "abc"]


def folder_violations(package: Path) -> list[str]:
    """Each import inside a room that goes against the line of its folders, as `file:line why`."""
    found = []
    for file in sorted(package.rglob("*.py")):
        room, folder = room_of(file, package), _folder(file.relative_to(package).with_suffix("").parts)
        for line, module in imports(file, package):
            parts = module.split(".")[1:]
            target = package.joinpath(*parts[:2])
            other = parts[1] if len(parts) > 2 and target.is_dir() else ""
            order = LINES.get(room, ())
            if parts[:1] != [room] or folder not in order or other not in order:
                continue
            if order.index(other) < order.index(folder):
                found.append(f"{file.relative_to(package)}:{line} {folder or 'it'} knows {other or 'a loose file'}")
    return found


def _folder(parts: tuple[str, ...]) -> str:
    return parts[1] if len(parts) > 2 else ""


def circles(package: Path) -> list[tuple[str, ...]]:
    """Groups of files of which each imports the next, whether to run or for its types."""
    names = {
        ".".join(("proveout", *file.relative_to(package).with_suffix("").parts)): file for file in package.rglob("*.py")
    }
    known = {
        name: {
            one for _, module in imports(file, package) for one in (module, module.rpartition(".")[0]) if one in names
        }
        for name, file in names.items()
    }
    reached = {name: _reached(name, known) for name in known}
    groups = {tuple(sorted(b for b in reached[a] if a in reached[b])) for a in known}
    return sorted(group for group in groups if len(group) > 1)


def _reached(start: str, known: dict[str, set[str]]) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        for one in known[waiting.pop()] - found:
            found.add(one)
            waiting.append(one)
    return found


def odd_names(package: Path) -> list[str]:
    """Modules and rooms that are named by a participle or a preposition."""
    files = [file.relative_to(package) for file in package.rglob("*.py")]
    ours = [file for file in files if file.parent.as_posix() not in NAMED_BY_KIND]
    names = {part for file in ours for part in file.with_suffix("").parts}
    return sorted(
        name
        for name in names - NOUNS
        if name.endswith(("ing", "ed")) or not PREPOSITIONS.isdisjoint(name.strip("_").split("_"))
    )


def test_folders_inside_a_room_stand_in_a_line():
    """What answers HTTP may know the queue; the queue has no idea of HTTP."""
    assert folder_violations(SRC) == []


def test_no_file_imports_itself_by_way_of_others():
    """Of a circle no file can be read, tested or moved without the others."""
    assert circles(SRC) == []


def test_a_module_is_a_noun():
    """A newcomer searches for the thing, not for what happens to it."""
    assert odd_names(SRC) == []


@pytest.mark.parametrize(
    ("files", "find", "said"),
    [
        (
            {"server/queue/batcher.py": "from proveout.server.http.app import App", "server/http/app.py": ""},
            folder_violations,
            ["server/queue/batcher.py:1 queue knows http"],
        ),
        (
            {"evaluation/stats/mcnemar.py": "from proveout.evaluation import compare", "evaluation/compare.py": ""},
            folder_violations,
            ["evaluation/stats/mcnemar.py:1 stats knows a loose file"],
        ),
        (
            {
                "gate/a.py": "from proveout.gate import b",
                "gate/b.py": "if TYPE_CHECKING:\n    from proveout.gate.a import A",
            },
            circles,
            [("proveout.gate.a", "proveout.gate.b")],
        ),
        ({"gate/gathered.py": "", "gate/beside.py": "", "gate/verdict.py": ""}, odd_names, ["beside", "gathered"]),
    ],
)
def test_a_planted_fault_of_the_plan_is_found(tmp_path, files, find, said):
    """Each reader of the plan sees what it is for."""
    for name, source in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(source)

    assert find(tmp_path) == said


def test_what_contributing_names_is_there():
    """ "Where do I change …" names only files that exist."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {name for name in re.findall(r"`((?:src|tests|docs)/[^`]+)`", text) if not re.search(r"[A-Z]{3}|\*", name)}

    assert len(named) >= 12
    assert sorted(name for name in named if not (ROOT / name).exists()) == []


def test_no_file_names_an_index_host():
    """Whoever installs this chooses the index: an address in a file would overrule a company's mirror."""
    host = re.compile(r"py" r"pi\.(org|python)|python" r"hosted\.org|index[-_]url[ =\"']+[a-z]+://", re.IGNORECASE)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    files = [ROOT / name for name in listed.split("\0") if name]

    named = [
        str(file.relative_to(ROOT))
        for file in files
        if file.is_file() and host.search(file.read_bytes().decode("utf-8", errors="replace"))
    ]

    assert files
    assert named == []
    assert host.search("https://py" + "pi.org/simple")
    assert host.search("--extra-index-" + "url https://mirror.example")


WITH_EXAMPLES = sorted(
    ".".join(file.relative_to(SRC.parent).with_suffix("").parts)
    for file in SRC.rglob("*.py")
    if ">>> " in file.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_the_examples_in_docstrings_are_true(module):
    """An example that no longer holds is worse than none."""
    result = doctest.testmod(importlib.import_module(module))

    assert result.attempted > 0
    assert result.failed == 0
