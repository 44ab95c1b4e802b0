"""What will happen, to whom, what it costs, until when it can be undone, and which rule holds or is broken.

`carried` is opaque: the id of the draft, and of the *Continue* the view came of. By that it is found again, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from bot.domain.action import Reason, Verb
from bot.domain.customer import Cloud, Customer, Subscription, SubscriptionKind
from bot.domain.drift import Drift
from bot.domain.errors import BackstopError
from bot.domain.request import ActionRequest
from bot.texts import Mrkdwn, Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block, View
from handlers.views.errors import words
from handlers.views.forms import status_words

MOST_LISTED = 12
"""Subscriptions named one by one; a section ends at 3,000 characters."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """One of several that it cannot be done to, and why."""

    subscription: Subscription
    why: BackstopError


@dataclass(frozen=True, slots=True)
class Asking:
    """What every confirmation says, whatever the action; gathered from live data just before it is shown."""

    customer: Customer
    subscriptions: tuple[Subscription, ...]
    reason: Reason
    note: str
    approvals_needed: int
    time_to_live: timedelta
    dry_run: bool
    approvals_channel: str | None
    left_out: tuple[LeftOut, ...] = ()


@dataclass(frozen=True, slots=True)
class Consequences:
    """What a suspension does besides."""

    cloud: Cloud
    deadlines: tuple[date | None, ...]
    """Of each subscription the day after which its data is deleted; None where nobody can know."""
    policy_note: str
    """In words, already in the language of the approvals channel."""
    holds: bool | None
    """Whether the billing policy foresees this; None when it has no say."""
    undo: timedelta
    add_ons: tuple[str, ...] | None = None
    """The names of the active add-ons that go along; None where they could not be read."""
    not_before: datetime | None = None
    zone: str = "UTC"
    over_limit: int | None = None
    """The daily limit, where this alone is more."""


def suspend_confirmation(asked: Asking, c: Consequences, carried: str, texts: Texts) -> View:
    body = _head(Verb.SUSPEND, asked, texts)
    body.append(_bullets(effects(asked.subscriptions, c, texts)))
    body += _left_out(asked, texts)
    mark = {True: "policy-holds", False: "policy-broken", None: "policy-silent"}[c.holds]
    body += [
        blocks.divider(),
        blocks.section(f"*{texts('policy')}*\n{texts.mrkdwn(mark, note=c.policy_note)}"),
        blocks.section("\n".join([_approvals(asked, texts), *_afterwards(c, texts)])),
    ]
    return _modal(Verb.SUSPEND, ids.SUSPEND_CONFIRMATION, carried, body, texts)


Lifted = ActionRequest | Drift | None
"""What a resumption lifts: our own suspension, one from outside that somebody may have taken on, or nobody knows."""


def resume_confirmation(asked: Asking, lifted: Sequence[Lifted], carried: str, texts: Texts) -> View:
    """`lifted` has one for each subscription."""
    lines = [texts("effect-resume-access")]
    if any(s.kind is SubscriptionKind.NEW_COMMERCE_SEAT for s in asked.subscriptions):
        lines.append(texts("effect-resume-renewal"))
    if any(s.parent_id for s in asked.subscriptions) and len(asked.subscriptions) > 1:
        lines.append(texts("effect-resume-order"))
    body = _head(Verb.RESUME, asked, texts)
    body.append(_bullets(lines))
    body += _left_out(asked, texts)
    body += [
        blocks.section(_suspended(asked.subscriptions, lifted, texts)),
        blocks.section(_approvals(asked, texts)),
    ]
    return _modal(Verb.RESUME, ids.RESUME_CONFIRMATION, carried, body, texts)


def cancel_azure_confirmation(asked: Asking, plan: str, carried: str, texts: Texts) -> View:
    """`plan` is the name of the Azure plan it is in."""
    body = _head(Verb.CANCEL_AZURE, asked, texts)
    lines = [texts("effect-azure"), texts("effect-azure-cancel-time"), texts("effect-azure-cancel-back")]
    body += [
        _bullets([texts.mrkdwn("effect-azure-cancel-plan", plan=blocks.name(plan)), *lines]),
        blocks.section(f"{_approvals(asked, texts)}\n{texts('next-at-once')}"),
    ]
    return _modal(Verb.CANCEL_AZURE, ids.CANCEL_AZURE_CONFIRMATION, carried, body, texts)


@dataclass(frozen=True, slots=True)
class Running:
    """An Azure subscription that runs in a plan; `id` is what its button carries."""

    id: str
    name: str


def azure_blocked(
    plan: Subscription,
    running: Sequence[Running],
    carried: str,
    texts: Texts,
    *,
    why_not: BackstopError | None,
) -> View:
    """What runs in a plan that is to be suspended; each can be cancelled, unless `why_not` says no."""
    body = [
        blocks.section(
            texts.mrkdwn("azure-blocked", plan=blocks.name(plan.name), n=texts.number(len(running)))
        )
    ]
    for child in running[:MOST_LISTED]:
        cancel = blocks.button(
            texts("azure-cancel"),
            ids.CANCEL_AZURE,
            child.id,
            style="danger",
            label=texts("azure-cancel-label", name=blocks.harmless(child.name)),
        )
        body.append(
            blocks.section(
                f"*{blocks.name(child.name)}*\n`{blocks.escaped(child.id)}`",
                accessory=None if why_not else cancel,
            )
        )
    left = len(running) - MOST_LISTED
    if left > 0:
        body.append(blocks.context(texts.count("requests-more", left)))
    body.append(blocks.context(words(why_not, texts) if why_not else texts("azure-cancel-explained")))
    return blocks.modal(
        texts("title-suspend"), body, close=texts("back"), private_metadata=carried, external_id=carried
    )


def effects(subscriptions: Sequence[Subscription], c: Consequences, texts: Texts) -> list[str]:
    """One line a consequence: access, cost, data, add-ons."""
    kinds = {s.kind for s in subscriptions}
    lines = [texts("effect-access"), *_costs(subscriptions, c.cloud, texts)]
    if SubscriptionKind.NEW_COMMERCE_SEAT in kinds and c.cloud is not Cloud.CHINA:
        lines.append(texts("effect-renewal"))
    if kinds & {SubscriptionKind.LEGACY_AZURE, SubscriptionKind.AZURE_PLAN}:
        lines.append(texts("effect-azure"))
    lines += _deletion(c.deadlines, texts)
    if any(s.parent_id is None for s in subscriptions):
        if c.add_ons is None:
            lines.append(texts("effect-add-ons"))
        elif c.add_ons:
            lines.append(
                texts.mrkdwn(
                    "effect-add-ons-named", names=_names(c.add_ons, texts), n=texts.number(len(c.add_ons))
                )
            )
    return lines


def _costs(subscriptions: Sequence[Subscription], cloud: Cloud, texts: Texts) -> list[str]:
    """Whether Microsoft goes on billing the partner; for several, how many of them each line is about."""
    trials = [s for s in subscriptions if s.is_trial]
    bought = [s for s in subscriptions if not s.is_trial]
    ending = [s for s in bought if s.kind is SubscriptionKind.NEW_COMMERCE_SEAT and cloud is not Cloud.CHINA]
    free = [s for s in bought if s.kind is SubscriptionKind.LEGACY_SEAT and cloud is not Cloud.CHINA]
    unsure = [s for s in bought if s not in ending and s not in free]
    if len(subscriptions) == 1:
        if ending:
            return [_term(ending[0], texts)]
        if trials:
            return [texts("effect-cost-trial")]
        return [texts("effect-cost-none" if free else "effect-cost-unknown")]
    lines = []
    if trials:
        lines.append(texts.count("effect-cost-trial-of", len(trials)))
    if ending:
        known = [s.term_end.date() for s in ending if s.term_end]
        last = texts.day(max(known)) if len(known) == len(ending) else texts("unknown")
        lines.append(texts.count("effect-cost-term-of", len(ending), day=last))
    if free:
        lines.append(texts.count("effect-cost-none-of", len(free)))
    if unsure:
        lines.append(texts.count("effect-cost-unknown-of", len(unsure)))
    return lines


def _deletion(deadlines: Sequence[date | None], texts: Texts) -> list[str]:
    known = [day for day in deadlines if day]
    if len(deadlines) == 1:
        if known:
            return [texts.mrkdwn("effect-deleted", day=Mrkdwn(f"*{texts.day(known[0])}*"))]
        return [texts("effect-deleted-unknown")]
    lines: list[str] = []
    if known:
        first = Mrkdwn(f"*{texts.day(min(known))}*")
        lines.append(texts.mrkdwn("effect-deleted-first", day=first))
    if len(known) < len(deadlines):
        lines.append(texts.count("effect-deleted-unknown-of", len(deadlines) - len(known)))
    return lines


def _head(verb: Verb, asked: Asking, texts: Texts) -> list[Block]:
    """Whether it is in earnest, what to which subscription of whom, and what was filled in."""
    body: list[Block] = []
    if asked.dry_run:
        body.append(blocks.section(f"*{texts('dry-run')}* {texts('dry-run-explained')}"))
    customer, several = blocks.name(asked.customer.name), len(asked.subscriptions) > 1
    if several:
        said = texts.count(f"confirm-{verb}-several", len(asked.subscriptions), customer=customer)
        body.append(blocks.section(said))
        body.append(_bullets(_listed(asked.subscriptions, texts)))
        body.append(blocks.context(blocks.name(asked.customer.domain or asked.customer.id)))
    else:
        (one,) = asked.subscriptions
        said = texts.mrkdwn(f"confirm-{verb}", customer=customer, subscription=blocks.name(one.name))
        body.append(blocks.section(said))
        body.append(blocks.context(blocks.name(asked.customer.domain or asked.customer.id), f"`{one.id}`"))
    body.append(blocks.fields(_facts(verb, asked, texts)))
    return body


def _listed(subscriptions: Sequence[Subscription], texts: Texts) -> list[str]:
    lines: list[str] = []
    for subscription in subscriptions[:MOST_LISTED]:
        quantity = f" × {texts.number(subscription.quantity)}" if subscription.quantity is not None else ""
        lines.append(f"{blocks.name(subscription.name, 60)}{quantity}")
    left = len(subscriptions) - MOST_LISTED
    return [*lines, texts.count("requests-more", left)] if left > 0 else lines


def _left_out(asked: Asking, texts: Texts) -> list[Block]:
    """What is not touched, and why."""
    if not asked.left_out:
        return []
    lines = [
        f"{blocks.name(left.subscription.name, 60)}: {words(left.why, texts)}"
        for left in asked.left_out[:MOST_LISTED]
    ]
    more = len(asked.left_out) - MOST_LISTED
    if more > 0:
        lines.append(texts.count("requests-more", more))
    return [blocks.section(f"*{texts('confirm-left-out')}*\n" + "\n".join(f"• {line}" for line in lines))]


def _suspended(subscriptions: Sequence[Subscription], lifted: Sequence[Lifted], texts: Texts) -> str:
    """Who suspended it, when and why, as far as anybody knows; each answer once."""
    lines = []
    for subscription, suspension in zip(subscriptions, lifted, strict=True):
        if isinstance(suspension, ActionRequest) and suspension.closed_at:
            said = texts.mrkdwn(
                "suspended-by-us",
                by=blocks.person(suspension.requested_by),
                at=blocks.moment(suspension.closed_at),
                reason=texts(f"reason-{suspension.action.reason}"),
                id=suspension.id,
            )
        elif isinstance(suspension, Drift) and suspension.by and suspension.at and suspension.reason:
            said = texts.mrkdwn(
                "suspended-adopted",
                by=blocks.person(suspension.by),
                at=blocks.moment(suspension.at),
                reason=texts(f"reason-{suspension.reason}"),
                id=suspension.id,
            )
        else:
            reasons = texts.listed(subscription.suspension_reasons) or texts("unknown")
            said = texts.mrkdwn("suspended-elsewhere", reasons=blocks.harmless(reasons))
        lines.append(said)
    return "\n".join(dict.fromkeys(lines))


def _term(subscription: Subscription, texts: Texts) -> str:
    if subscription.term_end is None:
        return texts("effect-cost-term-unknown")
    return texts("effect-cost-term", day=texts.day(subscription.term_end.date()))


def _facts(verb: Verb, asked: Asking, texts: Texts) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    if len(asked.subscriptions) == 1:
        (one,) = asked.subscriptions
        rows.append((texts("status-now"), blocks.escaped(status_words(one, texts))))
        if verb is not Verb.CANCEL_AZURE:
            quantity = texts.number(one.quantity) if one.quantity is not None else texts("unknown")
            rows.append((texts("quantity"), quantity))
    rows.append((texts("form-reason"), texts(f"reason-{asked.reason}")))
    if asked.note:
        rows.append((texts("form-note"), blocks.name(asked.note, 500)))
    return rows


def _afterwards(c: Consequences, texts: Texts) -> list[str]:
    """What happens once it is approved."""
    lines: list[str] = []
    if c.not_before:
        local = f"{texts.moment(c.not_before, c.zone)} {c.zone}"
        lines.append(texts.mrkdwn("next-not-before", at=blocks.moment(c.not_before), local=local))
    else:
        lines.append(texts("next-undo", span=texts.span(c.undo)) if c.undo else texts("next-at-once"))
    if c.over_limit is not None:
        lines.append(texts("next-over-limit", most=texts.number(c.over_limit)))
    return lines


def _approvals(asked: Asking, texts: Texts) -> str:
    if not asked.approvals_needed:
        return texts("next-no-approval")
    where = blocks.channel(asked.approvals_channel) if asked.approvals_channel else texts("approvals-channel")
    span = texts.span(asked.time_to_live)
    return texts.count("next-approval", asked.approvals_needed, channel=where, span=span)


def _names(names: Iterable[str], texts: Texts) -> Mrkdwn:
    return Mrkdwn(texts.listed(blocks.name(name, 60) for name in list(names)[:MOST_LISTED]))


def _bullets(lines: Iterable[str]) -> Block:
    return blocks.section("\n".join(f"• {line}" for line in lines))


def _modal(verb: Verb, callback_id: str, carried: str, body: list[Block], texts: Texts) -> View:
    return blocks.modal(
        texts(f"title-{verb}"),
        body,
        callback_id=callback_id,
        submit=texts("confirm"),
        close=texts("back"),
        private_metadata=carried,
        external_id=carried,
    )
