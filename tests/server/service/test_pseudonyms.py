"""server/service/pseudonyms.py: a person's values reach the model, the rules and the person, and no sink."""

import io
from contextlib import redirect_stderr, redirect_stdout
from typing import Any

import orjson
import pytest
from gateway_toy import run, running
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from serving_toy import FILES, settings_of

from proveout.errors import ConfigError
from proveout.ledger.ledger import Ledger
from proveout.records.prediction import Feedback
from proveout.schema import request_schema
from proveout.server.service.pseudonyms import Pseudonyms
from proveout.settings import load_object

MARKED = FILES["schema.py"].replace(
    'city: str = pa.Field(nullable=True, str_matches=r"^[A-Z]{3}$")',
    'city: str = pa.Field(nullable=True, str_matches=r"^[A-Z]{3,40}$", metadata={"pii": True})',
)
CANARY = "ADALOVELACE"


def test_the_same_value_has_the_same_pseudonym_and_no_other_has():
    """Rows of one person can be counted and erased; the value cannot be read."""
    names = Pseudonyms(b"a key")

    assert names.name("tail", "N1") == Pseudonyms(b"a key").name("tail", "N1")
    others = {names.name("tail", "N2"), names.name("name", "N1"), Pseudonyms(b"another").name("tail", "N1")}
    assert names.name("tail", "N1") not in others and len(others) == 3
    assert len(names.name("tail", "N1")) == len("pii:") + 32
    assert "N1" not in names.name("tail", "N1")
    assert "a key" not in repr(names)


@pytest.mark.parametrize(("one", "other"), [(1, "1"), (1, True), (0, False), ("ab\0c", "ab"), ("null", "None")])
def test_values_that_look_alike_are_told_apart(one, other):
    """1, "1" and true are three values."""
    names = Pseudonyms(b"k")

    assert names.name("a", one) != names.name("a", other)


def test_field_and_value_cannot_be_moved_into_each_other():
    """`ab` + `c` is not `a` + `bc`."""
    names = Pseudonyms(b"k")

    assert names.name("ab", "c") != names.name("a", "bc")


@hypothesis_settings(max_examples=100, deadline=None)
@given(
    st.dictionaries(st.text(max_size=5), st.one_of(st.none(), st.integers(-(2**63), 2**63), st.text()), max_size=5),
    st.data(),
)
def test_only_what_is_marked_is_hidden(record, data):
    """In its place and order; what is not known stays unknown."""
    marked = data.draw(st.lists(st.sampled_from([*record, "other"]), unique=True))
    hidden = Pseudonyms(b"k").hide(record, marked)

    assert list(hidden) == list(record)
    for name, value in record.items():
        if name in marked and value is not None:
            assert str(hidden[name]).startswith("pii:")
        else:
            assert hidden[name] == value


def test_a_field_is_marked_in_the_schema(tmp_path):
    """Where its type and its rules stand, too."""
    settings = settings_of(tmp_path)
    (tmp_path / "schema.py").write_text(MARKED)
    schema = request_schema.read(load_object(settings.request_schema, tmp_path), name="toy")

    assert schema.pii_fields == ("city",)


def test_a_mark_that_is_misspelt_is_refused(tmp_path):
    """`metadata={"PII": True}` that hides nothing would be found out by a court."""
    settings = settings_of(tmp_path)
    (tmp_path / "schema.py").write_text(MARKED.replace('"pii"', '"PII"'))

    with pytest.raises(ConfigError, match="PII"):
        request_schema.read(load_object(settings.request_schema, tmp_path), name="toy")


def test_the_values_of_a_person_are_in_no_sink(tmp_path):
    """S7 of the scoreboard: journal, ledger, metrics, stderr, problems and the server's folder are searched."""
    said = io.StringIO()
    seen: list[Any] = []

    async def test() -> None:
        async with running(tmp_path, schema_text=MARKED, cache_ttl_s=60) as server:
            assert server.worker is not None
            for number in range(200):
                answer = await server.ask(number=number, city=f"{CANARY}{chr(65 + number % 26)}")
                assert answer.json()["answered_by"] == "model"
            await server.ask(city=CANARY, mode="raise")
            explained = await server.ask(city=CANARY, explain=True)
            seen.extend(city for message in server.worker.messages for city in message["columns"]["city"])
            sinks = [
                (await server.ask(city=CANARY.lower())).text,  # refused: it does not fit the pattern
                (await server.client.post("/predict", content=b'{"city": "' + CANARY.encode())).text,
                (await server.client.get("/metrics")).text,
                (await server.client.get("/readyz")).text,
            ]
            rows = server.rows()
            with Ledger(settings_of(tmp_path).ledger) as ledger:
                ledger.add_journal(rows, journal="test", offset=1)
            sinks.append((await server.client.get(f"/predictions/{explained.json()['request_id']}")).text)
            files = [f.read_bytes() for f in (*server.folder.rglob("*"), *tmp_path.rglob("*")) if f.is_file()]

            assert not any(CANARY in sink or CANARY.lower() in sink for sink in sinks)
            assert not any(CANARY.encode() in content for content in files)
            assert all(str(row.record["city"]).startswith("pii:") for row in server.log())
            assert len({row.record["city"] for row in server.log()}) == 27
            assert orjson.loads(sinks[-1])["reasons_missing"] == "the log holds pseudonyms in place of personal data"

    with redirect_stderr(said), redirect_stdout(said):
        run(test())
    assert CANARY not in said.getvalue()
    assert CANARY in seen  # the model was given the value itself


def test_feedback_is_kept_as_it_was_said(tmp_path):
    """It has no field that could be marked: the form asks for no names, and an erasure finds it by its request."""

    async def test() -> None:
        async with running(tmp_path, schema_text=MARKED) as server:
            said = orjson.dumps({"request_id": "a", "text": "It was late."})
            await server.client.post("/feedback", content=said)
            assert [row.text for row in server.rows() if isinstance(row, Feedback)] == ["It was late."]

    run(test())
