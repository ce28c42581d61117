"""The rows of a snapshot come as the pilot's own were."""

from pathlib import Path

import pandas as pd

from proveout.records.adopted_notebook import AdoptedNotebook, CallPlace, RawColumn
from proveout.recovery import handed_rows

PLACE = CallPlace(cell=0, statement=0, call=0, turn=0)


def test_a_categorical_column_keeps_the_order_of_its_categories(tmp_path: Path) -> None:
    """A snapshot has texts. `get_dummies(drop_first=True)` leaves out the first category, and not the first text."""
    pd.DataFrame({"day": ["Sun", None, "Fri", "Mon"]}).to_parquet(tmp_path / "rows.parquet")
    day = RawColumn(name="day", dtype="category", categories=("Thur", "Fri", "Sun"))
    adopted = AdoptedNotebook(prediction=PLACE, source=PLACE, source_form="frame", columns=(day,))

    made = handed_rows.read(adopted, tmp_path / "rows.parquet").frame["day"]

    assert made.cat.categories.tolist() == ["Thur", "Fri", "Sun", "Mon"]
    assert made.isna().tolist() == [False, True, False, False]
