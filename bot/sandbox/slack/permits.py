"""What Slack hands out for a short time: trigger ids, response URLs and upload URLs."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

TRIGGER_SECONDS = 3.0  # https://docs.slack.dev/interactivity/handling-user-interaction#modal_responses
RESPONSE_URL_POSTS = 5
RESPONSE_URL_LIFE = timedelta(minutes=30)
KEPT = 10_000


class TriggerRefused(Exception):
    """Carries Slack's error name."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass
class _Trigger:
    person: str
    issued: float
    used: bool = False


class Triggers:
    """Trigger ids: each opens one view, for three seconds of real time whatever the sandbox's clock shows."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._issued: dict[str, _Trigger] = {}

    def issue(self, person: str) -> str:
        number = len(self._issued) + 1
        trigger_id = f"{secrets.randbelow(10**13)}.{number}.{secrets.token_hex(16)}"
        self._issued[trigger_id] = _Trigger(person, self._monotonic())
        if len(self._issued) > KEPT:
            del self._issued[next(iter(self._issued))]
        return trigger_id

    def redeem(self, trigger_id: str) -> str:
        """Use up a trigger and give the person it stands for; it is used even if the view is then refused."""
        trigger = self._issued.get(trigger_id)
        if trigger is None:
            raise TriggerRefused("invalid_trigger_id")
        if trigger.used:
            raise TriggerRefused("exchanged_trigger_id")
        if self._monotonic() - trigger.issued > TRIGGER_SECONDS:
            raise TriggerRefused("expired_trigger_id")
        trigger.used = True
        return trigger.person


@dataclass
class ResponseUrl:
    """Where an app may answer a person: five times within half an hour."""

    secret: str
    kind: str
    channel: str
    person: str
    expires: datetime
    message_ts: str | None = None
    posts: int = 0


@dataclass
class ResponseUrls:
    """All response URLs handed out, by their secret."""

    by_secret: dict[str, ResponseUrl] = field(default_factory=dict)

    def issue(
        self, kind: str, *, channel: str, person: str, at: datetime, message_ts: str | None = None
    ) -> ResponseUrl:
        """`kind` is the first part of the path: `commands`, `actions` or `app`."""
        url = ResponseUrl(
            secrets.token_urlsafe(18), kind, channel, person, at + RESPONSE_URL_LIFE, message_ts
        )
        self.by_secret[url.secret] = url
        if len(self.by_secret) > KEPT:
            del self.by_secret[next(iter(self.by_secret))]
        return url

    def use(self, secret: str, *, at: datetime) -> ResponseUrl | str:
        """Count one post; a string says why it is refused."""
        url = self.by_secret.get(secret)
        if url is None:
            return "invalid_url"
        if at >= url.expires:
            return "expired_url"
        if url.posts >= RESPONSE_URL_POSTS:
            return "used_url"
        url.posts += 1
        return url
