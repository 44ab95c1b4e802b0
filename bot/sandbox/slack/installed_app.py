"""The app as it is installed in the workspace: its tokens, and what its manifest registered."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

# Granted when no manifest says otherwise.
DEFAULT_SCOPES = (
    "app_mentions:read",
    "channels:history",
    "channels:join",
    "channels:read",
    "chat:write",
    "commands",
    "files:read",
    "files:write",
    "im:history",
    "im:read",
    "im:write",
    "reactions:write",
    "team:read",
    "usergroups:read",
    "users:read",
)


def _token(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(20)}"


@dataclass(frozen=True)
class InstalledApp:
    """Without a manifest every command, shortcut and click is delivered; of the events `app_home_opened`."""

    bot_user_id: str
    manifest: Json | None = None
    id: str = "A0BACKSTOP"
    bot_id: str = "B0BACKSTOP"
    bot_token: str = field(default_factory=lambda: _token("xoxb"))
    app_token: str = field(default_factory=lambda: _token("xapp"))
    signing_secret: str = field(default_factory=lambda: secrets.token_hex(16))
    verification_token: str = "deprecated"  # noqa: S105 - what Slack itself calls deprecated

    @property
    def name(self) -> str:
        return str(self._section("display_information").get("name", "Backstop"))

    @property
    def scopes(self) -> tuple[str, ...]:
        if self.manifest is None:
            return DEFAULT_SCOPES
        return tuple(self._section("oauth_config").get("scopes", {}).get("bot", ()))

    @property
    def commands(self) -> list[Json]:
        return list(self._section("features").get("slash_commands", ()))

    @property
    def shortcuts(self) -> list[Json]:
        return list(self._section("features").get("shortcuts", ()))

    @property
    def is_interactive(self) -> bool:
        return self.manifest is None or bool(
            self._section("settings").get("interactivity", {}).get("is_enabled")
        )

    @property
    def has_home_tab(self) -> bool:
        home = self._section("features").get("app_home", {})
        return self.manifest is None or bool(home.get("home_tab_enabled"))

    def has_command(self, command: str) -> bool:
        return self.manifest is None or any(known["command"] == command for known in self.commands)

    def has_shortcut(self, callback_id: str, kind: str) -> bool:
        return self.manifest is None or any(
            known["callback_id"] == callback_id and known["type"] == kind for known in self.shortcuts
        )

    def escapes_mentions(self, command: str) -> bool:
        """Whether `@ana` reaches the app as `<@U0ANA|ana>`."""
        return any(known["command"] == command and known.get("should_escape") for known in self.commands)

    def subscribes_to(self, event: str) -> bool:
        if self.manifest is None:
            return event == "app_home_opened"
        return event in self._section("settings").get("event_subscriptions", {}).get("bot_events", ())

    def _section(self, name: str) -> Json:
        section = (self.manifest or {}).get(name)
        return section if isinstance(section, dict) else {}
