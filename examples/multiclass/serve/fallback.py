"""The rules: what to answer when the model cannot. What anybody at the gate knows of the airlines of 2013."""

from collections.abc import Mapping

Value = str | int | float | bool | None

USUAL = {
    "9E": "regional jet",
    "AA": "long range",
    "AS": "Boeing 737",
    "B6": "Airbus A320",
    "DL": "Airbus A320",
    "EV": "regional jet",
    "F9": "Airbus A320",
    "FL": "MD-80 or 717",
    "HA": "long range",
    "MQ": "regional jet",
    "OO": "regional jet",
    "UA": "Boeing 737",
    "US": "Airbus A320",
    "VX": "Airbus A320",
    "WN": "Boeing 737",
    "YV": "regional jet",
}


def rules(flight: Mapping[str, Value]) -> str:
    """The family of `flight`, a valid request."""
    if float(flight["distance"] or 0) > 2_800:  # further than across the country
        return "long range"
    return USUAL.get(str(flight["carrier"]), "Airbus A320")
