"""All decisions about a project for one table, and its configuration.

Input: the columns, the target and the split. Output: a `Proposal`, from which the project's files are written, and the
text of `[tool.proveout]` and of flows/train.toml.
"""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from proveout.pilot import source_text, table_profile, table_split
from proveout.pilot.source_text import WIDTH
from proveout.pilot.table_profile import Column
from proveout.pilot.table_split import TableSplit
from proveout.pilot.table_target import Target
from proveout.records.values import Scalar
from proveout.settings import Settings

_USUAL_BODY_BYTES: int = Settings.model_fields["max_body_bytes"].default
_ESCAPED_BYTES = 6  # of a character in JSON, as \u00e4

Family = Literal["trees", "linear"]
"""The model family in the notebook: boosted trees or a linear model."""


@dataclass(frozen=True, kw_only=True)
class Proposal:
    """All decisions about a project."""

    name: str  # of the project and its model
    table: str  # as the user wrote it
    source: str  # as in `[tool.proveout]`
    rows: int
    target: Target
    columns: tuple[Column, ...]
    split: TableSplit
    command: str = "proveout init --table"  # that proposes it, as files say

    @property
    def asked(self) -> tuple[Column, ...]:
        """The fields of a request."""
        return tuple(one for one in self.columns if one.is_asked)

    @property
    def event_key(self) -> tuple[str, ...]:
        """The request fields that name a row."""
        return tuple(one.name for one in self.columns if one.use == "event key")

    @property
    def features(self) -> tuple[Column, ...]:
        """The request fields that the model uses."""
        return tuple(one for one in self.columns if one.use == "feature")

    @property
    def notebook_name(self) -> str:
        """The name of the notebook's file, without the ending."""
        return re.sub(r"\W+", "_", self.name).strip("_")

    @property
    def has_features_file(self) -> bool:
        """Whether the model's columns differ from the fields of a request."""
        return bool(self.event_key) or any(is_made_over(one) for one in self.features)


def is_made_over(column: Column) -> bool:
    """Whether the model gets the column in another form than the request has it."""
    return column.kind in {"moment", "flag"} or (column.kind == "prose" and column.nullable)


def parts_of_moment(column: Column, proposal: Proposal) -> dict[str, str]:
    """The numbers that a moment becomes, by their names, and how. No name is that of another column."""
    parts = {"month": "dt.month", "weekday": "dt.day_of_week"}
    if column.has_hours:
        parts["hour"] = "dt.hour"
    of_split = column.name == proposal.split.time_column  # it only ever grows
    if not of_split and column.first[:4] != column.last[:4]:
        parts["year"] = "dt.year"
    taken = {proposal.target.name, *(one.name for one in proposal.features)}
    return {source_text.free(f"{column.name}_{part}", taken): f'{how}.astype("float64")' for part, how in parts.items()}


def model_columns(proposal: Proposal) -> tuple[list[str], list[str], list[str]]:
    """The names of the model's columns: numbers, categories, texts."""
    numbers = [one.name for one in proposal.features if one.kind in {"whole", "number", "flag"}]
    for one in proposal.features:
        if one.kind == "moment":
            numbers += parts_of_moment(one, proposal)
    categories = [one.name for one in proposal.features if one.kind == "category"]
    return numbers, categories, [one.name for one in proposal.features if one.kind == "prose"]


@dataclass(frozen=True, kw_only=True)
class Bound:
    """A bound in `[evaluation]`, with the reason for its value."""

    name: str
    value: float
    reason: str


