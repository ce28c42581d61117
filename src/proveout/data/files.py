"""Files as the source of batches: a path, a glob or a URL of CSV or Parquet files, each file one batch.

Input: `[tool.proveout] source`. Output: the address of each batch, by the name of its file without the ending; and its
rows. Only importer of fsspec.
"""

import glob
import gzip
import io
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from proveout.errors import ConfigError, NotFound, ProveoutError

if TYPE_CHECKING:
    import pandas as pd

_ENDING = re.compile(r"\.(csv(\.(gz|bz2|zip|xz|zst))?|parquet)$", re.IGNORECASE)
_PATTERN = re.compile(r"[*?\[]")
_WHERE = "source in [tool.proveout]"
_SHOWN = 5
_TIMEOUT_S = 60.0
_COMPRESSION = {".gz": "gzip", ".bz2": "bz2", ".zip": "zip", ".xz": "xz", ".zst": "zstd"}


class Unreachable(ProveoutError):
    """A file behind a URL could not be had."""

    exit_code = 3

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(address, problem)
        self.address, self.problem = address, problem

    def __str__(self) -> str:
        return f"{self.address} cannot be read: {self.problem}. Check that the address is right and answers from here."


def find(source: str, root: Path) -> dict[str, str]:
    """The address of each file by the name of its batch, in the order of these names.

    Args:
        source: a path relative to `root`, or a URL; `*`, `?` and `[...]` are wildcards.
    Raises: NotFound if there is no such file; ConfigError if one is not a CSV or Parquet file, or two share a name.
    """
    addresses = _of_url(source) if is_remote(source) else _of_path(source, root)
    if not addresses:
        raise NotFound("file", source, f"It is {_WHERE}; a path there is relative to {root}")
    if others := [address for address in addresses if not _ENDING.search(_path(address))]:
        raise ConfigError(
            _WHERE,
            f"{_some(others)}: not a CSV or Parquet file by its name",
            "Name files that end in .csv, .csv.gz or .parquet, such as data/*.csv, or a function: flows/source.py:read",
        )
    names = [_ENDING.sub("", PurePosixPath(_path(address)).name) for address in addresses]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ConfigError(
            _WHERE, f"it has more than one file called {twice[0]}: {_some(addresses)}", "Give each file its own name"
        )
    return dict(sorted(zip(names, addresses, strict=True)))


def read(address: str) -> "pd.DataFrame":
    """The rows of one file. Raises: Unreachable for a URL; whatever pandas raises."""
    return parse(address, fetch(address) if is_remote(address) else None)


def parse(address: str, content: bytes | None = None) -> "pd.DataFrame":
    """The rows of the file at `address`, or of its `content`. Raises: whatever pandas raises."""
    import pandas as pd

    if is_parquet(address):
        return pd.read_parquet(address if content is None else io.BytesIO(content))
    # at once, or a column could change its type halfway
    rows: pd.DataFrame = pd.read_csv(**csv_input(address, content), low_memory=False)
    return rows


def csv_input(address: str, content: bytes | None = None) -> dict[str, Any]:
    """What tells pandas where a CSV file is and how it is compressed."""
    if content is None:
        return {"filepath_or_buffer": address}
    ending = PurePosixPath(_path(address)).suffix.lower()
    return {"filepath_or_buffer": io.BytesIO(content), "compression": _COMPRESSION.get(ending)}


def is_remote(address: str) -> bool:
    """Whether it is a URL."""
    return "://" in address


def is_parquet(address: str) -> bool:
    """Whether a file is Parquet by its name; else it is CSV."""
    return _path(address).lower().endswith(".parquet")


def fetch(address: str) -> bytes:
    """What lies at a URL, asked for once. Raises: Unreachable."""
    try:
        if urlsplit(address).scheme in {"http", "https"}:
            with urlopen(address, timeout=_TIMEOUT_S) as answer:  # noqa: S310  # of these two schemes alone
                content: bytes = answer.read()
                zipped = answer.headers.get("Content-Encoding") == "gzip" and not _path(address).endswith(".gz")
            return gzip.decompress(content) if zipped else content
        import fsspec

        with fsspec.open(address, "rb") as file:
            return bytes(file.read())
    except HTTPError as error:
        raise Unreachable(address, f"the server answers {error.code} {error.reason}") from error
    except Exception as error:  # each driver of fsspec has errors of its own
        reason = getattr(error, "reason", error)
        raise Unreachable(address, str(getattr(reason, "strerror", None) or reason) or type(error).__name__) from error


def _of_path(source: str, root: Path) -> list[str]:
    whole = root / source
    if not _PATTERN.search(source) or whole.exists():  # a folder's name may contain a bracket
        return [str(whole)] if whole.is_file() else _refuse_folder(source, whole)
    found = (root / name for name in glob.glob(source, root_dir=root, recursive=True))  # noqa: PTH207  # one order of rules
    return sorted(str(file) for file in found if file.is_file())


def _refuse_folder(source: str, whole: Path) -> list[str]:
    if whole.is_dir():
        raise ConfigError(_WHERE, f"{source} is a folder", f"Name the files in it: {source.rstrip('/')}/*.csv")
    return []


def _of_url(source: str) -> list[str]:
    if not _PATTERN.search(_path(source)):
        return [source]
    try:
        from fsspec.core import url_to_fs

        files, path = url_to_fs(source)
        return sorted(str(files.unstrip_protocol(found)) for found in files.glob(path))
    except (ImportError, ValueError) as error:  # no driver for this kind of address
        kind = source.partition("://")[0]
        remedy = f'Install one, such as pip install "fsspec[{kind}]", or name a file outright'
        raise ConfigError(_WHERE, f"nothing here can list files at {source}: {error}", remedy) from error


def _path(address: str) -> str:
    return urlsplit(address).path if is_remote(address) else address


def _some(addresses: list[str]) -> str:
    more = f" and {len(addresses) - _SHOWN:,} more" if len(addresses) > _SHOWN else ""
    return ", ".join(addresses[:_SHOWN]) + more
