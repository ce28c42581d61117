"""What a person is called, and what a key is, goes into the server and comes out nowhere: every sink is searched.

A real server, with keys, a shadow, a cache and a model that says in its errors what it was given. Two hundred names
that are in no dictionary go in on every route, in good requests and bad ones.

What a client calls its own request, and what it says in the text of its feedback, is the client's: it is kept as it
came, where it belongs (tables and journal), and must be in no other place.
"""

import json
import os
import random
import string
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import orjson
import pytest
import talkative_toy
from patience import PATIENCE_S, wait_until
from serving_live import Server
from serving_toy import apply, desired, release, request
from talkative_toy import lay_out_talkative
from typer.testing import CliRunner

from proveout.cli import main
from proveout.ledger.ledger import Ledger
from proveout.records.api_key import ApiKey
from proveout.records.prediction import Prediction
from proveout.records.values import now
from proveout.server.service.pseudonyms import PREFIX, Pseudonyms
from proveout.settings import load
from proveout.trust import api_keys
from proveout.trust.secrets import KEY_PEPPER, PII_KEY, secret

APP = Path(talkative_toy.__file__)
NAMES = 200
_LETTERS = random.Random(7)


def invented(count: int, start: str) -> list[str]:
    """Texts that are nowhere else, and fit the schema's pattern."""
    return [start + "".join(_LETTERS.choices(string.ascii_uppercase, k=16)) for _ in range(count)]


PEOPLE = invented(NAMES, "XQ")
SPOKEN = invented(10, "XF")  # in the text of feedback
OWN_IDS = invented(10, "XI")  # in the ids that clients give their requests
WRONG_SECRETS = invented(10, "XW")


class Planted:
    """A server that has been told everything, what it said, and the files it left."""

    def __init__(self, root: Path, scratch: Path) -> None:
        self.root, self.scratch = root, scratch
        self.said: dict[str, bytes] = {}
        self.keys: list[str] = []
        self.settings = load(root)

    def ask(self, path: str, body: bytes | None = None, *, key: int = 0, **headers: str) -> tuple[int, bytes]:
        """A request with one of the keys; what it says is kept, but for answers to /predict, which are the client's."""
        told = {
            "authorization": f"Bearer {self.keys[key]}",
            **{name.replace("_", "-"): v for name, v in headers.items()},
        }
        asked = urllib.request.Request(f"http://127.0.0.1:{self.server.port}{path}", data=body, headers=told)
        try:
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
                status, text = answer.status, answer.read()
        except HTTPError as error:
            status, text = error.code, error.read()
        self.said[f"{len(self.said)} {path[:30]} {status}"] = text
        return status, text

    def start(self) -> None:
        self.server = Server(
            self.root,
            app=APP,
            PROVEOUT_AUTH="on",
            PROVEOUT_CACHE_TTL_S="30",
            PROVEOUT_DEADLINE_S="30",
            TMPDIR=str(self.scratch),
        )
        self.server.wait_ready()

    def files(self) -> dict[str, bytes]:
        """Everything the server has written: state, journals, log, and its private folder."""
        found: dict[str, bytes] = {}
        for folder in (self.root, self.scratch):
            for path in sorted(folder.rglob("*")):
                if path.is_file() and path.suffix != ".pyc":
                    found[str(path)] = path.read_bytes()
        return found


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    root = lay_out_talkative(tmp_path_factory.mktemp("canaries") / "project")
    with tempfile.TemporaryDirectory(prefix="po-") as scratch:  # short: sockets lie in it
        there = Planted(root, Path(scratch))
        there.keys, known = made_keys(root)
        shadow = release("5had0w", role="shadow", share=1.0)
        apply(root, desired(keys=known, shadow=shadow))
        for made in (release(), shadow):
            with Ledger(there.settings.ledger) as ledger:
                ledger.append("release", made.bundle, made, actor="ada", reason="-", at=now())
        there.start()
        try:
            tell_everything(there)
            wait_drained(there)
            there.said["files, while it runs"] = b"".join(there.files().values())
        finally:
            there.server.stop()
        yield there


