"""The errors of proveout: one class for each case that a caller handles differently.

    ProveoutError
    ├── UsageError         the command or the call is wrong                         exit 2
    │   └── NoCandidate    the gate has no candidate to judge
    ├── ConfigError        [tool.proveout], train.toml or a named object            exit 2
    ├── NotFound           a digest, a batch or a release does not exist            exit 1
    ├── DataRefused        a batch has too many bad rows                            exit 1
    │   └── DataChanged    stored rows do not have their digest
    ├── NotebookFailed     a cell raised, took too long or ended the notebook       exit 1
    ├── ParametersRefused  parameters do not fit the notebook                       exit 2
    ├── InputsChanged      files changed since the run began: it cannot resume      exit 1
    ├── BundleError        an object cannot be packed or opened                     exit 1
    │   └── Tampered       a file differs from its manifest
    ├── NotApproved        a release has no valid approval                          exit 1
    ├── BadSignature       a signature is invalid, or its key is not trusted        exit 1
    ├── Conflict           another process changed the ledger meanwhile             exit 4
    │   └── OtherChampion  the champion is not the one that the gate compared with
    ├── LedgerError        the ledger cannot be read or written                     exit 3
    │   ├── NoLedger       the ledger does not exist yet                            exit 1
    │   └── ChainBroken    an entry was edited, removed or reordered
    ├── DriftError         two windows cannot be compared                           exit 3
    └── of one room: sources.SourceFailed, files.Unreachable, process_manager.NotStarted, validation.Refused,
                         validator.InvalidRecord, case_store.CaseRefused, live_server.DemoFailed

An error takes facts, so that it can be pickled out of a worker. Its text says what happened, to which object, and what
to do next.
"""

import errno
from typing import ClassVar


class ProveoutError(Exception):
    """Base of all errors that proveout raises. `exit_code`: 1 no, 2 wrong usage, 3 undecided, 4 lost a race."""

    exit_code: ClassVar[int] = 1


class UsageError(ProveoutError):
    """The command or the call is wrong."""

    exit_code = 2


class NoCandidate(UsageError):
    """The gate has no candidate to judge."""

    def __init__(self, model: str) -> None:
        super().__init__(model)
        self.model = model

    def __str__(self) -> str:
        return (
            f"There is no candidate of {self.model} to check. Make one: python flows/ingest.py run, then "
            "python flows/train.py run. Or name a packed one: pytest checks/ --candidate DIGEST"
        )


class ConfigError(ProveoutError):
    """A setting is missing, unknown or names something that does not exist."""

    exit_code = 2

    def __init__(self, where: str, problem: str, remedy: str) -> None:
        super().__init__(where, problem, remedy)
        self.where, self.problem, self.remedy = where, problem, remedy

    def __str__(self) -> str:
        return f"{self.where}: {self.problem}. {self.remedy}"


class NotFound(ProveoutError):
    """A named thing does not exist."""

    def __init__(self, kind: str, name: str, remedy: str) -> None:
        super().__init__(kind, name, remedy)
        self.kind, self.name, self.remedy = kind, name, remedy

    def __str__(self) -> str:
        return f"There is no {self.kind} {self.name}. {self.remedy}"


class DataRefused(ProveoutError):
    """A batch has more bad rows than allowed, or a fault that does not belong to single rows."""

    def __init__(self, batch: str, problem: str, quarantine: str) -> None:
        super().__init__(batch, problem, quarantine)
        self.batch, self.problem, self.quarantine = batch, problem, quarantine

    def __str__(self) -> str:
        return f"Batch {self.batch} is refused: {self.problem}. The bad rows, each with its reason: {self.quarantine}"


class DataChanged(DataRefused):
    """Rows in the store, or the list of them, do not have their digest."""

    def __init__(self, what: str, file: str, digest: str) -> None:
        super().__init__(what, file, digest)
        self.what, self.file, self.digest = what, file, digest

    def __str__(self) -> str:
        return (
            f"The {self.what} was changed after ingestion: {self.file} is not what digest {self.digest[:12]} names. "
            "Restore it from a backup, or ingest the data again: python flows/ingest.py run"
        )


class NotebookFailed(ProveoutError):
    """A notebook did not run to its end. The half-executed notebook is kept at `executed`.

    `cell` is its number in a fresh run, `In [n]`; 0 if no cell is the cause.
    """

    def __init__(  # noqa: PLR0917  # positional, so that it pickles
        self, notebook: str, cell: int, source: str, problem: str, executed: str, traceback: str = ""
    ) -> None:
        super().__init__(notebook, cell, source, problem, executed, traceback)
        self.notebook, self.cell, self.source = notebook, cell, source
        self.problem, self.executed, self.traceback = problem, executed, traceback

    def __str__(self) -> str:
        code = "\n".join(f"    {line}" for line in self.source.strip().splitlines())
        where = f"stopped in cell {self.cell}" if self.cell else "failed"
        parts = (f"{self.notebook} {where}: {self.problem}", code, self.traceback.rstrip())
        return "\n".join([*filter(None, parts), f"The half-executed notebook: {self.executed}"])


