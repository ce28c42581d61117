"""Digests of a gate's fixtures, to detect changes in place at the end of the run.

Input: labelled rows, or an opened bundle. Output: a digest that must be the same at the end.
"""

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from proveout.model.bundle import OpenBundle

COUNTED = frozenset({"detours"})  # attributes of an opened bundle that change when it predicts


def of_rows(labels: "NDArray[Any]", *tables: "pd.DataFrame") -> str:
    """A digest of labels, shape (rows,), and of tables of the same rows: of every value and its position."""
    import pandas as pd

    # By value, because the bytes of an object array are addresses.
    digest = hashlib.sha256(pd.util.hash_array(labels).tobytes())
    for table in tables:
        digest.update(repr([*table.columns, *table.dtypes]).encode())
        digest.update(pd.util.hash_pandas_object(table, index=True).to_numpy().tobytes())
    return digest.hexdigest()


def of_bundle(opened: "OpenBundle") -> dict[str, int]:
    """The identities of the objects in an opened bundle."""
    return {name: id(value) for name, value in vars(opened).items() if name not in COUNTED}
