"""The records that rooms hand to each other: frozen, of plain values, each with a JSON form.

Input: nothing. Output: one dataclass per arrow of the line (DESIGN: source, snapshot, guard, bundle,
checks, registry, server, predictions, monitor). Times are ISO 8601 in UTC, as text; digests are SHA-256 in hex.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Literal, NewType, TypeVar

Digest = NewType("Digest", str)
"""SHA-256 of what it names: 64 hexadecimal digits."""

Scalar = str | int | float | bool | None
TargetValue = str | int | float | bool
"""What a target can be: true or false, a class, or a number."""
TaskName = Literal["binary", "multiclass", "regression"]
Role = Literal["champion", "canary", "shadow"]
AnswerSource = Literal["model", "cache", "rules", "none"]
Severity = Literal["critical", "warning", "info"]
Scope = Literal["predict", "feedback", "admin", "metrics"]
CheckOutcome = Literal["passed", "failed", "error", "skipped", "xfailed", "xpassed", "deselected", "missing", "empty"]
Judgement = Literal["approved", "refused", "incomplete"]


# --- data ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ColumnStats:
    """What a profile says of one column. `distinct` is an estimate (HyperLogLog, about 2 %)."""

    name: str
    rows: int
    nulls: int
    distinct: float
    minimum: float | None = None  # None for text
    maximum: float | None = None
    mean: float | None = None
    stddev: float | None = None

    @property
    def null_share(self) -> float:
        """Share of rows without a value, 0 to 1; 0 for no rows."""
        return self.nulls / self.rows if self.rows else 0.0


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """How many rows of a batch one check of the guard refused; they lie in quarantine."""

    check: str
    rows: int


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One guarded portion of the source, such as a month. `digest` is over its name and all its rows."""

    name: str
    digest: Digest
    content: Digest  # over the accepted rows alone
    refused_content: Mapping[str, Digest] = field(default_factory=dict)  # over the refused ones, of each table with any
    rows: int
    refused: int = 0
    refusals: tuple[Refusal, ...] = ()
    # How they came about, which is no part of what they are: other code that gives the same rows gives the same batch.
    left_out: tuple[Refusal, ...] = ()  # rows that the source says it left out, by its reasons
    code: Mapping[str, str] = field(default_factory=dict)  # SHA-256 of the files that made them, by name from the root


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """An immutable version of the data: its batches in order. The digest is taken over their names and digests."""

    digest: Digest
    batches: tuple[Batch, ...]

    @property
    def rows(self) -> int:
        return sum(batch.rows for batch in self.batches)

    @property
    def refused(self) -> int:
        return sum(batch.refused for batch in self.batches)

    def through(self) -> str:
        """Name of the last batch."""
        return self.batches[-1].name


@dataclass(frozen=True, kw_only=True)
class BatchRemoval:
    """A batch that was taken out of the newest snapshot."""

    batch: Batch
    before: Digest  # the snapshot that has it, and keeps it
    snapshot: Snapshot  # without it


# --- answers ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class TaskFacts:
    """What has to be known of a bundle to read its scores. `task/` makes of it the task itself."""

    task: TaskName = "binary"
    threshold: float | None = None  # binary: true from this probability on
    classes: tuple[TargetValue, ...] = ()  # multi-class, in the order of the scores
    half_width: float | None = None  # regression: of the interval around a value, in the unit of the target
    coverage: float | None = None  # regression: share of the held-out rows whose outcome lay in its interval


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What was said of one record, by a model, its cache or the rules. Which fields are filled depends on the task:

    binary          `value` is true or false, `probability` that of true
    multi-class     `value` is a class, `probability` its own, `probabilities` those of all classes
    regression      `value` is a number, and the outcome lies between `low` and `high` with the chance `coverage`

    Rules may know only the value. Without an answer, all is None.
    """

    value: TargetValue | None = None
    probability: float | None = None
    probabilities: Mapping[str, float] | None = None  # by the class as text: 3 is "3", true is "true"
    low: float | None = None
    high: float | None = None
    coverage: float | None = None  # 0 to 1
    confidence: float | None = None  # share of the held-out rows with such an answer that it was right for, 0 to 1


# --- training -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One number the training run reports of a model, on held-out rows."""

    name: str
    value: float


