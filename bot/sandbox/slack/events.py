"""The Events API: what the app subscribed to is told to it (https://docs.slack.dev/apis/events-api)."""

from __future__ import annotations

import secrets
from typing import Any

from bot.sandbox.slack.delivery import Ack, Parcel
from bot.sandbox.slack.platform import Platform
from bot.sandbox.slack.workspace import Channel, StoredFile

Json = dict[str, Any]


async def tell(platform: Platform, subscription: str, event: Json) -> Ack:
    """Deliver an event; one the app did not subscribe to is simply not sent."""
    if not platform.app.subscribes_to(subscription):
        return Ack(True)
    at = platform.now()
    payload = {
        "token": platform.app.verification_token,
        "team_id": platform.workspace.id,
        "api_app_id": platform.app.id,
        "event": {"event_ts": platform.workspace.next_ts(at), **event},
        "type": "event_callback",
        "event_id": f"Ev0{secrets.token_hex(4).upper()}",
        "event_time": int(at.timestamp()),
        "authorizations": [
            {
                "enterprise_id": None,
                "team_id": platform.workspace.id,
                "user_id": platform.app.bot_user_id,
                "is_bot": True,
                "is_enterprise_install": False,
            }
        ],
        "is_ext_shared_channel": False,
    }
    return await platform.delivery.send_event(Parcel.event(payload))


async def tell_of_file(platform: Platform, file: StoredFile, channel: Channel, *, by: str) -> Ack:
    """`file_shared`, to an app that can see the channel; of its own files it hears as well."""
    if platform.workspace.bot.id not in channel.members:
        return Ack(True)
    shared = {
        "type": "file_shared",
        "file_id": file.id,
        "user_id": by,
        "file": {"id": file.id},
        "channel_id": channel.id,
    }
    return await tell(platform, "file_shared", shared)
