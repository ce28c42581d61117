"""Signing with ed25519: approvals to serve a bundle, and checking them.

Input: an approving verdict with its ledger entry; later an approval and a bundle. Output: a signed approval; later
nothing, or NotApproved with the reason. Trusted keys are the `<id>.pub` files in the keys folder: add a file to trust a
key, remove it to stop. People's keys are created and checked here, too; `approvals` decides which of them count. Only
importer of cryptography.
"""

import base64
import binascii
import hashlib
import os
import re
from dataclasses import replace
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from proveout.errors import BadSignature, ConfigError, NotApproved, UsageError
from proveout.ledger.timestamps import utc
from proveout.records.bundle import Bundle
from proveout.records.json_form import canonical, to_json
from proveout.records.ledger_entry import Entry
from proveout.records.release import Approval
from proveout.records.verdict import Verdict
from proveout.trust import secret_files

PRIVATE_KEY_VARIABLE = "PROVEOUT_SIGNING_KEY"
_PRIVATE_KEY_FILE = "signing.key"


class PrivateKey:
    """An ed25519 key that signs.

    Args:
        pem: PKCS8, without a passphrase.
        where: the origin of the key, for the error.
    Raises: ConfigError if `pem` is not such a key.
    """

    def __init__(self, pem: bytes, where: str) -> None:
        self._private = _load(pem, where)
        self.id = _id(self._private.public_key())  # the first 16 hexadecimal digits of the public half's SHA-256

    def __repr__(self) -> str:  # keeps the key out of logs
        return f"PrivateKey({self.id})"

    def sign(self, payload: bytes) -> str:
        """The signature of `payload`, in base64."""
        return base64.b64encode(self._private.sign(payload)).decode()

    def public_pem(self) -> bytes:
        """The public key."""
        return self._private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )


def new_key() -> bytes:
    """A new private key, in the form that `PrivateKey` reads."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def check_signature(file: Path, payload: bytes, key_id: str, signature: str) -> None:
    """Return if `signature` is a valid signature of `payload` by the key in `file`, and that key has the id `key_id`.

    Raises: BadSignature if not.
    """
    public = _public(file, key_id)
    if _id(public) != key_id:
        raise BadSignature(key_id[:40], f"{file} holds another key")
    _check(public, payload, key_id, signature)


class Keyring:
    """The private key that signs here, and the public keys that are trusted here.

    The private key is the PEM text in `PROVEOUT_SIGNING_KEY`, else `signing.key` in `folder`, created on first use.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def key_id(self) -> str:
        """The id of the signing key: the first 16 hexadecimal digits of its public key's SHA-256."""
        return self._private_key().id

    def sign(self, payload: bytes) -> tuple[str, str]:
        """The id of the signing key and its signature of `payload`, in base64.

        Raises: ConfigError if the private key is not one, or others may read it.
        """
        private = self._private_key()
        return private.id, private.sign(payload)

    def verify(self, payload: bytes, key_id: str, signature: str) -> None:
        """Return if `signature` of `payload` is by a trusted key. Raises: BadSignature if not."""
        _check(self._public_key(key_id), payload, key_id, signature)

    def _public_key(self, key_id: str) -> Ed25519PublicKey:
        if not re.fullmatch(r"[0-9a-f]{16}", key_id):  # it comes from the approval and must not be a path
            raise BadSignature(key_id[:40], "a key's id has 16 hexadecimal digits")
        file = self.folder / f"{key_id}.pub"
        if not file.exists():
            raise BadSignature(key_id, f"that key is not trusted here. To trust it, put {key_id}.pub in {self.folder}")
        public = _public(file, key_id)
        if _id(public) != key_id:
            raise BadSignature(key_id, f"{file} holds another key than its name says")
        return public

    def _private_key(self) -> PrivateKey:
        pem = os.environ.get(PRIVATE_KEY_VARIABLE)
        private = PrivateKey(unfolded(pem), PRIVATE_KEY_VARIABLE) if pem else self._own_key()
        self._trust_first(private)
        return private

    def _own_key(self) -> PrivateKey:
        file = self.folder / _PRIVATE_KEY_FILE
        if not file.exists():
            secret_files.place(file, new_key(), mode=0o600)
        return PrivateKey(secret_files.read(file), str(file))

    def _trust_first(self, private: PrivateKey) -> None:
        """Trust the own key if no key is trusted yet. After that, people decide which keys to trust."""
        if not any(self.folder.glob("*.pub")):
            secret_files.place(self.folder / f"{private.id}.pub", private.public_pem(), mode=0o644)


