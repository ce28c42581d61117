"""The text of each file in the project of a table, and the decisions and warnings that `init` prints.

Input: a `Proposal` and the measurements. Output: the content of each file by its name; decisions and warnings, one line
each. nbformat writes the notebook.
"""

import ast
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from proveout.data import files
from proveout.pilot import (
    notebook_proposal,
    project_proposal,
    rules_proposal,
    scaffold,
    schema_proposal,
    source_text,
)
from proveout.pilot.baseline import Baseline
from proveout.pilot.bounds_proposal import SLICE_ROWS, WEAKEST_SLICE
from proveout.pilot.project_proposal import Bound, Proposal
from proveout.records.train_config import GroupSplit, RandomSplit

_FEW_GROUPS = 40  # of fewer than eight that are held out, an interval says little
_TEMPLATES = Path(__file__).with_name("templates") / "table"


def loading_code(proposal: Proposal) -> dict[str, bytes]:
    """The files needed to load the rows: settings, schema, features, target."""
    made = {"checks/schemas.py": schema_proposal.schema(proposal)}
    if proposal.has_features_file:
        made["flows/features.py"] = schema_proposal.features(proposal)
    if proposal.target.is_function:
        made["flows/target.py"] = schema_proposal.target(proposal)
    made["pyproject.toml"] = scaffold.project_file(proposal.name, project_proposal.pyproject_table(proposal))
    return {name: text.encode() for name, text in made.items()}


def all_files(proposal: Proposal, measured: Baseline, rest: tuple[Bound, ...], *, today: str) -> dict[str, bytes]:
    """Every file of the project except the data, by its name."""
    import nbformat

    bounds = usable((*measured.bounds, *rest))
    made = {
        "flows/train.toml": project_proposal.train_toml(
            proposal, project_proposal.parameters(proposal, measured.family), bounds
        ),
        f"notebooks/{proposal.notebook_name}.ipynb": nbformat.writes(
            notebook_proposal.notebook(proposal, measured.family)
        ),
        "serve/fallback.py": rules_proposal.rules(proposal, measured.rules),
        "checks/edge_cases.yaml": rules_proposal.edge_cases(proposal, measured.cases, today=today),
        **checks(proposal, bounds),
        "README.md": _readme(proposal, measured),
    }
    return {
        **scaffold.generic_files(),
        **loading_code(proposal),
        **{name: text.encode() for name, text in made.items()},
    }


def checks(proposal: Proposal, bounds: tuple[Bound, ...]) -> dict[str, str]:
    """The text of the checks that depend on the task, the split and the bounds."""
    return {
        "checks/conftest.py": _conftest(proposal),
        "checks/test_data.py": _test_data(proposal, bounds),
        "checks/test_model.py": _test_model(proposal, bounds),
    }


def usable(bounds: Sequence[Bound]) -> tuple[Bound, ...]:
    """The bounds that a check asks for: without slices, none asks how small they may be."""
    has_slices = any(one.name == WEAKEST_SLICE for one in bounds)
    return tuple(one for one in bounds if has_slices or one.name != SLICE_ROWS)


def _test_model(proposal: Proposal, bounds: tuple[Bound, ...]) -> str:
    task = _template(f"test_model_{proposal.target.task}.txt", **_against_the_rules(bounds))
    if WEAKEST_SLICE not in {one.name for one in bounds}:
        task = _without(task, "test_no_slice_is_far_weaker_than_the_rest", "the rows have no column to group them by")
    return _template("test_model_head.txt") + task


def _without(checks: str, name: str, why: str) -> str:
    """The checks without one of them, and why. An import that only it needs goes as well."""
    tree = ast.parse(checks)
    [check] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == name]
    lines = checks.splitlines()
    lines[check.lineno - 1 : check.end_lineno] = [f"# {name} is left out: {why}."]
    text = "\n".join(lines) + "\n"
    for module in ("slice_search", "task_metric"):
        if not re.search(rf"\b{module}\.", text):
            text = text.replace(f", {module}", "", 1)
    return text


RULES_MARGIN = "rules_margin"
"""The bound of a project whose model was not measured to be significantly better than the rules."""


def _against_the_rules(bounds: tuple[Bound, ...]) -> dict[str, str]:
    """What the model has to prove against the rules."""
    if RULES_MARGIN in {one.name for one in bounds}:
        words = (
            "It is not much worse than the rules. The bound says why no more is asked yet.\n\n"
            "    With more held-out rows, ask for it: `margin=0.0, better=True`.\n    "
        )
        return {
            "RULES_TEST": "test_not_worse_than_the_rules",
            "RULES_WORDS": words,
            "RULES_FIXTURE": "criteria, ",
            "RULES_ASKED": f'margin=criteria["{RULES_MARGIN}"]',
        }
    return {
        "RULES_TEST": "test_better_than_the_rules",
        "RULES_WORDS": "A model that does not significantly beat the rules is not needed.",
        "RULES_FIXTURE": "",
        "RULES_ASKED": "margin=0.0, better=True",
    }


