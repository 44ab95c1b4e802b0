"""Who looks after a customer's debts, and what was overdue when somebody said to wait."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("pauses", sa.Column("overdue", sa.JSON(), nullable=True))
    op.create_table(
        "owners",
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("customer_id", name=op.f("pk_owners")),
    )


def downgrade() -> None:
    op.drop_table("owners")
    op.drop_column("pauses", "overdue")
