"""What we tell Slack after something happened: post and redraw the card, message the requester."""

from __future__ import annotations

import asyncio
import logging
from datetime import date
from functools import partial

from bot.domain.customer import Countdown
from bot.domain.errors import Upstream
from bot.domain.letter import telling_of
from bot.domain.limit import DailyLimit
from bot.domain.people import Right
from bot.domain.request import ActionRequest, Reminder, Status
from bot.services.requests import reminder_key
from bot.texts import Texts, for_locale
from handlers import cards
from handlers.cards import Drawing
from handlers.desk import Desk, call
from handlers.views import blocks
from handlers.views.countdown import deletion_words
from handlers.views.letters import notice_button
from handlers.views.limit import limit_message
from handlers.views.request_card import headline, progress, request_card
from handlers.views.translated import Card, offered

MOST_WARNINGS = 20
"""A partner who starts with hundreds of suspended subscriptions must still be able to read the channel."""
MOMENT = 0.4
"""Seconds that a card waits for what begins at once."""

log = logging.getLogger(__name__)


class Notices:
    """The jobs that draw. Each reads the request as it is now, so a late or repeated job does no harm."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def show_request(self, request_id: str) -> None:
        """Post the card, or redraw it until it shows the request's newest state.

        What begins at once is mostly over in a moment; its card is then drawn once, not twice while somebody acts.
        """
        desk, channel = self._desk, self._desk.channels.approvals
        if channel is not None:
            request = await desk.backstop.requests.get(request_id)
            if request.is_due(at=desk.backstop.now()):
                await asyncio.sleep(MOMENT)
            await cards.show(desk, card_key(request_id), partial(drawn, desk, request_id), channel=channel)

    async def remind(self, request_id: str, reminder: str) -> None:
        """Message every approver whose word is still missing, once for each reminder."""
        desk = self._desk
        request = await desk.backstop.requests.get(request_id)
        if request.reminder(at=desk.backstop.now()) is None:
            return  # decided meanwhile
        told = [await self._escalate(request)] if reminder == Reminder.LAST else []
        spoken = {request.requested_by, *(decision.by for decision in request.decisions)}
        for approver in sorted(await desk.people.holders(Right.APPROVE) - spoken):
            told.append(await self._remind(request, approver, reminder))
        if all(told):
            where = desk.channels.approvals or ""
            await desk.backstop.posts.once(
                reminder_key(request_id, reminder), partial(_nowhere, where), channel=where
            )

    async def _escalate(self, request: ActionRequest) -> bool:
        """Tell a second channel, once, that time runs out and nobody has decided; False where Slack refused."""
        desk = self._desk
        channel = desk.channels.escalation
        if channel is None:
            return True
        said, body = reminder_message(request, desk.texts, channel=desk.channels.approvals)
        send = partial(_post, desk, channel, said, body)
        try:
            await desk.backstop.posts.once(f"escalation:{request.id}", send, channel=channel)
        except Upstream as error:  # the approvers must still hear of it
            log.warning("no escalation to %s: %s", channel, error.reason)
            return False
        return True

    async def show_limit(self, day: str) -> None:
        """Say in the approvals channel, once a day, that the daily limit holds requests back; then what became of it.

        The approvers hear of it themselves as well, once.
        """
        desk, on = self._desk, date.fromisoformat(day)
        channel = desk.channels.approvals
        if channel is None:
            return
        limits = desk.backstop.limits
        said, body = limit_message(await limits.of(on), desk.texts, is_today=on == limits.day())
        key = f"limit:{channel}:{day}"
        if not await desk.backstop.posts.at_least_once(
            key, partial(_post, desk, channel, said, body), channel=channel
        ):
            posted = await desk.backstop.posts.find(key)
            if posted and posted.ts:
                await call(
                    desk.client.chat_update, channel=posted.channel, ts=posted.ts, text=said, blocks=body
                )
        for approver in sorted(await desk.people.holders(Right.APPROVE)):
            await self._tell_of_limit(await limits.of(on), approver, channel)

    async def _tell_of_limit(self, limit: DailyLimit, approver: str, channel: str) -> None:
        desk = self._desk
        texts = for_locale(await desk.people.language_of(approver), default=desk.language)
        said = texts("limit-reached", most=texts.number(limit.most), day=texts.day(limit.day))
        body = [blocks.section(f"*{said}*\n{texts.mrkdwn('limit-where', channel=blocks.channel(channel))}")]
        key = f"limit:{approver}:{limit.day.isoformat()}"
        try:
            await desk.backstop.posts.once(
                key, partial(message, desk, approver, said, body), channel=approver
            )
        except Upstream as error:  # the others must still hear of it
            log.warning("%s not told of the limit: %s", approver, error.reason)

    async def _remind(self, request: ActionRequest, approver: str, reminder: str) -> bool:
        """Once; False where Slack refused."""
        desk = self._desk

        async def send() -> tuple[str, str]:
            texts = for_locale(await desk.people.language_of(approver), default=desk.language)
            return await message(
                desk, approver, *reminder_message(request, texts, channel=desk.channels.approvals)
            )

        key = f"{reminder_key(request.id, reminder)}:{approver}"
        try:
            await desk.backstop.posts.once(key, send, channel=approver)
        except Upstream as error:  # the others must still hear of it
            log.warning("no reminder to %s: %s", approver, error.reason)
            return False
        return True

    async def warn_of_deletion(self, day: str) -> None:
        """Tell the approvals channel and whoever asked what is going to be deleted, once for each warning.

        The most urgent first and so many a day: what is left over is told of on the next days.
        """
        on = date.fromisoformat(day)
        told = unknown = 0
        for countdown in await self._desk.backstop.digests.countdowns():
            warning = countdown.warning(on=on)
            if warning is not None and told < MOST_WARNINGS:
                told += await self._warn(countdown, warning, on)
            # Counted apart: many unknown deadlines must not keep the known ones waiting.
            elif countdown.deadline is None and unknown < MOST_WARNINGS:
                unknown += await self._warn_of_unknown(countdown, on)

    async def _warn(self, countdown: Countdown, warning: int, on: date) -> bool:
        """Whether anybody was told who had not been."""
        desk, told = self._desk, False
        about = f"deletion:{countdown.subscription.id}:{countdown.deadline}:"
        if warning == 0 and not countdown.asked_by and await desk.backstop.posts.latest(about) is None:
            return False  # it was over before anybody here heard of it, and nobody waits for it
        for who in filter(None, (desk.channels.approvals, countdown.asked_by)):
            told |= await self._warn_one(countdown, f"{about}{warning}:{who}", who, on)
        return told

    async def _warn_of_unknown(self, countdown: Countdown, on: date) -> bool:
        """Once for as long as it stays suspended, and in the channel alone."""
        channel = self._desk.channels.approvals
        key = f"deletion:{countdown.subscription.id}:unknown:{countdown.episode}"
        return channel is not None and await self._warn_one(countdown, key, channel, on)

    async def _warn_one(self, countdown: Countdown, key: str, who: str, on: date) -> bool:
        desk = self._desk
        in_channel = who == desk.channels.approvals
        locale = desk.language if in_channel else await desk.people.language_of(who)
        said = deletion_words(countdown, for_locale(locale, default=desk.language), on=on)
        send = partial(_post if in_channel else message, desk, who, said, [blocks.section(f"⚠ {said}")])
        try:
            return await desk.backstop.posts.once(key, send, channel=who)
        except Upstream as error:  # the others must still hear of it
            log.warning("no warning to %s: %s", who, error.reason)
            return False

    async def tell_result(self, request_id: str) -> None:
        """Tell the requester, once, what became of it."""
        desk = self._desk
        request = await desk.backstop.requests.get(request_id)
        if request.status.is_open and request.status is not Status.UNKNOWN:
            return
        person = await desk.people.language_of(request.requested_by)
        texts = for_locale(person, default=desk.language)

        said, body = result_message(request, texts)

        async def send() -> tuple[str, str]:
            return await message(desk, request.requested_by, said, body)

        key = f"{'result' if request.status.is_final else 'unknown'}:{request.id}"
        if request.round:
            key += f":{request.round}"
        await desk.backstop.posts.once(key, send, channel=request.requested_by)


async def _nowhere(channel: str) -> tuple[str, str]:
    """Of a post that only keeps in mind that something was told."""
    return channel, ""


async def _post(desk: Desk, channel: str, said: str, body: list[blocks.Block]) -> tuple[str, str]:
    answer = await call(desk.client.chat_postMessage, channel=channel, text=said, blocks=body)
    return str(answer["channel"]), str(answer["ts"])


def reminder_message(
    request: ActionRequest, texts: Texts, *, channel: str | None
) -> tuple[str, list[blocks.Block]]:
    """What an approver is reminded of, and until when."""
    said = blocks.escaped(headline(request, texts))
    where = blocks.channel(channel) if channel else texts("approvals-channel")
    until = texts.mrkdwn("reminder", at=blocks.moment(request.expires_at), channel=where)
    return said, [blocks.section(f"*{said}*"), blocks.section(until)]


def result_message(request: ActionRequest, texts: Texts) -> tuple[str, list[blocks.Block]]:
    """What the requester is told: in one line, and with who decided and what came of it."""
    said = blocks.escaped(headline(request, texts))
    told = "\n".join(progress(request, texts)[1:]) or blocks.escaped(request.id)
    body = [blocks.section(f"*{said}*"), blocks.section(told)]
    if telling_of(request):
        body.append(blocks.actions(notice_button(request.id, request.action.customer_name, texts)))
    return said, body


async def message(desk: Desk, user_id: str, said: str, body: list[blocks.Block]) -> tuple[str, str]:
    """A direct message; answers with where it stands."""
    try:
        opened = await call(desk.client.conversations_open, users=user_id)
        channel = str(opened["channel"]["id"])
    except Upstream as error:
        log.info("conversations.open: %s; posting to the user id instead", error.reason)
        channel = user_id
    return await _post(desk, channel, said, body)


def card_key(request_id: str) -> str:
    return f"card:{request_id}"


async def drawn(desk: Desk, request_id: str) -> Drawing:
    """Its card as it is now, or NotFound."""
    request = await desk.backstop.requests.get(request_id)
    said = blocks.escaped(headline(request, desk.texts))
    rule = desk.backstop.policy.break_glass
    breakable = rule is not None and rule.covers(request.action)
    deadlines = await desk.backstop.digests.deadlines_of(request)
    card = request_card(request, desk.texts, deadlines=deadlines, breakable=breakable)
    body = offered(card, Card.REQUEST, request.id, desk.texts)
    return Drawing(request.version, said, body)
