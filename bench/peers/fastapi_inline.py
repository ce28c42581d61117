"""FastAPI as most people serve a model: a pydantic model, the pipeline called in the handler.

python fastapi_inline.py BUNDLE PORT
"""

import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from model import Model
from pydantic import create_model

model = Model(Path(sys.argv[1]))
InFlightBatch = create_model("InFlightBatch", **model.fields())
app = FastAPI()


@app.post("/predict")
async def predict(flight: InFlightBatch) -> dict:
    # In the event loop, as the answer to nearly every "how do I serve a model" has it. As a plain `def`, FastAPI
    # calls it from up to 40 threads, which take turns at the interpreter: slower, and seconds late with 64 connections.
    return {"probability": model.predict([flight.model_dump()])[0]}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[2]), log_level="warning", access_log=False)
