"""PA107 secret."""

import ast
import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.rule import Example, Hit, Rule
from proveout.pilot.audit.syntax import children

_NAMES = re.compile(
    r"(?:pass(?:word|wd|phrase)|(?:^|_)pass$|pwd|secret|token|api_?key|apikey|access_?key|private_?key|auth_?key|credential|client_?secret|"
    r"account_?key|connection_?string|sas_?token|iam_?apikey|aws_secret\w*|bearer|consumer_?key|consumer_?secret|subscription_?key)",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"token(?:s|i[sz]e\w*|izer\w*|_?pattern|_?type\w*|_?id\w*|_?count|_?len\w*|_?index|_?list|_?embedding\w*)|n_tokens|pad_?token|"
    r"(?:bos|eos|unk|cls|sep|mask|oov|start|end)_?token|password_?(?:length|field)|secret_?(?:name|scope)|key_?error|credential_?type",
    re.IGNORECASE,
)
_FORMATS = re.compile(
    r"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b|\bghp_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}|\bsk-[A-Za-z0-9_-]{20,}|\bAIza[0-9A-Za-z_-]{35}\b|"
    r"\bxox[baprs]-[0-9A-Za-z-]{10,}|-----BEGIN (?:RSA |EC |OPENSSH )?PRIVATE KEY-----|\bhf_[A-Za-z0-9]{30,}|"
    r"[a-z][a-z0-9+.-]*://[^/\s:@'\"]+:[^/\s:@'\"{}]+@|\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.|AccountKey=[A-Za-z0-9+/=]{20,}"
)
PLACEHOLDER = re.compile(
    r"^\W*$|\*{2,}|x{4,}|^<.*>$|^\[.*\]$|^\{.*\}$|^(?:your|my|the|insert|enter|put|replace|change|paste|fill|add)[\s_-]|"
    r"\b(?:here|placeholder|example|todo|changeme|dummy|redacted|removed|hidden)\b|^\.+$|^(?:none|null|xxx+|password|secret|token|key|api_?key)$|INSERT",
    re.IGNORECASE,
)


def find(analysis: Analysis) -> Iterator[Hit]:
    """Statements in which a text is bound to a name, key or keyword of a secret, or has the form of a known key."""
    places: dict[tuple[int, int], str] = {}
    for cell, statement in analysis.statements():
        inside = list(_of_itself(statement))
        for name, value in _bound(statement, inside, analysis):
            if _is_secret_name(name) and _is_secret_value(value):
                places.setdefault((cell.index, statement.lineno), f"a text is bound to {name!r}")
        for node in inside:
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and _FORMATS.search(node.value):
                places.setdefault((cell.index, statement.lineno), "a text has the form of a key or holds a password")
    for cell in analysis.cells:
        for magic in cell.code.magics:
            given = re.search(r"--?(?:password|token|api-?key|secret)[= ]\S{6,}", magic.text)
            by_variable = re.search(r"[={ ]\$?\{?\w*\}?$", magic.text)
            if _FORMATS.search(magic.text) or (given and not by_variable):
                places.setdefault((cell.index, magic.line), "a shell line holds a key or a password")
    for (index, line), evidence in sorted(places.items()):
        yield Hit(cell=index, line=line, evidence=evidence)


def _of_itself(statement: ast.stmt) -> Iterator[ast.AST]:
    """The nodes of a statement without the statements inside it: of a loop, its head."""
    waiting = [child for child in children(statement) if not isinstance(child, ast.stmt | ast.ExceptHandler)]
    for one in waiting:
        yield one
        waiting.extend(child for child in children(one) if not isinstance(child, ast.stmt))


def _is_secret_name(name: str) -> bool:
    return bool(_NAMES.search(name)) and not _NOT.search(name)


def _is_secret_value(node: ast.expr) -> bool:
    if not (isinstance(node, ast.Constant) and isinstance(node.value, str)):
        return False
    text = node.value.strip()
    return (
        len(text) >= 4
        and not PLACEHOLDER.search(text)
        and " " not in text
        and not text.startswith(("http://", "https://", "/"))
    )


def _bound(statement: ast.stmt, inside: list[ast.AST], analysis: Analysis) -> Iterator[tuple[str, ast.expr]]:
    """Names, keys, keywords and parameters of a statement, with what they are bound to."""
    if isinstance(statement, ast.Assign):
        for target in statement.targets:
            if isinstance(target, ast.Name):
                yield target.id, statement.value
            elif isinstance(target, ast.Attribute):
                yield target.attr, statement.value
            elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
                yield str(target.slice.value), statement.value
    for node in inside:
        if isinstance(node, ast.arguments):
            yield from zip((one.arg for one in node.args[-len(node.defaults) :]), node.defaults, strict=False)
        elif isinstance(node, ast.Dict):
            yield from (
                (str(key.value), value)
                for key, value in zip(node.keys, node.values, strict=True)
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            )
        elif isinstance(node, ast.Call):
            yield from ((keyword.arg, keyword.value) for keyword in node.keywords if keyword.arg)
            own = analysis.defined.get(analysis.name_of(node.func))
            if isinstance(own, ast.FunctionDef):
                yield from zip((one.arg for one in own.args.args), node.args, strict=False)


RULE = Rule(
    code="PA107",
    kind="secret",
    severity="high",
    title="Secret in the notebook",
    why="Whoever reads the notebook, its history or its outputs has the key, and changing it means changing code.",
    fix="Revoke the key. Read the new one from an environment variable.",
    adopt="leaves",
    adopt_note="Refuses to copy the text into the project; the run takes it from the environment.",
    find=find,
    positive=(
        Example(
            cells=("password = 'hunter2secret'\nc = connect(user='ann', passwd='s3cr3tpw')",), found=((0, 1), (0, 2))
        ),
        Example(cells=("def load(host, db_pass):\n    pass", "load('localhost', 'ZA68eWqt8V')"), found=((1, 1),)),
        Example(
            cells=("def load(host, token='ZA68eWqt8V'):\n    pass\nwith connect(pwd='ZA68eWqt8V') as c:\n    pass",),
            found=((0, 1), (0, 3)),
        ),
        Example(cells=("credentials = {\n  'apikey': 'Zx81kd92jslq0',\n}",), found=((0, 1),)),
        Example(cells=("key = 'AKIAIOSFODNN7EXAMPLA'",), found=((0, 1),)),
        Example(cells=("e = create_engine('postgresql://ann:pw12@db/x')",), found=((0, 1),)),
    ),
    negative=(
        Example(cells=("password = os.environ['PASSWORD']\ntoken = ''\napi_key = 'YOUR-API-KEY'",)),
        Example(cells=("tokenizer = Tokenizer(oov_token='<OOV>')\ntoken_pattern = 'abcdefgh'",)),
        Example(cells=("secret = '********'",)),
    ),
)
