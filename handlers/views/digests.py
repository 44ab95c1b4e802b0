"""The overdue digest: totals per currency, the worst customers first, a page at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from bot.domain.aging import AgingBucket, Balance
from bot.domain.digest import Banner, Change, Debtor, OverdueDigest, Since, proposal
from bot.texts import Mrkdwn, Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block
from handlers.views.countdown import others_suspended_words, suspended_words
from handlers.views.letters import notice_button
from handlers.views.mapping import link_button
from handlers.views.policy import next_step

PAGE = 8
"""Customers a page, three blocks each. With the most of all that may stand around them a message has 48 of Slack's
50 blocks, and stays under the 13,200 characters that all its blocks may have, whatever the names are."""
MOST_PAID = 5
MOST_ASLEEP = 4
MOST_CURRENCIES = 5
"""Each takes two of the ten fields of a section."""
MOST_AMOUNTS = 3
"""Currencies in a customer's row."""
MOST_CLEARED = 5
NAME = 60
ESCAPED = 120
"""A name may grow that long by being made harmless."""


def overdue(digest: OverdueDigest, texts: Texts, *, page: int = 0) -> list[Block]:
    """One page of the digest; the first also has the totals."""
    awake = digest.awake
    pages = max(1, -(-len(awake) // PAGE))
    page = min(max(page, 0), pages - 1)
    body = [blocks.header(texts("overdue-title", day=texts.day(digest.on)))]
    if digest.banners:
        body.append(blocks.section("\n".join(f"⚠ {banner(b, texts)}" for b in digest.banners)))
    if page == 0:
        body += _totals(digest, texts)
    shown = awake[page * PAGE : (page + 1) * PAGE]
    if not shown and digest.as_of:
        body.append(blocks.section(texts("overdue-nobody" if not digest.asleep else "overdue-nobody-awake")))
    elif page == 0:
        body.append(blocks.divider())
    for debtor in shown:
        body += _debtor(debtor, texts, on=digest.on)
    if page == 0 and digest.as_of and digest.others_suspended:
        body.append(blocks.context(others_suspended_words(digest.others_suspended, texts, on=digest.on)))
    if page == 0:
        body += _paid(digest, texts)
        body += _asleep(digest.asleep, texts, on=digest.on)
    body += _footer(digest, texts, page=page, pages=pages)
    return body


def summary(digest: OverdueDigest, texts: Texts) -> str:
    """One line for notifications and screen readers; what keeps from acting comes first."""
    warnings = [plain_banner(b, texts) for b in digest.banners if b.key != "dry_run"]
    if digest.as_of is None:
        return texts("overdue-summary-empty")
    late = [texts.money(b.overdue, c) for c, b in digest.totals.items() if b.overdue > 0]
    if late:
        said = texts.count(
            "overdue-summary", len(digest.debtors), amounts=texts.listed(late[:MOST_CURRENCIES])
        )
    else:
        said = texts("overdue-nobody")
    return " ".join([*(f"⚠ {warning}" for warning in warnings), said])


def plain_banner(said: Banner, texts: Texts) -> str:
    """The same where nothing is interpreted."""
    return texts(f"banner-{said.key.replace('_', '-')}", **_facts_of(said, texts))


def banner(said: Banner, texts: Texts) -> str:
    return texts.mrkdwn(f"banner-{said.key.replace('_', '-')}", **_facts_of(said, texts))


def _facts_of(said: Banner, texts: Texts) -> Mapping[str, str]:
    """Days as people write them, and the names of sources."""
    facts = {
        name: texts.day(date.fromisoformat(fact)) if name == "as_of" else fact
        for name, fact in said.facts.items()
    }
    return facts | {"name": texts(f"source-{source}")} if (source := facts.get("source")) else facts


def change_words(change: Change | None, texts: Texts) -> str:
    """What became of a customer since the digest before; nothing to say where it is as it was."""
    return texts(f"change-{change}") if change and change is not Change.SAME else ""


def since_words(since: Since, texts: Texts) -> str:
    """How many are new, worse, better and cleared, in one line. Plain text."""
    parts = [
        texts.count(f"since-{change}", since.counts.get(change, 0))
        for change in (Change.NEW, Change.WORSE, Change.BETTER)
    ]
    parts.append(texts.count("since-cleared", len(since.cleared)))
    return texts("since", day=texts.day(since.on), changes=texts.listed(parts))


def _totals(digest: OverdueDigest, texts: Texts) -> list[Block]:
    """What is owed, and below it what changed since the digest before."""
    made = totals(digest.totals, texts)
    said = more_currencies(digest.totals, texts)
    if digest.since and digest.as_of:
        said.append(since_words(digest.since, texts))
        if cleared := digest.since.cleared:
            names: list[str] = [_name(name) for name in cleared[:MOST_CLEARED]]
            more = len(cleared) - MOST_CLEARED
            names += [texts.count("requests-more", more)] if more > 0 else []
            said.append(texts.mrkdwn("since-cleared-names", names=Mrkdwn(texts.listed(names))))
    if (running := digest.running) and running[0]:
        said.append(texts.count("overdue-running", running[0]))
    return [*made, blocks.context("\n".join(said))] if said else made


def totals(owed: Mapping[str, Balance], texts: Texts) -> list[Block]:
    """A row a currency, with how old it is beside it; currencies are never added up."""
    cells: list[str] = []
    for currency, balance in list(owed.items())[:MOST_CURRENCIES]:
        overdue = texts.amount(balance.overdue, currency)
        lines = [
            f"*{texts('overdue-total', currency=currency, overdue=overdue)}*",
            texts("overdue-open", open=texts.amount(balance.open, currency)),
        ]
        if balance.disputed:
            lines.append(texts("overdue-disputed", disputed=texts.amount(balance.disputed, currency)))
        cells += ["\n".join(lines), _aging(balance, texts)]
    return [blocks.columns(*cells)] if cells else []


def more_currencies(owed: Mapping[str, Balance], texts: Texts) -> list[str]:
    """How many there are besides those with a row."""
    left = len(owed) - MOST_CURRENCIES
    return [texts.count("overdue-more-currencies", left)] if left > 0 else []


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
    """Who, since when and how much; below it what to know before acting, and what can be done."""
    party = debtor.party
    name = _name(debtor.customer.name if debtor.customer else party.customer)
    age = texts.count("overdue-oldest", party.oldest_days, step=next_step(debtor.standing, texts))
    mark = change_words(debtor.change, texts)
    who = f"*{name}* · {mark}" if mark else f"*{name}*"
    owed = _owed(party.balances.values(), texts)
    if debtor.running:
        owed += f"\n{texts.count('running', debtor.running)}"
    row = blocks.columns(f"{who}\n{age}", owed)
    notes = _notes(debtor, texts, on=on)
    made = [row, blocks.context(" · ".join(notes))] if notes else [row]
    buttons = _buttons(debtor, texts)
    return [*made, blocks.actions(*buttons)] if buttons else made


def _notes(debtor: Debtor, texts: Texts, *, on: date) -> list[str]:
    notes: list[str] = []
    party = debtor.party
    if debtor.customer is None:
        key = "overdue-by-name" if debtor.suggestion else "overdue-unmapped"
        domain = debtor.suggestion.domain if debtor.suggestion else ""
        notes.append(texts.mrkdwn(key, domain=_name(domain or "")))
    if not debtor.trusted:
        notes.append(texts("overdue-unsure"))
    disputed = [texts.money(b.disputed, c) for c, b in party.balances.items() if b.disputed]
    if disputed:
        notes.append(texts("overdue-disputed", disputed=_few(disputed, ", ", texts)))
    if debtor.suspended:
        notes.append(suspended_words(debtor.suspended, texts, on=on))
    if debtor.promise:
        notes.append(texts("promised-until", until=texts.day(debtor.promise.until)))
    if debtor.woken:
        notes.append(texts("overdue-woken", until=texts.day(debtor.woken.until)))
    if debtor.owner:
        notes.append(texts.mrkdwn("owned-by", owner=blocks.person(debtor.owner)))
    return notes


def _buttons(debtor: Debtor, texts: Texts) -> list[Block]:
    """They open forms and decide nothing. Books that cannot be trusted offer nothing that follows from a debt."""
    made: list[Block] = []
    known, customer = debtor.known_as, debtor.customer
    if known and debtor.trusted:
        name = blocks.harmless(known.name)
        label = texts("suspend-label", customer=name)
        made.append(blocks.button(texts("suspend"), ids.SUSPEND_CUSTOMER, known.id, label=label))
        style = "primary" if proposal(debtor.standing) == "ticket" else None
        label = texts("open-ticket-label", customer=name)
        made.append(blocks.button(texts("open-ticket"), ids.OPEN_TICKET, known.id, style=style, label=label))
    if customer is None:
        return [*made, link_button(debtor.party.customer_key, debtor.party.customer, texts)]
    name = blocks.harmless(customer.name)
    label = texts("snooze-label", customer=name)
    made.append(blocks.button(texts("snooze"), ids.SNOOZE_CUSTOMER, customer.id, label=label))
    if debtor.trusted:
        made.append(notice_button(customer.id, customer.name, texts))
        label = texts("promise-label", customer=name)
        made.append(blocks.button(texts("promise"), ids.PROMISE_OF_CUSTOMER, customer.id, label=label))
    label = texts("owner-label", customer=name)
    return [*made, blocks.button(texts("owner"), ids.OWNER_OF_CUSTOMER, customer.id, label=label)]


def _name(outside: str) -> Mrkdwn:
    """A name that stays short even when every character of it has to be escaped."""
    limit = NAME
    while len(said := blocks.name(outside, limit)) > ESCAPED:
        limit -= 5
    return said


def _few(amounts: Sequence[str], between: str, texts: Texts) -> str:
    """The first currencies, and how many more there are."""
    more = len(amounts) - MOST_AMOUNTS
    shown = [*amounts[:MOST_AMOUNTS], *([texts.count("overdue-more-currencies", more)] if more > 0 else [])]
    return between.join(shown)


def _paid(digest: OverdueDigest, texts: Texts) -> list[Block]:
    """Who paid while still suspended for it: the policy proposes to resume them."""
    if not digest.paid:
        return []
    made = [blocks.divider(), blocks.section(f"*{texts('overdue-paid')}*")]
    for paid in digest.paid[:MOST_PAID]:
        name = _name(paid.customer.name)
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


def _asleep(debtors: Sequence[Debtor], texts: Texts, *, on: date) -> list[Block]:
    """Who is snoozed, in short: until when, by whom and why; the worst first."""
    if not debtors:
        return []
    made = [blocks.divider(), blocks.section(f"*{texts.count('overdue-asleep', len(debtors))}*")]
    made += [_sleeper(debtor, texts, on=on) for debtor in debtors[:MOST_ASLEEP]]
    more = len(debtors) - MOST_ASLEEP
    return [*made, blocks.context(texts.count("overdue-asleep-more", more))] if more > 0 else made


def _sleeper(debtor: Debtor, texts: Texts, *, on: date) -> Block:
    snooze, customer = debtor.snooze, debtor.customer
    if snooze is None or customer is None:
        raise ValueError("only a customer can be snoozed")
    said = texts.mrkdwn(
        "overdue-asleep-line",
        customer=_name(customer.name),
        until=texts.day(snooze.until),
        by=blocks.person(snooze.by),
    )
    lines = [said, _reason(snooze.note)]
    if debtor.suspended:  # the clock of a deletion goes on, whoever said to wait
        lines.append(blocks.escaped(suspended_words(debtor.suspended, texts, on=on)))
    label = texts("snooze-change-label", customer=blocks.harmless(customer.name))
    button = blocks.button(texts("snooze-change"), ids.SNOOZE_CUSTOMER, customer.id, label=label)
    return blocks.section("\n".join(line for line in lines if line), accessory=button)


def _reason(note: str) -> Mrkdwn:
    limit = 2 * ESCAPED
    while len(said := blocks.name(note, limit)) > 2 * ESCAPED:
        limit -= 20
    return said


def _owed(balances: Iterable[Balance], texts: Texts) -> str:
    amounts = [f"*{texts.money(b.overdue, b.currency)}*" for b in balances if b.overdue > 0]
    return _few(amounts, "\n", texts) if amounts else texts("overdue-nothing-dunnable")


def _footer(digest: OverdueDigest, texts: Texts, *, page: int, pages: int) -> list[Block]:
    said = []
    if digest.as_of:
        said.append(texts("overdue-as-of", day=texts.day(digest.as_of)))
    if pages > 1:
        said.append(texts("overdue-page", page=page + 1, pages=pages, n=len(digest.awake)))
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
