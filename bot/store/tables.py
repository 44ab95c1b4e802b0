"""Every table, once. Money and hashes are text: a database must not round or reorder them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.dialects.postgresql import TEXT, VARCHAR
from sqlalchemy.types import TypeDecorator

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    }
)


class Instant(TypeDecorator[datetime]):
    """An aware moment in UTC; SQLite would forget the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment needs a time zone")
        value = value.astimezone(UTC)
        return value.replace(tzinfo=None) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        moment: datetime = value
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


BY_CODE_POINT = Text().with_variant(TEXT(collation="C"), "postgresql")
"""Compared as SQLite compares; in a language's order, no index would find what begins with something."""

requests = Table(
    "requests",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("verb", String(16), nullable=False),
    Column("customer_id", String(64), nullable=False),
    Column("customer_name", Text, nullable=False),
    Column("reason", String(32), nullable=False),
    Column("note", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("requested_by", String(32), nullable=False),
    Column("placed_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("approvals_needed", Integer, nullable=False),
    Column("policy_note", Text, nullable=False),
    Column("undo_seconds", Integer, nullable=False),
    Column("not_before", Instant),
    Column("dry_run", Boolean, nullable=False),
    Column("decisions", JSON, nullable=False),
    Column("acts_at", Instant),
    Column("over_daily_limit", Boolean, nullable=False),
    Column("outside_hours", Boolean, nullable=False, server_default=false()),
    Column("ground", JSON),
    Column("debtors", JSON),
    Column("gone", String(16)),
    Column("closed_by", String(32)),
    Column("closed_at", Instant),
    Column("round", Integer, nullable=False, server_default="0"),
    Column("attempt", Integer, nullable=False),
    Column("lease_until", Instant),
    Column("holder", String(128), nullable=False),
    Column("version", Integer, nullable=False),
    Index("ix_requests_status", "status"),
    Index("ix_requests_requested_by", "requested_by"),
)

targets = Table(
    "targets",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("subscription_id", String(64), nullable=False),
    Column("name", Text, nullable=False),
    Column("parent_id", String(64)),
    Column("seen", Text, nullable=False),
    Column("ms_request_id", String(36), nullable=False),
    Column("result", String(16), nullable=False),
    Column("outcome", JSON),
    Column("begun_at", Instant),
    Column("ended_at", Instant),
    # A default of the database's: a release that does not know it may run beside us.
    Column("sendings", Integer, nullable=False, server_default="0"),
    # One open request per action and subscription: the database refuses the second.
    Column("open_key", String(128), unique=True),
    Index("ix_targets_subscription_id", "subscription_id"),
    Index("ix_targets_begun_at", "begun_at"),
)

# Who said, of a day in the partner's zone, that the daily limit shall not hold.
limit_lifts = Table(
    "limit_lifts",
    metadata,
    Column("day", Date, primary_key=True),
    Column("person", String(32), primary_key=True),
    Column("at", Instant, nullable=False),
)

drafts = Table(
    "drafts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("person", String(32), nullable=False),
    Column("verb", String(16), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("customer_id", String(64)),
    Column("form", JSON, nullable=False),
    Column("confirmed", JSON),
    Column("created_at", Instant, nullable=False),
)

posts = Table(
    "posts",
    metadata,
    Column("key", String(160), primary_key=True),
    Column("state", String(16), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("ts", String(32)),
    Column("claimed_at", Instant, nullable=False),
    Column("holder", String(128), nullable=False),  # the worker that may post it again, should it die
    Column("drawn", Integer),  # the version of the request that its card shows
)

audit = Table(
    "audit",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("tag", String(64), nullable=False),
    Column("subject", String(160), nullable=False),
    Column("by", String(64), nullable=False),
    Column("facts", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Index("ix_audit_subject", "subject"),
)

customers = Table(
    "customers",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("name", Text, nullable=False),
    Column("domain", Text),
    Column("relationship", String(32)),
    Column("folded", BY_CODE_POINT, nullable=False),
    Column("as_of", Instant, nullable=False),
    # Beside it stand what SQLite and Postgres find parts of a name by, each in its own way: migration 0014.
    Index("ix_customers_folded", "folded"),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("customer_id", String(64), primary_key=True),
    Column("id", String(64).with_variant(VARCHAR(64, collation="C"), "postgresql"), primary_key=True),
    Column("name", Text, nullable=False),
    Column("status", String(32), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("as_of", Instant, nullable=False),
    # Not among the facts: an older release beside this one could not read those any more.
    Column("mpn_id", String(16)),
    Index("ix_subscriptions_id", "id"),
    Index(
        "ix_subscriptions_mpn_id",
        "mpn_id",
        sqlite_where=text("mpn_id IS NOT NULL"),
        postgresql_where=text("mpn_id IS NOT NULL"),
    ),
)

# The queue of the crawl. A row for each customer; `why` and `wanted_at` are set while it waits to be read.
crawl = Table(
    "crawl",
    metadata,
    Column("customer_id", String(64), primary_key=True),
    Column("read_at", Instant),
    Column("read_in", String(32), nullable=False),
    Column("failed", String(64), nullable=False),
    Column("why", Integer),
    Column("wanted_at", Instant),
    Column("holder", String(128), nullable=False),
    Column("lease_until", Instant),
    Index("ix_crawl_why", "why", "wanted_at"),
    Index("ix_crawl_read_at", "read_at"),
)

# The crawl that is under way, if any: one row, whoever takes part in it.
crawls = Table(
    "crawls",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("id", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("begun_at", Instant, nullable=False),
    Column("listed_at", Instant),
    Column("holder", String(128), nullable=False),
    Column("lease_until", Instant),
    Column("trouble", String(64), nullable=False),
)

marks = Table(
    "marks",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("facts", JSON, nullable=False),
)

imports = Table(
    "imports",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("file", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("mode", String(16), nullable=False),
    Column("as_of", Date, nullable=False),
    Column("applied_at", Instant, nullable=False),
    Column("rejected", Integer, nullable=False),
    Column("incomplete", JSON, nullable=False),
    Column("source", String(32), nullable=False, server_default="file"),
)

# How the last attempt to read each accounting system ended, and who reads it now.
readings = Table(
    "readings",
    metadata,
    Column("source", String(32), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("lease_until", Instant),
    Column("at", Instant),
    Column("outcome", String(16), nullable=False),
    Column("facts", JSON, nullable=False),
)

# Tokens that change with every use. `sealed` is encrypted; `origin` tells which token of the settings it came from.
refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("origin", String(64), nullable=False),
    Column("sealed", Text, nullable=False),
    Column("holder", String(64), nullable=False),
    Column("lease_until", Instant),
)

# An open item as it stood from `valid_from` on, up to but not including `valid_to`.
open_items = Table(
    "open_items",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("party_key", Text, nullable=False),
    Column("document_number", Text, nullable=False),
    Column("instalment", Integer, nullable=False),
    Column("valid_from", Date, nullable=False),
    Column("valid_to", Date),
    Column("item", JSON, nullable=False),
    Column("source", String(32), nullable=False, server_default="file"),
    Index("ix_open_items_valid_to", "valid_to"),
    Index("ix_open_items_party_key", "party_key"),
)

# A person's word on whose a debtor in the books is.
mappings = Table(
    "mappings",
    metadata,
    Column("party_key", Text, primary_key=True),
    Column("customer_id", String(64), nullable=False),
    Column("confirmed_by", String(32), nullable=False),
    Column("confirmed_at", Instant, nullable=False),
    Column("party_name", Text, nullable=False),
)

# What changed at Microsoft without us. The defaults are the server's: an older release may write here beside us.
drifts = Table(
    "drifts",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("customer_id", String(64), nullable=False),
    Column("customer_name", Text, nullable=False),
    Column("subscription_id", String(64), nullable=False),
    Column("subscription_name", Text, nullable=False),
    Column("became", String(32), nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("not_before", Instant),
    Column("changed_at", Instant),
    Column("words", JSON, nullable=False, server_default="[]"),
    Column("status", String(16), nullable=False, server_default="open"),
    Column("by", String(32)),
    Column("at", Instant),
    Column("reason", String(32)),
    Column("note", Text, nullable=False, server_default=""),
    Column("version", Integer, nullable=False, server_default="0"),
    # How it is told in Slack: `silent`, `due`, `card`, or the key of the line that stands for many.
    Column("told", String(64), nullable=False, server_default="silent"),
    Column(
        "asked", Boolean, nullable=False, server_default=false()
    ),  # the activity log has been asked about it
    Column("saved_at", Instant, nullable=False),
    Index("ix_drifts_subscription_id", "subscription_id"),
    Index("ix_drifts_told", "told"),
)

# Exports that were shared in Slack and wait for a word. `source` is where Slack told of which file; `content` (the
# file) and `report` (its rejects) are taken out as soon as they are not needed.
previews = Table(
    "previews",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("source", String(160), nullable=False, unique=True),
    Column("event", String(64), nullable=False),
    Column("channel", String(32), nullable=False),
    Column("file_id", String(32), nullable=False),
    Column("shared_by", String(32), nullable=False),
    Column("shared_at", Instant, nullable=False),
    Column("reading", JSON, nullable=False),
    Column("file", Text, nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("size", Integer, nullable=False),
    Column("thread_ts", String(32)),
    Column("status", String(16), nullable=False),
    Column("finding", JSON(none_as_null=True)),
    Column("refusal", JSON(none_as_null=True)),
    Column("voided", String(16)),
    Column("by", String(32)),
    Column("at", Instant),
    Column("version", Integer, nullable=False),
    Column("saved_at", Instant, nullable=False),
    Column("tries", Integer, nullable=False),  # how often the sweep has handed it out again
    Column("content", LargeBinary),
    Column("report", Text),
    Index("ix_previews_status", "status"),
    Index("ix_previews_saved_at", "saved_at"),
)

# From the first day something counted as overdue until the policy's exit.
episodes = Table(
    "episodes",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("began", Date, primary_key=True),
    Column("ended", Date),
    Column("cleared", Integer, nullable=False, server_default="0"),
    Column("overdue", JSON),
    Column("paid_on", Date),
)

# The stages that fired in an episode: none twice, unless it repeats.
steps = Table(
    "steps",
    metadata,
    Column("tenant", String(64), primary_key=True),
    Column("began", Date, primary_key=True),
    Column("stage", String(32), primary_key=True),
    Column("on", Date, primary_key=True),
)

pauses = Table(
    "pauses",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("tenant", String(64), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("until", Date, nullable=False),
    Column("by", String(32), nullable=False),
    Column("at", Instant, nullable=False),
    Column("note", Text, nullable=False, server_default=""),
    Column("overdue", JSON),
    Index("ix_pauses_tenant", "tenant"),
)

# The text of each billing policy that came into force, in that order; nothing in it is ever changed.
policies = Table(
    "policies",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("version", String(16), nullable=False),
    Column("text", Text, nullable=False),
    Column("since", Instant, nullable=False),
    Column("host", Text, nullable=False),
)

# Who looks after a customer's debts.
owners = Table(
    "owners",
    metadata,
    Column("customer_id", String(64), primary_key=True),
    Column("person", String(32), nullable=False),
    Column("by", String(32), nullable=False),
    Column("at", Instant, nullable=False),
)

# What approvers make codes with: the secret is sealed with BACKSTOP_SECRET_KEY.
authenticators = Table(
    "authenticators",
    metadata,
    Column("person", String(32), primary_key=True),
    Column("opened_by", String(32), nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("secret", Text, nullable=False),
    Column("enrolled_at", Instant),
    Column("last_step", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("tries_since", Instant),
    Column("request", String(32), nullable=False),
    Column("channel", String(32), nullable=False),
)

# Letters to customers. Address and text are personal data: they stay here and go nowhere but into the mail.
letters = Table(
    "letters",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("customer_id", String(64), nullable=False),
    Column("customer_name", Text, nullable=False),
    Column("language", String(16), nullable=False),
    Column("to", String(254), nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("stage", String(64)),
    Column("written_by", String(32), nullable=False),
    Column("written_at", Instant, nullable=False),
    Column("status", String(16), nullable=False),
    Column("asked_at", Instant),
    Column("claimed_at", Instant),
    Column("holder", String(128), nullable=False),
    Column("sent_at", Instant),
    Column("recorded_on", Date),
    Column("error", String(64), nullable=False),
    Column("reason", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("saved_at", Instant, nullable=False),
    Index("ix_letters_customer_id", "customer_id"),
    Index("ix_letters_status", "status"),
)

# What was seen of customers: never changed but for alerts, which Microsoft itself keeps up to date.
observations = Table(
    "observations",
    metadata,
    Column("key", String(512), primary_key=True),
    Column("kind", String(24), nullable=False),
    Column("customer_id", String(64), nullable=False),  # empty: of the partner itself
    Column("at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("facts", JSON, nullable=False),
    Index("ix_observations_customer_id", "customer_id", "at"),
    Index("ix_observations_kind", "kind", "at"),  # the first order, the last operation
)

# One row for a customer and an episode; which findings it holds is worked out anew from what was seen.
cases = Table(
    "cases",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("customer_id", String(64), nullable=False, index=True),
    Column("customer_name", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("findings", JSON, nullable=False),  # by key: the rule and its points when it was last recorded
    Column("version", Integer, nullable=False),
)

verdicts = Table(
    "verdicts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("case_id", String(32), nullable=False, index=True),
    Column("customer_id", String(64), nullable=False, index=True),
    Column("verdict", String(16), nullable=False),
    Column("by", String(32), nullable=False),
    Column("at", Instant, nullable=False),
    Column("note", Text, nullable=False),
    Column("until", Date),
    Column("findings", JSON, nullable=False),  # what it settles, as in `cases`
)

runbook = Table(
    "runbook",
    metadata,
    Column("case_id", String(32), primary_key=True),
    Column("step", String(24), primary_key=True),
    Column("by", String(32), nullable=False),
    Column("at", Instant, nullable=False),
)

mutes = Table(
    "mutes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("customer_id", String(64)),
    Column("rule", String(32)),
    Column("until", Date, nullable=False),
    Column("cap", Integer, nullable=False),
    Column("by", String(32), nullable=False),
    Column("at", Instant, nullable=False),
    Column("note", Text, nullable=False),
    Column("ended_at", Instant),
)

# Requests that somebody let act on their own word, and what came of the review. The reason is kept in the request too.
broken_glass = Table(
    "broken_glass",
    metadata,
    Column("request_id", String(32), primary_key=True),
    Column("by", String(32), nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("requested_by", String(32), nullable=False),
    Column("reviewed_by", String(32)),
    Column("reviewed_at", Instant),
    Column("finding", String(16)),
    Column("note", Text),
)

# Service requests from draft to closed loop. What is asked for by a query has a column; `facts` holds the whole ticket.
tickets = Table(
    "tickets",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("customer_id", String(64)),
    Column("opened_by", String(32), nullable=False),
    Column("drafted_at", Instant, nullable=False),
    Column("placed_at", Instant),
    Column("opened_at", Instant),
    Column("expires_at", Instant),
    # One open ticket per customer and kind: the database refuses the second.
    Column("open_key", String(128), unique=True),
    Column("stage", String(16)),
    Column("asked_at", Instant),
    Column("claimed_at", Instant),
    Column("holder", String(128), nullable=False),
    Column("facts", JSON, nullable=False),
    Column("version", Integer, nullable=False),
    Column("saved_at", Instant, nullable=False),
    Index("ix_tickets_customer_id", "customer_id"),
    Index("ix_tickets_status", "status"),
)


def is_declared(name: str | None, kind: str) -> bool:
    """Whether what is found in a database is to be compared with the tables here.

    The engine's own tables live beside ours, and so does what only one of the databases finds names by.
    """
    if kind == "table":
        return name in metadata.tables
    return name != "ix_customers_folded_trgm"
