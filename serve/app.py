"""Serve the released model: `python serve/app.py`, or `make serve`, or `proveout serve`: they are the same.

What happens here, in order:

1. `[tool.proveout]` in pyproject.toml says which model, which request schema, which rules, which port. Each setting
   can be overridden in the environment: `PROVEOUT_PORT=8081 python serve/app.py`.
2. The released bundle is looked up in the ledger. No release, a changed file or no valid approval: it says so and ends.
3. LitServe starts a worker that opens the bundle, and the gateway that takes requests on http://127.0.0.1:8080.
4. Every request is answered: by the model; else by `fallback.py`; else with an explicit "no prediction". Every answer
   carries what a person should do, from `actions.py`, and is logged before it leaves.

Ask it on the page at http://127.0.0.1:8080/, which shows a record to begin with, or where you have one in a file:

    curl -s http://127.0.0.1:8080/predict -d @record.json

Ctrl-C, or SIGTERM, answers what it has accepted and ends with exit code 0.
"""

import sys
from pathlib import Path

from proveout.errors import ProveoutError
from proveout.gate.current_fingerprint import current_fingerprint
from proveout.server.main import serve
from proveout.settings import load

# The worker is a new process that imports this file: nothing may happen on import.
if __name__ == "__main__":
    try:
        sys.exit(serve(load(Path(__file__).parent), current_fingerprint=current_fingerprint))
    except ProveoutError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
