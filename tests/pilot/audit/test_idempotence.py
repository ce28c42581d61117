"""What happens to an expression that is given its own result: the second run of a cell."""

import ast
import json
from pathlib import Path

import pytest

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.idempotence import changes_again
from proveout.pilot.audit.notebook_text import read


def changes(folder: Path, source: str, *, name: str = "x", column: bool = False) -> bool:
    """Whether a second run of `x = source` changes x again."""
    file = folder / "a.ipynb"
    cell = (
        "import numpy as np\nimport pandas as pd\ndef clean(v):\n    return v.strip()\n"
        "def cut(v):\n    return v[:-3]\n"
        "def code(v):\n    if v == 'yes':\n        return 1\n    return 0\n"
        "def tidy(v):\n    if v == 'n':\n        return 'no'\n    return v"
    )
    file.write_text(json.dumps({"cells": [{"cell_type": "code", "source": cell}]}))
    return changes_again(ast.parse(source, mode="eval").body, name, Analysis(read(file)), column=column)


@pytest.mark.parametrize(
    "source",
    [
        "x * 2",
        "x - 1",
        "np.log(x)",
        "np.append(x, 3)",
        "pd.concat([x, y])",
        "x.drop('a', axis=1)",
        "x.drop(columns=['a'])",
        "x.set_index('a')",
        "x.reset_index()",
        "x.merge(y)",
        "x[1:]",
        "x[:-5]",
        "x.iloc[:, 1:]",
        "x.sample(frac=0.5)",
        "x.values",
        "x.T",
        "x.toarray()",
        "to_categorical(x)",
        "s.fit_transform(x)",
        "x.map({'m': 0, 'f': 1})",
        "x.map(table)",
        "x.apply(lambda v: v + 1)",
        "x.apply(lambda v: 1 if v == 'yes' else 0)",
        "x.str.replace('a', '').astype(float)",
        "x.groupby('a').mean()",
        "pd.get_dummies(x, columns=['a'])",
        "x.dropna().drop('a', axis=1)",
        "[*x, 3]",
        "x.apply(cut)",
        "x.apply(code)",
        "[0 if v == 'no' else 1 for v in x]",
    ],
)
def test_a_second_application_changes_or_raises(tmp_path: Path, source: str) -> None:
    """Who runs the cell again goes on with other data, or finds an error."""
    assert changes(tmp_path, source)


@pytest.mark.parametrize(
    "source",
    [
        "x.fillna(0)",
        "x.dropna()",
        "x.sort_values('a')",
        "x.astype(int)",
        "x.str.strip()",
        "x.str.lower()",
        "x.reset_index(drop=True)",
        "x.drop(x[x.a > 3].index)",
        "x[x['a'] > 3]",
        "x[:1000]",
        "x[['a', 'b']]",
        "x.head(100)",
        "x.rename(columns={'a': 'b'})",
        "x.apply(clean)",
        "x.apply(tidy)",
        "[0 if v == 0 else 1 for v in x]",
        "x.apply(lambda v: 0 if v == 0 else 1)",
        "x.map({'a': 'a', 'b': 'b'})",
        "pd.get_dummies(x)",
        "np.array(x)",
        "(x - x.mean()) / x.std()",
        "x / x.max()",
        "x.drop('a', axis=1, errors='ignore')",
        "function(x)",
    ],
)
def test_a_second_application_gives_the_same(tmp_path: Path, source: str) -> None:
    """A cell that may run twice is no finding."""
    assert not changes(tmp_path, source)


def test_a_replacement_that_replaces_its_own_results_changes_again(tmp_path: Path) -> None:
    """1 becomes 2, and the second time 2 becomes 3."""
    assert changes(tmp_path, "x.replace({1: 2, 2: 3})", column=True)
    assert not changes(tmp_path, "x.replace({'m': 1, 'f': 2})", column=True)


def test_a_lambda_is_not_run(tmp_path: Path) -> None:
    """The audit executes nothing of a notebook: what is not constants and comparisons counts as a change."""
    assert changes(tmp_path, "x.apply(lambda v: 1 if open('gone').read() else 0)")
