"""Who was asked and by which key, what shadows said, and what people said of answers.

What was logged before there were canaries was answered by the champion, for callers without a key.
"""

import sqlalchemy as sa
from alembic import op

from proveout.errors import UsageError

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add to the tables of 0001; every row stays."""
    moment = sa.String(29).with_variant(sa.String(29, collation="C"), "postgresql")
    op.add_column("predictions", sa.Column("role", sa.Text, nullable=False, server_default="champion"))
    op.add_column("predictions", sa.Column("key", sa.Text, nullable=False, server_default=""))
    op.add_column("predictions", sa.Column("event", sa.BigInteger))
    op.create_index(
        "predictions_by_release", "predictions", ["release", "role", "answered_by", "at", "latency_ms", "event"]
    )
    op.create_index("outcomes_by_time", "outcomes", ["known_at", "request_id", "label"])
    op.create_table(
        "shadows",
        sa.Column("request_id", sa.Text, primary_key=True),
        sa.Column("release", sa.Text, primary_key=True),
        sa.Column("at", moment, nullable=False),
        sa.Column("probability", sa.Double),
        sa.Column("label", sa.Boolean),
        sa.Column("latency_ms", sa.Double, nullable=False),
        sa.Column("problem", sa.Text),
    )
    op.create_index("shadows_by_release", "shadows", ["release", "at"])
    op.create_table(
        "feedback",
        sa.Column("feedback_id", sa.Text, primary_key=True),
        sa.Column("request_id", sa.Text, nullable=False),
        sa.Column("at", moment, nullable=False),
        sa.Column("outcome", sa.Boolean),
        sa.Column("wrong", sa.Boolean, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("key", sa.Text, nullable=False),
    )
    op.create_index("feedback_by_request", "feedback", ["request_id", "at"])


def downgrade() -> None:
    """Refused: going back would drop what people said."""
    raise UsageError("A ledger has no way back to an older schema: restore a backup from before the upgrade.")
