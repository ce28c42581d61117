"""The HTML pages: a form at `/`, made from the request schema, and the routes at `/docs`.

Input: the schema and the OpenAPI document. Output: HTML that loads no framework, no font and nothing from another host.
The form inserts answers as text, never as markup. The Content-Security-Policy allows only the page's own script and
style, by their digests. Only importer of jinja2.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import orjson
from markupsafe import Markup

from proveout.records.answer import TaskName
from proveout.records.values import Scalar
from proveout.schema.spec import RequestField, RequestSchema
from proveout.server.http.feedback import LONGEST_TEXT
from proveout.server.http.request import JSON, Backend, Call
from proveout.server.http.validation import Header

_TEMPLATES = Path(__file__).with_name("templates")
_HTML = b"text/html; charset=utf-8"
_SHOWN_BY_INPUT = {"isin"}  # the input lists the choices
_NO_RULES = {"type", "title", "description", "default", "properties", "required", "items", "examples"}


@dataclass(frozen=True, kw_only=True)
class _Input:
    """One input of the form."""

    name: str
    label: str
    hint: str
    kind: str
    needed: bool
    choices: tuple[Scalar, ...]
    low: Scalar
    high: Scalar
    example: Scalar


class Pages:
    """The pages of one model, rendered once."""

    def __init__(
        self,
        schema: RequestSchema,
        document: Mapping[str, Any],
        *,
        example: Mapping[str, Scalar],
        target: str,
        task: TaskName,
        asks_for_key: bool,
    ) -> None:
        self._document = orjson.dumps(document)
        self._form = _render(
            "page.html.jinja",
            model=document["info"]["title"],
            fields=[_input(field, example.get(field.name)) for field in schema.fields],
            target=target,
            task=task,
            asks_for_key=asks_for_key,
            longest_text=LONGEST_TEXT,
        )
        self._docs = _render("docs.html.jinja", document=document, rules=_rules)

    async def form(self, call: Call, backend: Backend) -> None:
        """The route `/`."""
        await call.respond(200, self._form, _HTML, *_security())

    async def docs(self, call: Call, backend: Backend) -> None:
        """The route `/docs`."""
        await call.respond(200, self._docs, _HTML, *_security())

    async def openapi(self, call: Call, backend: Backend) -> None:
        """The route `/openapi.json`."""
        await call.respond(200, self._document, JSON)


def _input(field: RequestField, example: Scalar) -> _Input:
    keywords = {key: value for rule in field.all_constraints for key, value in rule.keywords.items()}
    low, high = (keywords.get(name, keywords.get(f"exclusive{name.title()}")) for name in ("minimum", "maximum"))
    if field.kind == "int" and high is not None and high >= 2**53:
        low = high = None  # the range of the data type is no help to the user
    hints = [rule.expected for rule in field.constraints if rule.name not in _SHOWN_BY_INPUT]
    if "minimum" in keywords and "maximum" in keywords and low is not None:
        other = [rule.expected for rule in field.constraints if rule.name not in _SHOWN_BY_INPUT | {"ge", "le"}]
        hints = [f"{low} to {high}", *other]
    # The description first: it often is the unit.
    hint = "; ".join(part for part in (field.description, *hints) if part)
    choices = tuple(keywords.get("enum", ("true", "false") if field.kind == "bool" else ()))
    example = example if field.needed else None
    return _Input(
        name=field.name,
        label=field.title or field.name.replace("_", " "),
        hint=hint if field.needed else f"{hint}; may be empty" if hint else "may be empty",
        kind=field.kind,
        needed=field.needed,
        choices=choices,
        low=low,
        high=high,
        example=str(example).lower() if isinstance(example, bool) else example,
    )


def _rules(member: Mapping[str, Any]) -> str:
    """The rules of a message's member, as JSON Schema keywords."""
    return ", ".join(f"{key} {_short(value)}" for key, value in member.items() if key not in _NO_RULES)


def _short(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


# --- rendering ----------------------------------------------------------------------------------------------------


def _render(template: str, **values: Any) -> bytes:
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, trim_blocks=True)
    parts = {"style": Markup(_text("style.css")), "script": Markup(_text("page.js"))}  # noqa: S704  # our own files
    return environment.get_template(template).render(**parts, **values).encode()


@cache
def _text(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


@cache
def _security() -> tuple[Header, ...]:
    """Headers that let a page run its own script and style, call this server, and appear in no frame."""
    policy = (
        f"default-src 'none'; script-src '{_digest('page.js')}'; style-src '{_digest('style.css')}'; img-src data:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    return (
        (b"content-security-policy", policy.encode()),
        (b"referrer-policy", b"no-referrer"),
        (b"x-frame-options", b"DENY"),
        (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
    )


def _digest(name: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(_text(name).encode()).digest()).decode()
