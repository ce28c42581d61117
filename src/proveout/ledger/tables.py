"""The ledger's tables after the newest migration, and the number of that migration.

The ledger compares its version row with `HEAD` when it opens, and imports alembic only if they differ.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

VERSIONS = ("0001", "0002")
"""Every migration, oldest first: a version that is not here was written by a newer proveout."""

HEAD = VERSIONS[-1]
VERSION_TABLE = "ledger_version"  # not alembic's own name: a shared database may hold another alembic application

METADATA = MetaData()

# Times are compared as text, and PostgreSQL's default collations ignore punctuation.
Moment = String(29).with_variant(String(29, collation="C"), "postgresql")
Sha256 = String(64)

ENTRIES = Table(
    "entries",
    METADATA,
    Column("seq", Integer, primary_key=True, autoincrement=False),  # 1, 2, 3, ... without a gap
    Column("at", Moment, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", Sha256, nullable=False),
    Column("hash", Sha256, nullable=False),
    UniqueConstraint("previous", name="entries_do_not_fork"),  # two entries cannot follow the same one
    Index("entries_by_kind", "kind", "seq"),
    Index("entries_by_subject", "subject", "kind", "seq"),
)

PREDICTIONS = Table(
    "predictions",
    METADATA,
    Column("request_id", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("model", Text, nullable=False),
    Column("release", Text, nullable=False),
    Column("answered_by", Text, nullable=False),
    Column("value", Text),  # JSON of the predicted value, to be compared with the outcome's
    Column("answer", Text, nullable=False),  # JSON of the whole answer
    Column("latency_ms", Double, nullable=False),
    Column("fallback_reason", Text),
    Column("record", Text, nullable=False),  # JSON of the request
    Column("role", Text, nullable=False, server_default="champion"),
    Column("key", Text, nullable=False, server_default=""),
    Column("event", BigInteger),  # hash of the request's event key: repeated requests count once
    Index("predictions_by_model", "model", "at"),
    # Contains all columns that judging a canary needs: a million answers are counted without reading their rows.
    Index("predictions_by_release", "release", "role", "answered_by", "at", "latency_ms", "event"),
)

OUTCOMES = Table(
    "outcomes",
    METADATA,
    Column("request_id", Text, primary_key=True),
    Column("value", Text, nullable=False),  # JSON: true or false, a class, a number
    Column("known_at", Moment, nullable=False),
    Column("corrected", Text),  # JSON of the newest value, if a later one differs from the first; null if none does
    Column("corrected_at", Moment),
    Index("outcomes_by_time", "known_at", "request_id", "value"),
)

SHADOWS = Table(
    "shadows",
    METADATA,
    Column("request_id", Text, primary_key=True),  # of the prediction
    Column("release", Text, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("answer", Text),  # JSON; null if there is a problem
    Column("latency_ms", Double, nullable=False),
    Column("problem", Text),
    Index("shadows_by_release", "release", "at"),
)

FEEDBACK = Table(
    "feedback",
    METADATA,
    Column("feedback_id", Text, primary_key=True),
    Column("request_id", Text, nullable=False),
    Column("at", Moment, nullable=False),
    Column("outcome", Text),  # JSON
    Column("wrong", Boolean, nullable=False),
    Column("text", Text, nullable=False),
    Column("key", Text, nullable=False),
    Index("feedback_by_request", "request_id", "at"),
)

JOURNALS = Table(
    "journals",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("drained", BigInteger, nullable=False),  # bytes of the journal that are copied into the tables
)
