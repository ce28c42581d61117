"""Real keys in real folders: who is trusted, what a signature binds, and what becomes of each fault."""

import base64
import stat
from concurrent.futures import ProcessPoolExecutor
from dataclasses import fields, replace
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from proveout.errors import BadSignature, ConfigError, NotApproved, UsageError
from proveout.ledger import hash_chain
from proveout.records.bundle import Bundle, Metric
from proveout.records.json_form import to_json
from proveout.records.ledger_entry import Entry
from proveout.records.release import Approval
from proveout.records.train_config import TimeSplit
from proveout.records.values import Digest
from proveout.records.verdict import Verdict
from proveout.trust.signing import PRIVATE_KEY_VARIABLE, Keyring, approve, check_approval

pytestmark = pytest.mark.usefixtures("no_signing_key")

APPROVED_AT, EXPIRES_AT = "2013-06-01T00:00:00.000+00:00", "2013-09-01T00:00:00.000+00:00"
DURING = "2013-07-01T00:00:00Z"

BUNDLE = Bundle(
    model="flight-delay",
    digest=Digest("b" * 64),
    manifest=Digest("c" * 64),
    snapshot=Digest("d" * 64),
    metrics=(Metric(name="auc", value=0.77),),
    trained_at="2013-05-31T00:00:00.000+00:00",
    run="TrainFlow/1",
    git_commit="unknown",
    split=TimeSplit(train_through="2013-04", holdout="2013-05"),
    bytes=1,
)
VERDICT = Verdict(
    model=BUNDLE.model,
    candidate=BUNDLE.digest,
    manifest=BUNDLE.manifest,
    data=BUNDLE.snapshot,
    checks=Digest("e" * 64),
    outcome="approved",
    passed=14,
    judged_at=APPROVED_AT,
)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "state" / "keys")


def entry_of(verdict: Verdict) -> Entry:
    return hash_chain.link(
        after=0,
        previous=hash_chain.START,
        at=verdict.judged_at,
        kind="verdict",
        subject=verdict.candidate,
        actor="gate",
        reason="-",
        body=to_json(verdict),
    )


@pytest.fixture
def approval(keyring: Keyring) -> Approval:
    return approve(VERDICT, entry_of(VERDICT), keyring=keyring, approved_at=APPROVED_AT, expires_at=EXPIRES_AT)


def pem(private: object) -> str:
    assert hasattr(private, "private_bytes")
    text: bytes = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return text.decode()


# --- keys ---------------------------------------------------------------------------------------------------------


def test_the_first_signature_makes_a_key_that_nobody_else_can_read(keyring: Keyring) -> None:
    """Who can read the private key can approve anything."""
    key_id, signature = keyring.sign(b"text")

    keyring.verify(b"text", key_id, signature)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in keyring.folder.iterdir()}
    assert modes == {"signing.key": 0o600, f"{key_id}.pub": 0o644}
    assert stat.S_IMODE(keyring.folder.stat().st_mode) == 0o700
    assert Keyring(keyring.folder).key_id() == key_id


def make_key(folder: str) -> str:
    return Keyring(Path(folder)).key_id()


def test_processes_that_make_the_key_at_once_end_up_with_one(tmp_path: Path) -> None:
    """Two flows start together in a new project; what one signs the other must be able to check."""
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        for attempt in range(10):
            folder = tmp_path / str(attempt)
            ids = set(pool.map(make_key, [str(folder)] * 4))
            assert {path.name for path in folder.iterdir()} == {"signing.key", *(f"{key_id}.pub" for key_id in ids)}
            assert len(ids) == 1


def test_a_private_key_that_others_can_read_is_not_used(keyring: Keyring) -> None:
    """It may be known by now."""
    keyring.sign(b"text")
    (keyring.folder / "signing.key").chmod(0o644)

    with pytest.raises(ConfigError, match=r"others may read this private key\. chmod 600"):
        keyring.sign(b"text")


