"""PA401 implicit-parse."""

import ast
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.rule import Example, Hit, Rule

_SPARK = {"to_timestamp", "to_date", "unix_timestamp"}


def find(analysis: Analysis) -> Iterator[Hit]:
    """Parses whose result depends on a format that is not stated, or that hide the rows they cannot read."""
    for call in analysis.calls:
        if evidence := _implicit(call):
            yield Hit(cell=call.cell, line=call.line, evidence=evidence)


def _implicit(call: Call) -> str:  # noqa: PLR0911  # one return for each kind of call
    hides = (
        _text(call.argument(-1, "errors"))
        if call.method in ("to_datetime", "to_numeric", "to_timedelta", "astype", "open")
        else ""
    )
    by = call.argument(0)
    applied = by.attr if call.method in ("apply", "map", "applymap") and isinstance(by, ast.Attribute) else ""
    if applied in ("to_datetime", "to_numeric", "to_timedelta"):
        errors = _text(call.argument(-1, "errors"))
        return f"{applied} hides what it cannot read: errors={errors!r}" if errors in ("coerce", "ignore") else ""
    if hides in ("coerce", "ignore") and call.method != "open":
        return f"{call.method} hides what it cannot read: errors={hides!r}"
    if call.method in ("to_datetime",):
        made = isinstance(call.argument(0), ast.Dict)
        return (
            ""
            if call.has("format") or call.has("unit") or len(call.node.args) > 4 or made
            else "to_datetime guesses the format"
        )
    spark = call.name in _SPARK or call.name.startswith("pyspark.sql.functions.")
    if spark and call.method in _SPARK:
        return "" if len(call.node.args) > 1 or call.has("format") else f"{call.method} guesses the format"
    if call.name in ("dateutil.parser.parse", "dateparser.parse", "parser.parse"):
        return f"{call.name} guesses the format"
    if call.method.startswith("read_"):
        dates = call.argument(-1, "parse_dates")
        if (
            dates is not None
            and not (isinstance(dates, ast.Constant) and dates.value in (False, None))
            and not call.has("date_format")
        ):
            return (
                ""
                if call.has("date_parser") and call.argument(-1, "date_parser") is not None
                else "parse_dates guesses the format"
            )
        for name in ("error_bad_lines", "warn_bad_lines", "infer_datetime_format"):
            if call.has(name) and call.argument(-1, name) is not None:
                return (
                    f"{call.method} with {name} passes over rows that it cannot read"
                    if "bad" in name
                    else "the format of dates is guessed"
                )
        if _text(call.argument(-1, "on_bad_lines")) in ("skip", "warn"):
            return "read_csv leaves out lines that it cannot read"
        if _text(call.argument(-1, "encoding_errors")) in ("ignore", "replace"):
            return "bytes that cannot be read are dropped"
    if call.method == "DatetimeIndex" and not call.has("freq"):
        return ""
    return ""


def _text(node: ast.expr | None) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


RULE = Rule(
    code="PA401",
    kind="implicit-parse",
    severity="medium",
    title="Format is guessed, or bad values are hidden",
    why="01/02 is read as January or February, as the rows suggest; what cannot be read becomes a hole without a word.",
    fix="State the format, and let the guard refuse what does not fit it.",
    adopt="does",
    adopt_note="Writes the type that the pilot's rows had into the schema, so that other values are refused.",
    find=find,
    positive=(
        Example(cells=("df = df.apply(pd.to_numeric, errors='coerce')",), found=((0, 1),)),
        Example(
            cells=("import pandas as pd\ndf['d'] = pd.to_datetime(df['d'])\nx = pd.to_numeric(df.x, errors='coerce')",),
            found=((0, 2), (0, 3)),
        ),
        Example(cells=("df = pd.read_csv('x.csv', parse_dates=['d'])",), found=((0, 1),)),
        Example(cells=("df = pd.read_csv('x.csv', on_bad_lines='skip')",), found=((0, 1),)),
    ),
    negative=(
        Example(cells=("d = pd.to_datetime(df.d, format='%Y-%m-%d')\ne = pd.to_datetime(df.e, unit='s')",)),
        Example(cells=("x = pd.to_numeric(df.x)\ndf = pd.read_csv('x.csv', parse_dates=False)",)),
    ),
)
