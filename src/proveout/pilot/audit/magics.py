"""What IPython adds to Python, taken out of a cell with each line left in its place.

Input: the source of a code cell. Output: Python of as many lines, and the magics and shell lines that stood in it.
"""

import re
from dataclasses import dataclass
from typing import Literal

MagicType = Literal["line_magic", "cell_magic", "shell", "help"]

# Cell magics whose body is Python that runs in the notebook's own process.
PYTHON_CELLS = {
    "audit",
    "time",
    "timeit",
    "capture",
    "prun",
    "debug",
    "memit",
    "mprun",
    "lprun",
    "pypy",
    "python3",
    "python",
}
# Of these IPython understands a bare line without % as long as no variable has the name.
_AUTOMAGIC = re.compile(
    r"^(?P<indent>\s*)(?P<text>(?:ls|cd|pwd|mkdir|rmdir|rm|cp|mv|cat|head|tail|less|pip|pip3|conda|apt-get|wget|curl|git|whos|who)"
    r"(?:\s+[^\s=(.,\[+*/|&<>!:%-][^=(\[]*|\s+-[A-Za-z-].*|\s+\.\.?(?:/.*)?|\s*))$"
)
_ALONE = {"ls", "pwd", "cd", "whos", "who"}  # those that mean something without an argument
_ASSIGNED = re.compile(r"^(?P<head>\s*[A-Za-z_][\w.,\s\[\]'\"]*=\s*)(?P<mark>[!%])(?P<text>\s*\S.*)$")
_PREFIXED = re.compile(r"^(?P<indent>\s*)(?P<mark>!!|!|%%|%|\?\?|\?)(?P<text>.*)$")
_INDENT = re.compile(r"[ \t]*")
_HELP = re.compile(r"^\s*[%\w.\[\]'\"*]+\?{1,2}\s*$")


@dataclass(frozen=True, kw_only=True)
class Magic:
    """One line that is not Python. `name` is without its marks (`matplotlib`, `bash`), of the shell its first word."""

    line: int  # 1-based
    magic_type: MagicType
    name: str
    text: str  # all that follows the mark
    body: str = ""  # of a cell magic


@dataclass(frozen=True, kw_only=True)
class PlainCode:
    """A cell as plain Python, line for line. `is_python` is false where a magic gives the body to something else.

    `indent` is the space of the first line, which IPython takes from each line that begins with it.
    """

    python: str
    magics: tuple[Magic, ...]
    is_python: bool = True
    indent: str = ""


def mask(source: str) -> PlainCode:
    """`source` with magics replaced by statements that do nothing.

    >>> mask("%matplotlib inline\\nx = !ls").python
    'pass\\nx = None'
    >>> [(magic.name, magic.line) for magic in mask("%matplotlib inline\\nx = !ls").magics]
    [('matplotlib', 1), ('ls', 2)]
    """
    lines = source.splitlines()
    indent = _INDENT.match(next((line for line in lines if line.strip()), ""))[0]  # type: ignore[index]  # \s* matches
    lines = [line.removeprefix(indent) for line in lines]
    first = next(
        (place for place, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), None
    )
    magics: list[Magic] = []
    # IPython takes several cell magics in a row: %%capture, then %%time.
    while first is not None and lines[first].lstrip().startswith("%%"):
        text = lines[first].lstrip()[2:]
        name = text.split()[0] if text.split() else ""
        magics.append(
            Magic(line=first + 1, magic_type="cell_magic", name=name, text=text, body="\n".join(lines[first + 1 :]))
        )
        if name not in PYTHON_CELLS:
            return PlainCode(python="\n" * max(0, len(lines) - 1), magics=tuple(magics), is_python=False)
        # `%%time statement` runs the rest of its line as well.
        lines[first] = text.partition(name)[2].strip() if name in ("time", "timeit") and _is_code(text, name) else ""
        first = next((place for place in range(first + 1, len(lines)) if lines[place].strip()), None)
    masked = list(lines)
    closed = _lines_inside_strings_and_brackets(lines)
    place = 0
    while place < len(lines):
        end = place
        if place in closed:
            place += 1
            continue
        found = _of_line(lines[place])
        if found is not None:
            replacement, magic_type, name, text = found
            while lines[end].rstrip().endswith("\\") and end + 1 < len(lines):
                end += 1
                text = text.rstrip().removesuffix("\\") + " " + lines[end].strip()
                masked[end] = ""
            masked[place] = replacement
            magics.append(Magic(line=place + 1, magic_type=magic_type, name=name, text=text.strip()))
        place = end + 1
    return PlainCode(python="\n".join(masked), magics=tuple(magics), indent=indent)


