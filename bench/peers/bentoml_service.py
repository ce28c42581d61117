"""BentoML with adaptive batching, access log off. The bundle is in BENCH_BUNDLE.

bentoml serve bentoml_service:Flights
"""

import os
from pathlib import Path

import bentoml
from model import Model
from pydantic import create_model

BUNDLE = Path(os.environ["BENCH_BUNDLE"])
InFlightBatch = create_model("InFlightBatch", **Model(BUNDLE).fields())


@bentoml.service(workers=1, traffic={"timeout": 60}, logging={"access": {"enabled": False}})
class Flights:
    def __init__(self) -> None:
        self.model = Model(BUNDLE)

    @bentoml.api(batchable=True, max_batch_size=64, max_latency_ms=1_000)
    def predict(self, flights: list[InFlightBatch]) -> list[float]:
        return self.model.predict([flight.model_dump() for flight in flights])
