"""The files of a bundle, and the manifest that names each of them with its digest.

Input: the folder of a bundle. Output: the record `Bundle`, once every file in it has been compared with the manifest.

    manifest.json       what follows, each file with its SHA-256
      identity          model.skops  signature.json  config.json  code/features.py  code/notebook.ipynb
                        code/…, the files that the features read
      provenance        executed.ipynb  metrics.json  confidence.json  reference.parquet  heldout_answers.parquet
                        membership.parquet  profile.bin  profile.json  direct.json  requirements.lock, and when, where,
                        from which commit and by which run it was made

The digest is over the identity, which contains no times: the same snapshot and configuration give the same digest. An
approval signs the whole manifest.
"""

import hashlib
import stat
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, cast

import orjson

from proveout.errors import BundleError, Tampered
from proveout.records.answer import TaskFacts
from proveout.records.bundle import Bundle, Metric
from proveout.records.json_form import canonical, digest_of, from_json
from proveout.records.train_config import Split
from proveout.records.values import Digest

MANIFEST = "manifest.json"
LOCK = "requirements.lock"
FORMAT = 1  # of the manifest; a newer one is refused
REFERENCE = "reference.parquet"
HELDOUT_ANSWERS = "heldout_answers.parquet"
MEMBERSHIP = "membership.parquet"
REFERENCE_ROWS = 2_000
_MOST_MANIFEST_BYTES = 2**20
LABEL = "label"
# The name of the outcome next to request columns, so no request field may have it.


def verified_content(folder: Path, file: str, listed: Mapping[str, str]) -> bytes:
    """The content of a file, compared with the SHA-256 that the manifest lists. Raises: Tampered."""
    content = (folder / file).read_bytes()
    if hashlib.sha256(content).hexdigest() != listed.get(file):
        raise Tampered(folder.name, file, "is not what the manifest says (its SHA-256 differs)")
    return content


def verify(folder: Path) -> Bundle:
    """The record of the bundle in `folder`, after comparing every file with the manifest.

    Raises: Tampered, naming the first file that is changed, missing or unexpected.
    """
    bundle, listed = read_manifest(folder)
    compare_files(folder, listed)
    return bundle


def read_manifest(folder: Path) -> tuple[Bundle, dict[str, str]]:
    """The manifest's record, and its SHA-256 of each file."""
    name = folder.name
    try:
        text = _manifest(folder)
        manifest = orjson.loads(text)
        if manifest["format"] > FORMAT:
            raise BundleError(name, f"its format {manifest['format']} is newer than {FORMAT}", "Upgrade proveout")
        identity, provenance = manifest["identity"], manifest["provenance"]
        listed: dict[str, str] = {**provenance["files"], **identity["files"]}
        stated = tuple(Metric(name=n, value=float(v)) for n, v in sorted(provenance["metrics"].items()))
        bundle = Bundle(
            model=identity["model"],
            digest=Digest(manifest["digest"]),
            manifest=Digest(hashlib.sha256(text).hexdigest()),
            snapshot=Digest(provenance["snapshot"]),
            metrics=stated,
            trained_at=provenance["trained_at"],
            run=provenance["run"],
            git_commit=provenance["git_commit"],
            split=from_json(cast(Any, Split), canonical(provenance["split"])),
            task=from_json(TaskFacts, canonical(provenance["task"])),
            bytes=sum((folder / file).stat().st_size for file in listed if (folder / file).is_file()),
        )
    except FileNotFoundError as error:
        raise Tampered(name, MANIFEST, "is missing") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Tampered(name, MANIFEST, "is not readable as a manifest") from error
    if digest_of(identity) != bundle.digest:
        raise Tampered(name, MANIFEST, "does not have the digest that its identity gives")
    if len(name) == len(bundle.digest) and name != bundle.digest:
        raise Tampered(name, MANIFEST, f"is the one of another bundle, {bundle.digest[:12]}")
    return bundle, listed


def _manifest(folder: Path) -> bytes:
    file = folder / MANIFEST
    if not stat.S_ISREG(file.lstat().st_mode) or file.lstat().st_size > _MOST_MANIFEST_BYTES:
        raise Tampered(folder.name, MANIFEST, "is no file, or far too large for a manifest")
    return file.read_bytes()


def compare_files(folder: Path, listed: Mapping[str, str]) -> None:
    """Return if the files in `folder` match the manifest. Raises: Tampered, naming the first that does not."""
    present = set(file_names(folder)) - {MANIFEST}
    for file in sorted(present | set(listed)):
        if file not in listed:
            raise Tampered(folder.name, file, "is not in the manifest")
        if file not in present or not stat.S_ISREG((folder / file).lstat().st_mode):
            raise Tampered(folder.name, file, "is missing")  # a link points elsewhere, and reading a pipe would block
        with (folder / file).open("rb") as opened:  # in portions, because it may not fit into memory
            if hashlib.file_digest(opened, "sha256").hexdigest() != listed[file]:
                raise Tampered(folder.name, file, "is not what the manifest says (its SHA-256 differs)")


def file_names(folder: Path) -> list[str]:
    """Each file below `folder`, relative to it, in order."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir() or path.is_symlink())


def file_digests(folder: Path, only: Collection[str] | None = None) -> dict[str, str]:
    """The SHA-256 of each file below `folder`, or of those in `only`, by its name."""
    return {
        file: hashlib.sha256((folder / file).read_bytes()).hexdigest()
        for file in file_names(folder)
        if only is None or file in only
    }
