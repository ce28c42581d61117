"""Which variables stand for something outside, cell by cell, and which calls change what is there."""

import ast
import json
from pathlib import Path

import pytest

from proveout.pilot.audit import remote
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.notebook_text import read


def analysis_of(folder: Path, *cells: str) -> Analysis:
    """What is known of a notebook with these cells."""
    file = folder / "a.ipynb"
    file.write_text(json.dumps({"cells": [{"cell_type": "code", "source": source} for source in cells]}))
    return Analysis(read(file))


def test_a_client_is_followed_to_what_it_gives(tmp_path: Path) -> None:
    """Cells below work on a run, a bucket or a table, and never name the client."""
    found = remote.variables(
        analysis_of(
            tmp_path,
            "from azureml.core import Workspace\nws = Workspace.from_config()",
            "job = ws.experiments['a'].submit(c)\nbest, model = job.get_output()",
            "rows = ws.datasets['a'].to_pandas_dataframe()",
        )
    )

    assert found[2].cloud == {"ws", "job", "best"}


def test_a_connection_is_followed_to_its_tables(tmp_path: Path) -> None:
    """`orders.find()` asks the database that `client` opened."""
    found = remote.variables(
        analysis_of(
            tmp_path, "from pymongo import MongoClient\nclient = MongoClient()\norders = client['shop']['orders']"
        )
    )

    assert found[0].database == {"client", "orders"}


def test_a_name_means_what_it_was_given_last(tmp_path: Path) -> None:
    """`model` is an endpoint in one cell and a local estimator in the next."""
    found = remote.variables(
        analysis_of(tmp_path, "import boto3\nmodel = boto3.client('s3')", "model = SVC()", "model.fit(X, y)")
    )

    assert [sorted(found[index].cloud) for index in range(3)] == [["model"], [], []]


def test_a_name_of_nothing_else_is_known_above_its_cell_too(tmp_path: Path) -> None:
    """Cells are moved about; what the name stands for is plain."""
    found = remote.variables(analysis_of(tmp_path, "ws.delete()", "import boto3\nws = boto3.client('s3')"))

    assert found[0].cloud == {"ws"}


def test_a_function_s_own_argument_is_no_client(tmp_path: Path) -> None:
    """`def predict(model)` gets any model."""
    found = remote.variables(
        analysis_of(
            tmp_path, "import boto3\nmodel = boto3.client('s3')", "model = 3\ndef f(model):\n    return model.x()"
        )
    )

    assert found[1].cloud == frozenset()


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("s3.create_bucket(Bucket='a')", True),
        ("s3.delete_object(Key='a')", True),
        ("s3.list_buckets()", False),
        ("s3.create_bucket(Bucket='a', exist_ok=True)", False),
        ("s3.get_or_create(3)", False),
        ("orders.insert_one(row)", True),
        ("orders.find()", False),
        ("other.create_bucket()", False),
        ("create()", False),
    ],
)
def test_what_is_made_or_deleted_outside_changes_it(tmp_path: Path, call: str, expected: bool) -> None:
    """A second run makes a second one, or fails."""
    analysis = analysis_of(
        tmp_path,
        "import boto3\nfrom pymongo import MongoClient\ns3 = boto3.client('s3')\n"
        "orders = MongoClient()['a']['b']\nother = 3",
    )
    node = ast.parse(call, mode="eval").body
    assert isinstance(node, ast.Call)

    assert remote.changes(node, remote.variables(analysis)[0], analysis) is expected
