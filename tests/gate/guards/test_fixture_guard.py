"""A candidate that a check changed answers otherwise; one whose sums are added in another order does not."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from proveout.gate.guards import fixture_guard
from proveout.model import bundle


def _opened(said: Any, *, allowed: float = 0.0) -> Any:
    """An opened bundle that gives these answers, or raises them."""

    def predict(rows: pd.DataFrame) -> Any:
        if isinstance(said, Exception):
            raise said
        return np.asarray(said)

    return SimpleNamespace(
        predict=predict,
        reference=lambda: pd.DataFrame({"a": [1, 2]}),
        folder=None,
        bundle=SimpleNamespace(manifest=None),
        tolerance=SimpleNamespace(answers=allowed),
    )


@pytest.mark.parametrize(
    ("now", "then", "allowed", "same"),
    [
        ([1.0, np.nan], [1.0, np.nan], 0.0, True),
        ([1.0 + 1e-13, 2.0], [1.0, 2.0], 1e-10, True),
        ([1.0 + 1e-13, 2.0], [1.0, 2.0], 0.0, False),
        ([1.1, 2.0], [1.0, 2.0], 1e-10, False),
        (ValueError("no"), ValueError("no"), 0.0, True),
        (ValueError("no"), [1.0, 2.0], 0.0, False),
    ],
    ids=["equal", "rounded", "a model without sums", "changed", "both raise", "raises now"],
)
def test_answers_differ_by_rounding_alone(
    monkeypatch: pytest.MonkeyPatch, *, now: Any, then: Any, allowed: float, same: bool
) -> None:
    """A forest with several jobs adds its trees as these end: nobody has changed it."""
    monkeypatch.setattr(bundle, "open_bundle", lambda *_, **__: _opened(then, allowed=allowed))

    assert fixture_guard._answers_the_same(_opened(now)) is same