@dataclass(frozen=True, kw_only=True)
class TimeSplit:
    """Batches in the order of their names: all up to one are learned from, and a later one is held out."""

    train_through: str  # the last batch to learn from
    holdout: str  # the batch held out
    kind: Literal["time"] = "time"

    @property
    def words(self) -> str:
        """The split in a few words."""
        return f"learned through {self.train_through}, judged on {self.holdout}"

    @property
    def short(self) -> str:
        """The split in a word or two, as a table shows it."""
        return f"through {self.train_through}"


@dataclass(frozen=True, kw_only=True)
class RandomSplit:
    """Events drawn at random, by a hash of their key and the seed."""

    holdout_share: float = 0.2  # above 0, below 1
    seed: int = 0
    stratify: bool = False  # each class of the target gives its share
    kind: Literal["random"] = "random"

    @property
    def words(self) -> str:
        """The split in a few words."""
        each = " of each class" if self.stratify else ""
        return f"judged on {100 * self.holdout_share:.3g} %{each} drawn at random (seed {self.seed})"

    @property
    def short(self) -> str:
        """The split in a word or two."""
        return f"{100 * self.holdout_share:.3g} % at random"


@dataclass(frozen=True, kw_only=True)
class GroupSplit:
    """Whole groups of rows drawn at random, such as all of one customer."""

    column: str  # of the raw rows: names the group
    holdout_share: float = 0.2  # of the groups
    seed: int = 0
    kind: Literal["group"] = "group"

    @property
    def words(self) -> str:
        """The split in a few words."""
        return f"judged on {100 * self.holdout_share:.3g} % of the groups by {self.column} (seed {self.seed})"

    @property
    def short(self) -> str:
        """The split in a word or two."""
        return f"{100 * self.holdout_share:.3g} % by {self.column}"


@dataclass(frozen=True, kw_only=True)
class ColumnSplit:
    """As the pilot split them: a column of the raw rows says `train` or `holdout`."""

    column: str
    kind: Literal["column"] = "column"

    @property
    def words(self) -> str:
        """The split in a few words."""
        return f"judged on the rows that {self.column} calls holdout"

    @property
    def short(self) -> str:
        """The split in a word or two."""
        return f"as {self.column} says"


Split = TimeSplit | RandomSplit | GroupSplit | ColumnSplit
"""Which rows a model learns from, and which are held out to judge it."""


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which snapshot a run is made of."""

    version: str = "latest"  # or the digest of one, or its beginning


@dataclass(frozen=True, kw_only=True)
class Infrastructure:
    """What the run may use of the machine."""

    cpu: float = 1.0
    memory_mb: int = 4096
    threads: int = 1  # of the numeric libraries; part of what makes two runs equal to the last bit
    retries: int = 0
    timeout_s: float = 3_600.0  # for the whole notebook
    cell_timeout_s: float = 3_600.0


@dataclass(frozen=True, kw_only=True)
class Decision:
    """How the model answers."""

    threshold: float | None = None  # binary: true from this probability on
    coverage: float | None = None  # regression: the share of outcomes that the interval of an answer is to hold
    metric: str | None = None  # what the model promises, and the monitor measures; else the usual one of its task


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """train.toml, each value of the kind that is expected."""

    data: DataConfig = DataConfig()
    split: Split
    parameters: Mapping[str, Any] = field(default_factory=dict)  # of the notebook: JSON values
    infrastructure: Infrastructure = Infrastructure()
    decision: Decision = Decision()
    evaluation: Mapping[str, Scalar] = field(default_factory=dict)  # the bounds that the checks ask for


@dataclass(frozen=True, kw_only=True)
class PackedConfig:
    """What a bundle was made of: the configuration of the run without its bounds, on the rows of a snapshot."""

    snapshot: Digest
    config: TrainConfig


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A packed artifact, as its manifest describes it. `digest` is over the identity, `manifest` over the whole."""

    model: str
    digest: Digest
    manifest: Digest
    snapshot: Digest
    metrics: tuple[Metric, ...]
    trained_at: str
    run: str  # Metaflow pathspec of the run, such as TrainFlow/1718...
    git_commit: str  # "unknown" outside a git checkout, ends in "+changes" when the tree was dirty
    split: Split  # which rows of the snapshot it learned from, and which are held out
    bytes: int
    task: TaskFacts = TaskFacts()

    @property
    def name(self) -> str:
        """`model@digest`, the digest shortened as people read it."""
        return f"{self.model}@{self.digest[:12]}"


