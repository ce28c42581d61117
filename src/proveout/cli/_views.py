"""Records as text for a terminal: the answer first, then the evidence, then the next command.

Input: a record. Output: text.
"""

from collections.abc import Sequence

from proveout.cli._approve_view import comparable, given, mending, state
from proveout.cli._terminal import fact, moment, number, page, plain, span, table
from proveout.gate.reports import evidence_table, text_report
from proveout.gate.verdict import in_short, source_note, waived
from proveout.records.bundle import Bundle
from proveout.records.drift_report import Alert
from proveout.records.release import Release
from proveout.records.verdict import Verdict
from proveout.rollout.measures import Measure
from proveout.rollout.moved_bounds import in_words
from proveout.rollout.status import ApprovalStatus, Packed, Served, Standing
from proveout.trust.authorization import Authorization


def status(standing: Standing) -> str:
    """What serves now, how it compares with the previous champion, and how to roll back."""
    if standing.served is None:
        lines = [f"nothing   of {standing.model} is released", *_logged(standing)]
        return page(lines, "proveout bundles")
    release, leave, back = standing.served.release, standing.approved, standing.back
    lines = [
        f"serving   {plain(release.name)}   since {moment(release.since)} ({span(release.since, standing.at)})",
        *_origin(standing.served),
        *(fact("bound now", plain(in_words(one, since="this verdict"))) for one in standing.moved),
        fact("approval", _leave(leave, standing.at) if leave else "unknown"),
        *(given(leave) if leave else ()),
        *_beside(standing.served, standing.at),
        *_logged(standing),
        *_measures(standing.served.measures, standing.before),
    ]
    if standing.served.canary is not None:
        return page(lines, "proveout compare   # canary and champion; rollback ends the canary first")
    if back is None:
        return page(lines, f"proveout history --at {moment(standing.at)}")
    if back.problem:
        lines.append(fact("way back", f"none to {back.bundle[:12]}: {back.problem}"))
        return page(lines, f"{mending(back)}   # then a rollback to the previous champion is possible")
    return page(lines, f'proveout rollback --reason "…"   # goes back to {back.bundle[:12]}, the previous champion')


def served(answer: Served, *, zoned: bool) -> str:
    """What served at a given time."""
    release = answer.release
    until = moment(answer.until) if answer.until else "now"
    return page(
        [
            f"served   {plain(release.name)}   at {moment(answer.at)}"
            + ("" if zoned else " (no zone given: read as UTC)"),
            fact("from", f"{moment(release.since)} to {until}"),
            *_origin(answer),
            fact("before", release.before[:12] if release.before else "nothing"),
            *_beside(answer, answer.at),
            *_measures(answer.measures, None),
        ],
        f"proveout verdict {release.bundle[:12]}",
    )


def verdict(judged: Verdict, *, signed: str) -> str:
    """The verdict: every measured value with its bounds, and what went wrong.

    Args:
        signed: who signed it and whether the signature is valid, in words.
    """
    short = judged.candidate[:12]
    evidence = [evidence_table.row(one) for one in judged.evidence]
    sure = any(row.interval for row in evidence)
    measured = [
        (
            plain(row.name), row.value, *([row.interval] if sure else ()), row.champion, row.asked,
            "" if row.answer in {"ok", "noted"} else plain(row.answer),
        )
        for row in evidence
    ]  # fmt: skip
    head = ("number", "candidate", *(["interval"] if sure else ()), "champion", "asked", "")
    lines = [
        f"{judged.outcome}   {plain(f'{judged.model}@{short}')}   {in_short(judged)}",
        fact("judged", f"{moment(judged.judged_at)} on snapshot {judged.data[:12]}, by checks {judged.checks[:12]}"),
        *_by_others(judged),
        *_source(judged),
        fact("signed", plain(signed)),
        *table(head, measured, right=(1, 3 if sure else 2)),
        *_objections(judged),
        *_waived(judged),
        *_optional(judged),
        *comparable(judged),
    ]
    if judged.outcome != "refused":
        return page(lines, text_report.next_command(judged))
    return page(lines, "python flows/train.py run   # after fixing what it failed on")


