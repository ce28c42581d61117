"""The literals of a pilot that belong into its configuration, as one `parameters` cell, and the notebook that uses it.

Lifted are the paths that readers are given, the sizes and seeds of splits, and the numbers and names that estimators
are made with: plain literals of the slice, at top level, where each runs once. A path is the same wherever it stands:
it is lifted in functions and loops too, and where it is put together of variables or handed to a function of the
notebook, if the project has the file. All else stays as its author wrote it, byte by byte.

Input: the pilot's document and the cells of the slice. Output: `LiftedNotebook`. nbformat writes it.
"""

import ast
import builtins
import copy
import difflib
import keyword
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from proveout.pilot import source_text
from proveout.pilot.adopt import install_lines
from proveout.pilot.audit import cell_code, literals
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.cell_code import CellCode
from proveout.records.values import Scalar

CELL = "cell"  # key below `proveout` in a cell's metadata: its number in the pilot, over all cells from 0

_READERS = re.compile(r"^(read_\w+|loadtxt|genfromtxt|load)$")
_SPLITS = frozenset({"train_test_split"})
_SIZES = ("test_size", "train_size", "random_state")
_ENDINGS = ("Classifier", "Regressor", "Regression", "CV", "NB", "SVC", "SVR", "Vectorizer", "Perceptron")
_ESTIMATORS = frozenset(
    {"Ridge", "Lasso", "ElasticNet", "PCA", "TruncatedSVD", "LinearDiscriminantAnalysis", "SelectKBest", "SMOTE",
     "KBinsDiscretizer", "PolynomialFeatures", "SimpleImputer", "KNNImputer"}
)  # fmt: skip
_NOT_OF_THE_MODEL = frozenset({"verbose", "verbosity", "n_jobs", "silent"})


@dataclass(frozen=True, kw_only=True)
class LiftedParameter:
    """A literal of the pilot that got a name. `cells` are those it stands in, over all cells from 0."""

    name: str
    value: Scalar
    written: str  # the literal as Python
    what: str  # what it is, in words
    cells: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class LiftedNotebook:
    """The notebook of the project, and what differs from the pilot's cells, as a diff.

    `renewed` are cells in which names that libraries gave up were written as they are today.
    """

    document: Any
    parameters: tuple[LiftedParameter, ...]
    diff: str
    renewed: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Literal:
    cell: int
    node: ast.expr
    value: Scalar
    written: str
    word: str  # the keyword, or `path`
    owner: str  # the class or function, in words


def lift(
    pilot: Any,
    cells: Collection[int],
    *,
    written: Any | None = None,
    paths: Mapping[str, str] | None = None,
    analysis: Analysis | None = None,
) -> LiftedNotebook:
    """The pilot with its literals lifted, and without the lines that install packages.

    Args:
        pilot: its document.
        cells: of the slice, over all cells from 0.
        written: what its author wrote, from which the diff begins; default: the pilot.
        paths: paths that the pilot asked for, and what they are in the project.
        analysis: of the pilot; without it, paths that variables hold or functions put together stay.
    """
    codes = {place: cell_code.parse(cell.source) for place, cell in enumerate(pilot.cells) if cell.cell_type == "code"}
    found: list[_Literal] = []
    for place in sorted({*cells} & codes.keys()):
        found += _literals(place, codes[place])
        if analysis is not None:
            found += _paths(place, codes[place], analysis, paths or {}, but=found)
    named = _named(found, _taken(codes.values()), paths or {})
    document, diff = copy.deepcopy(pilot), []
    for place, cell in enumerate(document.cells):
        edits = [(one.node, name) for one, name in named if one.cell == place]
        if cell.cell_type == "code":
            cell.source = install_lines.without(_edited(cell.source, edits) if edits else cell.source)
        before = (written or pilot).cells[place].source
        if cell.source != before:
            diff += _diff(before, cell.source, place)
        _bare(cell, place)
    parameters = _parameters(named, paths or {})
    document.cells.insert(0, _first_cell(parameters))
    document.metadata.pop("papermill", None)
    _give_ids(document)
    cells_now = enumerate(zip(pilot.cells, (written or pilot).cells, strict=True))
    renewed = tuple(place for place, (one, before) in cells_now if one.source != before.source)
    return LiftedNotebook(document=document, parameters=parameters, diff="\n".join(diff), renewed=renewed)


# --- which literals ---------------------------------------------------------------------------------------------------


def _literals(place: int, code: CellCode) -> Iterator[_Literal]:
    if not _can_be_edited(code):
        return
    for call in _calls_run_once(code.tree.body):
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        for word, value in _arguments(name, call):
            written = _written(value, code)
            if written is not None and isinstance(value, ast.Constant):
                given: Scalar = value.value  # type: ignore[assignment]  # chosen so
                yield _Literal(cell=place, node=value, value=given, written=written, word=word, owner=_words(name))