# --- gate ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """One measured number a check states, with the bounds it was asked to keep."""

    check: str = ""  # pytest node id; filled in when a check states it
    name: str
    value: float | None  # None where it cannot be had; `unjudged` then says why
    at_least: float | None = None
    at_most: float | None = None
    slice: str | None = None
    rows: int | None = None
    champion: float | None = None  # the champion's value of the same number, where there is one
    low: float | None = None  # confidence interval of the value
    high: float | None = None
    level: float | None = None  # of the interval, 0 to 1: 0.95 is 95 %
    surely: bool = False  # the bounds are asked of the interval's worse end, not of the value
    decision: str = ""  # the answer in a word or two where it is more than a bound: better, not worse, undecided
    unjudged: str = ""  # why this number is no answer, such as too few rows: it then neither holds nor breaks
    covers: tuple[str, ...] = ()  # tests of the ML Test Score that it is evidence for, such as "model-6"

    @property
    def holds(self) -> bool:
        """Whether the number is an answer, and keeps its bounds. NaN keeps none."""
        return not self.unjudged and self._within

    @property
    def error_rate(self) -> float | None:
        """How often the interval lies beyond a bound by chance, where that is asked `surely`: half of it at each end.

        >>> round(Evidence(name="auc", value=0.8, at_least=0.7, level=0.9, surely=True).error_rate, 4)
        0.05
        """
        if not self.surely or self.level is None or not 0 < self.level < 1:
            return None
        both = self.at_least is not None and self.at_most is not None
        return 1 - self.level if both else (1 - self.level) / 2

    @property
    def breaks(self) -> bool:
        """Whether the number is an answer, and does not keep its bounds."""
        return not self.unjudged and not self._within

    @property
    def _within(self) -> bool:
        # Without an interval, nothing is sure.
        low, high = (self.low, self.high) if self.surely else (self.value, self.value)
        above = self.at_least is None or (low is not None and low >= self.at_least)
        below = self.at_most is None or (high is not None and high <= self.at_most)
        return above and below and self.value is not None and self.value == self.value


USUAL_ERROR_RATE = 0.05
"""The error rate that is taken where no check states one."""
NOT_RUN = frozenset({"deselected", "missing"})
"""Outcomes of checks that this run never started."""


@dataclass(frozen=True, kw_only=True)
class CheckResult:
    """What became of one check in a gate run."""

    check: str  # pytest node id
    outcome: CheckOutcome
    required: bool
    message: str = ""
    covers: tuple[str, ...] = ()  # tests of the ML Test Score, from its marks and its evidence


@dataclass(frozen=True, kw_only=True)
class Waiver:
    """Leave for one check to fail until a day, by a person who answers for it."""

    check: str  # pytest node id, or the beginning of some
    by: str
    reason: str
    until: str  # ISO 8601 date, the last day it holds


@dataclass(frozen=True, kw_only=True)
class MovedBound:
    """A bound of `[evaluation]` that is another one than in an earlier verdict."""

    name: str
    before: Scalar  # None where it was not asked
    now: Scalar  # None where it is asked no more
    looser: bool | None  # whether less is asked; None where its name does not tell


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """A candidate that the same held-out rows judged before."""

    candidate: Digest
    outcomes: tuple[Judgement, ...]  # of its verdicts, the oldest first


@dataclass(frozen=True, kw_only=True)
class HoldoutUse:
    """How often the same held-out rows have judged candidates of a model: each time, one more may pass by luck."""

    content: Digest  # of the held-out batch
    others: tuple[Attempt, ...] = ()  # candidates that were judged on it before, the first one first
    again: tuple[Judgement, ...] = ()  # what was said of this candidate before
    error_rate: float  # chance that one candidate which should be refused passes by luck
    stated: bool  # whether a check states that rate; without one, it is taken to be 5 %
    error_rate_at_most: float  # that may be, of all candidates together

    @property
    def candidates(self) -> int:
        """How many were judged on these rows, this one included."""
        return len(self.others) + 1

    @property
    def together(self) -> float:
        """Chance that one of them passes by luck, at most (Bonferroni)."""
        return min(1.0, self.candidates * self.error_rate)

    @property
    def holds_for(self) -> int:
        """How many candidates may be judged before that chance is above the one stated."""
        # Rounded up by a billionth: 0.1 / (0.1 / 3) is a little below 3.
        return int(self.error_rate_at_most / self.error_rate + 1e-9)

    @property
    def exceeded(self) -> bool:
        return self.candidates > self.holds_for


