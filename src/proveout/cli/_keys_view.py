"""API keys as text for a terminal.

Input: records. Output: text. Only the record of a new key holds the key itself.
"""

from collections.abc import Sequence

from proveout.cli._terminal import fact, moment, page, plain, table
from proveout.records.api_key import ApiKey
from proveout.trust.api_keys import NewKey


def made(created: NewKey) -> str:
    """A new key. It is shown only here."""
    key = created.key
    lines = [
        f"created   {plain(key.name)}   {key.id}",
        fact("key", created.text),
        fact("", "shown only once: store it with your secrets"),
        fact("may", f"{', '.join(key.scopes)}, as tenant {plain(key.tenant)}"),
        fact("limits", _limits(key)),
    ]
    return page(lines, "proveout keys list")


def listed(keys: Sequence[ApiKey]) -> str:
    """All keys, the oldest first."""
    if not keys:
        return page(["none   no API keys"], "proveout keys create NAME")
    used = sum(key.revoked_at is None for key in keys)
    rows = [
        (
            key.id, plain(key.name), plain(key.tenant), ", ".join(key.scopes), _limits(key), moment(key.created_at),
            f"revoked {moment(key.revoked_at)}" if key.revoked_at else "in use",
        )
        for key in keys
    ]  # fmt: skip
    lines = [f"{used} of {len(keys)} {'key' if len(keys) == 1 else 'keys'} in use"]
    lines += table(("id", "name", "tenant", "scopes", "limits", "made", ""), rows)
    return page(lines, 'proveout keys revoke NAME --reason "…"')


def revoked(key: ApiKey, *, unchanged: bool) -> str:
    """The confirmation that a key is revoked."""
    word = "unchanged" if unchanged else "revoked"
    return page([f"{word}   {plain(key.name)}   {key.id} since {moment(key.revoked_at or '')}"], "proveout keys list")


def _limits(key: ApiKey) -> str:
    told = [
        f"{key.rate_per_s:g}/s" if key.rate_per_s else "",
        f"{key.burst} at once" if key.burst else "",
        f"{key.per_day:,} a day" if key.per_day else "",
    ]
    return ", ".join(part for part in told if part) or "none"
