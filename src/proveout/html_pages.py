"""HTML pages from templates: all values are escaped, and a missing value is an error.

Input: a folder of templates, the name of one, and values. Output: text. Only importer of jinja2.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

Filters = Mapping[str, Callable[..., object]]


def render(folder: Path, template: str, *, values: Mapping[str, object], filters: Filters | None = None) -> str:
    """The page. Raises: jinja2.UndefinedError if a value that the template uses is missing."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    pages = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters |= dict(filters or {})
    return pages.get_template(template).render(values)
