"""edge_cases/case_store.py and `proveout cases`: what was answered wrong becomes a case, and leaves by name only."""

import datetime
import os
import re
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
import yaml
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from tiny_project import Project
from typer.testing import CliRunner

from proveout import edge_cases
from proveout.cli import main
from proveout.edge_cases import case_store, yaml_editor
from proveout.errors import ConfigError
from proveout.ledger.ledger import Ledger
from proveout.model.bundle import open_bundle
from proveout.model.manifest import verify
from proveout.records.answer import Answer
from proveout.records.prediction import Feedback, Prediction
from proveout.records.values import Digest
from proveout.server.log import codec

HEAD = "# Every case says why.\n"
FIRST = """- id: calm
  reason: Nothing has gone wrong yet in the morning.   # as a person writes it
  author: "ada"
  date: 2026-11-21
  incident: >-
    It was late on that day, says the log of the tower.
  record: {hour: 6, wind: null}
  expect: {probability: {at_most: 0.9}}
"""
SECOND = """
# --- evenings ---

- id: storm
  reason: A storm in the evening is worse than that.
  author: bob
  date: 2026-11-20
  incident: A night of which the tower kept no log at all.
  record:
    {hour: 20,
     wind: 40}
  expect:
    higher_than: [calm]

# the end
"""
REASON = "Nobody is late at this hour, whatever the wind."


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Path:
    """Where the first test that needs it leaves the project, for the others to copy."""
    return tmp_path_factory.mktemp("casebook") / "served"


@pytest.fixture
def project(tmp_path, order, released, monkeypatch):
    """A tiny project with a book of two cases and a released bundle, which calls every late hour true."""
    root = tmp_path / "served"
    made_before = released.exists()
    if made_before:
        shutil.copytree(released, root)
    (root / "checks").mkdir(parents=True, exist_ok=True)
    made = Project(root, order)
    (root / "checks" / "edge_cases.yaml").write_text(HEAD + FIRST + SECOND)
    monkeypatch.setenv("PROVEOUT_ROOT", str(root))
    if made_before:
        made.guilty = verify(next((Path(made.settings.store) / "bundles").iterdir()))
    else:
        made.guilty = made.pack()
        made.judge(made.guilty)
        made.release(made.guilty)
        shutil.copytree(root, released)
    return made


def book(project) -> Path:
    return project.root / "checks" / "edge_cases.yaml"


def logged(project, request_id="0199-aa", *, hour=22, wind=3.5, **changes) -> Prediction:
    """An answer to a request, as the server wrote it down."""
    given = {
        "request_id": request_id,
        "at": "2026-11-21T10:00:00.000+00:00",
        "model": "tiny",
        "release": project.guilty.name,
        "record": {"hour": hour, "wind": wind},
        "answered_by": "model",
        "answer": Answer(value=True, probability=0.97, confidence=0.8),
        "latency_ms": 2.0,
    }
    return Prediction(**{**given, **changes})


def keep(project, *rows) -> None:
    with Ledger(project.settings.ledger) as ledger:
        ledger.add_journal(rows, journal="j", offset=1)


def said(request_id="0199-aa", **what) -> Feedback:
    return Feedback(feedback_id=f"f-{len(str(what))}", request_id=request_id, at="2026-11-21T11:00:00+00:00", **what)


def run(*arguments: str):
    """Exit code and what was printed, errors too."""
    result = CliRunner().invoke(main, ["cases", *arguments])
    return result.exit_code, result.output


def added(project, *arguments: str):
    return run("add", "0199-aa", "--reason", REASON, *arguments)


# --- adding -------------------------------------------------------------------------------------------------------


def test_a_wrong_answer_becomes_a_case_that_its_bundle_fails_and_a_better_one_meets(project):
    """The round from a logged answer to a check that would have refused the bundle."""
    keep(project, logged(project))

    code, shown = added(project, "--expect", "label false", "--id", "late-but-calm", "--by", "ada")

    assert code == 0, shown
    assert shown.startswith(f"added   late-but-calm   {project.guilty.name} gets it wrong\n")
    assert "failed" in shown and shown.rstrip().splitlines()[-1].startswith("next: proveout gate")
    known = case_store.known(project.settings)
    new = known[-1]
    assert (new.id, new.author, new.request, new.source) == ("late-but-calm", "ada", "0199-aa", "request 0199-aa")
    assert dict(new.record) == {"hour": 22, "wind": 3.5}
    guilty = open_bundle(project.folder(project.guilty))
    calm = DummyClassifier(strategy="constant", constant=False).fit([[0.0, 0.0]] * 2, [True, False])
    better = open_bundle(project.folder(project.pack(model=calm)))
    assert not all(one.holds for one in case_store.tried(new, known, guilty))
    assert all(one.holds for one in case_store.tried(new, known, better))


