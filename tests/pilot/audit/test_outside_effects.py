"""What a call leaves behind outside the notebook, so that a second run finds it."""

import ast
import json
from pathlib import Path

import pytest

from proveout.pilot.audit import outside_effects
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.notebook_text import read
from proveout.pilot.audit.remote import Remote


def said(folder: Path, source: str, *, guarded: bool = False) -> str:
    """What is said of a call."""
    file = folder / "a.ipynb"
    file.write_text(json.dumps({"cells": [{"cell_type": "code", "source": "import os, shutil, mlflow"}]}))
    call = ast.parse(source, mode="eval").body
    assert isinstance(call, ast.Call)
    return outside_effects.of_call(call, Remote(), Analysis(read(file)), guarded=guarded)


@pytest.mark.parametrize(
    "source",
    [
        "os.mkdir('a')",
        "os.remove('a')",
        "shutil.move('a', 'b')",
        "os.chdir('..')",
        "df.to_sql('t', c)",
        "df.to_sql('t', c, if_exists='append')",
        "cursor.execute('INSERT INTO t VALUES (1)')",
        "cursor.execute('''\n  drop table t''')",
        "open('a', 'a')",
        "df.to_csv('a', mode='a')",
        "mlflow.start_run()",
        "df.write.parquet('a')",
        "df.write.mode('append').saveAsTable('t')",
    ],
)
def test_a_second_run_raises_or_adds(tmp_path: Path, source: str) -> None:
    """The cell can be run once only, and does not say so."""
    assert said(tmp_path, source)


@pytest.mark.parametrize(
    "source",
    [
        "os.makedirs('a', exist_ok=True)",
        "os.chdir('/data')",
        "os.listdir('a')",
        "df.to_sql('t', c, if_exists='replace')",
        "cursor.execute('SELECT * FROM t')",
        "cursor.execute('CREATE TABLE IF NOT EXISTS t (a int)')",
        "open('a', 'w')",
        "df.to_csv('a')",
        "df.to_csv('a', 'b')",
        "df.write.mode('overwrite').parquet('a')",
        "df.write.csv('a', mode='overwrite')",
    ],
)
def test_what_is_written_anew_leaves_nothing_more(tmp_path: Path, source: str) -> None:
    """A file that is overwritten is the same file."""
    assert not said(tmp_path, source)


def test_code_that_asks_first_is_left_alone(tmp_path: Path) -> None:
    """`if not os.path.exists(...)` is how people make folders."""
    assert not said(tmp_path, "os.mkdir('a')", guarded=True)


def test_a_shell_that_appends_is_found() -> None:
    """`>>` adds to a file, `>` writes it anew."""
    assert outside_effects.of_shell("echo a >> b.txt")
    assert not outside_effects.of_shell("echo a > b.txt")
