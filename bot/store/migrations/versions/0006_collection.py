"""Collection: episodes, what fired in them, promises and snoozes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0006"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    hours: sa.Column[bool] = sa.Column(
        "outside_hours", sa.Boolean(), nullable=False, server_default=sa.false()
    )
    op.add_column("requests", hours)
    op.add_column("requests", sa.Column("ground", sa.JSON(), nullable=True))
    op.add_column("requests", sa.Column("debtors", sa.JSON(), nullable=True))
    op.add_column("requests", sa.Column("gone", sa.String(length=16), nullable=True))
    op.create_table(
        "episodes",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("began", sa.Date(), nullable=False),
        sa.Column("ended", sa.Date(), nullable=True),
        sa.Column("cleared", sa.Integer(), server_default="0", nullable=False),
        sa.Column("overdue", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("tenant", "began", name=op.f("pk_episodes")),
    )
    op.create_table(
        "steps",
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("began", sa.Date(), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "began", "stage", "on", name=op.f("pk_steps")),
    )
    op.create_table(
        "pauses",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("tenant", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("until", sa.Date(), nullable=False),
        sa.Column("by", sa.String(length=32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_pauses")),
    )
    op.create_index("ix_pauses_tenant", "pauses", ["tenant"])


def downgrade() -> None:
    op.drop_table("pauses")
    op.drop_table("steps")
    op.drop_table("episodes")
    for column in ("gone", "debtors", "ground", "outside_hours"):
        op.drop_column("requests", column)
