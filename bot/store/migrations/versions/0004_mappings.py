"""A person's word on whose a debtor in the books is."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mappings",
        sa.Column("party_key", sa.Text(), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("confirmed_by", sa.String(length=32), nullable=False),
        sa.Column("confirmed_at", Instant(), nullable=False),
        sa.Column("party_name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("party_key", name=op.f("pk_mappings")),
    )


def downgrade() -> None:
    op.drop_table("mappings")