def made_keys(root: Path) -> tuple[list[str], tuple[ApiKey, ...]]:
    """Five keys, as `proveout keys create` makes them."""
    settings = load(root)
    pepper = secret(settings.keys_dir, KEY_PEPPER)
    with Ledger(settings.ledger) as ledger:
        made = [
            api_keys.create(
                ledger, pepper, name=f"key {number}", tenant="one", scopes=("predict", "feedback", "admin", "metrics"),
                by="ada", reason="-", at=now(),
            )
            for number in range(5)
        ]  # fmt: skip
        return [str(one.text) for one in made], api_keys.known(ledger)


def tell_everything(planted: Planted) -> None:
    """Each name on each route, in good requests and in bad ones."""
    record = lambda name, **changed: request(city=name, **changed)  # noqa: E731
    for place, name in enumerate(PEOPLE):
        key = place % len(planted.keys)
        good = json.dumps(record(name, number=place)).encode()
        assert planted.ask("/predict", good, key=key)[0] == 200
        if place % 10:
            continue
        for mode in ("raise", "nan", "rules-raise", "rules-nan", "short"):
            assert planted.ask("/predict", json.dumps(record(name, mode=mode)).encode(), key=key)[0] == 200
        spoiled: Mapping[str, Any] = {
            "lower": record(name.lower()), "long": record(name * 99), "list": record([name]),
            "object": record({name: name}), "elsewhere": request(number=name), "less": {"city": name},
            "more": {**record(name), "more": name},
            "mode": request(mode=name), "text": name, "deep": {"city": [[[name]]]},
        }  # fmt: skip
        for body in spoiled.values():
            assert 400 <= planted.ask("/predict", json.dumps(body).encode(), key=key)[0] < 500
        for raw in (
            good[:-5],
            good + good,
            b'{"city": "' + name.encode(),
            b"\xff" + good,
            good.replace(b"0.5", b"NaN"),
        ):
            assert 400 <= planted.ask("/predict", raw, key=key)[0] < 500
        some = [record(name), record(name.lower()), {"city": name}, record(name, mode="raise")]
        assert planted.ask("/predict/batch", json.dumps(some).encode(), key=key)[0] == 200
        lines = b"\n".join(json.dumps(one).encode() for one in [*some, name])
        assert planted.ask("/predict/batch", lines, key=key, content_type="application/x-ndjson")[0] == 200
        for city in ([name], [name.lower()], [[name]]):
            planted.ask("/v2/models/toy/infer", tensors(city), key=key)
        status, text = planted.ask(
            "/predict", json.dumps({**record(name, number=1), "explain": True}).encode(), key=key
        )
        assert status == 200
        for path in (f"/predict?city={name}", f"/predictions/{name}", f"/{name}"):
            planted.ask(path, good if "?" in path else None, key=key)
        planted.ask("/predict", good, key=key, cookie=name, user_agent=name, x_city=name, referer=f"http://x/{name}")
        planted.ask("/predict", good, key=key, x_proveout_deadline_ms=name)
        planted.ask("/feedback", json.dumps({"request_id": "a", "city": name, "wrong": name}).encode(), key=key)
        dossier = json.loads(text)["request_id"]
        assert eventually(planted, f"/predictions/{dossier}", key=key)
    for text, own in zip(SPOKEN, OWN_IDS, strict=True):
        planted.ask("/predict", json.dumps(request()).encode(), x_request_id=own)
        assert planted.ask("/feedback", json.dumps({"request_id": own, "text": text}).encode())[0] == 202
    for wrong in WRONG_SECRETS:
        taken = planted.keys[0].rpartition("_")[0]
        assert planted.ask("/predict", b"{}", authorization=f"Bearer {taken}_{wrong}{wrong}")[0] == 401
        assert planted.ask("/predict", b"{}", authorization="", x_api_key=wrong)[0] == 401
    for path in ("/metrics", "/readyz", "/startupz", "/livez", "/", "/docs", "/openapi.json", "/v2"):
        assert planted.ask(path)[0] == 200


