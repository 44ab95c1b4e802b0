"""The database: SQLite or Postgres behind one `Store`. No rule is decided in here."""

from bot.store.store import Store, Tx, migrate

__all__ = ["Store", "Tx", "migrate"]
