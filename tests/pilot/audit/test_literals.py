"""Texts in code: which are paths, which are addresses, and what an expression of texts gives."""

import ast
import json
from pathlib import Path

import pytest

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.literals import (
    constants,
    is_absolute,
    is_bucket,
    is_reader,
    is_url,
    is_writer,
    literals,
    text_of,
)
from proveout.pilot.audit.notebook_text import read


def analysis_of(folder: Path, *cells: str) -> Analysis:
    """What is known of a notebook with these cells."""
    file = folder / "a.ipynb"
    file.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source} for source in cells]}))
    return Analysis(read(file))


@pytest.mark.parametrize(
    "path", ["/home/me/a.csv", "C:\\a\\b.csv", "D:/a.csv", "~/a", "file:///a/b", "\\\\host\\share\\a"]
)
def test_a_path_of_one_machine_is_absolute(path: str) -> None:
    """It means nothing on another machine."""
    assert is_absolute(path)


@pytest.mark.parametrize(
    "path", ["a/b.csv", "./a", "../a", "/", "/predict", "miles/hour", "https://a.org/home/b.csv", "a:b"]
)
def test_other_texts_with_slashes_are_not(path: str) -> None:
    """Routes, units and addresses are no paths of a machine."""
    assert not is_absolute(path)


def test_an_address_is_of_a_network_and_a_bucket_of_a_cloud() -> None:
    """Reading a bucket needs an account, reading an address does not."""
    assert is_url("https://a.org/b.csv")
    assert is_bucket("s3://bucket/key")
    assert not is_bucket("https://a.org/b.csv")
    assert not is_url("a/b")


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("'a' + '/b'", "a/b"),
        ("folder + '/x.csv'", "data/x.csv"),
        ("f'{folder}/{year}.csv'", "data/*.csv"),
        ("os.path.join(folder, 'x.csv')", "data/x.csv"),
        ("Path(folder) / 'x.csv'", "data/x.csv"),
        ("'a-{}.csv'.format(year)", "a-{}.csv"),
        ("'a-%s.csv' % year", "a-%s.csv"),
        ("unknown + 'x'", None),
        ("3", None),
    ],
)
def test_an_expression_gives_the_text_as_far_as_it_is_known(tmp_path: Path, source: str, text: str | None) -> None:
    """Most notebooks put a folder into a variable, and join it below."""
    analysis = analysis_of(tmp_path, "import os\nfrom pathlib import Path\nfolder = 'data'")

    found = text_of(ast.parse(source, mode="eval").body, constants(analysis), analysis)

    assert found == text


def test_docstrings_are_no_literals_and_each_text_knows_its_call(tmp_path: Path) -> None:
    """A path in a docstring reads no file."""
    found = literals(analysis_of(tmp_path, "'''a doc'''\nread('b.csv')\nx = f'c{d}e'"))

    assert sorted((literal.text, literal.line, literal.call is not None) for literal in found) == [
        ("b.csv", 2, True),
        ("c", 3, False),
    ]


def test_open_reads_or_writes_as_its_mode_says(tmp_path: Path) -> None:
    """A file that is written is an output and no hidden input."""
    calls = analysis_of(
        tmp_path, "open('a')\nopen('b', 'w')\nimport tarfile\ntarfile.open('c', mode='w:gz')\nx.to_csv('d')"
    ).calls

    assert [(is_reader(call), is_writer(call)) for call in calls] == [
        (True, False),
        (False, True),
        (False, True),
        (False, True),
    ]
