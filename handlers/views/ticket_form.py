"""The form of a ticket, and the confirmation: how it is handed over, who has to approve, and the draft itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from bot.domain.customer import Cloud, Customer, Subscription, SubscriptionKind
from bot.domain.matter import (
    MOST_CONTACT,
    MOST_TITLE,
    MOST_TRIED,
    About,
    Check,
    Evidence,
    Matter,
    TicketKind,
    TicketSeverity,
    first_response,
)
from bot.domain.portal import clicks, health_link
from bot.domain.ticket import HandOver, Ticket, Way
from bot.texts import Mrkdwn, Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block, Option, View
from handlers.views.forms import customer_option, subscription_option

DESCRIPTION: Final = 3000
"""Characters Slack takes in a text field; some of its clients let more pass."""
OPTION_VALUE: Final = 150
ON_AZURE: Final = (SubscriptionKind.LEGACY_AZURE, SubscriptionKind.AZURE_PLAN)


@dataclass(frozen=True, slots=True)
class Prefill:
    """What the form shows when it is opened; what somebody has filled in since, Slack keeps."""

    cloud: Cloud
    customer: Customer | None = None
    subscription: Subscription | None = None
    kind: TicketKind = TicketKind.SERVICE
    title: str = ""
    description: str = ""
    brought: int = 0
    """So many characters has the message that goes along whole; 0 where none does."""
    contact: str = ""
    asks_azure: bool = False
    """Whether tickets about Azure may be opened through Azure Resource Manager."""
    hint: str = ""
    """What came of the text typed behind the command; mrkdwn."""


def ticket_form(draft_id: str, p: Prefill, texts: Texts) -> View:
    body = [blocks.context(p.hint)] if p.hint else []
    body += [
        blocks.input_block(
            texts("form-customer"),
            blocks.external_select(
                ids.TICKET_CUSTOMER,
                texts("form-customer-placeholder"),
                chosen=customer_option(p.customer) if p.customer else None,
                focus=p.customer is None,
            ),
            ids.TICKET_CUSTOMER,
            optional=True,
            hint=texts("ticket-form-customer-hint"),
            tells_at_once=True,
        ),
        blocks.input_block(
            texts("form-subscription"),
            blocks.external_select(
                ids.TICKET_SUBSCRIPTION,
                texts("form-subscription-placeholder"),
                chosen=subscription_option(p.subscription, texts) if p.subscription else None,
            ),
            block_of(ids.TICKET_SUBSCRIPTION, p.customer.id if p.customer else ""),
            optional=True,
            tells_at_once=p.asks_azure,
        ),
        *_azure(p, texts),
        blocks.input_block(
            texts("ticket-form-kind"),
            blocks.static_select(
                ids.TICKET_KIND,
                texts("ticket-form-kind"),
                [kind_option(kind, texts) for kind in TicketKind],
                chosen=kind_option(p.kind, texts),
            ),
            ids.TICKET_KIND,
        ),
        blocks.input_block(
            texts("ticket-form-name"),
            blocks.text_input(ids.TICKET_TITLE, multiline=False, most=MOST_TITLE, initial=p.title),
            block_of(ids.TICKET_TITLE, p.title),
            hint=texts("ticket-form-name-hint"),
        ),
        *_description(p, texts),
        blocks.input_block(
            texts("ticket-form-severity"),
            blocks.static_select(
                ids.TICKET_SEVERITY,
                texts("ticket-form-severity"),
                [severity_option(s, p.cloud, texts) for s in TicketSeverity],
                chosen=severity_option(TicketSeverity.MODERATE, p.cloud, texts),
            ),
            ids.TICKET_SEVERITY,
        ),
        *_checks(p, texts),
        blocks.input_block(
            texts("ticket-form-tried"),
            blocks.text_input(ids.TICKET_TRIED, most=MOST_TRIED),
            ids.TICKET_TRIED,
            optional=True,
            hint=texts("ticket-form-tried-hint"),
        ),
        blocks.input_block(
            texts("ticket-form-contact"),
            blocks.text_input(ids.TICKET_CONTACT, multiline=False, most=MOST_CONTACT, initial=p.contact),
            ids.TICKET_CONTACT,
            optional=True,
            hint=texts("ticket-form-contact-hint"),
        ),
        _evidence(texts),
    ]
    return blocks.modal(
        texts("ticket-form-title"),
        body,
        callback_id=ids.TICKET_FORM,
        submit=texts("continue"),
        close=texts("cancel"),
        private_metadata=draft_id,
    )


def block_of(action_id: str, of: str) -> str:
    """Of something else, another block: Slack then forgets what stood there before."""
    return f"{action_id}:{hashlib.sha256(of.encode()).hexdigest()[:12]}" if of else action_id


def kind_option(kind: TicketKind, texts: Texts) -> Option:
    return blocks.option(texts(f"ticket-kind-{kind}"), kind.value)


def severity_option(severity: TicketSeverity, cloud: Cloud, texts: Texts) -> Option:
    return blocks.option(
        texts(f"ticket-severity-{severity}"), severity.value, response_words(severity, cloud, texts)
    )


def response_words(severity: TicketSeverity, cloud: Cloud, texts: Texts) -> str:
    """How soon the first answer comes, as far as it is published. Plain text."""
    promised = first_response(severity, cloud)
    if promised is None:
        return texts("ticket-form-response-unknown")
    return texts("ticket-form-response", span=texts.span(promised))


def resource_value(resource_id: str) -> str:
    """What an option of Azure's carries: its id, or where that is longer than Slack takes, the hash of it."""
    if len(resource_id) <= OPTION_VALUE:
        return resource_id
    return hashlib.sha256(resource_id.encode()).hexdigest()


