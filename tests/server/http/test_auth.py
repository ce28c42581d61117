"""server/http/auth.py: who may do what. The matrix is made from the OpenAPI document, so a new route is in it."""

import gc
import hmac
import io
import logging
from collections.abc import Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, get_args

import httpx
import orjson
import pytest
from gateway_toy import PEPPER, SECRET, api_key, bearer, key_text, run, running
from serving_toy import desired, request, settings_of

from proveout.records.api_key import ApiKey, Scope
from proveout.schema import request_schema
from proveout.server.http import auth
from proveout.server.http.app import Gateway
from proveout.server.http.auth import RULES, Authenticator
from proveout.settings import load_object
from proveout.trust.api_keys import mac_of

SCOPES: tuple[Scope, ...] = get_args(Scope)
OTHER_SECRET = "another-secret-altogether-98765432"

KEYS: dict[str, ApiKey] = {
    **{scope: api_key(number + 1, scopes=(scope,)) for number, scope in enumerate(SCOPES)},
    "all": api_key(10, scopes=SCOPES),
    "another tenant's predict": api_key(11, scopes=("predict",), tenant="other"),
    "revoked": api_key(12, scopes=SCOPES, revoked_at="2013-02-01T00:00:00.000+00:00"),
}
WRONG: dict[str, dict[str, str]] = {
    "none": {},
    "empty": {"authorization": ""},
    "no key at all": {"authorization": "Bearer hello"},
    "basic": {"authorization": "Basic cG86cG8="},
    "wrong secret": {"authorization": f"Bearer po_{KEYS['all'].id}_{OTHER_SECRET}"},
    "unknown id": {"authorization": f"Bearer po_ffffffffffff_{SECRET}"},
    "revoked": bearer(KEYS["revoked"]),
    "half a key": {"authorization": f"Bearer {key_text(KEYS['all'])[:-1]}"},
    "a longer key": {"x-api-key": key_text(KEYS["all"]) + "x"},
    "another case": {"x-api-key": key_text(KEYS["all"]).swapcase()},
    "the mac": {"x-api-key": f"po_{KEYS['all'].id}_{KEYS['all'].mac}"},
    "10 kB": {"x-api-key": "po_" + "a" * 10_000},
    "not ASCII": {"x-api-key": "po_é"},
}


def fill(path: str) -> str:
    """A path of the document, as somebody would ask for it."""
    return path.replace("{id}", "nobody").replace("{name}", "toy").replace("{version}", "0123456789ab")


async def knock(client: httpx.AsyncClient, path: str, method: str, headers: Any) -> httpx.Response:
    encoded = [(name.encode(), value.encode()) for name, value in headers.items()]
    return await client.request(method, fill(path), headers=encoded, content=b"{}" if method == "POST" else None)


