"""Every code block of README.md and docs/ runs: commands in a project, with what they print; Python, TOML and JSON.

The README's own commands run in test_readme.py, checks in test_docs.py. A block says in a comment above it where else
it runs, or why it does not.
"""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import doc_blocks
import gate_toy
import numpy as np
import pandas as pd
import pytest
from doc_blocks import ADOPT, Block, not_printed
from ledger_rows import prediction
from patience import PATIENCE_S
from reference_project import ROOT, typed
from tiny_project import Project as TinyProject
from tiny_project import orders

from proveout.data import snapshots
from proveout.data.store import Store
from proveout.demo import live_server
from proveout.ledger.ledger import Ledger, read
from proveout.model.bundle import open_bundle
from proveout.pilot import scaffold
from proveout.records.answer import TaskFacts
from proveout.records.bundle import Bundle
from proveout.records.prediction import Outcome
from proveout.records.values import now
from proveout.settings import Settings, load
from proveout.training.config import parse_config

pytestmark = pytest.mark.long

PAGES = doc_blocks.pages()
BLOCKS = [block for page in PAGES for block in page.blocks]
LANGUAGES = {"console", "python", "toml", "json", "text"}
PLACES = {
    "docs/audit/README.md": "laid_out",
    "docs/checks.md": "flights",
    "docs/examples.md": "nowhere",
    "docs/mutation.md": "toy",
    "docs/serving.md": "releases",
    "docs/tables.md": "nowhere",
    "docs/tutorial.md": "adopted",
    "docs/verdict.md": "toy",
}
"""Where the commands of a page run, unless a block says otherwise. Those of README.md: test_readme.py."""
MOST_NOT_RUN = 6
QUICK = """
from proveout.evaluation import metrics


def test_auc(candidate, holdout, evidence):
    evidence(metrics.auc(holdout.labels, candidate.predict(holdout.records)), at_least=0.6)
"""


@dataclass
class Place:
    """A folder with a project, in which somebody types commands.

    `words` are put in the place of words of the page. `returns` are the right exit codes, where 0 alone is not,
    by how a command begins.
    """

    folder: Path
    home: Path
    words: dict[str, str] = field(default_factory=dict)
    returns: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)  # what a command printed that was run before
    ids: list[str] = field(default_factory=list)  # of logged answers, each for one REQUEST_ID

    def type(self, command: str) -> str:
        """What the command prints. `cd` holds for the next one."""
        if command in self.answers:
            return self.answers[command]
        for word, other in self.words.items():
            command = command.replace(word, other)
        if "REQUEST_ID" in command:
            command = command.replace("REQUEST_ID", self.ids.pop(0))
        if command.startswith("cd "):
            self.folder = self.folder / command.removeprefix("cd ")
            return ""
        ran = typed(command, self.folder, timeout_s=900, **{"HOME": str(self.home), **self.environment})
        right = next((codes for begin, codes in self.returns.items() if command.startswith(begin)), (0,))
        assert ran.returncode in right, f"$ {command}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout + ran.stderr


# --- places -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nowhere(tmp_path_factory) -> Place:
    """A folder without a project, and with a table of customers."""
    folder = tmp_path_factory.mktemp("nowhere")
    draw = np.random.default_rng(0)
    rows = pd.DataFrame({"calls": draw.integers(0, 9, 400), "months": draw.integers(1, 60, 400)})
    rows["churn"] = np.where(rows["calls"] + draw.normal(size=400) > 5, "yes", "no")
    rows.to_csv(folder / "customers.csv", index=False)
    return Place(folder, folder)


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Place:
    """A project whose gate runs in a second. Its bundle was packed by ada, so that another person has to approve it."""
    root = tmp_path_factory.mktemp("blocks") / "toy"
    bundle = gate_toy.make_project(root)
    words = {"643ec0": bundle.digest[:12], "ada": "grace"}
    return Place(root, root.parent, words, environment=gate_toy.PLUGINS)


@pytest.fixture(scope="module")
def quick(tmp_path_factory) -> Place:
    """Such a project with other checks, by which its bundle is judged alone."""
    root = tmp_path_factory.mktemp("blocks") / "quick"
    bundle = gate_toy.make_project(root)
    (root / "quick_checks").mkdir()
    (root / "quick_checks" / "test_quick.py").write_text(QUICK)
    return Place(root, root.parent, {"643ec0": bundle.digest[:12]}, environment=gate_toy.PLUGINS)


