"""Rows as a server logs them, numbered: predictions, what a shadow said, what was said of them."""

from dataclasses import replace

from proveout.records.answer import Answer
from proveout.records.prediction import Feedback, Prediction, ShadowAnswer

AT = "2013-05-01T10:00:00.000+00:00"


def prediction(number: int, **changes: object) -> Prediction:
    plain = Prediction(
        request_id=f"r{number:06}",
        at=f"2013-05-01T10:00:{number % 60:02}.000+00:00",
        model="flight-delay",
        release="flight-delay@0123456789ab",
        record={"origin": "JFK", "distance": 1069.0, "flight": 11, "tailnum": None, "delayed": False},
        answered_by="model",
        answer=Answer(value=True, probability=0.625),
        latency_ms=1.5,
    )
    return replace(plain, **changes)


def shadow_answer(number: int, **changes: object) -> ShadowAnswer:
    plain = ShadowAnswer(
        request_id=f"r{number:06}",
        at=AT,
        release="flight-delay@feedfeedfeed",
        answer=Answer(value=False, probability=0.25),
        latency_ms=2.5,
    )
    return replace(plain, **changes)


def said_of(number: int, **changes: object) -> Feedback:
    plain = Feedback(feedback_id=f"f{number:06}", request_id=f"r{number:06}", at=AT, text="came «late»", key="k1")
    return replace(plain, **changes)
