"""On which day something was paid of what is overdue: nobody is cut off that day, however often it is looked at."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("episodes", sa.Column("paid_on", sa.Date()))


def downgrade() -> None:
    op.drop_column("episodes", "paid_on")