@pytest.fixture(scope="module")
def releases(tmp_path_factory) -> Place:
    """A project with a champion, and a second bundle that is approved and not released."""
    folder = tmp_path_factory.mktemp("releases")
    tiny = TinyProject(folder / "project", orders(folder))
    champion, other = tiny.pack(), tiny.pack(task=TaskFacts(threshold=0.4))
    for bundle in (champion, other):
        tiny.judge(bundle)
    tiny.release(champion)
    return Place(tiny.root, folder, {"BUNDLE": other.digest[:12]})


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory) -> Place:
    """The reference project as `proveout init` lays it out."""
    root = tmp_path_factory.mktemp("blocks") / "flights"
    scaffold.init(root)
    found = {"proveout audit notebooks/ --fail-on high": (1,)}  # its pilot has a finding of that severity
    return Place(root, root.parent, returns=found)


@pytest.fixture(scope="module")
def flights(trained, tmp_path_factory) -> Place:
    """The reference project with a candidate, and logged answers of it that were wrong."""
    root = tmp_path_factory.mktemp("blocks") / "flights"
    scaffold.init(root)
    state = trained.copy(root / ".proveout").state
    with Ledger(state / "ledger.db") as ledger:
        bundle = read(Bundle, ledger.entries(kind="bundle", limit=1, newest_first=True)[0])
        ids = _log_wrong_answers(ledger, Store(str(state / "store")), bundle)
    return Place(root, root.parent, {"20l3-06": "2013-01"}, ids=ids)


def _log_wrong_answers(ledger: Ledger, store: Store, bundle: Bundle) -> list[str]:
    """Log two flights that were in time, and that the bundle called late; their request ids."""
    opened = open_bundle(store.folder("bundles", bundle.digest), direct=False)
    rows = snapshots.read(store, bundle.snapshot, batches=["2013-05"])
    records = rows[list(opened.request_columns)]
    scores = opened.predict(records)
    [*_, first, second] = np.flatnonzero((scores > 0.6) & (rows["arr_delay"] < 0))
    made = []
    for place in (first, second):
        request_id = f"request-{place}"
        [record] = json.loads(records.iloc[[place]].to_json(orient="records"))
        logged = prediction(1, request_id=request_id, release=bundle.name, record=record)
        ledger.add_journal([logged], journal=request_id, offset=1)
        ledger.add_outcomes([Outcome(request_id=request_id, value=False, known_at=now())])
        made.append(request_id)
    return made


@pytest.fixture(scope="module")
def adopted(adopted_pilot) -> Iterator[Place]:
    """The project that `proveout adopt` made of examples/pilot.ipynb, served again as at the end of that command."""
    folder, printed = adopted_pilot
    settings = load(folder / "cancer")
    server, port, _ = live_server.start(settings)
    with Ledger(settings.ledger) as ledger:
        bundle = read(Bundle, ledger.entries(kind="bundle", limit=1, newest_first=True)[0])
    words = {"127.0.0.1:38857": f"127.0.0.1:{port}", "kill 20493": f"kill {server.pid}"}
    words |= {"11cd243467e3": bundle.digest[:12]}
    try:
        yield Place(folder, folder, words, environment={"PROVEOUT_PORT": str(port)}, answers={ADOPT: printed})
        server.terminate()  # if the page's last command has not ended it
        assert server.wait(timeout=PATIENCE_S) == 0
    finally:
        server.kill()


# --- what runs --------------------------------------------------------------------------------------------------------


def place_of(block: Block) -> str:
    return block.place or PLACES.get(block.page, "")


def _console(*, long: bool) -> list[object]:
    """The blocks of commands, those of one place one after the other, as they stand on their page."""
    found = [one for one in BLOCKS if one.language == "console" and not one.not_run and place_of(one)]
    return [pytest.param(one, id=one.name) for one in sorted(found, key=place_of) if bool(one.long) is long]


def type_all(block: Block, place: Place) -> None:
    for command in block.commands:
        printed = place.type(command.text)
        assert not_printed(command.shown, printed) == [], f"$ {command.text}\n{printed}"


@pytest.mark.parametrize("block", _console(long=False))
def test_the_commands_of_a_page_do_what_it_says(block, request):
    """In their order, in one project for each place; what the page prints is printed, but for numbers and digests."""
    assert block.commands
    type_all(block, request.getfixturevalue(place_of(block)))


