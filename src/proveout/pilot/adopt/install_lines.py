"""Lines by which a notebook installs packages: what they install, and the cell without them.

Input: an `Analysis`, or the source of a cell. Output: requirements; or the same source, line for line, that installs
nothing: the kernel's environment holds proveout as well, and no cell may change it.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.requirements import InvalidRequirement, Requirement

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.distributions import normalised
from proveout.pilot.audit.magics import Magic, mask
from proveout.pilot.audit.rules.install_cell import INSTALL

_SHELLS = ("bash", "sh", "script")
_WITH_VALUE = {"-r", "-c", "-t", "-i", "-f", "-e", "--requirement", "--constraint", "--target", "--channel", "-n"}
_PACKAGERS = re.compile(r"\b(?:pip[\d.]*|conda|mamba|uv\s+pip)\b")


@dataclass(frozen=True, kw_only=True)
class InstallLine:
    """A line that installs. `requirements` are the packages of Python that it names, as written."""

    cell: int
    line: int
    text: str
    requirements: tuple[str, ...]


def install_lines(analysis: Analysis) -> tuple[InstallLine, ...]:
    """All lines of the notebook that install something, in their order."""
    return tuple(
        InstallLine(cell=cell.index, line=line, text=text, requirements=tuple(_requirements(text)))
        for cell in analysis.cells
        for magic in cell.code.magics
        for line, text in _lines(magic)
        if any(INSTALL.match(part) for part in _commands(text))
    )


def without(source: str) -> str:
    r"""The source of a cell with lines that install replaced by ones that do nothing.

    >>> without("import x\n!pip install -q x\nx.f()")
    'import x\npass\nx.f()'
    """
    lines, plain = source.splitlines(), mask(source)
    masked, changed = plain.python.splitlines(), False
    for magic in plain.magics:
        for line, text in _lines(magic):
            if not any(INSTALL.match(part) for part in _commands(text)):
                continue
            place, changed = line - 1, True
            if magic.magic_type == "cell_magic" and magic.body:
                lines[place] = "true" if line > magic.line else lines[place]
                continue
            ends = place
            while lines[ends].rstrip().endswith("\\") and ends + 1 < len(lines):
                ends += 1
                lines[ends] = ""
            lines[place] = plain.indent + masked[place] if place < len(masked) else ""
    return "\n".join(lines) if changed else source


def _lines(magic: Magic) -> Iterator[tuple[int, str]]:
    """The lines of a magic that a shell or a packager runs, with their numbers in the cell."""
    if magic.magic_type == "help":
        return
    yield magic.line, magic.text
    if magic.magic_type == "cell_magic" and magic.name in _SHELLS:
        yield from enumerate(magic.body.splitlines(), magic.line + 1)


def _commands(text: str) -> list[str]:
    return [part.strip().removeprefix("%").removeprefix("!") for part in re.split(r"&&|;|\|", text)]


def _requirements(text: str) -> Iterator[str]:
    for command in _commands(text):
        if not INSTALL.match(command) or not _PACKAGERS.search(command) or " uninstall" in command:
            continue
        try:
            words = shlex.split(command, comments=True)
        except ValueError:  # a quote that nobody closes
            words = command.split()
        starts = next((n + 1 for n, word in enumerate(words) if word in ("install", "add")), len(words))
        skip = False
        for word in words[starts:]:
            if skip or word.startswith("-"):
                skip = word in _WITH_VALUE
            elif named := _normal(word):
                yield named


def _normal(word: str) -> str:
    """The requirement with its name as indexes compare it; "" if it is none."""
    try:
        one = Requirement(word)
    except InvalidRequirement:
        return ""
    return f"{normalised(one.name)}{one.specifier}"
