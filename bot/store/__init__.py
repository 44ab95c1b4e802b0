"""The database: SQLite or Postgres behind one `Store`. No rule is decided in here."""

from bot.store.schema import migrate
from bot.store.store import Store, Tx

__all__ = ["Store", "Tx", "migrate"]
