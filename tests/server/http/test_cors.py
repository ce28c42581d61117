"""server/http/cors.py: pages of other origins may read answers where a setting names them, and nowhere else."""

from pathlib import Path

import httpx
import pytest
from gateway_toy import api_key, bearer, run, running
from serving_toy import request, settings_of

from proveout.errors import ConfigError
from proveout.server.http import cors
from proveout.settings import load

DESK, OTHER = "https://desk.example", "https://other.example"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "authorization, content-type, x-request-id",
}


def allowed(response: httpx.Response) -> str | None:
    return response.headers.get("access-control-allow-origin")


def browser(app: object) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://toy")  # type: ignore[arg-type]


def test_no_page_of_another_origin_may_read_anything_unless_a_setting_says_so(tmp_path):
    """Off: no header, and a preflight is a method that no route has."""

    async def test() -> None:
        async with running(tmp_path) as server, browser(cors.allow(server.gateway, ())) as client:
            answer = await client.post("/predict", json=request(), headers={"origin": DESK})
            preflight = await client.options("/predict", headers={"origin": DESK, **PREFLIGHT})

            assert (answer.status_code, allowed(answer)) == (200, None)
            assert (preflight.status_code, allowed(preflight)) == (405, None)

    assert settings_of(tmp_path).cors_origins == ()
    run(test())


def test_a_page_of_an_origin_that_is_named_may_ask_and_read(tmp_path):
    """Its preflight needs no key, its request does; answers and refusals can both be read, with what they say of it."""
    key = api_key()

    async def test() -> None:
        async with running(tmp_path, keys=[key]) as server, browser(cors.allow(server.gateway, [DESK])) as client:
            preflight = await client.options("/predict", headers={"origin": DESK, **PREFLIGHT})
            answer = await client.post("/predict", json=request(), headers={"origin": DESK, **bearer(key)})
            refused = await client.post("/predict", json=request(), headers={"origin": DESK})

            assert preflight.status_code == 200
            assert "POST" in preflight.headers["access-control-allow-methods"]
            assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
            assert (answer.status_code, refused.status_code) == (200, 401)
            assert [allowed(response) for response in (preflight, answer, refused)] == [DESK] * 3
            assert "x-request-id" in answer.headers["access-control-expose-headers"]
            assert "origin" in answer.headers["vary"].lower()

    run(test())


@pytest.mark.parametrize("origins", [[DESK], ["*"]])
def test_no_page_is_allowed_a_browsers_credentials(tmp_path, origins):
    """With `*` least of all."""

    async def test() -> None:
        async with running(tmp_path) as server, browser(cors.allow(server.gateway, origins)) as client:
            headers = {"origin": OTHER, "cookie": "a=b"}
            answer = await client.post("/predict", json=request(), headers=headers)
            preflight = await client.options("/predict", headers={**headers, **PREFLIGHT})

            everybody = "*" if origins == ["*"] else None
            assert (answer.status_code, allowed(answer)) == (200, everybody)
            assert (preflight.status_code, allowed(preflight)) == (200 if everybody else 400, everybody)
            assert "access-control-allow-credentials" not in {*answer.headers, *preflight.headers}

    run(test())


@pytest.mark.parametrize("origin", ["desk.example", "https://desk.example/", "https://desk.example/page", "null", ""])
def test_an_origin_that_no_browser_sends_is_refused(tmp_path, monkeypatch, origin):
    """It would allow nobody, and nobody would know why."""
    root = Path(settings_of(tmp_path).root)
    monkeypatch.setenv("PROVEOUT_CORS_ORIGINS", f'["{DESK}", "{origin}"]')

    with pytest.raises(ConfigError, match="cors_origins"):
        load(root)
