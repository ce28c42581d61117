"""What a flight looks like: one request to the model, and one row of the table with what became of it."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series


class FlightRequest(pa.DataFrameModel):
    """What the schedule says."""

    month: int = pa.Field(ge=1, le=12)
    day: int = pa.Field(ge=1, le=31)
    hour: int = pa.Field(ge=0, le=23, description="of the scheduled departure, local")
    carrier: str = pa.Field(str_matches=r"^[A-Z0-9]{2}$")
    flight: int = pa.Field(ge=1, le=9999)
    origin: str = pa.Field(isin=["EWR", "JFK", "LGA"])
    dest: str = pa.Field(str_matches=r"^[A-Z]{3}$")
    distance: float = pa.Field(ge=10, le=6000, description="miles")

    class Config:
        coerce = True
        strict = True


class Flights(FlightRequest):
    """A flight with what became of it. One that was cancelled or diverted has no time in the air."""

    dep_delay: float = pa.Field(nullable=True, ge=-120, le=2880, description="minutes")
    air_time: float = pa.Field(nullable=True, ge=10, le=1200, description="minutes")

    @pa.dataframe_check(name="flies_only_if_departed")
    def flies_only_if_departed(cls, flights: pd.DataFrame) -> Series[bool]:
        """What never left was not in the air."""
        return flights["air_time"].isna() | flights["dep_delay"].notna()

    @pa.dataframe_check(name="believable_speed")
    def believable_speed(cls, flights: pd.DataFrame) -> Series[bool]:
        """Miles per hour: faster than any airliner is another unit; the shortest hops are hardly above 100."""
        return flights["air_time"].isna() | (60 * flights["distance"] / flights["air_time"]).between(60, 760)

    class Config:
        coerce = True
        strict = True
        unique = ["month", "day", "carrier", "flight", "origin"]
