"""Alembic's environment: `Ledger` hands over its connection, in a transaction that is this migration's alone."""

from alembic import context

from proveout.ledger.tables import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"], target_metadata=METADATA, version_table=VERSION_TABLE
)
with context.begin_transaction():
    context.run_migrations()
