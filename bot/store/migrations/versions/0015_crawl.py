"""The crawl of the mirror: whom it has yet to read, who reads them now, and when each was last read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "crawl",
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("read_at", Instant(), nullable=True),
        sa.Column("read_in", sa.String(length=32), nullable=False),
        sa.Column("failed", sa.String(length=64), nullable=False),
        sa.Column("why", sa.Integer(), nullable=True),
        sa.Column("wanted_at", Instant(), nullable=True),
        sa.Column("holder", sa.String(length=128), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_crawl")),
    )
    op.create_index("ix_crawl_why", "crawl", ["why", "wanted_at"])
    op.create_index("ix_crawl_read_at", "crawl", ["read_at"])
    op.create_table(
        "crawls",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("begun_at", Instant(), nullable=False),
        sa.Column("listed_at", Instant(), nullable=True),
        sa.Column("holder", sa.String(length=128), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("trouble", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_crawls")),
    )


def downgrade() -> None:
    for table in ("crawls", "crawl"):
        op.drop_table(table)
