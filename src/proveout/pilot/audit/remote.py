"""Variables that stand for something outside: clients, connections, jobs, buckets, and what calls do to it.

Input: an `Analysis`. Output: `Remote` for each cell: which variables are of a cloud or of a database. And for a call,
whether it changes what is there.
"""

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.syntax import root_of

CLOUD = re.compile(
    r"^(?:boto3|botocore|s3fs|sagemaker|google\.cloud|google\.oauth2|googleapiclient|gcsfs|azure|azureml|adlfs|ibm_boto3|"
    r"ibm_botocore|ibm_watson\w*|watson_developer_cloud|ibm_watson_machine_learning|watson_machine_learning_client|"
    r"ibm_ai_openscale|ibm_watsonx_ai|ibm_cloud_sdk_core|vertexai|databricks\.sdk|cdsw|cmlapi|oci|oss2|mlflow\.tracking|"
    r"wandb|comet_ml|neptune|dropbox|pydrive2?|gspread|openai|anthropic|twilio|kfp|kubernetes|minio|swiftclient|"
    r"snowflake\.snowpark|wallaroo|clearml|feast|hsfs|hopsworks|qcloud_cos|obs|paramiko|dataiku|sagemaker_\w+)(?:\.|$)"
)
DATABASE = re.compile(
    r"^(?:sqlalchemy\.(?:engine\.)?create_engine|(?:sqlite3|psycopg2?|pymysql|MySQLdb|mysql\.connector|pyodbc|cx_Oracle|"
    r"oracledb|ibm_db|ibm_db_dbi|snowflake\.connector|duckdb|pymssql|jaydebeapi|teradatasql|redshift_connector|trino\.dbapi|"
    r"pyhive\.\w+|impala\.dbapi|clickhouse_driver|prestodb\.dbapi|phoenixdb|vertica_python|databricks\.sql|aiosqlite|asyncpg)"
    r"\.(?:connect|pconnect|Connection|Client)|pymongo\.(?:MongoClient|mongo_client\.MongoClient)|motor\.\w+\.\w+Client|"
    r"redis\.(?:Redis|StrictRedis|from_url)|cassandra\.cluster\.Cluster|neo4j\.GraphDatabase\.driver|py2neo\.Graph|"
    r"elasticsearch\.Elasticsearch|influxdb\w*\.\w*Client|arcticdb\.Arctic|google\.cloud\.(?:bigquery|spanner|firestore|bigtable)"
    r"(?:\.\w+)*\.Client|clickhouse_connect\.get_client)$"
)
# Descriptions that are sent later, and questions about the platform itself: nothing is asked or made yet.
_NO_RESOURCE = re.compile(
    r"(?:get_execution_role|__version__|get_region|wandb\.config|(?:Config|Configuration|Serializer|Deserializer|"
    r"Environment|CondaDependencies|Policy|Sampling|choice|uniform))$"
)
# What these give lies in memory.
_LOCAL = re.compile(
    r"^(?:to_pandas\w*|to_dataframe|to_pydict|to_list|toPandas|read|decode|json|fetch\w*|result_text|as_dict|to_dict|splitlines|"
    r"strip|split|format|keys|head|describe|shape|id|name|predict|predict_proba)$"
)
_CHANGES = re.compile(
    r"^(?:create|delete|insert|register|submit|deploy|start|store|publish|load_table|terminate|launch|send|copy_into)"
    r"(?:_(?!or_|config)\w+)?$|^(?:upload_model|put_item|update_endpoint|execute_pipeline)$"
)
_CLOUD_CHANGES = re.compile(r"^(?:fit|train|tune|import_data|batch_predict)$")
_JOB = re.compile(r"job|pipeline|flow|tuner|experiment", re.IGNORECASE)
_CLASS_CHANGES = re.compile(r"^(?:register|deploy\w*|create|submit|delete|upload|log_model|create_\w+|delete_\w+)$")
_MAY_EXIST = {"exist_ok", "exists_ok", "not_found_ok", "overwrite", "if_not_exists"}


@dataclass(frozen=True, kw_only=True)
class Remote:
    """Names of variables, by what they stand for."""

    cloud: frozenset[str] = field(default_factory=frozenset)
    database: frozenset[str] = field(default_factory=frozenset)


def builds_client(name: str) -> bool:
    """Whether a call builds or asks something in a cloud.

    >>> builds_client("boto3.client"), builds_client("sagemaker.get_execution_role"), builds_client("pandas.read_csv")
    (True, False, False)
    """
    return CLOUD.match(name) is not None and _NO_RESOURCE.search(name) is None


