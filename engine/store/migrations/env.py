"""Alembic's entry: runs the steps on the connection, in the transaction, that `upgrade` opened."""

from alembic import context

from engine.store.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite cannot alter constraints in place; batches copy the table.
    render_as_batch=True,
    # Both databases take schema changes back with the transaction (ours begins by itself).
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
