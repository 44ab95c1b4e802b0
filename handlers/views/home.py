"""The App Home: what waits for whoever looks, what they asked for, open tickets, and how things stand."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from bot.domain.digest import OverdueTotals
from bot.domain.people import Person, PersonId, Right
from bot.domain.request import ActionRequest, Decision, Status
from bot.domain.ticket import TicketStatus
from bot.texts import Mrkdwn, Texts
from handlers import ids
from handlers.views import aging_bars, blocks, digests, replies
from handlers.views.blocks import Block, View
from handlers.views.request_card import headline, progress
from handlers.views.ticket_lines import OpenTicket, ticket_lines

MOST_TO_DECIDE: Final = 10
MOST_OF_MINE: Final = 8
MOST_TICKETS: Final = 10
MOST_COUNTDOWNS: Final = 5
MOST_NAMED: Final = 5
ROOM: Final = 20_000
"""Characters of one list: a view takes 250 kB in all."""


@dataclass(frozen=True, slots=True)
class Home:
    """What there is to tell somebody who may ask for actions, or decide on them."""

    viewer: Person
    at: datetime
    """The moment it speaks for."""
    requests: Sequence[ActionRequest]
    """Those that are open, oldest first."""
    tickets: Sequence[OpenTicket]
    state: replies.State
    exposure: OverdueTotals | None = None
    """None while it is being added up."""
    approvals: str | None = None
    """The channels that cards are in."""
    tickets_channel: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    """The way to the card of what waits for a decision, by its id."""


def awaits(
    viewer: Person, requests: Sequence[ActionRequest], tickets: Sequence[OpenTicket]
) -> tuple[list[ActionRequest], list[OpenTicket]]:
    """What this person could decide on: nobody decides on their own, and nobody twice."""
    if Right.APPROVE not in viewer.rights:
        return [], []
    return [
        r for r in requests if r.status is Status.PENDING and _is_theirs(viewer, r.requested_by, r.decisions)
    ], [
        each
        for each in tickets
        if each.ticket.status is TicketStatus.PENDING
        and _is_theirs(viewer, each.ticket.opened_by, each.ticket.decisions)
    ]


def _is_theirs(viewer: Person, asked_by: PersonId, decisions: Collection[Decision]) -> bool:
    return viewer.id != asked_by and all(decision.by != viewer.id for decision in decisions)


def home(told: Home, texts: Texts) -> View:
    body = [blocks.context(texts.mrkdwn("home-as-of", at=blocks.moment(told.at)))]
    if told.state.dry_run:
        body.append(blocks.section(f"*{texts('dry-run')}* {texts('dry-run-explained')}"))
    if Right.OPERATE in told.viewer.rights:
        body.append(_quick_actions(texts))
    to_decide, tickets_to_decide = awaits(told.viewer, told.requests, told.tickets)
    if Right.APPROVE in told.viewer.rights:
        body += _to_decide(told, to_decide, tickets_to_decide, texts)
    body += _mine(told, texts)
    body += _tickets(told, [each for each in told.tickets if each not in tickets_to_decide], texts)
    body += _exposure(told.exposure, texts)
    body += _clock(told.state, texts)
    body.append(blocks.header(texts("state-title")))
    body += replies.condition(told.state, texts)
    return _view(body)


def newcomer(texts: Texts, *, operators: Collection[str], approvers: Collection[str]) -> View:
    """For somebody without any right: what this is, and whom to ask. Nothing of any customer."""
    body = [blocks.header("Backstop"), blocks.section(texts("help-intro"))]
    said = [texts("help-no-rights")]
    if operators:
        said.append(texts.mrkdwn("home-ask-operators", who=_people(operators, texts)))
    if approvers:
        said.append(texts.mrkdwn("home-ask-approvers", who=_people(approvers, texts)))
    return _view([*body, blocks.section("\n".join(said)), blocks.context(texts("home-help"))])


def refused(words: str, texts: Texts) -> View:
    """In place of everything: why it cannot be shown."""
    return _view([blocks.section(f"⚠ {words}"), blocks.context(texts("home-again"))])


def _view(body: Sequence[Block]) -> View:
    return {"type": "home", "blocks": list(body)}


def _people(who: Collection[str], texts: Texts) -> Mrkdwn:
    named = [blocks.person(id) for id in sorted(who)[:MOST_NAMED]]
    more = len(who) - MOST_NAMED
    return Mrkdwn(texts.listed([*named, *([texts.count("requests-more", more)] if more > 0 else [])]))


def _quick_actions(texts: Texts) -> Block:
    """They open the forms of the commands."""
    return blocks.actions(
        blocks.button(texts("suspend"), ids.HOME_SUSPEND, label=texts("title-suspend")),
        blocks.button(texts("resume"), ids.HOME_RESUME, label=texts("title-resume")),
        blocks.button(texts("home-open-ticket"), ids.HOME_TICKET),
        block_id="home:actions",
    )


def _to_decide(
    told: Home, requests: Sequence[ActionRequest], tickets: Sequence[OpenTicket], texts: Texts
) -> list[Block]:
    """Lines that lead to the cards: nobody is to decide without having read the whole of what they decide on."""
    lines = [
        f"*{blocks.escaped(headline(r, texts))}*\n"
        + texts.mrkdwn("requests-line", by=blocks.person(r.requested_by), at=blocks.moment(r.placed_at))
        + f" · {texts.mrkdwn('card-expires', at=blocks.moment(r.expires_at))}"
        + _way_to(r.id, told, texts)
        for r in requests
    ]
    lines += [
        line + _way_to(each.ticket.id, told, texts)
        for each, line in zip(tickets, ticket_lines(tickets, texts, at=told.at), strict=True)
    ]
    body = [blocks.header(texts("home-to-decide"))]
    body += replies.listed(lines, texts, none="home-to-decide-none", most=MOST_TO_DECIDE, room=ROOM)
    untold = [
        id for id in (*(r.id for r in requests), *(t.ticket.id for t in tickets)) if id not in told.links
    ]
    if untold and told.approvals:
        body.append(blocks.context(texts.mrkdwn("requests-where", channel=blocks.channel(told.approvals))))
    return body


def _way_to(id: str, told: Home, texts: Texts) -> str:
    link = told.links.get(id)
    return f"\n<{blocks.escaped(link)}|{texts('home-open-card')}>" if link else ""


def _mine(told: Home, texts: Texts) -> list[Block]:
    """What the viewer asked for; of somebody who may ask for nothing only what is left from before."""
    lines = [
        "\n".join([f"*{blocks.escaped(headline(r, texts))}*", texts.sentences(progress(r, texts)[1:])])
        for r in told.requests
        if r.requested_by == told.viewer.id
    ]
    theirs = [each for each in told.tickets if each.ticket.opened_by == told.viewer.id]
    lines += ticket_lines(theirs, texts, at=told.at)
    if not lines and Right.OPERATE not in told.viewer.rights:
        return []
    listed = replies.listed(lines, texts, none="home-mine-none", most=MOST_OF_MINE, room=ROOM)
    return [blocks.header(texts("home-mine")), *listed]


def _tickets(told: Home, tickets: Sequence[OpenTicket], texts: Texts) -> list[Block]:
    """Those that do not stand above."""
    others = [each for each in tickets if each.ticket.opened_by != told.viewer.id]
    above = len(others) < len(told.tickets)
    body = [blocks.header(texts("home-other-tickets" if above else "requests-tickets-title"))]
    body += replies.listed(
        ticket_lines(others, texts, at=told.at),
        texts,
        none="home-other-tickets-none" if above else "requests-tickets-none",
        most=MOST_TICKETS,
        room=ROOM,
    )
    if others and told.tickets_channel:
        channel = blocks.channel(told.tickets_channel)
        body.append(blocks.context(texts.mrkdwn("requests-tickets-where", channel=channel)))
    return body


def _exposure(exposure: OverdueTotals | None, texts: Texts) -> list[Block]:
    body = [blocks.header(texts("home-exposure"))]
    if exposure is None:
        return [*body, blocks.context(texts("home-adding-up"))]
    banners = [f"⚠ {digests.banner(b, texts)}" for b in exposure.banners if b.key != "dry_run"]
    if banners:
        body.append(blocks.section("\n".join(banners)))
    if exposure.as_of is None:
        return body
    body += [*digests.totals(exposure.totals, texts), *aging_bars.bars(exposure.totals, texts)]
    said = [
        *digests.more_currencies(exposure.totals, texts),
        texts.count("home-debtors", exposure.debtors) if exposure.debtors else texts("overdue-nobody"),
        texts("overdue-as-of", day=texts.day(exposure.as_of)),
        texts("home-overdue"),
    ]
    return [*body, blocks.context(" · ".join(said))]


def _clock(state: replies.State, texts: Texts) -> list[Block]:
    head = blocks.header(texts("home-clock"))
    if not state.countdowns:
        return [head, blocks.context(texts("home-clock-none"))]
    return [head, blocks.section(replies.countdowns(state, texts, most=MOST_COUNTDOWNS))]
