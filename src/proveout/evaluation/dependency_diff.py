"""Packages whose version differs between the candidate and the champion: an unintended change shows here.

Input: two opened bundles. Output: `Evidence`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from proveout.records.verdict import Evidence

if TYPE_CHECKING:
    from proveout.model.bundle import OpenBundle

NAMED = 8  # changes to name in the decision


def changed(candidate: "OpenBundle", champion: "OpenBundle | None") -> Evidence:
    """How many packages are locked in another version than for the champion; the decision names them.

    evidence(dependency_diff.changed(candidate, champion), at_most=5)

    Without a champion, there is nothing to compare, and the decision says so. If one side has no lock, it is not
    judged.
    """
    from proveout.evaluation import isolated_probe

    name, covers = "packages changed since the champion", ("monitor-1",)
    if champion is None:
        return Evidence(name=name, value=0, decision="there is no champion yet", covers=covers)
    now, before = candidate.requirements(), champion.requirements()
    if now is None or before is None:
        return Evidence(name=name, value=None, unjudged="no requirements.lock is packed", covers=covers)
    found = differences(isolated_probe.locked(before), isolated_probe.locked(now))
    more = f" and {len(found) - NAMED} more" if len(found) > NAMED else ""
    return Evidence(name=name, value=len(found), decision=", ".join(found[:NAMED]) + more, covers=covers)


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> tuple[str, ...]:
    """Each package that was added, removed or changed, in words.

    >>> differences({"numpy": "2.4.5", "dill": "0.4"}, {"numpy": "2.4.6", "orjson": "3.11"})
    ('dill 0.4 gone', 'numpy 2.4.5 to 2.4.6', 'orjson 3.11 new')
    """
    words = []
    for name in sorted({*before, *now}):
        was, now_is = before.get(name), now.get(name)
        if was == now_is:
            continue
        gone_or_new = f"{name} {was} gone" if now_is is None else f"{name} {now_is} new"
        words.append(gone_or_new if was is None or now_is is None else f"{name} {was} to {now_is}")
    return tuple(words)
