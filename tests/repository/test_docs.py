"""README.md, docs/ and the docstrings of the gate: what they show runs, and what they name is there under that name.

One run of pytest judges the reference project by all of it: the checks that the docs write, one of them with a bound
that nothing keeps, and each example of a docstring that begins with `evidence(`. Doctests run in test_layout.py.
"""

import ast
import importlib
import inspect
import os
import pkgutil
import re
import shlex
import subprocess
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from textwrap import indent
from types import FunctionType

import doc_blocks
import pytest
import typer
from reference_project import ROOT
from typer.main import get_command

from proveout import evaluation
from proveout.cli import main
from proveout.evaluation.context import LabelledRows
from proveout.fuzz.properties import Generated
from proveout.gate import fixtures
from proveout.gate.guards import fixture_guard
from proveout.ledger.ledger import read
from proveout.pilot import scaffold
from proveout.records.verdict import CheckResult, Verdict

SRC = ROOT / "src" / "proveout"
PAGES = doc_blocks.pages()
DOCS = {page.name: (ROOT / page.name).read_text(encoding="utf-8") for page in PAGES}
CHECKS_PAGE = DOCS["docs/checks.md"]
# Checks. Other Python runs in test_doc_blocks.py.
BLOCKS = [b.text for page in PAGES for b in page.blocks if b.language == "python" and "def test_" in b.text]
QUESTIONS = "proveout.evaluation"
INTERNAL = {"gate_context"}  # what the fixtures are parts of
OF_THE_PROJECT = {
    node.name
    for place in ("conftest.py", "checks/conftest.py")
    for node in ast.parse((ROOT / place).read_text(encoding="utf-8")).body
    if isinstance(node, ast.FunctionDef)
}
NAMES = fixture_guard.FIXTURES | OF_THE_PROJECT


# --- what is shown ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Example:
    """Lines of a docstring that begin with `evidence(`: the body of a check."""

    name: str  # of the check that it becomes
    of: str  # the function or fixture, or the module
    body: str

    @property
    def asks_for(self) -> list[str]:
        named = {node.id for node in ast.walk(ast.parse(self.body)) if isinstance(node, ast.Name)}
        return sorted(named & NAMES)

    @property
    def cut(self) -> list[str]:
        """What it is given less of: nobody waits for fits to 85,000 rows to see whether an example runs."""
        whole = {"scores", "champion_scores"} & {*self.asks_for}  # a score for each row that is held out
        return [] if whole else [rows for rows in ("training", "holdout") if rows in self.asks_for]

    def check(self) -> str:
        lines = "\n    ".join([*(f"{rows} = few({rows})" for rows in self.cut), *self.body.splitlines()])
        return f"def {self.name}({', '.join(self.asks_for)}):\n    {lines}\n"


def examples(file: Path) -> list[Example]:
    found = []
    place = "_".join(file.relative_to(SRC).with_suffix("").parts)
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            lines, of = (ast.get_docstring(node) or "").splitlines(), getattr(node, "name", "module")
            for start in [at for at, line in enumerate(lines) if line.lstrip().startswith("evidence(")]:
                name = f"test_{place}_{of}_{start}"
                found.append(Example(name=name, of=of, body=_statement(lines[start:])))
    return found


def _statement(lines: list[str]) -> str:
    """The statement that these lines begin with."""
    margin = len(lines[0]) - len(lines[0].lstrip())
    for end in range(1, len(lines) + 1):
        text = "\n".join(line[margin:] for line in lines[:end])
        try:
            ast.parse(text)
        except SyntaxError:
            continue
        return text
    raise AssertionError(f"no statement: {lines[0]}")


FILES = (SRC / "gate" / "fixtures.py", *sorted((SRC / "evaluation").rglob("*.py")))
EXAMPLES = [one for file in FILES for one in examples(file)]
# What stands in checks/ word for word, tests/line/test_reference_checks.py runs: a second time would only take longer.
CHECKS = "".join(file.read_text(encoding="utf-8") for file in sorted((ROOT / "checks").glob("test_*.py")))
RUN_HERE = [one for one in EXAMPLES if f"{indent(one.body, '    ')}\n" not in CHECKS]
HEAD = """
import numpy as np

from proveout import edge_cases as cases
from proveout.evaluation.context import LabelledRows
from proveout.evaluation import {modules}


def few(rows, count=2_000):
    places = np.linspace(0, rows.rows - 1, count).astype(int)
    raw, records = (part.iloc[places].reset_index(drop=True) for part in (rows.raw, rows.records))
    return LabelledRows(raw=raw, records=records, labels=rows.labels[places])


"""


