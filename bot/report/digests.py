"""The overdue digest, and the report of shadow mode: as documents and in words."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.aging import Balance
from bot.domain.customer import Countdown
from bot.domain.digest import Change, Debtor, OverdueDigest, Paid, Since, proposal
from bot.domain.followup import Pause
from bot.domain.shadow import ShadowReport
from bot.report import Document
from bot.texts import Texts
from handlers.views import digests as views
from handlers.views import shadow as shadow_views
from handlers.views.countdown import others_suspended_words, suspended_words


def overdue(digest: OverdueDigest, texts: Texts) -> Document:
    """The overdue digest; unknown is null, currencies stay apart."""
    return {
        "digest": "overdue",
        "date": digest.on.isoformat(),
        "as_of": digest.as_of.isoformat() if digest.as_of else None,
        "complete": digest.complete,
        "banners": [views.plain_banner(b, texts) for b in digest.banners],
        "banner_keys": [b.key for b in digest.banners],
        "policy_version": digest.policy_version,
        "totals": {
            currency: _amounts(b) | {"buckets": {name.value: str(sum_) for name, sum_ in b.buckets.items()}}
            for currency, b in digest.totals.items()
        },
        "since_last": _since(digest.since),
        "customers": [_debtor(debtor) for debtor in digest.debtors] + [_paid(paid) for paid in digest.paid],
    }


def digest_words(digest: OverdueDigest, texts: Texts) -> str:
    """The digest as plain text for a terminal."""
    lines = [texts("overdue-title", day=texts.day(digest.on))]
    lines += [f"! {views.plain_banner(b, texts)}" for b in digest.banners]
    if digest.since:
        lines.append(views.since_words(digest.since, texts))
    for currency, balance in digest.totals.items():
        lines.append(
            f"{currency}: {texts.money(balance.overdue, currency)} / {texts.money(balance.open, currency)}"
        )
    for debtor in digest.debtors:
        owed = ", ".join(
            texts.money(b.overdue, c) for c, b in debtor.party.balances.items() if b.overdue > Decimal(0)
        )
        mark = views.change_words(debtor.change, texts)
        mark = f"  ({mark})" if mark else ""
        lines.append(f"  {debtor.party.oldest_days:>4}  {debtor.party.customer}  {owed}{mark}")
        if debtor.snooze:
            lines.append(f"        {texts('snoozed-until', until=texts.day(debtor.snooze.until))}")
        if debtor.promise:
            lines.append(f"        {texts('promised-until', until=texts.day(debtor.promise.until))}")
        if debtor.suspended:
            lines.append(f"        {suspended_words(debtor.suspended, texts, on=digest.on)}")
    if not digest.debtors and digest.as_of:
        lines.append(texts("overdue-nobody"))
    if digest.others_suspended:
        lines.append(others_suspended_words(digest.others_suspended, texts, on=digest.on))
    return "\n".join(lines)


def _debtor(debtor: Debtor) -> Document:
    standing = debtor.standing
    return {
        "customer": debtor.party.customer,
        "tenant": debtor.customer.id if debtor.customer else debtor.party.tenant,
        "mapped": debtor.customer is not None,
        "amounts": {currency: _amounts(b) for currency, b in debtor.party.balances.items()},
        "oldest_days": debtor.party.oldest_days,
        "stage": standing.stage.id if standing.stage else None,
        "next_step": standing.next_stage.id if standing.next_stage else None,
        "proposal": proposal(standing),
        "reasons": [{"rule": r.rule, "fact": r.fact} for r in standing.reasons],
        "suspended": _suspended(debtor.suspended),
        "since_last": debtor.change.value if debtor.change else None,
        "snoozed": _pause(debtor.snooze),
        "promised": _pause(debtor.promise),
        "owner": debtor.owner,
        "active_subscriptions": debtor.running,
        "monthly_cost": None,
    }


def _paid(paid: Paid) -> Document:
    return {
        "customer": paid.customer.name,
        "tenant": paid.customer.id,
        "mapped": True,
        "amounts": {},
        "oldest_days": 0,
        "stage": None,
        "next_step": None,
        "proposal": proposal(paid.standing),
        "reasons": [{"rule": r.rule, "fact": r.fact} for r in paid.standing.reasons],
        "suspended": _suspended(paid.suspended),
        "since_last": None,
        "snoozed": None,
        "promised": None,
        "owner": None,
        "active_subscriptions": None,
        "monthly_cost": None,
    }


def _since(since: Since | None) -> Document | None:
    if since is None:
        return None
    counts: Document = {change.value: since.counts.get(change, 0) for change in Change}
    return {"date": since.on.isoformat()} | counts | {"cleared": list(since.cleared)}


def _pause(pause: Pause | None) -> Document | None:
    if pause is None:
        return None
    return {"until": pause.until.isoformat(), "by": pause.by, "note": pause.note}


def _suspended(countdowns: Sequence[Countdown]) -> list[Document]:
    return [
        {
            "subscription": c.subscription.id,
            "name": c.subscription.name,
            "deletes_on": c.deadline.isoformat() if c.deadline else None,
        }
        for c in countdowns
    ]


def _amounts(balance: Balance) -> Document:
    return {
        "open": str(balance.open),
        "overdue": str(balance.overdue),
        "disputed": str(balance.disputed),
        "credits": str(balance.credits),
        "net": str(balance.net),
    }


def shadow(found: ShadowReport) -> Document:
    """What the policy would have proposed beside what people did."""
    return {
        "from": found.since.isoformat(),
        "to": found.until.isoformat(),
        "agreed": found.agreed,
        "only_proposed": found.only_proposed,
        "only_done": found.only_done,
        "customers": [
            {
                "customer": line.customer_name,
                "tenant": line.customer_id,
                "proposed_on": line.proposed_on.isoformat() if line.proposed_on else None,
                "proposed_until": line.proposed_until.isoformat() if line.proposed_until else None,
                "reasons": [{"rule": r.rule, "fact": r.fact} for r in line.reasons],
                "requests": [
                    {"id": d.id, "date": d.on.isoformat(), "status": d.status, "dry_run": d.dry_run}
                    for d in line.deeds
                ],
            }
            for line in found.lines
        ],
    }


def shadow_words(found: ShadowReport, texts: Texts) -> str:
    """The same for a terminal."""
    head = shadow_views.summary(found, texts)
    return "\n".join([head, *(f"  {line}" for line in shadow_views.lines(found, texts))])
