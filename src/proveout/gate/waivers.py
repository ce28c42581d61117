"""Waivers: checks that may fail for a while, because a named person takes responsibility.

Input: `checks/waivers.yaml`. Output: `Waiver` records, for `verdict.judge`. All keys are required, others are refused,
and an error names the faulty entry.

    - check: checks/test_model.py::test_latency  # a pytest node id or a prefix, no wildcards
      by: Ada Lovelace                           # who is responsible
      reason: The new machines come in March; until then the old ones are slow.
      until: 2026-03-31                          # the last day, at most 90 days ahead

A waiver that has ended has no effect. Checks that did not run, and the gate's own findings, cannot be waived.
"""

import re
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, StringConstraints

from proveout import strict_yaml
from proveout.errors import ConfigError
from proveout.gate.verdict import GATE, holds, waived
from proveout.records.verdict import Verdict, Waiver

LONGEST_DAYS = 90
REMEDY = "Correct it there. The format is at the top of proveout/gate/waivers.py"
WILDCARD = re.compile(r"[*?]|\[[!^]")  # a plain `[` starts the case of a parametrized check


def _day(value: Any) -> Any:
    # YAML parses 2026-03-31 as a date; other forms stay text, which the type refuses.
    return date.fromisoformat(value) if isinstance(value, str) else value


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    check: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    by: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2)]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=20)]
    until: Annotated[date, BeforeValidator(_day)]


def load(file: Path, *, today: str) -> tuple[Waiver, ...]:
    """The waivers in `file`, in order, including ended ones; none if there is no such file.

    Args:
        today: ISO 8601 date.
    Raises: ConfigError, naming the entry, for a missing, unknown or empty key, a reason under 20 characters, a check
        with a wildcard, a folder, a finding of the gate, a duplicate check, an end more than 90 days ahead.
    """
    if not file.exists():
        return ()
    found: list[Waiver] = []
    for place, entry in enumerate(strict_yaml.entries(file, what="waivers", remedy=REMEDY), start=1):
        of = f", for {entry['check']}" if isinstance(entry, dict) and entry.get("check") else ""
        where = f"{file}, waiver {place}{of}"
        read = strict_yaml.record(_Entry, entry, where=where, remedy=REMEDY)
        problem = _problem(read, today=date.fromisoformat(today))
        if any(other.check == read.check for other in found):
            problem = "the check already has a waiver"
        if problem:
            raise ConfigError(where, problem, REMEDY)
        found.append(Waiver(check=read.check, by=read.by, reason=read.reason, until=read.until.isoformat()))
    return tuple(found)


def _problem(entry: _Entry, *, today: date) -> str:
    if WILDCARD.search(entry.check):
        return "check: a wildcard could waive too many checks: write a node id or a prefix"
    if not Path(entry.check.partition("::")[0]).suffix and not entry.check.startswith(GATE):
        return "check: a whole folder cannot be waived: write a file or a node id"
    if entry.check.startswith(GATE):
        return "check: the gate's own findings cannot be waived"
    if entry.until > today + timedelta(days=LONGEST_DAYS):
        return (
            f"until: {entry.until} is more than {LONGEST_DAYS} days ahead: review the waiver before then, and extend it"
        )
    return ""


def unused(waivers: Sequence[Waiver], verdict: Verdict) -> tuple[str, ...]:
    """A sentence for each waiver that the verdict did not need or that has ended: it can be removed."""
    needed = {waiver for _, waiver in waived(verdict)}
    return tuple(
        f"the waiver of {one.check} by {one.by} "
        + ("was not needed" if holds(one, at=verdict.judged_at) else f"ended on {one.until} and has no effect")
        for one in waivers
        if one not in needed
    )
