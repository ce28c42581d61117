"""mkdocs' hook: adds the pages that are made while the site is built, and the types of settings to docs/settings.md.

Input: mkdocs' events. Output: README.md as the first page, CHANGELOG.md and CONTRIBUTING.md, and the reference pages.
"""

import re
from pathlib import Path
from typing import Any

import reference_pages
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
OF_THE_ROOT = {"README.md": "index.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that docs/ does not hold."""
    made = {page: in_docs((ROOT / name).read_text(encoding="utf-8")) for name, page in OF_THE_ROOT.items()}
    for page, text in {**made, **reference_pages.pages()}.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """docs/settings.md with the type and the variable of each setting; on all pages, bars in code as they are."""
    text = reference_pages.with_types(markdown) if page.file.src_uri == "settings.md" else markdown
    # GitHub wants `a \| b` in a table. Markdown in Python shows the backslash.
    return re.sub(r"`[^`\n]+`", lambda code: code[0].replace("\\|", "|"), text)


def in_docs(text: str) -> str:
    """A page of the root with links that hold in docs/."""

    def link(found: re.Match[str]) -> str:
        target = found[1].removeprefix("docs/")
        return f"]({OF_THE_ROOT.get(target, 'audit/README.md' if target == 'audit/' else target)})"

    return re.sub(r"\]\((?!https?:)([^)#]+)\)", link, text)
