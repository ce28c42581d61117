"""What the doctor says of a project's state, each against the fault that it is for."""

import json
import socket
import sqlite3
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from proveout.doctor import state
from proveout.doctor.finding import look
from proveout.ledger import database
from proveout.ledger.tables import VERSION_TABLE
from proveout.records.values import now
from proveout.trust.signing import new_key


def champion(tiny, *, at=None):
    return look("champion", lambda: state.champion(tiny.settings, at=at or now()))


@pytest.fixture
def served(tiny):
    """A project with a champion, and its bundle."""
    bundle = tiny.pack()
    tiny.judge(bundle)
    tiny.release(bundle)
    return bundle


# --- ledger -----------------------------------------------------------------------------------------------------------


def test_a_ledger_that_is_not_there_yet_is_a_note_and_stays_away(tiny):
    """A new project has none; the doctor makes none."""
    one = state.ledger(tiny.settings)

    assert (one.state, one.remedy) == ("note", "python flows/ingest.py run")
    assert not (tiny.settings.state_dir / "ledger.db").exists()


def test_a_ledger_in_order_is_well(tiny, served):
    """With the number of its entries."""
    one = state.ledger(tiny.settings)

    assert one.state == "ok"
    assert f"ledger.db, {len(tiny.entries())} entries" in one.said


def test_a_ledger_of_a_newer_proveout_is_a_fault_and_of_an_older_one_a_note():
    """The first cannot be read here. The second is migrated by the next command, which the doctor leaves to it."""
    newer, older = (state.schema(found, versions=("0001", "0002"), name="l") for found in ("0003", "0001"))

    assert (newer.state, newer.remedy) == ("fault", "pip install --upgrade proveout")
    assert (older.state, older.remedy) == ("note", "proveout ledger upgrade")
    assert state.schema(None, versions=("0001",), name="l").state == "note"
    assert state.schema("0002", versions=("0001", "0002"), name="l") is None


def test_the_schema_of_a_real_ledger_is_read(tiny, served):
    """By its own row, and nothing is migrated."""
    with sqlite3.connect(tiny.settings.ledger) as file:
        file.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")

    one = state.ledger(tiny.settings)

    assert one.state == "fault"
    assert "its schema is 9999" in one.said


def test_a_file_that_is_no_ledger_is_a_fault(tiny):
    """A path that is wrong by one letter may name another file."""
    tiny.settings.state_dir.mkdir(exist_ok=True)
    tiny.settings.ledger.write_text("no database, but longer than the header of one, which has a hundred bytes" * 3)

    one = look("ledger", lambda: state.ledger(tiny.settings))

    assert one.state == "fault"
    assert "is not a SQLite database" in one.said


