"""The quality measures of a bundle: the gate's, and those that its notebook claims.

Input: a bundle and the verdict on it. Output: `Measure` records. A notebook measures itself, so its numbers are claims
and are shown as such. If the gate measured a number of the same name, the gate's counts.
"""

from dataclasses import dataclass

from proveout.records.bundle import Bundle
from proveout.records.verdict import Evidence, Verdict

USUAL = frozenset(
    {"auc", "brier", "log loss", "accuracy", "balanced accuracy", "average precision", "precision", "recall", "f1"}
)
"""Names of evidence that measure the quality of the whole model, whatever its notebook states."""


@dataclass(frozen=True, kw_only=True)
class Measure:
    """One number of a bundle, on its held-out rows."""

    name: str
    gate: float | None  # None if no check states it
    notebook: float | None  # the notebook's claim; None if it has none
    before: float | None = None  # the gate's number for the bundle compared with


def of(bundle: Bundle | None, verdict: Verdict | None, *, before: Verdict | None = None) -> tuple[Measure, ...]:
    """The measures of a bundle, the gate's first.

    Args:
        verdict: on the bundle; None if there is none yet.
        before: on the bundle that it is compared with.
    """
    said = {_plain(metric.name): metric for metric in (bundle.metrics if bundle else ())}
    found, was = _whole(verdict, {*said}), _whole(before, {*said})
    measured = tuple(
        Measure(
            name=one.name,
            gate=one.value,
            notebook=said[name].value if name in said else None,
            before=was[name].value if name in was else None,
        )
        for name, one in found.items()
    )
    claimed = (Measure(name=m.name, gate=None, notebook=m.value) for name, m in said.items() if name not in found)
    return (*measured, *claimed)


def gate_value(verdict: Verdict | None, name: str) -> float | None:
    """The gate's measurement called `name` on all held-out rows; None if no check states it."""
    found = _whole(verdict, {_plain(name)}).get(_plain(name))
    return found.value if found else None


def _whole(verdict: Verdict | None, stated: set[str]) -> dict[str, Evidence]:
    """The first judged evidence of each name over all held-out rows."""
    found: dict[str, Evidence] = {}
    for one in verdict.evidence if verdict else ():
        name = _plain(one.name)
        if one.slice is None and one.value is not None and not one.unjudged and name in USUAL | stated:
            found.setdefault(name, one)
    return found


def _plain(name: str) -> str:
    """One name for `log_loss`, `log-loss` and `Log loss`."""
    plain = " ".join(name.lower().replace("_", " ").replace("-", " ").split())
    return {"roc auc": "auc", "brier score": "brier", "logloss": "log loss", "f1 score": "f1"}.get(plain, plain)
