"""How Slack says no: its errors become ours, by code and never by text."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError, SlackRequestError

from bot.domain.errors import Rejected, SignInFailed, Throttled, Unavailable, Upstream

UNREACHABLE = (aiohttp.ClientError, asyncio.TimeoutError, OSError, SlackRequestError)
"""What the client raises when no answer came, or none of the API (an upload): whether Slack acted is open."""

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
    """Slack's own word, such as `not_in_channel`."""
    answer = error.response
    return str(answer.get("error") or "") if hasattr(answer, "get") else ""


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
    told: Mapping[str, Any] = body.get("event") or body
    user = told.get("user")
    return str((user.get("id") if isinstance(user, Mapping) else user) or told.get("user_id") or "")


def place(body: Mapping[str, Any]) -> str:
    """The channel it happened in; empty where there is none."""
    told: Mapping[str, Any] = body.get("event") or body
    channel = told.get("channel")
    return str(
        (channel.get("id") if isinstance(channel, Mapping) else channel) or told.get("channel_id") or ""
    )
