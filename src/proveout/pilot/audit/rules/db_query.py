"""PA104 db-query."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.rule import Example, Hit, Rule

_OPENS = re.compile(
    r"^(?:sqlalchemy\.(?:engine\.)?create_engine|(?:sqlite3|psycopg2?|pymysql|MySQLdb|mysql\.connector|pyodbc|cx_Oracle|oracledb|"
    r"ibm_db|ibm_db_dbi|snowflake\.connector|duckdb|pymssql|jaydebeapi|teradatasql|redshift_connector|trino\.dbapi|"
    r"pyhive\.\w+|impala\.dbapi|clickhouse_driver|prestodb\.dbapi|phoenixdb|vertica_python)\.(?:connect|pconnect|Connection|Client)|"
    r"pymongo\.(?:MongoClient|mongo_client\.MongoClient)|redis\.(?:Redis|StrictRedis|from_url)|cassandra\.cluster\.Cluster|"
    r"neo4j\.GraphDatabase\.driver|elasticsearch\.Elasticsearch|pandas\.(?:read_sql\w*|read_gbq)|pandas_gbq\.read_gbq|"
    r"\w*(?:spark|sqlContext|sqlCtx|hiveContext|sc)\.(?:sql|table)|ibm_db\.\w+|influxdb\.\w*Client|arcticdb\.Arctic)$"
)
_METHODS = {"read_sql", "read_sql_query", "read_sql_table", "to_sql", "executemany", "fetchall", "fetchone"}
_JDBC = re.compile(r"^jdbc$")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Calls that open or ask a database, and SQL magics."""
    for call in analysis.calls:
        if _OPENS.match(call.name) and not _of_own_view(call, analysis):
            yield Hit(cell=call.cell, line=call.line, evidence=f"{call.name} opens or asks a database")
        elif call.method in ("read_sql", "read_sql_query", "read_sql_table", "to_sql"):
            yield Hit(cell=call.cell, line=call.line, evidence=f"{call.method} asks a database")
        elif call.method == "execute" and _is_statement(call.argument(0)):
            yield Hit(cell=call.cell, line=call.line, evidence="execute sends a statement to a database")
        elif call.method == "format" and _JDBC.match(_text(call.argument(0))):
            yield Hit(cell=call.cell, line=call.line, evidence="reads or writes through JDBC")
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.name in ("sql", "bigquery", "load_ext") and (magic.name != "load_ext" or "sql" in magic.text):
                if magic.name != "load_ext":
                    yield Hit(cell=cell.index, line=magic.line, evidence=f"%{magic.name} asks a database")


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_statement(node: ast.expr | None) -> bool:
    return bool(re.match(r"\s*(?:select|insert|update|delete|create|drop|alter|with)\b", _text(node), re.IGNORECASE))


def _of_own_view(call: Call, analysis: Analysis) -> bool:
    """Whether `spark.sql` asks a view that the notebook made itself."""
    if call.method not in ("sql", "table"):
        return False
    asked = _text(call.argument(0))
    views = [
        _text(other.argument(0))
        for other in analysis.calls
        if other.method in ("createOrReplaceTempView", "registerTempTable", "createTempView", "createGlobalTempView")
    ]
    return any(view and re.search(rf"\b{re.escape(view)}\b", asked) for view in views)


RULE = Rule(
    code="PA104",
    kind="db-query",
    severity="high",
    title="Database query",
    why="The rows come from a live system: another day gives other rows, and the run needs its address and credentials.",
    fix="Read the query's result in the project's source, so that each run has a snapshot; keep credentials in the environment.",
    adopt="asks",
    adopt_note="Asks for a file with the rows; it opens no database.",
    find=find,
    positive=(
        Example(
            cells=(
                "import sqlite3, pandas as pd\nc = sqlite3.connect('x.db')\ndf = pd.read_sql('select * from t', c)",
            ),
            found=((0, 2), (0, 3)),
        ),
        Example(cells=("from sqlalchemy import create_engine\ne = create_engine(url)",), found=((0, 2),)),
        Example(cells=("from pymongo import MongoClient\nclient = MongoClient()",), found=((0, 2),)),
        Example(cells=("df = spark.sql('select * from sales.orders')",), found=((0, 1),)),
        Example(cells=("%%sql\nselect 1",), found=((0, 1),)),
    ),
    negative=(
        Example(cells=("df.createOrReplaceTempView('t')\nx = spark.sql('select * from t')",)),
        Example(cells=("df = pd.read_csv('x.csv')\ncursor = 1",)),
    ),
)
