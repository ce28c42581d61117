"""The correction of an outcome, beside what was first known."""

import sqlalchemy as sa
from alembic import op

from proveout.errors import UsageError

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add two columns, null for outcomes that were never corrected."""
    moment = sa.String(29).with_variant(sa.String(29, collation="C"), "postgresql")
    op.add_column("outcomes", sa.Column("corrected", sa.Text))
    op.add_column("outcomes", sa.Column("corrected_at", moment))


def downgrade() -> None:
    """Refused: going back would drop the corrections."""
    raise UsageError("A ledger has no way back to an older schema: restore a backup from before the upgrade.")
