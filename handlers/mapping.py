"""Whose a debtor in the books is: *Link* opens a form, a person confirms, and can take it back."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial
from typing import Any

from slack_bolt.async_app import AsyncAck

from bot.domain.directory import Entry
from bot.domain.errors import Invalid
from bot.domain.people import Person, Right
from handlers import errors, ids, reading
from handlers.desk import Desk
from handlers.filled import chosen
from handlers.listeners import Listeners
from handlers.reading import Waiting
from handlers.views import forms
from handlers.views import mapping as views
from handlers.views.blocks import View


def register(listen: Listeners, desk: Desk) -> None:
    listen.action(ids.LINK_CUSTOMER)(partial(ask, desk))
    listen.options(ids.LINKED_CUSTOMER)(partial(suggest, desk))
    listen.view(ids.LINK_FORM)(partial(link, desk))
    listen.view(ids.UNLINK_FORM)(partial(unlink, desk))


async def ask(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    """Show whose the debtor is, or ask; the right is read again when the form is sent.

    A view opens at once, and is filled when the books are read: with large ones that takes longer than Slack waits.
    """
    person = await desk.people.who_clicked(body)
    person.must(Right.OPERATE)
    await ack()
    texts, trigger = desk.texts_for(person), str(body["trigger_id"])
    view = forms.wait_view(texts("link-title"), texts("reading-books"), texts, external_id=trigger)
    waiting = Waiting(view, person, attempted=ids.LINK_FORM)
    work = reading.show(desk, _form(desk, body, person), waiting, desk.client.views_open, trigger)
    desk.after_ack(errors.behind_ack(desk, body, person, work, attempted=ids.LINK_FORM))


async def _form(desk: Desk, body: dict[str, Any], person: Person) -> View:
    mappings = desk.backstop.mappings
    entry = await mappings.entry(await mappings.key_of(str(body["actions"][0].get("value") or "")))
    channel = str((body.get("channel") or {}).get("id") or "")
    return views.link_form(entry, desk.texts_for(person), channel=channel)


async def suggest(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_looks(body)
    person.must(Right.OPERATE)
    found = await desk.backstop.customers.search(str(body.get("value") or "").strip())
    await ack(options=forms.options(forms.customer_option(c) for c in found if c.may_be_acted_on))


async def link(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    customer_id = chosen(body["view"], ids.LINKED_CUSTOMER)
    if not customer_id:
        raise Invalid(ids.CUSTOMER, "missing")
    person = await desk.people.who_clicked(body)
    party_key = await desk.backstop.mappings.key_of(_about(body))
    await desk.backstop.mappings.confirm(party_key, customer_id, by=person)
    await ack()
    desk.after_ack(_say(desk, body, person, desk.backstop.mappings.entry(party_key)))


async def unlink(desk: Desk, ack: AsyncAck, body: dict[str, Any]) -> None:
    person = await desk.people.who_clicked(body)
    party_key = await desk.backstop.mappings.key_of(_about(body))
    removed = await desk.backstop.mappings.remove(party_key, by=person)
    await ack()
    desk.after_ack(_say(desk, body, person, desk.backstop.mappings.entry_without(removed)))


async def _say(desk: Desk, body: dict[str, Any], person: Person, reading: Awaitable[Entry]) -> None:
    """What holds from now on, to the person alone, where the button was."""
    entry = await reading
    _, _, channel = str(body["view"]["private_metadata"]).partition(" ")
    where = {"user": body["user"], "channel": {"id": channel}}
    await errors.tell(desk, where, views.answer(entry, desk.texts_for(person)))


def _about(body: dict[str, Any]) -> str:
    """The id of the debtor the form is about."""
    return str(body["view"].get("private_metadata") or "").partition(" ")[0]
