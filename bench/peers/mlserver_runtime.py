"""A runtime for MLServer, in the server's process and with adaptive batching. The bundle is in BENCH_BUNDLE."""

import os
from pathlib import Path

from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput
from model import Model


class Flights(MLModel):
    async def load(self) -> bool:
        self.model = Model(Path(os.environ["BENCH_BUNDLE"]))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        columns = {column.name: list(column.data.root) for column in payload.inputs}
        records = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        found = self.model.predict(records)
        output = ResponseOutput(name="probability", shape=[len(found), 1], datatype="FP64", data=found)
        return InferenceResponse(model_name=self.name, outputs=[output])
