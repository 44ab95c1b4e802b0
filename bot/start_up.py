"""Start-up: what has to hold before the program starts, and what is done once it is up."""

from __future__ import annotations

import gc
import sys

from bot import courier, store
from bot.domain.errors import BackstopError
from bot.domain.ticket import Way
from bot.settings import BadSettings, Mode, Settings
from bot.store.store import async_url, sync_url

GARBAGE = (50_000, 20, 50)
"""So many new objects, and so many looks at the young ones, bring the next look for garbage."""
SWITCHES = 0.0005
"""Seconds after which a thread that computes has to let another one go on; Python's own are ten times as long. An ack
changes threads many times, and beside a digest waited so long at each."""


class StartFailed(Exception):
    """Why the program does not start: one line that says what to do."""


def check_ready_to_run(settings: Settings, *, listens: bool) -> None:
    """Raise BadSettings for a setting without which the program cannot do its work."""
    settings.need(
        "slack_bot_token",
        "partner_center_tenant_id",
        "partner_center_client_id",
        "partner_center_client_secret",
        "backstop_approvals_channel",
    )
    if listens and settings.mode is Mode.HTTP and not settings.slack_signing_secret:
        raise BadSettings(
            "SLACK_APP_TOKEN is not set: add it for Socket Mode, or SLACK_SIGNING_SECRET for HTTP"
        )
    for name in ("smtp_url", "backstop_ticket_email") if Way.EMAIL in settings.ticket_ways else ():
        if not getattr(settings, name):
            raise BadSettings(f"{name.upper()} is not set: add it, or have tickets not handed over by email")
    for source in settings.receivables_sources:
        settings.need_source(source)


def migrate(settings: Settings) -> bool:
    """Bring the database to the current schema; whether anything changed. Raises StartFailed."""
    url = settings.database_url
    try:
        target = async_url(url)
        if target.get_backend_name() == "sqlite" and not target.database:
            raise ValueError("SQLite needs a file")
        changed = store.migrate(url)
        courier.migrate(sync_url(url))
    except BackstopError as error:
        detail = getattr(error, "detail", "").partition("\n")[0].strip()
        raise StartFailed(
            f"DATABASE_URL: the database cannot be reached or opened ({detail or error.code}): "
            "check the address, and that it is running"
        ) from error
    except Exception as error:  # a driver's own complaint about the address
        raise bad_address(error) from error
    return changed


def bad_address(error: Exception) -> StartFailed:
    """What to say of a DATABASE_URL that is none."""
    return StartFailed(
        "DATABASE_URL: use sqlite:///path/to/file.db or postgresql://user:password@host/name "
        f"({type(error).__name__})"
    )


def settle() -> None:
    """Have acks wait for as little as can be. What start-up left behind is never looked through for garbage again.

    Each look stops everything, an ack too, for as long as it takes; a digest makes hundreds of thousands of objects.
    """
    sys.setswitchinterval(SWITCHES)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GARBAGE)
