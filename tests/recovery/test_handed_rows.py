"""The rows of a snapshot come as the pilot's own were."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from proveout.records.adopted_notebook import AdoptedNotebook, CallPlace, RawColumn
from proveout.recovery import handed_rows
from proveout.recovery.file_lookup import ROOT_VARIABLE
from proveout.recovery.handed_rows import HandedRows
from proveout.recovery.recorder import Recorder
from proveout.recovery.tape import CallMade, Key, Tape

PLACE = CallPlace(cell=0, statement=0, call=0, turn=0)


def test_a_categorical_column_keeps_the_order_of_its_categories(tmp_path: Path) -> None:
    """A snapshot has texts. `get_dummies(drop_first=True)` leaves out the first category, and not the first text."""
    pd.DataFrame({"day": ["Sun", None, "Fri", "Mon"]}).to_parquet(tmp_path / "rows.parquet")
    day = RawColumn(name="day", dtype="category", categories=("Thur", "Fri", "Sun"))
    adopted = AdoptedNotebook(prediction=PLACE, source=PLACE, source_form="frame", columns=(day,))

    made = handed_rows.read(adopted, tmp_path / "rows.parquet").frame["day"]

    assert made.cat.categories.tolist() == ["Thur", "Fri", "Sun", "Mon"]
    assert made.isna().tolist() == [False, True, False, False]


class _Always(HandedRows):
    def is_for(self, tape: Tape, key: Key) -> bool:
        return True


def test_rows_in_the_place_of_an_array_are_like_that_of_the_file_wherever_it_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `np.loadtxt` gives is needed for its form, and a run has another working folder than the notebook."""
    (tmp_path / "data").mkdir()
    (tmp_path / "a run").mkdir()
    np.savetxt(tmp_path / "data" / "plain.csv", np.zeros((30, 2)), delimiter=",")
    monkeypatch.chdir(tmp_path / "a run")
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    rows = pd.DataFrame(np.arange(100.0).reshape(50, 2))
    recorder = Recorder(Tape(), _Always(frame=rows, place=PLACE, form="other"))

    asked = ("../elsewhere/plain.csv",)
    call = CallMade(key=Key(0, "0.0", 0), function=np.loadtxt, name="loadtxt", args=asked, named={"delimiter": ","})

    assert recorder.call(call).tolist() == rows.to_numpy().tolist()
