"""Who clicked: a Slack user becomes a Person with rights, read anew at each click. Nobody has any by default."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.errors import BackstopError, Outsider, Unavailable
from bot.domain.people import Outside, Person, PersonId, Right
from handlers import slack

REMEMBERED: Final = timedelta(minutes=1)
"""So long it is known who somebody is, and where nothing is decided who is in a group. Slack answers 20 questions
about groups a minute and 100 about people. docs.slack.dev/apis/web-api/rate-limits"""
MOST_KNOWN: Final = 5000
LOOK_SECONDS: Final = 1.0
DECISION_SECONDS: Final = 2.0
"""Slack waits three for the ack."""
SHARES_WITHIN: Final = 0.2
"""Seconds that a question to Slack may still take, so that those who clicked meanwhile ask the next together."""

_NOBODYS: Final = frozenset({"USLACKBOT"})
"""Slack says of it that it is no bot."""
_OF_A_WORKFLOW: Final = ("function_data", "workflow_step", "bot_access_token")
"""What only the payloads of workflow steps have. docs.slack.dev/workflows/workflow-steps"""
_EVENTS_OF_A_WORKFLOW: Final = frozenset({"function_executed", "workflow_step_execute", "workflow_step_edit"})
_UNKNOWN_HERE: Final = frozenset({"user_not_found", "user_not_visible", "users_not_found"})
_NO_SUCH_QUESTION: Final = "unknown_method"
"""Slack itself knows the method; what stands in for it and does not, says nothing against anybody."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Home:
    """The workspace the app is installed in; `enterprise` where it is one of several of an organisation."""

    team: str
    enterprise: str = ""


@dataclass(frozen=True, slots=True)
class Member:
    """What Slack says of one user."""

    asked_at: datetime
    locale: str
    outside: Outside | None


@dataclass(frozen=True, slots=True)
class _Question:
    """Who is in a group, asked at that moment; the answer may be under way."""

    asked_at: datetime
    answer: asyncio.Task[frozenset[str]]

    @property
    def failed(self) -> bool:
        return self.answer.done() and (self.answer.cancelled() or self.answer.exception() is not None)


