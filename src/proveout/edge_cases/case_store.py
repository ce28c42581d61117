"""The book of edge cases: it grows by what went wrong, and shrinks only by name, with a reason.

Input: the project's `edge_cases.yaml`, `retired_cases.yaml` beside it, a case to add or to retire. Output: both
files, a case more or less in them; and whether a suite is weaker than one before.
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
    """A case is not added, or not retired. Nothing was changed."""

    def __init__(self, case: str, why: str, remedy: str) -> None:
        super().__init__(case, why, remedy)
        self.case, self.why, self.remedy = case, why, remedy

    def __str__(self) -> str:
        return f"The edge case {self.case} {self.why}. {self.remedy}"


def shrunk(before: Mapping[str, Digest], now: Mapping[str, Digest], retired: Collection[str]) -> tuple[str, ...]:
    """Which cases of a suite are gone, or test something else under the same id, a sentence each; empty if none.

    Args:
        before: the suite an earlier verdict judged by, see `cases.suite`.
        now: the suite of today.
        retired: ids that were taken out with a reason, see `retired`. They excuse that a case is gone, not that
            another one stands in its place.

    >>> shrunk({"storm": Digest("a"), "calm": Digest("b")}, {"storm": Digest("c")}, {"calm"})
    ('the edge case storm is no longer what it was: put it back; another one takes another id',)
    """
    gone = "is gone and was not retired: put it back; to take it out: proveout cases retire {} --reason …"
    other = "is no longer what it was: put it back; another one takes another id"
    missing = [f"the edge case {id_} {gone.format(id_)}" for id_ in before if id_ not in now and id_ not in retired]
    weakened = [f"the edge case {id_} {other}" for id_ in before if id_ in now and now[id_] != before[id_]]
    return (*missing, *weakened)


def retired(settings: Settings) -> frozenset[str]:
    """The ids of the cases that were retired. Raises: ConfigError if the file is not as `cases retire` writes it."""
    return frozenset(case.id for case in edge_cases.retired(retired_file(settings)))


def retired_file(settings: Settings) -> Path:
    """Where retired cases go: beside the edge cases."""
    return case_file(settings).with_name(RETIRED)


def case_file(settings: Settings) -> Path:
    """Where the edge cases stand."""
    return settings.root / settings.edge_cases


def known(settings: Settings) -> tuple[Case, ...]:
    """The project's edge cases. Raises: ConfigError."""
    return edge_cases.load(case_file(settings), _schema(settings), task=tasks.named(settings.task))


def in_order(settings: Settings, record: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """`record` in the order in which the request schema has its fields; those it does not have come last."""
    fields = [*_schema(settings).to_schema().columns]
    return {name: record[name] for name in (*fields, *record) if name in record}


def check(settings: Settings, new: Sequence[Case]) -> tuple[Case, ...]:
    """The project's cases and the `new` ones, which could be added: they fit together and are valid requests.

    Raises: CaseRefused for an id or a record that is there already; ConfigError.
    """
    return _grown(settings, new)[0]


def tried(case: Case, known: Sequence[Case], model: Answering) -> tuple[Evidence, ...]:
    """What `case` demands of `model`, and what it says, a number each. `known`: those it is compared with, and more."""
    others = [one for one in known if one.id in case.expect.others]
    return edge_cases.demands(case, edge_cases.ask([case, *others], model))


def add(settings: Settings, new: Sequence[Case]) -> None:
    """Write `new` cases at the end of the file; what stands there stays as it is. Raises: as `check`."""
    file = case_file(settings)
    with _alone(file.parent):
        _write(file, _grown(settings, new)[1])


def retire(settings: Settings, case: str, *, by: str, date: datetime.date, reason: str) -> Case:
    """Move a case to the file of retired ones, as it stands, with who, when and why.

    Raises: NotFound; CaseRefused if other cases are compared with it, or it is the last one; ConfigError.
    """
    file, archive = case_file(settings), retired_file(settings)
    with _alone(file.parent):
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
        _prove(file, left, rest, settings)
        _archive(archive, found, yaml_editor.retired_block(taken, by=by, date=date, reason=reason))
        _write(file, left)  # last: a stop before it leaves a case twice, and to retire it again mends that
    return found


def _schema(settings: Settings) -> Any:
    return load_object(settings.request_schema, settings.root)


def _grown(settings: Settings, new: Sequence[Case]) -> tuple[tuple[Case, ...], str]:
    """All cases with the new ones, and the text of the file that holds them."""
    file, there, gone = case_file(settings), known(settings), retired(settings)
    after = _read(file)
    for case in new:
        _refuse_double(case, there, gone)
        task_fit.check(case, tasks.named(settings.task))
        there, after = (*there, case), yaml_editor.added(after, yaml_editor.block(case))
    _prove(file, after, there, settings)
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


def _prove(file: Path, changed: str, expected: Sequence[Case], settings: Settings) -> None:
    """The changed text says what it is to say, before anything is written."""
    if edge_cases.parse(changed, str(file), _schema(settings)) != tuple(expected):
        problem = "cannot be changed without changing other cases in it"
        raise ConfigError(str(file), problem, "Write it as a list of `- id: …` blocks, and nothing after it")


def _archive(archive: Path, case: Case, block: str) -> None:
    buried = {one.id: edge_cases.digest(one) for one in edge_cases.retired(archive)}
    if case.id in buried:
        if buried[case.id] == edge_cases.digest(case):
            return  # an earlier try was stopped between the two files
        raise CaseRefused(case.id, f"has the id of another one in {archive.name}", "Put that one right there")
    after = yaml_editor.added(_read(archive) or _HEAD, block)
    edge_cases.parse_retired(after, str(archive))
    _write(archive, after)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Nobody else changes the book in `folder` meanwhile: of two cases added at once, one would be lost."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _read(file: Path) -> str:
    """The text of `file` with the line ends it has; empty where there is none. That it is UTF-8, `known` has seen."""
    return file.read_bytes().decode("utf-8") if file.is_file() else ""


def _write(file: Path, content: str) -> None:
    """Put `content` in the place of what `file` holds, whole or not at all."""
    file = file.resolve()  # a link stays one
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
