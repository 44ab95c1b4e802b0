"""`chat.*` and `reactions.add`: messages of the bot's (https://docs.slack.dev/reference/methods)."""

from __future__ import annotations

from typing import Any

from bot.sandbox.slack import posting
from bot.sandbox.slack.posting import Refused
from bot.sandbox.slack.web_api.calls import Call, Method
from bot.sandbox.slack.workspace import Channel, Post

Json = dict[str, Any]


def post_message(call: Call) -> Json:
    channel = _audience(call)
    made = _content(call)
    thread_ts = call.text("thread_ts") or None
    if thread_ts and thread_ts not in channel.posts:
        raise Refused("thread_not_found")
    if metadata := call.nested("metadata", error="invalid_metadata_format"):
        made["metadata"] = metadata
    if thread_ts and call.flag("reply_broadcast"):
        made["reply_broadcast"] = True
    post = posting.post(call.platform, channel, {**made, "thread_ts": thread_ts})
    return {"ok": True, "channel": channel.id, "ts": post.ts, "message": post.message}


def update(call: Call) -> Json:
    """Change a message; blocks that are not mentioned stay."""
    channel = call.channel()
    post = _own_message(call, channel, "ts", error="cant_update_message")
    if len(call.text("text")) > posting.UPDATED_TEXT:
        raise Refused("msg_too_long")
    if not call.arguments.keys() & {"text", "blocks"}:
        raise Refused("no_text")
    made = _content(call, text=post.message["text"])
    if call.arguments.get("blocks") is not None:
        made.setdefault("blocks", None)  # an empty list takes the blocks away
    posting.rewrite(call.platform, post, made)
    return {"ok": True, "channel": channel.id, "ts": post.ts, "text": made["text"], "message": post.message}


def delete(call: Call) -> Json:
    channel = call.channel()
    post = _own_message(call, channel, "ts", error="cant_delete_message")
    call.platform.workspace.delete(post)
    return {"ok": True, "channel": channel.id, "ts": post.ts}


def post_ephemeral(call: Call) -> Json:
    channel = call.joined_channel()
    person = call.person()
    if person.id not in channel.members:
        raise Refused("user_not_in_channel")
    made = {**_content(call), "thread_ts": call.text("thread_ts") or None}
    post = posting.post(call.platform, channel, made, only_for=person.id)
    return {"ok": True, "message_ts": post.ts}


def get_permalink(call: Call) -> Json:
    channel = call.channel()
    ts = call.required("message_ts")
    if ts not in channel.posts:
        raise Refused("message_not_found")
    return {"ok": True, "channel": channel.id, "permalink": call.platform.permalink(channel, ts)}


def add_reaction(call: Call) -> Json:
    channel = call.joined_channel()
    post = channel.posts.get(call.required("timestamp"))
    if post is None or post.only_for is not None:
        raise Refused("message_not_found")
    name, bot = call.required("name").strip(":"), call.platform.workspace.bot.id
    reactions = {r["name"]: r["users"] for r in post.message.get("reactions", ())}
    if bot in reactions.get(name, ()):
        raise Refused("already_reacted")
    reactions[name] = [*reactions.get(name, ()), bot]
    shown = [{"name": name, "users": users, "count": len(users)} for name, users in reactions.items()]
    call.platform.workspace.edit(post, {"reactions": shown})
    return {"ok": True}


def _audience(call: Call) -> Channel:
    """A channel by id or name, or the direct messages with a person by their id."""
    dm = call.platform.workspace.dm_with(call.text("channel"))
    if dm is not None:
        return dm
    if "chat:write.public" in call.platform.app.scopes and not call.channel().is_archived:
        return call.channel()
    return call.joined_channel()


def _content(call: Call, *, text: str = "") -> Json:
    """What was sent; `text` is what the message says if nothing else was."""
    return posting.content(
        call.platform,
        {
            "text": call.text("text") or text,
            "blocks": call.nested("blocks", error="invalid_blocks_format"),
            "attachments": call.nested("attachments"),
        },
    )


def _own_message(call: Call, channel: Channel, name: str, *, error: str) -> Post:
    """A message the bot may change: its own, and not ephemeral (those change through their response_url)."""
    post = channel.posts.get(call.required(name))
    if post is None or post.only_for is not None:
        raise Refused("message_not_found")
    if post.message.get("bot_id") != call.platform.app.bot_id:
        raise Refused(error)
    return post


_WRITE = ("chat:write",)

METHODS = {
    "chat.postMessage": Method(post_message, _WRITE),
    "chat.update": Method(update, _WRITE),
    "chat.delete": Method(delete, _WRITE),
    "chat.postEphemeral": Method(post_ephemeral, _WRITE),
    "chat.getPermalink": Method(get_permalink),
    "reactions.add": Method(add_reaction, ("reactions:write",)),
}
