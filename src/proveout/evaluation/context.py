"""What lies on the table in a gate run: candidate, champion, the rows they are compared on; and what judges them.

Comes in: settings and the name of a candidate. Goes out: opened bundles, labelled rows, profiles. Reads the store and
the ledger, writes nothing.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from proveout.data import features, snapshots
from proveout.errors import ConfigError, NoCandidate, NoLedger, NotFound, UsageError
from proveout.evaluation import fixture_digests, provenance
from proveout.ledger import ledger as ledgers
from proveout.model import bundle as bundles
from proveout.model import serving_form
from proveout.model.bundle import OpenBundle
from proveout.model.released_bundle import open_released
from proveout.project import open_ledger, open_store
from proveout.records import Batch, Bundle, ColumnStats, Digest, Snapshot
from proveout.rollout import releases
from proveout.schema import request_schema
from proveout.settings import Settings, read_bounds

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """Rows whose outcome is known, in three forms of the same order."""

    raw: "pd.DataFrame"  # everything the snapshot has of them, the outcome included
    records: "pd.DataFrame"  # what a request would have said: the request columns
    labels: "NDArray[np.bool_]"

    @property
    def rows(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class Profiles:
    """The profile numbers of each batch, a column by its name."""

    holdout: Mapping[str, ColumnStats]
    training: Mapping[str, Mapping[str, ColumnStats]]  # by batch


class Criteria(Mapping[str, Any]):
    """The bounds that the checks ask for, by name: `[evaluation]` of the project's train.toml, as it is now."""

    def __init__(self, table: Mapping[str, Any], *, file: str) -> None:
        self._table, self._file = dict(table), file

    def __getitem__(self, name: str) -> Any:
        if name not in self._table:
            there = ", ".join(sorted(self._table)) or "none"
            raise ConfigError(f"[evaluation] in {self._file}", f"has no {name} (there: {there})", "Add it")
        return self._table[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, name: object) -> bool:
        return name in self._table  # the one of Mapping waits for a KeyError


class EvaluationContext:
    """What one candidate is judged with. Everything is read when it is first asked for, and once."""

    def __init__(self, settings: Settings, folder: Path) -> None:
        self.settings = settings
        self.folder = folder
        self.bundle = _described(settings, folder)
        self.bounds: Mapping[str, Any] = MappingProxyType(read_bounds(settings))  # as they are when the run begins
        self.store = open_store(settings)
        self.seals: dict[str, str | Mapping[str, int]] = {}  # of what was handed out, see `seals`

    @cached_property
    def candidate(self) -> OpenBundle:
        """The bundle that is judged, once it answers requests as a server puts them."""
        opened, schema = bundles.open_bundle(self.folder), request_schema.load(self.settings)
        serving_form.refuse_unservable(opened, schema.dtypes, nullable=schema.nullable, name=opened.bundle.name)
        return self._sealed("candidate", opened)

    @cached_property
    def champion(self) -> OpenBundle | None:
        """The bundle that answers now; None when nothing was ever released."""
        with open_ledger(self.settings, create=True) as ledger:
            release = releases.current(ledger, self.settings.model)
        if release is None:
            return None
        return self._sealed("champion", open_released(self.settings, release.bundle))

    @cached_property
    def snapshot(self) -> Snapshot:
        """The data the candidate was trained on and held out from."""
        described = snapshots.describe(self.store, self.bundle.snapshot)
        with open_ledger(self.settings, create=True) as ledger:
            return provenance.as_entered(ledger, described)

    @cached_property
    def holdout(self) -> LabelledRows:
        """The rows of the batch held out, where the outcome is known."""
        return self._rows(self.bundle.holdout, name="holdout")

    @property
    def held_out(self) -> Digest:
        """The content of the batch held out; empty if the snapshot has none of its name."""
        with suppress(NotFound):  # the gate's own questions say that there is no such snapshot
            for batch in self.snapshot.batches:
                if batch.name == self.bundle.holdout:
                    return batch.content
        return Digest("")

    @cached_property
    def training(self) -> LabelledRows:
        """The rows of the batches up to `train_through`, where the outcome is known."""
        return self._rows(*(batch.name for batch in self.training_batches), name="training")

    @property
    def training_batches(self) -> tuple[Batch, ...]:
        return tuple(batch for batch in self.snapshot.batches if batch.name <= self.bundle.train_through)

    @cached_property
    def profiles(self) -> Profiles:
        """The profile numbers of the batch held out and of each batch trained on."""
        held_out = next((batch for batch in self.snapshot.batches if batch.name == self.bundle.holdout), None)
        return Profiles(
            holdout=self._numbers(held_out) if held_out is not None else {},
            training={batch.name: self._numbers(batch) for batch in self.training_batches},
        )

    @cached_property
    def criteria(self) -> Criteria:
        """The bounds that the checks ask for."""
        return Criteria(self.bounds, file=self.settings.train_config)

    def outcomes_known(self, snapshot: Snapshot, batch: str) -> bool:
        """Whether most rows of a batch have their outcome by now."""
        rows = snapshots.read(self.store, snapshot.digest, batches=[batch])
        return bool(features.labels(self.settings, rows).notna().mean() >= 0.5)

    def _numbers(self, batch: Batch) -> Mapping[str, ColumnStats]:
        return {column.name: column for column in snapshots.profile_numbers(self.store, batch.digest)}

    def _sealed(self, name: str, opened: OpenBundle) -> OpenBundle:
        self.seals[name] = fixture_digests.of_bundle(opened)
        return opened

    def _rows(self, *batches: str, name: str) -> LabelledRows:
        rows = snapshots.read(self.store, self.bundle.snapshot, batches=batches)
        labels = features.labels(self.settings, rows)
        known = labels.notna()
        raw = rows[known].reset_index(drop=True)
        found = LabelledRows(
            raw=raw,
            records=raw[list(self.candidate.request_columns)],
            labels=labels[known].to_numpy(dtype=bool),
        )
        self.seals[name] = fixture_digests.of_rows(found.labels, found.raw, found.records)
        return found


def find_candidate(settings: Settings, named: str | None) -> Path:
    """The folder of the bundle to judge: the one named by digest, prefix or folder, else the newest packed one.

    Raises: NoCandidate if none was ever packed; NotFound if the one named is not there.
    """
    if named is not None and (Path(named) / bundles.MANIFEST).is_file():
        return Path(named).resolve()
    store = open_store(settings)
    if named is not None:
        return store.folder("bundles", store.find("bundles", named))
    try:
        with open_ledger(settings) as ledger:
            for entry in ledger.entries(kind="bundle", newest_first=True):
                packed = ledgers.read(Bundle, entry)
                if packed.model == settings.model:
                    return store.folder("bundles", packed.digest)
    except NoLedger as error:
        raise NoCandidate(settings.model) from error
    raise NoCandidate(settings.model)


def _described(settings: Settings, folder: Path) -> Bundle:
    bundle = bundles.describe(folder)
    if bundle.model != settings.model:
        raise UsageError(f"{bundle.name} is a bundle of another model: the checks here judge {settings.model}.")
    return bundle