@lru_cache(maxsize=1)  # three rules ask in turn
def variables(analysis: Analysis) -> Mapping[int, Remote]:
    """For each cell, the variables that stand for something in a cloud or a database, followed from their client.

    A name that a cell gives to something else is no longer one, below that cell and in it. A name that stands for
    nothing else is one above the cell that makes it, too.
    """
    found: dict[int, Remote] = {}
    cloud: set[str] = set()
    database: set[str] = set()
    ever: tuple[set[str], set[str]] = (set(), set())
    otherwise: tuple[set[str], set[str]] = (set(), set())
    for cell in analysis.cells:
        for target, value, inside_function in _assignments(cell):
            name, base = analysis.name_of(_innermost_call(value)), root_of(value)
            local = ends_local(value) or name.startswith(("pandas.", "numpy."))
            of_cloud = not local and (builds_client(name) or base in cloud or _deep_client(value, analysis))
            of_database = not local and (bool(DATABASE.match(name)) or base in database)
            for place, (is_one, names) in enumerate(((of_cloud, cloud), (of_database, database))):
                if is_one:
                    names.add(target)
                    ever[place].add(target)
                elif not inside_function:
                    names.discard(target)
                    otherwise[place].add(target)
        hidden = set(analysis.imports) | {one.arg for one in cell.nodes if isinstance(one, ast.arg)}
        found[cell.index] = Remote(cloud=frozenset(cloud - hidden), database=frozenset(database - hidden))
    always = Remote(cloud=frozenset(ever[0] - otherwise[0]), database=frozenset(ever[1] - otherwise[1]))
    return {
        index: Remote(cloud=one.cloud | always.cloud, database=one.database | always.database)
        for index, one in found.items()
    }


def _assignments(cell: CodeCell) -> list[tuple[str, ast.expr, bool]]:
    """Names with the expression they come from, and whether that stands in a function, in the order of their lines.

    Of several names at once, the first: the others are parts of it.
    """
    functions = [node for node in cell.nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    found: list[tuple[int, str, ast.expr]] = []
    for node in cell.nodes:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                first = target.elts[0] if isinstance(target, ast.Tuple | ast.List) and target.elts else target
                if isinstance(first, ast.Name):
                    found.append((node.lineno, first.id, node.value))
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if isinstance(item.optional_vars, ast.Name):
                    found.append((node.lineno, item.optional_vars.id, item.context_expr))
        elif isinstance(node, ast.For | ast.AsyncFor) and isinstance(node.target, ast.Name):
            found.append((node.lineno, node.target.id, node.iter))
    found.sort(key=lambda one: one[0])
    return [
        (name, value, any(node.lineno < line <= (node.end_lineno or line) for node in functions))
        for line, name, value in found
    ]


def _innermost_call(node: ast.expr) -> ast.expr:
    """What is called first in a chain: of `boto3.Session().client("s3")`, `boto3.Session`."""
    while True:
        if isinstance(node, ast.Await):
            node = node.value
        elif isinstance(node, ast.Call):
            inner = node.func
            while isinstance(inner, ast.Attribute | ast.Subscript):
                inner = inner.value
            if not isinstance(inner, ast.Call):
                return node.func
            node = inner
        elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.value, ast.Name):
            node = node.value
        else:
            return node


def _deep_client(node: ast.expr, analysis: Analysis) -> bool:
    """`boto3.Session().resource(...)`: a client's package stands at the root of the chain, under a call."""
    inner = _innermost_call(node)
    return inner is not node and builds_client(analysis.name_of(inner))


def ends_local(node: ast.expr) -> bool:
    """Whether what comes out of a chain lies in memory: `rows.to_dataframe()`, `run.id`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _LOCAL.match(node.func.attr) is not None
    return isinstance(node, ast.Attribute) and _LOCAL.match(node.attr) is not None


def changes(call: ast.Call, remote: Remote, analysis: Analysis) -> bool:
    """Whether a call makes, deletes or starts something outside, so that a second one does it again or fails."""
    if not isinstance(call.func, ast.Attribute):
        return False
    method, base = call.func.attr, root_of(call.func)
    if any(one.arg in _MAY_EXIST for one in call.keywords):
        return False
    if base in remote.cloud or base in remote.database:
        starts = base in remote.cloud and (_CLOUD_CHANGES.match(method) or (method == "run" and _JOB.search(base)))
        return bool(_CHANGES.match(method) or starts)
    name = analysis.name_of(call.func)
    return builds_client(name) and "config" not in name and bool(_CLASS_CHANGES.match(method))
