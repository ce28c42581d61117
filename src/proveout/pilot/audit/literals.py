"""Texts in code and what they say: paths, addresses, and the calls that read and write files.

Input: an `Analysis`. Output: literals and calls with their places.
"""

import ast
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from proveout.pilot.audit.analysis import Analysis, Call, CodeCell
from proveout.pilot.audit.syntax import children, root_of

_ABSOLUTE = re.compile(
    r"^(?:file:/{2,3}|[A-Za-z]:[\\/](?![/\\]{2})|\\\\[\w.$-]+\\|~(?:[\w-]*)/|~$|"
    r"/(?:home|Users|user|usr|opt|etc|var|tmp|mnt|media|data|root|srv|content|kaggle|dbfs|databricks|project_data|"
    r"workspace|workspaces|app|mount|gdrive|drive|Volumes|private|scratch|nfs|volume|datasets?|shared|lib|bin|sys|proc|dev|"
    r"local_disk0|FileStore|lakehouse|notebooks|work|hdfs|ml|storage|cdsw|resources?|models?|output|input|code|projects?)(?:/|$))",
)
_ROOTED = re.compile(r"^/(?:[\w.+-]+/)+[\w.+*-]+\.\w{1,8}$")  # /anything/with/a.suffix
_URL = re.compile(r"^(?:https?|ftps?|s3n?a?|gs|gcs|wasbs?|abfss?|hdfs|adl)://", re.IGNORECASE)
_BUCKET = re.compile(r"^(?:s3[na]?|gs|gcs|wasbs?|abfss?|adl|azureml|oss|cos|r2)://", re.IGNORECASE)

READERS = re.compile(
    r"^(?:pandas\.read_(?!sql|gbq|clipboard|sql_query|sql_table)\w+|pandas\.(?:ExcelFile|HDFStore)|numpy\.(?:load|loadtxt|genfromtxt|fromfile)|open|io\.open|codecs\.open|"
    r"builtins\.open|joblib\.load|sklearn\.externals\.joblib\.load|h5py\.File|scipy\.io\.(?:loadmat|arff\.loadarff)|"
    r"PIL\.Image\.open|cv2\.imread|matplotlib\.(?:pyplot|image)\.imread|skimage\.io\.imread|imageio\.\w*imread|librosa\.load|"
    r"polars\.(?:read|scan)_\w+|dask\.dataframe\.read_\w+|geopandas\.read_file|pyarrow\.\w+\.read_\w+|xarray\.open_\w+|"
    r"sklearn\.datasets\.(?:load_files|load_svmlight_file)|tensorflow\.keras\.models\.load_model|keras\.models\.load_model|"
    r"torch\.load|spacy\.load|zipfile\.ZipFile|tarfile\.open|gzip\.open|bz2\.open|glob\.glob|glob\.iglob|os\.listdir|os\.walk|"
    r"os\.scandir|csv\.reader|json\.load|yaml\.safe_load|xgboost\.DMatrix|lightgbm\.Dataset|geopandas\.GeoDataFrame\.from_file|"
    r"IPython\.display\.Image|gensim\.models\.KeyedVectors\.load_word2vec_format|datatable\.fread|vaex\.open|pickle\.load|"
    r"netCDF4\.Dataset|rasterio\.open|pydicom\.\w*read\w*|nibabel\.load|docx\.Document|cv2\.VideoCapture|torchvision\.datasets\.(?:ImageFolder|DatasetFolder)|h2o\.(?:import_file|upload_file)|"
    r"openpyxl\.load_workbook|sqlite3\.connect)$"
)
READ_METHODS = {
    "flow_from_directory",
    "load_img",
    "image_dataset_from_directory",
    "read_text",
    "read_bytes",
    "load_weights",
}
_SPARK = re.compile(r"^(?:spark\w*|\w+_spark|sc|sqlContext|sql_context|sparkSession)$")
_SPARK_READS = {"csv", "json", "parquet", "orc", "text", "textFile", "load", "wholeTextFiles"}
WRITE_METHODS = {
    "to_csv",
    "to_excel",
    "to_parquet",
    "to_pickle",
    "to_json",
    "to_hdf",
    "to_feather",
    "to_html",
    "to_stata",
    "savefig",
    "write_text",
    "write_bytes",
    "to_file",
    "write_csv",
    "write_parquet",
    "write_image",
    "write_html",
    "to_latex",
    "to_markdown",
    "saveAsTextFile",
    "to_records",
}
WRITERS = {
    "numpy.save",
    "numpy.savetxt",
    "numpy.savez",
    "numpy.savez_compressed",
    "numpy.tofile",
    "cv2.imwrite",
    "json.dump",
    "pickle.dump",
    "joblib.dump",
    "yaml.dump",
    "scipy.io.savemat",
    "shutil.copy",
    "shutil.copyfile",
    "shutil.move",
    "pandas.ExcelWriter",
    "matplotlib.pyplot.savefig",
    "scipy.io.wavfile.write",
    "imageio.imwrite",
    "imageio.mimsave",
}
_OPENERS = {
    "open",
    "io.open",
    "codecs.open",
    "builtins.open",
    "gzip.open",
    "bz2.open",
    "tarfile.open",
    "zipfile.ZipFile",
    "h5py.File",
}
# Words that follow `open(...)`: a file opened to write.
_WRITING_MODES = re.compile(r"[wax+]")


