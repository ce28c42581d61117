"""The evaluation context of a gate run: candidate, champion, the rows they are compared on, and the project's bounds.

Input: settings and the name of a candidate. Output: opened bundles, labelled rows, profiles. It reads the store and the
ledger and writes nothing.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from proveout.data import features, profiles, snapshots
from proveout.data.splits import BATCH, HOLDOUT, TRAIN
from proveout.errors import ConfigError, NoCandidate, NoLedger, NotFound, UsageError
from proveout.evaluation import fixture_digests, provenance
from proveout.evaluation.holdout_sample import HoldoutSample
from proveout.ledger import ledger as ledgers
from proveout.model import bundle as bundles
from proveout.model import manifest, serving_form
from proveout.model.bundle import OpenBundle
from proveout.model.released_bundle import open_released
from proveout.project import open_ledger, open_store
from proveout.records.bundle import Bundle
from proveout.records.snapshot import Batch, ColumnStats, Snapshot
from proveout.records.train_config import TimeSplit
from proveout.records.values import Digest
from proveout.rollout import releases
from proveout.schema import request_schema
from proveout.settings import Settings, read_bounds

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class LabelledRows:
    """Rows with a known outcome, in three forms with the same order."""

    raw: "pd.DataFrame"  # all columns of the snapshot, including the outcome
    records: "pd.DataFrame"  # the request columns
    labels: "NDArray[Any]"  # the outcomes in the task's form

    @property
    def rows(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, kw_only=True)
class _WatchedRows(LabelledRows):
    """Rows that tell when somebody takes them."""

    taken: Callable[[], None]

    def __getattribute__(self, name: str) -> Any:
        if name in _FORMS:
            object.__getattribute__(self, "taken")()
        return object.__getattribute__(self, name)


_FORMS = frozenset({"raw", "records", "labels"})


@dataclass(frozen=True, kw_only=True)
class Profiles:
    """The profile numbers of both sides of the split, by column name."""

    holdout: Mapping[str, ColumnStats]
    training: Mapping[str, Mapping[str, ColumnStats]]  # by batch


class Criteria(Mapping[str, Any]):
    """The bounds of the checks, by name: the current `[evaluation]` of the project's train.toml."""

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
        return name in self._table  # Mapping's own method expects a KeyError


_SAME_FOR_SAMPLES = frozenset({"_opened", "candidate", "champion", "snapshot", "training", "_all_held_out", "held_out"})


