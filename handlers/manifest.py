"""The Slack app manifest: every command, shortcut, event and scope the code uses, and nothing else.

Its fields: docs.slack.dev/reference/app-manifest
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import handlers
from bot.domain.errors import Invalid
from bot.texts import Texts, in_language
from handlers.command import Command, Shortcut

Json = dict[str, Any]

NAME: Final = "Backstop"
DESCRIPTION: Final = (
    "Handles non-payment, fraud and misuse of Microsoft cloud subscriptions; nobody decides alone."
)
COLOUR: Final = "#1f3a5f"
PATH: Final = "/slack/events"

# docs.slack.dev/reference/methods
SCOPE_OF: Final[Mapping[str, str | None]] = MappingProxyType(
    {
        "apps_connections_open": None,  # needs the app-level token, and connections:write of that one
        "auth_test": None,
        "chat_getPermalink": None,
        "chat_postEphemeral": "chat:write",
        "chat_postMessage": "chat:write",
        "chat_update": "chat:write",
        "conversations_info": None,  # channels:read; preflight alone asks, and does without the answer
        "conversations_open": "im:write",
        "files_info": "files:read",  # and so do the event file_shared and url_private_download
        "files_upload_v2": "files:write",
        "usergroups_users_list": "usergroups:read",
        "users_info": "users:read",
        "views_open": None,
        "views_publish": None,
        "views_push": None,
        "views_update": None,
    }
)
"""The scope behind each method of Slack's client that the code calls; None where we ask for none."""

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def manifest(*, url: str | None) -> Json:
    """The app for Socket Mode; with `url` (`https://host`) for delivery over HTTP to that address.

    Raises Invalid for an address to which Slack would not deliver.
    """
    address = _request_url(url) if url is not None else None
    texts = in_language("en")
    return {
        "_metadata": {"major_version": 1, "minor_version": 1},
        "display_information": {
            "name": NAME,
            "description": DESCRIPTION,
            "background_color": COLOUR,
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "bot_user": {"display_name": NAME, "always_online": True},
            "slash_commands": [_command(command, texts, address) for command in handlers.commands()],
            "shortcuts": [_shortcut(shortcut) for shortcut in handlers.shortcuts()],
        },
        "oauth_config": {"scopes": {"bot": list(bot_scopes())}},
        "settings": {
            **_event_subscriptions(address),
            "interactivity": _interactivity(address),
            "org_deploy_enabled": False,
            "socket_mode_enabled": address is None,
            "token_rotation_enabled": False,
        },
    }


def bot_scopes() -> tuple[str, ...]:
    """The scopes of the bot token, sorted."""
    entry = {"commands"} if handlers.commands() or handlers.shortcuts() else set[str]()
    return tuple(sorted(entry | {scope for scope in SCOPE_OF.values() if scope}))


def _command(command: Command, texts: Texts, address: str | None) -> Json:
    return {
        "command": command.name,
        **({"url": address} if address else {}),
        "description": texts(command.about),
        "usage_hint": command.usage,
        "should_escape": False,
    }


def _shortcut(shortcut: Shortcut) -> Json:
    return {
        "name": shortcut.name,
        "type": "message" if shortcut.on_message else "global",
        "callback_id": shortcut.callback_id,
        "description": shortcut.about,
    }


def _interactivity(address: str | None) -> Json:
    """Without the second address Slack asks nobody for the options of a type-ahead select."""
    if address is None:
        return {"is_enabled": True}
    return {"is_enabled": True, "request_url": address, "message_menu_options_url": address}


def _event_subscriptions(address: str | None) -> Json:
    events = handlers.events()
    if not events:
        return {}
    return {"event_subscriptions": {**({"request_url": address} if address else {}), "bot_events": events}}


def _request_url(url: str) -> str:
    """Where Slack posts to; plain http only on this machine, for the sandbox."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Invalid("--url", "not-an-address") from None
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    surplus = parts.query or parts.fragment or "@" in parts.netloc or re.search(r"[\s\x00-\x1f\x7f\\]", url)
    if not (secure and host) or port == 0 or surplus:
        raise Invalid("--url", "not-an-address")
    return url.rstrip("/").removesuffix(PATH) + PATH
