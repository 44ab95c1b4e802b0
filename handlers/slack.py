"""How Slack says no: its errors become ours, by code and never by text."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError

from bot.domain.errors import Rejected, SignInFailed, Throttled, Unavailable, Upstream

UNREACHABLE = (aiohttp.ClientError, asyncio.TimeoutError, OSError, SlackRequestError)
"""What the client raises when no answer came, or none of the API (an upload): whether Slack acted is open."""

SLACK: Final = "https://slack.com/api/"
_START: Final = re.compile(r"https?://[a-z0-9.:-]+/")
"""Scheme, host and port of an ordinary address: no other part of it says whose it is."""

_SIGN_IN = frozenset(
    {
        "invalid_auth",
        "not_authed",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "not_allowed_token_type",
    }
)
_AGAIN = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout"})


def reason(error: SlackApiError) -> str:
    """Slack's own word, such as `not_in_channel`; empty where the answer was no JSON object."""
    answer = getattr(error.response, "data", error.response)
    return str(answer.get("error") or "") if isinstance(answer, Mapping) else ""


def translated(error: SlackApiError) -> Upstream:
    """`Rejected` means that Slack took nothing."""
    word = reason(error)
    status = getattr(error.response, "status_code", None)
    if word == "ratelimited" or status == 429:
        return Throttled("slack", "ratelimited", 429)
    if word in _SIGN_IN:
        return SignInFailed("slack", word, status)
    if word in _AGAIN or (status is not None and status >= 500):
        return Unavailable("slack", word or "error", status)
    return Rejected("slack", word or "error", status)


def actor(body: Mapping[str, Any]) -> str:
    """Who a payload is about: commands carry `user_id`, clicks a `user`, events either of them. May be empty."""
    told = _told(body)
    user = told.get("user")
    return str((user.get("id") if isinstance(user, Mapping) else user) or told.get("user_id") or "")


def place(body: Mapping[str, Any]) -> str:
    """The channel it happened in; empty where there is none."""
    told = _told(body)
    channel = told.get("channel")
    return str(
        (channel.get("id") if isinstance(channel, Mapping) else channel) or told.get("channel_id") or ""
    )


def is_slacks(url: str, api: str) -> bool:
    """Whether an address is on the host we were told is Slack's, or below it, and no less guarded than that."""
    try:
        asked, ours = urlsplit(url), urlsplit(api)
        same = (asked.scheme, asked.port) == (ours.scheme, ours.port)
    except ValueError:
        return False
    host, home = asked.hostname or "", ours.hostname or ""
    return same and "@" not in asked.netloc and (host == home or host.endswith(f".{home}"))


def may_answer_at(response_url: object, api: str) -> bool:
    """Whether the address that came with a click is Slack's own, also where the API is reached through a gateway."""
    if not isinstance(response_url, str):
        return False
    # All of them begin alike, and a click waits.
    start = _START.match(response_url)
    return _answers(start[0] if start else response_url, api)


@lru_cache(maxsize=32)
def _answers(url: str, api: str) -> bool:
    return is_slacks(url, api) or is_slacks(url, SLACK)


def _told(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What an event is about; all of what is none."""
    event = body.get("event")
    return event if event and isinstance(event, Mapping) else body
