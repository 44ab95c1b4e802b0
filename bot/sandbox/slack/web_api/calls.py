"""One call of a Web API method: its arguments, however they were sent, and the words for refusing it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from bot.sandbox.slack.platform import Platform
from bot.sandbox.slack.posting import Refused
from bot.sandbox.slack.workspace import Channel, Person

Json = dict[str, Any]

PAGE = 200


@dataclass(frozen=True)
class Call:
    """Arguments come as text (form, query) or as JSON values; both read the same."""

    platform: Platform
    arguments: Mapping[str, Any]

    def text(self, name: str, default: str = "") -> str:
        value = self.arguments.get(name)
        return default if value is None else str(value)

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise Refused("invalid_arguments", [f"missing required field: {name} [json-pointer:/{name}]"])
        return value

    def flag(self, name: str) -> bool:
        return self.text(name).lower() in ("1", "true")

    def number(self, name: str, default: int) -> int:
        try:
            return int(self.text(name) or default)
        except ValueError:
            raise Refused("invalid_arguments", [f"must provide a number [json-pointer:/{name}]"]) from None

    def nested(self, name: str, *, error: str = "invalid_arguments") -> Any:
        """A JSON value, sent as such or as text holding it."""
        value = self.arguments.get(name)
        if not isinstance(value, str) or not value:
            return value or None
        try:
            return json.loads(value)
        except ValueError:
            raise Refused(error) from None

    def channel(self, name: str = "channel") -> Channel:
        """The channel that is meant by an id or a name."""
        channel = self.platform.workspace.channel(self.text(name))
        if channel is None:
            raise Refused("channel_not_found")
        return channel

    def joined_channel(self, name: str = "channel") -> Channel:
        """The same, if the bot may write there."""
        channel = self.channel(name)
        if channel.is_archived:
            raise Refused("is_archived")
        if self.platform.workspace.bot.id not in channel.members:
            raise Refused("not_in_channel")
        return channel

    def person(self, name: str = "user") -> Person:
        person = self.platform.workspace.people.get(self.text(name))
        if person is None:
            raise Refused("user_not_found")
        return person

    def page(self, items: list[Any]) -> tuple[list[Any], Json]:
        """The part of a list that was asked for, and where the next one begins."""
        start, limit = self.number("cursor", 0), self.number("limit", PAGE) or PAGE
        end = start + limit
        return items[start:end], {"next_cursor": str(end) if end < len(items) else ""}


@dataclass(frozen=True)
class Method:
    """A Web API method; one of `scopes` is needed, none if empty."""

    run: Callable[[Call], Json]
    scopes: tuple[str, ...] = ()
    is_for_app_token: bool = False