def test_what_stands_in_the_book_stays_byte_for_byte(project):
    """Comments, order and quotes are somebody's work."""
    keep(project, logged(project))
    before = book(project).read_bytes()

    code, shown = added(project, "--expect", "label false", "--expect", "probability at_most 0.25")

    assert code == 0, shown
    after = book(project).read_bytes()
    assert after.startswith(before)
    today = datetime.datetime.now(datetime.UTC).date()
    assert yaml.safe_load(after)[-1] == {
        "id": f"request-0199-aa-{today}",
        "reason": REASON,
        "author": case_store.known(project.settings)[-1].author,
        "date": today,
        "request": "0199-aa",
        "record": {"hour": 22, "wind": 3.5},
        "expect": {"label": False, "probability": {"at_most": 0.25}},
    }


@pytest.mark.parametrize("ending", ["\n", "\r\n", ""])
@pytest.mark.parametrize("margin", ["", "  "])
def test_a_block_is_added_as_the_list_is_written(ending, margin):
    """Indented lists, line ends of another system, no line end at the end."""
    old = (ending or "\n").join(margin + line for line in FIRST.rstrip().split("\n")) + ending

    grown = yaml_editor.added(old, FIRST.replace("calm", "other"))

    assert grown.startswith(old)
    assert [entry["id"] for entry in yaml.safe_load(grown)] == ["calm", "other"]
    assert ("\r\n" in grown) == (ending == "\r\n") and (ending != "\r\n" or "\n" not in grown.replace("\r\n", ""))


def test_without_words_what_really_happened_is_expected(project):
    """Feedback that knows the outcome needs nobody to say it again."""
    keep(project, logged(project), said(outcome=False))

    code, shown = added(project)

    assert code == 0, shown
    assert case_store.known(project.settings)[-1].expect.label is False


def test_an_answer_that_was_called_wrong_is_expected_the_other_way_round(project):
    """ "This answer was wrong" leaves one label."""
    keep(project, logged(project), said(wrong=True))

    code, shown = added(project)

    assert code == 0, shown
    assert case_store.known(project.settings)[-1].expect.label is False


@pytest.mark.parametrize(
    ("feedback", "told"),
    [((), "outcome is unknown"), (({"outcome": True}, {"outcome": False}), "Two different outcomes")],
    ids=["nothing", "both"],
)
def test_what_nobody_knows_is_asked_for(project, feedback, told):
    """A guess in the book would be believed for ever."""
    keep(project, logged(project), *(said(**what) for what in feedback))

    code, shown = added(project)

    assert (code, told in shown) == (2, True), shown


def test_a_case_that_the_bundle_meets_is_refused_unless_it_is_meant_so(project):
    """It would test nothing, and look like a test."""
    keep(project, logged(project))
    before = book(project).read_bytes()

    refused = added(project, "--expect", "label true")
    assert refused[0] == 1 and "--allow-passing" in refused[1]
    assert book(project).read_bytes() == before

    kept = added(project, "--expect", "label true", "--allow-passing")
    assert kept[0] == 0 and "gets it right" in kept[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--id", "calm"), "calm is there already"),
        (("--id", "again"), "again has the record of first"),
        (("--id", "gone"), "was retired"),
    ],
)
def test_no_case_is_added_twice(project, arguments, told):
    """Two cases of one record would be one finding counted twice; and an id means one case for ever."""
    keep(project, logged(project))
    assert added(project, "--expect", "label false", "--id", "first")[0] == 0
    if "gone" in arguments:
        case_store.retired_file(project.settings).write_text(
            FIRST.replace("calm", "gone") + f"  retired: {{by: ada, date: 2026-11-21, reason: '{REASON}'}}\n"
        )

    code, shown = added(project, "--expect", "label false", *arguments)

    assert (code, told in shown) == (1, True), shown


def test_an_answer_still_in_the_journal_is_found(project):
    """Feedback comes in seconds; the drain may be behind, or the ledger down."""
    folder = project.settings.journal_dir
    folder.mkdir(parents=True)
    rows = (logged(project), logged(project, "other", hour=3), said(outcome=False))
    (folder / "1-1.jsonl").write_bytes(b"".join(map(codec.write, rows)) + b'{"request_id":"0199-aa","half')

    code, shown = added(project)

    assert code == 0, shown


