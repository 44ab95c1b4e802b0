"""The overdue digest: totals per currency, the worst customers first, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from bot.domain.digest import Banner, Debtor, OverdueDigest
from bot.domain.receivables import AgingBucket, Balance
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block
from handlers.views.countdown import others_suspended_words, suspended_words
from handlers.views.policy import next_step

PAGE = 8
"""Customers a page: with everything around them well under Slack's 50 blocks and 13,200 characters."""
MOST_PAID = 8
MOST_CURRENCIES = 5
"""Each takes two of the ten fields of a section."""


def overdue(digest: OverdueDigest, texts: Texts, *, page: int = 0) -> list[Block]:
    """One page of the digest; the first also has the totals."""
    pages = max(1, -(-len(digest.debtors) // PAGE))
    page = min(max(page, 0), pages - 1)
    body = [blocks.header(texts("overdue-title", day=texts.day(digest.on)))]
    body += [blocks.section(f"⚠ {banner(b, texts)}") for b in digest.banners]
    if page == 0:
        body += _totals(digest, texts)
    shown = digest.debtors[page * PAGE : (page + 1) * PAGE]
    if not shown and digest.as_of:
        body.append(blocks.section(texts("overdue-nobody")))
    elif page == 0:
        body.append(blocks.divider())
    for debtor in shown:
        body += _debtor(debtor, texts, on=digest.on)
    if page == 0 and digest.as_of and digest.others_suspended:
        body.append(blocks.context(others_suspended_words(digest.others_suspended, texts, on=digest.on)))
    if page == 0:
        body += _paid(digest, texts)
    body += _footer(digest, texts, page=page, pages=pages)
    return body


def summary(digest: OverdueDigest, texts: Texts) -> str:
    """One line for notifications and screen readers."""
    if digest.as_of is None:
        return texts("overdue-summary-empty")
    late = [texts.money(b.overdue, c) for c, b in digest.totals.items() if b.overdue > 0]
    if not late:
        return texts("overdue-nobody")
    return texts.count("overdue-summary", len(digest.debtors), amounts=", ".join(late))


def banner(said: Banner, texts: Texts) -> str:
    return texts.mrkdwn(f"banner-{said.key.replace('_', '-')}", **said.facts)


def _totals(digest: OverdueDigest, texts: Texts) -> list[Block]:
    """A row a currency, with how old it is beside it; currencies are never added up."""
    cells: list[str] = []
    for currency, balance in list(digest.totals.items())[:MOST_CURRENCIES]:
        overdue = texts.amount(balance.overdue, currency)
        lines = [
            f"*{texts('overdue-total', currency=currency, overdue=overdue)}*",
            texts("overdue-open", open=texts.amount(balance.open, currency)),
        ]
        if balance.disputed:
            lines.append(texts("overdue-disputed", disputed=texts.amount(balance.disputed, currency)))
        cells += ["\n".join(lines), _aging(balance, texts)]
    made = [blocks.columns(*cells)] if cells else []
    left = len(digest.totals) - MOST_CURRENCIES
    if left > 0:
        made.append(blocks.context(texts.count("overdue-more-currencies", left)))
    return made


def _aging(balance: Balance, texts: Texts) -> str:
    """What is past due by its age, two buckets a line."""
    parts = [
        _in_one_line(f"{bucket_name(bucket, texts)}: {texts.amount(amount, balance.currency)}")
        for bucket, amount in balance.buckets.items()
        if amount and bucket is not AgingBucket.CURRENT
    ]
    return "\n".join(" · ".join(parts[at : at + 2]) for at in range(0, len(parts), 2)) or "–"


def _in_one_line(text: str) -> str:
    """A line ends neither at a space nor behind a dash of it."""
    return text.replace(" ", "\u00a0").replace("–", "–\u2060")


def bucket_name(bucket: AgingBucket, texts: Texts) -> str:
    return texts(f"bucket-{bucket.value.replace('+', '-plus')}")


def _debtor(debtor: Debtor, texts: Texts, *, on: date) -> list[Block]:
    """Who and since when at the left, how much at the right; below it what to know before acting."""
    party = debtor.party
    name = blocks.name(debtor.customer.name if debtor.customer else party.customer)
    age = texts.count("overdue-oldest", party.oldest_days, step=next_step(debtor.standing, texts))
    row = blocks.columns(
        f"*{name}*\n{age}", _owed(party.balances.values(), texts), accessory=_suspend(debtor, texts)
    )
    notes: list[str] = []
    if debtor.customer is None:
        key = "overdue-by-name" if debtor.suggestion else "overdue-unmapped"
        domain = debtor.suggestion.domain if debtor.suggestion else ""
        notes.append(texts.mrkdwn(key, domain=blocks.name(domain or "")))
    disputed = [texts.money(b.disputed, c) for c, b in party.balances.items() if b.disputed]
    if disputed:
        notes.append(texts("overdue-disputed", disputed=", ".join(disputed)))
    if debtor.suspended:
        notes.append(suspended_words(debtor.suspended, texts, on=on))
    return [row, blocks.context(" · ".join(notes))] if notes else [row]


def _paid(digest: OverdueDigest, texts: Texts) -> list[Block]:
    """Who paid while still suspended for it: the policy proposes to resume them."""
    if not digest.paid:
        return []
    made = [blocks.divider(), blocks.section(f"*{texts('overdue-paid')}*")]
    for paid in digest.paid[:MOST_PAID]:
        name = blocks.name(paid.customer.name)
        made.append(
            blocks.section(
                texts.count("overdue-paid-line", len(paid.suspended), customer=name),
                accessory=blocks.button(
                    texts("resume"),
                    ids.RESUME_CUSTOMER,
                    paid.customer.id,
                    style="primary",
                    label=texts("resume-label", customer=blocks.harmless(paid.customer.name)),
                ),
            )
        )
    more = len(digest.paid) - MOST_PAID
    return [*made, blocks.context(texts.count("requests-more", more))] if more > 0 else made


def _suspend(debtor: Debtor, texts: Texts) -> Block | None:
    """Only where there is a customer to suspend; the button opens the form, it decides nothing."""
    customer = debtor.known_as
    if customer is None:
        return None
    return blocks.button(
        texts("suspend"),
        ids.SUSPEND_CUSTOMER,
        customer.id,
        label=texts("suspend-label", customer=blocks.harmless(customer.name)),
    )


def _owed(balances: Iterable[Balance], texts: Texts) -> str:
    amounts = [texts.money(b.overdue, b.currency) for b in balances if b.overdue > 0]
    return "\n".join(f"*{amount}*" for amount in amounts) if amounts else texts("overdue-nothing-dunnable")


def _footer(digest: OverdueDigest, texts: Texts, *, page: int, pages: int) -> list[Block]:
    said = []
    if digest.as_of:
        said.append(texts("overdue-as-of", day=texts.day(digest.as_of)))
    if pages > 1:
        said.append(texts("overdue-page", page=page + 1, pages=pages, n=len(digest.debtors)))
    foot = [blocks.divider(), blocks.context(" · ".join(said))] if said else []
    turns = []
    value = f"{digest.on.isoformat()}:{page}"
    if page > 0:
        turns.append(blocks.button(texts("previous"), ids.PREVIOUS_PAGE, value))
    if page < pages - 1:
        turns.append(blocks.button(texts("next"), ids.NEXT_PAGE, value))
    if turns:
        foot.append(blocks.actions(*turns))
    return foot