def pyproject_table(proposal: Proposal, more: Mapping[str, Any] | None = None) -> str:
    """The text of `[tool.proveout]`. `more` are settings beside those that follow from the table, or in their place."""
    asked = proposal.target
    settings: dict[str, Any] = {
        "model": proposal.name,
        "task": asked.task,
        "source": proposal.source,
        "target": f"flows/target.py:{asked.name}" if asked.is_function else asked.column,
        "request_schema": "checks/schemas.py:Request",
        **({"features": "flows/features.py:features"} if proposal.has_features_file else {}),
        **({"event_key": list(proposal.event_key)} if proposal.event_key else {}),
        "fallback": "serve/fallback.py:rules",
        "notebook": f"notebooks/{proposal.notebook_name}.ipynb",
        **({"max_body_bytes": room} if (room := _body_bytes(proposal)) > _USUAL_BODY_BYTES else {}),
        **(more or {}),
    }
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in settings.items()]
    return "[tool.proveout]\n" + "\n".join(lines) + "\n"


def _body_bytes(proposal: Proposal) -> int:
    """How large a request may be: all of its texts as long as they may be, with each character escaped."""
    characters = sum(table_profile.longest_text(one) for one in proposal.asked)
    return 1 << (_ESCAPED_BYTES * characters + _USUAL_BODY_BYTES // 4).bit_length()


MEASURED_APART = "a fifth of the training rows, kept apart for that. No held-out row was used"


def train_toml(
    proposal: Proposal,
    given: Mapping[str, Scalar],
    bounds: Sequence[Bound],
    *,
    measured_on: str = MEASURED_APART,
    timeout_s: int = 900,
    threshold: float = 0.5,
) -> str:
    """The text of flows/train.toml.

    Args:
        given: the notebook's parameters and their values.
        measured_on: the rows that the bounds' reasons speak of, in words.
        timeout_s: longest run of the notebook; of one cell two thirds of it.
        threshold: of a binary task: true from this probability on.
    """
    lines = [
        "# One file describes one run: the same file and the same snapshot give the same bundle digest. After a change",
        "# in [evaluation] alone, run only the gate again: proveout gate",
        "",
        "[data]",
        'version = "latest"  # or the digest of a snapshot, to pin it',
        "",
        f"[split]  # {source_text.line(proposal.split.words)}",
        *table_split.toml(proposal.split.split),
        "",
        "[parameters]  # of the notebook: the names in its `parameters` cell, except those that the flow sets",
        *(f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in given.items()),
        "",
        "[infrastructure]",
        "cpu = 2",
        "memory_mb = 4096",
        "threads = 1           # of the numeric libraries; fixed, so that two runs are equal to the last bit",
        "retries = 1",
        f"timeout_s = {timeout_s}       # for the whole notebook",
        f"cell_timeout_s = {timeout_s * 2 // 3}  # for one cell",
        "",
    ]
    if proposal.target.task == "binary":
        tie = "" if threshold == 0.5 else "  # exactly one half is false, as the model's predict has it"
        lines += ["[decision]  # how the model answers: a part of the bundle", f"threshold = {threshold!r}{tie}", ""]
    elif proposal.target.task == "regression":
        lines += ["[decision]  # how the model answers: a part of the bundle", "coverage = 0.9  # of its intervals", ""]
    lines += [
        *(f"# {line}" for line in textwrap.wrap(_about_bounds(proposal, measured_on), WIDTH - 2)),
        "[evaluation]",
    ]
    for bound in bounds:
        lines += [f"# {line}" for line in textwrap.wrap(bound.reason, WIDTH - 2)]
        lines.append(f"{bound.name} = {source_text.number(bound.value)}")
    return "\n".join(lines) + "\n"


def _about_bounds(proposal: Proposal, measured_on: str) -> str:
    return (
        f"The bounds of `pytest checks/`, for the held-out rows. PROPOSED by `{proposal.command}`: numbers in comments "
        f"were measured on {measured_on}."
    )


def parameters(proposal: Proposal, family: Family) -> dict[str, float | int]:
    """The notebook's parameters and their values."""
    if family == "trees":
        return {"learning_rate": 0.08, "max_iter": 120, "max_leaf_nodes": 15, "min_samples_leaf": 20, "seed": 0}
    return {"alpha": 1.0} if proposal.target.task == "regression" else {"C": 1.0}
