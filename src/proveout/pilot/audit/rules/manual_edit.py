"""PA110 manual-edit."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.literals import literals
from proveout.pilot.audit.names import BUILT_IN
from proveout.pilot.audit.rule import Example, Hit, Rule

_PLACEHOLDER = re.compile(
    r"^<[\w .'’,:-]{2,60}>$|^\*{4,}$|^x{4,}$|^(?:your|insert|enter|put|replace|paste|fill)[ _-]?\w+|"
    r"<(?:your|insert|enter|put|replace|paste)[^<>]*>|"
    r"\b(?:your|YOUR)[-_ ](?:own[-_ ])?(?:\w+[-_ ])?(?:key|token|password|bucket|name|path|file|username|user|id|"
    r"project|"
    r"secret|"
    r"account|credentials?|region|here)\b|"
    r"(?:INSERT|ENTER|REPLACE|PASTE|PUT|FILL)[-_ ](?:YOUR|THE|HERE|IN|WITH)|YOUR[-_][A-Z_-]+|"
    r"(?:path|PATH)[/_ ](?:to|TO)[/_ ]|changeme|CHANGE[-_ ]?ME",
)
_EDITS = r"(?:replace|change|update|edit|modify|paste|enter|fill\s+in|set)"
_ASKS = re.compile(
    r"#.*\b(?:(?:place|put|move|set)\s+(?:the\s+|your\s+)?cursor|"
    r"insert\s+(?:to\s+code|your|code|credentials|here|pandas)|"
    + _EDITS
    + r"\s+(?:this|the|these|it|below|here|with|to\s+your|your|in\s+your|path|value)\b.{0,60}?"
    r"(?:your|own|accordingly|below|here|credentials?|bucket|if\s+needed|as\s+needed|before)|"
    r"change\s+me\b|un-?comment\b|your\s+(?:code|credentials?|key|path|bucket|own)\b.{0,20}(?:here|below)|@hidden_cell)",
    re.IGNORECASE,
)
# A cell that holds nothing but this waits for code that a person puts in.
_WAITS = re.compile(
    r"^#\s*(?:connect\s+to|insert|add|paste|enter|put|place|fill|load\s+your|write\s+your|your\s+code|todo|import\s+your|"
    r"upload\s+your|replace|@hidden_cell)\b",
    re.IGNORECASE,
)
_MARKUP = re.compile(
    r"^</?(?:oov|unk|pad|eos|sos|bos|start|end|num|url|user|mask|cls|sep|br|p|b|i|u|hr|div|span|table|tr|td|th|a|h[1-6]|li|ul|ol|img|style|"
    r"script|head|body|html|center|font|code|pre|strong|em|svg|iframe|input|form|button)\b[^<>]*>$",
    re.IGNORECASE,
)


def find(analysis: Analysis) -> Iterator[Hit]:
    """Placeholders, comments that ask for an edit, alternatives switched by comments, and cells kept empty for it."""
    places: dict[tuple[int, int], str] = {}
    for literal in literals(analysis):
        shown = isinstance(literal.call, ast.Call) and isinstance(literal.call.func, ast.Name)
        shown = shown and ast.unparse(literal.call.func) in ("print", "display", "input") if literal.call else False
        if _PLACEHOLDER.search(literal.text) and len(literal.text) < 200 and not _is_markup(literal.text) and not shown:
            places.setdefault((literal.cell, literal.statement.lineno), f"{literal.text[:60]!r} has to be replaced")
    for cell in analysis.cells:
        for line, evidence in (*_asked(cell), *_kept_empty(cell), *_alternatives(cell)):
            places.setdefault((cell.index, line), evidence)
    for index, line, evidence in _needed(analysis):
        places.setdefault((index, line), evidence)
    for (index, line), evidence in sorted(places.items()):
        yield Hit(cell=index, line=line, evidence=evidence)


def _asked(cell: CodeCell) -> Iterator[tuple[int, str]]:
    for line, text in enumerate(cell.code.lines, 1):
        if (found := _ASKS.search(text)) and "hidden_cell" not in found[0]:
            yield _next_code(cell, line), f"a comment asks for an edit: {text.strip()[:80]}"


def _kept_empty(cell: CodeCell) -> Iterator[tuple[int, str]]:
    """A cell of comments alone whose first one says what belongs there."""
    lines = [(line, text.strip()) for line, text in enumerate(cell.code.lines, 1) if text.strip()]
    if lines and cell.is_empty and len(lines) <= 3 and _WAITS.match(lines[0][1]):
        yield lines[0][0], f"the cell is empty: {lines[0][1][:80]}"


def _needed(analysis: Analysis) -> Iterator[tuple[int, int, str]]:
    """Commented assignments of names that cells read and nothing else defines."""
    bound = {binding.name for cell in analysis.cells for binding in cell.bindings} | BUILT_IN
    read = (
        {use.name for cell in analysis.cells for use in cell.uses if not use.deferred} - bound - set(analysis.imports)
    )
    seen: set[str] = set()
    for cell in analysis.cells:
        for line, text in enumerate(cell.code.lines, 1):
            found = re.match(r"^\s*#+\s*(\w+)\s*=(?!=)\s*\S", text)
            if found and found[1] in read - seen:
                seen.add(found[1])
                yield cell.index, line, f"{found[1]!r} is read, and the line that defines it is a comment"


def _is_markup(text: str) -> bool:
    return bool(_MARKUP.match(text))


def _next_code(cell: CodeCell, line: int) -> int:
    """The statement that a comment at `line` is about: the one beside or below it, else the comment itself."""
    lines = cell.code.lines
    if lines[line - 1].split("#")[0].strip():
        return line
    for place in range(line, len(lines)):
        text = lines[place].strip()
        if text and not text.startswith("#"):
            return place + 1
    return line


def _alternatives(cell: CodeCell) -> Iterator[tuple[int, str]]:
    """Lines whose assignment stands once more, commented out, directly above or below."""
    lines = [line.strip() for line in cell.code.lines]
    for place, line in enumerate(lines):
        active = re.match(r"^(\w+)\s*=\s*(?!=)(\S.*)", line)
        if not active:
            continue
        for other in (place - 1, place + 1):
            commented = re.match(r"^#+\s*(\w+)\s*=\s*(?!=)(\S.*)", lines[other]) if 0 <= other < len(lines) else None
            if commented and commented[1] == active[1] and commented[2] != active[2]:
                yield place + 1, "an alternative is switched on and off by a comment"
                break


RULE = Rule(
    code="PA110",
    kind="manual-edit",
    severity="medium",
    title="Needs an edit by hand",
    why="The cell works only after a person replaced or uncommented something, so no scheduler can run it.",
    fix="Make the value a parameter with a default that works, or take the cell out.",
    adopt="asks",
    adopt_note="Asks for the value, with the line that holds it.",
    find=find,
    positive=(
        Example(cells=("bucket = '<your-bucket>'\nkey = 'INSERT-YOUR-KEY'",), found=((0, 1), (0, 2))),
        Example(cells=("# place your cursor below and click Insert to code\n",), found=((0, 1),)),
        Example(cells=("password = '********'",), found=((0, 1),)),
        Example(cells=("# Connect to the data source\n",), found=((0, 1),)),
        Example(cells=("#rows = load()\nother = 1", "rows.head()"), found=((0, 1),)),
        Example(cells=("#model = SVC()\nmodel = LogisticRegression()",), found=((0, 2),)),
    ),
    negative=(
        Example(cells=("text = re.sub('<.*?>', '', text)\nhtml = '<b>'\ntoken = '<OOV>'\nprint('*' * 20)",)),
        Example(cells=("# we insert the rows\ndf = df.dropna()",)),
        Example(cells=("print('The files lie in your project folder', '<--- here --->')",)),
        Example(cells=("print('****' * 20)\n#df['a'] = df['a'].astype(int)\ndf['a'] = df['a'].str.strip()",)),
        Example(cells=("# Training\n", "#x = 3\nx = 3")),
    ),
)
