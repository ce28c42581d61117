"""model/manifest.py: a file that is changed, missing or added is found and named."""

import json
import shutil

import pytest

from proveout.errors import BundleError, Tampered
from proveout.model import bundle
from proveout.model.manifest import MANIFEST, verify


def test_one_flipped_byte_in_any_file_is_found_and_named(packed):
    """Every file, at its start, middle and end: none may be served changed."""
    files = [path for path in packed.rglob("*") if path.is_file()]
    assert len(files) >= 12
    for file in files:
        whole = file.read_bytes()
        for place in {0, len(whole) // 2, len(whole) - 1}:
            file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
            if file.name == MANIFEST:
                # A flip in the text of the provenance alone is caught by the approval, which signs the whole manifest.
                try:
                    changed = verify(packed).manifest
                except (Tampered, BundleError):
                    continue
                file.write_bytes(whole)
                assert changed != verify(packed).manifest
            else:
                with pytest.raises(Tampered) as found:
                    verify(packed)
                assert found.value.file == str(file.relative_to(packed))
        file.write_bytes(whole)
    verify(packed)


def test_a_missing_an_added_and_a_linked_file_are_found(packed, tmp_path):
    """Bytecode beside the features would be run instead of them; a link may point anywhere tomorrow."""
    (packed / "code" / "__pycache__").mkdir()
    (packed / "code" / "__pycache__" / "features.cpython-311.pyc").write_bytes(b"evil")
    with pytest.raises(Tampered, match="is not in the manifest"):
        bundle.open_bundle(packed)
    shutil.rmtree(packed / "code" / "__pycache__")

    metrics = packed / "metrics.json"
    whole = metrics.read_bytes()
    (tmp_path / "elsewhere").write_bytes(whole)
    metrics.unlink()
    with pytest.raises(Tampered, match=r"metrics\.json is missing"):
        verify(packed)
    metrics.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Tampered, match=r"metrics\.json is missing"):
        verify(packed)


def test_a_bundle_under_another_bundles_name_is_refused(packed):
    """Swapping folders must not swap models."""
    moved = packed.with_name("f" * 64)
    packed.rename(moved)

    with pytest.raises(Tampered, match="another bundle"):
        verify(moved)


def test_a_newer_format_asks_for_a_newer_proveout(packed):
    """Not a KeyError."""
    manifest = json.loads((packed / MANIFEST).read_text())
    (packed / MANIFEST).write_text(json.dumps({**manifest, "format": 99}))

    with pytest.raises(BundleError, match="Upgrade proveout"):
        verify(packed)