def _template(name: str, **values: str) -> str:
    return filled((_TEMPLATES / name).read_text(encoding="utf-8"), **values)


def filled(text: str, **values: str) -> str:
    """A template with its placeholders replaced by `values`."""
    if not values:
        return text
    # All at once, because a column may have the name of a placeholder.
    return re.sub("|".join(map(re.escape, values)), lambda found: values[found[0]], text)


def _conftest(proposal: Proposal) -> str:
    split = proposal.split.split
    if isinstance(split, GroupSplit):
        group = source_text.line(split.column)
        words = f"Rows of one {group} are alike: many rows of few of them tell less than as many by themselves."
        return _template("conftest.txt", WORDS=words, RETURNED=f"holdout.raw[{json.dumps(split.column)}].to_numpy()")
    words = (
        "Which rows belong together, such as those of one person or day: return that column of `holdout.raw` here.\n\n"
        "    None means that rows are independent. If they are not, confidence intervals come out too narrow.\n    "
    )
    return _template("conftest.txt", WORDS=words, RETURNED="None")


def _test_data(proposal: Proposal, bounds: tuple[Bound, ...]) -> str:
    lead = "column_lead_at_most"
    asked = f", lead_at_most=criteria[{lead!r}]".replace("'", '"') if lead in {one.name for one in bounds} else ""
    split, groups = proposal.split.split, ""
    if isinstance(split, GroupSplit):
        group = source_text.line(split.column)
        groups = _template("test_data_groups.txt", GROUP=group, COLUMN=json.dumps(split.column))
    return _template("test_data.txt", LEAD=asked, GROUPS=groups)


def _readme(proposal: Proposal, measured: Baseline) -> str:
    own = {
        "flows/features.py": "the model's columns, computed from those of a request",
        "flows/target.py": "the outcome, computed from the target column",
    }
    stored = (
        f"The project reads the table from {proposal.source}."
        if files.is_remote(proposal.source)
        else "The table was copied to\n`data/`. To read it from another place, change `source` in pyproject.toml."
    )
    return _template(
        "README.md",
        PROJECT=proposal.name,
        QUESTION=f"This project predicts *{proposal.target.column}*.",
        TABLE=Path(proposal.table).name,
        ROWS=f"{proposal.rows:,}",
        DECISIONS="\n".join(f"- {line}" for line in (*decisions(proposal, measured), *warnings_of(proposal, measured))),
        NOTEBOOK=proposal.notebook_name,
        OWN="".join(f"| `{name}` | {what} |\n" for name, what in own.items() if name in loading_code(proposal)),
        STORED=stored,
    )


def decisions(proposal: Proposal, measured: Baseline) -> list[str]:
    """The decisions in words, one per line."""
    asked = proposal.target
    outcome = f"task {asked.task}: {asked.column}, {asked.why}"
    if asked.task == "binary":
        outcome += f"; the event is {asked.event!r}"
    if asked.unknown:
        outcome += f"; training ignores {asked.unknown:,} rows without an outcome"
    left = [one for one in proposal.columns if one.use == "left out"]
    suspects = [one for one in proposal.columns if one.use == "leak suspect"]
    lines = [
        outcome,
        f"split: {proposal.split.words}",
        f"columns: the model has {len(proposal.features)} inputs, {_kinds(proposal)}",
    ]
    if proposal.event_key:
        lines.append(f"event key: {', '.join(proposal.event_key)}, required in each request, not an input of the model")
    lines += [f"left out: {one.name}, {one.decided} ({one.seen})" for one in left]
    lines += [f"LEAK SUSPECT, left out: {one.name}, {one.decided}" for one in suspects]
    lines.append(f"first model: {measured.summary}")
    return lines


def _kinds(proposal: Proposal) -> str:
    words: Mapping[str, str] = {
        "whole": "numbers", "number": "numbers", "flag": "flags", "category": "categories",
        "prose": "free texts", "moment": "moments",
    }  # fmt: skip
    counted: dict[str, int] = {}
    for one in proposal.features:
        counted[words[one.kind]] = counted.get(words[one.kind], 0) + 1
    return ", ".join(f"{count} {called}" for called, count in counted.items())


def warnings_of(proposal: Proposal, measured: Baseline) -> list[str]:
    """Facts to know before relying on the project, one line each."""
    lines = []
    if not measured.is_better:
        lines.append("the first model is not significantly better than the rules, so the gate will refuse it")
    if proposal.split.groups is not None and proposal.split.groups < _FEW_GROUPS:
        lines.append(
            f"there are {proposal.split.groups} groups, and about a fifth is held out: with so few, intervals are wide "
            "and the gate may refuse a good model"
        )
    moments = [one.name for one in proposal.features if one.kind == "moment"]
    if moments and isinstance(proposal.split.split, RandomSplit):
        lines.append(
            f"{moments[0]} is a time: if requests are about later rows, hold out the latest: --split time:{moments[0]}"
        )
    return lines
