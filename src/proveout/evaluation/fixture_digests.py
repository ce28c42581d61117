"""Digests of what a gate run hands out, so that a change in place is seen at its end.

Input: labelled rows, or an opened bundle. Output: what has to be the same later.
"""

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.model.bundle import OpenBundle

COUNTED = frozenset({"detours"})  # attributes of an opened bundle that change as it answers


def of_rows(labels: "NDArray[Any]", *tables: "pd.DataFrame") -> str:
    """A digest of labels, shape (rows,), and of tables of the same rows: of every value and its place."""
    import pandas as pd

    # By value: the bytes of an array of classes are addresses.
    digest = hashlib.sha256(pd.util.hash_array(labels).tobytes())
    for table in tables:
        digest.update(repr([*table.columns, *table.dtypes]).encode())
        digest.update(pd.util.hash_pandas_object(table, index=True).to_numpy().tobytes())
    return digest.hexdigest()


def of_bundle(opened: "OpenBundle") -> dict[str, int]:
    """Which objects an opened bundle is made of."""
    return {name: id(value) for name, value in vars(opened).items() if name not in COUNTED}
