"""Erasing a person: the tables on SQLite and PostgreSQL, and the command over a project with journals and batches."""

import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import PYPROJECT, complained, invoke, said
from ledger_rows import AT, prediction, said_of, shadow_answer
from patience import PATIENCE_S, wait_until
from real_postgres import own_schema
from serving_live import Server
from tiny_project import APP

from proveout.data import snapshots
from proveout.data.store import Store
from proveout.errors import UsageError
from proveout.ledger import erasure
from proveout.ledger.erasure import Subject
from proveout.ledger.ledger import Ledger
from proveout.records.drift_report import Alert
from proveout.records.json_form import to_json
from proveout.records.prediction import Outcome, Prediction
from proveout.records.snapshot import Batch, Snapshot
from proveout.records.values import Digest, now
from proveout.server.log import codec
from proveout.server.service.pseudonyms import Pseudonyms
from proveout.trust.secrets import PII_KEY, secret

pytestmark = pytest.mark.usefixtures("no_signing_key")

LATER, MUCH_LATER = "2013-06-01T10:00:00.000+00:00", "2013-07-01T10:00:00.000+00:00"
KEY = Pseudonyms(b"k" * 32)
ADA = Subject(field="passenger", pseudonym=KEY.name("passenger", "Ada Lovelace"), value="Ada Lovelace")
HIDDEN = {"passenger": ADA.pseudonym, "flight": 11}


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ledger]:
    sqlite = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'ledger.db'}" if sqlite else own_schema(request.getfixturevalue("postgres"))
    with Ledger(url) as opened:
        yield opened


def logged(ledger: Ledger, *numbers: int, record: dict[str, Any] = HIDDEN, at: str = AT) -> None:
    """A prediction with a shadow, feedback and an outcome for each of `numbers`."""
    rows = [
        row
        for n in numbers
        for row in (prediction(n, record=record, at=at), shadow_answer(n), said_of(n, outcome=True))
    ]
    ledger.add_journal(rows, journal="j", offset=1)


def erase(ledger: Ledger, *subjects: Subject, at: str = LATER, **changes: Any) -> erasure.Erased:
    asked = {"by": "ada", "reason": "asked to be forgotten", "at": at, **changes}
    return erasure.erase(ledger, subjects or (ADA,), **asked)


# --- tables -------------------------------------------------------------------------------------------------------


def test_everything_about_a_person_is_deleted_and_nothing_else(ledger: Ledger) -> None:
    """Predictions, what shadows said beside them, what came of them and what was said about them."""
    logged(ledger, 1, 2, 3)
    logged(ledger, 4, record={"passenger": KEY.name("passenger", "Grace Hopper"), "flight": 11})
    logged(ledger, 5, record={"passenger": None, "flight": 11})

    gone = erase(ledger)

    assert (gone.predictions, gone.shadows, gone.feedback, gone.outcomes) == (3, 3, 3, 3)
    assert [one.request_id for one in ledger.predictions()] == ["r000004", "r000005"]
    assert [one.request_id for one in ledger.shadows()] == ["r000004", "r000005"]
    assert ledger.feedback_of("r000001") == ()
    assert set(ledger.outcomes([f"r{n:06}" for n in range(9)])) == {"r000004", "r000005"}


def test_the_chain_says_that_it_was_done_and_still_verifies(ledger: Ledger) -> None:
    """By its pseudonym: the ledger never forgets, so it must never know."""
    ledger.append("audit", "s", {}, actor="ada", reason="-", at=AT)
    head = ledger.head()
    logged(ledger, 1)

    gone = erase(ledger)

    [entry] = ledger.entries(kind="erasure")
    assert (entry.subject, entry.actor, entry.reason) == (ADA.pseudonym, "ada", "asked to be forgotten")
    assert gone.entries == (entry.seq,)
    assert ledger.verify_chain(head) == 2
    assert "Lovelace" not in "".join(f"{e.subject}{e.body}{e.reason}" for e in ledger.entries())
    assert "Lovelace" not in repr(ADA)


def test_erasing_again_changes_nothing_until_there_is_something_new(ledger: Ledger) -> None:
    """The job is repeated after it was cut off; and a person may come back."""
    logged(ledger, 1)
    erase(ledger)
    seen = ledger.last_seq()

    again = erase(ledger)
    assert (again.predictions, again.entries, ledger.last_seq()) == (0, (), seen)
    assert erase(ledger, anew=True).entries == (seen + 1,)

    logged(ledger, 2, at=MUCH_LATER)
    back = erase(ledger, at="2013-08-01")
    assert (back.predictions, len(back.entries)) == (1, 1)
    assert ledger.prediction_count() == 0


