"""A call has the same place in every run of the same cells, also in a function of another cell."""

from pathlib import Path

import pandas as pd
from recorded_notebook import Shell, last_model, recorded
from small_pilots import FIT, IMPORTS, INPUTS, SPLIT

from proveout.records.adopted_notebook import AdoptedNotebook, RawColumn
from proveout.recovery import handed_rows, kernel_hook
from proveout.recovery.places import key_of, place_of
from proveout.recovery.recovery_report import recover_one

FUNCTIONS = [
    IMPORTS,
    "def load(path):\n    return pd.read_csv(path)",
    "def answers(model, rows):\n    return model.predict(rows)",
    "other = load('other.csv')",
    "df = load('rows.csv').fillna(0)",
    INPUTS,
    SPLIT,
    FIT.replace("model.predict(X_test)", "answers(model, X_test)"),
]


def test_calls_in_functions_of_other_cells_are_found_again(raw: pd.DataFrame, tmp_path: Path) -> None:
    """The next run gets its rows for the call of one statement, and no other call of that function gets them."""
    raw.head(30).to_csv("other.csv", index=False)
    with recorded(FUNCTIONS) as tape:
        one, found = last_model(tape)
        assert found.primary is not None
        prediction, source = place_of(tape, one.prediction.key), place_of(tape, found.primary.key)
        assert (prediction.cell, prediction.written_in, source.cell, source.written_in) == (7, 2, 4, 1)
        assert key_of(tape, prediction) == one.prediction.key
    more = pd.concat([raw, raw.head(40)], ignore_index=True)
    more.to_parquet(tmp_path / "more.parquet", index=False)
    adopted = AdoptedNotebook(
        prediction=prediction, source=source, source_form="frame",
        columns=tuple(RawColumn(name=str(name), dtype=str(dtype)) for name, dtype in raw.dtypes.items()),
    )  # fmt: skip
    shell = Shell()
    tape = kernel_hook.install(shell, handed_rows.read(adopted, tmp_path / "more.parquet"))
    try:
        for tape.cell, cell in enumerate(FUNCTIONS):
            assert shell.run(cell) is None
        made = recover_one(tape, adopted, tmp_path / "model")
    finally:
        kernel_hook.remove(tape)

    assert (made.level, made.reason) == ("raw", "")
    assert len(shell.user_ns["other"]) == 30
    assert len(pd.read_parquet(tmp_path / "model/raw.parquet")) == 280
