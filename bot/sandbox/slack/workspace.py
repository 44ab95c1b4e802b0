"""What is in the workspace: people, channels, messages, user groups and files."""

from __future__ import annotations

import copy
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.sandbox.slack.news import News

Json = dict[str, Any]


@dataclass(frozen=True)
class Person:
    """A member of the workspace; `role` is only for the eyes of whoever plays the sandbox."""

    id: str
    handle: str
    name: str
    role: str
    locale: str = "en-US"
    tz: str = "UTC"
    is_bot: bool = False
    is_restricted: bool = False
    """A guest of several channels."""
    is_ultra_restricted: bool = False
    """A guest of one."""
    is_stranger: bool = False
    """Of another organisation, in a shared channel."""
    is_deactivated: bool = False
    team: str = ""
    """Their own workspace, where it is another one."""


@dataclass(frozen=True)
class Group:
    """A user group (`@handle`)."""

    id: str
    handle: str
    name: str
    members: tuple[str, ...]


@dataclass
class Post:
    """One message as Slack keeps it; an ephemeral one is seen by one person only.

    `message` is replaced, never changed in place: whoever holds it holds what it was.
    """

    channel: str
    message: Json
    only_for: str | None = None

    @property
    def ts(self) -> str:
        return str(self.message["ts"])

    @property
    def is_in_thread(self) -> bool:
        """Whether it shows only in its thread, not in the channel."""
        parent = self.message.get("thread_ts")
        return parent is not None and parent != self.ts and not self.message.get("reply_broadcast")

    def as_seen(self) -> Json:
        """A copy in Slack's JSON, with the channel and whether it is ephemeral."""
        return copy.deepcopy(self.glimpse())

    def glimpse(self) -> Json:
        """The same without copying what is inside: to look at, not to keep."""
        return {**self.message, "channel": self.channel, "ephemeral": self.only_for is not None}


@dataclass
class Channel:
    """A public channel, or (with `partner`) the direct messages between the bot and one person."""

    id: str
    name: str
    topic: str = ""
    members: set[str] = field(default_factory=set)
    partner: str | None = None
    is_archived: bool = False
    posts: dict[str, Post] = field(default_factory=dict)
    read_up_to: dict[str, str] = field(default_factory=dict)

    @property
    def is_dm(self) -> bool:
        return self.partner is not None

    def seen_by(self, person: str) -> Iterator[Post]:
        """Everything this person can see here, oldest first, threads included."""
        return (post for post in self.posts.values() if post.only_for in (None, person))

    def unread_by(self, person: str) -> int:
        read = self.read_up_to.get(person, "")
        return sum(
            post.ts > read and post.message.get("user") != person and not post.is_in_thread
            for post in self.seen_by(person)
        )


@dataclass
class StoredFile:
    """A file, from the moment an upload was announced."""

    id: str
    name: str
    title: str
    mimetype: str
    size: int
    owner: str
    created: int
    alt_txt: str = ""
    content: bytes | None = None
    shares: dict[str, list[Post]] = field(default_factory=dict)
    upload_secret: str = field(default_factory=lambda: secrets.token_urlsafe(18))

    @property
    def filetype(self) -> str:
        """Slack's word for the kind, from the name alone."""
        ending = self.name.rpartition(".")[2].lower() if "." in self.name else ""
        return ending if ending.isalnum() and len(ending) <= 10 else "text"

    def as_json(self, *, origin: str, team: str) -> Json:
        """As it stands in messages and events (https://docs.slack.dev/reference/objects/file-object)."""
        place, name = f"{origin}/files-pri/{team}-{self.id}", _in_an_address(self.name)
        shown: Json = {
            "id": self.id,
            "created": self.created,
            "timestamp": self.created,
            "name": self.name,
            "title": self.title,
            "mimetype": self.mimetype,
            "filetype": self.filetype,
            "pretty_type": self.filetype.upper(),
            "user": self.owner,
            "user_team": team,
            "editable": False,
            "size": self.size,
            "mode": "hosted",
            "is_external": False,
            "external_type": "",
            "is_public": True,
            "public_url_shared": False,
            "display_as_bot": False,
            "url_private": f"{place}/{name}",
            "url_private_download": f"{place}/download/{name}",
            "permalink": f"{origin}/files/{self.owner}/{self.id}/{name}",
            "file_access": "visible",
        }
        return {**shown, "alt_txt": self.alt_txt} if self.alt_txt else shown


