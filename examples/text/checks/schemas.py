"""What an operation looks like: one request to the model, and one row of the table with what it does."""

import pandera.pandas as pa


class OperationRequest(pa.DataFrameModel):
    """What its author says of it."""

    description: str = pa.Field(str_length={"min_value": 3, "max_value": 300}, description="the first 300 letters")

    class Config:
        coerce = True
        strict = True


class Operations(OperationRequest):
    """An operation, and whether it only reads."""

    service: str = pa.Field(str_matches=r"^[a-z0-9-]+$")
    operation: str = pa.Field(str_matches=r"^[A-Za-z0-9]+$")
    reads_only: bool

    class Config:
        coerce = True
        strict = True
        unique = ["description"]
