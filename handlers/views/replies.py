"""What the `/csp` commands answer: help, find, status, requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from bot.domain.capability import Outage
from bot.domain.customer import (
    Countdown,
    Customer,
    Subscription,
    SubscriptionStatus,
    can_be_resumed,
    can_be_suspended,
)
from bot.domain.glass import BrokenGlass
from bot.domain.policy import InForce
from bot.domain.request import ActionRequest, Status
from bot.texts import Mrkdwn, Texts
from handlers import ids
from handlers.command import Command
from handlers.views import blocks
from handlers.views.blocks import Block
from handlers.views.countdown import deletion_words
from handlers.views.forms import status_words
from handlers.views.freshness import Read, freshness
from handlers.views.glass import unreviewed
from handlers.views.letters import notice_button
from handlers.views.request_card import headline
from handlers.views.ticket_lines import OpenTicket, ticket_lines

MOST_FOUND = 10
MOST_SUBSCRIPTIONS = 12
MOST_REQUESTS = 15
MOST_COUNTDOWNS = 8
ROOM = 5500
"""Characters of one list: a message has two, and Slack takes 13,200 in all."""


def help_text(commands: Sequence[Command], texts: Texts, *, hint: str = "") -> list[Block]:
    """`commands` are those the person may use."""
    body = [blocks.section(hint)] if hint else []
    body.append(blocks.header(texts("help-title")))
    body.append(blocks.section(texts("help-intro")))
    for command in commands:
        lines = [
            f"`{blocks.escaped(f'{command.name} {usage}')}`  {texts(about)}"
            for usage, about in command.subcommands or ((command.usage, command.about),)
        ]
        body.append(blocks.section("\n".join(lines)))
    return body


@dataclass(frozen=True, slots=True)
class Match:
    customer: Customer
    subscriptions: Sequence[Subscription]


def found(
    words: str, matches: Sequence[Match], texts: Texts, *, may_operate: bool, more: bool
) -> list[Block]:
    if not matches:
        return [blocks.section(texts.mrkdwn("find-nobody", words=blocks.name(words)))]
    body: list[Block] = []
    for match in matches:
        customer = match.customer
        lines = [
            f"*{blocks.name(customer.name)}*  {blocks.name(customer.domain or '')}",
            f"`{blocks.escaped(customer.id)}`",
        ]
        lines += [
            f"• {blocks.name(s.name, 60)}"
            + (f" × {texts.number(s.quantity)}" if s.quantity is not None else "")
            + f": {blocks.escaped(status_words(s, texts))}"
            for s in match.subscriptions[:MOST_SUBSCRIPTIONS]
        ]
        left = len(match.subscriptions) - MOST_SUBSCRIPTIONS
        if left > 0:
            lines.append(texts.count("find-more-subscriptions", left))
        if not match.subscriptions:
            lines.append(texts("find-no-subscriptions"))
        offered = _offers(match, texts) if may_operate else []
        if may_operate and not offered and (why := _why_nothing(match)):
            lines.append(texts(why))
        # The only action stands beside the text, for a section holds one button; all others stand below.
        body.append(blocks.section("\n".join(lines), accessory=offered[0] if len(offered) == 1 else None))
        below = offered if len(offered) > 1 else []
        if may_operate and customer.may_be_acted_on:
            below = [*below, notice_button(customer.id, customer.name, texts)]
        if below:
            body.append(blocks.actions(*below))
    if more:
        body.append(blocks.context(texts("find-more")))
    return body


def _offers(match: Match, texts: Texts) -> list[Block]:
    """A button for each action that can be done to at least one subscription. It opens a form and decides nothing."""
    customer = match.customer
    known = {s.id: s for s in match.subscriptions}
    about = blocks.harmless(customer.name)
    offered = []
    if any(can_be_suspended(s, of=customer) for s in match.subscriptions):
        offered.append(
            blocks.button(
                texts("suspend"),
                ids.SUSPEND_CUSTOMER,
                customer.id,
                label=texts("suspend-label", customer=about),
            )
        )
    if any(
        can_be_resumed(s, of=customer, base=known.get(s.parent_id) if s.parent_id else None)
        for s in match.subscriptions
    ):
        offered.append(
            blocks.button(
                texts("resume"), ids.RESUME_CUSTOMER, customer.id, label=texts("resume-label", customer=about)
            )
        )
    return offered


def _why_nothing(match: Match) -> str | None:
    """The key of why there is no button; None where the lines say it already."""
    if not match.customer.may_be_acted_on:
        return "find-nothing-not-ours"
    if not match.subscriptions:
        return None
    if any(s.status is SubscriptionStatus.ACTIVE for s in match.subscriptions):
        return "find-nothing-kind"
    return "find-nothing-status"


def open_requests(
    requests: Sequence[ActionRequest],
    texts: Texts,
    *,
    channel: str | None,
    tickets: Sequence[OpenTicket] = (),
    tickets_channel: str | None = None,
    at: datetime,
    may_operate: bool = True,
) -> list[Block]:
    """Requests and tickets that are not over, oldest first; as many as a message holds."""
    if not requests and not tickets:
        return [blocks.section(texts("requests-empty" if may_operate else "requests-empty-approver"))]
    lines = [
        f"{blocks.escaped(headline(request, texts))}\n"
        + texts.mrkdwn(
            "requests-line", by=blocks.person(request.requested_by), at=blocks.moment(request.placed_at)
        )
        for request in requests
    ]
    body = [blocks.header(texts("requests-title")), *listed(lines, texts, none="requests-none")]
    if requests and channel:
        body.append(blocks.context(texts.mrkdwn("requests-where", channel=blocks.channel(channel))))
    body.append(blocks.header(texts("requests-tickets-title")))
    body += listed(ticket_lines(tickets, texts, at=at), texts, none="requests-tickets-none")
    if tickets and tickets_channel:
        where = texts.mrkdwn("requests-tickets-where", channel=blocks.channel(tickets_channel))
        body.append(blocks.context(where))
    return body


def listed(
    lines: Sequence[str], texts: Texts, *, none: str, most: int = MOST_REQUESTS, room: int = ROOM
) -> list[Block]:
    """A section a line, as many as there is room for, and how many more there are; `none` says there are none."""
    if not lines:
        return [blocks.context(texts(none))]
    shown, taken = 0, 0
    for line in lines[:most]:
        taken += len(line)
        if shown and taken > room:
            break
        shown += 1
    body = [blocks.section(line) for line in lines[:shown]]
    left = len(lines) - shown
    return [*body, blocks.context(texts.count("requests-more", left))] if left else body


@dataclass(frozen=True, slots=True)
class State:
    """What `/csp status` tells; None is shown as "unknown" or "never"."""

    cloud: str
    dry_run: bool
    customers: int
    subscriptions: int
    mirror_as_of: datetime | None
    mirror_failed: int
    books_as_of: str | None
    last_digest: datetime | None
    counts: Mapping[Status, int]
    countdowns: Sequence[Countdown]
    today: date
    policy: InForce
    outages: Sequence[Outage] = ()
    mirror_remaining: int = 0
    """Customers that wait to be read."""
    mirror_since: datetime | None = None
    """When the reading began that has not come to its end."""
    mirror_broke_off: bool = False
    sources: Sequence[Read] = ()
    """What was read when, the books first."""
    broken: Sequence[BrokenGlass] = ()
    """What somebody let act on their own word, and nobody has reviewed."""
    digest_due: str | None = None
    """Set where today's digest is late: when it was due, by the partner's clocks."""


def status(state: State, texts: Texts) -> list[Block]:
    body: list[Block] = [blocks.header(texts("state-title"))]
    if state.dry_run:
        body.append(blocks.section(f"*{texts('dry-run')}* {texts('dry-run-explained')}"))
    body += condition(state, texts)
    if state.countdowns:
        body.append(blocks.section(countdowns(state, texts)))
    return body


def condition(state: State, texts: Texts) -> list[Block]:
    """What was read when, what is open, and what does not work."""
    never = texts("never")
    waiting = texts.listed(
        f"{texts(f'status-{status}')} {texts.number(n)}" for status, n in state.counts.items() if n
    )
    mirror = texts(
        "state-mirror-size",
        customers=texts.number(state.customers),
        subscriptions=texts.number(state.subscriptions),
    )
    as_of = blocks.moment(state.mirror_as_of) if state.mirror_as_of else never
    lines = f"{mirror}\n{texts.mrkdwn('state-mirror-as-of', at=as_of)}"
    if state.mirror_failed:
        lines += "\n" + texts.count("state-mirror-failed", state.mirror_failed)
    if state.mirror_since:
        since = blocks.moment(state.mirror_since)
        key = "state-mirror-broke-off" if state.mirror_broke_off else "state-mirror-running"
        lines += "\n" + texts.mrkdwn(key, since=since, n=texts.number(state.mirror_remaining))
    body = [
        blocks.fields(
            [
                (texts("state-cloud"), texts(f"cloud-{state.cloud}")),
                (texts("state-requests"), waiting or texts("requests-none")),
                (texts("state-mirror"), lines),
                (texts("state-books"), state.books_as_of or never),
                (
                    texts("state-digest"),
                    _last_digest(state, texts),
                ),
                (texts("state-policy"), _policy(state.policy, texts)),
            ]
        )
    ]
    body += freshness(state.sources, texts)
    if why := state.policy.refused:
        body.append(blocks.section(f"⚠ {texts.mrkdwn('state-policy-refused', why=blocks.harmless(why))}"))
    if state.broken:
        body.append(blocks.section(unreviewed(state.broken, texts)))
    if state.outages:
        body.append(blocks.context("\n".join(_outages(state.outages, texts))))
    return body


def _policy(holds: InForce, texts: Texts) -> str:
    said = f"`{holds.policy.version}`"
    return (
        f"{said}\n{texts.mrkdwn('state-policy-since', at=blocks.moment(holds.since))}"
        if holds.since
        else said
    )


def _last_digest(state: State, texts: Texts) -> str:
    last = blocks.moment(state.last_digest) if state.last_digest else texts("never")
    return f"{last}\n⚠ {texts('state-digest-late', due=state.digest_due)}" if state.digest_due else last


def _outages(outages: Sequence[Outage], texts: Texts) -> list[str]:
    """What this cloud does not have in one line, what Microsoft refuses for now in another."""
    lines = []
    if lacking := [texts(f"feature-{o.feature}") for o in outages if o.until is None]:
        lines.append(texts("state-not-here", features=texts.listed(lacking)))
    refused = [
        texts.mrkdwn(
            "state-refused-one",
            feature=texts(f"feature-{o.feature}"),
            why=blocks.harmless(o.why),
            until=blocks.moment(o.until),
        )
        for o in outages
        if o.until is not None
    ]
    if refused:
        lines.append(texts.mrkdwn("state-refused", features=Mrkdwn("; ".join(refused))))
    return lines


def countdowns(state: State, texts: Texts, *, most: int = MOST_COUNTDOWNS) -> str:
    """What is suspended, and how long its data still lives."""
    lines = [f"*{texts.count('state-suspended', len(state.countdowns))}*"]
    lines += [
        f"• {deletion_words(countdown, texts, on=state.today)}" for countdown in state.countdowns[:most]
    ]
    left = len(state.countdowns) - most
    if left > 0:
        lines.append(texts.count("requests-more", left))
    return "\n".join(lines)
