"""How often the write of a target may have been sent: whether what is found as wanted was our doing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("targets", sa.Column("sendings", sa.Integer(), nullable=False, server_default="0"))
    # Nobody knows of those under way what was sent.
    op.execute("UPDATE targets SET sendings = 1 WHERE begun_at IS NOT NULL AND result IN ('open', 'unknown')")


def downgrade() -> None:
    op.drop_column("targets", "sendings")