def operations(document: Any) -> Iterator[tuple[str, str, frozenset[str]]]:
    """Every route of the document, with the scopes it says it needs."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            words = operation.get("description", "") if operation.get("security") else ""
            yield path, method.upper(), frozenset(scope for scope in SCOPES if f"`{scope}`" in words)


def test_every_route_lets_in_exactly_whom_its_rule_names(tmp_path):
    """S5 of the scoreboard: every route × no key, bad keys, each scope, another tenant."""
    tried = 0

    async def test() -> None:
        nonlocal tried
        async with running(tmp_path, keys=tuple(KEYS.values())) as server:
            document = (await server.client.get("/openapi.json")).json()
            for path, method, needed in operations(document):
                for who, headers in WRONG.items():
                    response = await knock(server.client, path, method, headers)
                    assert (response.status_code == 401) == bool(needed), (path, method, who)
                    if needed:
                        assert response.headers["www-authenticate"].startswith("Bearer")
                    tried += 1
                for who, key in KEYS.items():
                    response = await knock(server.client, path, method, bearer(key))
                    granted = not needed or bool(needed & set(key.scopes))
                    expected = 401 if who == "revoked" and needed else 403 if not granted else None
                    if expected is not None:
                        assert response.status_code == expected, (path, method, who)
                    else:
                        assert response.status_code not in {401, 403, 500}, (path, method, who)
                    tried += 1

    run(test())
    assert tried > 300


def test_document_rules_and_routes_are_the_same_ones(tmp_path):
    """A route without a rule, a rule without a route, a route nobody documented: each would be a hole in the matrix."""

    async def test() -> None:
        async with running(tmp_path) as server:
            document = (await server.client.get("/openapi.json")).json()
            documented = {(path, method): needed for path, method, needed in operations(document)}

            assert documented == {(path, method): scopes for (path, method), scopes in RULES.items()}
            assert {(route.template, route.method) for route in server.gateway.routes} == set(RULES)

    run(test())


def test_a_route_without_a_rule_is_no_server(tmp_path, monkeypatch):
    """Forgetting to say who may use it must not mean everybody."""
    settings = settings_of(tmp_path)
    schema = request_schema.read(load_object(settings.request_schema, tmp_path), name="toy")
    left = {route: rule for route, rule in RULES.items() if route != ("/feedback", "POST")}
    with_all = dict(RULES)

    def build() -> Gateway:
        who = Authenticator(mac=lambda secret: mac_of(PEPPER, secret), required=False)
        return Gateway(None, schema=schema, settings=settings, backend=None, authenticator=who)  # type: ignore[arg-type]

    assert build()
    monkeypatch.setattr(auth, "RULES", left)
    with pytest.raises(KeyError, match="feedback"):
        build()
    assert with_all == RULES


@pytest.mark.parametrize("header", ["authorization", "x-api-key"])
def test_a_key_is_taken_from_either_header(tmp_path, header):
    """`Authorization: Bearer` for clients that know it, X-API-Key for gateways in front that use the other one."""
    key = api_key()

    async def test() -> None:
        async with running(tmp_path, keys=[key]) as server:
            value = key_text(key) if header == "x-api-key" else f"bearer {key_text(key)}"
            answer = await server.ask({header: value})

            assert answer.status_code == 200
            assert [row.key for row in server.log()] == [key.id]

    run(test())


def test_a_revoked_key_stops_working_while_the_server_runs(tmp_path):
    """As soon as the desired state says so, without a restart, and no other key with it."""
    key, other = api_key(1), api_key(2)

    async def test() -> None:
        async with running(tmp_path, keys=[key, other]) as server:
            assert (await server.ask(bearer(key))).status_code == 200
            revoked = api_key(1, revoked_at="2013-02-01T00:00:00.000+00:00")
            await server.post(desired(seq=2, keys=(revoked, other)))

            assert (await server.ask(bearer(key))).status_code == 401
            assert (await server.ask(bearer(other))).status_code == 200

    run(test())


def test_a_new_key_works_while_the_server_runs(tmp_path):
    """Nobody restarts a server for a new client."""
    new = api_key(5)

    async def test() -> None:
        async with running(tmp_path, keys=[api_key(1)]) as server:
            assert (await server.ask(bearer(new))).status_code == 401
            await server.post(desired(seq=2, keys=(api_key(1), new)))
            assert (await server.ask(bearer(new))).status_code == 200

    run(test())


def test_without_authentication_nobody_needs_a_key(tmp_path):
    """On the machine of whoever develops."""

    async def test() -> None:
        async with running(tmp_path) as server:
            assert (await server.ask()).status_code == 200
            assert (await server.client.get("/metrics")).status_code == 200
            assert [row.key for row in server.log()] == [""]

    run(test())


def test_readiness_is_brief_to_who_is_no_admin(tmp_path):
    """Process ids, releases and troubles are for whoever runs the server."""

    async def test() -> None:
        async with running(tmp_path, keys=tuple(KEYS.values())) as server:
            brief = await server.client.get("/readyz")
            full = await server.client.get("/readyz", headers=bearer(KEYS["admin"]))

            assert (brief.status_code, full.status_code) == (200, 200)
            assert brief.json() == {"ready": True, "reason": None}
            assert full.json()["release"].startswith("toy@")

    run(test())


def test_an_answer_is_shown_to_its_own_key_and_to_admins_only(tmp_path):
    """API1 of OWASP: an id is no leave to see what it names."""

    async def test() -> None:
        async with running(tmp_path, keys=tuple(KEYS.values())) as server:
            answer = (await server.ask(bearer(KEYS["predict"]))).json()
            _into_the_ledger(tmp_path, server.log())
            path = f"/predictions/{answer['request_id']}"
            codes = {
                who: (await server.client.get(path, headers=bearer(KEYS[who]))).status_code
                for who in ("predict", "admin", "another tenant's predict", "feedback")
            }

            assert codes == {"predict": 200, "admin": 200, "another tenant's predict": 404, "feedback": 403}

    run(test())


def _into_the_ledger(root: Path, rows: Sequence[Any]) -> None:
    from proveout.ledger.ledger import Ledger

    with Ledger(settings_of(root).ledger) as ledger:
        ledger.add_journal(rows, journal="test", offset=len(rows))


def test_the_text_of_a_key_is_in_no_sink(tmp_path, caplog):
    """S6 of the scoreboard: logs, journal, metrics, problems, reprs and the server's folder are searched for it."""
    key = api_key(scopes=SCOPES)
    said = io.StringIO()

    async def test() -> None:
        async with running(tmp_path, keys=[key]) as server:
            texts = [
                (await server.ask(bearer(key))).text,
                (await server.ask({"x-api-key": key_text(key) + "!"})).text,
                (await server.ask({"authorization": f"Bearer po_{'0' * 12}_{SECRET}"})).text,
                (await server.client.post("/predict", content=b"{", headers=bearer(key))).text,
                (await server.client.get(f"/{key_text(key)}", headers=bearer(key))).text,
                (await server.client.get("/metrics", headers=bearer(key))).text,
                (await server.client.get("/readyz", headers=bearer(key))).text,
            ]
            # A fault of ours, with the request in hand.
            server.backend.service.answer = None  # type: ignore[method-assign,assignment]
            broken = await server.ask(bearer(key))
            assert broken.status_code == 500
            gc.unfreeze()  # what the gateway froze is not listed
            reprs = [repr(one) for one in gc.get_objects() if str(type(one).__module__).startswith("proveout.")]
            files = [file.read_bytes() for file in (*server.folder.rglob("*"), *tmp_path.rglob("*")) if file.is_file()]

            assert any(one.startswith("Authenticator(") for one in reprs)
            for sink in (*texts, broken.text, *reprs):
                assert SECRET not in sink
            assert not any(SECRET.encode() in content for content in files)
            assert any(key.id.encode() in content for content in files)  # the search finds what is there

    with caplog.at_level(logging.DEBUG), redirect_stderr(said), redirect_stdout(said):
        run(test())
    assert "Traceback" in said.getvalue()
    assert SECRET not in said.getvalue()
    assert not [record for record in caplog.records if record.name != "httpx" and SECRET in record.getMessage()]


