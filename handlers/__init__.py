"""Everything that answers Slack, the clock or a finished job. FEATURES is the table of contents."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from handlers.command import Command, Shortcut

FEATURES = (
    "csp",
    "home",
    "suspend",
    "resume",
    "azure",
    "ticket",
    "asking",
    "decisions",
    "glass",
    "limit",
    "digests",
    "suspicious",
    "triage",
    "followup",
    "drift",
    "mapping",
    "policy",
    "letters",
    "evidence",
    "following",
    "intake",
    "translated",
)


def features() -> list[ModuleType]:
    return [import_module(f"handlers.{name}") for name in FEATURES]


def commands() -> list[Command]:
    """Every slash command, in the order of the help."""
    return [feature.COMMAND for feature in features() if hasattr(feature, "COMMAND")]


def shortcuts() -> list[Shortcut]:
    return [feature.SHORTCUT for feature in features() if hasattr(feature, "SHORTCUT")]


def events() -> list[str]:
    """Every event the app has to be told of, sorted."""
    return sorted({event for feature in features() for event in getattr(feature, "EVENTS", ())})
