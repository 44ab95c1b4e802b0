"""What Alembic runs: `bot.store.migrate` hands over a connection with the lock already held."""

from __future__ import annotations

from alembic import context

from bot.store.tables import metadata

connection = context.config.attributes["connection"]
ours = frozenset(metadata.tables)
context.configure(
    connection=connection,
    target_metadata=metadata,
    # The engine's own tables live beside ours; they are none of Alembic's business.
    include_name=lambda name, kind, _parents: kind != "table" or name in ours,
)
context.run_migrations()
