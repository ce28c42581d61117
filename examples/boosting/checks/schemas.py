"""What a reading looks like: one request to the model, and one row of the table with what came of it."""

import pandera.pandas as pa


class WeatherNow(pa.DataFrameModel):
    """What the instruments of an airport say in one hour. One of them may be out of order."""

    origin: str = pa.Field(isin=["EWR", "JFK", "LGA"])
    month: int = pa.Field(ge=1, le=12)
    day: int = pa.Field(ge=1, le=31)
    hour: int = pa.Field(ge=0, le=23, description="local")
    temp: float = pa.Field(nullable=True, ge=-30, le=130, description="degrees Fahrenheit")
    dewp: float = pa.Field(nullable=True, ge=-60, le=100, description="dew point, degrees Fahrenheit")
    humid: float = pa.Field(nullable=True, ge=0, le=100, description="relative humidity, percent")
    wind_dir: float = pa.Field(nullable=True, ge=0, le=360, description="degrees")
    wind_speed: float = pa.Field(nullable=True, ge=0, le=150, description="mph")
    precip: float = pa.Field(ge=0, le=8, description="inches in this hour")
    pressure: float = pa.Field(nullable=True, ge=900, le=1100, description="millibars")
    visib: float = pa.Field(ge=0, le=10, description="miles")

    class Config:
        coerce = True
        strict = True


class Weather(WeatherNow):
    """A reading with what it was like later. An hour that is there twice, when clocks are put back, is refused."""

    warming_3h: float = pa.Field(nullable=True, ge=-60, le=60, description="degrees warmer three hours later")
    part: str = pa.Field(isin=["train", "holdout"])

    class Config:
        coerce = True
        strict = True
        unique = ["origin", "month", "day", "hour"]
