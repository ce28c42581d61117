"""Reads a zip file without trusting its own directory.

Input: the bytes of an untrusted zip file. Output: its entries, or BundleError. Nothing is written to disk, and nothing
is inflated beyond `MOST_BYTES`, however small the file is.
"""

import io
import re
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping

from proveout.errors import BundleError

MOST_BYTES = 2**30
"""The largest zip file, packed and unpacked. A forest of a thousand deep trees takes a tenth of it."""

_MOST_DIRECTORY_BYTES = 2**24  # about 200,000 entries; the directory is read at once and takes ten times as much memory
_PORTION = 2**16  # inflated at once
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_START, _END, _LONG_END = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07"


def entries(
    packed: bytes,
    *,
    name: str,
    most: int = MOST_BYTES,
    objection: Callable[[Mapping[str, int]], str | None] = lambda sizes: None,
) -> dict[str, bytes]:
    """The content of each entry, by name.

    Args:
        name: names the file in errors.
        most: largest unpacked size in bytes.
        objection: returns a reason not to unpack it, given the size of each entry.
    Raises: BundleError if it is not a zip file, is damaged, unpacks to too much, or has entries that a model file never
        has: folders, paths, links, duplicate names, encrypted ones.
    """
    try:
        _refuse_directory(packed)
        with zipfile.ZipFile(io.BytesIO(packed)) as archive:
            listed = archive.infolist()
            _refuse_strange(listed, most=most)
            problem = objection({entry.filename: entry.file_size for entry in listed})
            if problem:
                raise ValueError(problem)
            return {entry.filename: _content(archive, entry) for entry in listed}
    except (zipfile.BadZipFile, zipfile.LargeZipFile, EOFError, OSError, ValueError, NotImplementedError) as error:
        raise BundleError(name, f"it cannot be opened as the file of a model: {error}", "Train again") from error
    except Exception as error:  # zlib has its own error class
        problem = f"it cannot be opened: {type(error).__name__}: {error}"
        raise BundleError(name, problem, "Train again") from error


def _refuse_directory(packed: bytes) -> None:
    """Check the size of the directory, given at the end of the file, before reading it."""
    if len(packed) > MOST_BYTES:
        raise ValueError(f"it has {len(packed):,} bytes, of {MOST_BYTES:,} at most")
    if not packed.startswith(_START) or packed[-22:-18] != _END or packed[-42:-38] == _LONG_END:
        raise ValueError("it is no zip file from its first byte to its last")
    (directory_bytes,) = struct.unpack("<L", packed[-10:-6])
    if directory_bytes > _MOST_DIRECTORY_BYTES:
        raise ValueError(f"its directory has {directory_bytes:,} bytes, of {_MOST_DIRECTORY_BYTES:,} at most")


def _refuse_strange(listed: list[zipfile.ZipInfo], *, most: int) -> None:
    names: set[str] = set()
    for entry in listed:
        # The name as written, because zipfile cuts names at NUL and converts backslashes.
        if not _PLAIN.fullmatch(entry.orig_filename) or entry.filename != entry.orig_filename:
            raise ValueError(f"its entry {entry.orig_filename!r:.80} is not a plain name")
        if stat.S_IFMT(entry.external_attr >> 16) not in {0, stat.S_IFREG}:
            raise ValueError(f"its entry {entry.filename:.80} is no file")
        if entry.flag_bits & 1 or entry.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
            raise ValueError(f"its entry {entry.filename:.80} is encrypted, or packed in a way that no model is")
        if entry.filename in names:
            raise ValueError(f"two of its entries are called {entry.filename:.80}")
        names.add(entry.filename)
    unpacked = sum(entry.file_size for entry in listed)
    if unpacked > most:
        raise ValueError(f"it unpacks to {unpacked:,} bytes, of {most:,} at most")


def _content(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    # In portions, because zipfile would inflate 2 GB at once before it checks the promised size.
    content = bytearray()
    with archive.open(entry) as unpacking:
        while portion := unpacking.read(_PORTION):
            content += portion
    if len(content) != entry.file_size:
        raise ValueError(f"its entry {entry.filename:.80} is cut off")
    return bytes(content)
