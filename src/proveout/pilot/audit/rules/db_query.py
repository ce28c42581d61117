"""PA104 db-query."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit import remote
from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.remote import DATABASE
from proveout.pilot.audit.rule import Example, Hit, Rule
from proveout.pilot.audit.syntax import root_of

_QUERIES = re.compile(
    r"^(?:pandas\.(?:read_sql\w*|read_gbq)|pandas_gbq\.(?:read_gbq|to_gbq)|polars\.read_database\w*|duckdb\.(?:sql|query)|"
    r"\w*(?:spark|sqlContext|sqlCtx|sql_context|hiveContext|hive_context|sc)\.(?:sql|table|read\.table|read\.jdbc)|"
    r"ibm_db\.(?:exec_immediate|fetch_\w+|prepare|execute))$"
)
_METHODS = {"read_sql", "read_sql_query", "read_sql_table", "to_sql", "read_gbq", "to_gbq"}
# On a connection, a collection or a cursor.
_ASKS = re.compile(
    r"^(?:find|find_one|find_all|aggregate|count_documents|distinct|query|execute|executemany|run_query|read_rows|search|"
    r"query_df|sql|scan|hgetall|connect|read_sql\w*|list_rows)$"
)
_STATEMENT = re.compile(r"\s*(?:select|insert|update|delete|create|drop|alter|with|show|pragma|merge|truncate)\b", re.I)


def find(analysis: Analysis) -> Iterator[Hit]:
    """Calls that open or ask a database, and SQL magics."""
    connections = remote.variables(analysis)
    seen: set[tuple[int, int]] = set()
    for call in analysis.calls:
        said = _said(call, connections[call.cell].database)
        if said and not _of_own_view(call, analysis) and (call.cell, call.line) not in seen:
            seen.add((call.cell, call.line))
            yield Hit(cell=call.cell, line=call.line, evidence=said)
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.name in ("sql", "bigquery"):
                yield Hit(cell=cell.index, line=magic.line, evidence=f"%{magic.name} asks a database")


def _said(call: Call, connections: frozenset[str]) -> str:
    if DATABASE.match(call.name) or _QUERIES.match(call.name):
        return f"{call.name} opens or asks a database"
    if call.method in _METHODS:
        return f"{call.method} asks a database"
    if _ASKS.match(call.method) and "." in call.name and root_of(call.node.func) in connections:
        return f"{call.method} asks a database"
    if call.method == "execute" and _STATEMENT.match(_text(call.argument(0))):
        return "execute sends a statement to a database"
    if call.method == "format" and _text(call.argument(0)) == "jdbc":
        return "reads or writes through JDBC"
    return ""


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


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
    why="The rows come from a live system: another day gives other rows. The run needs an address and credentials.",
    fix="Read the query's result in the project's source: each run has a snapshot, and no credentials stand in code.",
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
        # Followed from the client to its tables.
        Example(
            cells=(
                "from pymongo import MongoClient\ndb = MongoClient()['shop']\norders = db['orders']",
                "for order in orders.find({'paid': True}):\n    print(order)",
            ),
            found=((0, 2), (1, 1)),
        ),
        Example(
            cells=("from google.cloud import bigquery\nbq = bigquery.Client()", "df = bq.query(text).to_dataframe()"),
            found=((0, 2), (1, 1)),
        ),
        Example(
            cells=("import sqlite3\nc = sqlite3.connect('x.db').cursor()", "c.execute(statement)"),
            found=((0, 2), (1, 1)),
        ),
    ),
    negative=(
        Example(cells=("df.createOrReplaceTempView('t')\nx = spark.sql('select * from t')",)),
        Example(cells=("df = pd.read_csv('x.csv')\ncursor = 1",)),
        Example(cells=("df.query('a > 1')\ntext.find('a')",)),
    ),
)
