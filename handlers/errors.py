"""The one place that catches for people: an error becomes a reply, and nobody is left without an answer."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Sequence
from typing import Any, Final

from slack_bolt.async_app import AsyncAck, AsyncApp, AsyncRespond
from slack_bolt.response import BoltResponse

from bot.domain.errors import BackstopError, Invalid, Refused, Unavailable
from bot.domain.people import Person, PersonId
from handlers import slack
from handlers.desk import Desk, call, open_modal
from handlers.views import blocks, errors

AGAIN_AFTER: Final = (1.0, 5.0)
"""Seconds until it is tried again to tell somebody what could be told in no other way."""

log = logging.getLogger(__name__)


def register(app: AsyncApp, desk: Desk) -> None:
    @app.error
    async def answer(error: Exception, body: dict[str, Any], respond: AsyncRespond) -> BoltResponse:
        return await answered(desk, error, body, respond)


async def unheard(desk: Desk, ack: AsyncAck, body: dict[str, Any], respond: AsyncRespond) -> None:
    """Answer what no feature listens to, an old button for one; in Socket Mode it would hang otherwise."""
    await ack()
    if body.get("type") == "block_actions" and not body["actions"][0].get("url"):
        person = await desk.people.who_looks(body)
        said = desk.texts_for(person)("error-old-button")
        desk.after_ack(tell(desk, body, said, respond))


async def answered(desk: Desk, error: Exception, body: dict[str, Any], respond: AsyncRespond) -> BoltResponse:
    """Acknowledge with the words for what went wrong, in the form this payload can show."""
    person = await who(desk, body)
    texts = desk.texts_for(person)
    words = await words_for(desk, error, person=person, attempted=_what(body))
    kind = body.get("type")
    if kind == "view_submission":
        if isinstance(error, Invalid):
            said = errors.plain_words(error, texts)
            return _json({"response_action": "errors", "errors": {error.at: said}})
        return _json({"response_action": "update", "view": errors.view(words, texts)})
    if kind == "block_suggestion":
        return _json({"options": []})
    if "command" in body:
        return _json(blocks.reply(words))
    desk.after_ack(tell(desk, body, words, respond))
    return BoltResponse(status=200, body="")


async def words_for(desk: Desk, error: Exception, *, person: Person, attempted: str) -> str:
    """The words for an error; a refusal is remembered, anything unforeseen is logged under a reference."""
    texts = desk.texts_for(person)
    if not isinstance(error, BackstopError):
        reference = secrets.token_hex(4)
        log.error("reference %s: %s failed", reference, attempted, exc_info=error)
        return errors.unforeseen(reference, texts)
    if isinstance(error, Refused):
        subject = str(getattr(error, "request_id", "") or attempted)
        await desk.backstop.requests.refused(error, by=person, subject=subject, attempted=attempted)
    else:
        log.warning("%s: %s %s", attempted, error.code, getattr(error, "reason", ""))
    return errors.words(error, texts)


async def tell(
    desk: Desk,
    body: dict[str, Any],
    words: str,
    respond: AsyncRespond | None = None,
    *,
    shown: Sequence[blocks.Block] | None = None,
    replaces: bool = False,
) -> None:
    """Say something to the person alone, where they are; failing that, in a direct message.

    `shown` is what stands there in place of the words, which are then for notifications and screen readers. With
    `replaces` it takes the place of what they clicked on, or of what they were told at first.
    """
    user_id, channel = slack.actor(body), slack.place(body)
    message = blocks.reply(words, shown)
    if respond is not None and body.get("response_url"):
        try:
            answer = await respond(**(message | {"replace_original": replaces}))
            if answer is None or answer.status_code == 200:
                return
        except Exception as error:  # the address of a click lives 30 minutes; there are other ways
            log.info("response_url did not work: %s", type(error).__name__)
    if channel:
        try:
            await call(
                desk.client.chat_postEphemeral,
                channel=channel,
                user=user_id,
                text=words,
                blocks=message["blocks"],
            )
        except BackstopError as error:
            log.info("no ephemeral message in %s: %s", channel, error.code)
        else:
            return
    await _message(desk, user_id, words, message["blocks"])


async def _message(desk: Desk, user_id: str, words: str, shown: Sequence[blocks.Block]) -> None:
    """The last way there is, so it is tried again: rather twice than not at all."""
    for pause in (*AGAIN_AFTER, None):
        try:
            await call(desk.client.chat_postMessage, channel=user_id, text=words, blocks=shown)
        except Unavailable:
            if pause is None:
                raise
            await asyncio.sleep(pause)
        else:
            return


async def who(desk: Desk, body: dict[str, Any]) -> Person:
    """Whom to answer, and in which language, also where Slack does not say who it is."""
    try:
        return await desk.people.who_looks(body)
    except BackstopError:
        return Person(PersonId(slack.actor(body) or "unknown"), locale=desk.language)


def _what(body: dict[str, Any]) -> str:
    """What was attempted, for the audit trail and the log."""
    if "command" in body:
        return str(body["command"])
    clicked = body.get("actions") or [{}]
    told = body.get("event") or body
    return str((body.get("view") or {}).get("callback_id") or clicked[0].get("action_id") or told.get("type"))


def _json(body: dict[str, Any]) -> BoltResponse:
    return BoltResponse(status=200, body=body)


async def opened(
    desk: Desk, body: dict[str, Any], person: Person, view: blocks.View, *, attempted: str
) -> None:
    """Open a form behind an ack; where Slack does not, the person is told."""
    await behind_ack(desk, body, person, open_modal(desk, body["trigger_id"], view), attempted=attempted)


async def behind_ack(
    desk: Desk,
    body: dict[str, Any],
    person: Person,
    work: Coroutine[Any, Any, None],
    respond: AsyncRespond | None = None,
    *,
    attempted: str,
) -> None:
    """What goes on behind an ack, with an answer for the person even where it fails."""
    try:
        await work
    except Exception as error:
        await tell(desk, body, await words_for(desk, error, person=person, attempted=attempted), respond)
