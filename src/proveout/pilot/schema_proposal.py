"""The schema, the features and the target of a project for one table, as Python source for the user to edit.

Input: a `Proposal`. Output: the text of checks/schemas.py, flows/features.py and flows/target.py.
"""

import json
import keyword
import re
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path

from proveout.pilot import source_text, table_profile
from proveout.pilot.project_proposal import Proposal, is_made_over, parts_of_moment
from proveout.pilot.source_text import WIDTH
from proveout.pilot.table_profile import Column
from proveout.records.values import TargetValue

# What a pandera model has of its own, and what the fields below are written with: a field of that name would take its
# place.
_SHADOWED = {
    "Annotated", "bool", "float", "int", "pa", "pd", "str",
    "Config", "empty", "example", "from_records", "get_metadata", "pydantic_validate", "strategy", "to_json_schema",
    "to_schema", "to_structtype", "to_yaml", "validate",
}  # fmt: skip


def schema(proposal: Proposal) -> str:
    """The text of checks/schemas.py."""
    left = [one for one in proposal.columns if not one.is_asked]
    named = attributes([one.name for one in proposal.asked])
    fields = "\n".join(line for one in proposal.asked for line in _field(one, named[one.name]))
    others = "".join(f"    # {line}\n" for one in left for line in _left_out(one))
    pandas = "import pandas as pd\n" if re.search(r"\bpd\.", fields) else ""
    annotated = "from typing import Annotated\n\n" if "Annotated[" in fields else ""
    table, asked_for = (source_text.line(one) for one in (Path(proposal.table).name, proposal.target.name))
    said = f'''\
"""What a request to the model looks like. The gateway refuses a request by it, the guard a row of a batch.

PROPOSED by `{proposal.command}` from {proposal.rows:,} rows of {table}: the comment beside each
field says what was seen. Ranges are half as wide again as what was seen, and rounded; a text of few kinds has to be one
of those seen. You know which values are honest and which are not: change what is wrong, and delete the comment.
"""

{annotated}{pandas}import pandera.pandas as pa


class Request(pa.DataFrameModel):
    """What is known when somebody asks for {asked_for}. Nullable fields may be left out of a request."""

{fields}

'''
    if others:
        said += f"    # Columns of the table that a request does not have, and why:\n{others}\n"
    return said + "    class Config:\n        coerce = True\n        strict = True\n"


def batch_schema(proposal: Proposal) -> str:
    """The schema of a batch for checks/schemas.py, where rows of the table are less strict than requests."""
    named = attributes([one.name for one in proposal.asked])
    fields = []
    for one in proposal.asked:
        kind, _ = _type_and_checks(one)
        alias = f"alias={source_text.text(one.name)}, " if named[one.name] != one.name else ""
        fields.append(f"    {named[one.name]}: {kind} = pa.Field({alias}nullable=True)\n")
    return f'''

class Batch(pa.DataFrameModel):
    """A row of a batch. It may hold what a request may not: the notebook computes with all of its rows.

    Its means and codes would be others if rows were refused before it sees them.
    """

{"".join(fields)}
    class Config:
        coerce = True
        strict = False
'''


def _field(column: Column, attribute: str) -> Iterator[str]:
    kind, arguments = _type_and_checks(column)
    if attribute != column.name:
        arguments = [f"alias={source_text.text(column.name)}", *arguments]
    if column.nullable:
        arguments = ["nullable=True", *arguments]
    yield from (f"    # {line}" for line in textwrap.wrap(f"seen: {column.seen}", WIDTH - 6))
    yield from (f"    # {line}" for line in textwrap.wrap(column.decided, WIDTH - 6))
    line = f"    {attribute}: {kind} = pa.Field({', '.join(arguments)})"
    if len(line) <= WIDTH:
        yield line
        return
    yield f"    {attribute}: {kind} = pa.Field("
    for argument in arguments:
        yield from _argument(argument)
    yield "    )"


def _argument(argument: str) -> Iterator[str]:
    if len(argument) <= WIDTH - 9 or not argument.startswith("isin=["):
        yield f"        {argument},"
        return
    yield "        isin=["
    kinds = json.loads(argument.removeprefix("isin="))
    yield from source_text.packed([source_text.text(kind) for kind in kinds], indent=12)
    yield "        ],"


