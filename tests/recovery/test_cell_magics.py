"""What `%%time` and `%time` run is a part of the notebook like any other statement."""

import ast
from pathlib import Path

import pandas as pd
import pytest
from handed_over import answers, handed_over
from recorded_notebook import recorded
from small_pilots import FIT, INPUTS, READ, SPLIT

from proveout.recovery.kernel_hook import Hook
from proveout.recovery.tape import Tape

FILL = "df['age'] = df['age'].fillna(df['age'].mean())"
ASK = "predicted = model.predict(X_test)\nprint(accuracy_score(y_test, predicted))"
LEARN = "model = LogisticRegression(max_iter=500)\nmodel.fit(X_train, y_train)"
TIMED = {
    "a cell": [READ, f"%%time\n{FILL}", INPUTS, SPLIT, f"%%time\n{LEARN}", ASK],
    "the cell that asks": [READ, FILL, INPUTS, SPLIT, f"%%time\n\n{FIT}"],
    "a line among others": [READ, f"%time {FILL}\n{INPUTS}\n{SPLIT}\n{LEARN}\n{ASK}"],
    "a value": [READ, "typical = %time df['age'].mean()\ndf['age'] = df['age'].fillna(typical)", INPUTS, SPLIT, FIT],
    "a hidden cell": [READ, f"%%capture\n{FILL}", INPUTS, SPLIT, FIT],
    "a cell in a cell": [READ, f"%%capture\n%time {FILL}", INPUTS, SPLIT, FIT],
}


@pytest.mark.parametrize("cells", TIMED.values(), ids=TIMED)
def test_the_way_to_a_model_leads_through_cells_that_are_timed(
    cells: list[str], raw: pd.DataFrame, tmp_path: Path
) -> None:
    """To measure a cell is a habit, and changes nothing in it."""
    found, _ = handed_over(cells, tmp_path)

    held = pd.read_parquet(tmp_path / "heldout.parquet")
    assert (found.level, found.reason) == ("raw", "")
    assert answers(tmp_path, raw.iloc[held["row"]].drop(columns="left")).tolist() == held["answer"].tolist()


def test_other_magics_stay_as_they_are(raw: pd.DataFrame) -> None:
    """`%%timeit` runs its cell in a namespace of its own; a name for what is captured is needed later."""
    with recorded(
        ["def get_ipython():\n    return None", "%%timeit\nx = 1", "%%capture shown\nx = 1", "%time"]
    ) as tape:
        sources = [one.source for one in tape.statements]

    assert [source.partition("(")[0] for source in sources[1:]] == ["get_ipython"] * 3


def test_no_two_calls_of_a_cell_share_a_number() -> None:
    """A magic that runs its statements later has them numbered in the same cell."""
    hook = Hook(Tape())

    made = [ast.unparse(hook.visit(ast.parse(text))) for text in ("x = len('a')", "y = len('b')")]

    assert "('0.0', len)" in made[0]
    assert "('0.1', len)" in made[1]
