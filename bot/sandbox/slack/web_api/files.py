"""`files.*`: announce an upload, send the bytes, share it (https://docs.slack.dev/messaging/working-with-files)."""

from __future__ import annotations

import asyncio
import mimetypes
from typing import Any

from bot.sandbox.slack import events, posting
from bot.sandbox.slack.platform import Platform
from bot.sandbox.slack.posting import Refused
from bot.sandbox.slack.web_api.calls import Call, Method
from bot.sandbox.slack.workspace import Channel, Post, StoredFile

Json = dict[str, Any]


def get_upload_url(call: Call) -> Json:
    name = call.required("filename")
    size = call.number("length", 0)
    if size <= 0:
        raise Refused("invalid_arguments", ["must be more than 0 [json-pointer:/length]"])
    file = call.platform.workspace.add_file(
        name=name,
        mimetype=mimetypes.guess_type(name)[0] or "application/octet-stream",
        size=size,
        owner=call.platform.workspace.bot.id,
        at=call.platform.now(),
    )
    file.alt_txt = call.text("alt_txt")
    url = f"{call.platform.origin}/upload/v1/{file.id}/{file.upload_secret}"
    return {"ok": True, "upload_url": url, "file_id": file.id}


def complete_upload(call: Call) -> Json:
    files = [_uploaded(call, entry) for entry in call.nested("files") or ()]
    if not files:
        raise Refused("invalid_arguments", ["missing required field: files [json-pointer:/files]"])
    names = call.text("channel_id") or call.text("channels")
    channels = [_channel(call, name) for name in names.split(",") if name]
    blocks = call.nested("blocks", error="invalid_blocks_format")
    said = {"blocks": posting.checked_blocks(call.platform, blocks)} if blocks else {}
    for channel in channels:
        # Sharing is asynchronous at Slack too: the answer comes first, the message later.
        asyncio.get_running_loop().call_soon(_share, call, channel, files, said)
    return {"ok": True, "files": [_file(call, file) for file in files]}


def file_info(call: Call) -> Json:
    file = call.platform.workspace.files.get(call.required("file"))
    if file is None or not is_seen_by_app(call.platform, file):
        raise Refused("file_not_found")
    return {"ok": True, "file": _file(call, file)}


def _share(call: Call, channel: Channel, files: list[StoredFile], said: Json) -> None:
    message = {
        "text": call.text("initial_comment"),
        "files": [call.platform.file_json(file) for file in files],
        "thread_ts": call.text("thread_ts") or None,
    }
    post = posting.post(call.platform, channel, {**message, **said})
    for file in files:
        file.shares.setdefault(channel.id, []).append(post)
        told = events.tell_of_file(call.platform, file, channel, by=call.platform.app.bot_user_id)
        call.platform.delivery.later(told)


def _uploaded(call: Call, entry: Json) -> StoredFile:
    file = call.platform.workspace.files.get(str(entry.get("id")))
    if file is None or file.content is None:
        raise Refused("file_not_found")
    file.title = entry.get("title") or file.title
    return file


def _channel(call: Call, name: str) -> Channel:
    dm = call.platform.workspace.dm_with(name)
    channel = dm or call.platform.workspace.channel(name)
    if channel is None:
        raise Refused("channel_not_found")
    if call.platform.workspace.bot.id not in channel.members:
        raise Refused("not_in_channel")
    return channel


def is_seen_by_app(platform: Platform, file: StoredFile) -> bool:
    """Its own files, and what was shared where it is a member."""
    bot, channels = platform.workspace.bot.id, platform.workspace.channels
    return file.owner == bot or any(bot in channels[channel].members for channel in file.shares)


def _file(call: Call, file: StoredFile) -> Json:
    channels = call.platform.workspace.channels
    shares: Json = {}
    for channel, posts in file.shares.items():
        kind = "private" if channels[channel].is_dm else "public"
        shares.setdefault(kind, {})[channel] = [_share_json(call, post) for post in posts]
    return {
        **call.platform.file_json(file),
        "channels": [channel for channel in file.shares if not channels[channel].is_dm],
        "groups": [],
        "ims": [channel for channel in file.shares if channels[channel].is_dm],
        "shares": shares,
    }


def _share_json(call: Call, post: Post) -> Json:
    thread = {"thread_ts": post.message["thread_ts"]} if post.is_in_thread else {}
    channel = call.platform.workspace.channels[post.channel]
    return {"ts": post.ts, "channel_name": channel.name, "team_id": call.platform.workspace.id, **thread}


METHODS = {
    "files.getUploadURLExternal": Method(get_upload_url, ("files:write",)),
    "files.completeUploadExternal": Method(complete_upload, ("files:write",)),
    "files.info": Method(file_info, ("files:read",)),
}
