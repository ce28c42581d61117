"""PA110 manual-edit."""

import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis, CodeCell
from proveout.pilot.audit.literals import literals
from proveout.pilot.audit.rule import Example, Hit, Rule

_PLACEHOLDER = re.compile(
    r"^<[^<>/=]{2,60}>$|\*{4,}|^x{4,}$|^(?:your|insert|enter|put|replace|paste|fill)[ _-]?\w+|<(?:your|insert|enter|put|replace|paste)[^<>]*>|"
    r"\b(?:your|YOUR)[-_ ](?:own[-_ ])?(?:\w+[-_ ])?(?:key|token|password|bucket|name|path|file|username|user|id|project|secret|account|credentials?|region|here)\b|"
    r"(?:INSERT|ENTER|REPLACE|PASTE|PUT|FILL)[-_ ](?:YOUR|THE|HERE|IN|WITH)|YOUR[-_][A-Z_-]+|(?:path|PATH)[/_ ](?:to|TO)[/_ ]|changeme|CHANGE[-_ ]?ME",
)
_ASKS = re.compile(
    r"#.*\b(?:(?:place|put|move|set)\s+(?:the\s+|your\s+)?cursor|insert\s+(?:to\s+code|your|code|credentials|here|pandas)|"
    r"(?:replace|change|update|edit|modify|paste|enter|fill\s+in|set)\s+(?:this|the|these|it|below|here|with|to\s+your|your|in\s+your|path|value)\b.{0,60}?"
    r"(?:your|own|accordingly|below|here|credentials?|bucket|if\s+needed|as\s+needed|before)|"
    r"un-?comment\b|your\s+(?:code|credentials?|key|path|bucket|own)\b.{0,20}(?:here|below)|@hidden_cell)",
    re.IGNORECASE,
)
_MARKUP = re.compile(
    r"^</?(?:oov|unk|pad|eos|sos|bos|start|end|num|url|user|mask|cls|sep|br|p|b|i|u|hr|div|span|table|tr|td|th|a|h[1-6]|li|ul|ol|img|style|"
    r"script|head|body|html|center|font|code|pre|strong|em|svg|iframe|input|form|button)\b[^<>]*>$",
    re.IGNORECASE,
)
_CODE_COMMENT = re.compile(r"^#\s*(?:[\w.\[\]'\"]+\s*=\s*\S|[!%]\w|(?:import|from)\s+\w+|[\w.]+\()")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Placeholders, comments that ask somebody to edit, alternatives switched by comments, and cells kept empty for it."""
    places: dict[tuple[int, int], str] = {}
    for literal in literals(analysis):
        if _PLACEHOLDER.search(literal.text) and len(literal.text) < 200 and not _is_markup(literal.text):
            places.setdefault((literal.cell, literal.statement.lineno), f"{literal.text[:60]!r} has to be replaced")
    for cell in analysis.cells:
        for line, text in enumerate(cell.code.lines, 1):
            if (found := _ASKS.search(text)) and "hidden_cell" not in found[0]:
                places.setdefault(
                    (cell.index, _next_code(cell, line)), f"a comment asks for an edit: {text.strip()[:80]}"
                )
        for line in _alternatives(cell):
            places.setdefault((cell.index, line), "an alternative is switched on and off by a comment")
    for (index, line), evidence in sorted(places.items()):
        yield Hit(cell=index, line=line, evidence=evidence)


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


def _alternatives(cell: CodeCell) -> Iterator[int]:
    """Lines whose assignment stands once more, commented out, directly above or below."""
    lines = [line.strip() for line in cell.code.lines]
    for place, line in enumerate(lines):
        active = re.match(r"^([\w.\[\]'\"]+)\s*=\s*(?!=)", line)
        if not active:
            continue
        for other in (place - 1, place + 1):
            if 0 <= other < len(lines):
                commented = re.match(r"^#+\s*([\w.\[\]'\"]+)\s*=\s*(?!=)", lines[other])
                if commented and commented[1] == active[1] and not _CODE_COMMENT.match(line):
                    yield place + 1
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
        Example(cells=("#model = SVC()\nmodel = LogisticRegression()",), found=((0, 2),)),
    ),
    negative=(
        Example(cells=("html = '<b>'\ntoken = '<OOV>'\nprint('*' * 20)",)),
        Example(cells=("# we insert the rows\ndf = df.dropna()",)),
    ),
)
