"""PA105 cloud-resource."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit import remote
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.literals import is_bucket, literals
from proveout.pilot.audit.rule import Example, Hit, Rule

_SHELL = re.compile(
    r"\b(?:aws\s+(?:s3|s3api|ec2|sagemaker|ecr|sts|lambda|configure)|gsutil|gcloud|bq\s+\w+|az\s+\w+|ibmcloud|bx\s+\w+|"
    r"oci\s+\w+|databricks\s+\w+)\b"
)


def find(analysis: Analysis) -> Iterator[Hit]:
    """The first line of each cell that builds, asks or names something in a cloud."""
    places: dict[int, tuple[int, str]] = {}
    for cell, line, evidence in (*_of_code(analysis), *_of_magics(analysis)):
        if cell not in places or line < places[cell][0]:
            places[cell] = (line, evidence)
    for index, (_, evidence) in sorted(places.items()):
        yield Hit(cell=index, line=_first_line(analysis, index), evidence=evidence)


def _of_code(analysis: Analysis) -> Iterator[tuple[int, int, str]]:
    known = remote.variables(analysis)
    for call in analysis.calls:
        if remote.builds_client(call.name):
            yield call.cell, call.line, f"{call.name} is a client of a remote service"
        elif call.name in analysis.defined and any(
            isinstance(one, ast.Name) and one.id in known[call.cell].cloud for one in call.node.args
        ):
            yield call.cell, call.line, f"{call.name} is given something remote"
    for cell, node in analysis.nodes(ast.Attribute):
        of_client = isinstance(node.value, ast.Name) and node.value.id in known[cell.index].cloud
        if of_client and (not remote.ends_local(node) or node.attr == "predict"):
            yield cell.index, node.lineno, f"{node.value.id}.{node.attr} is of a remote service"
    for literal in literals(analysis):
        if is_bucket(literal.text):
            yield literal.cell, literal.line, f"{literal.text[:80]!r} names a bucket"


def _of_magics(analysis: Analysis) -> Iterator[tuple[int, int, str]]:
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.magic_type in ("shell", "cell_magic") and (_SHELL.search(magic.text) or _SHELL.search(magic.body)):
                yield cell.index, magic.line, f"`{magic.text[:80]}` works on a remote resource"
            elif magic.name == "bigquery":
                yield cell.index, magic.line, "%%bigquery asks a warehouse"


def _first_line(analysis: Analysis, index: int) -> int:
    """The cell's first line that runs."""
    cell = analysis.cell(index)
    lines = cell.code.lines if cell else ()
    return next((n for n, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")), 1)


RULE = Rule(
    code="PA105",
    kind="cloud-resource",
    severity="high",
    title="Remote resource of a cloud",
    why="The cell needs an account, its credentials and a bucket or endpoint that exist for the author.",
    fix="Let the project's source and store name the bucket, and keep clients and deployments out of the notebook.",
    adopt="leaves",
    adopt_note="Cells that deploy are left out of the slice; a bucket that is read is asked for as a file.",
    find=find,
    positive=(
        Example(
            cells=("import boto3\ns3 = boto3.client('s3')", "s3.download_file('b', 'k', 'x.csv')"),
            found=((0, 1), (1, 1)),
        ),
        Example(cells=("df = spark.read.parquet('s3://bucket/x')",), found=((0, 1),)),
        Example(cells=("!aws s3 cp x s3://b/x",), found=((0, 1),)),
        Example(cells=("from google.cloud import storage\nc = storage.Client()",), found=((0, 1),)),
        Example(
            cells=("import boto3\nm = boto3.client('s3')", "m = SVC()\nm.fit(X, y)", "m.predict(X)"), found=((0, 1),)
        ),
        # Followed through attributes, subscripts and calls.
        Example(
            cells=(
                "from azureml.core import Workspace\nws = Workspace.from_config()",
                "data = ws.datasets['rows']",
                "x = 1",
                "frame = data.take(5).to_pandas_dataframe()",
                "frame.head()",
            ),
            found=((0, 1), (1, 1), (3, 1)),
        ),
    ),
    negative=(
        # A name that means something else now.
        Example(cells=("model = SVC()\nmodel.fit(X, y)", "def ask(client):\n    return client.ask()")),
        Example(cells=("from sagemaker import get_execution_role\nrole = get_execution_role()",)),
        Example(cells=("df = pd.read_csv('https://example.org/a.csv')",)),
        Example(
            cells=("from azureml.core.model import InferenceConfig\nc = InferenceConfig(entry_script='score.py')",)
        ),
    ),
)
