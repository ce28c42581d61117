"""The rules and the first edge cases of a project for one table.

Input: a `Proposal`, the best split of its rows, and rows chosen as cases. Output: the text of serve/fallback.py and of
checks/edge_cases.yaml.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proveout.pilot import source_text
from proveout.pilot.best_split import BestSplit
from proveout.pilot.project_proposal import Proposal
from proveout.pilot.source_text import WIDTH
from proveout.records.values import Scalar


def rules(proposal: Proposal, best: BestSplit, *, quality: str = "") -> str:
    """The text of serve/fallback.py. `quality` says how good the rules are, in words."""
    asked = proposal.target
    called = source_text.line(asked.name)
    kinds = {
        "binary": ("float", f"Probability that {called} is true"),
        "multiclass": ("dict[str, float]", f"Probability of each {called}"),
        "regression": ("float", called),
    }
    returns, what = kinds[asked.task]
    if best.column is None:
        body = f"    return {_answer(best.otherwise, indent=4)}  # over all {best.rows:,} training rows\n"
        about = "One answer for all requests: no single column predicts the outcome well enough."
    else:
        name = source_text.text(best.column)
        asks = (
            f"value is not None and value >= {source_text.number(best.at_least)}"
            if best.at_least is not None
            else f"value in {{{', '.join(map(source_text.text, best.among))}}}"
        )
        body = f"""\
    value = request.get({name})
    if {asks}:  # {best.here_rows:,} of {best.rows:,} training rows
        return {_answer(best.here, indent=8)}
    return {_answer(best.otherwise, indent=4)}
"""
        asked_of = source_text.line(best.column)
        about = f"Of all columns and all places to cut them, {asked_of} parts the training rows best."
    if quality:
        about += f"\n{source_text.line(quality)}"
    return f'''\
"""The rules: what to answer when the model cannot. They are simple enough to check by hand.

{about}
PROPOSED by `{proposal.command}`: replace them with what an expert would do. `pytest checks/` requires that the model
is significantly better than the rules.
"""

from collections.abc import Mapping

Value = str | int | float | bool | None


def rules(request: Mapping[str, Value]) -> {returns}:
    """{what}, for a valid request."""
{body}'''


def _answer(said: Any, *, indent: int) -> str:
    if isinstance(said, Mapping):
        line = "{" + ", ".join(f"{source_text.text(name)}: {share:.4g}" for name, share in said.items()) + "}"
        if len(line) + indent + 12 <= WIDTH:
            return line
        inner = [f"{source_text.text(name)}: {share:.4g}" for name, share in said.items()]
        return "\n".join(["{", *source_text.packed(inner, indent=indent + 4), " " * indent + "}"])
    return f"{said:.4g}" if abs(said) < 1e4 else f"{said:.6g}"


_EASY = "these first cases are easy. Add harder ones that you know of."


@dataclass(frozen=True, kw_only=True)
class CaseProposal:
    """An edge case made from one row of the table."""

    id: str
    reason: str
    incident: str
    record: Mapping[str, Scalar]
    expect: Mapping[str, Any]


def edge_cases(proposal: Proposal, cases: Sequence[CaseProposal], *, today: str, about: str = _EASY) -> str:
    """The text of checks/edge_cases.yaml. `about` says what kind of cases these are, in one sentence or two."""
    import yaml

    said = f"""\
# Records that every model must get right, however good its average is. Add one after each incident:
# `proveout cases add`, `proveout cases from-log`. Each is a real row of the table, with its outcome.
# PROPOSED by `{proposal.command}` on {today}: {about}
"""
    author = " ".join(proposal.command.split()[:2])
    for case in cases:
        entry = {
            "id": case.id, "reason": case.reason, "author": author, "date": _Plain(today),
            "incident": case.incident, "record": dict(case.record), "expect": dict(case.expect),
        }  # fmt: skip
        said += "\n" + yaml.dump(
            [entry], Dumper=_dumper(), sort_keys=False, default_flow_style=None, allow_unicode=True, width=WIDTH
        )
    return said


class _Plain(str):
    """A date that YAML writes without quotes."""


def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes dates without quotes."""

    Dumper.add_representer(_Plain, lambda dumper, value: dumper.represent_scalar("tag:yaml.org,2002:timestamp", value))
    return Dumper
