"""Who clicked: a Slack user becomes a Person with rights, read anew at each click. Nobody has any by default."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import Unavailable
from bot.domain.people import Person, PersonId, Right
from handlers import slack

REMEMBERED = timedelta(minutes=1)
"""So long a group's members may be taken for known where nothing is decided: Slack allows 20 reads a minute."""
MOST_LOCALES = 5000
LOCALE_SECONDS = 1.0


class People:
    """`operators` and `approvers` are ids of users (`U…`, `W…`) or of user groups (`S…`)."""

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        operators: Sequence[str],
        approvers: Sequence[str],
        language: str,
        now: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._now = now
        self._groups: dict[str, tuple[datetime, frozenset[str]]] = {}
        self._named = {Right.OPERATE: tuple(operators), Right.APPROVE: tuple(approvers)}
        self._language = language
        self._locales: dict[str, str] = {}

    async def who_clicked(self, body: dict[str, Any]) -> Person:
        """The person behind a payload, with what they may do at this moment.

        Raises Unavailable (system `slack`) when a user group cannot be read: without knowing, nobody is let in.
        """
        return await self._person(slack.actor(body), newer_than=self._now())

    async def holders(self, right: Right) -> frozenset[str]:
        """The ids of everybody who holds a right at this moment. Raises as `who_clicked`."""
        named = self._named[right]
        groups = sorted(name for name in named if name.startswith("S"))
        members = await self._members(groups, self._now())
        return frozenset({*named} - {*groups}).union(*members.values())

    async def who_looks(self, body: dict[str, Any]) -> Person:
        """As `who_clicked` for what decides nothing (a type-ahead asks at every key): may be a minute old."""
        return await self._person(slack.actor(body), newer_than=self._now() - REMEMBERED)

    async def _person(self, user_id: str, *, newer_than: datetime) -> Person:
        groups = sorted({name for names in self._named.values() for name in names if name.startswith("S")})
        members = await self._members(groups, newer_than) if groups else {}
        locale = await self.language_of(user_id)
        rights = {
            right
            for right, names in self._named.items()
            if any(user_id == name or user_id in members.get(name, ()) for name in names)
        }
        return Person(PersonId(user_id), frozenset(rights), locale)

    async def _members(self, groups: Sequence[str], newer_than: datetime) -> dict[str, frozenset[str]]:
        answers = await asyncio.gather(*(self._known_members_of(group, newer_than) for group in groups))
        return dict(zip(groups, answers, strict=True))

    async def _known_members_of(self, group: str, newer_than: datetime) -> frozenset[str]:
        read_at, members = self._groups.get(group, (None, frozenset[str]()))
        if read_at is not None and read_at > newer_than:
            return members
        asked_at = self._now()
        members = await self._members_of(group)
        self._groups[group] = (asked_at, members)
        return members

    async def _members_of(self, group: str) -> frozenset[str]:
        try:
            answer = await self._client.usergroups_users_list(usergroup=group)
        except SlackApiError as error:
            if slack.reason(error) in ("no_such_subteam", "subteam_not_found"):
                return frozenset()
            raise slack.translated(error) from error
        except slack.UNREACHABLE as error:
            raise Unavailable("slack", type(error).__name__) from error
        return frozenset(answer.get("users") or ())

    async def language_of(self, user_id: str) -> str:
        """The language of their Slack; asked once, since nothing depends on it but words."""
        known = self._locales.get(user_id)
        if known:
            return known
        try:
            async with asyncio.timeout(LOCALE_SECONDS):
                answer = await self._client.users_info(user=user_id, include_locale=True)
        except (SlackApiError, *slack.UNREACHABLE):
            return self._language
        locale = str((answer.get("user") or {}).get("locale") or self._language)
        if len(self._locales) >= MOST_LOCALES:
            self._locales.clear()
        self._locales[user_id] = locale
        return locale
