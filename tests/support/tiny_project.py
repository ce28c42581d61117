"""A project whose bundles are tiny and real: packed, judged, signed and released step by step, and spoiled."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from proveout.data.store import Store
from proveout.ledger import hash_chain
from proveout.ledger.ledger import Ledger
from proveout.model import model_io, packing
from proveout.model.manifest import MANIFEST
from proveout.records.answer import TaskFacts
from proveout.records.bundle import Bundle
from proveout.records.json_form import canonical, digest_of
from proveout.records.ledger_entry import Entry
from proveout.records.release import Approval, Release, Role
from proveout.records.train_config import TimeSplit, TrainConfig
from proveout.records.values import Digest, now
from proveout.records.verdict import Verdict
from proveout.rollout import releases
from proveout.server.worker.release_source import Released, Served
from proveout.settings import Settings, load
from proveout.trust.signing import Keyring, approve

APP = Path(__file__).parents[2] / "serve" / "app.py"
FILES = {
    "pyproject.toml": """
[tool.proveout]
model = "tiny"
source = "rules.py:none"
batch_schema = "rules.py:none"
request_schema = "schema.py:TinyRequest"
features = "features.py:features"
target = "rules.py:late"
fallback = "rules.py:rules"
actions = "rules.py:action"
notebook = "pilot.ipynb"
event_key = ["hour"]
required_checks = ["checks/test_none.py"]
""",
    "schema.py": """
import pandera.pandas as pa


class TinyRequest(pa.DataFrameModel):
    hour: int = pa.Field(ge=0, le=23)
    wind: float = pa.Field(nullable=True)

    class Config:
        strict = True
""",
    "rules.py": """
def rules(record):
    return 0.5


def action(answer):
    return "wait"
""",
}

FEATURES = """
import pandas as pd

def features(rows):
    return rows.assign(double=rows["hour"] * 2.0)[["hour", "double"]]