@dataclass(frozen=True, kw_only=True)
class Literal:
    """A text in the code, with the innermost statement and call that it stands in."""

    cell: int
    line: int
    text: str
    statement: ast.stmt
    call: ast.Call | None


def is_absolute(text: str) -> bool:
    """Whether a text is a path that means something on one machine only.

    >>> [is_absolute(path) for path in ("/home/me/x.csv", r"C:\\data\\x.csv", "data/x.csv", "/", "~/x", "a/b")]
    [True, True, False, False, True, False]
    """
    if "\n" in text or len(text) > 300 or not text.strip() or _URL.match(text):
        return False
    return bool(_ABSOLUTE.match(text) or _ROOTED.match(text))


def is_url(text: str) -> bool:
    """Whether a text is an address on a network."""
    return bool(_URL.match(text.strip()))


def is_bucket(text: str) -> bool:
    """Whether a text names an object in a cloud's store."""
    return bool(_BUCKET.match(text.strip()))


@lru_cache(maxsize=1)  # six rules ask in turn
def literals(analysis: Analysis) -> tuple[Literal, ...]:
    """All texts of all cells but docstrings. Of an f-string, its first constant part stands for it."""
    return tuple(literal for cell in analysis.cells for literal in _of_cell(cell))


def _of_cell(cell: CodeCell) -> Iterator[Literal]:
    waiting: list[tuple[ast.AST, ast.stmt | None, ast.Call | None]] = [(cell.code.tree, None, None)]
    while waiting:
        node, statement, call = waiting.pop()
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and statement is not None:
            if not (isinstance(statement, ast.Expr) and statement.value is node):
                yield Literal(cell=cell.index, line=node.lineno, text=node.value, statement=statement, call=call)
            continue
        if isinstance(node, ast.JoinedStr):
            first = node.values[0] if node.values else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str) and statement is not None:
                yield Literal(cell=cell.index, line=node.lineno, text=first.value, statement=statement, call=call)
            waiting.extend((part, statement, call) for part in node.values if isinstance(part, ast.FormattedValue))
            continue
        if isinstance(node, ast.stmt):
            statement = node
        if isinstance(node, ast.Call):
            call = node
        waiting.extend((child, statement, call) for child in children(node))


def is_reader(call: Call) -> bool:
    """Whether a call reads a file that it is given by name."""
    if call.name in _OPENERS and opens_to_write(call):
        return False
    if call.method in _SPARK_READS and _SPARK.match(root_of(call.node.func)):
        return True
    return bool(READERS.match(call.name)) or call.method in READ_METHODS


def opens_to_write(call: Call) -> bool:
    """Whether `open` is called with a mode that writes."""
    mode = call.argument(1, "mode")
    return isinstance(mode, ast.Constant) and isinstance(mode.value, str) and bool(_WRITING_MODES.search(mode.value))


def is_writer(call: Call) -> bool:
    """Whether a call writes a file that it is given by name."""
    if call.name in _OPENERS:
        return opens_to_write(call)
    return call.name in WRITERS or call.method in WRITE_METHODS


@lru_cache(maxsize=1)
def constants(analysis: Analysis) -> Mapping[str, str]:
    """Texts that variables hold: `path = "data.csv"`, joined where parts are known."""
    found: dict[str, str] = {}
    for cell in analysis.cells:
        for binding in cell.bindings:
            if binding.value is not None and binding.how == "assign":
                text = text_of(binding.value, found, analysis)
                if text is not None:
                    found[binding.name] = text
    return found


def text_of(  # noqa: PLR0911  # one return for each kind of expression
    node: ast.expr | None, known: Mapping[str, str], analysis: Analysis
) -> str | None:
    """The text that an expression gives, as far as it can be known: constants, names, sums, f-strings, joined paths."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.Name(id=name):
            return known.get(name)
        case ast.JoinedStr(values=values):
            parts = [
                text_of(part.value, known, analysis)
                if isinstance(part, ast.FormattedValue)
                else text_of(part, known, analysis)
                for part in values
            ]
            return (
                "".join(part if part is not None else "*" for part in parts) if parts and parts[0] is not None else None
            )
        case ast.BinOp(left=left, op=ast.Add() | ast.Div(), right=right):
            first, second = text_of(left, known, analysis), text_of(right, known, analysis)
            if first is None:
                return None
            between = "/" if isinstance(node.op, ast.Div) else ""
            return first + between + (second if second is not None else "*")
        case ast.BinOp(left=left, op=ast.Mod()):
            return text_of(left, known, analysis)
        case ast.Call(func=ast.Attribute(attr="format", value=inner)):
            return text_of(inner, known, analysis)
        case ast.Call(args=[first, *rest]):
            name = analysis.name_of(node.func)
            if name in ("os.path.join", "pathlib.Path", "pathlib.PurePath", "os.path.abspath", "os.path.expanduser"):
                head = text_of(first, known, analysis)
                tails = [text_of(one, known, analysis) or "*" for one in rest]
                return posixpath.join(head, *tails) if head is not None else None
    return None