def tensors(city: Any) -> bytes:
    kinds = {"number": ("INT64", [1]), "size": ("FP64", [0.5]), "city": ("BYTES", city), "mode": ("BYTES", ["fine"])}
    named = [{"name": n, "datatype": kind, "shape": [1], "data": data} for n, (kind, data) in kinds.items()]
    return orjson.dumps({"inputs": named})


def eventually(planted: Planted, path: str, *, key: int) -> bool:
    """Whether the dossier is there once its answer is drained."""
    wait_until(lambda: planted.ask(path, key=key)[0] == 200, path)
    return True


def wait_drained(planted: Planted) -> None:
    """Until the ledger has the last answer."""

    def drained() -> bool:
        with Ledger(planted.settings.ledger) as ledger:
            return ledger.prediction(OWN_IDS[-1]) is not None and bool(ledger.feedback_of(OWN_IDS[-1]))

    wait_until(drained, planted.server.said)


def command(planted: Planted, *arguments: str) -> tuple[int, bytes]:
    """The exit code of a command of proveout's, and all it said."""
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("PROVEOUT_")]:
            patched.delenv(name)
        patched.setenv("PROVEOUT_ROOT", str(planted.root))
        ran = CliRunner().invoke(main, list(arguments))
    return ran.exit_code, ran.output.encode() + ran.stderr.encode()


def found(texts: list[str], sinks: Mapping[str, bytes]) -> dict[str, int]:
    """How many of `texts` are in each sink that has any, in this writing or in small letters."""
    counts = {
        name: sum(text.encode() in sink or text.lower().encode() in sink for text in texts)
        for name, sink in sinks.items()
    }
    return {name: count for name, count in counts.items() if count}


# --- the sinks ----------------------------------------------------------------------------------------------------


def test_the_names_were_worked_with(planted):
    """Otherwise nothing would be found anywhere: the answers were logged, and the model did talk."""
    with Ledger(planted.settings.ledger) as ledger:
        logged = ledger.predictions()
        shadows = ledger.shadows()
    hidden = {str(row.record["city"]) for row in logged if isinstance(row, Prediction)}
    key = Pseudonyms(secret(planted.settings.keys_dir, PII_KEY))

    assert {key.name("city", name) for name in PEOPLE} <= hidden
    assert all(city == "None" or city.startswith(PREFIX) for city in hidden)
    assert "Talkative" in planted.server.said() or "talkative_toy" in planted.server.said()
    assert "RuntimeError: (text omitted: it may hold a value)" in planted.server.said()
    assert len(shadows) > 10
    print(f"{len(planted.said)} requests, {len(logged)} answers logged, {len(shadows)} of the shadow")


def test_no_name_is_in_anything_the_server_wrote(planted):
    """Journals, ledger with its write-ahead log, the server's log, what its processes tell each other."""
    files = planted.files()
    assert any(path.endswith("ledger.db") for path in files)
    assert any(path.endswith("server.log") for path in files)

    print(f"{NAMES} names in {len(files)} files, {sum(map(len, files.values())):,} bytes: 0 found")
    assert found(PEOPLE, files) == {}
    assert found(PEOPLE, {"while it ran": planted.said["files, while it runs"]}) == {}


def test_no_name_is_in_anything_the_server_said(planted):
    """Answers, problems, dossiers, metrics, readiness, pages: to the sender, too, nothing is said back."""
    print(f"{NAMES} names in {len(planted.said)} messages: 0 found")
    assert found(PEOPLE, planted.said) == {}


