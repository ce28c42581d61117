"""Which package an import comes from, and what the repository around a notebook declares.

Input: import names, and the folder of a notebook. Output: distribution names, and the declared ones. Nothing is
installed or asked: what is not listed here and not installed counts as a module of the author.
"""

import re
import sys
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

# Imports whose distribution has another name. From the packages' own metadata.
RENAMED: Mapping[str, str] = {
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "yaml": "pyyaml",
    "skimage": "scikit-image",
    "dateutil": "python-dateutil",
    "dotenv": "python-dotenv",
    "imblearn": "imbalanced-learn",
    "umap": "umap-learn",
    "Bio": "biopython",
    "docx": "python-docx",
    "pptx": "python-pptx",
    "fitz": "pymupdf",
    "attr": "attrs",
    "MySQLdb": "mysqlclient",
    "psycopg2": "psycopg2-binary",
    "serial": "pyserial",
    "git": "gitpython",
    "jwt": "pyjwt",
    "OpenSSL": "pyopenssl",
    "Crypto": "pycryptodome",
    "usb": "pyusb",
    "wx": "wxpython",
    "zmq": "pyzmq",
    "mpl_toolkits": "matplotlib",
    "pandas_datareader": "pandas-datareader",
    "category_encoders": "category-encoders",
    "skopt": "scikit-optimize",
    "sentence_transformers": "sentence-transformers",
    "mysql": "mysql-connector-python",
    "cx_Oracle": "cx-oracle",
    "community": "python-louvain",
    "faiss": "faiss-cpu",
    "gi": "pygobject",
    "kmodes": "kmodes",
    "pmdarima": "pmdarima",
    "fbprophet": "fbprophet",
    "prophet": "prophet",
    "googleapiclient": "google-api-python-client",
    "ibm_boto3": "ibm-cos-sdk",
    "ibm_botocore": "ibm-cos-sdk",
    "watson_developer_cloud": "watson-developer-cloud",
    "tensorflow_hub": "tensorflow-hub",
    "tensorflow_datasets": "tensorflow-datasets",
    "tensorflow_addons": "tensorflow-addons",
    "tensorflow_text": "tensorflow-text",
    "flask_cors": "flask-cors",
    "flask_restful": "flask-restful",
    "rest_framework": "djangorestframework",
    "speech_recognition": "speechrecognition",
    "wordcloud": "wordcloud",
    "pycaret": "pycaret",
    "pyodbc": "pyodbc",
    "tabula": "tabula-py",
    "levenshtein": "levenshtein",
    "Levenshtein": "levenshtein",
    "pkg_resources": "setuptools",
    "ruamel": "ruamel.yaml",
    "pytorch_lightning": "pytorch-lightning",
    "pytorch_tabnet": "pytorch-tabnet",
    "h2o": "h2o",
    "sqlalchemy": "sqlalchemy",
    "lime": "lime",
    "autosklearn": "auto-sklearn",
    "scikitplot": "scikit-plot",
    "xlrd": "xlrd",
    "azureml": "azureml-core",
    "ibm_watson_machine_learning": "ibm-watson-machine-learning",
    "kaggle": "kaggle",
    "IPython": "ipython",
    "graphviz": "graphviz",
    "pydot": "pydot",
    "mlxtend": "mlxtend",
    "langchain": "langchain",
    "open_clip": "open-clip-torch",
}
# What people import under the name of its distribution.
COMMON = frozenset(
    [
        "numpy",
        "pandas",
        "scipy",
        "matplotlib",
        "seaborn",
        "plotly",
        "bokeh",
        "altair",
        "statsmodels",
        "xgboost",
        "lightgbm",
        "catboost",
        "tensorflow",
        "keras",
        "torch",
        "torchvision",
        "torchaudio",
        "transformers",
        "datasets",
        "tokenizers",
        "nltk",
        "spacy",
        "gensim",
        "textblob",
        "joblib",
        "requests",
        "tqdm",
        "flask",
        "fastapi",
        "django",
        "pydantic",
        "sqlalchemy",
        "pymongo",
        "boto3",
        "botocore",
        "s3fs",
        "gcsfs",
        "fsspec",
        "sagemaker",
        "mlflow",
        "wandb",
        "optuna",
        "hyperopt",
        "ray",
        "dask",
        "distributed",
        "polars",
        "pyarrow",
        "fastparquet",
        "numba",
        "cython",
        "cupy",
        "cudf",
        "cuml",
        "networkx",
        "sympy",
        "pytest",
        "hypothesis",
        "ipywidgets",
        "ipykernel",
        "ipython",
        "notebook",
        "jupyter",
        "nbformat",
        "nbconvert",
        "papermill",
        "folium",
        "geopandas",
        "shapely",
        "fiona",
        "rasterio",
        "pyproj",
        "geopy",
        "openpyxl",
        "xlsxwriter",
        "xlrd",
        "lxml",
        "html5lib",
        "selenium",
        "scrapy",
        "tweepy",
        "yfinance",
        "quandl",
        "alpaca_trade_api",
        "ccxt",
        "mplfinance",
        "ta",
        "talib",
        "backtrader",
        "kaggle",
        "kagglehub",
        "opendatasets",
        "gdown",
        "wget",
        "missingno",
        "sweetviz",
        "pandas_profiling",
        "ydata_profiling",
        "dataprep",
        "autoviz",
        "lazypredict",
        "tpot",
        "pycaret",
        "featuretools",
        "tsfresh",
        "sktime",
        "darts",
        "prophet",
        "fbprophet",
        "pmdarima",
        "arch",
        "lifelines",
        "shap",
        "lime",
        "eli5",
        "interpret",
        "dalex",
        "yellowbrick",
        "scikitplot",
        "mlxtend",
        "kneed",
        "factor_analyzer",
        "pyspark",
        "databricks",
        "koalas",
        "findspark",
        "delta",
        "pyhive",
        "impala",
        "snowflake",
        "duckdb",
        "psycopg",
        "psycopg2",
        "pymysql",
        "pyodbc",
        "redis",
        "elasticsearch",
        "kafka",
        "paramiko",
        "fabric",
        "click",
        "typer",
        "rich",
        "loguru",
        "simplejson",
        "ujson",
        "orjson",
        "toml",
        "attrs",
        "cattrs",
        "marshmallow",
        "jinja2",
        "markdown",
        "pypdf",
        "PyPDF2",
        "pdfplumber",
        "docx2txt",
        "pytesseract",
        "easyocr",
        "librosa",
        "soundfile",
        "pydub",
        "imageio",
        "imutils",
        "albumentations",
        "mediapipe",
        "ultralytics",
        "detectron2",
        "timm",
        "fastai",
        "skorch",
        "jax",
        "flax",
        "optax",
        "haiku",
        "dgl",
        "torch_geometric",
        "stable_baselines3",
        "gym",
        "gymnasium",
        "pygame",
        "openai",
        "anthropic",
        "langchain",
        "tiktoken",
        "cohere",
        "pinecone",
        "chromadb",
        "streamlit",
        "gradio",
        "dash",
        "google",
        "azure",
        "oauth2client",
        "gspread",
        "pygsheets",
        "dropbox",
        "twilio",
        "slack",
        "slack_sdk",
        "telegram",
        "emoji",
        "langdetect",
        "googletrans",
        "deep_translator",
        "unidecode",
        "ftfy",
        "contractions",
        "autocorrect",
        "symspellpy",
        "fuzzywuzzy",
        "rapidfuzz",
        "thefuzz",
        "jellyfish",
        "textstat",
        "vaderSentiment",
        "pyLDAvis",
        "bertopic",
        "wordcloud",
        "stop_words",
        "camelot",
        "tabulate",
        "prettytable",
        "termcolor",
        "colorama",
        "cufflinks",
        "chart_studio",
        "pygal",
        "pyecharts",
        "holoviews",
        "hvplot",
        "datashader",
        "panel",
        "ggplot",
        "plotnine",
        "squarify",
        "calmap",
        "joypy",
        "ptitprince",
        "venn",
        "matplotlib_venn",
        "adjustText",
        "pingouin",
        "researchpy",
        "scikit_posthocs",
        "pymc",
        "pymc3",
        "arviz",
        "pystan",
        "cmdstanpy",
        "emcee",
        "corner",
        "edward",
        "tensorflow_probability",
        "gpflow",
        "gpytorch",
        "botorch",
        "deap",
        "pyswarm",
        "pulp",
        "cvxpy",
        "cvxopt",
        "ortools",
        "gurobipy",
        "pyomo",
        "mip",
        "geneticalgorithm",
        "imblearn",
        "skopt",
        "sklearn_pandas",
        "feature_engine",
        "boruta",
        "category_encoders",
        "umap",
        "hdbscan",
        "kmodes",
        "minisom",
        "somoclu",
        "annoy",
        "nmslib",
        "faiss",
        "implicit",
        "surprise",
        "lightfm",
        "turicreate",
        "graphlab",
        "theano",
        "lasagne",
        "caffe",
        "mxnet",
        "gluonnlp",
        "paddle",
        "onnx",
        "onnxruntime",
        "skl2onnx",
        "tflearn",
        "tflite",
        "coremltools",
        "openvino",
        "nvidia",
        "tensorrt",
        "pycuda",
        "psutil",
        "memory_profiler",
        "line_profiler",
        "cloudpickle",
        "dill",
        "h5py",
        "tables",
        "zarr",
        "netCDF4",
        "xarray",
        "cftime",
        "pydicom",
        "nibabel",
        "SimpleITK",
        "nilearn",
        "mne",
        "astropy",
        "astroquery",
        "lightkurve",
        "sunpy",
        "healpy",
        "MDAnalysis",
        "rdkit",
        "deepchem",
        "mordred",
        "biopython",
        "scanpy",
        "anndata",
        "pysam",
        "obspy",
        "metpy",
        "cartopy",
        "basemap",
        "ee",
        "geemap",
        "osmnx",
        "pysal",
        "libpysal",
        "esda",
        "contextily",
        "rtree",
        "h3",
        "haversine",
        "holidays",
        "pytz",
        "tzlocal",
        "arrow",
        "pendulum",
        "dateparser",
        "workalendar",
        "faker",
        "sdv",
        "ctgan",
        "great_expectations",
        "pandera",
        "evidently",
        "whylogs",
        "deepchecks",
        "alibi",
        "alibi_detect",
        "aif360",
        "fairlearn",
        "nannyml",
        "kfp",
        "feast",
        "dvc",
        "zenml",
        "metaflow",
        "prefect",
        "airflow",
        "luigi",
        "bentoml",
        "litserve",
        "mlserver",
        "skops",
        "watermark",
        "jupyterthemes",
        "nbdime",
        "sqlite_utils",
        "ipython_sql",
        "pixiedust",
        "ibm_watson",
        "ibm_db",
        "ibm_cloud_sdk_core",
        "wget",
        "progressbar",
        "progressbar2",
        "humanize",
        "six",
        "future",
        "past",
        "singledispatch",
        "pathlib2",
        "typing_extensions",
        "pywt",
        "PyEMD",
        "pykalman",
        "filterpy",
        "hmmlearn",
        "pomegranate",
        "pgmpy",
        "causalnex",
        "dowhy",
        "econml",
        "causalml",
        "linearmodels",
        "patsy",
        "formulaic",
        "pyreadstat",
        "savReaderWriter",
        "rpy2",
        "oct2py",
        "matlab",
        "julia",
        "pyximport",
        "bqplot",
        "qgrid",
        "itables",
        "pivottablejs",
        "pandasql",
        "pandas_ml",
        "pandarallel",
        "swifter",
        "modin",
        "vaex",
        "datatable",
        "terality",
        "blaze",
        "odo",
        "bcolz",
        "sparkmagic",
        "hdfs",
        "snakebite",
        "impyla",
        "jaydebeapi",
        "jpype",
        "konlpy",
        "janome",
        "MeCab",
        "sudachipy",
        "jieba",
        "pkuseg",
        "pythainlp",
        "underthesea",
        "pymorphy2",
        "stanza",
        "flair",
        "allennlp",
        "fairseq",
        "sentencepiece",
        "sacremoses",
        "rouge_score",
        "sacrebleu",
        "evaluate",
        "accelerate",
        "peft",
        "bitsandbytes",
        "trl",
        "diffusers",
        "autogluon",
        "flaml",
        "mljar",
        "autokeras",
        "kerastuner",
        "keras_tuner",
        "talos",
        "ann_visualizer",
        "livelossplot",
        "torchsummary",
        "torchinfo",
        "torchmetrics",
        "pytorch_lightning",
        "lightning",
        "tensorboard",
        "tensorboardX",
        "visdom",
        "comet_ml",
        "neptune",
        "clearml",
        "cdsw",
        "cmlapi",
        "pygam",
        "pyearth",
        "interpretml",
        "rulefit",
        "skrules",
        "wittgenstein",
        "imodels",
        "treeinterpreter",
        "dtreeviz",
        "supertree",
        "graphviz",
        "pydot",
        "pydotplus",
        "pyvis",
        "igraph",
        "cairosvg",
        "reportlab",
        "fpdf",
        "weasyprint",
        "xmltodict",
        "feedparser",
        "newspaper",
        "praw",
        "pushshift",
        "instaloader",
        "snscrape",
        "facebook_scraper",
        "googlemaps",
        "herepy",
        "overpy",
        "pyowm",
        "meteostat",
        "cdsapi",
        "eurostat",
        "wbdata",
        "pandas_gbq",
        "pymssql",
        "cassandra",
        "neo4j",
        "py2neo",
        "influxdb",
        "prometheus_client",
        "kubernetes",
        "docker",
        "ansible",
        "jose",
        "passlib",
        "bcrypt",
        "cryptography",
        "nacl",
        "gnupg",
        "pyperclip",
        "pyautogui",
        "pynput",
        "keyboard",
        "mouse",
        "playsound",
        "pyttsx3",
        "gtts",
        "sounddevice",
        "pyaudio",
        "webrtcvad",
        "noisereduce",
        "audioread",
        "pretty_midi",
        "mido",
        "music21",
        "pyloudnorm",
    ]
)
PLATFORM_ONLY = frozenset(
    {
        "google.colab",
        "kaggle_secrets",
        "kaggle_datasets",
        "project_lib",
        "dbutils",
        "sagemaker_pyspark",
        "cdsw",
        "dsx_core_utils",
        "notebookutils",
    }
)
# What a call needs that no import names: the call, and the suffix of its file.
ENGINES: tuple[tuple[str, str, str], ...] = (
    ("read_excel", ".xls", "xlrd"),
    ("read_excel", ".xlsx", "openpyxl"),
    ("ExcelFile", ".xls", "xlrd"),
    ("ExcelFile", ".xlsx", "openpyxl"),
    ("to_excel", ".xlsx", "openpyxl"),
    ("read_parquet", "", "pyarrow"),
    ("to_parquet", "", "pyarrow"),
    ("read_feather", "", "pyarrow"),
    ("read_hdf", "", "tables"),
    ("to_hdf", "", "tables"),
    ("read_html", "", "lxml"),
)
_REQUIREMENT = re.compile(r"^\s*-?\s*['\"]?([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(?:[=<>!~;@ ,'\"].*)?$")
_FILES = (
    "requirements*.txt",
    "requirements/*.txt",
    "*requirements.txt",
    "environment*.y*ml",
    "conda*.y*ml",
    "setup.py",
    "setup.cfg",
    "pyproject.toml",
    "Pipfile",
    "*.lock",
)
_MOST_LEVELS = 5


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Distributions that a repository declares, by normalised name. `files` are where."""

    names: frozenset[str]
    files: tuple[Path, ...]


# What people call their own modules. Any other unknown name may be a package that is not installed here.
_LOCAL = re.compile(
    r"^(?:(?:my|our|local|custom|own)_?\w*|\w*(?:utils?|helpers?|funcs?|functions?|tools|toolbox|lib|common|misc|settings|constants|"
    r"config|configs|params|preprocess\w*|processing|cleaning|plotting|plots|features?|loaders?|dataset|evaluation|metrics|models?|"
    r"src|scripts?|modules?|solutions?|answers|tests?|secrets?|credentials|project|pipeline)|src|app|code|data|base|main|classes|"
    r"keys|notebook_\w+|nb_\w+|unit_?tests?\w*|\w*_(?:py|mod|class|script))$",
    re.IGNORECASE,
)


def normalised(name: str) -> str:
    """A distribution's name as PEP 503 compares it.

    >>> normalised("Scikit_Learn")
    'scikit-learn'
    """
    return re.sub(r"[-_.]+", "-", name).lower()


@cache
def _installed() -> Mapping[str, list[str]]:
    return packages_distributions()


def is_distribution(module: str) -> bool:
    """Whether a top-level import is known to come from a package and not from a file of the author."""
    return module in RENAMED or module in COMMON or module in _installed() or module in PLATFORM_ONLY


def is_module_of_author(module: str, folder: Path) -> bool:
    """Whether a dotted import means a file of the author: relative, found in the repository, or called like one."""
    if module.startswith("."):
        return True
    top = module.partition(".")[0]
    if not top or top in sys.stdlib_module_names or top in ("__future__", "__main__", "builtins"):
        return False
    if any((place / f"{top}.py").is_file() or (place / top / "__init__.py").is_file() for place in repository(folder)):
        return True
    return bool(_LOCAL.match(top)) and not is_distribution(top)


def distribution_of(module: str, folder: Path) -> str | None:
    """The distribution behind a dotted import; None for the standard library, platforms and modules of the author.

    An import that nobody knows counts as a distribution of that name.
    """
    top = module.partition(".")[0]
    if is_module_of_author(module, folder):
        return None
    if top in sys.stdlib_module_names or any(module == one or module.startswith(one + ".") for one in PLATFORM_ONLY):
        return None
    if top in RENAMED:
        return RENAMED[top]
    if top in ("google", "azure"):
        parts = module.split(".")
        return "-".join(parts[:3]) if len(parts) > 2 and parts[1] == "cloud" else "-".join(parts[:2])
    if top in COMMON:
        return normalised(top)
    found = _installed().get(top)
    return normalised(found[0] if found else top) or None


def declared(folder: Path) -> Declared:
    """What the repository around `folder` declares: in its files of requirements, up to its root."""
    names: set[str] = set()
    files: list[Path] = []
    for place in folders_up_to_root(folder):
        for pattern in _FILES:
            for file in sorted(place.glob(pattern)):
                if file.is_file() and file not in files and file.stat().st_size < 2_000_000:
                    files.append(file)
                    names |= {normalised(name) for name in _names_in(file)}
    return Declared(names=frozenset(names), files=tuple(files))


def repository(folder: Path) -> tuple[Path, ...]:
    """The folders in which a module of the author may lie: that of the notebook and those above it, to the root."""
    return tuple(place for one in folders_up_to_root(folder) for place in (one, one / "src"))


def project_root(folder: Path) -> Path:
    """The root of the repository around a folder; without one, the folder itself."""
    *_, root = folders_up_to_root(folder)
    return root.resolve()


def folders_up_to_root(folder: Path) -> Iterator[Path]:
    """The folder and those above it, to the root of the repository; without one, the folder alone."""
    places = [folder, *folder.resolve().parents][:_MOST_LEVELS]
    root = next((n for n, place in enumerate(places) if (place / ".git").exists()), None)
    yield from places[: root + 1] if root is not None else places[:1]


def _names_in(file: Path) -> Iterator[str]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    if file.name == "pyproject.toml":
        yield from _of_pyproject(text)
    elif file.suffix == ".txt":
        for line in text.splitlines():
            if (found := _REQUIREMENT.match(line.split("#")[0])) and not line.strip().startswith("-"):
                yield found[1]
            elif egg := re.search(r"#egg=([\w.-]+)|^\s*([\w.-]+)\s*@", line):
                yield egg[1] or egg[2]
    elif file.suffix in (".yml", ".yaml"):
        for line in text.splitlines():
            if (
                found := re.match(
                    r"^\s*-\s*['\"]?(?:[\w-]+::)?([A-Za-z0-9][\w.-]*)\s*(?:[=<>!~].*)?['\"]?\s*$", line.split("#")[0]
                )
            ) is not None:
                yield found[1]
    elif file.name in ("setup.py", "setup.cfg", "Pipfile") or file.suffix == ".lock":
        for line in re.split(r"[\n,\[\]()]", text):
            if found := _REQUIREMENT.match(line):
                yield found[1]


def _of_pyproject(text: str) -> Iterator[str]:
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    project = document.get("project", {})
    lists = [project.get("dependencies", []), *project.get("optional-dependencies", {}).values()]
    for line in (line for one in lists if isinstance(one, list) for line in one):
        if found := _REQUIREMENT.match(str(line)):
            yield found[1]
    yield from document.get("tool", {}).get("poetry", {}).get("dependencies", {})
