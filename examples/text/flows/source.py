"""Where the descriptions come from: the service models that `botocore` ships, 19,796 operations of 439 services.

For a part of them the model itself says whether an operation changes anything: `readonly` means that it does not, and
in a REST interface neither does GET or HEAD, while PUT, PATCH and DELETE do. POST may mean anything. What nobody says
is what the classifier is for; it is left out here, and so is a description that another operation has word by word.
"""

import gzip
import html
import importlib.util
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pandas as pd

LENGTH = 300  # letters of a description; the first sentence says what an operation does
READS, CHANGES = {"GET", "HEAD"}, {"PUT", "PATCH", "DELETE"}


def read_batch(name: str, tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The operations of which somebody says what they do. Raises: KeyError for another batch than the one there is."""
    if name != "operations":
        raise KeyError("there is one batch, operations")
    every = pd.DataFrame(_operations())
    said = every[every["reads_only"].notna() & (every["description"].str.len() >= 3)]
    once = said.drop_duplicates("description").reset_index(drop=True)
    once.attrs["left_out"] = {
        "nobody says whether it changes anything, or what it does": len(every) - len(said),
        "its description is that of another operation": len(said) - len(once),
    }
    return once.astype({"reads_only": bool})


def models() -> Iterator[tuple[str, dict]]:
    """The newest model of each service, by the service's name."""
    package = importlib.util.find_spec("botocore")
    if package is None or package.origin is None:
        raise FileNotFoundError("the descriptions are in the package botocore: pip install botocore==1.44.5")
    for service in sorted((Path(package.origin).parent / "data").iterdir()):
        for file in sorted(service.glob("*/service-2.json.gz"))[-1:]:
            yield service.name, json.loads(gzip.decompress(file.read_bytes()))


def _operations() -> Iterator[dict[str, str | bool | None]]:
    for service, model in models():
        rest = model["metadata"]["protocol"].startswith("rest")
        for operation, described in model["operations"].items():
            method = described["http"]["method"]
            reads = described.get("readonly") or (rest and method in READS)
            changes = rest and method in CHANGES
            yield {
                "service": service,
                "operation": operation,
                "description": _plain(described.get("documentation", "")),
                "reads_only": True if reads else False if changes else None,
            }


def _plain(documentation: str) -> str:
    """The text of a piece of HTML, cut."""
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", documentation))).strip()[:LENGTH].strip()
