"""What a flight looks like: one request to the model, and one row of the table with the aircraft that came."""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

FAMILIES = ["Airbus A320", "Boeing 737", "Embraer 190", "MD-80 or 717", "long range", "regional jet"]


class FlightRequest(pa.DataFrameModel):
    """What the schedule says."""

    month: int = pa.Field(ge=1, le=12)
    hour: int = pa.Field(ge=0, le=23, description="of the scheduled departure, local")
    carrier: str = pa.Field(str_matches=r"^[A-Z0-9]{2}$")
    number: str = pa.Field(str_matches=r"^[A-Z0-9]{2}[0-9]{1,4}$", description="carrier and flight number, UA1545")
    origin: str = pa.Field(isin=["EWR", "JFK", "LGA"])
    dest: str = pa.Field(str_matches=r"^[A-Z]{3}$")
    distance: float = pa.Field(ge=10, le=6000, description="miles")

    class Config:
        coerce = True
        strict = True


class Flights(FlightRequest):
    """A flight with the family of its aircraft. Nobody knows it of one that is not registered."""

    family: str = pa.Field(nullable=True, isin=FAMILIES)

    @pa.dataframe_check(name="number_of_the_carrier")
    def number_of_the_carrier(cls, flights: pd.DataFrame) -> Series[bool]:
        """A flight number begins with the airline's code."""
        begins = flights["number"].astype(str).str[:2]
        return begins == flights["carrier"].astype(str)

    class Config:
        coerce = True
        strict = True
        unique = ["month", "number", "origin", "hour"]
