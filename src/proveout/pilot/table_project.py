"""Creates a project for one table: what `proveout init DIR --table FILE --target COLUMN` does.

Input: where the table is, the target column, and the user's options. Output: the files of a project that runs as it is,
and the decisions made. Before the first file is written, every row passes the schema and the notebook runs. If that
fails, an error says why and nothing is written.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from proveout.data import files
from proveout.pilot import scaffold, table_file, table_profile, table_split, table_target
from proveout.pilot.project_files import all_files, decisions, warnings_of
from proveout.pilot.project_proposal import Proposal
from proveout.pilot.rehearsal import rehearse
from proveout.pilot.table_file import TableFile, TableRefused
from proveout.records.answer import TaskName

if TYPE_CHECKING:
    import pandas as pd

_DATA = "data"


@dataclass(frozen=True, kw_only=True)
class TableProject:
    """The files written, and the decisions made, in words."""

    files: tuple[Path, ...]
    decisions: tuple[str, ...]
    warnings: tuple[str, ...]


def init(
    target: Path,
    *,
    table: str,
    predicted: str,
    today: str,
    task: TaskName | None = None,
    split: str = "random",
    folder: Path,
) -> TableProject:
    """Create a project in `target` that predicts the column `predicted` of `table`, completely or not at all.

    Args:
        table: a path relative to `folder`, a glob or a URL.
        today: ISO 8601, for the edge cases.
        task: default: the task that the column's values look like.
        split: `random`, `time:COLUMN`, `group:COLUMN` or `column:COLUMN`.
    Raises: UsageError if `target` is not empty; TableRefused, with what to do, if the table cannot become a project.
    """
    scaffold.check_free(target)  # before reading the table, which may take minutes
    read = table_file.read(table, folder=folder)
    table_file.check_columns(read, predicted, what="--target")
    others = [name for name in read.rows.columns if name != predicted]
    asked = table_target.read(read.rows[predicted], table=table, task=task, others=others)
    parted = table_split.read(split, read, asked)
    columns = table_profile.read(read.rows, asked, apart=parted.apart)
    proposal = Proposal(
        name=scaffold.project_name(target.resolve().name), table=table, source=_source(read, parted.batches),
        rows=len(read.rows), target=asked, columns=columns, split=parted,
    )  # fmt: skip
    if not proposal.features:
        left = "; ".join(f"{one.name}: {one.decided or one.seen}" for one in columns) or "it has no other column"
        raise TableRefused(table, f"no column is left to predict {predicted} from ({left})", "Give it more columns")
    measured, rest = rehearse(proposal, read)
    made = {**all_files(proposal, measured, rest, today=today), **_data(read, parted.batches)}
    written = scaffold.lay_out(target, made)
    return TableProject(
        files=written, decisions=tuple(decisions(proposal, measured)), warnings=tuple(warnings_of(proposal, measured))
    )


def _source(read: TableFile, batches: "pd.Series[str] | None") -> str:
    if read.is_remote:
        return read.named
    if batches is not None:
        return f"{_DATA}/*{_ending(read)}"
    return f"{_DATA}/{Path(read.addresses[0]).name}" if len(read.addresses) == 1 else f"{_DATA}/*"


def _ending(read: TableFile) -> str:
    return ".parquet" if files.is_parquet(read.addresses[0]) else ".csv"


def _data(read: TableFile, batches: "pd.Series[str] | None") -> dict[str, bytes]:
    """The content of the project's data files: the table's files unchanged, or one file per batch."""
    if read.is_remote:
        return {}
    if batches is None:
        return {f"{_DATA}/{Path(address).name}": Path(address).read_bytes() for address in read.addresses}
    parts = [_text_rows(address) for address in read.addresses]
    import pandas as pd

    rows = pd.concat(parts, ignore_index=True)
    made = {}
    for name, part in rows.groupby(batches.to_numpy(), sort=True):
        content = part.to_csv(index=False).encode() if _ending(read) == ".csv" else part.to_parquet(index=False)
        made[f"{_DATA}/{name}{_ending(read)}"] = content
    return made


def _text_rows(address: str) -> "pd.DataFrame":
    """Rows with each value as text, so that dividing the table into batches does not change how a value is written."""
    import pandas as pd

    if files.is_parquet(address):
        return files.read(address)
    return pd.read_csv(address, dtype=str, keep_default_na=False)
