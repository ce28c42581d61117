"""A request schema with every type and every check that is known, and a request that passes it."""

from typing import Any

import pandas as pd
import pandera.pandas as pa


class Everything(pa.DataFrameModel):
    """Every type and every check the compiler knows."""

    count: int = pa.Field(ge=0, lt=100, ne=13)
    small: pa.Int8 = pa.Field()
    share: float = pa.Field(gt=0, le=1)
    band: float = pa.Field(nullable=True, in_range={"min_value": 2, "max_value": 4, "include_max": False})
    code: str = pa.Field(str_matches=r"^[A-Z]{2}$")
    word: str = pa.Field(nullable=True, str_length={"min_value": 2, "max_value": 5}, notin=["nope"])
    tag: str = pa.Field(str_startswith="x", str_endswith="y", str_contains="-")
    side: str = pa.Field(isin=["left", "right"])
    flag: bool = pa.Field(eq=True)
    maybe: pd.Int64Dtype = pa.Field(nullable=True)

    @pa.check("count", element_wise=True, name="is_even")
    def is_even(cls, value: int) -> bool:
        """An even number."""
        return value % 2 == 0

    class Config:
        strict = True
        coerce = True


GOOD: dict[str, Any] = {
    "count": 2, "small": -5, "share": 0.5, "band": 2.0, "code": "AB", "word": "four", "tag": "x-y", "side": "left",
    "flag": True, "maybe": 7,
}  # fmt: skip