def _in_an_address(name: str) -> str:
    """Slack writes a file's name so in its addresses; the id alone counts there."""
    return re.sub(r"[^a-z0-9.]+", "_", name.lower()).strip("_") or "file"


class Workspace:
    """One team. Every change is announced, so that nobody has to poll."""

    def __init__(
        self,
        *,
        id: str,
        name: str,
        domain: str,
        bot: Person,
        people: Iterable[Person],
        channels: Iterable[Channel],
        groups: Iterable[Group] = (),
        front: str = "",
    ) -> None:
        """`front` is the name of the channel that whoever comes sees first."""
        self.id = id
        self.name = name
        self.domain = domain
        self.bot = bot
        self.people = {person.id: person for person in (*people, bot)}
        self.channels = {channel.id: channel for channel in channels}
        self.groups = {group.id: group for group in groups}
        self.front = front
        self.files: dict[str, StoredFile] = {}
        self.news = News()
        self._last_ts = 0
        for person in self.humans:
            dm = Channel(f"D{person.id[1:]}", person.handle, members={person.id, bot.id}, partner=person.id)
            self.channels[dm.id] = dm

    @property
    def humans(self) -> list[Person]:
        return [person for person in self.people.values() if not person.is_bot]

    def person(self, name: str) -> Person | None:
        """Find a person by id or handle."""
        return self.people.get(name) or next((p for p in self.people.values() if p.handle == name), None)

    def channel(self, name: str) -> Channel | None:
        """Find a channel by id, or a public one by name with or without `#`."""
        plain = name.removeprefix("#")
        return self.channels.get(name) or next(
            (c for c in self.channels.values() if c.name == plain and not c.is_dm), None
        )

    def dm_with(self, person: str) -> Channel | None:
        return next((c for c in self.channels.values() if c.partner == person), None)

    def next_ts(self, at: datetime) -> str:
        """A message id: the time in microseconds, never twice the same and never going back."""
        self._last_ts = max(int(at.timestamp()) * 1_000_000 + at.microsecond, self._last_ts + 1)
        return f"{self._last_ts // 1_000_000}.{self._last_ts % 1_000_000:06d}"

    def post(self, channel: Channel, message: Json, *, at: datetime, only_for: str | None = None) -> Post:
        """Add a message; it gets its `ts`, and its parent learns of the reply."""
        post = Post(channel.id, {"type": "message", **message, "ts": self.next_ts(at)}, only_for)
        channel.posts[post.ts] = post
        parent = channel.posts.get(post.message.get("thread_ts", ""))
        if parent is not None and only_for is None:
            self._count_replies(channel, parent)
        self._tell("message", post)
        return post

    def edit(self, post: Post, changes: Json) -> None:
        """Change a message in place; a value of `None` takes the key away."""
        merged = {**post.message, **changes}
        post.message = {key: value for key, value in merged.items() if value is not None}
        self._tell("message_changed", post)

    def delete(self, post: Post) -> None:
        channel = self.channels[post.channel]
        del channel.posts[post.ts]
        self._tell("message_deleted", post)
        parent = channel.posts.get(post.message.get("thread_ts", ""))
        if parent is not None:
            self._count_replies(channel, parent)

    def add_file(self, *, name: str, mimetype: str, size: int, owner: str, at: datetime) -> StoredFile:
        file = StoredFile(
            id=f"F0{secrets.token_hex(4).upper()}",
            name=name,
            title=name,
            mimetype=mimetype,
            size=size,
            owner=owner,
            created=int(at.timestamp()),
        )
        self.files[file.id] = file
        return file

    def _count_replies(self, channel: Channel, parent: Post) -> None:
        replies = [
            post.message
            for post in channel.posts.values()
            if post.message.get("thread_ts") == parent.ts and post is not parent and post.only_for is None
        ]
        repliers = list(dict.fromkeys(reply["user"] for reply in replies if "user" in reply))
        self.edit(
            parent,
            {
                "thread_ts": parent.ts if replies else None,
                "reply_count": len(replies) or None,
                "reply_users": repliers or None,
                "reply_users_count": len(repliers) or None,
                "latest_reply": replies[-1]["ts"] if replies else None,
            },
        )

    def _tell(self, kind: str, post: Post) -> None:
        audience = (
            frozenset({post.only_for}) if post.only_for else frozenset(self.channels[post.channel].members)
        )
        self.news.announce({"type": kind, "channel": post.channel, "post": post}, to=audience)