@dataclass(frozen=True, kw_only=True)
class SourceVersion:
    """One version of the code that makes rows, and the batches it made."""

    batches: tuple[str, ...]
    files: Mapping[str, str]  # SHA-256 of each, by its name from the root; empty where nobody wrote it down


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the gate said of one candidate. Never edited: a new run is a new verdict."""

    model: str
    candidate: Digest
    manifest: Digest
    data: Digest  # the snapshot the candidate was judged on
    source: tuple[SourceVersion, ...] = ()  # what made its rows
    source_changed: tuple[str, ...] = ()  # files of the source that were others in the verdict compared with
    checks: Digest  # over the source of checks/ and conftest.py
    configuration: Digest = Digest("")  # over the settings that judge
    checks_folder: str = ""  # of the checks, where it is not the project's own: named on the command line
    read: Mapping[str, str] = field(default_factory=dict)  # SHA-256 of each other file that the checks read
    bounds: Mapping[str, Scalar] = field(default_factory=dict)  # that were asked: [evaluation] of train.toml
    moved: tuple[MovedBound, ...] = ()  # bounds that are others than in an earlier verdict
    moved_since: str = ""  # that verdict: the champion's, or the first on the same held-out rows
    holdout_use: HoldoutUse | None = None
    outcome: Judgement
    passed: int
    failed: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()  # declared, but skipped, xfailed, empty, deselected or never collected
    waived: tuple[Waiver, ...] = ()  # those without which it would not have been approved
    results: tuple[CheckResult, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    cases: Mapping[str, Digest] = field(default_factory=dict)  # the edge cases it was judged by, each by its id
    champion: Digest | None = None
    judged_at: str
    gate_run: str = ""  # how whoever started the run named it, to know its verdict from that of another run
    key: str = ""  # id of the key that signed it
    signature: str = ""  # base64, over the canonical JSON of all fields but this one


# --- registry -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Approval:
    """Leave to serve one bundle: an ed25519 signature over the digests a verdict was about."""

    model: str
    bundle: Digest
    manifest: Digest
    data: Digest
    checks: Digest
    verdict: Digest  # hash of the verdict's ledger entry
    approved_at: str
    expires_at: str
    key: str  # id of the public key: the first 16 hex digits of its SHA-256
    signature: str  # base64, over the canonical JSON of all fields but this one


@dataclass(frozen=True, kw_only=True)
class Consent:
    """One person's leave to serve one bundle, after the gate's: asked for where `required_approvals` is above 0."""

    model: str
    bundle: Digest
    manifest: Digest
    verdict: Digest  # hash of the ledger entry of the verdict it is about
    by: str  # the person, as their public key is named
    reason: str
    approved_at: str
    expires_at: str
    key: str  # id of the person's public key
    signature: str  # base64, over the canonical JSON of all fields but this one


@dataclass(frozen=True, kw_only=True)
class Release:
    """A bundle, a role and a share of the traffic, from a moment on, by somebody, for a reason."""

    model: str
    bundle: Digest
    role: Role
    share: float  # 0 to 1; 0 ends a canary or a shadow
    since: str
    by: str
    reason: str
    data: Digest
    verdict: Digest  # hash of the verdict's ledger entry
    before: Digest | None = None  # the bundle that held the role until then

    @property
    def name(self) -> str:
        """`model@digest`, as answers and logs name the release."""
        return f"{self.model}@{self.bundle[:12]}"


@dataclass(frozen=True, kw_only=True)
class ApiKey:
    """Leave to call the server, without the secret: that is shown once, when the key is made."""

    id: str  # 12 hexadecimal digits, the middle part of `po_<id>_<secret>`
    name: str  # whose it is, as people know it
    tenant: str  # callers who may share cached answers
    mac: str  # HMAC-SHA256 of the secret under the pepper, in hex
    scopes: tuple[Scope, ...]
    rate_per_s: float | None = None  # requests; None for no limit
    burst: int | None = None  # requests at once
    per_day: int | None = None  # requests between two midnights in UTC
    created_at: str
    revoked_at: str | None = None


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One row of the ledger. `hash` covers every other field and the hash before it."""

    seq: int
    at: str
    kind: str  # snapshot, bundle, verdict, approval, consent, release, key, erasure, drift, alert, delivery, audit
    subject: str
    actor: str
    reason: str
    body: str  # JSON of the record
    previous: Digest
    hash: Digest


