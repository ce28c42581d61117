"""Opens a bundle in a separate process: like a worker, or with only its locked packages importable.

Input: a bundle's folder and records in JSON form. Output: `Told`, the answers of that process and their cost. The
process runs this file as `python -m proveout.evaluation.isolated_probe ASKED TOLD`. It reads one file and writes the
other, so that a model's prints do no harm.
"""

import csv
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from proveout import interpreter_exit
from proveout.records.json_form import from_json, to_json
from proveout.records.values import Scalar

if TYPE_CHECKING:
    from importlib.metadata import Distribution

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
_TROUBLE_CHARACTERS = 300

OURS = "proveout"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The task of the process: open a bundle, predict all records at once, then single records, `calls` times."""

    folder: str
    records: tuple[Mapping[str, Scalar], ...]
    calls: int = 0  # after a tenth as many uncounted ones; the records are repeated as needed
    within_s: float = 10.0  # time limit for the calls; the uncounted ones get a tenth of it


@dataclass(frozen=True, kw_only=True)
class Told:
    """The result. `trouble` is empty or the error; `missing` then names the missing module, if any."""

    answers: tuple[float | None, ...] = ()  # scores by row; None if not finite
    opening_s: float = 0.0
    took_ms: tuple[float, ...] = ()  # per call for one record, without waiting for a processor
    memory_mb: float = 0.0  # most memory added by opening and predicting
    modules: tuple[str, ...] = ()  # imported top-level modules
    trouble: str = ""
    missing: str = ""


def ask(asked: Asked, *, site: Path | None = None, timeout_s: float = 600) -> Told:
    """Run the task in a fresh process, in an empty working directory and with one thread.

    Args:
        site: a folder made by `link`. The process can then import only from it and the standard library, and has no
            environment variables.
    """
    with tempfile.TemporaryDirectory(prefix="proveout-apart-") as temporary:
        here = Path(temporary)
        (here / "empty").mkdir()
        given, got = here / "asked.json", here / "told.json"
        given.write_text(to_json(asked), encoding="utf-8")
        if site is None:
            command = [sys.executable, "-m", __name__]
            environment = {**os.environ, **ONE_THREAD}
        else:
            begin = f"import sys; sys.path.append({str(site)!r}); from {__name__} import main; main(*sys.argv[1:])"
            # -I: no variable and no folder of the user's; -S: no site-packages; -B: nothing is written beside them.
            command = [sys.executable, "-I", "-S", "-B", "-c", begin]
            environment = {**ONE_THREAD, "HOME": str(here), "LANG": "C.UTF-8"}
        try:
            ran = subprocess.run(
                [*command, str(given), str(got)],
                cwd=here / "empty",
                env=environment,
                capture_output=True,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return Told(trouble=f"it was not done after {timeout_s:g} s")
        if not got.is_file():
            last = ran.stderr.strip().splitlines()[-1:] or [f"it ended with exit code {ran.returncode}"]
            return Told(trouble=last[0][:_TROUBLE_CHARACTERS], missing=_named(last[0]))
        return from_json(Told, got.read_bytes())


def _named(line: str) -> str:
    """The missing module named in the last line of a traceback."""
    _, found, rest = line.partition("No module named ")
    return rest.strip("'\" ").partition("'")[0] if found else ""


# --- in that process --------------------------------------------------------------------------------------------------


def main(given: str, got: str) -> None:
    """Do the task in the file `given`, and write the result to the file `got`."""
    interpreter_exit.without_collection()
    told = _told(from_json(Asked, Path(given).read_bytes()))
    Path(got).write_text(to_json(told), encoding="utf-8")


def _told(asked: Asked) -> Told:
    try:
        from proveout.model.bundle import open_bundle

        _import_libraries()
        before = _memory_mb(peak=False)
        with _own_clock() as own_s:
            began = own_s()
            candidate = open_bundle(Path(asked.folder))
            opening_s = own_s() - began
        answers = candidate.predict_columns(candidate.columns(asked.records))
        took = _calls(candidate, asked)
        return Told(
            answers=tuple(answer if abs(answer) < float("inf") else None for answer in answers.ravel().tolist()),
            opening_s=opening_s,
            took_ms=tuple(took),
            memory_mb=max(0.0, _memory_mb(peak=True) - before),
            modules=tuple(sorted({name.partition(".")[0] for name in sys.modules})),
        )
    except Exception as error:  # a worker would get the same error
        # The importer may have wrapped the error of a missing module.
        at: BaseException | None = error
        while at is not None and not isinstance(at, ImportError):
            at = at.__cause__ or at.__context__
        missing = (at.name or "") if isinstance(at, ImportError) else ""
        return Told(trouble=f"{type(error).__name__}: {error}"[:_TROUBLE_CHARACTERS], missing=missing)


def _import_libraries() -> None:
    """What a worker has before it opens anything: it is not what the bundle takes."""
    import pandas  # noqa: F401
    import sklearn.pipeline  # noqa: F401


def _calls(candidate: Any, asked: Asked) -> list[float]:
    """Milliseconds of each call, from JSON values to scores as plain numbers."""
    took: list[float] = []
    if not asked.calls:
        return took
    warm = max(1, asked.calls // 10)
    # On a busy machine, fewer calls fit into a second, but they show as much: the limit counts their own time.
    with _waiting() as waited_s, _own_clock() as own_s:
        start = own_s()
        for call in range(warm + asked.calls):
            if call < warm and own_s() > start + asked.within_s / 10:
                warm = call  # a slow model is also slow when warm, and must be counted
            record = asked.records[call % len(asked.records)]
            began, waited = time.perf_counter(), waited_s()
            candidate.predict_columns(candidate.columns([record]))[0].tolist()
            # Time in which another process had the processor is not the model's. The clock is read before and after the
            # waiting time, so that never too much is subtracted.
            waited = waited_s() - waited
            took_s = time.perf_counter() - began - waited
            if call >= warm:
                took.append(1000 * took_s)
            if own_s() > start + asked.within_s and took:
                break
    return took


@contextmanager
def _own_clock() -> Iterator[Callable[[], float]]:
    """A clock in seconds that stops while this thread is runnable but has no processor."""
    with _waiting() as waited_s:
        yield lambda: time.perf_counter() - waited_s()


@contextmanager
def _waiting() -> Iterator[Callable[[], float]]:
    """The seconds so far in which this thread was runnable but had no processor; sleeping does not count."""
    try:
        file = os.open("/proc/thread-self/schedstat", os.O_RDONLY)
    except OSError:  # not on Linux: unknown
        yield lambda: 0.0
        return
    try:
        yield lambda: int(os.pread(file, 100, 0).split()[1]) / 1e9
    finally:
        os.close(file)


def _memory_mb(*, peak: bool) -> float:
    """The memory of the process, or its peak since the last call without `peak`."""
    try:
        if not peak:
            with suppress(OSError):  # may be forbidden; then the peak counts from the start
                Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        field = "VmHWM:" if peak else "VmRSS:"
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1000
    except (OSError, StopIteration):
        # Without /proc, only the peak is known, on macOS in bytes.
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 1e6 if sys.platform == "darwin" else most / 1000


# --- only what is locked ----------------------------------------------------------------------------------------------


def locked(text: str) -> dict[str, str]:
    """The version of each distribution that a requirements.lock pins for this Python, by its normalized name.

    >>> locked("numpy==2.4.6 ; python_version >= '3' \\\\\\n    --hash=sha256:00\\nold==1 ; python_version < '3'")
    {'numpy': '2.4.6'}
    """
    from packaging.requirements import InvalidRequirement, Requirement
    from packaging.utils import canonicalize_name

    pinned: dict[str, str] = {}
    for line in text.splitlines():
        stated = line.partition(" #")[0].rstrip(" \\")
        if not stated or stated.startswith((" ", "#", "-")):
            continue
        with suppress(InvalidRequirement):  # a line in another format: its package will be missing
            wanted = Requirement(stated.partition(" --hash")[0])
            version = next((one.version for one in wanted.specifier if one.operator in ("==", "===")), "")
            if version and (wanted.marker is None or wanted.marker.evaluate()):
                pinned[canonicalize_name(wanted.name)] = version
    return pinned


@dataclass(frozen=True, kw_only=True)
class Linked:
    """A folder from which only locked distributions and proveout can be imported."""

    installed: Mapping[str, str]  # installed version of each linked distribution
    modules: Mapping[str, str]  # the distribution of each top-level module


def link(site: Path, *, pinned: Mapping[str, str]) -> Linked:
    """Fill `site` with links to the modules of the distributions in `pinned` as they are installed here."""
    from importlib.metadata import distributions

    from packaging.utils import canonicalize_name

    import proveout

    tops: dict[str, set[str]] = {}  # the distributions that own each entry of site-packages
    files: dict[str, tuple[Path, Sequence[str]]] = {}
    installed: dict[str, str] = {}
    for one in distributions():
        stated = one.metadata  # parsed each time it is asked for
        name = canonicalize_name(stated["Name"])
        inside = [file for file in _recorded(one) if _top(file) not in ("..", "__pycache__")]
        for top in {_top(file) for file in inside}:
            tops.setdefault(top, set()).add(name)
        if name == OURS:
            continue  # linked below as a package: an editable install has almost no files
        if name in pinned and name not in files:  # the first one on the path is imported
            files[name], installed[name] = (Path(str(one.locate_file(""))), inside), stated["Version"]
    # A folder shared with other distributions, such as a namespace package, is linked file by file.
    shared = {top for top, names in tops.items() if names - files.keys()}
    for folder, listed in files.values():
        for part in {file if _top(file) in shared else _top(file) for file in listed}:
            there = site / part
            if not there.is_symlink() and (folder / part).exists():
                there.parent.mkdir(parents=True, exist_ok=True)
                there.symlink_to(folder / part)
    (site / OURS).symlink_to(Path(str(proveout.__file__)).parent)
    return Linked(
        installed=installed,
        modules={PurePosixPath(top).name.partition(".")[0]: name for top, names in tops.items() for name in names},
    )


def _recorded(distribution: "Distribution") -> list[str]:
    """The files of a distribution. `.files` makes a path of each first, which takes two seconds for all of them."""
    record = distribution.read_text("RECORD")
    if record is None:
        return [str(file) for file in distribution.files or ()]
    return [row[0] for row in csv.reader(record.splitlines()) if row]


def _top(file: str) -> str:
    return file.partition("/")[0]


if __name__ == "__main__":
    main(*sys.argv[1:])
