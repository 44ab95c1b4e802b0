"""Who and what there is: `auth.test`, `users.*`, `usergroups.*`, `conversations.*` and the like."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from bot.sandbox.slack.posting import Refused
from bot.sandbox.slack.web_api.calls import Call, Method
from bot.sandbox.slack.workspace import Channel, Group, Person

Json = dict[str, Any]


def auth_test(call: Call) -> Json:
    workspace = call.platform.workspace
    return {
        "ok": True,
        "url": f"{call.platform.origin}/",
        "team": workspace.name,
        "user": workspace.bot.handle,
        "team_id": workspace.id,
        "user_id": workspace.bot.id,
        "bot_id": call.platform.app.bot_id,
        "is_enterprise_install": False,
    }


def open_connection(call: Call) -> Json:
    socket = call.platform.origin.replace("http", "ws", 1)
    ticket = call.platform.delivery.ticket()
    return {"ok": True, "url": f"{socket}/link/?ticket={ticket}&app_id={call.platform.app.id}"}


def user_info(call: Call) -> Json:
    return {"ok": True, "user": _user(call, call.person())}


def user_list(call: Call) -> Json:
    people, metadata = call.page(list(call.platform.workspace.people.values()))
    return {"ok": True, "members": [_user(call, person) for person in people], "response_metadata": metadata}


def group_list(call: Call) -> Json:
    groups = call.platform.workspace.groups.values()
    return {"ok": True, "usergroups": [_group(call, group) for group in groups]}


def group_members(call: Call) -> Json:
    group = call.platform.workspace.groups.get(call.required("usergroup"))
    if group is None:
        raise Refused("no_such_subteam")
    return {"ok": True, "users": list(group.members)}


def open_conversation(call: Call) -> Json:
    """Direct messages exist from the start: opening only tells their id."""
    person = call.text("users")
    dm = call.platform.workspace.dm_with(person) or call.platform.workspace.channels.get(call.text("channel"))
    if dm is None or not dm.is_dm:
        raise Refused("user_not_found" if person else "channel_not_found")
    shown = _channel(call, dm) if call.flag("return_im") else {"id": dm.id}
    return {"ok": True, "no_op": True, "already_open": True, "channel": shown}


def conversation_info(call: Call) -> Json:
    return {"ok": True, "channel": _channel(call, call.channel())}


def conversation_list(call: Call) -> Json:
    types = call.text("types", "public_channel").split(",")
    wanted = [
        channel
        for channel in call.platform.workspace.channels.values()
        if ("im" if channel.is_dm else "public_channel") in types
        and not (channel.is_archived and call.flag("exclude_archived"))
    ]
    channels, metadata = call.page(wanted)
    return {"ok": True, "channels": [_channel(call, c) for c in channels], "response_metadata": metadata}


def conversation_members(call: Call) -> Json:
    members, metadata = call.page(sorted(call.channel().members))
    return {"ok": True, "members": members, "response_metadata": metadata}


def history(call: Call) -> Json:
    """Newest first; ephemeral messages and replies in threads are not part of it."""
    channel = call.joined_channel()
    oldest, latest, inclusive = call.text("oldest"), call.text("latest"), call.flag("inclusive")
    wanted = [
        post.message
        for post in reversed(channel.posts.values())
        if post.only_for is None
        and not post.is_in_thread
        and (not oldest or post.ts > oldest or (inclusive and post.ts == oldest))
        and (not latest or post.ts < latest or (inclusive and post.ts == latest))
    ]
    messages, metadata = call.page(wanted)
    more = bool(metadata["next_cursor"])
    return {"ok": True, "messages": messages, "has_more": more, "response_metadata": metadata}


def replies(call: Call) -> Json:
    """The parent, then its replies, oldest first."""
    channel = call.joined_channel()
    ts = call.required("ts")
    wanted = [
        post.message
        for post in channel.posts.values()
        if post.only_for is None and ts in (post.ts, post.message.get("thread_ts"))
    ]
    if not wanted:
        raise Refused("thread_not_found")
    messages, metadata = call.page(wanted)
    more = bool(metadata["next_cursor"])
    return {"ok": True, "messages": messages, "has_more": more, "response_metadata": metadata}


def join(call: Call) -> Json:
    channel = call.channel()
    if channel.is_dm:
        raise Refused("method_not_supported_for_channel_type")
    if channel.is_archived:
        raise Refused("is_archived")
    channel.members.add(call.platform.workspace.bot.id)
    return {"ok": True, "channel": _channel(call, channel)}


def team_info(call: Call) -> Json:
    workspace = call.platform.workspace
    team = {"id": workspace.id, "name": workspace.name, "domain": workspace.domain, "email_domain": ""}
    return {"ok": True, "team": team}


def bot_info(call: Call) -> Json:
    app = call.platform.app
    if call.text("bot", app.bot_id) != app.bot_id:
        raise Refused("bot_not_found")
    bot = {"id": app.bot_id, "app_id": app.id, "user_id": app.bot_user_id, "name": app.name, "deleted": False}
    return {"ok": True, "bot": bot}


def _user(call: Call, person: Person) -> Json:
    offset = ZoneInfo(person.tz).utcoffset(call.platform.now().replace(tzinfo=None))
    user = {
        "id": person.id,
        "team_id": person.team or call.platform.workspace.id,
        "name": person.handle,
        "real_name": person.name,
        "deleted": person.is_deactivated,
        "tz": person.tz,
        "tz_label": person.tz,
        "tz_offset": int(offset.total_seconds()) if offset else 0,
        "is_admin": False,
        "is_owner": False,
        "is_restricted": person.is_restricted,
        "is_ultra_restricted": person.is_ultra_restricted,
        "is_bot": person.is_bot,
        "is_app_user": False,
        "profile": {"real_name": person.name, "display_name": person.handle, "title": person.role},
    }
    if person.is_stranger:  # Slack says it of strangers only
        user["is_stranger"] = True
    if call.flag("include_locale"):
        user["locale"] = person.locale
    return user


def _group(call: Call, group: Group) -> Json:
    shown: Json = {
        "id": group.id,
        "team_id": call.platform.workspace.id,
        "is_usergroup": True,
        "name": group.name,
        "handle": group.handle,
        "date_delete": 0,
    }
    if call.flag("include_users"):
        shown["users"] = list(group.members)
    if call.flag("include_count"):
        shown["user_count"] = len(group.members)
    return shown


def _channel(call: Call, channel: Channel) -> Json:
    if channel.is_dm:
        return {
            "id": channel.id,
            "is_im": True,
            "is_channel": False,
            "user": channel.partner,
            "is_archived": False,
        }
    return {
        "id": channel.id,
        "name": channel.name,
        "is_channel": True,
        "is_im": False,
        "is_private": False,
        "is_archived": channel.is_archived,
        "is_member": call.platform.workspace.bot.id in channel.members,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": "", "creator": "", "last_set": 0},
        "num_members": len(channel.members),
    }


_READ = ("channels:read", "groups:read", "im:read", "mpim:read")
_HISTORY = ("channels:history", "groups:history", "im:history", "mpim:history")

METHODS = {
    "auth.test": Method(auth_test),
    "apps.connections.open": Method(open_connection, is_for_app_token=True),
    "users.info": Method(user_info, ("users:read",)),
    "users.list": Method(user_list, ("users:read",)),
    "usergroups.list": Method(group_list, ("usergroups:read",)),
    "usergroups.users.list": Method(group_members, ("usergroups:read",)),
    "conversations.open": Method(open_conversation, ("im:write", "mpim:write", "channels:manage")),
    "conversations.info": Method(conversation_info, _READ),
    "conversations.list": Method(conversation_list, _READ),
    "conversations.members": Method(conversation_members, _READ),
    "conversations.history": Method(history, _HISTORY),
    "conversations.replies": Method(replies, _HISTORY),
    "conversations.join": Method(join, ("channels:join",)),
    "team.info": Method(team_info, ("team:read",)),
    "bots.info": Method(bot_info, ("users:read",)),
}
