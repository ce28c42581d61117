"""The code blocks of README.md and docs/, each with what a comment above it says of how it runs.

`<!-- not run: REASON -->` above a block: no test runs it. `<!-- long: REASON -->`: only `make chaos` does.
`<!-- run in: PLACE -->`, below such a comment: in another project than the other blocks of its page.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from reference_project import ROOT

ADOPT = "proveout adopt examples/pilot.ipynb --into cancer --yes"
"""What README.md and the tutorial run; the tests do once: the fixture `adopted_pilot`."""
INIT = "proveout init my-flights && cd my-flights"
INGEST = "python flows/ingest.py run"
TRAIN = "python flows/train.py run"
"""What README.md begins with. The tests run these once for all that need a model: fixture `trained_by_commands`."""
_FENCE = re.compile(
    r"^(?:<!-- (?P<how>not run|long): (?P<said>[^\n]*) -->\n)?(?:<!-- run in: (?P<place>[^\n]*) -->\n)?"
    r"```(?P<language>\w*)\n(?P<text>.*?)^```$",
    re.M | re.S,
)
_VARYING = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b(?=\w*\d)[0-9a-f]{12,64}\b|\d+(?:[.,:]\d+)*")


@dataclass(frozen=True)
class Command:
    """What somebody types, and the lines that the page shows of the answer."""

    text: str
    shown: tuple[str, ...] = ()


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    line: int
    language: str
    text: str
    not_run: str = ""  # why no test runs it
    long: str = ""  # why only `make chaos` does
    place: str = ""

    @property
    def name(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> tuple[Command, ...]:
        """The commands of a `console` block, each with what is shown below it."""
        found: list[Command] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append(Command(line.removeprefix("$ ")))
            else:
                assert found, f"{self.name} begins with an answer"
                found[-1] = Command(found[-1].text, (*found[-1].shown, line))
        return tuple(found)


@dataclass(frozen=True)
class Page:
    """A page: its fenced blocks, and what is not in one."""

    name: str
    blocks: tuple[Block, ...]
    prose: str = field(repr=False)


def read(name: str, text: str) -> Page:
    """The page called `name`."""
    blocks, prose, after = [], "", 0
    for found in _FENCE.finditer(text):
        how, said = found["how"], found["said"] or ""
        line = text.count("\n", 0, found.start("language")) + 1
        kinds = {"not_run": "not run", "long": "long"}
        marks = {kind: said for kind, word in kinds.items() if how == word} | {"place": found["place"] or ""}
        blocks.append(Block(name, line, found["language"], found["text"], **marks))
        prose, after = prose + text[after : found.start()], found.end()
    return Page(name, tuple(blocks), prose + text[after:])


def pages() -> tuple[Page, ...]:
    """README.md and the pages of docs/; those of the audit's rules hold cells, which the tests of the rules read."""
    files = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "docs" / "audit" / "README.md"]
    return tuple(read(str(file.relative_to(ROOT)), file.read_text(encoding="utf-8")) for file in files)


def not_printed(shown: Sequence[str], printed: str) -> list[str]:
    """The lines of `shown` that `printed` has nothing like: numbers, digests and moments may be others.

    `…` stands for anything, also at the end of a line.
    """
    answer = _plain(printed)
    return [line for line in shown if not all(part in answer for part in _parts(line))]


def _parts(line: str) -> Iterator[str]:
    yield from (part for part in (_plain(one) for one in line.split("…")) if part)


def _plain(text: str) -> str:
    return " ".join(_VARYING.sub("#", text).split())
