"""An outcome that is a sum of the columns asked: who can give them knows it, and a model of it is no evidence.

Input: the rows that the pilot learned from and its held-out rows. Output: a sentence; "" where nothing adds up to it.
"""

from typing import TYPE_CHECKING

from proveout.evaluation.context import LabelledRows

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_FEWEST_ROWS = 20  # of each side, beyond the number of columns
_MOST_COLUMNS = 200
_ROUNDING = 1e-9  # of the outcome's standard deviation: what is left of an exact sum, and far less than any noise
_SHARE = 1e-6  # of the outcome's standard deviation: what a column of the sum adds at least
_MOST_NAMED = 5


def found(learned: LabelledRows, judged: LabelledRows, outcome: str) -> str:
    """What adds up to the outcome of each held-out row, with factors that the training rows alone told."""
    import numpy as np

    columns = [str(name) for name in learned.records if learned.records[name].dtype.kind in "iufb"]
    if not 0 < len(columns) <= _MOST_COLUMNS:
        return ""
    sides = [_known(one, columns) for one in (learned, judged)]
    (inputs, truth), (asked, wanted) = sides
    spread = float(np.std(truth)) if len(truth) else 0.0
    if min(len(truth), len(wanted)) < len(columns) + _FEWEST_ROWS or spread == 0:
        return ""
    middle, width = inputs.mean(axis=0), inputs.std(axis=0)
    width[width == 0] = 1.0
    factors = np.linalg.lstsq((inputs - middle) / width, truth - truth.mean(), rcond=None)[0]
    apart = np.abs((asked - middle) / width @ factors + truth.mean() - wanted).max()
    if apart > _ROUNDING * spread:
        return ""
    parts = [name for name, factor in zip(columns, factors, strict=True) if abs(factor) > _SHARE * spread]
    named = ", ".join(parts[:_MOST_NAMED]) + (f" and {len(parts) - _MOST_NAMED} more" if parts[_MOST_NAMED:] else "")
    if len(parts) == 1:
        return f"{outcome} is {named} times a factor, exactly, in all {len(wanted):,} held-out rows"
    return f"{named} add up to {outcome}, exactly and with the same factors, in all {len(wanted):,} held-out rows"


def _known(rows: LabelledRows, columns: list[str]) -> "tuple[NDArray[np.float64], NDArray[np.float64]]":
    """Inputs and outcomes of the rows without a hole."""
    import numpy as np

    table: pd.DataFrame = rows.records[columns]
    inputs, truth = table.to_numpy(dtype=float, na_value=np.nan), np.asarray(rows.labels, dtype=float)
    whole = np.isfinite(inputs).all(axis=1) & np.isfinite(truth)
    return inputs[whole], truth[whole]
