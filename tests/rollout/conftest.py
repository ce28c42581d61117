"""A ledger with bundles and keys, whose releases are made minute by minute."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from registry_toy import Registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    made = Registry(tmp_path)
    yield made
    made.ledger.close()
