"""Whose a debtor in the books is: the form that links it to a customer, the list of those that are nobody's."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from bot.domain.aging import PartyBalances
from bot.domain.customer import Customer
from bot.domain.digest import Debtor
from bot.domain.directory import ConfirmedMapping, Entry, MappingMethod, party_id
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block, View
from handlers.views.forms import customer_option

MOST_UNMAPPED = 10
MOST_CONFIRMED = 10
MOST_NAMES = 5
MOST_CODES = 5


def link_form(entry: Entry, texts: Texts, *, channel: str) -> View:
    """Choose the customer and confirm; where somebody did, see who, and remove it. The answer goes to `channel`."""
    body = _debtor(entry, texts)
    if entry.mapping:
        body.append(blocks.section(f"{_stands(entry, entry.mapping, texts)}\n{texts('link-removal')}"))
    else:
        body += _choice(entry, texts)
    return blocks.modal(
        texts("link-title"),
        body,
        callback_id=ids.UNLINK_FORM if entry.mapping else ids.LINK_FORM,
        submit=texts("link-remove") if entry.mapping else texts("confirm"),
        close=texts("cancel"),
        private_metadata=f"{entry.id} {channel}",
    )


def link_button(party_key: str, name: str, texts: Texts) -> Block:
    """Opens the form for a debtor that is nobody's."""
    return blocks.button(
        texts("link"),
        ids.LINK_CUSTOMER,
        party_id(party_key),
        label=texts("link-label", debtor=blocks.harmless(name)),
    )


def answer(entry: Entry, texts: Texts) -> str:
    """What holds from now on, in mrkdwn."""
    facts = {"debtor": blocks.name(entry.name)} | _customer(entry.customer)
    if entry.method is MappingMethod.TABLE:
        return texts.mrkdwn("linked", **facts)
    return texts.mrkdwn(f"unlinked-{entry.method.replace('_', '-')}", **facts)


def debtors(
    unmapped: Sequence[Debtor],
    total: int,
    confirmed: Sequence[Entry],
    texts: Texts,
    *,
    may_link: bool,
    narrowed: bool = False,
) -> list[Block]:
    """The worst `unmapped` of `total`, then the newest links; `narrowed` to a part of a name."""
    body = [blocks.header(texts("debtors-title"))]
    if total:
        body.append(blocks.section(f"*{texts.count('debtors-unmapped', total)}*"))
    else:
        body.append(blocks.section(texts("debtors-none-found" if narrowed else "debtors-none")))
    shown = unmapped[:MOST_UNMAPPED]
    body += [_unmapped(debtor, texts, may_link=may_link) for debtor in shown]
    body += _more(total - len(shown), texts)
    if confirmed:
        body += [blocks.divider(), blocks.section(f"*{texts('debtors-confirmed')}*")]
        body += [_confirmed(entry, texts, may_link=may_link) for entry in confirmed[:MOST_CONFIRMED]]
        body += _more(len(confirmed) - MOST_CONFIRMED, texts)
    return body


def _debtor(entry: Entry, texts: Texts) -> list[Block]:
    party = entry.party
    lines = [f"*{blocks.name(entry.name)}*"]
    others = [name for name in (party.names if party else ()) if name != entry.name][:MOST_NAMES]
    if others:
        lines.append(texts.mrkdwn("link-also", names=blocks.name(texts.listed(others), 300)))
    if party is None:
        return [blocks.section("\n".join([*lines, texts("link-nothing-open")]))]
    return [blocks.section("\n".join(lines)), blocks.fields(_facts(party, texts))]


