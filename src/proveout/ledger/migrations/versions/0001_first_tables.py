"""The first tables, and the triggers that keep `entries` append-only on both databases.

A migration is history: it repeats the columns instead of importing them, so that it does the same for ever.
"""

import sqlalchemy as sa
from alembic import op

from proveout.errors import UsageError

revision = "0001"
down_revision = None

_SQLITE = (
    """CREATE TRIGGER entries_refuse_update BEFORE UPDATE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never changed'); END""",
    """CREATE TRIGGER entries_refuse_delete BEFORE DELETE ON entries
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never deleted'); END""",
    # INSERT OR REPLACE deletes the row it replaces without calling the trigger above.
    """CREATE TRIGGER entries_refuse_replace BEFORE INSERT ON entries
    WHEN EXISTS (SELECT 1 FROM entries WHERE seq = NEW.seq OR previous = NEW.previous)
    BEGIN SELECT RAISE(ABORT, 'the ledger is append-only: an entry is never replaced'); END""",
)

_POSTGRESQL = (
    """CREATE FUNCTION entries_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the ledger is append-only: % of its entries is refused', lower(TG_OP); END $$""",
    """CREATE TRIGGER entries_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON entries
    FOR EACH STATEMENT EXECUTE FUNCTION entries_refuse()""",
)


def upgrade() -> None:
    """Make the tables in an empty database."""
    moment = sa.String(29).with_variant(sa.String(29, collation="C"), "postgresql")
    op.create_table(
        "entries",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", moment, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("kind", "subject", "actor", "reason", "body")),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.UniqueConstraint("previous", name="entries_do_not_fork"),
    )
    op.create_index("entries_by_kind", "entries", ["kind", "seq"])
    op.create_index("entries_by_subject", "entries", ["subject", "kind", "seq"])
    op.create_table(
        "predictions",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("at", moment, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("model", "release", "answered_by")),
        sa.Column("value", sa.Text),
        sa.Column("answer", sa.Text, nullable=False),
        sa.Column("latency_ms", sa.Double, nullable=False),
        sa.Column("fallback_reason", sa.Text),
        sa.Column("record", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False, server_default="champion"),
        sa.Column("key", sa.Text, nullable=False, server_default=""),
        sa.Column("event", sa.BigInteger),
    )
    op.create_index("predictions_by_model", "predictions", ["model", "at"])
    op.create_index(
        "predictions_by_release", "predictions", ["release", "role", "answered_by", "at", "latency_ms", "event"]
    )
    op.create_table(
        "outcomes",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("known_at", moment, nullable=False),
    )
    op.create_index("outcomes_by_time", "outcomes", ["known_at", "request_id", "value"])
    op.create_table(
        "shadows",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("release", sa.Text, primary_key=True),
        sa.Column("at", moment, nullable=False),
        sa.Column("answer", sa.Text),
        sa.Column("latency_ms", sa.Double, nullable=False),
        sa.Column("problem", sa.Text),
    )
    op.create_index("shadows_by_release", "shadows", ["release", "at"])
    op.create_table(
        "feedback",
        sa.Column("feedback_id", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("outcome", sa.Text),
        sa.Column("wrong", sa.Boolean, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
    )
    op.create_index("feedback_by_request", "feedback", ["request_id", "at"])
    op.create_table(
        "journals",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("drained", sa.BigInteger, nullable=False),
    )
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    """Refused: going back would drop the entries."""
    raise UsageError("A ledger has no way back to an older schema: restore a backup from before the upgrade.")
