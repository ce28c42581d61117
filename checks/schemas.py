"""What a flight looks like: one request to the model, one row of a raw batch, and the tables beside them.

The gateway refuses a request by `FlightRequest`; the guard puts rows in quarantine by `Flights`. Ranges are wide
enough for every honest value of 2013 and narrow enough for the sensor that once reported a wind of 1,048 mph.
"""

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

HOUR = r"^\d{4}-\d{2}-\d{2}T\d{2}:00:00Z$"


class FlightRequest(pa.DataFrameModel):
    """What is known when a flight is scheduled to leave. Nullable fields may be left out of a request."""

    year: int = pa.Field(ge=2013, le=2100)
    month: int = pa.Field(ge=1, le=12)
    day: int = pa.Field(ge=1, le=31)
    sched_dep_time: int = pa.Field(ge=0, le=2400, description="local clock as HHMM")
    sched_arr_time: int = pa.Field(ge=0, le=2400, description="local clock at the destination as HHMM")
    carrier: str = pa.Field(str_matches=r"^[A-Z0-9]{2}$")
    flight: int = pa.Field(ge=1, le=9999)
    tailnum: str = pa.Field(nullable=True, str_matches=r"^[A-Z0-9]{3,8}$")
    origin: str = pa.Field(isin=["EWR", "JFK", "LGA"])
    dest: str = pa.Field(str_matches=r"^[A-Z]{3}$")
    distance: float = pa.Field(gt=0, le=6000, description="miles")
    # the weather at the origin, at the start of the scheduled hour
    temp: float = pa.Field(nullable=True, ge=-60, le=130, description="°F")
    dewp: float = pa.Field(nullable=True, ge=-80, le=110, description="°F")
    humid: float = pa.Field(nullable=True, ge=0, le=100, description="%")
    wind_dir: float = pa.Field(nullable=True, ge=0, le=360, description="degrees")
    wind_speed: float = pa.Field(nullable=True, ge=0, le=150, description="mph")
    wind_gust: float = pa.Field(nullable=True, ge=0, le=200, description="mph")
    precip: float = pa.Field(nullable=True, ge=0, le=10, description="inches")
    pressure: float = pa.Field(nullable=True, ge=850, le=1100, description="hPa")
    visib: float = pa.Field(nullable=True, ge=0, le=10, description="miles")
    # the plane, where the registry knows it
    plane_year: float = pa.Field(nullable=True, ge=1930, le=2100)
    seats: float = pa.Field(nullable=True, ge=1, le=900)

    @pa.check("sched_dep_time", "sched_arr_time", element_wise=True, name="clock_time")
    def clock_time(cls, value: int) -> bool:
        """Minutes of a clock end at 59."""
        return value % 100 < 60

    class Config:
        coerce = True
        strict = True


class Flights(FlightRequest):
    """A flight with what became of it: a raw batch, its weather and plane joined."""

    time_hour: str = pa.Field(str_matches=HOUR)
    dep_time: float = pa.Field(nullable=True, ge=0, le=2400)
    dep_delay: float = pa.Field(nullable=True, ge=-120, le=2880, description="minutes")
    arr_time: float = pa.Field(nullable=True, ge=0, le=2400)
    arr_delay: float = pa.Field(nullable=True, ge=-180, le=2880, description="minutes")
    air_time: float = pa.Field(nullable=True, ge=10, le=1200, description="minutes")

    @pa.dataframe_check(name="real_date")
    def real_date(cls, flights: pd.DataFrame) -> Series[bool]:
        """There is such a day in the calendar."""
        return pd.to_datetime(flights[["year", "month", "day"]], errors="coerce").notna()

    @pa.dataframe_check(name="arrival_and_delay_together")
    def arrival_and_delay_together(cls, flights: pd.DataFrame) -> Series[bool]:
        """An arrival delay is known exactly when the flight arrived: a diverted flight did not."""
        return flights["arr_delay"].isna() == flights["arr_time"].isna()

    @pa.dataframe_check(name="arrives_only_if_departed")
    def arrives_only_if_departed(cls, flights: pd.DataFrame) -> Series[bool]:
        """Nothing lands that did not take off."""
        return flights["arr_time"].isna() | flights["dep_time"].notna()

    @pa.dataframe_check(name="departure_and_delay_together")
    def departure_and_delay_together(cls, flights: pd.DataFrame) -> Series[bool]:
        """A departure time and a departure delay come together."""
        return flights["dep_time"].isna() == flights["dep_delay"].isna()

    @pa.dataframe_check(name="weather_hour_is_scheduled_hour")
    def weather_hour_is_scheduled_hour(cls, flights: pd.DataFrame) -> Series[bool]:
        """The joined weather is of the scheduled hour: a later one would be knowledge from the future."""
        local = pd.to_datetime(flights["time_hour"], utc=True).dt.tz_convert("America/New_York")
        return local.dt.hour == flights["sched_dep_time"] % 2400 // 100

    class Config:
        coerce = True
        strict = True
        unique = ["year", "month", "day", "carrier", "flight", "origin"]


class Weather(pa.DataFrameModel):
    """One hour of weather at one origin. Readings may be missing; an hour stands in the table once."""

    origin: str = pa.Field(isin=["EWR", "JFK", "LGA"])
    time_hour: str = pa.Field(str_matches=HOUR)
    temp: float = pa.Field(nullable=True, ge=-60, le=130)
    humid: float = pa.Field(nullable=True, ge=0, le=100)
    wind_speed: float = pa.Field(nullable=True, ge=0, le=150)
    wind_gust: float = pa.Field(nullable=True, ge=0, le=200)
    precip: float = pa.Field(nullable=True, ge=0, le=10)
    pressure: float = pa.Field(nullable=True, ge=850, le=1100)
    visib: float = pa.Field(nullable=True, ge=0, le=10)

    class Config:
        unique = ["origin", "time_hour"]


class Planes(pa.DataFrameModel):
    """The plane registry. Many tail numbers that fly are not in it; one that is stands in it once."""

    tailnum: str = pa.Field(unique=True)
    year: float = pa.Field(nullable=True, ge=1930, le=2100)
    seats: int = pa.Field(ge=1, le=900)


TABLES = {"weather": Weather, "planes": Planes}
"""What is joined to a batch, each guarded by its own schema first."""