class People:
    """`named` has, by right, ids of users (`U…`, `W…`) and of user groups (`S…`); `also` are groups besides."""

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        named: Mapping[Right, Sequence[str]],
        also: Callable[[], Collection[str]] = frozenset,
        language: str,
        now: Callable[[], datetime],
        patience: float = DECISION_SECONDS,
    ) -> None:
        """`patience` is how many seconds a click waits for what Slack says of its rights."""
        self._client = client
        self._now = now
        self._patience = patience
        self._groups: dict[str, tuple[datetime, frozenset[str]]] = {}
        self._questions: dict[str, _Question] = {}
        self._named = {right: frozenset(named.get(right, ())) for right in Right}
        self._groups_named = frozenset(n for names in named.values() for n in names if n.startswith("S"))
        self._also = also
        self._language = language
        self._members_known: dict[str, Member] = {}
        self.home: Home | None = None
        """Set once Slack has said whose the token is; before that nobody can be told from a stranger."""

    async def who_clicked(self, body: dict[str, Any]) -> Person:
        """The person behind a payload, with what they may do at this moment.

        Raises Unavailable (system `slack`) when Slack does not say who is in a user group, or who this is: without
        knowing, nobody is let in. While Slack takes its time, or asks for some, who was in a group counts for a minute.
        Raises Outsider for who is no full member of the workspace.
        """
        user_id, now = slack.actor(body), self._now()
        if is_of_a_workflow(body):
            raise Outsider(Outside.WORKFLOW)
        member = self._remembered(user_id, newer_than=now - REMEMBERED)
        if member:  # two tasks for what is known already would cost more than all else here
            members = await self._groups_anew(now)
        else:
            members, member = await asyncio.gather(
                self._groups_anew(now),
                self._member(user_id, newer_than=now - REMEMBERED, patience=self._patience),
            )
        person = self._with_rights(body, members, member)
        person.must_belong()
        return person

    async def holders(self, right: Right) -> frozenset[str]:
        """The ids of everybody who holds a right at this moment; however long Slack takes, nobody waits for an ack.

        Raises as `who_clicked`.
        """
        named = self._named[right]
        groups = sorted(name for name in named if name.startswith("S"))
        members = await self._members(groups, self._now(), patience=None)
        return frozenset({*named} - {*groups}).union(*members.values())

    async def who_looks(self, body: dict[str, Any]) -> Person:
        """As `who_clicked` for what decides nothing (a type-ahead asks at every key): may be a minute old.

        Where Slack does not say who this is, what it said before counts, and the groups.
        """
        user_id, at = slack.actor(body), self._now() - REMEMBERED
        if is_of_a_workflow(body):
            return Person(PersonId(user_id), locale=self._language, outside=Outside.WORKFLOW)
        members, member = await asyncio.gather(self._groups_anew(at), self._member_if_told(user_id, at))
        return self._with_rights(body, members, member)

    async def language_of(self, user_id: str) -> str:
        """The language of their Slack; asked once, since nothing depends on it but words."""
        member = self._members_known.get(user_id) or await self._member_if_told(user_id, self._now())
        return member.locale if member else self._language

    def _with_rights(
        self, body: Mapping[str, Any], members: Mapping[str, frozenset[str]], member: Member | None
    ) -> Person:
        user_id = slack.actor(body)
        locale = member.locale if member else self._language
        if member and member.outside:
            return Person(PersonId(user_id), locale=locale, outside=member.outside)
        groups = {group for group, theirs in members.items() if user_id in theirs}
        # What calls itself a group is nobody, whatever it is named for.
        names = groups if user_id in self._groups_named else {user_id, *groups}
        return Person(
            PersonId(user_id),
            frozenset(right for right, named in self._named.items() if not names.isdisjoint(named)),
            locale,
            groups=frozenset(groups),
            channel=slack.place(body),
        )

    async def _groups_anew(self, newer_than: datetime) -> dict[str, frozenset[str]]:
        groups = sorted(self._groups_named.union(self._also()))
        return await self._members(groups, newer_than, patience=self._patience) if groups else {}

    async def _members(
        self, groups: Sequence[str], newer_than: datetime, *, patience: float | None
    ) -> dict[str, frozenset[str]]:
        known = {group: self._known_since(group, newer_than) for group in groups}
        unknown = [group for group, members in known.items() if members is None]
        answers = await asyncio.gather(*(self._told(group, newer_than, patience) for group in unknown))
        known.update(zip(unknown, answers, strict=True))
        return {group: members or frozenset() for group, members in known.items()}

    def _known_since(self, group: str, newer_than: datetime) -> frozenset[str] | None:
        asked_at, members = self._groups.get(group, (newer_than, None))
        return members if self._is_newer(asked_at, newer_than) else None

    def _is_newer(self, asked_at: datetime, than: datetime) -> bool:
        """A clock that was put back must not make an answer last."""
        return than < asked_at <= self._now()

    async def _told(self, group: str, newer_than: datetime, patience: float | None) -> frozenset[str]:
        try:
            async with asyncio.timeout(patience):
                question = await self._question(group, newer_than)
                return await asyncio.shield(question.answer)
        except TimeoutError as error:
            known = self._known_since(group, self._now() - REMEMBERED)
            if known is None:
                raise Unavailable("slack", "timeout") from error
            log.info("Slack does not say who is in %s: what it said a moment ago counts", group)
            return known

    async def _question(self, group: str, newer_than: datetime) -> _Question:
        """One asked later than that. Of many clicks at once few ask, for Slack answers few times a minute."""
        question = self._questions.get(group)
        if question and not question.answer.done() and not self._is_newer(question.asked_at, newer_than):
            await asyncio.wait({question.answer}, timeout=SHARES_WITHIN)
            question = self._questions.get(group)
        if question is None or question.failed or not self._is_newer(question.asked_at, newer_than):
            asked_at = self._now()
            question = _Question(asked_at, asyncio.create_task(self._members_at(group, asked_at)))
            # Who waited for it may have given up: then nobody hears that it failed.
            question.answer.add_done_callback(lambda answer: answer.cancelled() or answer.exception())
            self._questions[group] = question
        return question

    async def _members_at(self, group: str, asked_at: datetime) -> frozenset[str]:
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

    async def _member_if_told(self, user_id: str, newer_than: datetime) -> Member | None:
        """As Slack has it, or had it when it last told us."""
        known = self._members_known.get(user_id)
        try:
            return await self._member(user_id, newer_than=newer_than, patience=LOOK_SECONDS)
        except BackstopError as error:
            log.info("Slack does not say who %s is (%s)", user_id, error.code)
            return known

    async def _member(self, user_id: str, *, newer_than: datetime, patience: float) -> Member:
        """Raises Unavailable where Slack does not say."""
        if known := self._remembered(user_id, newer_than=newer_than):
            return known
        member = await self._asked_for(user_id, patience)
        if len(self._members_known) >= MOST_KNOWN:
            self._members_known.clear()
        self._members_known[user_id] = member
        return member

    def _remembered(self, user_id: str, *, newer_than: datetime) -> Member | None:
        known = self._members_known.get(user_id)
        return known if known and self._is_newer(known.asked_at, newer_than) else None

    async def _asked_for(self, user_id: str, patience: float) -> Member:
        asked_at, home = self._now(), self.home
        if home is None:
            raise Unavailable("slack", "not-signed-in")
        try:
            async with asyncio.timeout(patience):
                answer = await self._client.users_info(user=user_id, include_locale=True)
        except SlackApiError as error:
            if slack.reason(error) in _UNKNOWN_HERE:
                return Member(asked_at, self._language, Outside.STRANGER)
            if slack.reason(error) == _NO_SUCH_QUESTION:
                return Member(asked_at, self._language, None)
            raise Unavailable("slack", slack.reason(error)) from error
        except slack.UNREACHABLE as error:
            raise Unavailable("slack", type(error).__name__) from error
        user: Any = answer.get("user", {})
        if not isinstance(user, dict) or user.get("id", user_id) != user_id:
            raise Unavailable("slack", "unreadable")
        return Member(asked_at, str(user.get("locale") or self._language), outside(user, home))


