"""Secrets of this installation: 32 random bytes each, made on first use, or text given in the environment.

Input: the keys folder and a name. Output: bytes that no ledger, backup or log of the project holds: without the
`key-pepper` a stolen ledger tells no API key, without the `pii-key` no pseudonym can be guessed back. Several machines
that share a ledger share these, too: by the environment.
"""

import os
import secrets
from pathlib import Path

from proveout.errors import ConfigError
from proveout.trust import secret_files

KEY_PEPPER = "key-pepper"
"""What API keys are hashed with; `PROVEOUT_KEY_PEPPER` in the environment."""

PII_KEY = "pii-key"
"""What pseudonyms are made with; `PROVEOUT_PII_KEY` in the environment."""

_BYTES = 32


def secret(folder: Path, name: str) -> bytes:
    """The secret `name`: from the environment, else from its file in `folder`, which is made if it is not there.

    Raises: ConfigError if it is too short to be one, or others may read the file.
    """
    variable = f"PROVEOUT_{name.upper().replace('-', '_')}"
    remedy = 'Make one: python -c "import secrets; print(secrets.token_hex())"'
    if given := os.environ.get(variable):
        if len(given.encode()) < _BYTES:
            raise ConfigError(variable, f"has fewer than {_BYTES} bytes", remedy)
        return given.encode()
    file = folder / name
    if not file.exists():
        secret_files.place(file, secrets.token_bytes(_BYTES), mode=0o600)
    found = secret_files.read(file)
    if len(found) < _BYTES:
        raise ConfigError(str(file), f"has fewer than {_BYTES} bytes", f"Restore it from a backup. {remedy}")
    return found
