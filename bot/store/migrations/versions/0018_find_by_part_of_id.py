"""Customers by part of their tenant id: on Postgres an index of it, as 0014 has one of the names."""

from __future__ import annotations

import logging

from alembic import op
from sqlalchemy.exc import DBAPIError

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

log = logging.getLogger(__name__)


def upgrade() -> None:
    if op.get_bind().dialect.name == "sqlite":
        return  # it reads all of them in less time than it would take to keep such an index
    try:
        with op.get_bind().begin_nested():
            op.execute("CREATE INDEX ix_customers_id_trgm ON customers USING gin (id gin_trgm_ops)")
    except DBAPIError as error:  # the role could not create the extension
        log.warning(
            "part of a tenant id is looked for without an index, more slowly (%s). To have one, let an administrator"
            " carry out, with the extension pg_trgm in place:"
            " CREATE INDEX ix_customers_id_trgm ON customers USING gin (id gin_trgm_ops)",
            type(error.orig).__name__,
        )


def downgrade() -> None:
    if op.get_bind().dialect.name != "sqlite":
        op.execute("DROP INDEX IF EXISTS ix_customers_id_trgm")