class EvaluationContext:
    """Everything that one candidate is judged with. Each part is read once, on first use."""

    def __init__(self, settings: Settings, folder: Path, *, sample: HoldoutSample | None = None) -> None:
        self.settings = settings
        self.folder = folder
        self.sample = sample  # use only these of the held-out rows
        self.bundle = _described(settings, folder)
        self.bounds: Mapping[str, Any] = MappingProxyType(read_bounds(settings))  # fixed at the start of the run
        self.store = open_store(settings)
        self.seals: dict[str, str | Mapping[str, int]] = {}  # digests of what was handed out, see `fixture_digests`

    def open_all(self) -> None:
        """Read now what checks of held-out rows ask for: so that `by_sample` need not."""
        _ = (self.candidate, self.champion, self.snapshot, self.training, self._all_held_out, self.held_out)

    def by_sample(self, settings: Settings, sample: HoldoutSample) -> "EvaluationContext":
        """The same candidate, judged by some of the held-out rows. What is open here is not opened again."""
        found = EvaluationContext(settings, self.folder, sample=sample)
        vars(found).update({name: value for name, value in vars(self).items() if name in _SAME_FOR_SAMPLES})
        found.seals.update({name: seal for name, seal in self.seals.items() if name in _SAME_FOR_SAMPLES})
        return found

    @cached_property
    def candidate(self) -> OpenBundle:
        """The judged bundle, opened and checked to answer requests in the server's form."""
        opened, schema = self._opened, request_schema.load(self.settings)
        serving_form.refuse_unservable(opened, schema.dtypes, nullable=schema.nullable, name=opened.bundle.name)
        return self._sealed("candidate", opened)

    @cached_property
    def _opened(self) -> OpenBundle:
        """The judged bundle, opened but not checked: the verdict names its rows even if it cannot answer requests."""
        return bundles.open_bundle(self.folder)

    @cached_property
    def champion(self) -> OpenBundle | None:
        """The current champion; None if nothing was ever released."""
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
        """The rows held out, where the outcome is known; of these the sample, if there is one."""
        found = self._all_held_out
        if self.sample is None:
            return self._sealed_rows("holdout", found)
        places = self.sample.places
        return _WatchedRows(
            raw=found.raw.iloc[places].reset_index(drop=True),
            records=found.records.iloc[places].reset_index(drop=True),
            labels=found.labels[places],
            taken=self.sample.reads.note,
        )

    @cached_property
    def _all_held_out(self) -> LabelledRows:
        return self._labelled(HOLDOUT)

    @cached_property
    def held_out(self) -> Digest:
        """The digest of the held-out rows' content; empty if the store does not have the snapshot."""
        with suppress(NotFound):  # the gate's preconditions report the missing snapshot
            if isinstance(self.bundle.split, TimeSplit):  # the batch's digest, whether or not outcomes changed since
                named = [batch for batch in self.snapshot.batches if batch.name == self.bundle.split.holdout]
                return named[0].content if named else Digest("")
            return snapshots.content_digest(self.rows_on(HOLDOUT).drop(columns=BATCH))
        return Digest("")

    @cached_property
    def training(self) -> LabelledRows:
        """The training rows with a known outcome."""
        return self._sealed_rows("training", self._labelled(TRAIN))

    @cached_property
    def profiles(self) -> Profiles:
        """The profile numbers of the held-out rows, and of the training rows of each batch."""
        split = self.bundle.split
        if isinstance(split, TimeSplit):  # whole batches have stored profiles
            known = {batch.name: batch for batch in self.snapshot.batches}
            return Profiles(
                holdout=self._numbers(known[split.holdout]) if split.holdout in known else {},
                training={name: self._numbers(known[name]) for name in known if name <= split.train_through},
            )
        learned = self.rows_on(TRAIN)
        return Profiles(
            holdout=_profiled(self.rows_on(HOLDOUT)),
            training={str(name): _profiled(rows) for name, rows in learned.groupby(BATCH, sort=True)},
        )

    @cached_property
    def criteria(self) -> Criteria:
        """The bounds that the checks ask for."""
        return Criteria(self.bounds, file=self.settings.train_config)

    def outcomes_known(self, snapshot: Snapshot, batch: str) -> bool:
        """Whether most rows of a batch have a known outcome by now."""
        rows = snapshots.read(self.store, snapshot.digest, batches=[batch])
        return bool(features.labels(self.settings, rows).notna().mean() >= 0.5)

    def _numbers(self, batch: Batch) -> Mapping[str, ColumnStats]:
        return {column.name: column for column in snapshots.profile_numbers(self.store, batch.digest)}

    def _sealed(self, name: str, opened: OpenBundle) -> OpenBundle:
        self.seals[name] = fixture_digests.of_bundle(opened)
        return opened

    def _sealed_rows(self, name: str, found: LabelledRows) -> LabelledRows:
        self.seals[name] = fixture_digests.of_rows(found.labels, found.raw, found.records)
        return found

    def rows_on(self, side: str) -> "pd.DataFrame":
        """The raw rows of one side of the split, including those without an outcome.

        Raises: BundleError if the snapshot has other rows than the bundle says.
        """
        return bundles.rows_on(self._opened, self.store, side)

    def _labelled(self, side: Literal["train", "holdout"]) -> LabelledRows:
        rows = self.rows_on(side)
        labels = features.labels(self.settings, rows)
        known = labels.notna()
        raw = rows[known].reset_index(drop=True)
        return LabelledRows(
            raw=raw,
            records=raw[list(self.candidate.request_columns)],
            labels=self.candidate.task.outcomes(labels[known].to_numpy()),
        )


def _profiled(rows: "pd.DataFrame") -> Mapping[str, ColumnStats]:
    numbers = profiles.numbers(profiles.profile(rows.drop(columns=BATCH)))
    return {column.name: column for column in numbers}


def find_candidate(settings: Settings, named: str | None) -> Path:
    """The folder of the bundle to judge: named by digest, prefix or folder, else the newest bundle.

    Raises: NoCandidate if no bundle exists; NotFound if the named one does not exist.
    """
    if named is not None and (Path(named) / manifest.MANIFEST).is_file():
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
    bundle = manifest.verify(folder)
    if bundle.model != settings.model:
        raise UsageError(f"{bundle.name} is a bundle of another model: the checks here judge {settings.model}.")
    if bundle.task.task != settings.task:
        problem = f"{bundle.name} answers a {bundle.task.task} task, and [tool.proveout] says {settings.task}"
        raise UsageError(f"{problem}: train it again.")
    return bundle
