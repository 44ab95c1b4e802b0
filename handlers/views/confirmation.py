"""What will happen, to whom, what it costs, until when it can be undone, and which rule holds or is broken."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from bot.domain.customer import Cloud, Customer, Subscription, SubscriptionKind
from bot.domain.request import ActionRequest, Reason, Verb
from bot.texts import Mrkdwn, Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block, View
from handlers.views.forms import status_words


@dataclass(frozen=True, slots=True)
class Consequences:
    """All that the confirmation says, gathered from live data just before it is shown."""

    customer: Customer
    subscription: Subscription
    reason: Reason
    note: str
    cloud: Cloud
    deadline: date | None
    """The day after which the data is deleted; None where nobody can know."""
    policy_note: str
    """In words, already in the language of the approvals channel."""
    holds: bool | None
    """Whether the billing policy foresees this; None when it has no say."""
    approvals_needed: int
    time_to_live: timedelta
    undo: timedelta
    dry_run: bool
    approvals_channel: str | None


def suspend_confirmation(c: Consequences, draft_id: str, texts: Texts) -> View:
    name = blocks.name(c.subscription.name)
    body: list[Block] = []
    if c.dry_run:
        body.append(blocks.section(f"*{texts('dry-run')}* {texts('dry-run-explained')}"))
    body += [
        blocks.section(
            texts.mrkdwn("confirm-suspend", customer=blocks.name(c.customer.name), subscription=name)
        ),
        blocks.context(blocks.name(c.customer.domain or c.customer.id), f"`{c.subscription.id}`"),
        blocks.fields(_facts(c, texts)),
        blocks.section("\n".join(f"• {line}" for line in effects(c, texts))),
        blocks.divider(),
        blocks.section(f"*{texts('policy')}*\n{_verdict(c, texts)}"),
        blocks.section("\n".join(_next(c, texts))),
    ]
    return _modal(Verb.SUSPEND, draft_id, body, texts)


@dataclass(frozen=True, slots=True)
class Resumption:
    """All that the confirmation of a resumption says."""

    customer: Customer
    subscription: Subscription
    reason: Reason
    note: str
    suspension: ActionRequest | None
    """The suspension to be lifted; None when Backstop did not carry it out."""
    approvals_needed: int
    time_to_live: timedelta
    dry_run: bool
    approvals_channel: str | None


def resume_confirmation(c: Resumption, draft_id: str, texts: Texts) -> View:
    name = blocks.name(c.subscription.name)
    body: list[Block] = []
    if c.dry_run:
        body.append(blocks.section(f"*{texts('dry-run')}* {texts('dry-run-explained')}"))
    lines = [texts("effect-resume-access")]
    if c.subscription.kind is SubscriptionKind.NEW_COMMERCE_SEAT:
        lines.append(texts("effect-resume-renewal"))
    body += [
        blocks.section(
            texts.mrkdwn("confirm-resume", customer=blocks.name(c.customer.name), subscription=name)
        ),
        blocks.context(blocks.name(c.customer.domain or c.customer.id), f"`{c.subscription.id}`"),
        blocks.fields(_facts(c, texts)),
        blocks.section("\n".join(f"• {line}" for line in lines)),
        blocks.section(_suspended(c, texts)),
        blocks.section(_approvals(c, texts)),
    ]
    return _modal(Verb.RESUME, draft_id, body, texts)


def _suspended(c: Resumption, texts: Texts) -> str:
    """Who suspended it, when and why, as far as anybody knows."""
    if c.suspension and c.suspension.closed_at:
        return texts.mrkdwn(
            "suspended-by-us",
            by=blocks.person(c.suspension.requested_by),
            at=blocks.moment(c.suspension.closed_at),
            reason=texts(f"reason-{c.suspension.action.reason}"),
            id=c.suspension.id,
        )
    reasons = ", ".join(c.subscription.suspension_reasons) or texts("unknown")
    return texts.mrkdwn("suspended-elsewhere", reasons=blocks.harmless(reasons))


def _modal(verb: Verb, draft_id: str, body: list[Block], texts: Texts) -> View:
    return blocks.modal(
        texts(f"title-{verb}"),
        body,
        callback_id=ids.SUSPEND_CONFIRMATION if verb is Verb.SUSPEND else ids.RESUME_CONFIRMATION,
        submit=texts("confirm"),
        close=texts("back"),
        private_metadata=draft_id,
        external_id=draft_id,
    )


def effects(c: Consequences, texts: Texts) -> list[str]:
    """One line a consequence: access, cost, data, add-ons."""
    kind = c.subscription.kind
    lines = [texts("effect-access")]
    if c.cloud is Cloud.CHINA:
        lines.append(texts("effect-cost-unknown"))
    elif kind is SubscriptionKind.NEW_COMMERCE_SEAT:
        lines.append(_term(c.subscription, texts))
        lines.append(texts("effect-renewal"))
    elif kind is SubscriptionKind.LEGACY_SEAT:
        lines.append(texts("effect-cost-none"))
    else:
        lines.append(texts("effect-cost-unknown"))
    if kind in (SubscriptionKind.LEGACY_AZURE, SubscriptionKind.AZURE_PLAN):
        lines.append(texts("effect-azure"))
    if c.deadline:
        lines.append(texts.mrkdwn("effect-deleted", day=Mrkdwn(f"*{texts.day(c.deadline)}*")))
    else:
        lines.append(texts("effect-deleted-unknown"))
    if c.subscription.parent_id is None:
        lines.append(texts("effect-add-ons"))
    return lines


def _term(subscription: Subscription, texts: Texts) -> str:
    if subscription.term_end is None:
        return texts("effect-cost-term-unknown")
    return texts("effect-cost-term", day=texts.day(subscription.term_end.date()))


def _facts(c: Consequences | Resumption, texts: Texts) -> list[tuple[str, str]]:
    quantity = (
        texts.number(c.subscription.quantity) if c.subscription.quantity is not None else texts("unknown")
    )
    rows = [
        (texts("status-now"), blocks.escaped(status_words(c.subscription, texts))),
        (texts("quantity"), quantity),
        (texts("form-reason"), texts(f"reason-{c.reason}")),
    ]
    if c.note:
        rows.append((texts("form-note"), blocks.name(c.note, 500)))
    return rows


def _verdict(c: Consequences, texts: Texts) -> str:
    mark = {True: "policy-holds", False: "policy-broken", None: "policy-silent"}[c.holds]
    return texts.mrkdwn(mark, note=c.policy_note)


def _next(c: Consequences, texts: Texts) -> list[str]:
    return [
        _approvals(c, texts),
        texts("next-undo", span=texts.span(c.undo)) if c.undo else texts("next-at-once"),
    ]


def _approvals(c: Consequences | Resumption, texts: Texts) -> str:
    if not c.approvals_needed:
        return texts("next-no-approval")
    where = blocks.channel(c.approvals_channel) if c.approvals_channel else texts("approvals-channel")
    return texts.count("next-approval", c.approvals_needed, channel=where, span=texts.span(c.time_to_live))
