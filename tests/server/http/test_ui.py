"""server/http/ui.py: the pages for people, in a real browser.

Driven over Chromium's DevTools protocol; without Chromium the tests say so and are skipped.
"""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from gateway_toy import Running, api_key, key_text, run, running
from patience import PATIENCE_S
from serving_toy import FILES, RELEASE
from websockets.asyncio.client import connect

from proveout.records.prediction import Feedback, Prediction

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
websockets = pytest.importorskip(
    "websockets.asyncio.client", reason="websockets is not installed: pip install websockets"
)
in_a_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt install chromium")

WICKED = FILES["schema.py"].replace(
    "size: float = pa.Field(ge=0, le=1)", 'size: float = pa.Field(ge=0, le=1, description="<b>metres</b> & more")'
)


class Browser:
    """One tab."""

    def __init__(self, wire: Any) -> None:
        self._wire, self._number = wire, 0
        self.complaints: list[str] = []  # what the browser's console said

    async def send(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        await self._wire.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(await self._wire.recv())
            if message.get("method") in {"Log.entryAdded", "Runtime.exceptionThrown"}:
                self.complaints.append(json.dumps(message["params"]))
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]

    async def run(self, script: str) -> Any:
        found = await self.send("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def open(self, url: str) -> None:
        for domain in ("Page", "Runtime", "Log"):
            await self.send(f"{domain}.enable")
        await self.send("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def until(self, script: str) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while not await self.run(script):
                await asyncio.sleep(0.05)

    async def fill(self, **values: str) -> None:
        for name, value in values.items():
            field = f"document.querySelector('[name={json.dumps(name)}], #{name}')"
            await self.run(f"{field}.value = {json.dumps(value)}")

    async def text(self, name: str) -> str:
        return str(await self.run(f"document.getElementById({json.dumps(name)}).innerText"))


@asynccontextmanager
async def browsing(server: Running, folder: Path, path: str = "/") -> AsyncIterator[Browser]:
    """A browser that looks at `path` of the gateway, served by uvicorn on a port of its own."""
    http = uvicorn.Server(uvicorn.Config(server.gateway, port=0, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(http.serve())
    process = await asyncio.create_subprocess_exec(
        str(CHROMIUM), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-dev-shm-usage", "--remote-debugging-port=0", f"--user-data-dir={folder}", "about:blank",
        stderr=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not http.started or not (folder / "DevToolsActivePort").exists():
                assert process.returncode is None, "Chromium ended before it could be used"
                await asyncio.sleep(0.05)
            port = http.servers[0].sockets[0].getsockname()[1]
            tools = ""
            while not tools:
                tools = (folder / "DevToolsActivePort").read_text().partition("\n")[0]
            tab = await _tab(int(tools))
            async with connect(tab, max_size=2**25) as wire:
                browser = Browser(wire)
                await browser.open(f"http://127.0.0.1:{port}{path}")
                yield browser
    finally:
        process.terminate()
        await process.wait()
        http.should_exit = True
        await serving


async def _tab(port: int) -> str:
    import httpx

    async with httpx.AsyncClient() as client:
        while True:
            tabs = (await client.get(f"http://127.0.0.1:{port}/json")).json()
            pages = [tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page"]
            if pages:
                return str(pages[0])
            await asyncio.sleep(0.05)


@in_a_browser
def test_a_person_asks_and_says_that_the_answer_was_wrong(tmp_path):
    """From an empty form to a line in the journal, with the reasons in between; the browser complains of nothing."""

    async def test() -> None:
        async with (
            running(tmp_path / "p") as server,
            browsing(server, tmp_path / "browser") as page,
        ):
            await page.fill(number="7", size="0.9", mode="fine")
            await page.run("document.getElementById('ask').click()")
            await page.until("!document.getElementById('answer').hidden")

            assert await page.text("said") == "late: yes (55.1 %)"
            assert await page.text("action") == "wait"
            assert await page.text("confidence") == "medium: such an answer was right in 70 % of the cases"
            assert await page.text("by") == "the model"
            assert await page.text("release") == RELEASE
            assert "raises the probability" in await page.text("reasons")
            (asked,) = server.log()
            assert asked.record == {"number": 7, "size": 0.9, "city": None, "mode": "fine"}

            await page.fill(outcome="false")
            await page.run("document.getElementById('opinion-text').value = 'On time.'")
            await page.run("document.getElementById('opinion-send').click()")
            await page.until("document.getElementById('opinion-said').innerText !== ''")
            (said,) = [row for row in server.rows() if isinstance(row, Feedback)]
            assert (said.request_id, said.wrong, said.outcome, said.text) == (asked.request_id, True, False, "On time.")
            assert page.complaints == []

    run(test())


@in_a_browser
def test_a_refusal_leads_to_the_field(tmp_path):
    """With words, and for who cannot see the colour: marked for a screen reader, and with the focus."""

    async def test() -> None:
        async with running(tmp_path / "p") as server, browsing(server, tmp_path / "browser") as page:
            await page.fill(number="5000", size="0.5", city="Newark", mode="fine")
            await page.run("document.getElementById('ask').click()")
            await page.until("!document.getElementById('trouble').hidden")

            assert "number: expected at most 1000" in await page.text("trouble-list")
            invalid = await page.run("[...document.querySelectorAll('[aria-invalid]')].map((one) => one.name).join()")
            assert invalid == "number,city"
            assert await page.run("document.activeElement.name") == "number"
            assert server.log() == []

    run(test())


@in_a_browser
def test_a_key_is_asked_for_and_kept_nowhere(tmp_path):
    """It is sent with each request and gone with the page: no storage, no cookie, no address has it."""
    key = api_key(scopes=("predict", "feedback"))

    async def test() -> None:
        async with (
            running(tmp_path / "p", keys=[key]) as server,
            browsing(server, tmp_path / "browser") as page,
        ):
            await page.fill(number="7", size="0.9", mode="fine")
            await page.run("document.getElementById('ask').click()")
            await page.until("!document.getElementById('trouble').hidden")
            assert "API key" in await page.text("trouble-detail")
            await page.fill(key=key_text(key))
            await page.run("document.getElementById('ask').click()")
            await page.until("!document.getElementById('answer').hidden")

            assert [row.key for row in server.rows() if isinstance(row, Prediction)] == [key.id]
            kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href])"
            assert await page.run(kept) == json.dumps(
                [{}, {}, "", await page.run("location.href")], separators=(",", ":")
            )
            assert await page.run("document.getElementById('key').type") == "password"

    run(test())


@in_a_browser
def test_the_page_is_for_everybody(tmp_path):
    """Each input has a name that is read out, answers are announced, a phone needs no sideways scrolling, and who
    wants it dark has it dark, with enough contrast."""

    async def test() -> None:
        async with running(tmp_path / "p", keys=[api_key()]) as server, browsing(server, tmp_path / "browser") as page:
            inputs = "document.querySelectorAll('input, select, textarea')"
            assert await page.run(f"[...{inputs}].every((one) => one.labels.length === 1)")
            assert await page.run(f"{inputs}.length") == 7
            assert await page.run("document.querySelector('[aria-live] #answer') !== null")
            assert await page.run("document.documentElement.lang") == "en"
            assert await page.run("document.querySelectorAll('h1').length") == 1
            for scheme in ("light", "dark"):
                features = [{"name": "prefers-color-scheme", "value": scheme}]
                await page.send("Emulation.setEmulatedMedia", features=features)
                colours = "getComputedStyle(document.body)"
                ink, paper = await page.run(f"{colours}.color"), await page.run(f"{colours}.backgroundColor")
                assert _contrast(ink, paper) > 7, scheme
                quiet = await page.run("getComputedStyle(document.querySelector('.hint')).color")
                assert _contrast(quiet, paper) > 4.5, scheme
            await page.send(
                "Emulation.setDeviceMetricsOverride", width=360, height=740, deviceScaleFactor=2, mobile=True
            )
            for part in ("answer", "opinion", "trouble"):
                await page.run(f"document.getElementById('{part}').hidden = false")
            assert await page.run("document.documentElement.scrollWidth") <= 360
            assert (
                await page.run(
                    "Math.min(...[...document.querySelectorAll('button, input')].map((b) => b.offsetHeight))"
                )
                >= 40
            )

    run(test())


def _contrast(one: str, other: str) -> float:
    """The contrast of two colours, as WCAG 2 has it."""

    def light(colour: str) -> float:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@in_a_browser
def test_the_routes_are_shown_without_another_host(tmp_path):
    """Swagger's page comes from a CDN; this one comes from here, and shows every route."""

    async def test() -> None:
        async with running(tmp_path / "p") as server, browsing(server, tmp_path / "browser", "/docs") as page:
            assert await page.run("document.querySelectorAll('summary .method').length") == len(server.gateway.routes)
            assert await page.run("performance.getEntriesByType('resource').length") == 0
            assert page.complaints == []

    run(test())


# --- without a browser -----------------------------------------------------------------------------------------------


def test_the_form_is_made_from_the_schema(tmp_path):
    """Ranges, choices, units; and what a schema says is text, not markup."""

    async def test() -> None:
        async with running(tmp_path, schema_text=WICKED) as server:
            text = (await server.client.get("/")).text

            assert 'name="number"' in text and 'min="0" max="1000"' in text
            assert '<option value="raise">' in text
            assert "&lt;b&gt;metres&lt;/b&gt; &amp; more" in text and "<b>metres" not in text
            assert "API key" not in text

    run(test())


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_runs_nothing_but_itself(tmp_path, path):
    """S14 of the scoreboard: the policy names the page's own script and style by digest, and allows nothing else."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await server.client.get(path)
            policy = response.headers["content-security-policy"]

            assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy and "base-uri 'none'" in policy
            assert "unsafe" not in policy
            assert response.headers["x-content-type-options"] == "nosniff"
            assert response.headers["referrer-policy"] == "no-referrer"
            assert response.headers["x-frame-options"] == "DENY"
            assert not re.search(r"(src|href)=[\"']?(https?:)?//", response.text)
            assert not re.search(r"\son\w+=|style=", response.text)

    run(test())


def test_answers_are_not_kept_by_browsers_or_proxies(tmp_path):
    """They are one person's, and true for a moment."""

    async def test() -> None:
        async with running(tmp_path) as server:
            response = await server.ask()
            assert response.headers["cache-control"] == "no-store"
            assert response.headers["x-content-type-options"] == "nosniff"
            assert "access-control-allow-origin" not in response.headers

    run(test())
