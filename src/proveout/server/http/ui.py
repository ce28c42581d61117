"""The pages for people: a form at `/`, made from the request schema, and the routes at `/docs`.

Input: the schema and the OpenAPI document. Output: HTML that needs nothing else: no framework, no font, no other
host. What the form shows of an answer is set as text, never as markup; only the page's own script and style run, which
the headers name by their digests. Only importer of jinja2.
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
_UNTOLD = {"isin"}  # seen in the form itself
_TOLD = {"type", "title", "description", "default", "properties", "required", "items", "examples"}


@dataclass(frozen=True, kw_only=True)
class _Input:
    """A field as the form shows it."""

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
    """The pages of one model: made once, sent as they are."""

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
    words = {key: word for rule in field.all_constraints for key, word in rule.keywords.items()}
    low, high = (words.get(name, words.get(f"exclusive{name.title()}")) for name in ("minimum", "maximum"))
    if field.kind == "int" and high is not None and high >= 2**53:
        low = high = None  # what a column can hold at all is no hint for anybody
    told = [rule.expected for rule in field.constraints if rule.name not in _UNTOLD]
    if "minimum" in words and "maximum" in words and low is not None:
        other = [rule.expected for rule in field.constraints if rule.name not in _UNTOLD | {"ge", "le"}]
        told = [f"{low} to {high}", *other]
    # The unit first: it is what one has to know.
    hint = "; ".join(part for part in (field.description, *told) if part)
    choices = tuple(words.get("enum", ("true", "false") if field.kind == "bool" else ()))
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


def _rules(told: Mapping[str, Any]) -> str:
    """The rules of a member of a message, as words of JSON Schema."""
    return ", ".join(f"{word} {_short(value)}" for word, value in told.items() if word not in _TOLD)


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
    """What a browser may do with a page: run its own script and style, ask this server, be in no frame."""
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