def _can_be_edited(code: CellCode) -> bool:
    plain = list(code.lines) == "\n".join(code.lines).split("\n")  # no other ends of lines than Python's
    return plain and code.is_python and not any(magic.name == "timeit" for magic in code.magics)


def _paths(
    place: int, code: CellCode, analysis: Analysis, paths: Mapping[str, str], *, but: Sequence[_Literal]
) -> Iterator[_Literal]:
    """The other expressions that give a path of the project: first arguments of a reader or of an own function."""
    if not _can_be_edited(code):
        return
    known, texts = {id(one.node) for one in but}, _constants(analysis)
    for call in ast.walk(code.tree):
        if not isinstance(call, ast.Call):
            continue
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        named = (one.value for one in call.keywords if one.arg in _PATHS)
        first = call.args[0] if call.args else next(named, None)
        reads = _READERS.match(name) or name in analysis.defined or name == "open"
        if first is None or id(first) in known or not reads:
            continue
        text, part = literals.text_of(first, texts, analysis), _part(first)
        if text in paths and part is not None and part.lineno == part.end_lineno:
            yield _Literal(cell=place, node=part, value=text, written=repr(text), word="path", owner=_words(name))


def _part(path: ast.expr) -> ast.expr | None:
    """What of an expression a name can stand for. A call stays, because calls are counted: `os.path.join(name)`."""
    if isinstance(path, ast.Call) and path.args and not path.keywords:
        inner = ast.copy_location(ast.Tuple(path.args, ast.Load()), path.args[0])
        inner.end_lineno, inner.end_col_offset = path.args[-1].end_lineno, path.args[-1].end_col_offset
        return _part(inner)
    return None if any(isinstance(one, ast.Call | ast.Subscript) for one in ast.walk(path)) else path


def _constants(analysis: Analysis) -> dict[str, str]:
    """Names that the notebook binds once, to a text that is known."""
    bound = Counter(binding.name for cell in analysis.cells for binding in cell.bindings)
    return {name: text for name, text in literals.constants(analysis).items() if bound[name] == 1}


def _calls_run_once(body: Sequence[ast.stmt]) -> Iterator[ast.Call]:
    """Calls in plain statements: what stands in a loop, a function or a branch may run often or not at all."""
    for statement in body:
        if isinstance(statement, ast.Assign | ast.AnnAssign | ast.Expr):
            yield from _calls(statement)


def _calls(node: ast.AST) -> Iterator[ast.Call]:
    if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return
    if isinstance(node, ast.Call):
        yield node
    for child in ast.iter_child_nodes(node):
        yield from _calls(child)


