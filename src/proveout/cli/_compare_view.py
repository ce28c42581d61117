"""The comparison of canary and shadow with the champion, as text for a terminal.

Input: a record. Output: text.
"""

from proveout.cli._terminal import difference_format, difference_of, fact, moment, number, page, plain, span, table
from proveout.rollout.canary import CanaryVerdict
from proveout.rollout.rollout_report import Arm, Beside, Comparison, Shadowed


def compared(found: Comparison) -> str:
    """The canary's verdict first, then its numbers; then the shadow's."""
    lines: list[str] = []
    if found.canary is not None:
        lines += _canary(found.canary, found.at)
    if found.shadow is not None:
        lines += _shadow(found.shadow, found.at)
    return page(lines, _following(found))


def _canary(beside: Beside, at: str) -> list[str]:
    verdict = beside.verdict
    release = beside.canary.release
    arms = (beside.canary, beside.champion)
    rows = [
        (
            one.counts.measure,
            f"{one.counts.canary_bad:,} of {one.counts.canary_of:,}",
            f"{one.counts.champion_bad:,} of {one.counts.champion_of:,}",
            f"{one.canary.low:.1%} to {one.canary.high:.1%}",
            "worse" if one.worse else "alike" if one.no_worse else "open",
        )
        for one in verdict.measures
    ]
    return [
        f"canary   {plain(release.name)}   {_words(verdict)}",
        fact("reason", plain(verdict.reason)),
        fact("runs", f"{release.share:.3g} of the traffic, counted for {span(verdict.since, at)}"),
        fact("answers", "; ".join(f"{arm.release.role} {_sources(arm)}" for arm in arms)),
        fact("latency", "; ".join(f"{arm.release.role} {_times(arm)}" for arm in arms)),
        *table(("bad", "canary", "champion", "canary's rate", ""), rows, right=(1, 2)),
    ]


def _words(verdict: CanaryVerdict) -> str:
    return {"waits": "waits", "promotes": "should be promoted", "rolls back": "should be rolled back"}[verdict.decision]


def _sources(arm: Arm) -> str:
    told = ", ".join(
        f"{count:,} by {source}" for source, count in sorted(arm.sources.items(), key=lambda item: -item[1])
    )
    return told or "none yet"


def _times(arm: Arm) -> str:
    return f"p50 {number(arm.latency.p50)} p95 {number(arm.latency.p95)} ms" if arm.latency.p50 is not None else "-"


def _shadow(found: Shadowed, at: str) -> list[str]:
    release = found.release
    share = (
        "" if found.agreement is None else f"   {_same(found)} for {found.agreement:.1%} of {found.pairs:,} requests"
    )
    lines = [
        f"shadow   {plain(release.name)}{share or '   has answered nothing yet'}",
        fact(
            "runs",
            f"beside {release.share:.3g} of the traffic since {moment(release.since)}, {span(release.since, at)}",
        ),
    ]
    if found.problems:
        lines.append(fact("no answer", f"to {found.problems:,} requests"))
    if found.mean_difference is not None:
        apart = f"without sign p50 {number(found.p50)}, p95 {number(found.p95)}, at most {number(found.most)}"
        lines += [
            fact(
                difference_of(found.task),
                f"{found.mean_difference:{difference_format(found.task)}} on average; {apart}",
            ),
            fact(
                "latency", f"its model p95 {number(found.latency.p95)} ms; answers p95 {number(found.champion.p95)} ms"
            ),
        ]
    rows = [(plain(one.field), plain(one.values), f"{one.rows:,}", number(one.mean_difference)) for one in found.worst]
    return [*lines, *table(("differs most where", "is", "rows", "by"), rows, right=(2, 3))]


def _same(found: Shadowed) -> str:
    return "within the champion's interval" if found.task == "regression" else "the same label"


def _following(found: Comparison) -> str:
    if found.canary is not None:
        decision = found.canary.verdict.decision
        if decision == "promotes":
            return 'proveout promote --reason "…"   # or let the running server do it'
        if decision == "rolls back":
            return 'proveout rollback --reason "…"   # or let the running server do it'
        return "proveout compare   # later, with more answers"
    shadow = found.shadow.release.bundle[:12] if found.shadow else ""
    return f'proveout release {shadow} --as canary --share 0.1 --reason "…"'
