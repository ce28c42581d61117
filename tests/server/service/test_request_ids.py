"""server/service/request_ids.py: every answer has an id of its own."""

import os
import shutil
import subprocess
import sys

import pytest

from proveout.server.service.request_ids import RequestIds, new_id, sane_id


def test_an_id_given_twice_gets_a_tail(tmp_path):
    """The ledger keeps one row for an id: the second answer would be missing from it."""
    ids = RequestIds(tmp_path / "ids")
    given = [ids.take("same") for _ in range(3)]

    assert given[0] == "same"
    assert len(set(given)) == 3
    assert all(one.startswith("same~") for one in given[1:])


def test_another_process_and_the_next_server_know_it_too(tmp_path):
    """A retry meets another process, or the server that was started after a crash."""
    child = (
        "import sys; from pathlib import Path; from proveout.server.service.request_ids import RequestIds;"
        "print(RequestIds(Path(sys.argv[1])).take('one'))"
    )
    file = tmp_path / "state" / "ids"
    first = subprocess.run([sys.executable, "-c", child, str(file)], capture_output=True, text=True, check=True)
    living, other = RequestIds(file), RequestIds(file)

    assert first.stdout.strip() == "one"
    assert living.take("one").startswith("one~")
    assert living.take("two") == "two"
    assert other.take("two").startswith("two~")


def test_many_ids_are_not_taken_for_each_other(tmp_path):
    """A tail that nobody needs would hide the id from who gave it."""
    ids = RequestIds(tmp_path / "ids")

    assert all(ids.take(f"request {number}") == f"request {number}" for number in range(50_000))
    assert not any(ids.take(f"request {number}") == f"request {number}" for number in range(50_000))


def test_a_full_disk_costs_the_memory_and_not_the_process(tmp_path):
    """A page of a mapped file that finds no room ends a process with SIGBUS: the room is taken at the start."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root, for a file system of its own")
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)], check=True)
    try:
        child = (
            "import sys; from pathlib import Path; from proveout.server.service.request_ids import RequestIds;"
            "ids = RequestIds(Path(sys.argv[1])); print(len({ids.take(f'{n % 30_000}') for n in range(60_000)}))"
        )
        done = subprocess.run(
            [sys.executable, "-c", child, str(small / "ids")], capture_output=True, text=True, check=False
        )
    finally:
        subprocess.run(["umount", str(small)], check=True)

    assert (done.returncode, done.stdout.strip()) == (0, "60000")
    assert "no room" in done.stderr


def test_without_a_file_one_process_remembers(tmp_path):
    """For a prediction service that stands alone."""
    ids = RequestIds()

    assert (ids.take("a"), ids.take("a")[:2]) == ("a", "a~")


def test_new_ids_sort_by_their_time():
    """A version 7 UUID: the log's rows lie in the order they were written."""
    assert new_id(1_000_000_000, 2**74 - 1) < new_id(2_000_000_000, 0)
    assert len({RequestIds().take(None) for _ in range(5)}) == 5


@pytest.mark.parametrize("given", [b"", b"x" * 129, b"two words", b"tab\t", b"\xff", b"line\n", b"\x7f"])
def test_what_is_no_sane_id_is_none(given):
    """It goes into headers, logs and terminals."""
    assert sane_id(given) is None
    assert sane_id(b"~sane!") == "~sane!"
