"""A project for one table in one command: what `proveout init DIR --table FILE --target COLUMN` lays out.

Input: where the table lies, what is predicted, and what the user decides himself. Output: the files of a project that
runs as it is, and what was decided. The schema has let every row in and the notebook has been run before a file is
written: what cannot be is said, and nothing is left behind.
"""

import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proveout.data import features, files, guard, splits
from proveout.data.splits import BATCH, HOLDOUT, TRAIN
from proveout.evaluation import near_duplicates
from proveout.evaluation.context import LabelledRows
from proveout.pilot import (
    baseline,
    notebook_proposal,
    project_proposal,
    rules_proposal,
    scaffold,
    schema_proposal,
    table_file,
    table_profile,
    table_split,
    table_target,
)
from proveout.pilot.baseline import Baseline, Rows
from proveout.pilot.project_proposal import Bound, Proposal
from proveout.pilot.table_file import TableFile, TableRefused
from proveout.records.answer import TaskName
from proveout.records.train_config import GroupSplit, RandomSplit, Split, TimeSplit
from proveout.settings import Settings, load_object, said_in_file
from proveout.task import task as tasks

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

_TEMPLATES = Path(__file__).with_name("templates") / "table"
_DATA = "data"
_MOST_MEASURED = 15_000  # training rows that the first model is measured with


@dataclass(frozen=True, kw_only=True)
class TableProject:
    """What was laid out, and what was decided on the way, in words."""

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
    """Lay out a project that predicts the column `predicted` of `table`, into `target`, whole or not at all.

    Args:
        table: a path seen from `folder`, a glob or a URL.
        today: ISO 8601, for the edge cases.
        task: what to take the column for; by default what its values look like.
        split: `random`, `time:COLUMN`, `group:COLUMN` or `column:COLUMN`.
    Raises: UsageError if `target` is there and not empty; TableRefused, with what to do, for what cannot be.
    """
    scaffold.check_free(target)  # before anything is read, which may take minutes
    read = table_file.read(table, folder=folder)
    table_file.check_columns(read, predicted, what="--target")
    asked = table_target.read(read.rows[predicted], table=table, task=task)
    parted = table_split.read(split, read, asked)
    columns = table_profile.read(read.rows, asked, apart=parted.apart)
    proposal = Proposal(
        name=scaffold.project_name(target.resolve().name), table=table, source=_source(read, parted.batches),
        rows=len(read.rows), target=asked, columns=columns, split=parted,
    )  # fmt: skip
    if not proposal.features:
        left = "; ".join(f"{one.name}: {one.decided or one.seen}" for one in columns) or "it has no other column"
        raise TableRefused(table, f"no column is left to predict {predicted} from ({left})", "Give it more columns")
    measured, rest = _rehearse(proposal, read)
    written = scaffold.lay_out(target, {**_files(proposal, measured, rest, today=today), **_data(read, parted.batches)})
    return TableProject(
        files=written, decisions=tuple(decisions(proposal, measured)), warnings=tuple(_warnings(proposal, measured))
    )


# --- data -------------------------------------------------------------------------------------------------------------


def _source(read: TableFile, batches: "pd.Series[str] | None") -> str:
    if read.is_remote:
        return read.named
    if batches is not None:
        return f"{_DATA}/*{_ending(read)}"
    return f"{_DATA}/{Path(read.addresses[0]).name}" if len(read.addresses) == 1 else f"{_DATA}/*"


def _ending(read: TableFile) -> str:
    return ".parquet" if read.addresses[0].lower().endswith(".parquet") else ".csv"


def _data(read: TableFile, batches: "pd.Series[str] | None") -> dict[str, bytes]:
    """The table's files as the project reads them: as they came, or a file for each batch."""
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
    """Rows as the file writes them, so that cut in batches they say the same."""
    import pandas as pd

    if address.lower().endswith(".parquet"):
        return files.read(address)
    return pd.read_csv(address, dtype=str, keep_default_na=False)


# --- a rehearsal ------------------------------------------------------------------------------------------------------


def _rehearse(proposal: Proposal, read: TableFile) -> tuple[Baseline, tuple[Bound, ...]]:
    """Guard, features, split and the notebook's model, on the rows of the table, in a folder that is thrown away."""
    place = Path(tempfile.mkdtemp(prefix="proveout-init-"))
    try:
        for name, content in _code(proposal).items():
            file = place / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        settings = said_in_file(place)
        rows = _guarded(proposal, settings, read)
        labels = features.labels(settings, rows)
        membership = splits.assign(proposal.split.split, rows, event_key=features.event_key(settings), target=labels)
        known = labels.notna().to_numpy()
        train, held_out = membership.train & known, membership.holdout & known
        apart = _apart(proposal, rows[train], settings, labels[train])
        some = _some(int(train.sum()))
        given = _given(proposal, settings, rows[train].iloc[some], labels[train].iloc[some])
        apart = apart[some]
        clusters = _clusters(proposal, rows[train].iloc[some][apart])
        rest = (_alike(settings, rows, labels, train, held_out), _slices(int(held_out.sum())))
        return baseline.measure(proposal, given, apart=apart, clusters=clusters), rest
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _some(rows: int) -> "NDArray[np.intp]":
    """Which training rows to measure with, in their order: enough for a bound, and not for the last digit."""
    import numpy as np

    return np.sort(np.random.default_rng(0).choice(rows, min(rows, _MOST_MEASURED), replace=False))