def test_a_pseudonym_is_no_value(project):
    """A model has never seen one: the case would test a plane called pii:fd29."""
    keep(project, logged(project, wind="pii:fd29e7907eec4b3c5009bb9a9c28a70a"))

    code, shown = added(project, "--expect", "label false")
    assert code == 2 and "--fill wind=VALUE" in shown

    assert "has the value of hour" in added(project, "--expect", "label false", "--fill", "hour=3")[1]
    assert added(project, "--expect", "label false", "--fill", "wind=null")[0] == 0
    assert case_store.known(project.settings)[-1].record["wind"] is None


def test_an_answer_without_a_bundle_has_no_guilty_one(project):
    """Before the first release the rules answer."""
    keep(project, logged(project, release="", answered_by="rules"))

    code, shown = added(project, "--expect", "label false")
    assert code == 1 and "no bundle was released" in shown

    named = added(project, "--expect", "label false", "--bundle", project.guilty.digest[:12])
    assert named[0] == 0, named[1]


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("add",), 2, "REQUEST_ID"),
        (("add", "none", "--reason", REASON), 1, "no logged answer to none"),
        (("add", "0199-aa"), 2, "--reason"),
        (("add", "0199-aa", "--reason", "so", "--expect", "label false"), 2, "at least 20"),
        (("add", "0199-aa", "--reason", REASON, "--expect", "label no"), 2, "expect true or false"),
        (("add", "0199-aa", "--reason", REASON, "--expect", "higher_than clam"), 2, "clam, which is no other case"),
        (("add", "0199-aa", "--reason", REASON, "--expect", "same_under hour=77"), 2, "hour = 77"),
        (("add", "0199-aa", "--reason", REASON, "--expect", "same_under gust=7"), 2, "it changes gust"),
        (("add", "0199-aa", "--from", "x.yaml"), 2, "--from"),
        (("add", "--from", "none.yaml"), 2, "is not there"),
        (("retire", "clam", "--reason", REASON), 1, "no edge case clam"),
        (("retire", "storm", "--reason", "so"), 2, "20 characters"),
    ],
)
def test_a_misuse_says_what_to_do_and_changes_nothing(project, arguments, code, told):
    """The book is changed by who means it."""
    keep(project, logged(project))
    before = book(project).read_bytes()

    found, shown = run(*arguments)

    assert (found, told in shown) == (code, True), shown
    assert book(project).read_bytes() == before


def test_cases_from_a_file_are_tried_on_the_newest_candidate_and_added(project, tmp_path):
    """What generated cases find is written down as YAML. One that the candidate meets stops them all."""
    project.append("bundle", project.guilty.digest, project.guilty)
    fails = FIRST.replace("id: calm", "id: night").replace("hour: 6", "hour: 23")
    meets = FIRST.replace("id: calm", "id: noon").replace("hour: 6", "hour: 1")
    offered = tmp_path / "offered.yaml"

    offered.write_text(fails + meets)
    assert run("add", "--from", str(offered))[0] == 1
    assert len(case_store.known(project.settings)) == 2

    offered.write_text(fails)
    code, shown = run("add", "--from", str(offered), "--json")
    assert code == 0, shown
    assert [case.id for case in case_store.known(project.settings)] == ["calm", "storm", "night"]


def test_two_who_add_at_once_both_have_their_case(project):
    """Read, change, write: without a lock the second would write over the first."""
    first, second = case_store.known(project.settings)
    new = [first.model_copy(update={"id": f"n{hour}", "record": {"hour": hour, "wind": 1.0}}) for hour in range(8, 16)]
    adding = [threading.Thread(target=case_store.add, args=(project.settings, [case])) for case in new]
    for one in adding:
        one.start()
    for one in adding:
        one.join()

    assert {case.id for case in case_store.known(project.settings)} == {first.id, second.id, *(case.id for case in new)}


def test_a_stop_while_writing_leaves_the_old_book(project, monkeypatch):
    """Half a book is no book."""
    before = book(project).read_bytes()
    case = case_store.known(project.settings)[0].model_copy(update={"id": "new", "record": {"hour": 1, "wind": 1.0}})

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        case_store.add(project.settings, [case])

    assert book(project).read_bytes() == before
    assert [path.name for path in book(project).parent.iterdir()] == ["edge_cases.yaml"]


