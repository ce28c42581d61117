"""Attestations: statements of people in `checks/attestations.yaml`, each signed with a name and valid until a day.

- test: data-6                  # one of the 28: `proveout score` lists them
  says: A new column is one line in flows/features.py and one in checks/schemas.py; the last took an hour.
  by: the name of the person
  date: 2026-11-21
  until: 2027-05-20             # at most a year later; after that it must be reviewed
"""

import datetime as dt
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from proveout import strict_yaml
from proveout.errors import ConfigError
from proveout.score import rubric

LONGEST = dt.timedelta(days=366)
REMEDY = "Correct it there. The format is at the top of proveout/score/attestations.py"


class Statement(BaseModel):
    """One person's statement about one test."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    test: str
    says: Annotated[str, StringConstraints(strip_whitespace=True, min_length=20)]
    by: Annotated[str, StringConstraints(strip_whitespace=True, min_length=2)]
    date: dt.date
    until: dt.date

    @model_validator(mode="after")
    def _is_plausible(self) -> Self:
        if self.test not in rubric.IDS:
            raise ValueError(f"{self.test} is none of the 28 tests, such as data-1 or monitor-7")
        if not self.date <= self.until <= self.date + LONGEST:
            raise ValueError(f"it has to end within a year of {self.date}, not on {self.until}")
        return self

    def holds(self, today: dt.date) -> bool:
        """Whether the statement is valid on `today`."""
        return self.date <= today <= self.until


def load(file: Path) -> tuple[Statement, ...]:
    """The statements in `file`; none if there is no such file. Raises: ConfigError naming the invalid one."""
    if not file.is_file():
        return ()
    found: list[Statement] = []
    for place, entry in enumerate(strict_yaml.entries(file, what="statements", remedy=REMEDY), start=1):
        where = (
            f"{file}, {entry.get('test', f'entry {place}')}" if isinstance(entry, dict) else f"{file}, entry {place}"
        )
        found.append(strict_yaml.record(Statement, entry, where=where, remedy=REMEDY))
    twice = sorted({one.test for one in found if [other.test for other in found].count(one.test) > 1})
    if twice:
        raise ConfigError(str(file), f"{', '.join(twice)} is stated twice", REMEDY)
    return tuple(found)
