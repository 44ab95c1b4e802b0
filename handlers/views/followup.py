"""The forms behind *Snooze*, *Promise to pay* and *Owner*."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from bot.domain.customer import Customer
from bot.domain.followup import SNOOZE_DAYS, Pause
from bot.domain.people import PersonId
from bot.domain.policy import Exit
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block, View

REASON = 200
"""Characters of a reason: it stands in one line of the digest."""
USUAL_SNOOZE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Subject:
    """The customer a form is about, and what has been said about it."""

    customer: Customer
    today: date
    overdue: Mapping[str, Decimal]
    snooze: Pause | None
    promise: Pause | None
    promises: int
    owner: PersonId | None


def snooze_form(about: Subject, texts: Texts, *, channel: str) -> View:
    body = [_customer(about, texts)]
    if about.snooze:
        body += [
            blocks.section(_stands("snooze-stands", about.snooze, texts)),
            blocks.actions(
                blocks.button(
                    texts("wake"),
                    ids.WAKE_CUSTOMER,
                    about.customer.id,
                    label=texts("wake-label", customer=blocks.harmless(about.customer.name)),
                )
            ),
        ]
    body += [
        _day(
            about.snooze.until if about.snooze else about.today + USUAL_SNOOZE,
            texts("snooze-until"),
            texts.count("days-at-most", SNOOZE_DAYS),
        ),
        blocks.input_block(
            texts("snooze-why"),
            blocks.text_input(
                ids.NOTE, multiline=False, most=REASON, initial=about.snooze.note if about.snooze else ""
            ),
            ids.NOTE,
            hint=texts("snooze-why-hint"),
        ),
        blocks.context(texts("snooze-follows")),
    ]
    return _form(about, texts, "snooze", ids.SNOOZE_FORM, body, submit=texts("snooze"), channel=channel)


def promise_form(about: Subject, terms: Exit, texts: Texts, *, channel: str) -> View:
    body = [_customer(about, texts)]
    if about.promise:
        body.append(blocks.section(_stands("promise-stands", about.promise, texts)))
    if about.promises:
        most = texts.number(terms.promise_times)
        body.append(blocks.section(texts.count("promise-made", about.promises, most=most)))
    body += [
        _day(None, texts("promise-until"), texts.count("days-at-most", terms.promise_days)),
        blocks.input_block(
            texts("form-note"),
            blocks.text_input(ids.NOTE, multiline=False, most=REASON),
            ids.NOTE,
            optional=True,
            hint=texts("promise-note-hint"),
        ),
        blocks.context(texts("promise-follows")),
    ]
    return _form(about, texts, "promise", ids.PROMISE_FORM, body, submit=texts("confirm"), channel=channel)


def owner_form(about: Subject, texts: Texts, *, channel: str) -> View:
    select: Block = {"type": "users_select", "action_id": ids.OWNER}
    if about.owner:
        select["initial_user"] = about.owner
    body = [
        _customer(about, texts),
        blocks.input_block(texts("owner-who"), select, ids.OWNER, optional=True, hint=texts("owner-hint")),
    ]
    return _form(about, texts, "owner", ids.OWNER_FORM, body, submit=texts("save"), channel=channel)


def woken(customer: Customer, texts: Texts) -> View:
    """What the form of a snooze becomes once it was ended."""
    name = blocks.name(customer.name)
    return blocks.modal(
        texts("snooze"), [blocks.section(texts.mrkdwn("woken", customer=name))], close=texts("close")
    )


def _form(
    about: Subject,
    texts: Texts,
    title: str,
    callback_id: str,
    body: list[Block],
    *,
    submit: str,
    channel: str,
) -> View:
    return blocks.modal(
        texts(title),
        body,
        callback_id=callback_id,
        submit=submit,
        close=texts("cancel"),
        private_metadata=f"{about.customer.id} {channel}",
    )


def _customer(about: Subject, texts: Texts) -> Block:
    customer = about.customer
    owed = texts.listed(texts.money(amount, currency) for currency, amount in about.overdue.items())
    return blocks.section(
        f"*{blocks.name(customer.name)}* ({blocks.name(customer.domain or customer.id)})\n"
        + texts("followed-owes", owed=owed or "–")
    )


def _day(chosen: date | None, label: str, hint: str) -> Block:
    picker: Block = {"type": "datepicker", "action_id": ids.DATE}
    if chosen:
        picker["initial_date"] = chosen.isoformat()
    return blocks.input_block(label, picker, ids.DATE, hint=hint)


def _stands(key: str, pause: Pause, texts: Texts) -> str:
    said = texts.mrkdwn(key, until=texts.day(pause.until), by=blocks.person(pause.by))
    return f"{said}\n{blocks.name(pause.note, REASON)}" if pause.note else said