def test_a_ledger_that_cannot_be_reached_is_a_fault_without_its_password(tiny):
    """The server is down, or the address is wrong."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://ada:geheim@127.0.0.1:{nobody.getsockname()[1]}/proveout"
        settings = tiny.settings.model_copy(update={"ledger_url": url})

        one = look("ledger", lambda: state.ledger(settings))

    assert one.state == "fault"
    assert "cannot be reached" in one.said
    assert "geheim" not in one.said + one.remedy


def test_a_ledger_that_somebody_has_locked_is_a_fault(tiny, served, monkeypatch):
    """It can be read, so that only writing to it shows the fault."""
    monkeypatch.setattr(database, "BUSY_S", 0.1)
    holder = sqlite3.connect(tiny.settings.ledger, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    one = look("ledger", lambda: state.ledger(tiny.settings))
    holder.close()

    assert one.state == "fault"
    assert "was locked by another process" in one.said


def test_the_newest_entry_gives_the_clock_something_to_compare(tiny, served):
    """None without a ledger: a clock alone cannot be wrong."""
    assert state.newest_entry_s(tiny.settings) > 1_700_000_000
    assert state.newest_entry_s(tiny.settings.model_copy(update={"state": tiny.root / "elsewhere"})) is None


# --- champion ---------------------------------------------------------------------------------------------------------


def test_a_project_without_a_release_has_a_next_step(tiny):
    """Nothing is broken in it."""
    before = champion(tiny)
    tiny.pack()
    tiny.append("note", "nothing", {})
    after = champion(tiny)

    assert (before.state, after.state) == ("note", "note")
    assert before.remedy.endswith("python flows/train.py run")
    assert "proveout release BUNDLE" in after.remedy


def test_a_champion_in_order_is_well(tiny, served):
    """With the day that its approval ends on; a week before it, that is a note."""
    late = champion(tiny, at="2098-12-30T00:00:00.000+00:00")

    assert champion(tiny).said == f"{served.name}, approved until 2099-01-01"
    assert (late.state, late.remedy) == ("note", f"proveout gate {served.digest[:12]}")


def test_a_champion_whose_approval_has_ended_is_a_fault(tiny, served):
    """The server goes on until it is started again, and then refuses."""
    one = champion(tiny, at="2100-01-01T00:00:00.000+00:00")

    assert one.state == "fault"
    assert "its approval ended" in one.said


def test_a_champion_with_a_changed_file_is_a_fault(tiny, served):
    """Named, as `proveout verify` names it."""
    (tiny.folder(served) / "signature.json").write_text("{}")

    one = champion(tiny)

    assert one.state == "fault"
    assert "signature.json" in one.said


def test_a_champion_that_is_not_in_the_store_is_a_fault(tiny, served):
    """The ledger was copied here, the store was not."""
    tiny.folder(served).rename(tiny.root / "away")

    one = champion(tiny)

    assert one.state == "fault"
    assert one.said.startswith("There is no bundle")


# --- keys -------------------------------------------------------------------------------------------------------------


def keys(tiny):
    return look("keys", lambda: state.keys(tiny.settings))


def test_keys_in_order_are_well_and_none_is_made(tiny):
    """Before the first verdict there is none."""
    before = keys(tiny)
    made = list(tiny.settings.keys_dir.glob("*"))
    tiny.keyring.key_id()
    after = keys(tiny)

    assert (before.state, made) == ("ok", [])
    assert (after.state, f"{tiny.keyring.key_id()} signs" in after.said) == ("ok", True)


@pytest.mark.parametrize("name", ["signing.key", "key-pepper"])
def test_a_private_key_that_others_may_read_is_a_fault(tiny, name):
    """With the command that mends it."""
    tiny.keyring.key_id()
    file = tiny.settings.keys_dir / name
    file.touch()
    file.chmod(0o644)

    one = keys(tiny)

    assert (one.state, one.remedy) == ("fault", f"chmod 600 {file}")
    assert "others may read this private key" in one.said


def test_a_signing_key_that_is_none_is_a_fault(tiny, monkeypatch):
    """A secret of CI that was pasted without its last line."""
    monkeypatch.setenv("PROVEOUT_SIGNING_KEY", "-----BEGIN PRIVATE KEY-----")

    assert "is not a private key" in keys(tiny).said


def test_a_signing_key_that_nobody_trusts_here_is_a_fault(tiny, monkeypatch):
    """Its verdicts would be refused at the release, after the whole gate has run."""
    tiny.keyring.key_id()
    monkeypatch.setenv("PROVEOUT_SIGNING_KEY", new_key().decode())

    one = keys(tiny)

    assert one.state == "fault"
    assert "which is not trusted here" in one.said


# --- folders, port ----------------------------------------------------------------------------------------------------


def test_a_datastore_that_is_no_folder_is_a_fault(tiny, tmp_path):
    """Metaflow would say so in the middle of a run. One that is elsewhere is not looked at, and that is said."""
    in_the_project, moved = {}, {"METAFLOW_DATASTORE_SYSROOT_LOCAL": str(tmp_path / "runs")}
    (tmp_path / "runs").write_text("a file")

    assert state.datastore(tiny.settings, in_the_project).state == "ok"
    assert state.datastore(tiny.settings, moved).state == "fault"
    assert state.datastore(tiny.settings, {"METAFLOW_DEFAULT_DATASTORE": "s3"}).state == "note"
    assert not (tiny.root / ".metaflow").exists()


def test_a_state_folder_that_is_a_file_is_a_fault(tiny, tmp_path):
    """The variable that names it was meant for another thing."""
    (tmp_path / "state").write_text("a file")

    assert state.state_folder(tiny.settings).state == "ok"
    assert state.state_folder(tiny.settings.model_copy(update={"state": tmp_path / "state"})).state == "fault"


def test_a_port_that_another_program_has_is_a_fault(tiny):
    """With what to set; free again it is well."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        settings = tiny.settings.model_copy(update={"port": other.getsockname()[1]})
        taken = look("port", lambda: state.port(settings))
    free = look("port", lambda: state.port(settings))

    assert (taken.state, free.state) == ("fault", "ok")
    assert "PROVEOUT_PORT=8081" in taken.remedy
    assert look("port", lambda: state.port(settings.model_copy(update={"port": 80}))).state == "fault"


@pytest.mark.parametrize(("title", "expected"), [("tiny", "ok"), ("another-model", "fault")])
def test_the_server_of_this_project_may_have_its_port(tiny, title, expected):
    """It is known by the title of its OpenAPI document."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"info": {"title": title}}).encode())

        def log_message(self, format, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        one = look("port", lambda: state.port(tiny.settings.model_copy(update={"port": server.server_address[1]})))
        thread.join()

    assert one.state == expected
