"""The table that the small pilots read."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(autouse=True)
def raw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    """240 rows with numbers, holes, texts and a target, in rows.csv of the working folder."""
    rng = np.random.default_rng(7)
    size = 240
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, size).astype(float),
            "income": rng.normal(40_000, 9_000, size).round(2),
            "city": rng.choice(["Rome", "Oslo", "Bonn"], size),
            "plan": rng.choice(["basic", "plus", "pro"], size),
        }
    )
    frame["left"] = ((frame.age > 50) ^ (rng.random(size) < 0.1)).astype(int)
    frame.loc[rng.choice(size, 20, replace=False), "age"] = np.nan
    frame.to_csv(tmp_path / "rows.csv", index=False)
    monkeypatch.chdir(tmp_path)
    return frame


@pytest.fixture(autouse=True)
def _quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """What the pilots print stays out of the tests' output."""
    yield
    capsys.readouterr()
