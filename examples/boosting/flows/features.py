"""What the model looks at. The same code runs in training and in the server."""

import pandas as pd

LOOKED_AT = [
    "origin", "month", "hour", "temp", "dewp", "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib",
]  # fmt: skip


def features(weather: pd.DataFrame) -> pd.DataFrame:
    """The model's columns. One row in, one row out."""
    columns = weather[LOOKED_AT].copy()
    columns["spread"] = columns["temp"] - columns["dewp"]  # dry air warms and cools fast
    return columns