def _guarded(proposal: Proposal, settings: Settings, read: TableFile) -> "pd.DataFrame":
    """The rows as a snapshot has them. Raises: TableRefused if the proposed schema lets one not in."""
    rows = read.rows if proposal.split.batches is None else read.rows.assign(**{BATCH: proposal.split.batches})
    asked = [one.name for one in proposal.asked]
    guarded = guard.check(rows[asked], load_object(settings.request_schema, settings.root), name=proposal.table)
    if len(guarded.refused):
        first = guarded.refusals[0]
        raise TableRefused(
            proposal.table,
            f"the schema made of it refuses {len(guarded.refused):,} of its own rows, by {first.check}",
            "This is a fault of proveout: please report it with the column",
        )
    return rows.reset_index(drop=True).drop(columns=asked).join(guarded.accepted[asked])


def _given(proposal: Proposal, settings: Settings, rows: "pd.DataFrame", labels: "pd.Series[Any]") -> Rows:
    """What the notebook gets of training rows."""
    columns = features.request_columns(settings)
    table = features.compute(features.load(settings), rows, columns, name=features.name(settings))
    outcomes = tasks.named(settings.task).outcomes(labels.to_numpy())
    given = table.assign(**{BATCH: rows[BATCH]}).reset_index(drop=True)
    given[proposal.target.name] = outcomes
    return Rows(table=given, records=rows[list(columns)].reset_index(drop=True), outcomes=outcomes)


def _apart(
    proposal: Proposal, rows: "pd.DataFrame", settings: Settings, labels: "pd.Series[Any]"
) -> "NDArray[np.bool_]":
    """Which training rows to measure on: split as the project splits, with another seed."""
    split = proposal.split.split
    inner: Split = RandomSplit(holdout_share=baseline.KEPT_APART, seed=1, stratify=settings.task != "regression")
    if isinstance(split, GroupSplit):
        inner = GroupSplit(column=split.column, holdout_share=baseline.KEPT_APART, seed=1)
    elif isinstance(split, TimeSplit) and rows[BATCH].nunique() > 1:
        names = sorted(rows[BATCH].unique())
        inner = TimeSplit(train_through=names[-2], holdout=names[-1])
    found = splits.assign(inner, rows, event_key=features.event_key(settings), target=labels)
    return found.holdout


def _clusters(proposal: Proposal, rows: "pd.DataFrame") -> "NDArray[Any] | None":
    split = proposal.split.split
    return rows[split.column].to_numpy() if isinstance(split, GroupSplit) else None


def _slices(held_out: int) -> Bound:
    fewest = baseline.fewest_of_a_slice(held_out)
    return Bound(
        name="slice_rows_at_least", value=fewest, reason=f"of a slice, to be looked at: of {held_out:,} rows held out"
    )


def _alike(
    settings: Settings,
    rows: "pd.DataFrame",
    labels: "pd.Series[Any]",
    train: "NDArray[np.bool_]",
    held_out: "NDArray[np.bool_]",
) -> Bound:
    """How many held-out rows say what a training row says: no model is asked."""
    sides = {}
    for name, side in ((TRAIN, train), (HOLDOUT, held_out)):
        raw = rows[side].reset_index(drop=True)
        records = raw[list(features.request_columns(settings))]
        outcomes = tasks.named(settings.task).outcomes(labels[side].to_numpy())
        sides[name] = LabelledRows(raw=raw, records=records, labels=outcomes)
    found = near_duplicates.find(sides[TRAIN], sides[HOLDOUT], key=settings.event_key)
    held = sides[HOLDOUT].rows
    return baseline.duplicate_bound([found.equal / held, (found.nearly or 0) / held])


# --- files ------------------------------------------------------------------------------------------------------------


def _code(proposal: Proposal) -> dict[str, bytes]:
    """What loads the rows: settings, schema, features, target."""
    made = {"checks/schemas.py": schema_proposal.schema(proposal)}
    if proposal.has_features_file:
        made["flows/features.py"] = schema_proposal.features(proposal)
    if proposal.target.is_function:
        made["flows/target.py"] = schema_proposal.target(proposal)
    made["pyproject.toml"] = scaffold.project_file(proposal.name, project_proposal.pyproject_table(proposal))
    return {name: text.encode() for name, text in made.items()}


