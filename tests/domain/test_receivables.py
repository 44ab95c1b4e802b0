"""What customers owe: money, age, balances, and what a new export changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.domain.aging import Aging, AgingBucket, age, bucket, days_overdue, totals
from bot.domain.money import MINOR_UNITS, DifferentCurrencies, Money
from bot.domain.receivables import UNKNOWN_PARTY, OpenItem, changes
from tests.builders import a_customer

TODAY = date(2026, 11, 22)


def an_item(**given: Any) -> OpenItem:
    defaults: dict[str, Any] = {
        "customer": "Contoso",
        "document_number": "INV-1",
        "due_date": TODAY - timedelta(days=10),
        "currency": "EUR",
        "open_amount": Decimal("100.00"),
    }
    return OpenItem(**(defaults | given))


def overdue_by(days: int, **given: Any) -> OpenItem:
    return an_item(due_date=TODAY - timedelta(days=days), **given)


class TestMoney:
    def test_amounts_of_one_currency_are_added(self):
        assert Money(Decimal("1.10"), "EUR") + Money(Decimal("2.20"), "EUR") == Money(Decimal("3.30"), "EUR")

    @pytest.mark.parametrize(
        "operation",
        [
            pytest.param(lambda one, other: one + other, id="added"),
            pytest.param(lambda one, other: one - other, id="subtracted"),
            pytest.param(lambda one, other: one < other, id="compared"),
        ],
    )
    def test_two_currencies_are_never(self, operation):
        with pytest.raises(DifferentCurrencies):
            operation(Money(Decimal(1), "EUR"), Money(Decimal(1), "USD"))

    @pytest.mark.parametrize(("currency", "digits"), [("JPY", 0), ("EUR", 2), ("KWD", 3)])
    def test_currencies_know_their_smallest_unit(self, currency, digits):
        assert MINOR_UNITS[currency] == digits

    @pytest.mark.parametrize("code", ["XXX", "XTS", "XAU", "EURO", ""])
    def test_codes_that_are_no_money_are_unknown(self, code):
        assert code not in MINOR_UNITS


class TestAge:
    @pytest.mark.parametrize(
        ("days", "name"),
        [
            pytest.param(-5, AgingBucket.CURRENT, id="not yet due"),
            pytest.param(0, AgingBucket.CURRENT, id="due today is not overdue"),
            pytest.param(1, AgingBucket.DAYS_1_30, id="due yesterday"),
            pytest.param(30, AgingBucket.DAYS_1_30, id="30 days"),
            pytest.param(31, AgingBucket.DAYS_31_60, id="31 days"),
            pytest.param(60, AgingBucket.DAYS_31_60, id="60 days"),
            pytest.param(61, AgingBucket.DAYS_61_90, id="61 days"),
            pytest.param(90, AgingBucket.DAYS_61_90, id="90 days"),
            pytest.param(91, AgingBucket.OVER_90, id="91 days"),
        ],
    )
    def test_buckets_count_days_past_due(self, days, name):
        assert bucket(TODAY - timedelta(days=days), on=TODAY) is name

    def test_days_overdue_are_never_negative(self):
        assert days_overdue(TODAY + timedelta(days=3), on=TODAY) == 0


class TestBalances:
    def test_each_currency_has_its_own_balance(self):
        [party] = age([an_item(), an_item(document_number="2", currency="USD")], on=TODAY)
        assert {code: balance.open for code, balance in party.balances.items()} == {
            "EUR": Decimal("100.00"),
            "USD": Decimal("100.00"),
        }

    def test_a_credit_lowers_the_net_but_is_in_no_bucket(self):
        [party] = age(
            [overdue_by(10), overdue_by(80, document_number="CN", open_amount=Decimal("-30.00"))], on=TODAY
        )
        balance = party.balances["EUR"]
        assert (balance.open, balance.credits, balance.net) == (Decimal(100), Decimal(30), Decimal(70))
        assert balance.buckets[AgingBucket.DAYS_61_90] == 0
        assert balance.oldest_days == 10

    def test_credits_that_cover_the_overdue_leave_nothing_to_dun(self):
        [party] = age(
            [overdue_by(10), an_item(document_number="CN", open_amount=Decimal("-150.00"))], on=TODAY
        )
        assert party.balances["EUR"].overdue == 100
        assert party.balances["EUR"].overdue_net == 0

    @pytest.mark.parametrize("mark", ["disputed", "dunning_blocked"])
    def test_protected_items_are_open_but_not_overdue(self, mark):
        [party] = age([overdue_by(50, **{mark: True}), overdue_by(5, document_number="2")], on=TODAY)
        balance = party.balances["EUR"]
        assert (balance.open, balance.overdue) == (Decimal(200), Decimal(100))
        assert (balance.oldest_days, balance.items_overdue) == (5, 1)
        assert sum(balance.buckets.values()) == 200

    def test_what_is_due_today_is_not_yet_overdue(self):
        [party] = age([overdue_by(0)], on=TODAY)
        assert (party.balances["EUR"].overdue, party.balances["EUR"].items_overdue) == (Decimal(0), 0)

    def test_disputed_debt_is_shown_apart(self):
        [party] = age([an_item(disputed=True)], on=TODAY)
        assert party.balances["EUR"].disputed == 100

    def test_items_of_one_tenant_are_one_party_with_all_its_names(self):
        items = [
            an_item(tenant="Contoso.onmicrosoft.com"),
            an_item(tenant="contoso.onmicrosoft.com", customer="Contoso Ltd", document_number="2"),
        ]
        [party] = age(items, on=TODAY)
        assert party.names == ("Contoso", "Contoso Ltd")

    @pytest.mark.parametrize(
        ("given", "key"),
        [
            pytest.param(
                {"tenant": "A.example", "customer_code": "7"}, "tenant:a.example", id="tenant first"
            ),
            pytest.param({"customer_code": "7"}, "code:7", id="then the account code"),
            pytest.param({}, "name:contoso", id="then the name"),
        ],
    )
    def test_whose_item_it_is(self, given, key):
        assert an_item(**given).customer_key == key

    def test_the_longest_overdue_party_comes_first(self):
        parties = age([overdue_by(5, customer="A"), overdue_by(50, customer="B")], on=TODAY)
        assert [party.customer for party in parties] == ["B", "A"]

    def test_one_customers_credit_does_not_pay_anothers_debt(self):
        parties = age(
            [overdue_by(5, customer="A"), an_item(customer="B", open_amount=Decimal("-100.00"))], on=TODAY
        )
        together = totals(parties)["EUR"]
        assert (together.overdue_net, together.net) == (Decimal(100), Decimal(0))

    @settings(deadline=None, max_examples=50)
    @given(
        st.lists(
            st.tuples(
                st.sampled_from(["A", "B"]),
                st.sampled_from(["EUR", "JPY"]),
                st.integers(-100, 200),
                st.integers(-5000, 5000),
                st.booleans(),
            ),
            max_size=12,
        )
    )
    def test_buckets_add_up_to_what_is_open_and_the_net_to_all_items(self, rows):
        items = [
            overdue_by(days, customer=who, currency=code, open_amount=Decimal(cents) / 100, disputed=disputed)
            for who, code, days, cents, disputed in rows
        ]
        for code, balance in totals(age(items, on=TODAY)).items():
            assert sum(balance.buckets.values()) == balance.open
            assert balance.net == sum(item.open_amount for item in items if item.currency == code)
            assert 0 <= balance.overdue_net <= balance.overdue <= balance.open


def numbered(count: int, **given: Any) -> list[OpenItem]:
    return [an_item(document_number=str(number), **given) for number in range(count)]


class TestChanges:
    def test_items_are_told_new_changed_and_unchanged(self):
        before = numbered(2)
        paid_part = an_item(document_number="1", open_amount=Decimal("40.00"))
        new = an_item(document_number="9")
        result = changes(before, [before[0], paid_part, new], mode="snapshot")
        assert (result.new, result.changed, result.unchanged, result.closed) == (
            (new,),
            (paid_part,),
            (before[0],),
            (),
        )

    def test_applying_an_export_twice_changes_nothing(self):
        items = numbered(3)
        again = changes(items, items, mode="snapshot")
        assert (again.new, again.changed, again.closed) == ((), (), ())

    def test_a_snapshot_closes_what_it_leaves_out(self):
        before = numbered(10)
        assert changes(before, before[1:], mode="snapshot").closed == (before[0],)

    def test_a_merge_closes_only_what_it_says_is_paid(self):
        before = numbered(3)
        result = changes(before, [], mode="merge", settled=[before[1].key])
        assert result.closed == (before[1],)
        assert not result.holds_for_confirmation

    @pytest.mark.parametrize(
        ("left", "holds"),
        [
            pytest.param(7, False, id="30 percent gone is believed"),
            pytest.param(6, True, id="more than 30 percent gone is not"),
            pytest.param(0, True, id="everything gone is not"),
        ],
    )
    def test_a_large_drop_waits_for_a_person(self, left, holds):
        before = numbered(10)
        assert changes(before, before[:left], mode="snapshot").holds_for_confirmation is holds

    def test_paid_documents_the_file_names_are_no_drop(self):
        before = numbered(2)
        result = changes(before, [], mode="snapshot", settled=[item.key for item in before])
        assert (result.closed, result.holds_for_confirmation) == (tuple(before), False)

    @pytest.mark.parametrize(
        "incomplete",
        [pytest.param("name:contoso", id="its own"), pytest.param(UNKNOWN_PARTY, id="anybody's")],
    )
    def test_missing_items_of_a_party_with_unreadable_rows_stay_open(self, incomplete):
        before = numbered(10)
        result = changes(before, before[1:], mode="snapshot", incomplete_parties={incomplete})
        assert (result.closed, result.kept) == ((), (before[0],))

    def test_the_first_export_holds_for_nobody(self):
        assert not changes([], numbered(2), mode="snapshot").holds_for_confirmation


def test_what_is_added_in_parts_is_what_is_added_at_once():
    items = [
        overdue_by(50, customer="A", customer_code="1"),
        overdue_by(5, customer="B", document_number="2", disputed=True),
        overdue_by(5, customer="A GmbH", customer_code="1", document_number="3", currency="JPY"),
        overdue_by(-5, customer="B", document_number="4", open_amount=Decimal("-7")),
        overdue_by(9, customer="B", document_number="5", promise_to_pay=TODAY),
    ]
    aging = Aging(on=TODAY, keeps_items=False)
    for item in items:
        aging.add([item])
    summed_up = aging.parties()
    assert [replace(party, items=()) for party in age(items, on=TODAY)] == list(summed_up)
    assert [party.names for party in summed_up] == [("A", "A GmbH"), ("B",)]
    (balance,) = summed_up[1].each
    assert balance.past_due == balance.disputed + items[4].open_amount
    assert not balance.asked
    assert (balance.items_asked, balance.disputes_overdue) == (0, True)


amounts = st.decimals(min_value=-500, max_value=500, places=2)
an_owed = st.builds(
    overdue_by,
    st.integers(-40, 130),
    open_amount=amounts,
    currency=st.sampled_from(["EUR", "JPY", "USD"]),
    disputed=st.booleans(),
    dunning_blocked=st.booleans(),
    promise_to_pay=st.sampled_from([None, TODAY - timedelta(days=1), TODAY, TODAY + timedelta(days=9)]),
)


@given(st.lists(an_owed, min_size=1, max_size=6))
def test_a_partys_balances_are_what_its_items_come_to(items: list[OpenItem]):
    aging = Aging(on=TODAY, keeps_items=False)
    aging.add(items)
    (party,) = aging.parties()
    assert [balance.currency for balance in party.each] == sorted({item.currency for item in items})
    for balance in party.each:
        theirs = [item for item in items if item.currency == balance.currency]
        debts = [item for item in theirs if item.open_amount > 0]
        late = [item for item in debts if item.due_date < TODAY]
        dunned = [item for item in late if item.may_be_dunned]
        asked = [item for item in late if item.may_be_asked_for(on=TODAY)]

        def total(of: list[OpenItem]) -> Decimal:
            return sum((item.open_amount for item in of), Decimal(0))

        def oldest(of: list[OpenItem]) -> int:
            return max((days_overdue(item.due_date, on=TODAY) for item in of), default=0)

        assert balance.open == total(debts) == sum(balance.by_age)
        assert balance.credits == -total([item for item in theirs if item.is_credit])
        assert (balance.past_due, balance.overdue, balance.asked) == (
            total(late),
            total(dunned),
            total(asked),
        )
        assert balance.overdue_net == max(Decimal(0), balance.overdue - balance.credits)
        assert (balance.items_overdue, balance.items_asked) == (len(dunned), len(asked))
        assert (balance.oldest_days, balance.asked_days) == (oldest(dunned), oldest(asked))
        assert balance.disputed == total([item for item in debts if item.disputed])
        assert balance.disputes_overdue is any(item.disputed for item in late)
        assert balance.largest == max((item.open_amount for item in debts), default=Decimal(0))
        for age_of, amount in balance.buckets.items():
            assert amount == total([item for item in debts if bucket(item.due_date, on=TODAY) is age_of])
    assert party.oldest_days == max(balance.oldest_days for balance in party.each)


def test_what_customers_are_called_in_the_books_and_among_ours_is_kept_once():
    known = a_customer()
    (item,) = [overdue_by(5, customer=known.name, tenant=known.id)]
    aging = Aging(on=TODAY, keeps_items=False, known={known.id: known})
    aging.add([replace(item, customer=f"{known.name} "[:-1], tenant=f"{known.id} "[:-1])])
    (party,) = aging.parties()
    assert (party.customer is known.name, party.tenant is known.id) == (True, True)
