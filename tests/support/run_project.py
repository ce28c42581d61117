"""A small project with a file of each kind that a run reads."""

from proveout.records.snapshot import Snapshot
from proveout.records.values import Digest

FILES = {
    "pyproject.toml": """
[tool.proveout]
model = "tiny"
source = "data.py:source"
batch_schema = "schemas.py:Batch"
request_schema = "schemas.py:Request"
features = "features.py:features"
target = "label.py:late"
fallback = "serve/fallback.py:rules"
actions = "serve/actions.py:action"
cost_function = "serve/costs.py:cost"
notebook = "pilot.ipynb"
event_key = ["id"]
feature_files = ["airports.csv"]
required_checks = ["checks/"]
""",
    "data.py": """
import pandas as pd


def source(name, tables):
    return pd.DataFrame({"id": [1, 2, 3], "x": [1.0, None, 3.0], "y": [0.0, 1.0, 2.0]})
""",
    "schemas.py": """
import pandera.pandas as pa


class Request(pa.DataFrameModel):
    id: int
    x: float = pa.Field(nullable=True)


class Batch(Request):
    y: float
""",
    "features.py": "import units\n\n\ndef features(rows):\n    return rows[['x']] * units.SCALE\n",
    "units.py": "SCALE = 2\n",
    "label.py": "def late(rows):\n    return (rows['y'] > 0).astype('boolean')\n",
    "serve/fallback.py": "def rules(record):\n    return 0.5\n",
    "serve/actions.py": "def action(answer):\n    return 'wait'\n",
    "serve/costs.py": "def cost(label, probability, outcome):\n    return 0.0\n",
    "pilot.ipynb": '{"cells": [{"cell_type": "code", "source": ["%matplotlib inline\\n", "import steps"]}]}',
    "steps.py": "",
    "idle.py": "",
    "airports.csv": "code,x\n",
    "requirements.lock": "numpy==2\n",
    "flows/train.toml": """
[data]
version = "latest"
[split]
kind = "time"
train_through = "1"
holdout = "2"
[parameters]
[infrastructure]
cpu = 1
memory_mb = 1000
threads = 1
retries = 0
timeout_s = 60
cell_timeout_s = 60
[decision]
threshold = 0.5
[evaluation]
auc_at_least = 0.7
""",
}
NOTHING = Snapshot(digest=Digest("a" * 64), batches=())
