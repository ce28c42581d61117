"""Digests of what a gate run hands out, so that a change in place is seen at its end.

Input: labelled rows, or an opened bundle. Output: what has to be the same later.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proveout.evaluation.context import LabelledRows
    from proveout.model.bundle import OpenBundle

COUNTED = frozenset({"detours"})  # attributes of an opened bundle that change as it answers


def of_rows(rows: "LabelledRows") -> str:
    """A digest of labelled rows, of every value and its place."""
    import pandas as pd

    digest = hashlib.sha256(rows.labels.tobytes())
    for table in (rows.raw, rows.records):
        digest.update(repr([*table.columns, *table.dtypes]).encode())
        digest.update(pd.util.hash_pandas_object(table, index=True).to_numpy().tobytes())
    return digest.hexdigest()


def of_bundle(opened: "OpenBundle") -> dict[str, int]:
    """Which objects an opened bundle is made of."""
    return {name: id(value) for name, value in vars(opened).items() if name not in COUNTED}
