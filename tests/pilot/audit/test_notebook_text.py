"""Notebooks of any writer are read as cells, and what is no notebook says so."""

import json
from pathlib import Path

import pytest

from proveout.errors import UsageError
from proveout.pilot.audit import notebook_text


def written(folder: Path, document: object, name: str = "a.ipynb") -> Path:
    """A file with a JSON document."""
    file = folder / name
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


def test_cells_keep_the_places_that_jupyter_gives_them(tmp_path: Path) -> None:
    """A finding names a cell by its place among all cells, texts included."""
    cells = [
        {"cell_type": "markdown", "source": "# Title"},
        {"cell_type": "code", "source": ["a = 1\n", "b = 2"], "execution_count": 7, "outputs": []},
    ]

    read = notebook_text.read(written(tmp_path, {"nbformat": 4, "metadata": {}, "cells": cells}))

    assert [(cell.index, cell.cell_type, cell.source) for cell in read.cells] == [
        (0, "markdown", "# Title"),
        (1, "code", "a = 1\nb = 2"),
    ]
    assert read.cells[1].execution_count == 7


def test_a_notebook_of_format_3_has_its_cells_in_worksheets(tmp_path: Path) -> None:
    """Old notebooks are the ones that most need an audit."""
    sheet = {"cells": [{"cell_type": "code", "language": "python", "input": "print 3", "prompt_number": 2}]}

    read = notebook_text.read(written(tmp_path, {"nbformat": 3, "metadata": {}, "worksheets": [sheet]}))

    assert [(cell.source, cell.execution_count) for cell in read.cells] == [("print 3", 2)]
    assert read.language == "python"


def test_outputs_are_read_as_text_and_broken_ones_are_passed_over(tmp_path: Path) -> None:
    """A copied number is found by the output that shows it; one broken output must not hide the others."""
    outputs = [
        {"output_type": "stream", "text": ["a\n", "b"]},
        {"output_type": "execute_result", "data": {"text/plain": "0.83", "image/png": "xyz"}},
        {"output_type": "display_data", "data": "no mapping"},
        "no output",
        None,
    ]
    cells = [{"cell_type": "code", "source": "x", "outputs": outputs}]

    read = notebook_text.read(written(tmp_path, {"cells": cells}))

    assert read.cells[0].outputs == ("a\nb", "0.83")


@pytest.mark.parametrize(
    ("content", "said"),
    [("", "it is empty"), ("{", "not JSON"), ("[1]", "no list of cells"), ('{"cells": 3}', "no list of cells")],
)
def test_a_file_that_is_no_notebook_says_why(tmp_path: Path, content: str, said: str) -> None:
    """Somebody named the wrong file, or an editor broke it."""
    file = tmp_path / "a.ipynb"
    file.write_text(content)

    with pytest.raises(UsageError, match=said):
        notebook_text.read(file)


def test_a_file_that_is_not_there_is_a_misuse(tmp_path: Path) -> None:
    """A typing error in a path is no empty notebook."""
    with pytest.raises(UsageError, match="no such file"):
        notebook_text.read(tmp_path / "none.ipynb")


@pytest.mark.parametrize(
    "cell", [None, 3, {}, {"cell_type": "code"}, {"cell_type": "code", "source": None, "outputs": 3}]
)
def test_a_broken_cell_is_an_empty_one(tmp_path: Path, cell: object) -> None:
    """The cells beside it are audited all the same, at their own places."""
    whole = {"cell_type": "code", "source": "x = 1", "outputs": []}

    read = notebook_text.read(written(tmp_path, {"cells": [cell, whole]}))

    assert [one.source for one in read.cells] == ["", "x = 1"]


def test_the_kernel_and_its_version_are_those_of_the_metadata(tmp_path: Path) -> None:
    """A notebook of another Python runs otherwise."""
    metadata = {"kernelspec": {"name": "conda_python3"}, "language_info": {"name": "python", "version": "3.6.5"}}

    read = notebook_text.read(written(tmp_path, {"metadata": metadata, "cells": []}))

    assert (read.kernel_name, read.language, read.language_version) == ("conda_python3", "python", "3.6.5")


def test_metadata_that_is_no_mapping_is_no_metadata(tmp_path: Path) -> None:
    """Whatever wrote it, the cells are there."""
    read = notebook_text.read(written(tmp_path, {"metadata": {"kernelspec": "x", "kernel_info": 3}, "cells": []}))

    assert read.kernel_name is None


def test_a_script_is_cut_at_its_cells(tmp_path: Path) -> None:
    """Editors write notebooks as scripts; a finding's line is that of the cell, and the script's line is known."""
    file = tmp_path / "a.py"
    file.write_text("# %%\na = 1\n# %% [markdown]\n# Title\n# %%\nb = 2\n")

    read = notebook_text.read(file)

    assert [(cell.cell_type, cell.source.strip(), cell.first_line) for cell in read.cells] == [
        ("code", "a = 1", 1),
        ("markdown", "# Title", 3),
        ("code", "b = 2", 5),
    ]
    assert not read.has_metadata


def test_a_marimo_notebook_gives_the_bodies_of_its_cells(tmp_path: Path) -> None:
    """Its functions and returns are marimo's, not the author's."""
    file = tmp_path / "a.py"
    file.write_text(
        "import marimo\napp = marimo.App()\n\n@app.cell\ndef _():\n    x = 1\n    return (x,)\n\n"
        "@app.function\ndef double(n):\n    return 2 * n\n"
    )

    read = notebook_text.read(file)

    assert [cell.source for cell in read.cells] == ["x = 1", "def double(n):\n    return 2 * n"]
    assert read.cells[0].first_line == 5


def test_what_is_no_notebook_is_not_taken_for_one(tmp_path: Path) -> None:
    """In a folder with modules, only what looks like a notebook is audited."""
    module, script = tmp_path / "module.py", tmp_path / "script.py"
    module.write_text("x = 1\n")
    script.write_text("# %%\nx = 1\n")

    assert not notebook_text.is_notebook(module)
    assert notebook_text.is_notebook(script)


def test_bytes_that_are_no_utf_8_are_read_all_the_same(tmp_path: Path) -> None:
    """Notebooks of old Windows editors hold umlauts of another encoding."""
    file = tmp_path / "a.ipynb"
    file.write_bytes('{"cells": [{"cell_type": "code", "source": "x = \'größe\'"}]}'.encode("latin-1"))

    assert notebook_text.read(file).cells[0].source == "x = 'größe'"