@pytest.mark.chaos
@pytest.mark.timeout(5_400)
@pytest.mark.parametrize("block", _console(long=True))
def test_the_long_commands_of_a_page_do_what_it_says(block, request):
    """A sample of them is in the blocks above them."""
    place = request.getfixturevalue(place_of(block))
    if block.page == "docs/tutorial.md":
        place.folder = place.folder / "cancer"
    if block.page == "docs/mutation.md":
        place.type("proveout gate")
        place.returns = {"proveout mutate": (0, 1)}  # the few checks of the toy let mutants survive
    type_all(block, place)


PYTHON = [one for one in BLOCKS if one.language == "python" and "def test_" not in one.text]


@pytest.mark.parametrize("block", PYTHON, ids=lambda one: one.name)
def test_python_runs(block):
    """In the reference project. A check runs in the gate: test_docs.py asks what became of each."""
    ran = subprocess.run([sys.executable, "-c", block.text], cwd=ROOT, capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "toml"], ids=lambda one: one.name)
def test_toml_is_read_by_the_readers_of_a_project(block):
    """A setting that is not known, or a key of train.toml, is refused by them."""
    tables = tomllib.loads(block.text)
    if "tool" in tables:
        assert Settings(root=ROOT, **tables["tool"]["proveout"]).model
    else:
        assert parse_config(block.text)["evaluation"] == tables["evaluation"]


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.language == "json"], ids=lambda one: one.name)
def test_json_can_be_read(block):
    """What the README shows of an answer, test_readme.py compares with one."""
    assert json.loads(block.text)


# --- that all of them run ---------------------------------------------------------------------------------------------


def test_no_block_hides():
    """Each fence names a language that is read here, and indented code would be in no test."""
    assert {block.name: block.language for block in BLOCKS if block.language not in LANGUAGES} == {}
    indented = {page.name: re.findall(r"\n\n(    [^ \-*\d].*)", page.prose) for page in PAGES}
    assert {name: lines for name, lines in indented.items() if lines} == {}
    assert {page.name: page.prose.count("```") for page in PAGES if "```" in page.prose} == {}


def test_each_block_of_commands_has_a_place_or_says_why_not():
    """And few say why not."""
    commands = [block for block in BLOCKS if block.language == "console"]
    not_run = [block for block in BLOCKS if block.not_run]

    assert [one.name for one in commands if not place_of(one) and not one.not_run and one.page != "README.md"] == []
    assert len(not_run) <= MOST_NOT_RUN
    assert all(len(one.not_run.split()) > 3 for one in not_run)
    assert {*PLACES} <= {block.page for block in commands}


def test_a_picture_is_no_command():
    """`text` is for what nobody types."""
    for block in BLOCKS:
        if block.language == "text" and not block.not_run:
            assert not re.search(r"^(\$|>>>|proveout|python|make|pip) ", block.text, flags=re.M), block.name


@pytest.mark.parametrize(
    ("shown", "printed", "missing"),
    [
        ("approved   toy@9f2c41d07a3b   33 of 33", "approved   toy@0123456789ab   4 of 5", []),
        ("at 2026-11-28T02:00:59.281Z (22 s)", "at 2013-01-01T00:00:00.000Z (1 s)", []),
        ("refused   toy", "approved   toy", ["refused   toy"]),
        ("first … last", "first, second, last", []),
        ("first … last", "first, second", ["first … last"]),
        ("…", "", []),
    ],
)
def test_what_is_shown_is_compared_but_for_its_numbers(shown, printed, missing):
    """A comparison that everything passes would let the docs grow old."""
    assert not_printed([shown], printed) == missing


def test_the_reader_of_blocks_reads_marks_and_answers():
    """A mark that is not seen would run what must not run."""
    text = "a\n\n<!-- not run: it asks -->\n```console\n$ a\nb\n$ c\n```\n"
    text += "\n<!-- long: slow -->\n<!-- run in: b -->\n```toml\nx = 1\n```\n"
    first, second = doc_blocks.read("p.md", text).blocks

    assert (first.not_run, first.line, [one.text for one in first.commands]) == ("it asks", 4, ["a", "c"])
    assert (first.commands[0].shown, second.long, second.place, second.language) == (("b",), "slow", "b", "toml")
