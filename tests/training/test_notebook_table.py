"""training/notebook_table.py: two tables are the same only where each cell is."""

import io

import numpy as np
import pandas as pd

from proveout.training import notebook_table


def parquet(**columns):
    packed = io.BytesIO()
    pd.DataFrame(columns).to_parquet(packed)
    return packed.getvalue()


def test_tables_are_compared_cell_by_cell():
    """Exactly: the last bit counts, and nothing that is not known equals itself."""
    table = {"x": [0.1 + 0.2, np.nan], "name": ["a", None], "n": [1, 2]}

    assert notebook_table.table_differences(parquet(**table), parquet(**table)) == {}
    assert notebook_table.table_differences(parquet(**table), parquet(**{**table, "x": [0.3, np.nan]})) == {"x": 1}
    assert notebook_table.table_differences(parquet(**table), parquet(**{**table, "name": ["b", None]})) == {"name": 1}
    assert notebook_table.table_differences(parquet(**table), parquet(**{**table, "n": [1.0, 2.0]})) == {"n": 2}
    assert notebook_table.table_differences(parquet(**table), parquet(x=table["x"], name=table["name"])) == {"n": 2}
