"""Files as the source of batches: a path, a glob or a URL of CSV or Parquet files, each file one batch.

Input: what `[tool.proveout] source` says. Output: the address of each batch by its name, which is that of its file
without the ending; and its rows. Only importer of fsspec.
"""

import glob
import re
from collections import Counter
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from proveout.errors import ConfigError, NotFound

if TYPE_CHECKING:
    import pandas as pd

_ENDING = re.compile(r"\.(csv(\.(gz|bz2|zip|xz|zst))?|parquet)$", re.IGNORECASE)
_PATTERN = re.compile(r"[*?\[]")
_WHERE = "source in [tool.proveout]"
_SHOWN = 5


def find(source: str, root: Path) -> dict[str, str]:
    """The address of each file by the name of its batch, in the order of these names.

    Args:
        source: a path, seen from `root`, or a URL; `*`, `?` and `[...]` in it stand for any text.
    Raises: NotFound if there is no such file; ConfigError if one is no CSV or Parquet file, or two have one name.
    """
    addresses = _of_url(source) if "://" in source else _of_path(source, root)
    if not addresses:
        raise NotFound("file", source, f"It is {_WHERE}, and a path there is seen from {root}")
    if others := [address for address in addresses if not _ENDING.search(_path(address))]:
        raise ConfigError(
            _WHERE,
            f"{_some(others)}: no CSV or Parquet file by its name",
            "Name files that end in .csv, .csv.gz or .parquet, such as data/*.csv, or a function: flows/source.py:read",
        )
    names = [_ENDING.sub("", PurePosixPath(_path(address)).name) for address in addresses]
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise ConfigError(
            _WHERE, f"it has more than one file called {twice[0]}: {_some(addresses)}", "Give each file its own name"
        )
    return dict(sorted(zip(names, addresses, strict=True)))


def read(address: str) -> "pd.DataFrame":
    """The rows of one file. Raises: whatever pandas raises."""
    import pandas as pd

    if _path(address).lower().endswith(".parquet"):
        return pd.read_parquet(address)
    return pd.read_csv(address, low_memory=False)  # whole, or a column changes its type halfway


def _of_path(source: str, root: Path) -> list[str]:
    whole = root / source
    if not _PATTERN.search(source) or whole.exists():  # a folder's own name may hold a bracket
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
    return urlsplit(address).path if "://" in address else address


def _some(addresses: list[str]) -> str:
    more = f" and {len(addresses) - _SHOWN:,} more" if len(addresses) > _SHOWN else ""
    return ", ".join(addresses[:_SHOWN]) + more