def _arguments(name: str, call: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    given = {one.arg: one.value for one in call.keywords if one.arg is not None}
    if _READERS.match(name):
        first = call.args[0] if call.args else next((given[one] for one in _PATHS if one in given), None)
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield "path", first
    elif name in _SPLITS:
        yield from ((word, given[word]) for word in _SIZES if word in given and _is_number(given[word]))
    elif name in _ESTIMATORS or (name[:1].isupper() and name.endswith(_ENDINGS)):
        yield from (
            (word, value)
            for word, value in given.items()
            if word not in _NOT_OF_THE_MODEL and (_is_number(value) or _is_word(value))
        )


_PATHS = ("filepath_or_buffer", "io", "path", "fname", "file", "path_or_buf")


def _is_number(value: ast.expr) -> bool:
    number = value.value if isinstance(value, ast.Constant) else None
    return isinstance(number, int | float) and not isinstance(number, bool) and abs(number) < 2**53


def _is_word(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and isinstance(value.value, str) and value.value.isascii()


def _written(node: ast.expr, code: CellCode) -> str | None:
    """The literal as it stands in the cell; None where its lines cannot be told apart from what surrounds it."""
    if node.lineno != node.end_lineno or node.end_col_offset is None:
        return None
    line = code.lines[node.lineno - 1].encode()
    written = line[node.col_offset : node.end_col_offset].decode(errors="replace")
    try:
        same = ast.literal_eval(written) == getattr(node, "value", None)
    except (SyntaxError, ValueError):
        return None
    return written if same else None


# --- names ------------------------------------------------------------------------------------------------------------


def _words(name: str) -> str:
    """A class or function in lower-case words.

    >>> _words("RandomForestClassifier"), _words("SVC"), _words("read_csv")
    ('random_forest_classifier', 'svc', 'read_csv')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _taken(codes: Any) -> set[str]:
    """All names that the notebook uses: a parameter has none of them."""
    taken = {*keyword.kwlist, *dir(builtins), "features_path"}
    for code in codes:
        for node in ast.walk(code.tree):
            match node:
                case ast.Name(id=name) | ast.arg(arg=name):
                    taken.add(name)
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    taken.add(name)
                case ast.alias(name=name, asname=other):
                    taken.add((other or name).partition(".")[0])
    return taken


def _named(found: Sequence[_Literal], taken: set[str], paths: Mapping[str, str]) -> list[tuple[_Literal, str]]:
    """A name for each literal. The same path and the same seed have one name wherever they stand."""
    words = [one.word for one in found]
    known: dict[tuple[str, str, Any], str] = {}
    named = []
    for one in found:
        shared = one.word in ("path", "random_state")
        mark = (one.word, "" if shared else f"{one.cell} {one.node.lineno} {one.node.col_offset}", one.value)
        if mark not in known:
            plain = one.word if shared or words.count(one.word) == 1 else f"{one.owner}_{one.word}"
            wanted = _path_name(str(one.value)) if one.word == "path" else plain
            known[mark] = source_text.free(wanted, taken)
            taken.add(known[mark])
        named.append((one, known[mark]))
    return named


def _path_name(path: str) -> str:
    """
    >>> _path_name("C:\\\\data\\\\Titanic Train.csv"), _path_name("https://example.org/a/7.csv?x=1")
    ('titanic_train_path', 'data_path')
    """
    stem = re.split(r"[/\\]", path.partition("?")[0])[-1].partition(".")[0]
    word = source_text.word(stem)
    return f"{word}_path" if word.isidentifier() else "data_path"


def _parameters(named: Sequence[tuple[_Literal, str]], paths: Mapping[str, str]) -> tuple[LiftedParameter, ...]:
    found: dict[str, LiftedParameter] = {}
    for one, name in named:
        cells = (*found[name].cells, one.cell) if name in found else (one.cell,)
        value = paths.get(str(one.value), one.value) if one.word == "path" else one.value
        written = one.written if value == one.value else repr(value)
        what = f"read by {one.owner}" if one.word == "path" else f"{one.word} of {one.owner}"
        found[name] = LiftedParameter(name=name, value=value, written=written, what=what, cells=tuple(sorted({*cells})))
    return tuple(found.values())


# --- the notebook -----------------------------------------------------------------------------------------------------


def _edited(source: str, edits: Sequence[tuple[ast.expr, str]]) -> str:
    """`source` with each literal, or what gives a path, replaced by its name. Columns count bytes, as `ast` does."""
    lines = [line.encode() for line in source.split("\n")]
    for node, name in sorted(edits, key=lambda edit: (edit[0].lineno, edit[0].col_offset), reverse=True):
        line = lines[node.lineno - 1]
        lines[node.lineno - 1] = line[: node.col_offset] + name.encode() + line[node.end_col_offset :]
    return "\n".join(line.decode() for line in lines)


def _diff(before: str, after: str, place: int) -> list[str]:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return [f"cell {place}", *(line for line in lines if line[:3] not in ("---", "+++") and line[:2] != "@@")]


def _bare(cell: Any, place: int) -> None:
    """The cell without outputs and tags, and with its number in the pilot."""
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    cell.metadata.pop("papermill", None)
    if "parameters" in cell.metadata.get("tags", []):
        cell.metadata["tags"] = [tag for tag in cell.metadata["tags"] if tag != "parameters"]
    cell.metadata["proveout"] = {CELL: place}


def _first_cell(parameters: Sequence[LiftedParameter]) -> Any:
    from nbformat import v4

    lines = [f"{one.name} = {one.written}  # {one.what}, {_cells_words(one.cells)}" for one in parameters]
    said = "# what the cells below used to say themselves; flows/train.toml sets it" if lines else "# nothing to set"
    cell = v4.new_code_cell("\n".join([said, *lines]))
    cell.metadata["tags"] = ["parameters"]
    return cell


def _cells_words(cells: Sequence[int]) -> str:
    return f"cell {cells[0]}" if len(cells) == 1 else f"cells {', '.join(map(str, cells))}"


def _give_ids(document: Any) -> None:
    """Ids as nbformat 4.5 wants them, the same ones each time."""
    known: set[str] = set()
    for place, cell in enumerate(document.cells):
        own = cell.get("id", "")
        cell.id = own if place and own and own not in known else source_text.free(f"cell-{place}", known)
        known.add(cell.id)
    document.nbformat, document.nbformat_minor = 4, max(5, document.get("nbformat_minor", 5))
