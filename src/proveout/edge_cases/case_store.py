"""The store of edge cases: failures add cases, and a case is only removed by retiring it with a reason.

Input: the project's `edge_cases.yaml` and `retired_cases.yaml`, and a case to add or retire. Output: both files with
the change; and whether a suite is weaker than an earlier one.
"""

import datetime
import fcntl
import os
import tempfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proveout import edge_cases
from proveout.edge_cases import Case, task_fit, yaml_editor
from proveout.edge_cases.evaluate import Answering
from proveout.errors import ConfigError, NotFound, ProveoutError
from proveout.records.values import Digest, Scalar
from proveout.records.verdict import Evidence
from proveout.settings import Settings, load_object
from proveout.task import task as tasks

RETIRED = "retired_cases.yaml"
_HEAD = "# Retired edge cases: `proveout cases retire` moves them here, with who, when and why.\n"


class CaseRefused(ProveoutError):
    """A case cannot be added or retired. Nothing was changed."""

    def __init__(self, case: str, why: str, remedy: str) -> None:
        super().__init__(case, why, remedy)
        self.case, self.why, self.remedy = case, why, remedy

    def __str__(self) -> str:
        return f"The edge case {self.case} {self.why}. {self.remedy}"


def shrunk(before: Mapping[str, Digest], now: Mapping[str, Digest], retired: Collection[str]) -> tuple[str, ...]:
    """A message for each case that is missing from a suite, or tests something else under the same id.

    Args:
        before: the suite of an earlier verdict, see `edge_cases.suite`.
        now: the current suite.
        retired: ids of retired cases, see `retired`. Such a case may be missing, but no other may take its id.

    >>> shrunk({"storm": Digest("a"), "calm": Digest("b")}, {"storm": Digest("c")}, {"calm"})
    ('the edge case storm is no longer what it was: put it back; another one takes another id',)
    """
    gone = "is gone and was not retired: put it back; to take it out: proveout cases retire {} --reason …"
    other = "is no longer what it was: put it back; another one takes another id"
    missing = [f"the edge case {id_} {gone.format(id_)}" for id_ in before if id_ not in now and id_ not in retired]
    weakened = [f"the edge case {id_} {other}" for id_ in before if id_ in now and now[id_] != before[id_]]
    return (*missing, *weakened)


def retired(settings: Settings) -> frozenset[str]:
    """The ids of the retired cases. Raises: ConfigError if the file is not as `cases retire` writes it."""
    return frozenset(case.id for case in edge_cases.retired(retired_file(settings)))


def retired_file(settings: Settings) -> Path:
    """The file of the retired cases, in the folder of the edge cases."""
    return case_file(settings).with_name(RETIRED)


def case_file(settings: Settings) -> Path:
    """The file of the edge cases."""
    return settings.root / settings.edge_cases


def known(settings: Settings) -> tuple[Case, ...]:
    """The project's edge cases. Raises: ConfigError."""
    return edge_cases.load(case_file(settings), _schema(settings), task=tasks.named(settings.task))


