"""What a call leaves behind outside the notebook's variables, so that a second run finds it.

Input: a call. Output: the sentence, or "". Files that are written anew each time leave nothing more the second time.
"""

import ast
import re

from proveout.pilot.audit import remote
from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.remote import Remote
from proveout.pilot.audit.syntax import walk

_ONCE = {
    "os.mkdir": "raises once the folder exists",
    "os.makedirs": "raises once the folder exists",
    "os.rename": "raises once the file has moved",
    "os.remove": "raises once the file is gone",
    "os.unlink": "raises once the file is gone",
    "os.rmdir": "raises once the folder is gone",
    "shutil.move": "raises once the file has moved",
    "shutil.copytree": "raises once the folder exists",
    "shutil.rmtree": "raises once the folder is gone",
}
_WRITES_MORE = re.compile(
    r"\s*(?:insert|create|drop|alter|delete|update)\b(?!.*\bif\s+(?:not\s+)?exists\b)", re.I | re.S
)
RECORDS = {"mlflow.start_run", "mlflow.create_experiment", "wandb.init", "neptune.init_run", "comet_ml.Experiment"}
_SPARK_WRITES = {"saveAsTable", "insertInto", "parquet", "csv", "json", "orc", "save", "text", "jdbc"}
_APPENDS = re.compile(r">>")


def of_call(call: ast.Call, known: Remote, analysis: Analysis, *, guarded: bool) -> str:
    """What a call leaves behind. `guarded`: it stands below an `if` or a `try`, which may ask first."""
    name = analysis.name_of(call.func)
    keywords = {one.arg: one.value for one in call.keywords}
    said = "" if guarded else _unless_asked(call, name, keywords, known, analysis)
    said = said or _in_any_case(call, name, keywords)
    return f"`{ast.unparse(call)[:80]}` {said}" if said else ""


def _in_any_case(call: ast.Call, name: str, keywords: dict[str | None, ast.expr]) -> str:
    """What happens again whether the code asks or not."""
    if name in RECORDS:
        return "records one more run each time the cell runs"
    method = name.rpartition(".")[2]
    if method == "to_sql" and not _is(keywords.get("if_exists"), "replace"):
        return "adds the rows again, or raises because the table exists"
    if method in ("execute", "executemany", "sql") and call.args and _is_statement(call.args[0]):
        return "changes the database each time the cell runs"
    if method in _SPARK_WRITES and _writes_once(call):
        return "adds the rows again, or raises because they are there"
    if method in ("open", "to_csv") and _appends(call, keywords):
        return "adds to the file each time the cell runs"
    return ""


def _writes_once(call: ast.Call) -> bool:
    """`df.write.parquet(...)`: Spark raises where something lies there, unless a mode says otherwise."""
    text = ast.unparse(call.func)
    return (
        ".write." in text
        and not re.search(r"mode\(['\"](?:overwrite|ignore)", text)
        and "mode"
        not in {one.arg for one in call.keywords if isinstance(one.value, ast.Constant) and one.value.value != "append"}
    )


def _unless_asked(
    call: ast.Call, name: str, keywords: dict[str | None, ast.expr], known: Remote, analysis: Analysis
) -> str:
    """What happens again if the code does not ask first whether it happened."""
    if name in _ONCE and not _says_that_it_may_exist(keywords):
        return _ONCE[name]
    if name in ("os.chdir", "chdir") and call.args and _is_relative(call.args[0]):
        return "goes on from where the first run ended"
    if remote.changes(call, known, analysis):
        return "makes, deletes or starts something outside each time the cell runs"
    return ""


def of_shell(text: str) -> str:
    """What a shell line leaves behind."""
    return f"`{text[:80]}` adds to the file each time the cell runs" if _APPENDS.search(text) else ""


def _says_that_it_may_exist(keywords: dict[str | None, ast.expr]) -> bool:
    return any(name in keywords for name in ("exist_ok", "dirs_exist_ok", "ignore_errors"))


def _is_relative(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and not node.value.startswith(("/", "~", "\\"))
        and ":" not in node.value[:3]
    )


def _is_statement(node: ast.expr) -> bool:
    parts = [one.value for one in walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return bool(parts) and _WRITES_MORE.match(parts[0]) is not None


def _appends(call: ast.Call, keywords: dict[str | None, ast.expr]) -> bool:
    mode = keywords.get("mode", call.args[1] if len(call.args) > 1 and _is_text(call.args[1]) else None)
    return isinstance(mode, ast.Constant) and str(mode.value).startswith("a") and len(str(mode.value)) <= 3


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def _is(node: ast.expr | None, value: object) -> bool:
    return isinstance(node, ast.Constant) and node.value == value
