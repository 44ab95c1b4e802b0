"""Letters to customers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "letters",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("customer_id", sa.String(length=64), nullable=False),
        sa.Column("customer_name", sa.Text(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("to", sa.String(length=254), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(length=64), nullable=True),
        sa.Column("written_by", sa.String(length=32), nullable=False),
        sa.Column("written_at", Instant(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("asked_at", Instant(), nullable=True),
        sa.Column("claimed_at", Instant(), nullable=True),
        sa.Column("holder", sa.String(length=128), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("recorded_on", sa.Date(), nullable=True),
        sa.Column("error", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("saved_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_letters")),
    )
    op.create_index("ix_letters_customer_id", "letters", ["customer_id"], unique=False)
    op.create_index("ix_letters_status", "letters", ["status"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_letters_status", table_name="letters")
    op.drop_index("ix_letters_customer_id", table_name="letters")
    op.drop_table("letters")
