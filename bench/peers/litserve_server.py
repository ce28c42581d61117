"""LitServe: as it comes, or with its batching.

python litserve_server.py BUNDLE PORT [MAX_BATCH_SIZE BATCH_TIMEOUT_S]
"""

import sys
from pathlib import Path

import litserve
from model import Model


class Flights(litserve.LitAPI):
    def setup(self, device):
        self.model = Model(Path(sys.argv[1]))

    def decode_request(self, request):
        return request

    def predict(self, flight):
        return self.model.predict([flight])[0]

    def encode_response(self, probability):
        return {"probability": probability}


class Batches(Flights):
    def batch(self, flights):
        return flights

    def predict(self, flights):
        return self.model.predict(flights)

    def unbatch(self, probabilities):
        return probabilities


if __name__ == "__main__":
    batching = sys.argv[3:]
    api = Batches(max_batch_size=int(batching[0]), batch_timeout=float(batching[1])) if batching else Flights()
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=1, timeout=60)
    server.run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False, log_level="warning", access_log=False
    )