def unfolded(pem: str) -> bytes:
    """A key from the environment. CI systems keep secrets on one line, with line breaks written as `\\n`."""
    return pem.replace("\\n", "\n").encode()


def approve(verdict: Verdict, entry: Entry, *, keyring: Keyring, approved_at: str, expires_at: str) -> Approval:
    """A signed approval of the bundle that `verdict` approved, valid until `expires_at`.

    Args:
        entry: the ledger's entry of this verdict.
    Raises: NotApproved if the verdict refuses; UsageError if `entry` is not of this verdict, or `expires_at` is not
        after `approved_at`.
    """
    if verdict.outcome != "approved":
        raise NotApproved(f"{verdict.model}@{verdict.candidate[:12]}", "the gate refused it")
    if entry.body != to_json(verdict):
        raise UsageError(f"Entry {entry.seq} of the ledger is not this verdict: there is nothing to sign.")
    if utc(expires_at) <= utc(approved_at):
        raise UsageError(f"An approval from {approved_at} cannot end at {expires_at}.")
    unsigned = Approval(
        model=verdict.model,
        bundle=verdict.candidate,
        manifest=verdict.manifest,
        data=verdict.data,
        checks=verdict.checks,
        verdict=entry.hash,
        approved_at=utc(approved_at),
        expires_at=utc(expires_at),
        key=keyring.key_id(),
        signature="",
    )
    _, signature = keyring.sign(_payload(unsigned))
    return replace(unsigned, signature=signature)


def check_approval(approval: Approval, *, bundle: Bundle, keyring: Keyring, at: str) -> None:
    """Return if `approval` is valid for `bundle` at `at`. Raises: NotApproved with the reason."""
    try:
        keyring.verify(_payload(approval), approval.key, approval.signature)
    except BadSignature as error:
        raise NotApproved(bundle.name, f"the signature by key {error.key} is invalid: {error.why}") from error
    # The signature is valid: now the content can be trusted.
    for what, approved, actual in (
        ("model", approval.model, bundle.model),
        ("bundle", approval.bundle, bundle.digest),
        ("manifest", approval.manifest, bundle.manifest),
    ):
        if approved != actual:
            raise NotApproved(bundle.name, f"its approval is for another {what}: {approved[:12]}, not {actual[:12]}")
    if utc(at) >= utc(approval.expires_at):
        raise NotApproved(bundle.name, f"its approval ended at {approval.expires_at}")


def _payload(approval: Approval) -> bytes:
    return canonical({name: value for name, value in vars(approval).items() if name != "signature"})


def _id(public: Ed25519PublicKey) -> str:
    return hashlib.sha256(public.public_bytes_raw()).hexdigest()[:16]


def _public(file: Path, key_id: str) -> Ed25519PublicKey:
    try:
        public = serialization.load_pem_public_key(file.read_bytes())
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise BadSignature(key_id[:40], f"{file} cannot be read as a public key in PEM form") from error
    if not isinstance(public, Ed25519PublicKey):
        raise BadSignature(key_id[:40], f"{file} holds another key than one of ed25519")
    return public


def _check(public: Ed25519PublicKey, payload: bytes, key_id: str, signature: str) -> None:
    try:
        raw = base64.b64decode(signature, validate=True)
        # Base64 of 64 bytes has four unused bits, so one signature has 16 spellings: only one is accepted.
        if base64.b64encode(raw).decode() != signature:
            raise InvalidSignature
        public.verify(raw, payload)
    except (InvalidSignature, binascii.Error, ValueError) as error:
        raise BadSignature(key_id, "the text was changed, or signed with another key") from error


def _load(pem: bytes, where: str) -> Ed25519PrivateKey:
    remedy = "Make one: openssl genpkey -algorithm ed25519"
    try:
        private = serialization.load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as error:
        raise ConfigError(where, "is not a private key in PEM form without a passphrase", remedy) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise ConfigError(where, "is a private key, but none of ed25519", remedy)
    return private
