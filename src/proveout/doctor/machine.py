"""The machine: Python, proveout's dependencies, the disk, the clock, a kernel.

Input: values of this machine, or of a test. Output: a finding of each. What decides is pure.
"""

import shlex
import shutil
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from proveout.doctor.finding import Finding, fault, note, well

LEAST_BYTES, FEW_BYTES = 200_000_000, 2_000_000_000
"""Free room that one training run needs, and that a week of snapshots, bundles and journals may need."""
CLOCK_S = 60.0  # how far two clocks may be apart before approvals and releases are in the wrong order


def python(running: str, *, asked: str) -> Finding:
    """Whether this Python is one that proveout has packages for.

    >>> python("3.13.1", asked=">=3.11,<3.13").state
    'fault'
    """
    from packaging.specifiers import SpecifierSet

    if running not in SpecifierSet(asked):
        return fault("python", f"{running}, and proveout needs {asked}", "Make the .venv with another Python")
    return well("python", f"{running}, asked for: {asked}")


def installed(name: str) -> str | None:
    """The version of a package in this environment; None without it."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def dependencies(requirements: Iterable[str], *, installed: Callable[[str], str | None]) -> Finding:
    """Whether every package that proveout needs is here, in a version within its bounds.

    Args:
        requirements: as the metadata has them. Those of extras are not asked for.
    """
    from packaging.requirements import Requirement

    asked = [Requirement(text) for text in requirements]
    needed = [one for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    here = {one.name: installed(one.name) for one in needed}
    wrong = [one for one in needed if (found := here[one.name]) is None or not one.specifier.contains(found, True)]
    if wrong:
        said = "; ".join(f"{one.name} is {here[one.name] or 'missing'}, asked for: {one.specifier}" for one in wrong)
        install = " ".join(shlex.quote(f"{one.name}{one.specifier}") for one in wrong)
        return fault("packages", said, f"python -m pip install {install}")
    return well("packages", f"{len(needed)} packages are within their bounds")


def extras(needed: Iterable[tuple[str, str, str]], *, found: Callable[[str], bool]) -> Finding:
    """Whether the modules are here that the settings need beyond proveout's own dependencies.

    Args:
        needed: the extra, the module that it brings, and the setting that needs it.
    """
    asked = tuple(needed)
    missing = [(extra, why) for extra, module, why in asked if not found(module)]
    if missing:
        said = "; ".join(f"{why} needs the extra {extra}" for extra, why in missing)
        return fault("extras", said, f"pip install 'proveout[{','.join(extra for extra, _ in missing)}]'")
    return well("extras", ", ".join(extra for extra, _, _ in asked) or "none is needed")


def disk(free_bytes: int, *, folder: Path) -> Finding:
    """Whether the disk of the state folder has room for what a run writes."""
    said = f"{free_bytes / 1e9:,.1f} GB are free for {folder}"
    remedy = "Free some, or move the state: PROVEOUT_STATE, PROVEOUT_STORE_URL"
    if free_bytes < LEAST_BYTES:
        return fault("disk", said, remedy)
    return note("disk", said, remedy) if free_bytes < FEW_BYTES else well("disk", said)


def free_bytes(folder: Path) -> int:
    """The free room on the disk that `folder` is on, or will be."""
    return shutil.disk_usage(nearest(folder)).free


def clock(now_s: float, *, newest_s: float | None, file_s: float | None) -> Finding:
    """Whether this clock goes with the ledger's and with that of the state folder's disk, all in seconds since 1970.

    Args:
        newest_s: the time of the ledger's newest entry; None if there is none.
        file_s: the time of a file written just now; None if none could be written.
    """
    remedy = "Set the clock, and let it be kept: timedatectl set-ntp true"
    if newest_s is not None and newest_s > now_s + CLOCK_S:
        said = f"it is {_time(now_s)} here, and the newest entry of the ledger is of {_time(newest_s)}"
        return fault("clock", said, remedy)
    if file_s is not None and abs(file_s - now_s) > CLOCK_S:
        return fault("clock", f"it is {_time(now_s)} here, and {_time(file_s)} on the disk of the state folder", remedy)
    return well("clock", f"{_time(now_s)}, not behind the ledger's newest entry")


def file_clock(folder: Path) -> float | None:
    """The time of a file that is written below `folder`, or below the nearest folder that exists."""
    try:
        with tempfile.NamedTemporaryFile(dir=nearest(folder), prefix=".proveout-doctor-") as file:
            return Path(file.name).stat().st_mtime
    except OSError:
        return None


def writable(name: str, folder: Path, *, said: str, remedy: str) -> Finding:
    """Whether files can be written into `folder`, or it can be made; an empty file is written there and removed."""
    place = nearest(folder)
    if not place.is_dir():
        return fault(name, f"{place} is no folder", remedy)
    try:
        with tempfile.NamedTemporaryFile(dir=place, prefix=".proveout-doctor-"):
            return well(name, said)
    except OSError as error:
        return fault(name, f"nothing can be written into {place}: {error.strerror}", remedy)


def nearest(path: Path) -> Path:
    """The path, or the nearest one above it that exists."""
    return next(one for one in (path, *path.parents) if one.exists())


def kernel(folder: Path, *, clock: Callable[[], float] = time.monotonic) -> Finding:
    """Whether a kernel for the notebook starts in `folder`, with this interpreter, and answers."""
    from proveout.training.kernel import CellFailed, probe

    begun = clock()
    try:
        probe(folder)
    except CellFailed as failed:
        said = f"{failed.problem}{f': {failed.traceback.splitlines()[-1]}' if failed.traceback else ''}"
        return fault("kernel", said, "Try it alone: python -m ipykernel_launcher")
    return well("kernel", f"it starts and answers, in {clock() - begun:.1f} s")


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
