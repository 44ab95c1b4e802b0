"""Open items come from several sources, each read and kept by itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # What an older release wrote, or still writes beside us, was imported from a file.
    for table in ("imports", "open_items"):
        op.add_column(table, sa.Column("source", sa.String(length=32), nullable=False, server_default="file"))
    op.create_table(
        "readings",
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.Column("at", Instant(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_readings")),
    )
    op.create_table(
        "refresh_tokens",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("origin", sa.String(length=64), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("lease_until", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_refresh_tokens")),
    )


def downgrade() -> None:
    op.drop_table("refresh_tokens")
    op.drop_table("readings")
    for table in ("open_items", "imports"):
        with op.batch_alter_table(table) as altered:
            altered.drop_column("source")
