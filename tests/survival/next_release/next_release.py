"""What the next release adds to the schema: a column that this one knows nothing of."""

from __future__ import annotations

from importlib import resources

import sqlalchemy as sa
from alembic import op
from alembic.script import ScriptDirectory

revision = "next_release"
down_revision = ScriptDirectory(str(resources.files("bot.store") / "migrations")).get_current_head()
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("requests", sa.Column("next_release", sa.Text(), nullable=True))