@pytest.mark.parametrize("written", ["as it is", "on one line"])
def test_a_key_from_the_environment_signs_and_is_not_written_down(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch, written: str
) -> None:
    """CI has the key as a secret, and many CI systems keep secrets on one line."""
    text = pem(Ed25519PrivateKey.generate())
    monkeypatch.setenv(PRIVATE_KEY_VARIABLE, text.replace("\n", "\\n") if written == "on one line" else text)

    key_id, signature = keyring.sign(b"text")

    keyring.verify(b"text", key_id, signature)
    assert [path.name for path in keyring.folder.iterdir()] == [f"{key_id}.pub"]


def test_a_key_does_not_make_itself_trusted_where_somebody_is_trusted_already(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the server that knows CI's key, whoever runs the gate by hand must not become an approver by that."""
    trusted, _ = keyring.sign(b"text")
    monkeypatch.setenv(PRIVATE_KEY_VARIABLE, pem(Ed25519PrivateKey.generate()))

    stranger, signature = keyring.sign(b"text")

    assert stranger != trusted
    with pytest.raises(BadSignature, match=f"that key is not trusted here. To trust it, put {stranger}.pub in"):
        keyring.verify(b"text", stranger, signature)


def test_taking_a_public_key_away_ends_the_trust_in_it(keyring: Keyring, approval: Approval, tmp_path: Path) -> None:
    """A lost laptop: its approvals must not release anything any more."""
    other, _ = Keyring(tmp_path / "other").sign(b"")
    (tmp_path / "other" / f"{other}.pub").rename(keyring.folder / f"{other}.pub")
    (keyring.folder / f"{approval.key}.pub").unlink()

    with pytest.raises(NotApproved, match="that key is not trusted here"):
        check_approval(approval, bundle=BUNDLE, keyring=keyring, at=DURING)
    keyring.sign(b"text")  # and signing again does not bring it back
    assert not (keyring.folder / f"{approval.key}.pub").exists()


@pytest.mark.parametrize("text", ["", "no key", pem(generate_private_key(SECP256R1()))], ids=["empty", "text", "P-256"])
def test_a_secret_that_is_no_ed25519_key_is_refused_and_not_repeated(
    keyring: Keyring, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    """The error goes into a CI log; an empty secret is one that is not set."""
    monkeypatch.setenv(PRIVATE_KEY_VARIABLE, text)
    if not text:
        keyring.sign(b"text")
        assert (keyring.folder / "signing.key").is_file()
        return

    with pytest.raises(ConfigError, match=PRIVATE_KEY_VARIABLE) as refused:
        keyring.sign(b"text")
    assert text not in str(refused.value)


@pytest.mark.parametrize("key_id", ["../../etc/passwd", "", "ABCDEF0123456789", "0123456789abcdef/"])
def test_a_key_id_never_names_a_path(keyring: Keyring, key_id: str) -> None:
    """It is read from the approval before anything is known of it."""
    with pytest.raises(BadSignature, match="16 hexadecimal digits"):
        keyring.verify(b"text", key_id, "AAAA")


def test_a_public_key_under_the_name_of_another_is_refused(
    keyring: Keyring, approval: Approval, tmp_path: Path
) -> None:
    """Otherwise a file could be replaced and every approval would still name the trusted id."""
    other, _ = Keyring(tmp_path / "other").sign(b"")
    file = keyring.folder / f"{approval.key}.pub"
    file.write_bytes((tmp_path / "other" / f"{other}.pub").read_bytes())
    with pytest.raises(NotApproved, match="holds another key than its name says"):
        check_approval(approval, bundle=BUNDLE, keyring=keyring, at=DURING)

    file.write_text("nothing of the kind")
    with pytest.raises(NotApproved, match="cannot be read as a public key"):
        check_approval(approval, bundle=BUNDLE, keyring=keyring, at=DURING)


# --- approvals ----------------------------------------------------------------------------------------------------


def test_an_approval_holds_for_its_bundle_until_it_ends(keyring: Keyring, approval: Approval) -> None:
    """The last moment before the end counts, the end does not."""
    for moment in (APPROVED_AT, DURING, "2013-08-31T23:59:59.999Z"):
        check_approval(approval, bundle=BUNDLE, keyring=keyring, at=moment)
    for moment in (EXPIRES_AT, "2013-09-01T02:00:00+02:00", "2014-01-01"):
        with pytest.raises(NotApproved, match="its approval ended at 2013-09-01"):
            check_approval(approval, bundle=BUNDLE, keyring=keyring, at=moment)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"model": "churn"}, "its approval is for another model: flight-delay, not churn"),
        ({"digest": Digest("0" * 64)}, "its approval is for another bundle: bbbbbbbbbbbb, not 000000000000"),
        ({"manifest": Digest("0" * 64)}, "its approval is for another manifest: cccccccccccc, not 000000000000"),
    ],
)
def test_an_approval_is_for_one_bundle_only(
    keyring: Keyring, approval: Approval, change: dict[str, str], sentence: str
) -> None:
    """Same model, same identity, other provenance: still not what was judged."""
    with pytest.raises(NotApproved) as refused:
        check_approval(approval, bundle=replace(BUNDLE, **change), keyring=keyring, at=DURING)
    assert refused.value.why == sentence


