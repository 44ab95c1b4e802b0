"""The forms: what to do to which subscription, and the reason for a denial."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from bot.domain.action import Reason, Verb
from bot.domain.calendar import When
from bot.domain.customer import Customer, Subscription
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block, Option, View

MOST_NAME = 60


def action_form(
    verb: Verb,
    draft_id: str,
    texts: Texts,
    *,
    customer: Customer | None = None,
    subscription: Subscription | None = None,
    reason: Reason | None = None,
    when: When = When.NOW,
    zone: str = "",
    hint: str = "",
) -> View:
    """`hint` says what came of the text typed behind the command; `zone` is the partner's, by its IANA name."""
    body = [blocks.context(hint)] if hint else []
    body += [
        blocks.input_block(
            texts("form-customer"),
            blocks.external_select(
                ids.CUSTOMER,
                texts("form-customer-placeholder"),
                chosen=customer_option(customer) if customer else None,
                focus=customer is None,
            ),
            ids.CUSTOMER,
            tells_at_once=True,
        ),
        blocks.input_block(
            texts("form-subscription"),
            blocks.external_select(
                ids.SUBSCRIPTION,
                texts("form-subscription-placeholder"),
                chosen=subscription_option(subscription, texts) if subscription else None,
                focus=customer is not None and subscription is None,
            ),
            subscription_block_id(customer),
        ),
        blocks.input_block(
            texts("form-reason"),
            blocks.static_select(
                ids.REASON,
                texts("form-reason-placeholder"),
                [reason_option(r, texts) for r in Reason],
                chosen=reason_option(reason, texts) if reason else None,
            ),
            ids.REASON,
        ),
        *(_when(when, zone, texts) if verb is Verb.SUSPEND else ()),
        blocks.input_block(
            texts("form-note"),
            blocks.text_input(ids.NOTE),
            ids.NOTE,
            optional=True,
            hint=texts("form-note-hint"),
        ),
    ]
    return blocks.modal(
        texts(f"title-{verb}"),
        body,
        callback_id=ids.SUSPEND_FORM if verb is Verb.SUSPEND else ids.RESUME_FORM,
        submit=texts("continue"),
        close=texts("cancel"),
        private_metadata=draft_id,
    )


def _when(when: When, zone: str, texts: Texts) -> list[Block]:
    """When it is to act; the fields for a date and a time only where they are wanted."""
    choices = [blocks.option(texts(f"form-when-{choice}"), choice.value) for choice in When]
    made = [
        blocks.input_block(
            texts("form-when"),
            blocks.static_select(
                ids.WHEN, texts("form-when"), choices, chosen=choices[list(When).index(when)]
            ),
            ids.WHEN,
            tells_at_once=True,
        )
    ]
    if when is When.AT:
        made += [
            blocks.input_block(texts("form-date"), {"type": "datepicker", "action_id": ids.DATE}, ids.DATE),
            blocks.input_block(
                texts("form-time"),
                {"type": "timepicker", "action_id": ids.TIME},
                ids.TIME,
                hint=texts("form-time-hint", zone=zone),
            ),
        ]
    return made


def all_option(verb: Verb, n: int, texts: Texts) -> Option:
    """All of a customer's that it can be done to, in one request."""
    return blocks.option(texts.count(f"form-all-{verb}", n), ids.ALL, texts("form-all-hint"))


def subscription_block_id(customer: Customer | None) -> str:
    """Another customer, another block: Slack then forgets the subscription that was chosen before."""
    return f"{ids.SUBSCRIPTION}:{customer.id}" if customer else ids.SUBSCRIPTION


def customer_option(customer: Customer) -> Option:
    """Names are not unique: the domain tells two of one name apart."""
    return blocks.option(
        blocks.harmless(customer.name), customer.id, blocks.harmless(customer.domain or customer.id)
    )


def subscription_option(subscription: Subscription, texts: Texts, *, is_asked_for: bool = False) -> Option:
    """With what tells it from others; `is_asked_for` when a request for the very same is open already."""
    quantity = f" × {texts.number(subscription.quantity)}" if subscription.quantity is not None else ""
    name = blocks.shortened(blocks.harmless(subscription.name), MOST_NAME)
    described = [status_words(subscription, texts)]
    if subscription.is_trial:
        described.append(texts("trial"))
    if subscription.parent_id:
        described.append(texts("add-on"))
    if is_asked_for:
        described.append(texts("asked-for-already"))
    return blocks.option(f"{name}{quantity}", subscription.id, " · ".join(described))


def reason_option(reason: Reason, texts: Texts) -> Option:
    return blocks.option(texts(f"reason-{reason}"), reason.value)


def status_words(subscription: Subscription, texts: Texts) -> str:
    """The status in words; one nobody knows is shown as Microsoft wrote it."""
    key = f"subscription-{subscription.status}"
    return texts(key) if texts.has(key) else blocks.harmless(subscription.status_word)


def options(found: Iterable[Option]) -> list[Option]:
    """As many as Slack takes in one answer."""
    return list(islice(found, blocks.MOST_OPTIONS))


def deny_form(
    request_id: str, about: str, texts: Texts, *, title: str = "", callback_id: str = ids.DENY_REASON
) -> View:
    """`about` says in one line of plain words what is being denied."""
    return blocks.modal(
        title or texts("deny-title"),
        [
            blocks.verbatim(about),
            blocks.input_block(
                texts("deny-reason"),
                blocks.text_input(ids.DENY_REASON, most=500),
                ids.DENY_REASON,
                hint=texts("deny-reason-hint"),
            ),
        ],
        callback_id=callback_id,
        submit=texts("deny"),
        close=texts("cancel"),
        private_metadata=request_id,
    )


def wait_view(title: str, said: str, texts: Texts, *, external_id: str = "") -> View:
    """Shown while something is being read."""
    said_so = [blocks.section(said)]
    return blocks.modal(
        title, said_so, close=texts("cancel"), callback_id=ids.READING, external_id=external_id
    )
