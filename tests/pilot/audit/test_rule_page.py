"""The pages in docs/audit/ say what the rules say."""

from pathlib import Path

from proveout.pilot.audit import rule_page
from proveout.pilot.audit.audit import all_rules

DOCS = Path(__file__).parents[3] / "docs" / "audit"


def test_each_code_has_the_page_that_its_rule_makes() -> None:
    """Whoever changes a rule writes its page again: python -m proveout.pilot.audit.rule_page docs/audit"""
    written = {file.name: file.read_text(encoding="utf-8") for file in DOCS.glob("*.md")}
    made = {f"{rule.code}.md": rule_page.page(rule) for rule in all_rules()} | {"README.md": rule_page.index()}

    assert written == made
