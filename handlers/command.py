"""What a feature offers: the manifest, the help and the README all follow from this."""

from __future__ import annotations

from dataclasses import dataclass

from bot.domain.people import Right


@dataclass(frozen=True, slots=True)
class Command:
    """`about` is a key of the texts; `subcommands` are lines of its help as (usage, key)."""

    name: str
    usage: str
    about: str
    example: str
    right: Right | None = None
    subcommands: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Shortcut:
    callback_id: str
    name: str
    about: str
    on_message: bool = False
    """It stands in the menu of a message, not with the commands."""