@pytest.mark.parametrize("field", [field.name for field in fields(Approval) if field.name not in {"key", "signature"}])
def test_no_field_of_an_approval_can_be_changed(keyring: Keyring, approval: Approval, field: str) -> None:
    """Every digest is bound, and so is the time."""
    value = getattr(approval, field)
    other = value.replace("2013", "2014") if value.startswith("2013") else value[::-1].swapcase() + "0"
    changed = replace(approval, **{field: other})

    with pytest.raises(NotApproved, match=r"the signature by key .* is invalid"):
        check_approval(changed, bundle=BUNDLE, keyring=keyring, at=DURING)


def test_each_of_the_512_bits_of_a_signature_counts(keyring: Keyring, approval: Approval) -> None:
    """One flipped bit anywhere is another signature."""
    raw = base64.b64decode(approval.signature)
    for bit in range(512):
        flipped = bytearray(raw)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NotApproved, match="is invalid"):
            check_approval(
                replace(approval, signature=base64.b64encode(flipped).decode()),
                bundle=BUNDLE,
                keyring=keyring,
                at=DURING,
            )


@pytest.mark.parametrize("change", ["", "not base64!", "AAAA", "spare bits", "blank"])
def test_a_signature_can_be_written_in_one_way_only(keyring: Keyring, approval: Approval, change: str) -> None:
    """Base64 leaves four bits unused at the end; a changed text must not pass for the same signature."""
    spare = approval.signature[:-3] + chr(ord(approval.signature[-3]) + 1) + "=="
    text = {"spare bits": spare, "blank": f"{approval.signature}\n"}.get(change, change)

    with pytest.raises(NotApproved, match="is invalid"):
        check_approval(replace(approval, signature=text), bundle=BUNDLE, keyring=keyring, at=DURING)


def test_a_refusal_cannot_be_signed(keyring: Keyring) -> None:
    """Not even by somebody who has the key."""
    refused = replace(VERDICT, outcome="refused", failed=("checks/test_model.py::test_auc",))
    with pytest.raises(NotApproved, match="the gate refused it"):
        approve(refused, entry_of(refused), keyring=keyring, approved_at=APPROVED_AT, expires_at=EXPIRES_AT)


def test_an_approval_is_over_the_entry_of_its_own_verdict(keyring: Keyring) -> None:
    """It names the entry's hash: were it another verdict's, the ledger would prove the wrong thing."""
    other = entry_of(replace(VERDICT, passed=13))
    with pytest.raises(UsageError, match="is not this verdict"):
        approve(VERDICT, other, keyring=keyring, approved_at=APPROVED_AT, expires_at=EXPIRES_AT)
    with pytest.raises(UsageError, match="cannot end at"):
        approve(VERDICT, entry_of(VERDICT), keyring=keyring, approved_at=EXPIRES_AT, expires_at=EXPIRES_AT)