def test_no_name_is_in_what_the_commands_say(planted):
    """People read these aloud, and send them around."""
    said: dict[str, bytes] = {}
    for arguments in (
        ("compare", "--json"), ("compare",), ("alerts", "--json"), ("status", "--json"), ("keys", "list", "--json"),
        ("ledger", "verify"), ("history", "--at", now()),
    ):  # fmt: skip
        _, said[" ".join(arguments)] = command(planted, *arguments)
    assert b'"model":"toy"' in said["compare --json"], said["compare --json"]

    assert found([*PEOPLE, *SPOKEN], said) == {}
    assert found([text.split("_", 2)[2] for text in planted.keys], said) == {}


def test_no_key_is_in_anything_but_the_header_it_came_in(planted):
    """Not in the ledger, not in a log, not in a refusal; nor is one that was wrong, which is often one letter off."""
    secrets = [text.split("_", 2)[2] for text in planted.keys]
    sinks = {**planted.files(), **planted.said}

    assert all(len(text) >= 32 for text in secrets)
    assert found([*secrets, *WRONG_SECRETS], sinks) == {}


def test_what_is_the_clients_own_is_kept_where_it_belongs_alone(planted):
    """The text of feedback and a client's own id are in journal and tables, and in no log, metric or message."""
    files = planted.files()
    kept = {path for path in found([*SPOKEN, *OWN_IDS], files) if "/journal/" not in path and "ledger.db" not in path}
    elsewhere = {name: text for name, text in planted.said.items() if "/metrics" in name or "/readyz" in name}

    assert kept == set()
    assert found([*SPOKEN, *OWN_IDS], elsewhere) == {}
    assert found(SPOKEN, {path: text for path, text in files.items() if "ledger.db" in path}) != {}


# --- erasing ------------------------------------------------------------------------------------------------------


def test_twenty_who_are_erased_are_nowhere_and_the_chain_verifies(planted):
    """Their pseudonyms, too: in the pages of the database that were freed, in its write-ahead log, in journals and in
    lines that were set aside as damaged. What says that they were erased names them by their pseudonym, and stays."""
    key = Pseudonyms(secret(planted.settings.keys_dir, PII_KEY))
    gone, kept = PEOPLE[:20], PEOPLE[20:]
    journals = planted.settings.journal_dir
    journals.mkdir(exist_ok=True, parents=True)
    lines = [json.dumps({"record": {"city": key.name("city", name)}}) + "\n" for name in PEOPLE[:30]]
    (journals / "x.jsonl.damaged").write_text("".join(lines))
    with Ledger(planted.settings.ledger) as ledger:
        before = [row for row in ledger.predictions() if row.record["city"] is not None]
    for name in gone:
        code, said_of_it = command(planted, "erase", f"city={name}", "--reason", "asked to be forgotten")
        assert code == 0, said_of_it
        assert name.encode() not in said_of_it
    with Ledger(planted.settings.ledger) as ledger:
        ledger.verify_chain()
        after = [row for row in ledger.predictions() if row.record["city"] is not None]
        said = {entry.subject for entry in ledger.entries(kind="erasure")}
    names = [key.name("city", name) for name in gone]
    files = {path: text for path, text in planted.files().items() if "ledger.db" not in path}

    assert said == set(names)
    assert {row.request_id for row in after} == {r.request_id for r in before if r.record["city"] not in names}
    assert {str(row.record["city"]) for row in after} >= {key.name("city", name) for name in kept}
    assert found(names, files) == {}
    assert found(gone, planted.files()) == {}
    assert found([key.name("city", name) for name in PEOPLE[20:30]], files) != {}  # who was not erased is still there
    assert rows_in_database(planted, names) == dict.fromkeys(names, 2)


def rows_in_database(planted: Planted, names: list[str]) -> dict[str, int]:
    """How often each name stands in the bytes of the database: once in the entry of its erasure, once in an index."""
    content = b"".join(text for path, text in planted.files().items() if "ledger.db" in path)
    return {name: content.count(name.encode()) for name in names}