def test_what_is_drained_after_the_erasure_but_was_asked_before_does_not_come_back(ledger: Ledger) -> None:
    """It lay in a journal: a server that was down, or one that had not drained yet."""
    erase(ledger)

    logged(ledger, 1, 2)
    ledger.add_journal([prediction(3, at=LATER)], journal="j", offset=2)
    assert [one.request_id for one in ledger.predictions()] == ["r000003"]
    assert (ledger.shadows(), ledger.feedback_of("r000001"), ledger.journal_offset("j")) == ((), (), 2)

    logged(ledger, 4, at=MUCH_LATER)  # asked after it
    assert ledger.prediction("r000004") is not None


def test_rows_from_before_the_field_was_hidden_are_found_in_the_clear(ledger: Ledger) -> None:
    """Marking a field does not rewrite the log; erasing does. A value that begins like another is another."""
    clear = {"passenger": "Ada Lovelace", "flight": 11}
    logged(ledger, 1, record=clear)
    logged(ledger, 2, record={"flight": 11, "zone": "-", "passenger": "Ada Lovelace"})
    logged(ledger, 3, record={"passenger": "Ada Lovelace-King", "flight": 11})
    logged(ledger, 4, record={"pilot": "Ada Lovelace", "flight": 11})
    assert erase(ledger).predictions == 2

    seat = Subject(field="seat", pseudonym=KEY.name("seat", 1), value=1)
    for number, value in ((5, 1), (6, 11), (7, "1")):
        logged(ledger, number, record={"seat": value, "a": 0})
    assert erase(ledger, seat).predictions == 1


def test_a_reason_that_says_who_it_is_is_refused(ledger: Ledger) -> None:
    """It would stand in the chain for ever."""
    for changes in ({"reason": "Ada Lovelace wrote to us"}, {"reason": " "}, {"by": "Ada Lovelace"}):
        with pytest.raises(UsageError):
            erase(ledger, **changes)
    assert ledger.entries() == ()


def test_what_names_a_person_elsewhere_is_counted(ledger: Ledger) -> None:
    """Somebody wrote the name into a text on another answer; an entry of the chain cannot be changed."""
    logged(ledger, 4, record={"passenger": None})
    ledger.add_journal([said_of(9, text="met Ada Lovelace there")], journal="j", offset=2)
    assert erasure.mentions(ledger, [ADA]) == {"feedback": 1}

    ledger.append("audit", "s", {"who": "Ada Lovelace"}, actor="ada", reason="-", at=AT)
    assert erasure.mentions(ledger, [ADA]) == {"feedback": 1, "entries": 1}
    assert erasure.mentions(ledger, [Subject(field="seat", pseudonym="pii:0", value="1A")]) == {}


def test_nothing_of_it_is_left_in_the_files_of_sqlite(tmp_path: Path) -> None:
    """A deleted row stays in its page, and in the write-ahead log, unless somebody sees to it."""
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as ledger:
        logged(ledger, *range(200), record={"passenger": "Ada Lovelace", "flight": 11})
        files = lambda: b"".join(file.read_bytes() for file in tmp_path.glob("ledger.db*"))  # noqa: E731
        assert b"Lovelace" in files()

        assert erase(ledger).predictions == 200

        assert b"Lovelace" not in files()
        assert ADA.pseudonym.encode() in files()  # the entry


# --- the command --------------------------------------------------------------------------------------------------

SCHEMAS = """
import pandera.pandas as pa

class FlightRequest(pa.DataFrameModel):
    flight: int = pa.Field()
    passenger: str = pa.Field(nullable=True, metadata={"pii": True})
    member: float = pa.Field(nullable=True, metadata={"pii": True})
"""