def resource_options(found: Iterable[tuple[str, str]], typed: str) -> list[Option]:
    """Those whose name has every word that was typed, as many as Slack takes."""
    words = typed.casefold().split()
    fitting = [(id, name) for id, name in found if all(word in name.casefold() for word in words)]
    return [
        blocks.option(blocks.harmless(name), resource_value(id))
        for id, name in fitting[: blocks.MOST_OPTIONS]
    ]


def _azure(p: Prefill, texts: Texts) -> list[Block]:
    """What Azure Resource Manager wants to know besides, where it may open the ticket."""
    chosen = p.subscription
    if not p.asks_azure or chosen is None or chosen.kind not in ON_AZURE:
        return []
    of_service = blocks.external_select(ids.TICKET_SERVICE, texts("ticket-form-service-placeholder"))
    of_problem = blocks.external_select(ids.TICKET_PROBLEM, texts("ticket-form-problem-placeholder"))
    made = [
        blocks.input_block(
            texts("ticket-form-service"), of_service, ids.TICKET_SERVICE, optional=True, tells_at_once=True
        ),
        blocks.input_block(
            texts("ticket-form-problem"),
            of_problem,
            ids.TICKET_PROBLEM,
            optional=True,
            hint=texts("ticket-form-problem-hint"),
        ),
    ]
    if chosen.kind is SubscriptionKind.AZURE_PLAN:
        inside = blocks.external_select(ids.TICKET_AZURE, texts("ticket-form-azure-placeholder"))
        plan = block_of(ids.TICKET_AZURE, chosen.id)
        made.insert(0, blocks.input_block(texts("ticket-form-azure"), inside, plan, optional=True))
    return made


def _description(p: Prefill, texts: Texts) -> list[Block]:
    made = [
        blocks.input_block(
            texts("ticket-form-description"),
            blocks.text_input(ids.TICKET_DESCRIPTION, most=DESCRIPTION, initial=p.description),
            ids.TICKET_DESCRIPTION,
            optional=p.brought > 0,
            hint=texts("ticket-form-description-hint"),
        )
    ]
    if p.brought:
        made.append(blocks.context(texts("ticket-form-brought", n=texts.number(p.brought))))
    return made


def _checks(p: Prefill, texts: Texts) -> list[Block]:
    boxes: Block = {
        "type": "checkboxes",
        "action_id": ids.TICKET_CHECKS,
        "options": [blocks.option(texts(f"ticket-form-check-{check}"), check.value) for check in Check],
    }
    link = Mrkdwn(f"<{health_link(p.cloud)}|{texts.mrkdwn('ticket-form-health')}>")
    return [
        blocks.input_block(texts("ticket-form-checks"), boxes, ids.TICKET_CHECKS, optional=True),
        blocks.context(texts.mrkdwn("ticket-form-health-where", link=link)),
    ]


def _evidence(texts: Texts) -> Block:
    options = [blocks.option(texts(f"ticket-form-evidence-{part}"), part.value) for part in Evidence]
    boxes: Block = {
        "type": "checkboxes",
        "action_id": ids.TICKET_EVIDENCE,
        "options": options,
        "initial_options": options,
    }
    return blocks.input_block(
        texts("ticket-form-evidence"),
        boxes,
        ids.TICKET_EVIDENCE,
        optional=True,
        hint=texts("ticket-form-evidence-hint"),
    )


# The confirmation.


@dataclass(frozen=True, slots=True)
class Asked:
    """What the confirmation says of the operator's settings."""

    cloud: Cloud
    approvals_needed: int
    time_to_live: timedelta
    dry_run: bool
    approvals_channel: str | None
    tickets_channel: str | None
    is_live: bool = True
    """Whether customer and subscription are as Partner Center has them now; else as last known."""


