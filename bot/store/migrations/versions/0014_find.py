"""Find: customers by any part of their name, subscriptions by the beginning of their id or by a reseller's MPN id."""

from __future__ import annotations

import logging

import sqlalchemy as sa
from alembic import op
from sqlalchemy.exc import DBAPIError

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

log = logging.getLogger(__name__)

# The index numbers what it holds. A number of `customers` would not do: it has none of its own, and the one that
# SQLite gives may be another after VACUUM. Two characters stand behind each text, so that each of its own begins a
# trigram: short words are looked up by these. Triggers keep it in step, for an older release beside this one writes
# customers without knowing of it.
ON_SQLITE = (
    "CREATE TABLE customer_names (n INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, folded TEXT NOT NULL)",
    """
    CREATE VIRTUAL TABLE customer_words
    USING fts5(folded, content='customer_names', content_rowid='n', tokenize='trigram case_sensitive 1')
    """,
    "CREATE VIRTUAL TABLE customer_terms USING fts5vocab('customer_words', 'row')",
    """
    CREATE TRIGGER customer_added AFTER INSERT ON customers BEGIN
      INSERT INTO customer_names (id, folded) VALUES (new.id, ' ' || new.folded || char(10) || char(10));
    END
    """,
    """
    CREATE TRIGGER customer_removed AFTER DELETE ON customers BEGIN
      DELETE FROM customer_names WHERE id = old.id;
    END
    """,
    """
    CREATE TRIGGER customer_renamed AFTER UPDATE OF id, folded ON customers
    WHEN old.id <> new.id OR old.folded <> new.folded BEGIN
      DELETE FROM customer_names WHERE id = old.id;
      INSERT INTO customer_names (id, folded) VALUES (new.id, ' ' || new.folded || char(10) || char(10));
    END
    """,
    """
    CREATE TRIGGER customer_name_added AFTER INSERT ON customer_names BEGIN
      INSERT INTO customer_words (rowid, folded) VALUES (new.n, new.folded);
    END
    """,
    """
    CREATE TRIGGER customer_name_removed AFTER DELETE ON customer_names BEGIN
      INSERT INTO customer_words (customer_words, rowid, folded) VALUES ('delete', old.n, old.folded);
    END
    """,
    """
    INSERT INTO customer_names (id, folded)
    SELECT id, ' ' || folded || char(10) || char(10) FROM customers
    """,
)


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("mpn_id", sa.String(length=16), nullable=True))
    known = sa.text("mpn_id IS NOT NULL")
    op.create_index(
        "ix_subscriptions_mpn_id", "subscriptions", ["mpn_id"], sqlite_where=known, postgresql_where=known
    )
    if op.get_bind().dialect.name == "sqlite":
        op.create_index("ix_customers_folded", "customers", ["folded"])
        for statement in ON_SQLITE:
            op.execute(statement)
    else:
        # By code point, as SQLite has it: only so an index finds what begins with something.
        op.execute('ALTER TABLE customers ALTER COLUMN folded TYPE text COLLATE "C"')
        op.execute('ALTER TABLE subscriptions ALTER COLUMN id TYPE varchar(64) COLLATE "C"')
        op.create_index("ix_customers_folded", "customers", ["folded"])
        _index_words_on_postgres()


def downgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for trigger in ("added", "removed", "renamed"):
            op.execute(f"DROP TRIGGER customer_{trigger}")
        for table in ("customer_names", "customer_terms", "customer_words"):
            op.drop_table(table)
        op.drop_index("ix_customers_folded", "customers")
    else:
        op.execute("DROP INDEX IF EXISTS ix_customers_folded_trgm")
        op.drop_index("ix_customers_folded", "customers")
        op.execute('ALTER TABLE customers ALTER COLUMN folded TYPE text COLLATE "default"')
        op.execute('ALTER TABLE subscriptions ALTER COLUMN id TYPE varchar(64) COLLATE "default"')
    op.drop_index("ix_subscriptions_mpn_id", "subscriptions")
    op.drop_column("subscriptions", "mpn_id")


def _index_words_on_postgres() -> None:
    """Where the role may; where it may not, names are found all the same, only by reading all of them."""
    try:
        with op.get_bind().begin_nested():
            op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
            op.execute("CREATE INDEX ix_customers_folded_trgm ON customers USING gin (folded gin_trgm_ops)")
    except DBAPIError as error:
        log.warning(
            "customers are found without an index, more slowly (%s). To have one, let an administrator carry out:"
            " CREATE EXTENSION pg_trgm; CREATE INDEX ix_customers_folded_trgm ON customers"
            " USING gin (folded gin_trgm_ops)",
            type(error.orig).__name__,
        )