def test_a_block_reads_back_equal(project):
    """Whatever stands in a sentence: colons, hashes, quotes, another script."""
    odd = (
        "a: b # not a comment, 'and' \"so on\" - a sentence long enough for more than one line of a file, is it not?",
        "- starts like a list, and is longer than twenty: yes",
        "Der Wind: 40 mph, «so viel» wie nie, ☃ und 日本語, ganz sicher",
        "two  spaces\nand a line end, which folding would lose",
        "short: but with a colon {in braces}",
        "\x1b[31mred, which must not steer a terminal\x1b[0m",
    )
    calm = case_store.known(project.settings)[0]
    schema = case_store._schema(project.settings)
    for place, sentence in enumerate(odd):
        record = {"hour": place, "wind": 1e-7 if place else None}
        case = calm.model_copy(update={"reason": sentence, "incident": sentence, "record": record})

        assert edge_cases.parse(yaml_editor.block(case), "book", schema) == (case,)


# --- retiring -----------------------------------------------------------------------------------------------------


def test_a_retired_case_moves_as_it_stands_with_who_when_and_why(project):
    """Its comments too; the rest of the book stays as it was."""
    code, shown = run("retire", "storm", "--reason", "The tower was taken down.", "--by", "ada", "--json")

    assert code == 0, shown
    assert book(project).read_text() == HEAD + FIRST + "\n# --- evenings ---\n\n# the end\n"
    moved = case_store.retired_file(project.settings).read_text()
    start = SECOND.index("- id: storm")
    assert SECOND[start : SECOND.index("\n# the end")] in moved
    found = yaml.safe_load(moved)[0]["retired"]
    assert (found["by"], found["reason"]) == ("ada", "The tower was taken down.")
    assert case_store.retired(project.settings) == {"storm"}


def test_a_case_that_others_lean_on_stays(project):
    """They would be compared with nothing."""
    code, shown = run("retire", "calm", "--reason", "It says nothing that others do not.")

    assert code == 1 and "storm" in shown
    assert case_store.retired(project.settings) == frozenset()


def test_the_last_case_stays(project):
    """A suite without cases approves anything."""
    assert run("retire", "storm", "--reason", "The tower was taken down.")[0] == 0

    code, shown = run("retire", "calm", "--reason", "The tower was taken down.")

    assert code == 1 and "last" in shown


def test_a_stop_between_the_two_files_is_mended_by_retiring_again(project, monkeypatch):
    """The case is in both files then, and in the retired one only once in the end."""
    write = case_store._write

    def stopped(file, content):
        if file.name == "edge_cases.yaml":
            raise OSError(5, "stopped")
        write(file, content)

    monkeypatch.setattr(case_store, "_write", stopped)
    arguments = {"by": "ada", "date": datetime.date(2026, 11, 21), "reason": "The tower was taken down."}
    with pytest.raises(OSError, match="stopped"):
        case_store.retire(project.settings, "storm", **arguments)
    assert "storm" in {case.id for case in case_store.known(project.settings)}
    monkeypatch.setattr(case_store, "_write", write)

    case_store.retire(project.settings, "storm", **arguments)

    assert [case.id for case in case_store.known(project.settings)] == ["calm"]
    assert [case.id for case in edge_cases.retired(case_store.retired_file(project.settings))] == ["storm"]


@pytest.mark.parametrize(
    "written",
    [
        "- {id: gone, reason: &r Nothing has gone wrong yet., author: a, date: 2026-01-01, request: r1,\n"
        "   record: {hour: 1, wind: null}, expect: {label: true}}  # in braces\n",
        "-   id: gone\n    reason: |\n      Nothing has gone\n      wrong yet.\n\n    author: a\n    date: 2026-01-01\n"
        "    request: r1\n    record: {hour: 1, wind: null}\n    expect:\n      label: true\n",
        "- author: a\n  date: 2026-01-01\n  request: r1\n  record:\n    hour: 1\n    wind: null\n"
        "  expect: {label: true}\n  id: gone\n  reason: >\n    Nothing has gone wrong\n    yet.\n",
    ],
    ids=["braces", "wide", "another order"],
)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_however_a_case_is_written_it_can_be_retired(project, written, ending):
    """People write YAML in their own way."""
    whole = (HEAD + FIRST + "\n" + written + SECOND).replace("\n", ending)
    book(project).write_bytes(whole.encode())
    before = case_store.known(project.settings)

    gone = case_store.retire(
        project.settings, "gone", by="ada", date=datetime.date(2026, 11, 21), reason="The tower was taken down."
    )

    assert case_store.known(project.settings) == (before[0], before[2])
    assert book(project).read_bytes() == (HEAD + FIRST + SECOND).replace("\n", ending).encode()
    [moved] = edge_cases.retired(case_store.retired_file(project.settings))
    assert edge_cases.digest(moved) == edge_cases.digest(gone)
    assert not re.search(r"\n\s*\n\s*retired:", case_store.retired_file(project.settings).read_text())
    assert moved.retired.by == "ada"


