"""What a digest says: the order of its debtors, and whom a form may be prefilled with."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest

from bot.domain.collection import Standing
from bot.domain.customer import Customer
from bot.domain.digest import Debtor, worst_first
from bot.domain.receivables import OpenItem, age
from tests.builders import a_customer

TODAY = date(2026, 11, 23)


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
    assert worst_first([second, first]) == worst_first([first, second]) == (first, second)


def test_a_form_is_prefilled_with_the_customer_the_books_name():
    proven, guessed = a_customer(), a_customer(id="another", domain="another.example")
    assert a_debtor("A", (1, "1", "EUR"), customer=proven, suggestion=guessed).known_as == proven


def test_else_with_the_suggestion_for_a_person_to_confirm():
    assert a_debtor("A", (1, "1", "EUR"), suggestion=a_customer()).known_as == a_customer()


def test_else_with_nobody():
    assert a_debtor("A", (1, "1", "EUR")).known_as is None
