"""interpreter_exit.py: a process ends without a search for cycles, and what it wrote is written."""

import gzip
import subprocess
import sys

import pytest

ENDING = """
import gzip
import sys
from proveout import interpreter_exit

class Told:
    def __del__(self):
        print("collected")

if sys.argv[1] == "quick":
    interpreter_exit.without_collection()
cycle = Told()
cycle.itself = cycle
del cycle
plain = open("plain", "w")
plain.write("to the end")
raw = open("compressed", "wb")
packed = gzip.open(raw, "wt")
packed.write("to the end")
print("printed")
"""


@pytest.mark.parametrize(("how", "printed"), [("quick", "printed\n"), ("usual", "printed\ncollected\n")])
def test_open_files_are_written_and_cycles_are_left(tmp_path, how, printed):
    """A search costs each of our processes a second; a file that is not written, somebody's work."""
    ran = subprocess.run([sys.executable, "-c", ENDING, how], cwd=tmp_path, capture_output=True, text=True, check=True)

    assert (ran.stdout, ran.stderr) == (printed, "")
    assert (tmp_path / "plain").read_text() == "to the end"
    if how == "quick":  # Python itself may close the file below first, and loses what is compressed
        assert gzip.decompress((tmp_path / "compressed").read_bytes()) == b"to the end"