def outside(user: Mapping[str, Any], home: Home) -> Outside | None:
    """Whether somebody is no full member, by Slack's user object. docs.slack.dev/reference/objects/user-object"""
    if user.get("is_bot") or user.get("is_workflow_bot") or user.get("id") in _NOBODYS:
        return Outside.BOT
    if user.get("is_stranger") or not _is_of(home, user):
        return Outside.STRANGER
    if user.get("deleted"):
        return Outside.DEACTIVATED
    if user.get("is_restricted") or user.get("is_ultra_restricted"):
        return Outside.GUEST
    return None


def _is_of(home: Home, user: Mapping[str, Any]) -> bool:
    """Of the very workspace, or of another one of the same organisation; what names no other one is of this."""
    if not home.team or user.get("team_id", home.team) == home.team:
        return True
    organisation = user.get("enterprise_user")
    theirs = organisation.get("enterprise_id") if isinstance(organisation, Mapping) else None
    return bool(home.enterprise) and theirs == home.enterprise


def is_of_a_workflow(body: Mapping[str, Any]) -> bool:
    """Whether no person did this but a step of a workflow, or something it posted."""
    told: Mapping[str, Any] = body.get("event") or body
    return any(body.get(key) for key in _OF_A_WORKFLOW) or told.get("type") in _EVENTS_OF_A_WORKFLOW
