"""Whatever people and tools leave in a notebook, the audit reads the rest of it."""

import itertools
import json
from pathlib import Path

import pytest

from proveout.errors import UsageError
from proveout.pilot.audit import audit

TRAINING = "m = SVC()\nX_train, X_test, y_train, y_test = train_test_split(X, y)\nm.fit(X_train, y_train)"
ODD = [None, 3, -1.5, True, "", "text", [], [None], [[]], {}, {"a": None}, [{"b": 3}]]


def audited(folder: Path, document: object) -> audit.Report:
    """The report of a notebook file with this document."""
    file = folder / "a.ipynb"
    file.write_text(json.dumps(document), encoding="utf-8")
    return audit.audit(file)


def code(*sources: str) -> dict[str, object]:
    """A notebook with these code cells."""
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": []} for source in sources]
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}


STRANGE = {
    "empty": "",
    "only space": "   \n\t\n",
    "only comments": "# a\n#b\n  # c",
    "R": "library(dplyr)\ndf <- read.csv('a.csv')\ndf %>% filter(x > 3) -> y",
    "Scala": 'val x: Int = spark.read.parquet("a").count().toInt\nprintln(s"$x")',
    "SQL": "SELECT *, count(*) FROM t WHERE a = 'b' GROUP BY 1;",
    "prose": "Now we train the model, and look at what it says.\nIt isn't good.",
    "Python 2": "print 'a', x\nexec 'y = 1'\nraise ValueError, 'b'\nprint >>f, 'c'\nd = 0777\nu = ur'x'\n`x`",
    "broken": "def f(:\n  x = (1,\n%%time\n!ls {x\n'''",
    "tabs and spaces": "if True:\n\tx = 1\n        y = 2",
    "only a magic": "%matplotlib inline",
    "magic with Python body": "%%time\nm.fit(X, y)\n!ls\nx = %who",
    "magic of another language": "%%R -i df\nplot(df$a)",
    "shell in a block": "for i in range(3):\n    !echo {i}\n    %time f(i)\nelse:\n    !ls",
    "help in odd places": "df?\n?df\ndf.head??\nx = 1?\n%time?",
    "semicolons": "a = 1; b = 2; import os; !ls; c = 3;",
    "nul": "x = 1\x00\ny = 2",
    "surrogates": "x = '\ud800'",
    "right to left": "x = 'שלום'  # \u202e",
    "a name of every script": "数据 = pd.read_csv('数据.csv')\nдоход = 数据['x'].mean()",
    "nested brackets": "x = " + "[" * 80 + "1" + "]" * 80,
    "nested too deep": "x = " + "(" * 400 + "1" + ")" * 400,
    "long chain": "df" + ".fillna(0)" * 800,
    "long sum": "x = " + " + ".join(["a"] * 3000),
    "nested blocks": "\n".join(" " * depth + f"for i{depth} in x:" for depth in range(18)) + "\n" + " " * 18 + "pass",
    "nested functions": "\n".join(" " * depth + f"def f{depth}():" for depth in range(60)) + "\n" + " " * 60 + "pass",
    "5,000 lines": "\n".join(f"x{n} = f(x{n - 1}, {n})" for n in range(5000)),
    "5,000 broken lines": "\n".join(f"this is = = line {n}" for n in range(5000)),
    "one very long line": "x = [" + ", ".join(str(n) for n in range(30_000)) + "]",
    "star imports": "from a import *\nfrom . import *\nimport *",
    "deleted and global": "del x\nglobal y\nnonlocal z\nreturn 3\nyield 4\nawait f()\nbreak",
    "lambda soup": "f = lambda *a, **k: (lambda: (yield))()\ng = lambda x=(y := 1): y\nh = [*f, *g]",
    "match": "match x:\n    case {'a': [1, *rest], **more} if rest: pass\n    case A(b=3) | None: pass",
    "odd targets": "a.b[c].d, [*e], (f[0], *g) = x\nfor a.b, c[0] in y: pass\nwith x as (p, q.r): pass",
    "empty calls": "train_test_split()\nm.fit()\nm.predict()\nf1_score()\ncross_val_score()\npd.read_csv()\nopen()",
    "starred calls": "a, b = train_test_split(*args, **kwargs)\nm.fit(*args)\nm.score(*args, **kwargs)",
    "split into one": "parts = train_test_split(X)\na, = train_test_split(X)\n[a, *b] = train_test_split(X)",
    "f-strings": "x = f'{a!r:>{width}} {b[\"c\"]} {{d}}'\npd.read_csv(f'{x}')\npd.read_csv(f'')",
    "carriage returns": "x = 1\r\ny = 2\r\n%time z = 3\rw = 4",
}