def _is_code(text: str, name: str) -> bool:
    rest = text.partition(name)[2].strip()
    return bool(rest) and not rest.startswith("-")


def _of_line(line: str) -> tuple[str, MagicType, str, str] | None:  # noqa: PLR0911  # one return for each kind of line
    """What replaces a line that starts with a mark, and what it was. None for a line of Python."""
    assigned = _ASSIGNED.match(line)
    if assigned and "==" not in assigned["head"] and not re.search(r"['\"(].*=\s*$", assigned["head"]):
        shell = assigned["mark"] == "!"
        text = assigned["text"].strip()
        return assigned["head"] + "None", "shell" if shell else "line_magic", _first_word(text), text
    prefixed = _PREFIXED.match(line)
    if prefixed:
        mark, text, indent = prefixed["mark"], prefixed["text"].strip(), prefixed["indent"]
        if mark in ("?", "??"):
            return indent + "pass", "help", text, text
        if mark in ("!", "!!"):
            return indent + "pass", "shell", _first_word(text), text
        if text and not text[0].isspace():
            name = _first_word(text)
            # The statement after %time and %timeit is Python of this cell.
            if name == "time" and (statement := text[len(name) :].strip()) and not statement.startswith("-"):
                return indent + statement, "line_magic", name, text
            return indent + "pass", "line_magic", name, text
        return indent + "pass", "line_magic", "", text
    if _HELP.match(line):
        return re.match(r"\s*", line)[0] + "pass", "help", line.strip().rstrip("?"), line.strip()  # type: ignore[index]  # \s* matches any line
    automagic = _AUTOMAGIC.match(line)
    if automagic:
        text = automagic["text"].strip()
        name = _first_word(text)
        if text != name or name in _ALONE:
            magic_type: MagicType = "line_magic" if name in ("cd", "pip", "conda", "whos", "who", "pwd") else "shell"
            return automagic["indent"] + "pass", magic_type, name, text
    return None


def _first_word(text: str) -> str:
    return text.split(maxsplit=1)[0] if text.split() else ""


def _lines_inside_strings_and_brackets(lines: list[str]) -> set[int]:
    """Places of lines that continue what an earlier line opened: there a % or ! is an operator, or text.

    Read by hand, and not by `tokenize`: that one stops at the first `!`.
    """
    inside: set[int] = set()
    quote, depth, continued = "", 0, False
    for place, line in enumerate(lines):
        if quote or depth > 0 or continued:
            inside.add(place)
        elif _PREFIXED.match(line):
            continue  # a shell's quotes and brackets are its own
        continued = False
        column = 0
        while column < len(line):
            if quote:
                if line[column] == "\\":
                    column += 2
                    continue
                if line.startswith(quote, column):
                    column += len(quote)
                    quote = ""
                    continue
                column += 1
                continue
            character = line[column]
            if character == "#":
                break
            if character in "'\"":
                quote = character * 3 if line.startswith(character * 3, column) else character
                column += len(quote)
                continue
            depth += (character in "([{") - (character in ")]}")
            depth = max(depth, 0)
            column += 1
        if len(quote) == 1:  # a plain string ends with its line, unless a backslash carries it on
            if line.endswith("\\"):
                continue
            quote = ""
        continued = not quote and line.rstrip().endswith("\\") and "#" not in line
    return inside
