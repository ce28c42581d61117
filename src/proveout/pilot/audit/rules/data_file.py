"""PA102 data-file."""

import re
from collections.abc import Iterator

from proveout.pilot.audit.analysis import Analysis
from proveout.pilot.audit.file_reads import file_reads
from proveout.pilot.audit.literals import is_absolute, is_url
from proveout.pilot.audit.rule import Example, Hit, Rule

_RESOURCES = re.compile(r"^(?:nltk\.corpus\.|nltk\.data\.load|spacy\.load$|en_core_web)")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Calls that read a file by a relative name, and corpora that a library expects on disk."""
    hits = [*_corpora(analysis), *_files(analysis)]
    yield from sorted(hits, key=lambda hit: (hit.cell, hit.line))


def _corpora(analysis: Analysis) -> Iterator[Hit]:
    for call in analysis.calls:
        if _RESOURCES.match(call.name) and call.method in ("words", "load", "raw", "sents", "fileids", "tagged_words"):
            yield Hit(cell=call.cell, line=call.line, evidence=f"{call.name} reads data that a library expects on disk")


def _files(analysis: Analysis) -> Iterator[Hit]:
    for read in file_reads(analysis):
        call, text = read.call, read.path
        if _RESOURCES.match(call.name) or is_url(text) or is_absolute(text):
            continue
        if call.name.startswith("IPython.display") and not text.endswith((".png", ".jpg", ".jpeg", ".gif", ".svg")):
            continue
        yield Hit(cell=call.cell, line=call.line, evidence=f"{call.method} reads {text!r}{_there(analysis, text)}")


def _there(analysis: Analysis, path: str) -> str:
    if "*" in path or analysis.notebook.path.parent == analysis.notebook.path:
        return ""
    try:
        found = (analysis.notebook.path.parent / path).exists()
    except (OSError, ValueError):
        return ""
    return ", which lies beside the notebook" if found else ", which does not lie beside the notebook"


RULE = Rule(
    code="PA102",
    kind="data-file",
    severity="medium",
    title="Data file beside the notebook",
    why="The run depends on a file whose version nobody records: another content of that name gives another model.",
    fix="Name the file as the project's source, so that each run reads a snapshot that has a digest.",
    adopt="does",
    adopt_note="Copies the file into the project and reads it as a batch of a snapshot.",
    find=find,
    positive=(
        Example(
            cells=("df = spark.read.option('header', True).csv('a.csv')\nlines = sc.textFile('b.txt')",),
            found=((0, 1), (0, 2)),
        ),
        Example(cells=("import pandas as pd\ndf = pd.read_csv('train.csv')",), found=((0, 2),)),
        Example(cells=("from pandas import read_excel\nx = read_excel('data/x.xlsx', sheet_name=0)",), found=((0, 2),)),
        Example(
            cells=("import pandas as pd, os\nroot = 'data'\ndf = pd.read_csv(os.path.join(root, 'a.csv'))",),
            found=((0, 3),),
        ),
        Example(cells=("from nltk.corpus import stopwords\nstop = stopwords.words('english')",), found=((0, 2),)),
        Example(cells=("with open('words.txt') as f:\n    w = f.read()",), found=((0, 1),)),
    ),
    negative=(
        Example(
            cells=(
                "import joblib\njoblib.dump(m, 'm.pkl')\nm = joblib.load('m.pkl')\nwith tarfile.open('a', 'w'): pass",
            )
        ),
        Example(cells=("import pandas as pd\npd.read_csv('https://example.org/a.csv')\npd.read_csv('/data/a.csv')",)),
        Example(cells=("df.to_csv('a.csv')", "import pandas as pd\nagain = pd.read_csv('a.csv')")),
        Example(cells=("with open('out.txt', 'w') as f:\n    f.write('x')",)),
        Example(cells=("import pandas as pd\ndf = pd.read_sql('select 1', connection)",)),
    ),
)