def _facts(party: PartyBalances, texts: Texts) -> list[tuple[str, str]]:
    rows = []
    if codes := sorted({item.customer_code for item in party.items if item.customer_code})[:MOST_CODES]:
        rows.append((texts("link-code"), str(blocks.name(texts.listed(codes), 200))))
    if party.tenant:
        rows.append((texts("link-tenant"), str(blocks.name(party.tenant))))
    balances = party.balances.values()
    rows.append((texts("column-open"), _amounts([(b.open, b.currency) for b in balances], texts)))
    rows.append((texts("column-overdue"), _amounts([(b.overdue, b.currency) for b in balances], texts)))
    rows.append((texts("column-days"), texts.number(party.oldest_days)))
    return rows


def _amounts(amounts: Sequence[tuple[Decimal, str]], texts: Texts) -> str:
    """Those that are not nothing, each in its currency."""
    return texts.listed(texts.money(amount, currency) for amount, currency in amounts if amount) or "–"


def _stands(entry: Entry, mapping: ConfirmedMapping, texts: Texts) -> str:
    facts = {"by": blocks.person(mapping.confirmed_by), "at": blocks.moment(mapping.confirmed_at)}
    if entry.customer is None:
        return texts.mrkdwn("link-stands-gone", id=mapping.customer_id, **facts)
    return texts.mrkdwn("link-stands", **facts, **_customer(entry.customer))


def _choice(entry: Entry, texts: Texts) -> list[Block]:
    body: list[Block] = []
    if entry.doubt:
        body.append(blocks.section(f"⚠ {texts(f'link-doubt-{entry.doubt}')}"))
    elif entry.customer:
        body.append(blocks.section(texts.mrkdwn("link-is", **_customer(entry.customer))))
    suggested = entry.suggestion if entry.suggestion and entry.suggestion.may_be_acted_on else None
    select = blocks.external_select(
        ids.LINKED_CUSTOMER,
        texts("form-customer-placeholder"),
        chosen=customer_option(suggested) if suggested else None,
    )
    hint = texts("link-suggested") if suggested else ""
    body.append(blocks.input_block(texts("link-customer"), select, ids.CUSTOMER, hint=hint))
    return [*body, blocks.context(texts("link-follows"))]


def _unmapped(debtor: Debtor, texts: Texts, *, may_link: bool) -> Block:
    party = debtor.party
    owed = _amounts([(b.overdue, b.currency) for b in party.balances.values()], texts)
    lines = [
        f"*{blocks.name(party.customer)}*",
        f"{owed} · {texts.count('debtors-days', party.oldest_days)}",
    ]
    if debtor.suggestion:
        lines.append(texts.mrkdwn("debtors-suggestion", **_customer(debtor.suggestion)))
    button = link_button(party.customer_key, party.customer, texts) if may_link else None
    return blocks.section("\n".join(lines), accessory=button)


def _confirmed(entry: Entry, texts: Texts, *, may_link: bool) -> Block:
    lines = []
    if entry.customer:
        lines.append(
            texts.mrkdwn("debtors-link", debtor=blocks.name(entry.name), **_customer(entry.customer))
        )
    elif entry.mapping:
        lines.append(
            texts.mrkdwn("debtors-link-gone", debtor=blocks.name(entry.name), id=entry.mapping.customer_id)
        )
    if entry.mapping:
        by, at = blocks.person(entry.mapping.confirmed_by), blocks.moment(entry.mapping.confirmed_at)
        lines.append(texts.mrkdwn("debtors-by", by=by, at=at))
    button = blocks.button(
        texts("link-change"),
        ids.LINK_CUSTOMER,
        entry.id,
        label=texts("link-change-label", debtor=blocks.harmless(entry.name)),
    )
    return blocks.section("\n".join(lines), accessory=button if may_link else None)


def _more(left: int, texts: Texts) -> list[Block]:
    if left <= 0:
        return []
    return [blocks.context(f"{texts.count('requests-more', left)}. {texts('debtors-narrow')}")]


def _customer(customer: Customer | None) -> dict[str, str]:
    """Names are not unique: the domain tells two of one name apart."""
    if customer is None:
        return {}
    return {"customer": blocks.name(customer.name), "domain": blocks.name(customer.domain or customer.id)}
