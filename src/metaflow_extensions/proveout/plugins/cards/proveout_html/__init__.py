"""A Metaflow card that shows an HTML page as it is: `@card(type="proveout_html", options={"artifact": "page"})`.

Metaflow finds it by its place; the folders above are a namespace shared with other extensions and hold no
`__init__.py`. Every `import metaflow` runs this file: it imports nothing else.
"""

from typing import Any

from metaflow.cards import MetaflowCard  # type: ignore[attr-defined]  # public, though not marked so


class PageCard(MetaflowCard):
    """The HTML in one artifact of the task."""

    type = "proveout_html"  # type: ignore[assignment]  # the base class has None

    def __init__(self, options: dict[str, Any] | None = None, **_: Any) -> None:
        self._artifact = str((options or {}).get("artifact", "page"))

    def render(self, task: Any) -> str:
        """The artifact as text. Raises: KeyError if the step did not set it, which Metaflow shows as an error card."""
        return str(task[self._artifact].data)


CARDS = [PageCard]
