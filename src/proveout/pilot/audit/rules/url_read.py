"""PA103 url-read."""

import ast
import re
from collections.abc import Iterator, Mapping

from proveout.pilot.audit.analysis import Analysis, Call
from proveout.pilot.audit.literals import constants, is_bucket, is_reader, is_url, text_of
from proveout.pilot.audit.rule import Example, Hit, Rule

_FETCHES = re.compile(
    r"^(?:requests\.(?:get|post|put|request|head|Session)|urllib2?\.(?:urlopen|urlretrieve)|urllib\.request\.\w+|"
    r"sklearn\.datasets\.fetch_\w+|seaborn\.load_dataset|nltk\.download|kagglehub\.\w+|kaggle\.api\.\w+|"
    r"tensorflow_datasets\.load|(?:tensorflow\.)?keras\.datasets\.\w+\.load_data|(?:tensorflow\.)?keras\.utils\.(?:\w+\.)?get_file|"
    r"datasets\.load_dataset|torchvision\.datasets\.\w+|gdown\.\w+|wget\.download|opendatasets\.download|"
    r"yfinance\.(?:download|Ticker)|pandas_datareader\.\w+(?:\.\w+)?|openml\.\w+\.\w+|vega_datasets\.data\.\w+|"
    r"gensim\.downloader\.load|ucimlrepo\.fetch_ucirepo|statsmodels\.\w+\.datasets\.get_rdataset|huggingface_hub\.\w+|"
    r"transformers\.\w+\.from_pretrained|sentence_transformers\.SentenceTransformer|quandl\.get|fastai\.\w*\.?untar_data|"
    r"plotly\.data\.\w+|shap\.datasets\.\w+|torch\.hub\.load\w*|tensorflow_hub\.\w+|torchtext\.datasets\.\w+|"
    r"(?:tensorflow\.)?keras\.applications\.(?:\w+\.)?[A-Z]\w+|torchvision\.models\.\w+|keras_hub\.\w+\.\w+\.from_preset|"
    r"spacy\.cli\.download|fredapi\.Fred|wikipedia\.\w+|wbgapi\.\w+\.?\w*)$"
)
_SHELL = re.compile(
    r"^(?:sudo\s+)?(?:wget|curl|git\s+(?:clone|pull|fetch)|kaggle\s+\w+|gdown|aria2c|svn|youtube-dl|yt-dlp|"
    r"huggingface-cli\s+download|python3?\s+-m\s+(?:spacy|nltk\.downloader)\b)"
)
# With an address as argument these fetch it, whoever wrote them.
_FETCHING = re.compile(
    r"^(?:cp|copy|get|post|urlopen|urlretrieve|retrieve|open_url|load_url|from_url|(?:down)?load\w*|fetch\w*|read_\w+)$"
)
_WEIGHTS = re.compile(r"\.(?:applications|models)\.")


def find(analysis: Analysis) -> Iterator[Hit]:
    """Calls and shell lines that ask a network at run time."""
    known = constants(analysis)
    for call in analysis.calls:
        address = _address(call, analysis, known)
        if _FETCHES.match(call.name) and not _is_local(call):
            yield Hit(cell=call.cell, line=call.line, evidence=f"{call.name} fetches {address or 'from a network'}")
        elif address and (is_reader(call) or _FETCHING.match(call.method)) and not is_bucket(address):
            yield Hit(cell=call.cell, line=call.line, evidence=f"{call.method} reads {address}")
    for cell in analysis.cells:
        for magic in cell.code.magics:
            lines = [magic.text] if magic.magic_type != "cell_magic" else ["", *magic.body.splitlines()]
            if magic.magic_type == "help" or (
                magic.magic_type == "cell_magic" and magic.name not in ("bash", "sh", "script")
            ):
                continue
            for offset, line in enumerate(lines):
                if any(_SHELL.match(part.strip()) for part in re.split(r"&&|;|\|", line)):
                    yield Hit(
                        cell=cell.index, line=magic.line + offset, evidence=f"`{line.strip()[:120]}` asks a network"
                    )


def _address(call: Call, analysis: Analysis, known: Mapping[str, str]) -> str:
    for node in (*call.node.args[:2], *(one.value for one in call.node.keywords)):
        text = text_of(node, known, analysis)
        if text and is_url(text):
            return text[:120]
    return ""


def _is_local(call: Call) -> bool:
    """Calls of these packages that fetch nothing: folders of pictures, models without weights."""
    if call.name.endswith((".datasets.ImageFolder", ".datasets.DatasetFolder", ".Fred", ".set_config")):
        return True
    if not _WEIGHTS.search(call.name):
        return False
    if call.name.startswith("torchvision"):
        given = [one.value for one in call.node.keywords if one.arg in ("weights", "pretrained")]
        return not given or (isinstance(given[0], ast.Constant) and not given[0].value)
    weights = call.argument(-1, "weights")
    return isinstance(weights, ast.Constant) and (weights.value is None or weights.value != "imagenet")


RULE = Rule(
    code="PA103",
    kind="url-read",
    severity="medium",
    title="Read from a network",
    why="The address may be gone, slow or changed on the day of the run, and nothing records what it gave.",
    fix="Download once into the project's source, so that runs read a snapshot.",
    adopt="asks",
    adopt_note="Asks once for the file, with the line that reads it.",
    find=find,
    positive=(
        Example(cells=("import pandas as pd\ndf = pd.read_csv('https://example.org/a.csv')",), found=((0, 2),)),
        Example(cells=("import seaborn as sns\ndf = sns.load_dataset('tips')",), found=((0, 2),)),
        Example(cells=("!wget http://example.org/a.zip\n!git clone https://example.org/x",), found=((0, 1), (0, 2))),
        Example(
            cells=("from sklearn.datasets import fetch_california_housing\nd = fetch_california_housing()",),
            found=((0, 2),),
        ),
        Example(cells=("!git pull\n!python -m spacy download en",), found=((0, 1), (0, 2))),
        Example(cells=("url = 'https://example.org/a.csv'\ndbutils.fs.cp(url, 'a.csv')",), found=((0, 2),)),
        Example(
            cells=("from tensorflow.keras.applications import VGG16\nbase = VGG16(include_top=False)",),
            found=((0, 2),),
        ),
        Example(
            cells=("import pandas as pd\nurl = 'http://example.org/a.csv'", "df = pd.read_csv(url)"), found=((1, 1),)
        ),
    ),
    negative=(
        Example(cells=("from sklearn.datasets import load_iris\nd = load_iris()",)),
        Example(cells=("import torchvision\nm = torchvision.models.resnet18(pretrained=False)\nd.get('a', 'b')",)),
        Example(cells=("!pip install git+https://example.org/x",)),
        Example(cells=("# see https://example.org\nlink = 'https://example.org'",)),
    ),
)