def test_a_book_in_brackets_is_not_cut(project):
    """Its cases have no lines of their own; better no change than a wrong one."""
    each = [
        yaml.safe_dump(one, default_flow_style=True, width=10_000).strip() for one in yaml.safe_load(FIRST + SECOND)
    ]
    whole = f"[{', '.join(each)}]\n"
    book(project).write_text(whole)

    with pytest.raises(ConfigError):
        case_store.retire(
            project.settings, "storm", by="ada", date=datetime.date(2026, 11, 21), reason="The tower was taken down."
        )
    case = case_store.known(project.settings)[0].model_copy(update={"id": "new", "record": {"hour": 1, "wind": 1.0}})
    with pytest.raises(ConfigError):
        case_store.add(project.settings, [case])

    assert book(project).read_text() == whole
    assert case_store.retired(project.settings) == frozenset()


@pytest.mark.parametrize(
    "told", ["", "  retired: {by: ada, date: 2026-11-21}\n", "  retired: {by: '', date: 2026-11-21, reason: so}\n"]
)
def test_a_retired_case_says_who_when_and_why(project, told):
    """Moved by hand, without a reason, it excuses nothing."""
    case_store.retired_file(project.settings).write_text(FIRST + told)

    with pytest.raises(ConfigError, match="retired"):
        case_store.retired(project.settings)


# --- the list, and what the gate asks -----------------------------------------------------------------------------


def test_the_list_says_what_is_expected_by_whom_and_why(project):
    """The same in JSON."""
    code, shown = run("list")

    assert code == 0
    assert shown.startswith("2 edge cases, 0 retired\n")
    assert "higher_than calm" in shown and "bob" in shown and "A night of which" in shown
    assert '"expects":["probability at_most 0.9"]' in run("list", "--json")[1]


A, B, C = Digest("a" * 64), Digest("b" * 64), Digest("c" * 64)


@pytest.mark.parametrize(
    ("before", "now", "retired", "said"),
    [
        ({}, {"x": A}, (), ()),
        ({"x": A}, {"x": A, "y": B}, (), ()),
        ({"x": A, "y": B}, {"x": A}, ("y",), ()),
        ({"x": A, "y": B}, {"x": A}, (), ("y is gone",)),
        ({"x": A}, {"x": C}, (), ("x is no longer",)),
        ({"x": A}, {"x": C}, ("x",), ("x is no longer",)),
        ({"x": A, "y": B}, {"z": A}, ("w",), ("x is gone", "y is gone")),
    ],
    ids=["grown from nothing", "grown", "retired", "gone", "changed", "changed though retired", "renamed"],
)
def test_a_suite_shrinks_by_retiring_only(before, now, retired, said):
    """A case that is gone, or asks for less under its old name, is what a hurried person does to a red gate."""
    found = case_store.shrunk(before, now, retired)

    assert len(found) == len(said)
    assert all(words in sentence for words, sentence in zip(said, found, strict=True))


def test_a_case_deleted_or_weakened_by_hand_shows(project):
    """From the text of the book to the sentence."""
    before = edge_cases.suite(case_store.known(project.settings))
    book(project).write_text(HEAD + FIRST.replace("at_most: 0.9", "at_most: 0.95"))

    found = case_store.shrunk(
        before, edge_cases.suite(case_store.known(project.settings)), case_store.retired(project.settings)
    )

    assert [sentence.split()[3] for sentence in found] == ["storm", "calm"]


def test_a_model_that_learned_to_be_careful_meets_the_case(project):
    """`tried` asks the record and those it is compared with, and nothing else."""
    calm, storm = case_store.known(project.settings)
    hours = np.arange(24)
    model = LogisticRegression().fit(np.c_[hours, hours * 2.0], hours > 12)
    opened = open_bundle(project.folder(project.pack(model=model)))

    assert {one.name: one.holds for one in case_store.tried(storm, (calm, storm), opened)} == {
        "probability": True,
        "lead over calm": True,
    }
