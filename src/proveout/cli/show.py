"""How records look on a terminal: the answer first, then the evidence, then the next command.

Comes in: a record. Goes out: text. A state is always a word; colour only repeats it, and only on a terminal.
"""

import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from proveout.gate.verdict import asked, in_short
from proveout.records import Alert, Approval, Bundle, Evidence, Release, Verdict
from proveout.registry.standing import Leave, Packed, Served, Standing

_WORRYING = {"critical": 31, "refused": 31, "failed": 31, "warning": 33, "expired": 33, "unproven": 33, "nothing": 33}
_COLOURS = _WORRYING | dict.fromkeys(("serving", "served", "approved", "released", "unchanged", "intact"), 32)


def colour(page: str) -> str:
    """`page` with its answer, and the words in it that are bad news, in colour; as it is where nobody would see it.

    It is coloured last, so that columns are as wide as they look.
    """
    if not sys.stdout.isatty() or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return page
    words = re.compile(rf"(?m)^({'|'.join(_COLOURS)})\b|(?<=  )({'|'.join(_WORRYING)})(?=  |:|$)")
    return words.sub(lambda found: f"\033[{_COLOURS[found[0]]}m{found[0]}\033[0m", page)


def status(standing: Standing) -> str:
    """What answers now, what it is worth beside the one before, and the way back."""
    if standing.served is None:
        lines = [f"nothing   of {standing.model} is released", *_logged(standing)]
        return _page(lines, "proveout bundles")
    release, leave, back = standing.served.release, standing.approved, standing.back
    lines = [
        f"serving   {_plain(release.name)}   since {_moment(release.since)} ({_span(release.since, standing.at)})",
        *_origin(standing.served),
        _fact("approval", _leave(leave, standing.at) if leave else "unknown"),
        *_logged(standing),
        *_metrics(standing.served.bundle, standing.before),
    ]
    if back is None:
        return _page(lines, f"proveout when {_moment(standing.at)}")
    if back.problem:
        lines.append(_fact("way back", f"none to {back.bundle[:12]}: {back.problem}"))
        return _page(lines, f"proveout gate {back.bundle[:12]}   # then what served before may serve again")
    return _page(lines, f'proveout release {back.bundle[:12]} --reason "…"   # goes back to what served before')


def served(answer: Served, *, zoned: bool) -> str:
    """What answered at a moment."""
    release = answer.release
    until = _moment(answer.until) if answer.until else "now"
    return _page(
        [
            f"served   {_plain(release.name)}   at {_moment(answer.at)}"
            + ("" if zoned else " (no zone given: read as UTC)"),
            _fact("from", f"{_moment(release.since)} to {until}"),
            *_origin(answer),
            _fact("before", release.before[:12] if release.before else "nothing"),
        ],
        f"proveout verdict {release.bundle[:12]}",
    )


def verdict(judged: Verdict) -> str:
    """What the gate said, every measured number beside what was asked of it, and what went wrong."""
    name = f"{judged.model}@{judged.candidate[:12]}"
    answer = f"{judged.outcome}   {_plain(name)}   {in_short(judged)}"
    measured = [
        (_label(e), _number(e.value), _number(e.champion), asked(e), "" if e.holds else "failed")
        for e in judged.evidence
    ]
    lines = [
        answer,
        _fact("judged", f"{_moment(judged.judged_at)} on snapshot {judged.data[:12]}, by checks {judged.checks[:12]}"),
        *_table(("number", "candidate", "champion", "asked", ""), measured, right=(1, 2)),
        *_objections(judged),
    ]
    if judged.outcome == "approved":
        return _page(lines, f'proveout release {judged.candidate[:12]} --reason "…"')
    return _page(lines, "python flows/train.py run   # once what it failed on is mended")


def released(release: Release, *, unchanged: bool) -> str:
    """What a release changed."""
    answer = f"{'unchanged' if unchanged else 'released'}   {_plain(release.name)}   {release.role} since "
    lines = [
        f"{answer}{_moment(release.since)}",
        _fact("by", f"{_plain(release.by)}: {_plain(release.reason)}"),
        _fact("before", release.before[:12] if release.before else "nothing"),
    ]
    return _page(lines, "proveout status")


def verified(bundle: Bundle, approval: Approval) -> str:
    """That a bundle is what was packed and may serve."""
    lines = [
        f"intact   {_plain(bundle.name)}   every file is what its manifest says",
        _fact("approval", f"until {_moment(approval.expires_at)}, signed by key {approval.key}"),
        _fact("verdict", approval.verdict[:12]),
    ]
    return _page(lines, f'proveout release {bundle.digest[:12]} --reason "…"')


def bundles(packed: Sequence[Packed]) -> str:
    """Every bundle, the newest first."""
    if not packed:
        return _page(["nothing   is packed yet"], "python flows/train.py run")
    names = sorted({metric.name for item in packed for metric in item.bundle.metrics})
    rows = [
        (
            item.bundle.digest[:12], item.state, _moment(item.bundle.trained_at), item.bundle.train_through,
            *(_number(_metric(item.bundle, name)) for name in names),
        )
        for item in packed
    ]  # fmt: skip
    head = ("bundle", "state", "trained", "through", *names)
    lines = [f"{len(packed)} {'bundle' if len(packed) == 1 else 'bundles'} of {packed[0].bundle.model}"]
    lines += _table(head, rows, right=range(4, 4 + len(names)))
    return _page(lines, f"proveout verdict {packed[0].bundle.digest[:12]}")