# --- serving ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Prediction:
    """One logged answer."""

    request_id: str
    at: str
    model: str
    release: str  # `model@digest`, or "" where nothing was released
    record: Mapping[str, Scalar]  # the request as accepted, every field of the request schema
    answered_by: AnswerSource
    answer: Answer
    latency_ms: float
    fallback_reason: str | None = None
    role: Role = "champion"  # of the release that was asked: champion or canary
    key: str = ""  # id of the API key that asked; "" where none was needed


@dataclass(frozen=True, kw_only=True)
class ShadowAnswer:
    """What a shadow said of a request that the champion answered. Nobody waited for it."""

    request_id: str  # of the prediction it stands beside
    at: str
    release: str
    answer: Answer | None  # None exactly where there is a problem
    latency_ms: float  # of the model alone, as it is for nobody's answer
    problem: str | None = None  # why there is no answer


@dataclass(frozen=True, kw_only=True)
class Feedback:
    """What somebody said of an answer."""

    feedback_id: str
    request_id: str
    at: str
    outcome: TargetValue | None = None  # what really happened, where it is known
    wrong: bool = False  # "this answer was wrong"
    text: str = ""
    key: str = ""  # id of the API key it came with


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What really happened to the thing a prediction was about."""

    request_id: str
    value: TargetValue
    known_at: str


# --- monitoring ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class ColumnDrift:
    """One column of the window against the reference rows: a two-sample test and its answer."""

    column: str
    test: Literal["ks", "chi2"]
    statistic: float
    p_value: float
    alarmed: bool  # p_value at or under the family's share of alpha (Bonferroni)
    reference_rows: int
    window_rows: int


@dataclass(frozen=True, kw_only=True)
class Performance:
    """How the answers did against the outcomes that have come in."""

    rows: int  # predictions with an outcome
    metrics: Mapping[str, float]  # those of the task that can be measured on them, by name
    errors: Mapping[str, float] = field(default_factory=dict)  # standard errors, of those that have one


@dataclass(frozen=True, kw_only=True)
class DriftReport:
    """A window of predictions compared with the rows the model was trained on."""

    model: str
    bundle: Digest
    window_from: str
    window_to: str
    window_rows: int
    drift_alpha: float  # chance of any alarm when nothing moved
    columns: tuple[ColumnDrift, ...]
    alarm: bool
    performance: Performance | None
    sources: Mapping[str, int]  # answers by source


@dataclass(frozen=True, kw_only=True)
class Alert:
    """Something for a person: what happened, and what to do."""

    severity: Severity
    what: str
    details: str
    next_step: str
    at: str


# --- JSON ---------------------------------------------------------------------------------------------------------

R = TypeVar("R")


def canonical(value: Any) -> bytes:
    """The one JSON text of `value` (a record, or plain values): keys sorted, no spaces. Digests are taken over it."""
    import orjson

    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest_of(value: Any) -> Digest:
    """SHA-256 over the canonical JSON of a record or of plain values."""
    return Digest(hashlib.sha256(canonical(value)).hexdigest())


def to_json(record: Any) -> str:
    """A record as JSON text; `from_json` reads it back equal."""
    return canonical(record).decode()


def from_json(kind: type[R], text: str | bytes) -> R:
    """The record of type `kind` in `text`.

    Raises: pydantic.ValidationError if a field is missing, unknown in type or out of its choices.
    """
    untyped: Any = kind  # mypy does not take a type variable for a hashable
    record: R = _reader(untyped).validate_json(text)
    return record


@cache
def _reader(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)  # 0.4 ms to build, so one for each kind


def now() -> str:
    """This moment in UTC, ISO 8601 with milliseconds. For hosts only: what decides gets the time as an argument."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