@pytest.mark.parametrize("source", STRANGE.values(), ids=STRANGE.keys())
def test_a_strange_cell_leaves_the_findings_of_the_others(tmp_path: Path, source: str) -> None:
    """The cell that nobody understands is not the one with the leak."""
    report = audited(tmp_path, code("import os", source, TRAINING))

    assert report.cells == 3
    assert any(finding.kind == "unseeded-random" and finding.cell_index == 2 for finding in report.findings)


@pytest.mark.parametrize(
    "place", ["cell_type", "source", "outputs", "execution_count", "metadata", "input", "language"]
)
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_field_of_any_shape_in_a_cell_raises_nothing(tmp_path: Path, place: str, value: object) -> None:
    """Tools write what the format forbids."""
    document = code("x = 1", TRAINING)
    document["cells"][0][place] = value  # type: ignore[index]  # the document is JSON

    assert audited(tmp_path, document).cells == 2


@pytest.mark.parametrize("place", ["metadata", "nbformat", "worksheets", "nbformat_minor"])
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_a_field_of_any_shape_in_the_document_raises_nothing(tmp_path: Path, place: str, value: object) -> None:
    """The cells are there all the same."""
    assert audited(tmp_path, {**code(TRAINING), place: value}).cells == 1


@pytest.mark.parametrize("place", ["kernelspec", "language_info", "kernel_info"])
@pytest.mark.parametrize("value", [*ODD, {"name": 3}, {"name": None, "version": [3]}, {"language": {}}], ids=repr)
def test_metadata_of_any_shape_is_read_or_misused(tmp_path: Path, place: str, value: object) -> None:
    """At most it names a language that is none."""
    try:
        report = audited(tmp_path, {**code(TRAINING), "metadata": {place: value}})
    except UsageError:
        return
    assert report.cells == 1


@pytest.mark.parametrize(
    "outputs",
    [
        [{"output_type": "stream", "text": None}],
        [{"output_type": "display_data", "data": {"text/plain": {"a": 3}}}],
        [{"output_type": "error", "ename": 3, "traceback": None}],
        [{"data": {"text/plain": ["a", None, 3]}}],
        [{"output_type": "stream", "text": "x" * 2_000_000}],
        [{"output_type": "stream", "text": "{" * 50_000}],
        [{"output_type": "stream", "text": "{'a': 1, " * 20_000}],
        [{"output_type": "stream", "text": "1.23456 " * 20_000}],
    ],
    ids=itertools.count(),
)
def test_outputs_of_any_shape_and_size_raise_nothing(tmp_path: Path, outputs: list[object]) -> None:
    """A notebook with a megabyte of log is a usual one."""
    document = code("print(x)", f"{TRAINING}\ny = [1.23456, 3]\nz = 876 / (876 + 172)")
    document["cells"][0]["outputs"] = outputs  # type: ignore[index]  # the document is JSON

    assert audited(tmp_path, document).cells == 2


def test_worksheets_without_cells_are_an_empty_notebook(tmp_path: Path) -> None:
    """Format 3 allowed several worksheets, and editors left empty ones."""
    sheets = [{"cells": None}, {"cells": 3}, {}, None, {"cells": [{"cell_type": "code", "input": "x = 1"}]}]

    assert audited(tmp_path, {"nbformat": 3, "worksheets": sheets}).cells == 1
