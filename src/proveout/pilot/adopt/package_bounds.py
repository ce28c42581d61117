"""The versions that proveout itself works with, and what becomes of a requirement that is outside of them.

Input: a requirement. Output: the requirement to install, and a sentence where it had to be changed. Bounds, and the
place that proveout was installed from, are those of its own metadata.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import distribution
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from proveout.pilot.audit.distributions import normalised

_EXTRAS = ("xgboost", "lightgbm")  # whose models it serves


@dataclass(frozen=True, kw_only=True)
class Bounded:
    """A requirement that proveout can live with. `changed` is the sentence that says what it was, or ""."""

    requirement: str
    changed: str = ""


def own_requirements() -> tuple[str, ...]:
    """How to install this proveout again: its folder, editable where it is, its wheel, or its version.

    In the form that pip and uv take as arguments.
    """
    own = distribution("proveout")
    told = own.read_text("direct_url.json")
    if not told:
        return (f"proveout=={own.version}",)
    place = json.loads(told)
    url = urlsplit(place["url"])
    if url.scheme != "file":
        return (f"proveout @ {place['url']}",)
    path = unquote(url.path)
    return ("--editable", path) if place.get("dir_info", {}).get("editable") else (path,)


@cache
def own_bounds() -> Mapping[str, str]:
    """What proveout asks of other packages, by normalised name; those of the extras for models included."""
    found: dict[str, str] = {}
    for text in distribution("proveout").requires or ():
        one = Requirement(text)
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in ("", *_EXTRAS)):
            found[normalised(one.name)] = str(one.specifier)
    return found


def bounded(requirement: str, bounds: Mapping[str, str], *, source: str) -> Bounded:
    """The requirement, or what is nearest to it within `bounds`.

    >>> bounded("pandas==1.3.5", {"pandas": ">=2.2"}, source="requirements.txt").requirement
    'pandas<2.3,>=2.2'
    >>> bounded("pandas>=1.3", {"pandas": ">=2.2"}, source="requirements.txt").requirement
    'pandas>=1.3'
    """
    one = Requirement(requirement)
    name = normalised(one.name)
    bound = SpecifierSet(bounds.get(name, ""))
    if not len(bound) or _meet(one.specifier, bound):
        return Bounded(requirement=requirement)
    lowest = min((Version(each.version) for each in bound if each.operator in (">=", "==", "~=")), default=None)
    taken = bound
    if lowest is not None and all(version < lowest for version in _probes(one.specifier) if version in one.specifier):
        taken = bound & SpecifierSet(f"<{lowest.major}.{lowest.minor + 1}")
    changed = f"{requirement} ({source}) is outside of what proveout works with, {name}{bound}: {name}{taken} is taken"
    return Bounded(requirement=f"{name}{taken}", changed=changed)


def for_this_machine(requirement: str) -> str:
    """The package that has a module's code for this machine: XGBoost without its libraries for GPUs, on Linux."""
    one = Requirement(requirement)
    if normalised(one.name) != "xgboost" or sys.platform != "linux":
        return requirement
    return f"xgboost-cpu{one.specifier}"


def companions(requirements: Iterable[str]) -> tuple[str, ...]:
    """What has to be asked for as well, because a package's own metadata does not say it.

    >>> companions(["pandas", "numpy>=1.26,<2"])
    ('pyarrow<26',)
    """
    found = {normalised(one.name): one for one in map(Requirement, requirements)}
    numpy = found.get("numpy")
    # pyarrow 26 refuses NumPy 1 when it is imported.
    return ("pyarrow<26",) if numpy is not None and "pyarrow" not in found and "9999" not in numpy.specifier else ()


def _meet(first: SpecifierSet, second: SpecifierSet) -> bool:
    """Whether any version is in both. Tried are the versions that they name, and those just beside them."""
    return any(version in first and version in second for version in (*_probes(first), *_probes(second)))


def _probes(specifiers: SpecifierSet) -> Iterator[Version]:
    yield Version("0.0.1")
    yield Version("9999")
    for each in specifiers:
        try:
            version = Version(each.version.removesuffix(".*"))
        except InvalidVersion:  # `===` takes any text
            continue
        major, minor, micro = version.major, version.minor, version.micro
        yield version
        yield Version(f"{major}.{minor}.{micro + 1}")
        yield Version(f"{major}.{minor + 1}")
        yield Version(f"{major + 1}")
        if minor or micro:
            yield Version(f"{major}.{minor - 1}.9999" if not micro else f"{major}.{minor}.{micro - 1}")
        elif major:
            yield Version(f"{major - 1}.9999")