class ParametersRefused(ProveoutError):
    """Parameters do not fit the notebook's `parameters` cell. Nothing was run."""

    exit_code = 2

    def __init__(self, notebook: str, problems: tuple[str, ...]) -> None:
        super().__init__(notebook, problems)
        self.notebook, self.problems = notebook, problems

    def __str__(self) -> str:
        missing = any(problem.endswith(" is missing") for problem in self.problems)
        keep = (
            ' To keep the default in the notebook: parameter_defaults = "allowed" in [tool.proveout].'
            if missing
            else ""
        )
        return (
            f"{self.notebook} was not started: {'; '.join(self.problems)}. "
            f"Correct [parameters] in flows/train.toml, or the notebook's cell tagged `parameters`.{keep}"
        )


class InputsChanged(ProveoutError):
    """A training run cannot continue, because its inputs changed: its bundle would mix two versions."""

    def __init__(self, names: tuple[str, ...]) -> None:
        super().__init__(names)
        self.names = names

    def __str__(self) -> str:
        more = f" and {len(self.names) - 5} more" if len(self.names) > 5 else ""
        return (
            f"This run cannot continue: {', '.join(self.names[:5])}{more} changed since it began, so its bundle would "
            "mix two versions. Start a new run: python flows/train.py run. Or restore the files, and resume this run."
        )


class BundleError(ProveoutError):
    """An object cannot be packed into, or opened from, a bundle."""

    def __init__(self, what: str, problem: str, remedy: str) -> None:
        super().__init__(what, problem, remedy)
        self.what, self.problem, self.remedy = what, problem, remedy

    def __str__(self) -> str:
        return f"{self.what}: {self.problem}. {self.remedy}"


class Tampered(BundleError):
    """A file of a bundle differs from the manifest, or the manifest differs from the approved one."""

    def __init__(self, bundle: str, file: str, problem: str) -> None:
        super().__init__(bundle, file, problem)
        self.bundle, self.file, self.problem = bundle, file, problem

    def __str__(self) -> str:
        return (
            f"{self.bundle} was tampered with: {self.file} {self.problem}. Do not serve it; "
            "train again or restore the folder from a backup, then: proveout verify " + self.bundle[:12]
        )


class NotApproved(ProveoutError):
    """A release has no valid approval."""

    def __init__(self, bundle: str, why: str) -> None:
        super().__init__(bundle, why)
        self.bundle, self.why = bundle, why

    def __str__(self) -> str:
        digest = self.bundle.rpartition("@")[2][:12]
        return f"{self.bundle} is not approved: {self.why}. See what the gate said: proveout verdict {digest}"


class BadSignature(ProveoutError):
    """A signature is invalid, or its key is not trusted here."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(key, why)
        self.key, self.why = key, why

    def __str__(self) -> str:
        return f"The signature by key {self.key} is invalid: {self.why}."


class Conflict(ProveoutError):
    """Another process changed the ledger before a decision was written. Nothing was written."""

    exit_code = 4

    def __init__(self, what: str, winner: str) -> None:
        super().__init__(what, winner)
        self.what, self.winner = what, winner

    def __str__(self) -> str:
        return f"{self.what} failed: meanwhile {self.winner}. Check proveout status, then retry."


class OtherChampion(Conflict):
    """A bundle would replace a champion that the gate did not compare it with."""


class LedgerError(ProveoutError):
    """The ledger cannot be read or written."""

    exit_code = 3

    def __init__(self, ledger: str, problem: str, remedy: str) -> None:
        super().__init__(ledger, problem, remedy)
        self.ledger, self.problem, self.remedy = ledger, problem, remedy

    def __str__(self) -> str:
        return f"The ledger {self.ledger} {self.problem}. {self.remedy}"


class NoLedger(LedgerError):
    """The ledger does not exist yet."""

    exit_code = 1

    def __init__(self, ledger: str) -> None:
        super().__init__(ledger, "is not there yet", "The first data makes it: python flows/ingest.py run")
        self.args = (ledger,)


class ChainBroken(LedgerError):
    """An entry of the ledger was edited, removed or reordered."""

    exit_code = 1

    def __init__(self, seq: int, problem: str) -> None:
        super().__init__("chain", problem, "")
        self.args = (seq, problem)
        self.seq = seq

    def __str__(self) -> str:
        return (
            f"The ledger's chain breaks at entry {self.seq}: {self.problem}. Restore the ledger from a backup; "
            "nothing after this entry can be trusted."
        )


class DriftError(ProveoutError):
    """Two samples cannot be compared."""

    exit_code = 3

    def __init__(self, column: str, problem: str) -> None:
        super().__init__(column, problem)
        self.column, self.problem = column, problem

    def __str__(self) -> str:
        return f"{self.column} cannot be compared: {self.problem}."


_NO_ROOM = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the quota is used up",
    errno.EROFS: "the disk is read-only",
}


def sentence_of(error: BaseException) -> str | None:
    """The message to print instead of a traceback, for an error of proveout or a full or read-only disk; else None.

    >>> sentence_of(OSError(errno.ENOSPC, "No space left on device", "/var/state/ids"))
    '/var/state/ids was not written: the disk is full. Make room there, then do it again.'
    """
    if isinstance(error, ProveoutError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        # The first file name of a failed copy is its source.
        what = next((name for name in (error.filename2, error.filename) if isinstance(name, str)), "A file")
        return f"{what} was not written: {_NO_ROOM[error.errno]}. Make room there, then do it again."
    return None