"""


def orders(folder: Path) -> Callable[..., packing.PackOrder]:
    """What a tiny training run in `folder` orders to be packed; called with changes, it orders otherwise."""
    root = folder / "project"
    root.mkdir()
    (root / "features.py").write_text(FEATURES)
    (root / "pilot.ipynb").write_text(
        json.dumps({"cells": [{"cell_type": "code", "metadata": {}, "source": ["x = 1"]}]})
    )
    (root / "executed.ipynb").write_text("{}")
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"hour": rng.integers(0, 24, 400), "wind": rng.normal(size=400)})
    labels = (rows["hour"] + rng.normal(scale=4, size=400) > 12).to_numpy()

    def order(model: Any = None, **changes: Any) -> packing.PackOrder:
        if model is None:
            model = make_pipeline(StandardScaler(), LogisticRegression())
            model.fit(rows[["hour"]].assign(double=rows["hour"] * 2.0), labels)
        model_io.dump(model, folder / "model.skops")
        made: dict[str, Any] = {
            "model": "tiny",
            "model_file": folder / "model.skops",
            "features": "features.py:features",
            "root": root,
            "notebook": root / "pilot.ipynb",
            "executed": root / "executed.ipynb",
            "config": TrainConfig(split=TimeSplit(train_through="1", holdout="2"), parameters={"seed": 0}),
            "snapshot": Digest("5" * 64),
            "membership": pd.DataFrame(
                {"batch": ["1"] * 300 + ["2"] * 100, "split": ["train"] * 300 + ["holdout"] * 100}
            ),
            "label": "late",
            "task": TaskFacts(threshold=0.5),
            "request": {"hour": "int64", "wind": "float64"},
            "training": rows[:300],
            "training_labels": labels[:300],
            "heldout": rows[300:],
            "heldout_labels": labels[300:],
            "metrics": {"cost": 0.9},
            "run": "TrainFlow/1",
            "git_commit": "unknown",
            "trained_at": "2026-01-01T00:00:00.000+00:00",
            "lock": None,
        }
        return packing.PackOrder(**{**made, **changes})

    return order


class Project:
    """The project in `root`. `order` makes what a training run would (`orders`)."""

    def __init__(self, root: Path, order: Any) -> None:
        self.root, self.order = root, order
        (root / "checks").mkdir(exist_ok=True)
        for name, text in FILES.items():
            (root / name).write_text(text, encoding="utf-8")
        self.settings: Settings = load(root)
        self.keyring = Keyring(self.settings.keys_dir)

    def pack(self, **changes: Any) -> Bundle:
        return packing.pack(self.order(**changes), Store(self.settings.store))

    def verdict(self, what: Bundle, *, failed: tuple[str, ...] = (), **changed: Any) -> Verdict:
        plain = Verdict(
            model=what.model,
            candidate=what.digest,
            manifest=what.manifest,
            data=what.snapshot,
            checks=Digest("e" * 64),
            outcome="refused" if failed else "approved",
            passed=1,
            failed=failed,
            judged_at=now(),
        )
        return replace(plain, **changed)

    def judge(
        self,
        what: Bundle,
        *,
        failed: tuple[str, ...] = (),
        keyring: Keyring | None = None,
        until: str = "2099",
        **changed: Any,
    ) -> Approval | None:
        """Enter a verdict and, if it approves, its signed approval."""
        verdict = self.verdict(what, failed=failed, **changed)
        entry = self.append("verdict", what.digest, verdict)
        if failed:
            return None
        leave = approve(
            verdict,
            entry,
            keyring=keyring or self.keyring,
            approved_at="2013-01-01T00:00:00+00:00",
            expires_at=f"{until}-01-01T00:00:00+00:00",
        )
        self.append("approval", what.digest, leave)
        return leave

    def append(self, kind: str, subject: str, body: object) -> Entry:
        """An entry, as whoever may write to the database can append it: no check is asked."""
        with Ledger(self.settings.ledger) as ledger:
            return ledger.append(kind, subject, body, actor="somebody", reason="-", at=now())

    def release(self, what: Bundle, *, at: str | None = None, role: Role = "champion", share: float = 1.0) -> Release:
        with Ledger(self.settings.ledger) as ledger:
            return releases.release(
                ledger, self.keyring, what, role=role, share=share, by="ada", reason="-", at=at or now()
            )

    def by_hand(self, what: Bundle, *, role: Role = "champion", share: float = 1.0) -> Release:
        """A release that nobody checked, put into the ledger."""
        made = Release(
            model="tiny",
            bundle=what.digest,
            role=role,
            share=share,
            since=now(),
            by="mallory",
            reason="-",
            data=what.snapshot,
            verdict=Digest("e" * 64),
        )
        self.append("release", what.digest, made)
        return made

    def open(self, settings: Settings) -> Served:
        """The champion, as a worker opens it."""
        with Ledger(settings.ledger) as ledger:
            champion = releases.current(ledger, settings.model)
        assert champion is not None
        return Released().open(settings, champion)

    def serve(self, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, str(APP)],
            env={**os.environ, "PROVEOUT_ROOT": str(self.root), **environment},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def entries(self, kind: str | None = None) -> tuple[Entry, ...]:
        with Ledger(self.settings.ledger) as ledger:
            return ledger.entries(kind=kind)

    def rewrite(self, entries: list[Entry]) -> None:
        """Put other entries in the ledger's place, every hash of them right: what a thorough forger does."""
        last, linked = hash_chain.START, []
        for place, entry in enumerate(entries):
            linked.append(
                hash_chain.link(
                    after=place,
                    previous=last,
                    at=entry.at,
                    kind=entry.kind,
                    subject=entry.subject,
                    actor=entry.actor,
                    reason=entry.reason,
                    body=entry.body,
                )
            )
            last = linked[-1].hash
        with sqlite3.connect(self.settings.state_dir / "ledger.db") as edited:
            for (name,) in edited.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                edited.execute(f'DROP TRIGGER "{name}"')
            edited.execute("DELETE FROM entries")
            for entry in linked:
                edited.execute(f"INSERT INTO entries VALUES ({', '.join('?' * 9)})", tuple(vars(entry).values()))

    def folder(self, what: Bundle) -> Path:
        return Store(self.settings.store).folder("bundles", what.digest)

    def forge(self, what: Bundle, changed: Mapping[str, bytes]) -> Bundle:
        """A copy of a bundle with some files changed, its manifest and its name made to fit: whole, not approved."""
        files = {
            str(path.relative_to(self.folder(what))): path.read_bytes()
            for path in self.folder(what).rglob("*")
            if path.is_file() and path.name != MANIFEST
        }
        files |= changed
        manifest = json.loads((self.folder(what) / MANIFEST).read_bytes())
        for part in (manifest["identity"], manifest["provenance"]):
            part["files"] = {name: sha256(files[name]).hexdigest() for name in part["files"]}
        manifest["digest"] = digest_of(manifest["identity"])
        folder = Path(self.settings.store) / "bundles" / manifest["digest"]
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        text = canonical(manifest)
        (folder / MANIFEST).write_bytes(text)
        return replace(what, digest=Digest(manifest["digest"]), manifest=Digest(sha256(text).hexdigest()))