def released(
    release: Release, *, judged: Verdict | None = None, unchanged: bool = False, promoted: bool = False
) -> str:
    """What a release changed, and which checks `judged`, the verdict it rests on, did without."""
    if release.share == 0:
        lines = [
            f"ended   {plain(release.name)}   stopped as {release.role} at {moment(release.since)}",
            fact("by", f"{plain(release.by)}: {plain(release.reason)}"),
        ]
        return page(lines, "proveout status")
    word = "unchanged" if unchanged else "promoted" if promoted else "released"
    share = "" if release.role == "champion" else f", {release.share:.3g} of the traffic"
    lines = [
        f"{word}   {plain(release.name)}   {release.role} since {moment(release.since)}{share}",
        fact("by", f"{plain(release.by)}: {plain(release.reason)}"),
        fact("before", release.before[:12] if release.before else "nothing"),
        *(
            (*_by_others(judged), *_source(judged), *_waived(judged), *_optional(judged), *comparable(judged))
            if judged
            else ()
        ),
    ]
    return page(lines, "proveout status" if release.role == "champion" else "proveout compare")


def verified(bundle: Bundle, permit: Authorization) -> str:
    """The confirmation that a bundle is unchanged and approved."""
    approval = permit.approval
    lines = [
        f"intact   {plain(bundle.name)}   every file matches its manifest",
        fact("approval", f"until {moment(approval.expires_at)}, signed by key {approval.key}"),
        fact("verdict", approval.verdict[:12]),
        *(
            fact("person", f"{plain(one.by)}, until {moment(one.expires_at)}: {plain(one.reason)}")
            for one in permit.consents
        ),
    ]
    return page(lines, f'proveout release {bundle.digest[:12]} --reason "…"')


def history(made: Sequence[Release]) -> str:
    """All releases, the newest first."""
    if not made:
        return page(["nothing   was ever released"], "proveout bundles")
    rows = [
        (
            moment(one.since), one.role, one.bundle[:12], f"{one.share:.0%}" if one.share else "ended",
            f"{plain(one.by)}: {plain(one.reason)}",
        )
        for one in made
    ]  # fmt: skip
    lines = [f"{len(made)} {'release' if len(made) == 1 else 'releases'} of {made[0].model}, the newest first"]
    lines += table(("since", "role", "bundle", "share", "by, and why"), rows, right=(3,))
    return page(lines, f'proveout history --at "{moment(made[0].since)}"')


def bundles(packed: Sequence[Packed]) -> str:
    """All bundles, the newest first."""
    if not packed:
        return page(["nothing   is packed yet"], "python flows/train.py run")
    names = list(dict.fromkeys(one.name for item in packed for one in item.measures if one.gate is not None))
    rows = []
    for item in packed:
        measured = {one.name: one.gate for one in item.measures}
        rows.append(
            (
                item.bundle.digest[:12], _state(item), moment(item.bundle.trained_at), item.bundle.split.short,
                *(number(measured.get(name)) for name in names), _claim(item.measures),
            )
        )  # fmt: skip
    head = ("bundle", "state", "trained", "split", *names, "notebook says")
    lines = [f"{len(packed)} {'bundle' if len(packed) == 1 else 'bundles'} of {packed[0].bundle.model}"]
    lines += table(head, rows, right=range(4, 4 + len(names)))
    return page(lines, f"proveout verdict {packed[0].bundle.digest[:12]}")


def alerts(found: Sequence[Alert], *, at: str) -> str:
    """Alerts, the newest first."""
    if not found:
        return page(["none   no alerts"], "proveout status")
    lines = [f"{len(found)} {'alert' if len(found) == 1 else 'alerts'}, the newest first"]
    for alert in found:
        lines += [
            f"  {_alert(alert, at)}",
            f"            {plain(alert.details)}",
            f"            do: {plain(alert.next_step)}",
        ]
    return page(lines, "proveout alerts deliver")


# --- parts --------------------------------------------------------------------------------------------------------


def _state(item: Packed) -> str:
    """The state of a bundle, including waived checks and a changed source."""
    notes = [f"{item.waived} waived"] if item.waived else []
    notes += ["source changed"] if item.source_changed else []
    return ", ".join([state(item), *notes])