def ticket_confirmation(ticket: Ticket, carried: str, matter: Matter, asked: Asked, texts: Texts) -> View:
    body: list[Block] = []
    if asked.dry_run:
        body.append(blocks.section(f"*{texts('dry-run')}* {texts('ticket-confirm-dry-run')}"))
    body.append(blocks.header(blocks.harmless(matter.title)))
    body.append(blocks.context(_whom(ticket.about, texts)))
    if not asked.is_live:
        body.append(blocks.section(f"⚠ {texts('ticket-confirm-not-live')}"))
    body.append(
        blocks.fields(
            [
                (texts("ticket-form-kind"), texts(f"ticket-kind-{matter.kind}")),
                (
                    texts("ticket-form-severity"),
                    f"{texts(f'ticket-severity-{matter.severity}')}\n"
                    f"{response_words(matter.severity, asked.cloud, texts)}",
                ),
            ]
        )
    )
    lines = [
        _handed_over(ticket.hand_over, ticket.about, asked, texts),
        *_way(ticket, matter, asked.cloud, texts),
    ]
    body.append(blocks.section("\n".join(lines)))
    body.append(blocks.section(_approvals(asked, texts)))
    body += _unchecked(matter, asked.cloud, texts)
    body.append(blocks.divider())
    body.append(blocks.section(f"*{texts('ticket-confirm-draft')}*"))
    whole = f"{ticket.subject}\n\n{ticket.text}"
    body.append(blocks.verbatim(whole))
    left = len(whole) - blocks.SECTION
    if left > 0:
        body.append(blocks.context(texts("ticket-confirm-more", n=texts.number(left))))
    return blocks.modal(
        texts("ticket-form-title"),
        body,
        callback_id=ids.TICKET_CONFIRMATION,
        submit=texts("confirm"),
        close=texts("back"),
        private_metadata=carried,
        external_id=carried,
    )


def ticket_exists(
    other: Ticket, carried: str, age: timedelta, texts: Texts, *, channel: str | None, link: str
) -> View:
    """One of that kind is open about the customer: that one goes first."""
    title = other.matter.title if other.matter else other.subject
    where = blocks.channel(channel) if channel else texts("ticket-confirm-tickets-channel")
    rows = [
        (texts("ticket-confirm-number"), f"`{other.id}`"),
        (texts("ticket-confirm-status"), texts(f"ticket-status-{other.status}")),
        (texts("ticket-confirm-age"), texts.span(age)),
    ]
    if other.number:
        rows.append((texts("ticket-confirm-filed-as"), blocks.name(other.number)))
    said = texts.mrkdwn("ticket-confirm-exists-where", channel=where)
    if link:
        said = Mrkdwn(f"{said} <{blocks.escaped(link)}|{texts.mrkdwn('ticket-confirm-exists-link')}>")
    body = [
        blocks.section(texts("ticket-confirm-exists")),
        blocks.header(blocks.harmless(title)),
        blocks.context(_whom(other.about, texts)),
        blocks.fields(rows),
        blocks.section(said),
    ]
    return blocks.modal(texts("ticket-form-title"), body, close=texts("back"), external_id=carried)


def _whom(what: About, texts: Texts) -> str:
    if what.customer_id is None:
        return texts("ticket-confirm-no-customer")
    parts = [blocks.name(what.customer_name), blocks.name(what.domain or what.customer_id)]
    if what.subscription_id:
        parts.append(blocks.name(what.subscription_name))
    return " · ".join(parts)


def _handed_over(over: HandOver, what: About, asked: Asked, texts: Texts) -> Mrkdwn:
    """What *Confirm* leads to."""
    where = (
        blocks.channel(asked.tickets_channel)
        if asked.tickets_channel
        else texts("ticket-confirm-tickets-channel")
    )
    match over.way:
        case Way.EMAIL:
            return texts.mrkdwn("ticket-confirm-email", to=blocks.name(over.to, 120), channel=where)
        case Way.AZURE:
            return texts.mrkdwn("ticket-confirm-azure", id=what.azure_id or texts("unknown"), channel=where)
        case Way.PORTAL:
            return texts.mrkdwn("ticket-confirm-portal", channel=where)


def _way(ticket: Ticket, matter: Matter, cloud: Cloud, texts: Texts) -> list[str]:
    """The way through the portal, where a person files it."""
    if ticket.hand_over.way is not Way.PORTAL:
        return []
    lines: list[str] = []
    if ticket.portal:
        link = Mrkdwn(f"<{blocks.escaped(ticket.portal)}|{texts.mrkdwn('ticket-confirm-portal-name')}>")
        lines.append(texts.mrkdwn("ticket-confirm-portal-link", link=link))
    if where := clicks(matter.kind, cloud):
        lines.append(texts(f"ticket-confirm-clicks-{where}"))
    return lines


def _approvals(asked: Asked, texts: Texts) -> str:
    if not asked.approvals_needed:
        return texts("next-no-approval")
    where = blocks.channel(asked.approvals_channel) if asked.approvals_channel else texts("approvals-channel")
    span = texts.span(asked.time_to_live)
    return texts.count("ticket-confirm-approval", asked.approvals_needed, channel=where, span=span)


def _unchecked(matter: Matter, cloud: Cloud, texts: Texts) -> list[Block]:
    """What was not done before; whoever escalates without it may be asked for more."""
    if not matter.left_unchecked:
        return []
    lines = [f"⚠ {texts('ticket-confirm-unchecked')}"]
    lines += [f"• {texts(f'ticket-form-check-{check}')}" for check in matter.left_unchecked]
    if cloud is Cloud.CHINA:
        lines.append(texts("ticket-confirm-remediation"))
    return [blocks.section("\n".join(lines))]
