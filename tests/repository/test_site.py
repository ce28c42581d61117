"""`make docs`: the site is built with no broken link, loads nothing from another host, and has what the code has."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from reference_project import ROOT
from typer.main import get_command

from proveout.cli import main
from proveout.gate.guards.fixture_guard import FIXTURES
from proveout.settings import Settings
from proveout.training.config import EXPECTED

LOADS = {
    "script": "src",
    "img": "src",
    "iframe": "src",
    "source": "src",
    "video": "src",
    "audio": "src",
    "object": "data",
}
LOADING_LINKS = {"stylesheet", "preload", "prefetch", "icon", "preconnect", "dns-prefetch", "modulepreload", "manifest"}
OF_ANOTHER_HOST = re.compile(r"^(?:\w+:)?//")


class Loaded(HTMLParser):
    """The addresses that a page loads when it is opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in LOADS:
            self.addresses.append(given.get(LOADS[tag]) or "")
        if tag == "link" and LOADING_LINKS & {*(given.get("rel") or "").split()}:
            self.addresses.append(given.get("href") or "")
        self.addresses += _of_style(given.get("style") or "")
        self.style = tag == "style"

    def handle_data(self, data: str) -> None:
        if self.style:
            self.addresses += _of_style(data)


def _of_style(text: str) -> list[str]:
    return re.findall(r"url\([\"']?([^\"')]+)", text) + re.findall(r"@import\s+[\"']([^\"']+)", text)


def outside(page: str) -> list[str]:
    return [address for address in Loaded(page).addresses if OF_ANOTHER_HOST.match(address)]


def build(source: Path, into: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "mkdocs.yml", "-d", str(into)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=source, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    into = tmp_path_factory.mktemp("site")
    built = build(ROOT, into)
    assert built.returncode == 0, built.stderr
    return into


def test_no_page_loads_anything_from_another_host(site):
    """Who reads the docs behind a company's proxy sees all of them, and nobody is told that they are read."""
    pages = {file.relative_to(site).as_posix(): file.read_text(encoding="utf-8") for file in site.rglob("*.html")}
    styles = {file.name: _of_style(file.read_text(encoding="utf-8")) for file in site.rglob("*.css")}

    assert {"index.html", "tutorial.html", "reference/commands.html", "audit/PA101.html"} <= {*pages}
    assert {name: found for name, page in pages.items() if (found := outside(page))} == {}
    assert {
        name: found for name, urls in styles.items() if (found := [u for u in urls if OF_ANOTHER_HOST.match(u)])
    } == {}
    assert not any(re.search(r"googletagmanager|google-analytics|gtag\(", page) for page in pages.values())


@pytest.mark.parametrize(
    "page",
    [
        '<script src="https://cdn.example/x.js"></script>',
        '<link rel="stylesheet" href="//fonts.example/css">',
        '<link href="https://fonts.example" rel="preconnect">',
        '<img src="http://pixel.example/1.gif">',
        "<style>@import 'https://fonts.example/css';</style>",
        '<p style="background: url(https://pixel.example/1.png)">',
    ],
)
def test_what_would_leave_the_page_is_found(page):
    """A test that sees nothing would be calm for ever."""
    assert outside(page)
    assert not outside('<a href="https://example.org">a link is not loaded</a><script src="assets/x.js"></script>')


def _commands(command, name="proveout"):
    below = getattr(command, "commands", {})
    if not below:
        yield name
    for inner, one in below.items():
        yield from _commands(one, f"{name} {inner}")


def test_the_reference_has_every_command_setting_key_and_fixture(site):
    """It is made from the code, so that nothing can be missing: here the reader is asked whether it read all."""
    page = {name: (site / f"{name}.html").read_text() for name in ("reference/commands", "settings")}
    toml, fixtures = (site / "reference" / f"{name}.html" for name in ("train-toml", "fixtures"))

    assert [name for name in _commands(get_command(main)) if f">{name}<" not in page["reference/commands"]] == []
    assert "--time-limit" in page["reference/commands"]
    assert [n for n in Settings.model_fields if f"<code>PROVEOUT_{n.upper()}</code>" not in page["settings"]] == []
    assert "a number, ≥ 0, ≤ 0.5" in page["settings"]
    keys = [key for table in EXPECTED.values() for key in table]
    assert [key for key in keys if f"<code>{key}</code>" not in toml.read_text()] == []
    named = FIXTURES - {"gate_context", "edge_case"}
    assert [name for name in named if f'id="{name.lower()}"' not in fixtures.read_text()] == []
    assert 'id="metricsauc"' in (site / "reference" / "helpers.html").read_text()


def test_a_broken_link_fails_the_build(tmp_path):
    """Strict: a page that was renamed is noticed by whoever renames it."""
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("mkdocs.yml", "CHANGELOG.md", "CONTRIBUTING.md"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "README.md").write_text("# proveout\n\n[gone](docs/gone.md)\n")

    built = build(tmp_path, tmp_path / "site")

    assert built.returncode != 0
    assert "gone.md" in built.stderr