def test_an_unknown_id_costs_the_work_of_a_known_one(monkeypatch):
    """How long a refusal takes must not tell which ids there are: the same hash and the same comparison are made."""
    made: list[str] = []
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def noted(one: str, other: str) -> bool:
        compared.append((len(one), len(other)))
        return real(one, other)

    monkeypatch.setattr(auth.hmac, "compare_digest", noted)
    who = Authenticator(mac=lambda secret: made.append(secret) or mac_of(PEPPER, secret), required=True)  # type: ignore[func-returns-value]
    key = api_key()
    there = desired(keys=(key,))
    for text in (key_text(key), f"po_{key.id}_{OTHER_SECRET}", f"po_{'f' * 12}_{SECRET}"):
        who.caller({b"x-api-key": text.encode()}, there)

    assert made == [SECRET, OTHER_SECRET, SECRET]
    assert compared == [(64, 64)] * 3


def test_a_verified_key_is_not_remembered_beyond_its_desired_state():
    """Whatever is kept to be faster falls with the desired state."""
    key = api_key()
    who = Authenticator(mac=lambda secret: mac_of(PEPPER, secret), required=True)
    headers = {b"x-api-key": key_text(key).encode()}

    assert who.caller(headers, desired(keys=(key,))).key == key.id
    assert who.caller(headers, desired(seq=2)).scopes == frozenset()
    assert who.caller(headers, None).scopes == frozenset()


def test_an_error_of_a_v2_route_is_worded_as_its_protocol_wants(tmp_path):
    """Its clients read `error`, also of a refusal that the protocol does not know of."""

    async def test() -> None:
        async with running(tmp_path, keys=[api_key()]) as server:
            response = await server.client.post("/v2/models/toy/infer", content=orjson.dumps(request()))

            assert response.status_code == 401
            assert set(response.json()) == {"error"}

    run(test())
