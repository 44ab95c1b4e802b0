"""When the first of a kind was seen, and the last, without looking at everything that was seen."""

from __future__ import annotations

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_observations_kind", "observations", ["kind", "at"])


def downgrade() -> None:
    op.drop_index("ix_observations_kind", "observations")
