"""Functions that learn from all rows and change them in one call: what they learned stays that of the pilot."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from handed_over import answers, handed_over, module
from recorded_notebook import last_model, recorded
from small_pilots import FIT, IMPORTS, INPUTS, READ, SPLIT

HEAD = f"from scipy import stats\nfrom sklearn import preprocessing\n{READ}\ndf = df.fillna(30)"
CHANGES = {
    "boxcox with its parameter": "df['income'], found = stats.boxcox(df['income'])",
    "boxcox alone": "df['income'] = stats.boxcox(df['income'])[0]",
    "boxcox with an interval": "df['income'], found, between = stats.boxcox(df['income'], alpha=0.05)",
    "yeojohnson": "df['income'] = stats.yeojohnson(df['income'])[0]",
    "zscore of a column": "df['income'] = stats.zscore(df['income'])",
    "zscore of a table": "df[['age', 'income']] = stats.zscore(df[['age', 'income']], ddof=1)",
    "scale": "df[['age', 'income']] = preprocessing.scale(df[['age', 'income']])",
    "minmax_scale": "df['income'] = preprocessing.minmax_scale(df['income'], feature_range=(0, 2))",
    "robust_scale": "df[['age', 'income']] = preprocessing.robust_scale(df[['age', 'income']])",
    "winsorize": "df['income'] = stats.mstats.winsorize(df['income'], limits=[0.05, 0.1])",
    "power_transform": "df[['income']] = preprocessing.power_transform(df[['income']])",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_row_alone_is_changed_as_in_the_pilot(change: str, tmp_path: Path) -> None:
    """A parameter found anew for one row is another one, and of a single value there is none."""
    found, _ = handed_over([HEAD, change, INPUTS, SPLIT, FIT], tmp_path / "model")
    raw, held = pd.read_parquet(tmp_path / "model/raw.parquet"), pd.read_parquet(tmp_path / "model/heldout.parquet")
    rows = raw.drop(columns="left").iloc[list(found.rows)]

    alone = module(tmp_path / "model").features(rows.head(1))

    assert np.allclose(alone, np.asarray(found.inputs)[[0]], rtol=1e-9)
    assert answers(tmp_path / "model", rows).tolist() == held["answer"].tolist()


@pytest.mark.parametrize(
    "change",
    ["X = preprocessing.scale(X, axis=1)", "X['income'] = stats.boxcox(X['income'], lmbda=0.5)"],
    ids=["along each row", "with the author's own parameter"],
)
def test_what_learns_nothing_from_the_rows_is_left_alone(change: str) -> None:
    """It is the same for one row as for all."""
    with recorded([IMPORTS, HEAD, INPUTS, change, SPLIT, FIT]) as tape:
        _, found = last_model(tape)

        assert "rescaled" not in tape.kinds.values()
        assert found.level == "raw"