def _origin(answer: Served) -> list[str]:
    """Who released it, why, and from what it was made."""
    release, bundle, judged = answer.release, answer.bundle, answer.verdict
    lines = [fact("released", f"by {plain(release.by)}: {plain(release.reason)}")]
    if bundle is not None:
        how = f"by {plain(bundle.run)}, commit {_commit(bundle.git_commit)}"
        lines.append(fact("trained", f"{moment(bundle.trained_at)} {how}"))
        span = f", {plain(bundle.split.words)}"
    else:
        span = " (the ledger has no entry of this bundle)"
    lines.append(fact("snapshot", f"{release.data[:12]}{span}"))
    checks = f", {in_short(judged)}" if judged else " (not in this ledger)"
    lines.append(fact("verdict", f"{release.verdict[:12]}{checks}"))
    return lines + ([*_by_others(judged), *_source(judged), *_waived(judged), *comparable(judged)] if judged else [])


def _beside(answer: Served, at: str) -> list[str]:
    """The running canary and shadow."""
    return [
        fact(
            found.role,
            f"{plain(found.name)}, {found.share:.3g} of the traffic, for {span(found.since, at)}, "
            f"by {plain(found.by)}: {plain(found.reason)}",
        )
        for found in (answer.canary, answer.shadow)
        if found is not None
    ]


def _objections(judged: Verdict) -> list[str]:
    """The failed and unproven checks, each with the first line of its message."""
    said = {result.check: result.message.partition("\n")[0] for result in judged.results}
    found = [(word, check) for word in ("failed", "unproven") for check in getattr(judged, word)]
    return [f"  {word:<8}  {plain(check)}   {plain(said.get(check, ''))}".rstrip() for word, check in found]


def _source(judged: Verdict) -> list[str]:
    """The versions of the source code that made the rows."""
    if not judged.source or not judged.source[-1].files:
        return []
    files, note = judged.source[-1].files, source_note(judged)
    lines = [fact("source", plain(", ".join(f"{name} {digest[:12]}" for name, digest in files.items())))]
    return lines + ([fact("", plain(note))] if note else [])


def _waived(judged: Verdict) -> list[str]:
    """The waived checks, and who is responsible for each."""
    return [
        fact("waived", f"{plain(result.check)}, by {plain(waiver.by)} until {waiver.until}: {plain(waiver.reason)}")
        for result, waiver in waived(judged)
    ]


def _by_others(judged: Verdict) -> list[str]:
    """A line if other checks than the project's own judged the candidate."""
    return (
        [fact("checks", f"{plain(text_report.BY_OTHERS)} {plain(judged.checks_folder)}")]
        if judged.checks_folder
        else []
    )


def _optional(judged: Verdict) -> list[str]:
    """The results of checks that `required_checks` does not require."""
    return [fact("optional", plain(text)) for text in text_report.left_out(judged)]


def _leave(leave: ApprovalStatus, at: str) -> str:
    until = f"until {moment(leave.until)}" if leave.until else "no longer"
    if leave.problem:
        return f"{until}: {plain(leave.problem)}. The next release of it will be refused"
    return f"{until} ({span(at, leave.until or at)} left)"


def _logged(standing: Standing) -> list[str]:
    newest = [f"    {_alert(alert, standing.at)}" for alert in standing.alerts]
    return [
        fact("predictions", f"{standing.predictions:,} logged"),
        fact("alerts", f"the newest {len(newest)} (all: proveout alerts)" if newest else "none"),
        *newest,
    ]


def _alert(alert: Alert, at: str) -> str:
    return f"{alert.severity:<8}  {plain(alert.what)} ({span(alert.at, at)} ago)"


def _measures(measures: Sequence[Measure], before: Bundle | None) -> list[str]:
    """The gate's measurements of this bundle and the previous champion, and the notebook's own metrics."""
    rows = [
        (
            plain(one.name),
            number(one.gate),
            *((number(one.before), _change(one)) if before else ()),
            number(one.notebook),
        )
        for one in measures
    ]
    head = ("number", "gate", *((f"before {before.digest[:12]}", "") if before else ()), "notebook says")
    return table(head, rows, right=range(1, len(head))) if rows else []


def _change(one: Measure) -> str:
    return "" if one.gate is None or one.before is None else f"{one.gate - one.before:+.3f}"


def _claim(measures: Sequence[Measure]) -> str:
    """The notebook's own metrics in one line. They are a claim, not evidence."""
    return plain(", ".join(f"{one.name} {number(one.notebook)}" for one in measures if one.notebook is not None))


def _commit(git_commit: str) -> str:
    """The shortened commit, with its mark for uncommitted changes."""
    commit, plus, changes = git_commit.partition("+")
    return plain(commit[:12] + plus + changes)
