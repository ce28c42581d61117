"""PA105 cloud-resource."""

import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.literals import is_bucket, literals
from proveout.pilot.audit.rule import Example, Hit, Rule

_PACKAGES = re.compile(
    r"^(?:boto3|botocore|s3fs|sagemaker|google\.cloud|google\.oauth2|googleapiclient|gcsfs|azure|azureml|adlfs|ibm_boto3|ibm_botocore|"
    r"ibm_watson\w*|watson_developer_cloud|ibm_watson_machine_learning|watson_machine_learning_client|ibm_ai_openscale|ibm_watsonx_ai|"
    r"ibm_cloud_sdk_core|vertexai|databricks\.sdk|cdsw|cmlapi|oci|oss2|mlflow\.tracking|wandb|comet_ml|neptune|dropbox|pydrive2?|gspread|"
    r"h2o|openai|twilio|kfp|kubernetes|minio|swiftclient|snowflake\.snowpark|wallaroo|clearml|feast|hsfs|hopsworks)(?:\.|$)"
)
_NO_RESOURCE = re.compile(r"(?:get_execution_role|__version__|get_region|\.TrainingInput|wandb\.config)$")
_METHODS = re.compile(
    r"^(?:upload_data|upload_file|upload_fileobj|download_file|download_fileobj|put_object|get_object|deploy|delete_endpoint|"
    r"create_endpoint|create_endpoint_config|invoke_endpoint|create_training_job|default_bucket|get_bucket|download_to_filename|"
    r"upload_from_filename|head_bucket|create_bucket|list_objects\w*|store_model|register_model|submit|create_compute_target)$"
)
_SHELL = re.compile(
    r"\b(?:aws\s+(?:s3|ec2|sagemaker|ecr|sts)|gsutil|gcloud|bq\s+\w+|az\s+\w+|ibmcloud|bx\s+\w+|oci\s+\w+)\b"
)


def find(analysis: Analysis) -> Iterator[Hit]:
    """The first line of each cell that builds, asks or names something in a cloud."""
    remote = _remote_variables(analysis)
    places: dict[int, tuple[int, str]] = {}

    def note(cell: int, line: int, evidence: str) -> None:
        if cell not in places or line < places[cell][0]:
            places[cell] = (line, evidence)

    for call in analysis.calls:
        if _NO_RESOURCE.search(call.name):
            continue
        if _PACKAGES.match(call.name):
            note(call.cell, call.line, f"{call.name} is a client of a remote service")
        elif call.name.partition(".")[0] in remote and "." in call.name:
            note(call.cell, call.line, f"{call.name} calls a remote service")
        elif _METHODS.match(call.method) and call.name.partition(".")[0] in remote:
            note(call.cell, call.line, f"{call.method} works on a remote resource")
    for literal in literals(analysis):
        if is_bucket(literal.text):
            note(literal.cell, literal.line, f"{literal.text[:80]!r} names a bucket")
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.magic_type in ("shell", "cell_magic") and (_SHELL.search(magic.text) or _SHELL.search(magic.body)):
                note(cell.index, magic.line, f"`{magic.text[:80]}` works on a remote resource")
            elif magic.name == "bigquery":
                note(cell.index, magic.line, "%%bigquery asks a warehouse")
    for index, (_, evidence) in sorted(places.items()):
        yield Hit(cell=index, line=_first_line(analysis, index), evidence=evidence)


def _first_line(analysis: Analysis, index: int) -> int:
    """The cell's first line that runs."""
    cell = analysis.cell(index)
    lines = cell.code.lines if cell else ()
    return next((n for n, line in enumerate(lines, 1) if line.strip() and not line.lstrip().startswith("#")), 1)


def _remote_variables(analysis: Analysis) -> set[str]:
    """Variables that hold what a client's package or another such variable gave."""
    found: set[str] = set()
    for cell in analysis.cells:
        for binding in cell.bindings:
            value = binding.value
            if value is None or binding.how not in ("assign", "with"):
                continue
            name = analysis.name_of(getattr(value, "func", value))
            first = name.partition(".")[0]
            if (_PACKAGES.match(name) and not _NO_RESOURCE.search(name)) or (first in found and _gives_resource(name)):
                found.add(binding.name)
    return found


def _gives_resource(name: str) -> bool:
    return bool(
        re.search(
            r"(?:client|resource|Bucket|bucket|session|Session|deploy|Object|blob|repository|estimator|fit)$", name
        )
    )


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
    ),
    negative=(
        Example(cells=("from sagemaker import get_execution_role\nrole = get_execution_role()",)),
        Example(cells=("df = pd.read_csv('https://example.org/a.csv')",)),
    ),
)
