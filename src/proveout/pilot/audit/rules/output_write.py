"""PA604 output-write."""

import ast
from collections.abc import Iterator, Mapping

from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.data_flow import Saved
from proveout.pilot.audit.literals import constants, is_writer, text_of
from proveout.pilot.audit.rule import Example, Hit, Rule

_PATHS = ("path_or_buf", "path", "excel_writer", "fname", "file", "filename", "buf", "name")
_MODELS = {"pickle.dump", "joblib.dump"}


def find(analysis: Analysis) -> Iterator[Hit]:
    """Calls that write a file that is no model under a literal name."""
    known = constants(analysis)
    models = {(one.at.cell, one.at.line) for one in analysis.flow.saved if _is_of_model(one, analysis)}
    opened = {
        (call.cell, call.line): call for call in analysis.calls if call.name in ("open", "io.open") and is_writer(call)
    }
    for call in analysis.calls:
        if not is_writer(call) or (call.cell, call.line) in models:
            continue
        if call.name in ("open", "io.open") and _holds_model(call, models):
            continue
        if call.name in _MODELS | {"json.dump", "yaml.dump"} and _writes_opened(call, opened):
            continue  # the call of open on its line, or above, is the one that names the file
        path = _path(call, known, analysis)
        if path is not None:
            yield Hit(cell=call.cell, line=call.line, evidence=f"{call.method} writes {path[:60]!r}")
    for cell in analysis.cells:
        for magic in cell.code.magics:
            if magic.name == "writefile":
                yield Hit(cell=cell.index, line=magic.line, evidence=f"%%{magic.text[:60]}")


def _is_of_model(saved: Saved, analysis: Analysis) -> bool:
    """An estimator, or something that estimators were put into."""
    variables = analysis.flow.variables
    inside = any(name in variables and variables[name].estimator for name in saved.value.holds)
    return bool(saved.value.estimator or saved.value.parts_of) or inside


def _holds_model(call: Call, models: set[tuple[int, int]]) -> bool:
    return any(cell == call.cell and call.line <= line <= call.line + 2 for cell, line in models)


def _writes_opened(call: Call, opened: Mapping[tuple[int, int], Call]) -> bool:
    return any(cell == call.cell and line <= call.line <= line + 3 for cell, line in opened)


def _path(call: Call, known: Mapping[str, str], analysis: Analysis) -> str | None:
    for name in _PATHS:
        if (found := call.argument(-1, name)) is not None:
            return text_of(found, known, analysis)
    if call.name in (
        "numpy.save",
        "numpy.savetxt",
        "numpy.savez",
        "numpy.savez_compressed",
        "open",
        "io.open",
        "cv2.imwrite",
        "pandas.ExcelWriter",
    ):
        return text_of(call.argument(0), known, analysis)
    if call.name in (
        "shutil.copy",
        "shutil.move",
        "shutil.copyfile",
        "json.dump",
        "pickle.dump",
        "joblib.dump",
        "yaml.dump",
    ):
        second = call.argument(1)
        if isinstance(second, ast.Call) and analysis.name_of(second.func) == "open" and second.args:
            return text_of(second.args[0], known, analysis)
        return text_of(second, known, analysis)
    return text_of(call.argument(0), known, analysis)


RULE = Rule(
    code="PA604",
    kind="output-write",
    severity="info",
    title="Writes a file under a fixed name",
    why="Two runs overwrite each other, and a reader of the file cannot tell which run it is from.",
    fix="Let the run keep it: what a flow puts on itself is versioned.",
    adopt="leaves",
    adopt_note="The notebook runs in a copy of its folder; what it writes is not part of the model.",
    find=find,
    positive=(
        Example(cells=("df.to_csv('out.csv', index=False)\nplt.savefig('a.png')",), found=((0, 1), (0, 2))),
        Example(cells=("import numpy as np\nnp.save('x.npy', x)",), found=((0, 2),)),
        Example(cells=("with open('r.txt', 'w') as f:\n    f.write('x')",), found=((0, 1),)),
    ),
    negative=(
        Example(cells=("t = df.to_csv()\nd = df.to_json(orient='records')\nx = open('r.txt').read()",)),
        Example(cells=("m = SVC()\nm.fit(X, y)\njoblib.dump(m, 'm.pkl')",)),
        Example(cells=("kept = {}\ne = LabelEncoder()\nkept['a'] = e\njoblib.dump(kept, 'e.pkl')",)),
    ),
)