def _files(proposal: Proposal, measured: Baseline, rest: tuple[Bound, ...], *, today: str) -> dict[str, bytes]:
    import nbformat

    bounds = (*measured.bounds, *rest)
    made = {
        "flows/train.toml": project_proposal.train_toml(proposal, measured.family, bounds),
        f"notebooks/{proposal.notebook_name}.ipynb": nbformat.writes(
            notebook_proposal.notebook(proposal, measured.family)
        ),
        "serve/fallback.py": rules_proposal.rules(proposal, measured.rules),
        "checks/edge_cases.yaml": rules_proposal.edge_cases(measured.cases, today=today),
        "checks/conftest.py": _conftest(proposal),
        "checks/test_data.py": _test_data(proposal, bounds),
        "checks/test_model.py": _template("test_model_head.txt") + _template(f"test_model_{proposal.target.task}.txt"),
        "README.md": _readme(proposal, measured),
    }
    return {**scaffold.generic_files(), **_code(proposal), **{name: text.encode() for name, text in made.items()}}


def _template(name: str, **values: str) -> str:
    text = (_TEMPLATES / name).read_text(encoding="utf-8")
    for word, value in values.items():
        text = text.replace(word, value)
    return text


def _conftest(proposal: Proposal) -> str:
    split = proposal.split.split
    if isinstance(split, GroupSplit):
        words = f"Rows of one {split.column} are alike: many rows of few of them tell less than as many by themselves."
        return _template("conftest.txt", WORDS=words, RETURNED=f"holdout.raw[{json.dumps(split.column)}].to_numpy()")
    words = (
        "Which rows belong together, such as those of one person or day: return that column of `holdout.raw` here.\n\n"
        "    None: each row stands for itself. Where it does not, intervals are too narrow without it.\n    "
    )
    return _template("conftest.txt", WORDS=words, RETURNED="None")


def _test_data(proposal: Proposal, bounds: tuple[Bound, ...]) -> str:
    lead = "column_lead_at_most"
    asked = f", lead_at_most=criteria[{lead!r}]".replace("'", '"') if lead in {one.name for one in bounds} else ""
    split, groups = proposal.split.split, ""
    if isinstance(split, GroupSplit):
        groups = _template("test_data_groups.txt", GROUP=split.column, COLUMN=json.dumps(split.column))
    return _template("test_data.txt", LEAD=asked, GROUPS=groups)


def _readme(proposal: Proposal, measured: Baseline) -> str:
    own = {
        "flows/features.py": "the model's columns, made of those of a request",
        "flows/target.py": "the outcome, made of the column",
    }
    stored = (
        f"The table is read at {proposal.source}."
        if "://" in proposal.source
        else "The table was copied to\n`data/`; to read it where it is kept, name that in `source`."
    )
    return _template(
        "README.md",
        PROJECT=proposal.name,
        QUESTION=f"*{proposal.target.column}* is predicted.",
        TABLE=Path(proposal.table).name,
        ROWS=f"{proposal.rows:,}",
        DECISIONS="\n".join(f"- {line}" for line in (*decisions(proposal, measured), *_warnings(proposal, measured))),
        NOTEBOOK=proposal.notebook_name,
        OWN="".join(f"| `{name}` | {what} |\n" for name, what in own.items() if name in _code(proposal)),
        STORED=stored,
    )


# --- words ------------------------------------------------------------------------------------------------------------


def decisions(proposal: Proposal, measured: Baseline) -> list[str]:
    """What was decided, a line each."""
    asked = proposal.target
    outcome = f"task {asked.task}: {asked.column}, {asked.why}"
    if asked.task == "binary":
        outcome += f"; the event is {asked.event!r}"
    if asked.unknown:
        outcome += f"; {asked.unknown:,} rows without an outcome are not learned from"
    left = [one for one in proposal.columns if one.use == "left out"]
    suspects = [one for one in proposal.columns if one.use == "leak suspect"]
    lines = [
        outcome,
        f"split: {proposal.split.words}",
        f"columns: {len(proposal.features)} are inputs of the model, {_kinds(proposal)}",
    ]
    if proposal.event_key:
        lines.append(f"event key: {', '.join(proposal.event_key)}, asked of each request and no input of the model")
    lines += [f"left out: {one.name}, {one.decided} ({one.seen})" for one in left]
    lines += [f"LEAK SUSPECT, left out: {one.name}, {one.decided}" for one in suspects]
    lines.append(f"first model: {measured.summary}")
    return lines


def _kinds(proposal: Proposal) -> str:
    words: Mapping[str, str] = {
        "whole": "numbers", "number": "numbers", "flag": "flags", "category": "texts of few kinds",
        "prose": "free texts", "moment": "moments",
    }  # fmt: skip
    counted: dict[str, int] = {}
    for one in proposal.features:
        counted[words[one.kind]] = counted.get(words[one.kind], 0) + 1
    return ", ".join(f"{count} {called}" for called, count in counted.items())


def _warnings(proposal: Proposal, measured: Baseline) -> list[str]:
    lines = []
    if not measured.is_better:
        lines.append("the first model is not surely better than the rules: the gate will refuse it until one is")
    moments = [one.name for one in proposal.features if one.kind == "moment"]
    if moments and isinstance(proposal.split.split, RandomSplit):
        lines.append(
            f"{moments[0]} says when: if later rows will be asked about, judge by them: --split time:{moments[0]}"
        )
    return lines
