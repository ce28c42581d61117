"""API keys over a real ledger, and the secrets of an installation in real files."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from proveout.errors import ConfigError, Conflict, NotFound, UsageError
from proveout.ledger.ledger import Ledger
from proveout.records.api_key import ApiKey
from proveout.records.json_form import to_json
from proveout.trust import api_keys, secrets
from proveout.trust.api_keys import NewKey

AT, LATER = "2013-06-01T10:00:00.000+00:00", "2013-06-02T10:00:00.000+00:00"
PEPPER = b"p" * 32


@pytest.fixture(autouse=True)
def nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROVEOUT_KEY_PEPPER", "PROVEOUT_PII_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(f"sqlite:///{tmp_path / 'ledger.db'}") as opened:
        yield opened


def create(ledger: Ledger, name: str = "shop", **changes: object) -> NewKey:
    asked = {"name": name, "tenant": "acme", "scopes": ["predict"], "by": "ada", "reason": "they asked", "at": AT}
    return api_keys.create(ledger, PEPPER, **{**asked, **changes})


# --- keys ---------------------------------------------------------------------------------------------------------


def test_a_key_is_known_by_the_hmac_of_its_secret_alone(ledger: Ledger, tmp_path: Path) -> None:
    """Who reads the ledger, or a copy of it, cannot call the server."""
    made = create(ledger, rate_per_s=5.0, burst=10, per_day=1_000, scopes=["metrics", "predict"])

    start, id_, secret = made.text.split("_", 2)
    assert (start, id_, len(secret)) == ("po", made.key.id, 43)
    assert api_keys.known(ledger) == (made.key,)
    assert made.key.mac == api_keys.mac_of(PEPPER, secret)
    assert made.key.mac != api_keys.mac_of(b"q" * 32, secret)
    assert (made.key.scopes, made.key.rate_per_s, made.key.per_day) == (("predict", "metrics"), 5.0, 1_000)
    assert made.text not in repr(made)
    assert secret not in repr(made)
    ledger.close()
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("ledger.db*"))
    assert made.key.mac.encode() in stored
    assert secret.encode() not in stored


def test_two_keys_never_share_a_secret(ledger: Ledger) -> None:
    """Random, not counted up."""
    assert len({create(ledger, f"key {n}").text for n in range(50)}) == 50


def test_a_revoked_key_stays_in_the_book_and_stays_revoked(ledger: Ledger) -> None:
    """Who could call when is a question of the auditors."""
    made, other = create(ledger), create(ledger, "other")

    revoked = api_keys.revoke(ledger, "shop", by="bob", reason="lost laptop", at=LATER)

    assert revoked == replace(made.key, revoked_at=LATER)
    assert api_keys.known(ledger) == (revoked, other.key)
    assert api_keys.revoke(ledger, made.key.id, by="bob", reason="again", at="2014-01-01") == revoked
    assert [(e.kind, e.actor, e.reason) for e in ledger.entries(subject=made.key.id)] == [
        ("key", "ada", "they asked"),
        ("key", "bob", "lost laptop"),
    ]
    # Whoever can append cannot bring it back either.
    ledger.append("key", made.key.id, made.key, actor="eve", reason="-", at=LATER)
    assert api_keys.known(ledger)[0].revoked_at == LATER
    assert create(ledger).key.id != made.key.id  # the name may be used again


def test_a_key_is_named_by_its_name_or_its_first_digits_or_all_of_it(ledger: Ledger) -> None:
    """In a hurry people paste what they have: also the key itself, which is then said nowhere."""
    made = create(ledger)

    for name in ("shop", made.key.id, made.key.id[:6], made.text):
        assert api_keys.find(ledger, name) == made.key
    with pytest.raises(NotFound) as missing:
        api_keys.find(ledger, "po_ffffffffffff_hush-hush-hush-hush")
    assert "hush" not in str(missing.value)
    with pytest.raises(NotFound):
        api_keys.find(ledger, "")
    ids = {create(ledger, f"key {n}").key.id[0] for n in range(40)}
    assert len(ids) > 1
    with pytest.raises(UsageError, match="begins the ids of"):
        for digit in "0123456789abcdef":
            if sum(key.id.startswith(digit) for key in api_keys.known(ledger)) > 1:
                api_keys.find(ledger, digit)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"name": " "}, "needs a name"),
        ({"tenant": ""}, "and a tenant"),
        ({"scopes": []}, "Given: none"),
        ({"scopes": ["predict", "root"]}, "Given: predict, root"),
        ({"rate_per_s": 0.0}, "limits must be above zero"),
        ({"per_day": -1}, "limits must be above zero"),
        ({"burst": float("nan")}, "limits must be above zero"),
        ({"reason": ""}, "who made it and why"),
    ],
)
def test_a_key_that_cannot_be_meant_is_not_made(ledger: Ledger, changes: dict[str, object], sentence: str) -> None:
    """A limit of zero would be a revoked key that nobody finds."""
    with pytest.raises(UsageError, match=sentence):
        create(ledger, **changes)
    create(ledger)
    with pytest.raises(UsageError, match="A key called shop is in use"):
        create(ledger)
    assert len(ledger.entries()) == 1


def test_of_two_who_make_a_key_of_one_name_at_once_one_wins(ledger: Ledger) -> None:
    """Otherwise `keys revoke NAME` would revoke one of the two."""
    start = Barrier(2)

    def go(_: int) -> bool:
        start.wait()
        try:
            create(ledger)
        except (Conflict, UsageError):
            return False
        return True

    with ThreadPoolExecutor(2) as two:
        assert sum(two.map(go, range(2))) == 1
    assert len(api_keys.known(ledger)) == 1


# --- secrets of the installation ----------------------------------------------------------------------------------


def test_a_secret_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    """Another pepper would turn every key away."""
    folder = tmp_path / "keys"
    made = secrets.secret(folder, secrets.KEY_PEPPER)

    assert len(made) == 32
    assert secrets.secret(folder, secrets.KEY_PEPPER) == made
    assert secrets.secret(folder, secrets.PII_KEY) != made
    assert (folder / "key-pepper").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700

    (folder / "key-pepper").chmod(0o644)
    with pytest.raises(ConfigError, match="others may read"):
        secrets.secret(folder, secrets.KEY_PEPPER)
    (folder / "key-pepper").chmod(0o600)
    (folder / "key-pepper").write_bytes(b"short")
    with pytest.raises(ConfigError, match="fewer than 32 bytes"):
        secrets.secret(folder, secrets.KEY_PEPPER)


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several machines behind one ledger have one pepper; a container has no folder that stays."""
    monkeypatch.setenv("PROVEOUT_KEY_PEPPER", "e" * 64)
    assert secrets.secret(tmp_path / "none", secrets.KEY_PEPPER) == b"e" * 64
    assert not (tmp_path / "none").exists()

    monkeypatch.setenv("PROVEOUT_PII_KEY", "hunter2")
    with pytest.raises(ConfigError) as short:
        secrets.secret(tmp_path, secrets.PII_KEY)
    assert "PROVEOUT_PII_KEY" in str(short.value)
    assert "hunter2" not in str(short.value)


def test_eight_processes_that_need_a_secret_at_once_agree_on_one(tmp_path: Path) -> None:
    """API processes start together; with two peppers half of the keys would be turned away."""
    code = (
        "import sys; from pathlib import Path; from proveout.trust.secrets import secret\n"
        "print(secret(Path(sys.argv[1]), 'pii-key').hex())"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path / "keys")], stdout=subprocess.PIPE, text=True)
        for _ in range(8)
    ]
    said = {process.communicate()[0].strip() for process in started}

    assert said == {(tmp_path / "keys" / "pii-key").read_bytes().hex()}
    assert [file.name for file in (tmp_path / "keys").iterdir()] == ["pii-key"]


def test_a_key_record_is_json_without_its_secret(ledger: Ledger) -> None:
    """`keys list --json` and the desired state show what there is."""
    made = create(ledger)
    assert made.text.rpartition("_")[2] not in to_json(made.key)
    assert isinstance(made.key, ApiKey)