def _type_and_checks(column: Column) -> tuple[str, list[str]]:
    match column.kind:
        case "whole" | "number":
            low, high = (source_text.number(one) for one in table_profile.bounds(column))
            whole = column.kind == "whole" and not column.nullable
            return "int" if whole else "float", [f"ge={low}", f"le={high}"]
        case "flag":
            return "pd.BooleanDtype" if column.nullable else "bool", []
        case "category":
            return "str", [f"isin=[{', '.join(map(source_text.text, sorted(column.kinds)))}]"]
        case "moment" if column.zoned:
            return 'Annotated[pd.DatetimeTZDtype, "ns", "UTC"]', [
                f'ge=pd.Timestamp("{column.first[:4]}-01-01", tz="UTC")'
            ]
        case "moment":
            return "pd.Timestamp", [f'ge=pd.Timestamp("{column.first[:4]}-01-01")']
    shortest, longest = int(column.kind == "code" or bool(column.holds)), table_profile.longest_text(column)
    holds = [f"str_contains={column.holds!r}"] if column.holds else []
    return "str", [f'str_length={{"min_value": {shortest}, "max_value": {longest}}}', *holds]


def _left_out(column: Column) -> Iterator[str]:
    mark = "LEAK SUSPECT " if column.use == "leak suspect" else ""
    yield from textwrap.wrap(f"{mark}{column.name}: {column.decided} (seen: {column.seen})", WIDTH - 8)
    if column.use == "leak suspect":
        yield "  If it is known before the outcome, add it, and raise column_alone_at_most in flows/train.toml."


def attributes(names: Sequence[str]) -> dict[str, str]:
    """A unique and valid attribute name for each column.

    >>> attributes(["lot_size", "Lot Size", "lot size"])
    {'lot_size': 'lot_size', 'Lot Size': 'lot_size_2', 'lot size': 'lot_size_3'}
    """
    found: dict[str, str] = {name: name for name in names if _attribute(name) == name}
    for name in names:
        if name not in found:
            found[name] = source_text.free(_attribute(name), found.values())
    return {name: found[name] for name in names}


def _attribute(name: str) -> str:
    """`name` as a valid attribute name.

    >>> _attribute("age"), _attribute("Lot Size"), _attribute("class"), _attribute("2nd"), _attribute("_x")
    ('age', 'lot_size', 'class_', 'field_2nd', 'x')
    """
    if name.isidentifier() and name.isascii() and not name.startswith("_"):
        return f"{name}_" if keyword.iskeyword(name) or name in _SHADOWED else name
    made = source_text.word(name)
    return made if made.isidentifier() and not keyword.iskeyword(made) and made not in _SHADOWED else f"field_{made}"


# --- features and target ----------------------------------------------------------------------------------------------


def features(proposal: Proposal) -> str:
    """The text of flows/features.py, which computes the model's columns from those of a request."""
    plain = [one.name for one in proposal.features if not is_made_over(one)]
    made = [line for one in proposal.features for line in _made_over(one, proposal)]
    return (
        f'''\
"""The model's columns, computed from the request's. The same code runs in training and in the server.

The server runs the copy packed in the bundle, so a change here reaches production only with a new bundle.
"""

import pandas as pd

AS_THEY_ARE = {source_text.listed(plain)}


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """The model's columns: one row out for each row in, independent of the other rows."""
    model = rows[AS_THEY_ARE].copy()
'''
        + "".join(f"    {line}\n" for line in made)
        + "    return model\n"
    )


def _made_over(column: Column, proposal: Proposal) -> Iterator[str]:
    name = source_text.text(column.name)
    if column.kind == "flag":
        yield f'model[{name}] = rows[{name}].astype("float64")'
    elif column.kind == "prose" and column.nullable:
        yield f'model[{name}] = rows[{name}].fillna("")  # a missing text has no words'
    elif column.kind == "moment":
        for made, how in parts_of_moment(column, proposal).items():
            yield f"model[{source_text.text(made)}] = rows[{name}].{how}"


def target(proposal: Proposal) -> str:
    """The text of flows/target.py, which converts the column to the outcomes of the task."""
    asked, column = proposal.target, source_text.text(proposal.target.column)
    if asked.task == "binary":
        body = f"""\
    outcome = rows[{column}]
    return (outcome == {_written(asked.event)}).astype("boolean").mask(outcome.isna())"""
        what = f"Whether {asked.column} is {asked.event}; null while unknown."
    elif asked.is_decimal:
        body, what = f'    return rows[{column}].astype("float64")', f"The decimals of {asked.column} as numbers."
    else:
        body, what = f"    return rows[{column}]", f"The column {asked.column}, under a name that is valid in answers."
    return f'''\
"""The outcome of each row. The model learns from it, and the monitor compares answers with it."""

import pandas as pd


def {asked.name}(rows: pd.DataFrame) -> pd.Series:
    """{source_text.line(what)}"""
{body}
'''


def _written(value: TargetValue | None) -> str:
    return source_text.text(value) if isinstance(value, str) else repr(value)
