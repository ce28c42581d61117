"""The rules: what to answer when the model cannot. The first word of a description.

Counted in the 7,186 operations of which it is known: of those that begin with one of these words 99.8 % only read, of
the others 11 %.
"""

from collections.abc import Mapping

Value = str | int | float | bool | None

FOR_READING = {
    "checks", "describe", "describes", "displays", "fetches", "finds", "get", "gets", "gives", "list", "lists",
    "provides", "queries", "retrieve", "retrieves", "return", "returns", "searches", "shows", "views",
}  # fmt: skip


def rules(operation: Mapping[str, Value]) -> float:
    """Probability that `operation`, a valid request, only reads."""
    words = str(operation["description"]).split()
    return 0.998 if words and words[0].strip(".,:").lower() in FOR_READING else 0.11