class Asked:
    """A project whose requests name passengers, with a ledger, journals and a batch of training data."""

    def __init__(self, root: Path) -> None:
        self.root, self.state = root, root / ".proveout"
        (root / "pyproject.toml").write_text(PYPROJECT)
        (root / "checks").mkdir()
        (root / "checks" / "schemas.py").write_text(SCHEMAS)
        self.ledger = Ledger(f"sqlite:///{self.state / 'ledger.db'}")
        self.pseudonyms = Pseudonyms(secret(self.state / "keys", PII_KEY))
        self.journals = self.state / "journal"
        self.journals.mkdir(mode=0o700)

    def prediction(self, number: int, passenger: str = "Ada Lovelace", **changes: Any) -> Prediction:
        hidden = self.pseudonyms.hide({"flight": number, "passenger": passenger}, ["passenger"])
        return replace(prediction(number, record=hidden, at=now()), **changes)

    def batch(self, name: str, passengers: list[str]) -> Snapshot:
        """A batch in the store, as ingest would have left it, in a snapshot of its own."""
        store = Store(str(self.state / "store"))
        batch = Batch(name=name, digest=Digest(""), content=Digest("0" * 64), rows=len(passengers))
        batch = replace(batch, digest=snapshots.batch_digest(batch))

        def fill(folder: Path) -> None:
            pd.DataFrame({"passenger": passengers, "flight": 1}).to_parquet(folder / "rows.parquet")
            (folder / "batch.json").write_text(to_json(batch))

        store.put("batches", batch.digest, fill)
        return snapshots.extend(store, None, [batch])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    for name in [name for name in os.environ if name.startswith("PROVEOUT_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    made = Asked(tmp_path)
    yield made
    made.ledger.close()


def test_erase_empties_tables_and_dead_journals_and_says_that_nothing_is_left(project: Asked) -> None:
    """Exit 0: there is nothing more to do."""
    project.ledger.add_journal([project.prediction(1), project.prediction(2, "Grace Hopper")], journal="j", offset=1)
    alert = Alert(severity="warning", what="the log is behind", details="-", next_step="-", at=now())
    rows = (project.prediction(3), project.prediction(4, "Grace Hopper"), shadow_answer(3), alert)
    (project.journals / "20130501T000000000000Z-1.jsonl").write_bytes(b"".join(codec.write(row) for row in rows))
    damaged = project.journals / "20130401T000000000000Z-1.damaged"
    damaged.write_bytes(codec.write(project.prediction(5))[:-20] + b"\n" + b'{"passenger": "Grace"\n')

    page = said(0, "erase", "Ada Lovelace")

    assert page.startswith("erased   1 predictions, 0 of feedback, 0 outcomes, 0 answers of shadows\n")
    assert "in passenger; the ledger calls them pii:" in page
    assert page.splitlines()[-2:] == ["  left        nothing", "next: proveout ledger verify"]
    assert "Lovelace" not in page
    assert [one.request_id for one in project.ledger.predictions()] == ["r000002", "r000004"]
    assert list(project.journals.glob("*.jsonl")) == []
    assert damaged.read_bytes() == b'{"passenger": "Grace"\n'
    assert [entry.kind for entry in project.ledger.entries()] == ["erasure", "alert"]  # what else stood in it stays
    assert said(0, "ledger", "verify").startswith("intact")
    assert "none: erased earlier" in said(0, "erase", "passenger=Ada Lovelace")
    project.ledger.close()
    name = project.pseudonyms.name("passenger", "Ada Lovelace").encode()
    kept = {file.name: file.read_bytes() for file in project.state.rglob("*") if file.is_file()}
    assert [file for file, content in kept.items() if b"Lovelace" in content] == []
    assert [file for file, content in kept.items() if name in content] == ["ledger.db"]


def test_erase_lists_the_training_data_that_still_holds_the_value(project: Asked) -> None:
    """Immutable is immutable: the command says so, what to do, and exits with 1."""
    snapshot = project.batch("2013-01", ["Ada Lovelace", "Ada Lovelace", "Grace Hopper"])
    digest = snapshot.batches[0].digest
    project.batch("2013-02", ["Grace Hopper", "Grace Hopper", "Grace Hopper"])
    (project.state / "quarantine").mkdir()
    pd.DataFrame({"passenger": ["Ada Lovelace"]}).to_parquet(project.state / "quarantine" / "2013-01.parquet")

    page = said(1, "erase", "Ada Lovelace")

    assert "left        in 2 places" in page
    assert ["batch", "2013-01", digest[:12], "2", str(project.state / "store" / "batches" / digest)] in [
        line.split() for line in page.splitlines()
    ]
    assert "quarantine   2013-01.parquet" in page
    assert "is immutable: remove the rows at the source" in page
    assert page.splitlines()[-1] == "next: python flows/ingest.py run"
    assert [held["kind"] for held in json.loads(said(1, "erase", "Ada Lovelace", "--json"))["left"]] == [
        "batch", "quarantine",
    ]  # fmt: skip
    assert snapshots.describe(Store(str(project.state / "store")), snapshot.digest) == snapshot


def test_a_list_of_batches_that_was_edited_hides_nobody_who_is_in_the_rows(project: Asked) -> None:
    """The log is erased by then: an error in place of the answer would be read as \"nothing is left\"."""
    snapshot = project.batch("2013-01", ["Ada Lovelace", "Grace Hopper"])
    file = project.state / "store" / "snapshots" / snapshot.digest / "snapshot.json"
    file.chmod(0o644)
    file.write_text(file.read_text().replace("2013-01", "2013-07"))

    assert "left        in 1 place" in said(1, "erase", "Ada Lovelace")


def test_a_value_is_read_as_its_field_has_it(project: Asked) -> None:
    """12 of a member number is the number, whole or not; 12 of a passenger is a name."""
    hide = project.pseudonyms.hide
    rows = [
        prediction(n, record=hide({"flight": 1, "member": member}, ["member"]), at=now())
        for n, member in enumerate((12, 12.0, 13.0))
    ]
    project.ledger.add_journal(rows, journal="j", offset=1)

    assert said(0, "erase", "member=12").startswith("erased   2 predictions")
    assert "No personal data field can have that value" in complained(2, "erase", "member=twelve")
    assert "flight is not marked as personal data. The marked fields are: passenger, member" in complained(
        2, "erase", "flight=1"
    )
    said(0, "erase", "x=y")  # no field of that name: a value with a sign in it


def test_a_project_that_marks_nobody_is_told_how_to(project: Asked) -> None:
    """An erasure that looks nowhere must not say that nothing is left."""
    (project.root / "checks" / "schemas.py").write_text(SCHEMAS.replace('metadata={"pii": True}', ""))
    assert 'Mark them with metadata={"pii": True}' in complained(2, "erase", "Ada Lovelace")


HOLD = """
import fcntl, sys
with open(sys.argv[1], "rb") as file:
    fcntl.flock(file, fcntl.LOCK_EX)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_journal_that_a_server_keeps_open_is_left_and_said(project: Asked, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that does not look at its desired state is a place where they still are: exit 1, and what to do."""
    monkeypatch.setattr("proveout.cli.erase._WAIT_S", 0.5)
    path = project.journals / "20130501T000000000000Z-1.jsonl"
    path.write_bytes(codec.write(project.prediction(3)))
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=-1, stdout=-1) as holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        result = invoke("erase", "Ada Lovelace")
        assert result.exit_code == 1, result.output
        assert "a running server has it open" in result.stdout
        assert holder.stdin is not None
        holder.stdin.close()
    assert project.ledger.predictions() == ()  # drained by now, without them

    assert "left        nothing" in said(0, "erase", "Ada Lovelace")
    assert not path.exists()


def test_outcomes_of_erased_requests_do_not_stay(project: Asked) -> None:
    """An outcome without its prediction is about nobody, and still one row too many."""
    project.ledger.add_journal([project.prediction(1)], journal="j", offset=1)
    project.ledger.add_outcomes([Outcome(request_id="r000001", value=True, known_at=now())])
    assert "1 outcomes" in said(0, "erase", "Ada Lovelace")
    assert project.ledger.outcomes(["r000001"]) == {}


def ask(port: int, record: dict[str, Any]) -> int:
    """The status of the answer to one request."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    connection.request("POST", "/predict", json.dumps(record), {"content-type": "application/json"})
    status = connection.getresponse().status
    connection.close()
    return status


def test_a_running_server_forgets_a_person_within_seconds(
    tiny: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has their requests in a journal that it keeps open: it begins another, and the controller empties the old
    one."""
    schema = tiny.root / "schema.py"
    field = '    passenger: str = pa.Field(nullable=True, metadata={"pii": True})\n'
    schema.write_text(schema.read_text().replace("    class Config", f"{field}\n    class Config"))
    bundle = tiny.pack()
    tiny.judge(bundle)
    tiny.release(bundle)
    monkeypatch.chdir(tiny.root)
    journals, state = tiny.settings.journal_dir, tiny.settings.state_dir
    server = Server(tiny.root, app=APP)
    try:
        server.wait_ready()
        for number in range(20):
            person = "Ada Lovelace" if number % 2 else "Grace Hopper"
            assert ask(server.port, {"hour": number, "wind": 1.0, "passenger": person}) == 200
        key = Pseudonyms(secret(state / "keys", PII_KEY))
        name = key.name("passenger", "Ada Lovelace").encode()
        assert any(name in path.read_bytes() for path in journals.glob("*.jsonl"))

        page = said(0, "erase", "Ada Lovelace")

        assert "left        nothing" in page
        assert [path for path in journals.iterdir() if path.is_file() and name in path.read_bytes()] == []
        assert ask(server.port, {"hour": 1, "wind": 1.0, "passenger": "Grace Hopper"}) == 200
        wait_until(lambda: server.ledger().prediction_count() >= 11, "eleven answers in the ledger")
    finally:
        server.stop()
    with Ledger(tiny.settings.ledger) as ledger:
        people = [one.record["passenger"] for one in ledger.predictions()]
        ledger.verify_chain()
    assert people == [key.name("passenger", "Grace Hopper")] * 11
    held = [file for file in tiny.root.rglob("*") if file.is_file() and b"Lovelace" in file.read_bytes()]
    assert held == []
