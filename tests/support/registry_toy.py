"""A ledger and a keyring with bundles that nobody packed: what releases, canaries and approvals are tried on."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from ledger_rows import prediction

from proveout.ledger.ledger import Ledger
from proveout.records.bundle import Bundle, Metric
from proveout.records.prediction import Prediction
from proveout.records.release import Release
from proveout.records.train_config import TimeSplit
from proveout.records.values import Digest
from proveout.records.verdict import Verdict
from proveout.rollout import admission, releases
from proveout.settings import Settings
from proveout.trust.signing import Keyring, approve

MODEL = "flight-delay"
SHARE = 0.1  # of the canary
CHECKS, CONFIGURATION = Digest("e" * 64), Digest("c" * 64)


def bundle(letter: str, **changes: object) -> Bundle:
    plain = Bundle(
        model=MODEL,
        digest=Digest(letter * 64),
        manifest=Digest(f"{letter}0" * 32),
        snapshot=Digest("d" * 64),
        metrics=(Metric(name="auc", value=0.77),),
        trained_at="2013-05-31T00:00:00.000+00:00",
        run="TrainFlow/1",
        git_commit="unknown",
        split=TimeSplit(train_through="2013-04", holdout="2013-05"),
        bytes=1,
    )
    return replace(plain, **changes)


A, B, C = bundle("a"), bundle("b"), bundle("c")


def at(minute: int) -> str:
    return f"2013-06-01T10:{minute:02}:00.000+00:00"


class Registry:
    """A ledger and a keyring, and what a gate does with them."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'ledger.db'}"
        self.ledger, self.keyring = Ledger(self.url), Keyring(folder / "keys")

    def judge(
        self,
        what: Bundle,
        *,
        failed: tuple[str, ...] = (),
        unproven: tuple[str, ...] = (),
        approval: bool = True,
        minute: int = 0,
    ) -> None:
        verdict = Verdict(
            model=what.model,
            candidate=what.digest,
            manifest=what.manifest,
            data=what.snapshot,
            checks=Digest("e" * 64),
            outcome="refused" if failed or unproven else "approved",
            passed=3,
            failed=failed,
            unproven=unproven,
            judged_at=at(minute),
        )
        entry = self.ledger.append("verdict", what.digest, verdict, actor="gate", reason="-", at=at(minute))
        if approval and verdict.outcome == "approved":
            expires = "2013-09-01T00:00:00.000+00:00"
            leave = approve(verdict, entry, keyring=self.keyring, approved_at=at(minute), expires_at=expires)
            self.ledger.append("approval", what.digest, leave, actor="gate", reason="-", at=at(minute))

    def release(self, what: Bundle, minute: int, **changes: object) -> Release:
        asked = {"by": "ada", "reason": f"minute {minute}", "at": at(minute), **changes}
        return releases.release(self.ledger, self.keyring, what, **asked)


def went(registry: Registry, minute: int, **changes: object) -> Release:
    asked = {"by": "bob", "reason": f"minute {minute}", "at": at(minute), **changes}
    return releases.rollback(registry.ledger, registry.keyring, MODEL, **asked)


def judged_by(registry: Registry, what: Bundle, *, champion: Bundle | None = None, minute: int = 0) -> None:
    """An approving verdict, as a gate that writes down all it rests on enters it."""
    verdict = Verdict(
        model=what.model,
        candidate=what.digest,
        manifest=what.manifest,
        data=what.snapshot,
        checks=CHECKS,
        configuration=CONFIGURATION,
        outcome="approved",
        passed=3,
        champion=champion.digest if champion else None,
        judged_at=at(minute),
    )
    entry = registry.ledger.append("verdict", what.digest, verdict, actor="gate", reason="-", at=at(minute))
    expires = "2013-09-01T00:00:00.000+00:00"
    leave = approve(verdict, entry, keyring=registry.keyring, approved_at=at(minute), expires_at=expires)
    registry.ledger.append("approval", what.digest, leave, actor="gate", reason="-", at=at(minute))


def current_fingerprint(**changes: object) -> admission.Fingerprint:
    return replace(admission.Fingerprint(checks=CHECKS, configuration=CONFIGURATION), **changes)


def settings(**changes: object) -> Settings:
    names = ("source", "batch_schema", "request_schema", "features", "target", "fallback", "actions")
    code = dict.fromkeys(names, "a.py:b")
    return Settings(
        **{"root": Path(), "model": MODEL, "event_key": ("flight",), "notebook": "n", "required_checks": ("c",)}
        | code
        | changes
    )


def answered(number: int, role: str, **changes: object) -> Prediction:
    """An answer of the role's release, two minutes after the canary began, to a request of its own."""
    who = {"champion": A, "canary": B, "shadow": C}[role]
    plain = prediction(
        number, at=at(4), release=who.name, role=role, record={"flight": number, "temp": 1.0}, latency_ms=10.0
    )
    return replace(plain, **changes)


def logged(registry: Registry, *rows: Any) -> None:
    registry.ledger.add_journal(rows, journal="j", offset=0, event_fields=["flight"])


def promoted(registry: Registry, what: Bundle, minute: int, **changes: object) -> Release:
    asked = {"by": "bob", "reason": f"minute {minute}", "at": at(minute), **changes}
    return releases.promote(registry.ledger, registry.keyring, what, **asked)
