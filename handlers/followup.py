"""*Snooze*, *Promise to pay* and *Owner*: a form each, opened by the digest's buttons."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.errors import Invalid
from bot.domain.followup import may_promise
from bot.domain.people import Person, PersonId, Right
from bot.services.followup import Followed
from handlers import errors, ids, reading
from handlers.desk import Desk, call
from handlers.filled import given
from handlers.listeners import Listeners
from handlers.reading import Waiting
from handlers.views import blocks, forms
from handlers.views import followup as views


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.SNOOZE_CUSTOMER)(partial(ask_to_snooze, desk))
    listen.action(ids.PROMISE_OF_CUSTOMER)(partial(ask_for_promise, desk))
    listen.action(ids.OWNER_OF_CUSTOMER)(partial(ask_for_owner, desk))
    listen.action(ids.WAKE_CUSTOMER)(partial(wake, desk))
    listen.view(ids.SNOOZE_FORM)(partial(snooze, desk))
    listen.view(ids.PROMISE_FORM)(partial(promise, desk))
    listen.view(ids.OWNER_FORM)(partial(look_after, desk))


async def ask_to_snooze(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Until when and why; where a snooze stands, whose it is, and *Wake up*."""
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    await ack()

    async def form() -> blocks.View:
        about = _subject(await _clicked(desk, body))
        return views.snooze_form(about, desk.texts_for(person), channel=_channel(body))

    desk.after_ack(_show(desk, body, person, form, title="snooze", attempted=ids.SNOOZE_FORM))


async def ask_for_promise(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_clicked(body)
    terms = desk.backstop.policy.exit
    if Right.APPROVE not in person.rights:
        person.must(Right.OPERATE)  # before anything is read
    await ack()

    async def form() -> blocks.View:
        followed = await _clicked(desk, body)
        may_promise(followed.promises, terms, by=person)
        return views.promise_form(_subject(followed), terms, desk.texts_for(person), channel=_channel(body))

    desk.after_ack(_show(desk, body, person, form, title="promise", attempted=ids.PROMISE_FORM))


async def ask_for_owner(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    await ack()

    async def form() -> blocks.View:
        about = _subject(await _clicked(desk, body))
        return views.owner_form(about, desk.texts_for(person), channel=_channel(body))

    desk.after_ack(_show(desk, body, person, form, title="owner", attempted=ids.OWNER_FORM))


async def snooze(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """The right is read again; what was acknowledged is in the database."""
    person, customer = await desk.people.who_clicked(body), _about(body)
    pause = await desk.backstop.followup.snooze(customer, until=_day(body), why=_note(body), by=person)
    await ack()
    texts = desk.texts_for(person)
    desk.after_ack(_say(desk, body, person, texts.mrkdwn("snoozed", until=texts.day(pause.until))))


async def promise(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person, customer = await desk.people.who_clicked(body), _about(body)
    pause = await desk.backstop.followup.promise(customer, until=_day(body), note=_note(body), by=person)
    await ack()
    texts = desk.texts_for(person)
    desk.after_ack(_say(desk, body, person, texts.mrkdwn("promised", until=texts.day(pause.until))))


async def look_after(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person, customer = await desk.people.who_clicked(body), _about(body)
    owner = str(given(body["view"], ids.OWNER).get("selected_user") or "")
    await desk.backstop.followup.look_after(customer, owner=PersonId(owner) if owner else None, by=person)
    await ack()
    texts = desk.texts_for(person)
    said = texts.mrkdwn("owned", owner=blocks.person(owner)) if owner else texts("owned-by-nobody")
    desk.after_ack(_say(desk, body, person, said))


async def wake(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """End the snooze from within its form, which then says so; a second click changes nothing."""
    person = await desk.people.who_clicked(body)
    customer = str(body["actions"][0].get("value") or "")
    await desk.backstop.followup.wake(customer, by=person)
    about = await desk.backstop.customers.customer(customer)  # no books are read: Slack waits
    await ack()
    view = views.woken(about, desk.texts_for(person))
    desk.after_ack(_update(desk, str(body["view"]["id"]), view))


async def _show(
    desk: Desk,
    body: dict[str, Any],
    person: Person,
    form: Callable[[], Awaitable[blocks.View]],
    *,
    title: str,
    attempted: str,
) -> None:
    """Open a view at once, and fill it when the books are read: with large ones that takes longer than Slack waits."""
    texts, trigger = desk.texts_for(person), str(body["trigger_id"])
    view = forms.wait_view(texts(title), texts("reading-books"), texts, external_id=trigger)
    waiting = Waiting(view, person, attempted)
    work = reading.show(desk, form(), waiting, desk.client.views_open, trigger)
    await errors.behind_ack(desk, body, person, work, attempted=attempted)


async def _say(desk: Desk, body: dict[str, Any], person: Person, said: str) -> None:
    """What holds from now on, to the person alone, where the button was."""
    about = await desk.backstop.customers.customer(_about(body))
    _, _, channel = str(body["view"]["private_metadata"]).partition(" ")
    where = {"user": body["user"], "channel": {"id": channel}}
    await errors.tell(desk, where, f"*{blocks.name(about.name)}*: {said}")


async def _update(desk: Desk, view_id: str, view: blocks.View) -> None:
    await call(desk.client.views_update, view_id=view_id, view=view)


async def _clicked(desk: Desk, body: dict[str, Any]) -> Followed:
    return await desk.backstop.followup.of(str(body["actions"][0].get("value") or ""))


def _subject(followed: Followed) -> views.Subject:
    return views.Subject(
        customer=followed.customer,
        today=followed.today,
        overdue=followed.overdue,
        snooze=followed.snooze,
        promise=followed.promise,
        promises=followed.promises,
        owner=followed.owner,
    )


def _about(body: dict[str, Any]) -> str:
    """The id of the customer the form is about."""
    return str(body["view"].get("private_metadata") or "").partition(" ")[0]


def _channel(body: dict[str, Any]) -> str:
    return str((body.get("channel") or {}).get("id") or "")


def _day(body: dict[str, Any]) -> date:
    try:
        return date.fromisoformat(str(given(body["view"], ids.DATE).get("selected_date") or ""))
    except ValueError:
        raise Invalid(ids.DATE, "missing") from None


def _note(body: dict[str, Any]) -> str:
    return str(given(body["view"], ids.NOTE).get("value") or "").strip()[: views.REASON]
