"""What Alembic runs: `bot.store.migrate` hands over a connection with the lock already held."""

from __future__ import annotations

from alembic import context

from bot.store.tables import is_declared, metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    include_name=lambda name, kind, _parents: is_declared(name, kind),
)
context.run_migrations()
