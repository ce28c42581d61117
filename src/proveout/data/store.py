"""Content-addressed folders: snapshots, batches, bundles. A folder appears completely or not at all, and never changes.

Input: a kind, a digest and a function that fills an empty folder. Output: the path of the folder. The address is a
local folder or `s3://bucket/prefix`; a shared store is mirrored into a local folder on demand. Only importer of boto3
(extra `s3`).
"""

import json
import shlex
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from proveout.errors import ConfigError, NotFound, UsageError
from proveout.records.values import Digest

Kind = Literal["batches", "snapshots", "bundles"]
SHORTEST_PREFIX = 6
_COMPLETE = "_complete.json"  # uploaded last: a folder without it does not exist yet


class Store:
    """Folders by digest below `address`.

    Args:
        address: a folder, or `s3://bucket/prefix`.
        cache: where folders of a shared store are mirrored to; needed for `s3://` only.
    """

    def __init__(self, address: str, cache: Path | None = None) -> None:
        if "://" in address and not address.startswith("s3://"):
            raise ConfigError(
                "store_url", f"{address} is neither a folder nor s3://…", "Write PROVEOUT_STORE_URL as one"
            )
        self._shared = _Bucket(address) if address.startswith("s3://") else None
        if self._shared is None:
            self._local = Path(address)
        elif cache is None:
            raise ConfigError("store_url", f"{address} is shared and no local folder mirrors it", "Pass `cache`")
        else:
            self._local = cache

    def put(self, kind: Kind, digest: str, fill: Callable[[Path], None]) -> Path:
        """The folder of `digest`, filled by `fill` if it is not there yet. What raises in `fill` leaves nothing."""
        folder = self._local / kind / digest
        if not folder.is_dir():
            _place(folder, fill)
        if self._shared is not None:
            self._shared.upload(f"{kind}/{digest}", folder)
        return folder

    def folder(self, kind: Kind, digest: str) -> Path:
        """Where the files of `digest` lie, locally. Raises: NotFound."""
        folder = self._local / kind / digest
        shared = self._shared
        if not folder.is_dir() and shared is not None and shared.has(f"{kind}/{digest}"):
            _place(folder, lambda empty: shared.download(f"{kind}/{digest}", empty))
        if not folder.is_dir():
            raise NotFound(_singular(kind), digest[:12], f"List them: ls {shlex.quote(str(self._local / kind))}")
        return folder

    def find(self, kind: Kind, prefix: str) -> Digest:
        """The one digest that starts with `prefix` (6 digits or more). Raises: NotFound, UsageError if several do."""
        if len(prefix) < SHORTEST_PREFIX or any(c not in "0123456789abcdef" for c in prefix):
            raise UsageError(f"{prefix!r} names no {_singular(kind)}: give 6 or more hexadecimal digits of its digest.")
        found = sorted(digest for digest in self.digests(kind) if digest.startswith(prefix))
        if not found:
            raise NotFound(_singular(kind), prefix, f"List them: ls {shlex.quote(str(self._local / kind))}")
        if len(found) > 1:
            raise UsageError(f"{prefix} names {len(found)} {kind}: give more digits of the digest.")
        return found[0]

    def digests(self, kind: Kind) -> frozenset[Digest]:
        """The digest of every folder there is."""
        local = self._local / kind
        names = {path.name for path in local.iterdir() if not path.name.startswith(".")} if local.is_dir() else set()
        if self._shared is not None:
            names |= self._shared.names(kind)
        return frozenset(Digest(name) for name in names)


def _singular(kind: Kind) -> str:
    return {"batches": "batch", "snapshots": "snapshot", "bundles": "bundle"}[kind]


def _place(folder: Path, fill: Callable[[Path], None]) -> None:
    """Fill a folder beside the wanted one and rename it into place, so that a crash leaves nothing half-written."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(prefix=".building-", dir=folder.parent))
    try:
        fill(building)
        building.chmod(0o755)  # mkdtemp makes it private; the server may run as somebody else
        try:
            building.rename(folder)
        except OSError:
            # Somebody was faster with the same content: theirs is ours.
            if not folder.is_dir():
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


class _Bucket:
    """The folders of a shared store, as objects below a prefix."""

    def __init__(self, address: str) -> None:
        try:
            import boto3
        except ModuleNotFoundError as error:
            raise ConfigError("store_url", "s3:// needs boto3", "Install it: pip install 'proveout[s3]'") from error
        # By hand: a key may have a ? or a # in it, where a URL would end.
        self._bucket, _, prefix = address.removeprefix("s3://").partition("/")
        self._prefix = prefix.strip("/")
        # Endpoint, region and credentials: the usual AWS_* variables; AWS_ENDPOINT_URL_S3 names another server.
        self._client: Any = boto3.client("s3")

    def _key(self, *parts: str) -> str:
        return "/".join(part for part in (self._prefix, *parts) if part)

    def has(self, name: str) -> bool:
        from botocore.exceptions import ClientError

        try:
            self._client.head_object(Bucket=self._bucket, Key=self._key(name, _COMPLETE))
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey", "NotFound"}:
                return False
            raise
        return True

    def upload(self, name: str, folder: Path) -> None:
        if self.has(name):
            return
        files = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        for file in files:
            self._client.upload_file(str(folder / file), self._bucket, self._key(name, file))
        self._client.put_object(
            Bucket=self._bucket, Key=self._key(name, _COMPLETE), Body=json.dumps({"files": files}).encode()
        )

    def download(self, name: str, empty: Path) -> None:
        complete = self._client.get_object(Bucket=self._bucket, Key=self._key(name, _COMPLETE))["Body"].read()
        for file in json.loads(complete)["files"]:
            target = (empty / file).resolve()
            if not target.is_relative_to(empty.resolve()):
                raise NotFound("file", file, "The shared store names a path outside its folder: do not use it.")
            target.parent.mkdir(parents=True, exist_ok=True)
            self._client.download_file(self._bucket, self._key(name, file), str(target))

    def names(self, kind: Kind) -> set[str]:
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._key(kind) + "/", Delimiter="/"
        )
        folders = (common["Prefix"] for page in pages for common in page.get("CommonPrefixes", []))
        return {folder.rstrip("/").rpartition("/")[2] for folder in folders}
