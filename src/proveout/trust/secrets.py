"""Secrets of this installation: 32 random bytes each, created on first use, or a text from the environment.

Input: the keys folder and a name. Output: bytes that are in no ledger, backup or log of the project. Without the
`key-pepper`, a stolen ledger does not reveal any API key. Without the `pii-key`, pseudonyms cannot be guessed back.
Machines that share a ledger must share these secrets too, through the environment.
"""

import os
import secrets
from pathlib import Path

from proveout.errors import ConfigError
from proveout.trust import secret_files

KEY_PEPPER = "key-pepper"
"""Hashes API keys; `PROVEOUT_KEY_PEPPER` in the environment."""

PII_KEY = "pii-key"
"""Makes pseudonyms; `PROVEOUT_PII_KEY` in the environment."""

_BYTES = 32


def secret(folder: Path, name: str) -> bytes:
    """The secret `name`: from the environment, else from its file in `folder`, which is created if it is missing.

    Raises: ConfigError if it is too short, or others may read the file.
    """
    variable = f"PROVEOUT_{name.upper().replace('-', '_')}"
    remedy = 'Make one: python -c "import secrets; print(secrets.token_hex())"'
    if value := os.environ.get(variable):
        if len(value.encode()) < _BYTES:
            raise ConfigError(variable, f"has fewer than {_BYTES} bytes", remedy)
        return value.encode()
    file = folder / name
    if not file.exists():
        secret_files.place(file, secrets.token_bytes(_BYTES), mode=0o600)
    found = secret_files.read(file)
    if len(found) < _BYTES:
        raise ConfigError(str(file), f"has fewer than {_BYTES} bytes", f"Restore it from a backup. {remedy}")
    return found
