"""Whether a frame holds texts is read from what the notebook shows."""

import json
from pathlib import Path

import pytest

from proveout.pilot.audit import frame_types
from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.notebook_text import read

TEXTS = " 0 a 9 non-null object\n 1 b 9 non-null int64"
NUMBERS = " 0 a 9 non-null float64\n 1 b 9 non-null int64"


def last_call(folder: Path, *cells: tuple[str, str]) -> tuple[Call, Analysis]:
    """The last call of a notebook whose cells have these sources and outputs."""
    document = [
        {"cell_type": "code", "source": source, "outputs": [{"output_type": "stream", "text": text}]}
        for source, text in cells
    ]
    file = folder / "a.ipynb"
    file.write_text(json.dumps({"cells": document}))
    analysis = Analysis(read(file))
    return [call for call in analysis.calls if call.method in ("corr", "mean")][-1], analysis


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([("df = pd.read_csv('a')", ""), ("df.corr()", "")], True),
        ([("df.info()", TEXTS), ("df.corr()", "")], True),
        ([("df.info()", NUMBERS), ("df.corr()", "")], False),
        ([("df.info()", TEXTS), ("df.info()", NUMBERS), ("df.corr()", "")], False),
        ([("df = df.select_dtypes('number')", ""), ("df.corr()", "")], False),
        ([("df = all[['a', 'b']]", ""), ("df.corr()", "")], False),
    ],
)
def test_a_frame_may_hold_text_unless_something_says_that_it_does_not(
    tmp_path: Path, cells: list[tuple[str, str]], expected: bool
) -> None:
    """corr() raises for texts, and is right for numbers."""
    call, analysis = last_call(tmp_path, *cells)

    assert frame_types.may_hold_text("df", call, analysis) is expected


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        ([("df.info()", TEXTS), ("df.mean()", "")], True),
        ([("df.info()", TEXTS), ("df.groupby('a').mean()", "")], True),
        ([("df.info()", TEXTS), ("df.mean(numeric_only=True)", "")], False),
        ([("df.info()", TEXTS), ("df = encode(df)", ""), ("df.mean()", "")], False),
        ([("df.info()", NUMBERS), ("df.mean()", "")], False),
        ([("df.mean()", "")], False),
    ],
)
def test_a_mean_is_of_texts_only_where_a_list_of_types_shows_them(
    tmp_path: Path, cells: list[tuple[str, str]], expected: bool
) -> None:
    """Nearly every mean is of numbers: without evidence there is no finding."""
    call, analysis = last_call(tmp_path, *cells)

    assert frame_types.averages_text(call, analysis) is expected