@pytest.fixture(scope="module")
def verdict(trained, tmp_path_factory) -> Verdict:
    """What the gate says of the reference project, as `proveout init` lays it out, by the checks that are shown."""
    root = tmp_path_factory.mktemp("docs") / "flights"
    scaffold.init(root)
    for file in (root / "checks").glob("test_*.py"):
        file.unlink()
    for place, block in enumerate(BLOCKS):
        (root / "checks" / f"test_shown_{place}.py").write_text(block)
        (root / "checks" / f"test_too_much_{place}.py").write_text(block.replace("at_least=0.70", "at_least=0.99"))
    modules = ", ".join(sorted({helper.partition(".")[0] for helper in helpers_named()}))
    text = HEAD.format(modules=modules) + "\n\n".join(example.check() for example in RUN_HERE)
    (root / "checks" / "test_docstrings.py").write_text(text)
    project = trained.copy(root / ".proveout")
    project.release()  # so that there is somebody to compare with
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PROVEOUT_", "GITHUB_", "PYTEST_"))}
    # Small fits: threads would wait for each other longer than they work.
    environment["OMP_NUM_THREADS"] = "1"
    environment["PYTEST_ADDOPTS"] = os.environ["PYTEST_ADDOPTS"]  # of tests/conftest.py
    command = [sys.executable, "-m", "pytest", "checks", "-p", "no:cacheprovider"]
    ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == pytest.ExitCode.TESTS_FAILED, ran.stdout + ran.stderr
    return read(Verdict, project.newest("verdict"))


def results(verdict: Verdict, name: str, *, file: str = r"\w+") -> list[CheckResult]:
    """What became of a check; of each of its cases, where it asks for `edge_case`."""
    return [one for one in verdict.results if re.fullmatch(rf"checks/{file}\.py::{name}(\[.*\])?", one.check)]


def test_the_checks_of_the_docs_pass(verdict):
    """They are what people copy first. The champion is the candidate itself: as good, and not worse."""
    shown = [name for block in BLOCKS for name in re.findall(r"^def (test_\w+)", block, flags=re.M)]
    found = {name: results(verdict, name, file=r"test_shown_\d+") for name in shown}

    assert len(shown) >= 4
    assert {name: [one.outcome for one in of] for name, of in found.items()} == {name: ["passed"] for name in shown}
    said = {one.name for one in verdict.evidence if one.check.startswith("checks/test_shown")}
    assert {"auc", "auc, gain on the champion", "rows not judged", "mean probability"} <= said


def test_a_bound_that_nothing_keeps_fails(verdict):
    """Checks that could not fail would be no example."""
    found = {
        one.check.rpartition("::")[2]: one for one in verdict.results if one.check.startswith("checks/test_too_much")
    }

    assert {name for name, one in found.items() if one.outcome == "failed"} == {"test_auc"}
    assert re.search(r"^auc is 0\.\d+ .*asked: >= 0\.99", found["test_auc"].message)


@pytest.mark.parametrize("example", RUN_HERE, ids=lambda one: one.name.removeprefix("test_"))
def test_the_example_of_a_docstring_runs(verdict, example):
    """It states numbers, and the candidate keeps its bounds."""
    found = results(verdict, example.name, file="test_docstrings")
    stated = {one.check for one in verdict.evidence}

    assert found
    assert [one for one in found if one.outcome != "passed" or one.check not in stated] == []


# --- what is named ----------------------------------------------------------------------------------------------------


def table(head: str) -> list[list[str]]:
    """The cells of each row of the table that begins with this line."""
    _, _, below = CHECKS_PAGE.partition(f"\n{head}\n")
    rows = [line for line in below.split("\n\n")[0].splitlines() if not line.startswith("| ---")]
    assert rows, head
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]


def helpers_named() -> list[str]:
    """The helpers in the docs' table, such as `slices.judge`."""
    found, module = [], ""
    for _, cell, _ in table("| question | helper | of the ML Test Score |"):
        for named, function in re.findall(r"`(\w*)\.(\w+)`", cell):
            module = named or module
            found.append(f"{module}.{function}")
    return found


def helper(name: str) -> FunctionType:
    module, _, function = name.partition(".")
    return getattr(importlib.import_module(f"{QUESTIONS}.{module}"), function)


