"""Files of boosters with one or two places changed: each is refused, or opened and asked.

In a process of its own, since a file may be the death of it: `python booster_fuzz.py LIBRARY SEED COUNT` prints how
many were opened and how many refused.
"""

import re
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

STRANGE_VALUES = [
    -1, 0, 1, 2, 3, 7, 10**6, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, 1.5, 1e300, "", "1", "0", "99999", None, [],
]  # fmt: skip
STRANGE_WORDS = [
    "-1", "0", "1", "2", "-2", "7", "-9", "1000000", "4294967295", "2147483647", "1e300", "nan", "x", "=", "\n", " ",
    "",
]  # fmt: skip


def opened_and_refused(library: str, *, seed: int = 0, count: int = 300) -> tuple[int, int]:
    """How many of `count` changed files were opened, and how many refused. Raises: AssertionError if one was fatal."""
    ran = subprocess.run(
        [sys.executable, __file__, library, str(seed), str(count)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    opened, refused = map(int, ran.stdout.split())
    return opened, refused


@dataclass(frozen=True, kw_only=True)
class Library:
    """How the files of one library are written, changed, opened and asked."""

    models: tuple[str, ...]  # the second one has columns of categories
    written: Callable[[Any], bytes]
    changed: Callable[[bytes, np.random.Generator], bytes]
    opened: Callable[[bytes], Any]
    asked: Callable[[Any, Any], Any]  # a booster, and a table or an array


def xgboost() -> Library:
    from proveout.model import xgboost_json

    return Library(
        models=("xgboost, three classes", "xgboost, categories", "xgboost, dart", "xgboost, pruned"),
        written=lambda model: xgboost_json.dumped(model.get_booster(), name="m"),
        changed=_changed_json,
        opened=lambda content: xgboost_json.opened(content, name="m"),
        asked=lambda booster, rows: booster.inplace_predict(rows),
    )


def lightgbm() -> Library:
    from proveout.model import lightgbm_text

    return Library(
        models=("lightgbm, three classes", "lightgbm, categories", "lightgbm, forest", "lightgbm, no split"),
        written=lambda model: lightgbm_text.dumped(model.booster_, name="m"),
        changed=_changed_text,
        opened=lambda content: lightgbm_text.opened(content, name="m"),
        asked=lambda booster, rows: booster.predict(rows, num_threads=1),
    )


def _changed_json(content: bytes, rng: np.random.Generator) -> bytes:
    import orjson

    document = orjson.loads(content)
    found = list(_places(document))
    for _ in range(rng.integers(1, 3)):
        part, key = found[rng.integers(len(found))]
        part[key] = STRANGE_VALUES[rng.integers(len(STRANGE_VALUES))]
    return orjson.dumps(document)


def _places(part: Any) -> Iterator[tuple[Any, Any]]:
    inner = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in inner:
        yield part, key
        yield from _places(value)


def _changed_text(content: bytes, rng: np.random.Generator) -> bytes:
    text = content.decode()
    for _ in range(rng.integers(1, 3)):
        spots = [spot.span() for spot in re.finditer(r"-?[0-9.e+]+|[a-z_]+|\n", text)]
        begin, end = spots[rng.integers(len(spots))]
        text = text[:begin] + STRANGE_WORDS[rng.integers(len(STRANGE_WORDS))] + text[end:]
    return text.encode()


def main(name: str, seed: int, count: int) -> None:
    import boosted_models

    warnings.simplefilter("ignore")
    library, rng = {"xgboost": xgboost, "lightgbm": lightgbm}[name](), np.random.default_rng(seed)
    models = [boosted_models.fitted(one) for one in library.models]
    files = [library.written(model) for model, _ in models]
    opened = 0
    for turn in range(count):
        which = turn % len(models)
        _, rows = models[which]
        try:
            booster = library.opened(library.changed(files[which], rng))
            library.asked(booster, rows if which == 1 else rows.to_numpy())
            opened += 1
        except Exception:  # refused: by us, or by the library's own look
            continue
    print(opened, count - opened)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
