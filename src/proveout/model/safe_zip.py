"""Reading a zip file without trusting what the file says about itself.

Input: the bytes of a zip file from anywhere. Output: its entries, or BundleError. Nothing is written to a disk, and
nothing is inflated beyond `MOST_BYTES`, however small the file is.
"""

import io
import re
import stat
import struct
import zipfile
from collections.abc import Callable, Mapping

from proveout.errors import BundleError

MOST_BYTES = 2**30
"""A zip file may hold so much, packed and unpacked. A forest of a thousand deep trees takes a tenth of it."""

_MOST_DIRECTORY_BYTES = 2**24  # some 200,000 entries: the directory is read whole, and takes ten times as much memory
_PORTION = 2**16  # zipfile inflates as much at once as it is asked for
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_START, _END, _LONG_END = b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x07"


def entries(
    packed: bytes,
    *,
    name: str,
    most: int = MOST_BYTES,
    objection: Callable[[Mapping[str, int]], str | None] = lambda sizes: None,
) -> dict[str, bytes]:
    """The content of each entry, by its name.

    Args:
        name: what to call the file in an error.
        most: bytes that it may unpack to.
        objection: what speaks against unpacking it, by the size of each entry.
    Raises: BundleError if it is no zip file, is damaged, unpacks to more than it may, or has entries that no dump of a
    model has: folders, paths, links, two of one name, encrypted ones.
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
    except Exception as error:  # zlib has an error of its own
        problem = f"it cannot be opened: {type(error).__name__}: {error}"
        raise BundleError(name, problem, "Train again") from error


def _refuse_directory(packed: bytes) -> None:
    """Look at the end of the file, where zip says how large its directory is, before that is read."""
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
        # What was written, and not what zipfile made of it: it cuts names at a NUL and turns backslashes.
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
    # In portions: asked for all at once, zipfile inflates 2 GB before it looks how much the directory promised.
    content = bytearray()
    with archive.open(entry) as unpacking:
        while portion := unpacking.read(_PORTION):
            content += portion
    if len(content) != entry.file_size:
        raise ValueError(f"its entry {entry.filename:.80} is cut off")
    return bytes(content)
