"""What a digest says: the order of its debtors, and whom a form may be prefilled with."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.aging import age, totals
from bot.domain.collection import Standing
from bot.domain.customer import Customer
from bot.domain.digest import Change, Debtor, Differences, as_it_was, compare, is_late, overview, past_due
from bot.domain.receivables import OpenItem
from tests.builders import a_customer, noon

TODAY = date(2026, 11, 23)


def an_item(**fields: Any) -> OpenItem:
    return OpenItem(customer="Contoso", currency="EUR", **fields)


def a_debtor(
    name: str,
    *owed: tuple[int, str, str],
    customer: Customer | None = None,
    suggestion: Customer | None = None,
) -> Debtor:
    """`owed` is days overdue, amount and currency."""
    items = [
        OpenItem(
            customer=name,
            document_number=str(number),
            due_date=TODAY - timedelta(days=days),
            currency=currency,
            open_amount=Decimal(amount),
        )
        for number, (days, amount, currency) in enumerate(owed)
    ]
    (party,) = age(items, on=TODAY)
    return Debtor(party, customer, suggestion, Standing(None, None, proposes_suspension=False, reasons=()))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(
            a_debtor("B", (40, "10", "EUR")), a_debtor("A", (30, "9000", "EUR")), id="days before amounts"
        ),
        pytest.param(
            a_debtor("B", (30, "20", "EUR")), a_debtor("A", (30, "10", "EUR")), id="then the larger amount"
        ),
        pytest.param(a_debtor("A", (30, "10", "EUR")), a_debtor("B", (30, "10", "USD")), id="then the name"),
        pytest.param(
            a_debtor("B", (30, "15", "EUR")),
            a_debtor("A", (30, "10", "EUR"), (30, "10", "USD")),
            id="two currencies are not added",
        ),
        pytest.param(
            a_debtor("B", (2, "1", "EUR"), (50, "1", "USD")),
            a_debtor("A", (49, "9000", "EUR")),
            id="the oldest of all its items",
        ),
    ],
)
def test_the_worst_comes_first(first: Debtor, second: Debtor):
    parties = [first.party, second.party]
    assert overview(reversed(parties)) == overview(parties) == (totals(parties), parties)


def test_a_form_is_prefilled_with_the_customer_the_books_name():
    proven, guessed = a_customer(), a_customer(id="another", domain="another.example")
    assert a_debtor("A", (1, "1", "EUR"), customer=proven, suggestion=guessed).known_as == proven


def test_else_with_the_suggestion_for_a_person_to_confirm():
    assert a_debtor("A", (1, "1", "EUR"), suggestion=a_customer()).known_as == a_customer()


def test_else_with_nobody():
    assert a_debtor("A", (1, "1", "EUR")).known_as is None


def owed(**amounts: str) -> dict[str, Decimal]:
    return {currency: Decimal(amount) for currency, amount in amounts.items()}


@pytest.mark.parametrize(
    ("now", "earlier", "change"),
    [
        pytest.param(owed(EUR="10"), {}, Change.NEW, id="owed nothing then"),
        pytest.param(owed(EUR="10"), owed(EUR="10"), Change.SAME, id="as then"),
        pytest.param(owed(EUR="11"), owed(EUR="10"), Change.WORSE, id="more"),
        pytest.param(owed(EUR="9"), owed(EUR="10"), Change.BETTER, id="less"),
        pytest.param(owed(EUR="10"), owed(EUR="10", USD="5"), Change.BETTER, id="one currency paid"),
        pytest.param(owed(EUR="10", USD="5"), owed(EUR="10"), Change.WORSE, id="one currency more"),
        pytest.param(
            owed(EUR="1", USD="6"),
            owed(EUR="100", USD="5"),
            Change.WORSE,
            id="less here does not set off more there",
        ),
    ],
)
def test_what_became_of_a_debtor(now: dict[str, Decimal], earlier: dict[str, Decimal], change: Change):
    assert compare({"x": now}, {"x": earlier}) == {"x": change}


def test_who_owes_nothing_now_is_not_compared():
    assert compare({"x": {}}, {"x": owed(EUR="10"), "y": owed(EUR="1")}) == {}


def test_a_disputed_debt_is_still_past_due():
    party = a_debtor("A", (3, "10", "EUR"), (0, "5", "EUR"), (-3, "7", "USD")).party
    items = [replace(item, disputed=True) for item in party.items]
    assert past_due(items, on=TODAY) == owed(EUR="10")


@pytest.mark.parametrize(
    ("minutes", "late"), [pytest.param(15, False, id="in time"), pytest.param(16, True, id="late")]
)
def test_a_digest_is_late_a_quarter_of_an_hour_after_its_time(minutes: int, late: bool):
    assert is_late(noon, noon + timedelta(minutes=minutes)) is late


def test_what_was_past_due_before_is_worked_out_from_what_changed_since():
    earlier, now = date(2026, 11, 20), date(2026, 11, 23)
    differences = Differences(on=earlier, now=now)
    both = an_item(document_number="1", open_amount=Decimal(10), due_date=date(2026, 11, 1))
    paid = an_item(document_number="2", open_amount=Decimal(5), due_date=date(2026, 11, 1))
    fell_due = an_item(document_number="3", open_amount=Decimal(3), due_date=earlier)
    came = an_item(document_number="4", open_amount=Decimal(2), due_date=date(2026, 11, 2))
    not_due = an_item(document_number="5", open_amount=Decimal(99), due_date=now)
    for item, is_open, was_open in (
        (both, True, True),
        (paid, False, True),
        (fell_due, True, True),
        (came, True, False),
        (not_due, True, True),
    ):
        differences.add(item, is_open=is_open, was_open=was_open)
    assert differences.gone == [paid]
    was = as_it_was(
        past_due([both, fell_due, came, not_due], on=now),
        new=differences.new[both.customer_key],
        gone=past_due(differences.gone, on=earlier),
    )
    assert was == past_due([both, paid, fell_due], on=earlier)
    assert as_it_was({"EUR": Decimal(2)}, new={"EUR": Decimal(2)}, gone={}) == {}
