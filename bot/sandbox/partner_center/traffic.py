"""What passed over the wire, kept for assertions and for the page; nothing secret is kept."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

MASK = "***"
_WITH_TOKENS = {"authorization", "x-ms-authorization-auxiliary"}
_SECRET_FIELDS = {"client_secret", "refresh_token", "access_token"}


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request with its answer; `lost` when the connection was cut before the answer."""

    at: datetime
    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any
    status: int
    answer: Any
    milliseconds: float
    lost: bool = False


@dataclass(frozen=True, kw_only=True)
class Write:
    """A request that changed something: each field before and after, and the add-ons that went with it.

    A PATCH changes a subscription; a cancellation changes the Azure subscription of that id inside it, and
    `changes` tell its status as it is to be.
    """

    at: datetime
    request_id: str
    customer_id: str
    subscription_id: str
    azure_subscription_id: str | None = None
    changes: Mapping[str, tuple[Any, Any]]
    add_ons: tuple[str, ...] = ()


def masked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Headers as they came, but for the tokens."""
    return {
        key: f"{value.partition(' ')[0]} {MASK}" if key.lower() in _WITH_TOKENS else value
        for key, value in headers.items()
    }


def readable(body: bytes, content_type: str) -> Any:
    """A body as one would want to look at it: JSON or a form without its secrets, else text."""
    text = body.decode("utf-8-sig", errors="replace")
    if not text:
        return None
    if content_type == "application/x-www-form-urlencoded":
        return _masked(dict(parse_qsl(text)))
    try:
        return _masked(json.loads(text))
    except ValueError:
        return text


def _masked(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {key: MASK if key in _SECRET_FIELDS else inner for key, inner in value.items()}