def test_every_fixture_that_is_named_is_there_and_the_other_way_round():
    """A fixture that is called otherwise is an error in the first check that somebody writes."""
    named = [name for first, _ in table("| fixture | what it is |") for name in re.findall(r"`(\w+)`", first)]
    there = {name for name, value in vars(fixtures).items() if isinstance(value, type(fixtures.candidate))}

    assert sorted(named) == sorted(fixture_guard.FIXTURES - INTERNAL)
    assert there | {"edge_case"} == fixture_guard.FIXTURES  # that one is a parameter of the check
    assert {one.of for one in examples(SRC / "gate" / "fixtures.py")} | {"edge_case"} == {*named}
    [rows] = [what for first, what in table("| fixture | what it is |") if "`holdout`" in first]
    assert {*re.findall(r"`\.(\w+)`", rows)} == {field.name for field in fields(LabelledRows)} | {"rows"}


def test_every_fixture_of_the_reference_project_is_named():
    """They are in its two conftest.py, not in the plugin: another project may have others."""
    [line] = re.findall(r"^The `conftest.py` of a project adds (.*)$", CHECKS_PAGE, flags=re.M)

    assert sorted(re.findall(r"`(\w+)`", line)) == sorted(OF_THE_PROJECT)


def test_every_property_of_generated_requests_is_named():
    """The section is their only list."""
    section = CHECKS_PAGE.partition("\n## Generated cases\n")[2].partition("\n## ")[0]

    assert {name for name in vars(Generated) if not name.startswith("_")} <= {*re.findall(r"`(\w+)`", section)}


@pytest.mark.parametrize("name", helpers_named())
def test_every_helper_that_is_named_is_there_and_has_an_example(name):
    """A doctest, or the body of a check, in which it is called."""
    function = helper(name)
    written = inspect.getdoc(function) or ""
    called = [line for line in written.splitlines() if line.startswith((">>> ", "... "))]
    called += [one.body for one in EXAMPLES if one.of == function.__name__ and f"{name}(" in one.body]

    assert any(f"{function.__name__}(" in line for line in called)


def test_every_module_of_questions_is_named():
    """A helper that is hard to find is written again, and worse."""
    ours = {
        name: {function for function in vars(importlib.import_module(name)).values() if _answers(function, name)}
        for _, name, _ in pkgutil.walk_packages(evaluation.__path__, f"{QUESTIONS}.")
    }
    named = {helper(name) for name in helpers_named()}

    assert [name for name, functions in ours.items() if functions and not functions & named] == []
    assert sum(bool(functions) for functions in ours.values()) >= 11


def _answers(function: object, module: str) -> bool:
    """Whether it is a public function of this module that gives evidence."""
    return (
        isinstance(function, FunctionType)
        and function.__module__ == module
        and not function.__name__.startswith("_")
        and "Evidence" in str(function.__annotations__.get("return"))
    )


# --- what is typed ----------------------------------------------------------------------------------------------------

COMMANDS = [  # of the blocks that no test runs with the others: test_doc_blocks.py
    command.text
    for page in PAGES
    for block in page.blocks
    if block.language == "console" and (block.long or block.not_run)
    for command in block.commands
    if command.text.startswith("proveout ")
]
MISUSED = typer.BadParameter.__base__  # typer has a click of its own, and gives no name to its UsageError
MENTIONED = sorted(
    {one for text in DOCS.values() for one in re.findall(r"`(proveout [^`]*)`", text.replace("\n", " "))}
)


def parse(command: str) -> None:
    """Read a command line as `proveout` does, and go no further. Raises: what says how it was misused."""
    _, *words = shlex.split(command, comments=True)
    name, at, context = "proveout", get_command(main), None
    while True:
        context = at.make_context(name, words, parent=context)
        if not hasattr(at, "commands"):
            return
        words = [*context._protected_args, *context.args]
        if not words:
            raise typer.BadParameter("Missing command.")
        name, at, words = at.resolve_command(context, words)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_docs_can_be_typed(command):
    """Subcommand, options, what they take and what has to be there."""
    parse(command)


@pytest.mark.parametrize("command", MENTIONED)
def test_a_command_that_is_mentioned_is_known(command):
    """In a sentence it may lack its arguments; a name that is not known sends people searching."""
    try:
        parse(command)
    except MISUSED as error:
        assert "Missing" in str(error), error


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("proveout judge 643ec0", "No such command"),
        ("proveout verdict 643ec0 --page verdict.html", "No such option"),
        ("proveout cases retire", "Missing"),
        ("proveout score now", "unexpected extra argument"),
        ("proveout approvers make ada", "No such command"),
    ],
)
def test_a_command_that_does_not_exist_is_found(command, said):
    """A reader of commands that takes everything would be calm for ever."""
    with pytest.raises(MISUSED, match=said):
        parse(command)