def alerts(found: Sequence[Alert], *, at: str) -> str:
    """Alerts, the newest first."""
    if not found:
        return _page(["nothing   to worry about: no alert was ever raised"], "proveout status")
    lines = [f"{len(found)} {'alert' if len(found) == 1 else 'alerts'}, the newest first"]
    for alert in found:
        lines += [
            f"  {_alert(alert, at)}",
            f"            {_plain(alert.details)}",
            f"            do: {_plain(alert.next_step)}",
        ]
    return _page(lines, "proveout alerts deliver")


# --- parts --------------------------------------------------------------------------------------------------------


def _page(lines: Iterable[str], following: str) -> str:
    return "\n".join([*lines, f"next: {following}"])


def _fact(name: str, value: str) -> str:
    return f"  {name:<12}{value}"


def _origin(answer: Served) -> list[str]:
    """Who let it serve, why, and what it was made of."""
    release, bundle, judged = answer.release, answer.bundle, answer.verdict
    lines = [_fact("released", f"by {_plain(release.by)}: {_plain(release.reason)}")]
    if bundle is not None:
        how = f"by {_plain(bundle.run)}, commit {_commit(bundle.git_commit)}"
        lines.append(_fact("trained", f"{_moment(bundle.trained_at)} {how}"))
        span = f", through {_plain(bundle.train_through)}, judged on {_plain(bundle.holdout)}"
    else:
        span = " (the ledger has no entry of this bundle)"
    lines.append(_fact("snapshot", f"{release.data[:12]}{span}"))
    checks = f", {in_short(judged)}" if judged else " (not in this ledger)"
    lines.append(_fact("verdict", f"{release.verdict[:12]}{checks}"))
    return lines


def _objections(judged: Verdict) -> list[str]:
    """The checks that failed or went unproven, each with the first line of its message."""
    said = {result.check: result.message.partition("\n")[0] for result in judged.results}
    found = [(word, check) for word in ("failed", "unproven") for check in getattr(judged, word)]
    return [f"  {word:<8}  {_plain(check)}   {_plain(said.get(check, ''))}".rstrip() for word, check in found]


def _leave(leave: Leave, at: str) -> str:
    until = f"until {_moment(leave.until)}" if leave.until else "no longer"
    if leave.problem:
        return f"{until}: {_plain(leave.problem)}. The next release of it will be refused"
    return f"{until} ({_span(at, leave.until or at)} left)"


def _logged(standing: Standing) -> list[str]:
    newest = [f"    {_alert(alert, standing.at)}" for alert in standing.alerts]
    return [
        _fact("predictions", f"{standing.predictions:,} logged"),
        _fact("alerts", f"the newest {len(newest)} (all: proveout alerts)" if newest else "none"),
        *newest,
    ]


def _alert(alert: Alert, at: str) -> str:
    return f"{alert.severity:<8}  {_plain(alert.what)} ({_span(alert.at, at)} ago)"


def _metrics(bundle: Bundle | None, before: Bundle | None) -> list[str]:
    """What training measured of the champion, beside what it measured of the champion before."""
    if bundle is None:
        return []
    rows = []
    for metric in bundle.metrics:
        was = _metric(before, metric.name)
        change = "" if was is None else f"{metric.value - was:+.3f}"
        rows.append((metric.name, _number(metric.value), _number(was), change))
    return _table(("metric", "champion", f"before {before.digest[:12]}" if before else "", ""), rows, right=(1, 2, 3))


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> list[str]:
    """Rows under their head, each column as wide as its widest cell; `right`: the columns of numbers."""
    if not rows:
        return []
    widths = [max(len(cell) for cell in column) for column in zip(head, *rows, strict=True)]
    formats = [f"{'>' if place in right else '<'}{width}" for place, width in enumerate(widths)]
    return [
        "  " + "   ".join(format(cell, how) for cell, how in zip(row, formats, strict=True)).rstrip()
        for row in (head, *rows)
    ]


def _metric(bundle: Bundle | None, name: str) -> float | None:
    return next((metric.value for metric in bundle.metrics if metric.name == name), None) if bundle else None


def _label(evidence: Evidence) -> str:
    return _plain(f"{evidence.name}, {evidence.slice}" if evidence.slice else evidence.name)


def _commit(git_commit: str) -> str:
    """A commit shortened; that the tree was dirty stays."""
    commit, plus, changes = git_commit.partition("+")
    return _plain(commit[:12] + plus + changes)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3f}"


def _moment(text: str) -> str:
    """A moment as people read and paste it. Never rounded: rounded down, it would name what served before."""
    return text.replace("+00:00", "Z")


def _span(since: str, until: str) -> str:
    """How long it is between two moments, in the two largest units."""
    seconds = max(0, int((_time(until) - _time(since)).total_seconds()))
    units = (("d", seconds // 86_400), ("h", seconds // 3600 % 24), ("min", seconds // 60 % 60), ("s", seconds % 60))
    first = next((place for place, (_, count) in enumerate(units) if count), len(units) - 1)
    return " ".join(f"{count} {unit}" for unit, count in units[first : first + 2] if count or seconds == 0)


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _plain(text: str) -> str:
    """Text without line ends or escape sequences: what somebody wrote into a reason must not steer a terminal."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in " ".join(text.split()))
