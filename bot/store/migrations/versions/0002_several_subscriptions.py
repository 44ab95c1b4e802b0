"""A request may be about several subscriptions; the daily limit can be lifted for a day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from bot.store.tables import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# What a request of one subscription said of it; it moves to its target.
_MOVED = ("subscription_id", "subscription_name", "seen", "ms_request_id", "outcome", "open_key")


def upgrade() -> None:
    op.create_table(
        "targets",
        sa.Column("request_id", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("subscription_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=True),
        sa.Column("seen", sa.Text(), nullable=False),
        sa.Column("ms_request_id", sa.String(length=36), nullable=False),
        sa.Column("result", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.JSON(), nullable=True),
        sa.Column("begun_at", Instant(), nullable=True),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.Column("open_key", sa.String(length=128), nullable=True),
        sa.PrimaryKeyConstraint("request_id", "position", name=op.f("pk_targets")),
        sa.UniqueConstraint("open_key", name=op.f("uq_targets_open_key")),
    )
    op.create_index("ix_targets_subscription_id", "targets", ["subscription_id"])
    op.create_index("ix_targets_begun_at", "targets", ["begun_at"])
    op.execute(
        """
        INSERT INTO targets (request_id, position, subscription_id, name, seen, ms_request_id,
                             result, outcome, begun_at, ended_at, open_key)
        SELECT id, 0, subscription_id, subscription_name, seen, ms_request_id,
               CASE WHEN status IN ('done', 'failed', 'unknown') THEN status ELSE 'open' END,
               outcome,
               CASE WHEN attempt > 0 THEN acts_at END,
               CASE WHEN status IN ('done', 'failed', 'unknown') THEN closed_at END,
               open_key
        FROM requests
        """
    )
    with op.batch_alter_table("requests") as requests:
        requests.add_column(sa.Column("not_before", Instant(), nullable=True))
        requests.add_column(sa.Column("round", sa.Integer(), nullable=False, server_default="0"))
        for column in _MOVED:
            requests.drop_column(column)
    op.create_table(
        "limit_lifts",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("person", sa.String(length=32), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("day", "person", name=op.f("pk_limit_lifts")),
    )
    op.drop_column("posts", "content")


def downgrade() -> None:
    raise NotImplementedError("a request about several subscriptions has no older form")