def in_order(settings: Settings, record: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """`record` with its fields in the order of the request schema; unknown fields come last."""
    fields = [*_schema(settings).to_schema().columns]
    return {name: record[name] for name in (*fields, *record) if name in record}


def check(settings: Settings, new: Sequence[Case]) -> tuple[Case, ...]:
    """Check whether the `new` cases can be added. Returns all cases, with the new ones.

    Raises: CaseRefused for an id or a record that exists already; ConfigError.
    """
    return _grown(settings, new)[0]


def tried(case: Case, known: Sequence[Case], model: Answering) -> tuple[Evidence, ...]:
    """The evidence of `case` on `model`.

    Args:
        known: the cases it is compared with, and possibly others.
    """
    others = [one for one in known if one.id in case.expect.others]
    return edge_cases.demands(case, edge_cases.ask([case, *others], model))


def add(settings: Settings, new: Sequence[Case]) -> None:
    """Append the `new` cases to the file, and leave the rest unchanged. Raises: as `check`."""
    file = case_file(settings)
    with _locked(file.parent):
        _write(file, _grown(settings, new)[1])


def retire(settings: Settings, case: str, *, by: str, date: datetime.date, reason: str) -> Case:
    """Move a case, with its text unchanged, to the file of retired cases, with who, when and why.

    Raises: NotFound; CaseRefused if other cases are compared with it, or it is the last one; ConfigError.
    """
    file, archive = case_file(settings), retired_file(settings)
    with _locked(file.parent):
        there = known(settings)
        found = next((one for one in there if one.id == case), None)
        if found is None:
            raise NotFound("edge case", case, "List them: proveout cases list")
        rest = tuple(one for one in there if one is not found)
        leaning = [one.id for one in rest if case in one.expect.others]
        if leaning:
            remedy = "Retire those first, or compare them with another case under new ids"
            raise CaseRefused(case, f"is what others are compared with: {', '.join(leaning)}", remedy)
        if not rest:
            raise CaseRefused(case, "is the last one, and a suite without cases approves anything", "Add another first")
        taken, left = yaml_editor.cut(_read(file), case, where=str(file))
        _check_text(file, left, rest, settings)
        _archive(archive, found, yaml_editor.retired_block(taken, by=by, date=date, reason=reason))
        _write(file, left)  # last: if it does not happen, the case is in both files, and retiring it again repairs that
    return found


def _schema(settings: Settings) -> Any:
    return load_object(settings.request_schema, settings.root)


def _grown(settings: Settings, new: Sequence[Case]) -> tuple[tuple[Case, ...], str]:
    """All cases with the new ones, and the new text of the file."""
    file, there, gone = case_file(settings), known(settings), retired(settings)
    after = _read(file)
    for case in new:
        _refuse_double(case, there, gone)
        task_fit.check(case, tasks.named(settings.task))
        there, after = (*there, case), yaml_editor.added(after, yaml_editor.block(case))
    _check_text(file, after, there, settings)
    return there, after


def _refuse_double(case: Case, there: Sequence[Case], gone: Collection[str]) -> None:
    if case.id in {one.id for one in there}:
        raise CaseRefused(case.id, "is there already", "Give it another id: --id …")
    if case.id in gone:
        raise CaseRefused(case.id, "was retired, and an id means one case for ever", "Give it another id: --id …")
    for one in there:
        if dict(one.record) == dict(case.record):
            remedy = (
                f"See what it expects: proveout cases list. To expect more: proveout cases retire {one.id}, then add"
            )
            raise CaseRefused(case.id, f"has the record of {one.id}", remedy)


def _check_text(file: Path, changed: str, expected: Sequence[Case], settings: Settings) -> None:
    """Check, before writing, that the changed text contains exactly the expected cases. Raises: ConfigError."""
    if edge_cases.parse(changed, str(file), _schema(settings)) != tuple(expected):
        problem = "cannot be changed without changing other cases in it"
        raise ConfigError(str(file), problem, "Write it as a list of `- id: …` blocks, and nothing after it")


def _archive(archive: Path, case: Case, block: str) -> None:
    archived = {one.id: edge_cases.digest(one) for one in edge_cases.retired(archive)}
    if case.id in archived:
        if archived[case.id] == edge_cases.digest(case):
            return  # an earlier call was interrupted between the two files
        raise CaseRefused(case.id, f"has the id of another one in {archive.name}", "Put that one right there")
    after = yaml_editor.added(_read(archive) or _HEAD, block)
    edge_cases.parse_retired(after, str(archive))
    _write(archive, after)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock `folder`: otherwise, of two cases added at the same time, one could be lost."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _read(file: Path) -> str:
    """The text of `file` with its line ends; empty if there is none. `known` has checked that it is UTF-8."""
    return file.read_bytes().decode("utf-8") if file.is_file() else ""


def _write(file: Path, content: str) -> None:
    """Replace the content of `file` atomically."""
    file = file.resolve()  # so that a symbolic link stays one
    handle, building = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)
    try:
        with os.fdopen(handle, "wb") as opened:
            opened.write(content.encode())
            opened.flush()
            os.fsync(opened.fileno())
        Path(building).chmod(file.stat().st_mode & 0o7777 if file.exists() else 0o644)
        Path(building).replace(file)
    except BaseException:
        Path(building).unlink(missing_ok=True)
        raise
