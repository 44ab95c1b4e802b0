"""Whose a debtor is: what proves it, what a person's word outweighs, and what is a suggestion alone."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.aging import PartyBalances, age
from bot.domain.customer import Customer, CustomerId
from bot.domain.directory import ConfirmedMapping, Directory, Doubt, MappingMethod, party_id
from bot.domain.receivables import OpenItem
from tests.builders import CONTOSO, a_customer, ana, noon

TODAY = date(2026, 11, 23)
OTHER = a_customer(
    id=CustomerId("99999999-2222-4333-8444-555555555555"), name="Fabrikam, Inc.", domain="fabrikam.example"
)
STRANGE = "77777777-2222-4333-8444-555555555555"


def owes(name: str, number: int = 1, **fields: Any) -> OpenItem:
    return OpenItem(
        customer=name,
        document_number=str(number),
        due_date=TODAY - timedelta(days=40),
        currency="EUR",
        open_amount=Decimal(100),
        **fields,
    )


def parties(*items: OpenItem) -> tuple[PartyBalances, ...]:
    return age(items, on=TODAY)


def a_party(name: str = "Some Debtor", tenant: str | None = None, code: str | None = None) -> PartyBalances:
    (party,) = parties(owes(name, tenant=tenant, customer_code=code))
    return party


def says(party: PartyBalances, customer: Customer) -> ConfirmedMapping:
    return ConfirmedMapping(party.customer_key, customer.id, ana.id, noon, party.customer)


def named(*names: str) -> list[Customer]:
    return [a_customer(id=CustomerId(name), name=name, domain=None) for name in names]


class TestWhoseItIs:
    @pytest.mark.parametrize(
        ("tenant", "customer", "method"),
        [
            pytest.param(CONTOSO, a_customer(), MappingMethod.TENANT_ID, id="the tenant id"),
            pytest.param(f" {CONTOSO.upper()} ", a_customer(), MappingMethod.TENANT_ID, id="in capitals"),
            pytest.param("Contoso.onmicrosoft.COM", a_customer(), MappingMethod.DOMAIN, id="the domain"),
            pytest.param("mail.contoso.onmicrosoft.com", None, MappingMethod.NONE, id="one below it"),
            pytest.param(STRANGE, None, MappingMethod.NONE, id="somebody else's tenant id"),
            pytest.param(None, None, MappingMethod.NONE, id="no tenant"),
        ],
    )
    def test_what_the_books_name(self, tenant: str | None, customer: Customer | None, method: MappingMethod):
        directory = Directory([a_customer(), OTHER])
        party = a_party(tenant=tenant)
        assert (directory.of(party), directory.how(party)) == (customer, method)

    @pytest.mark.parametrize("tenant", [None, CONTOSO, "contoso.onmicrosoft.com", STRANGE])
    def test_a_persons_word_outweighs_the_books(self, tenant: str | None):
        party = a_party(tenant=tenant)
        directory = Directory([a_customer(), OTHER], [says(party, OTHER)])
        assert (directory.of(party), directory.how(party)) == (OTHER, MappingMethod.TABLE)

    def test_a_word_on_one_who_is_gone_stands_and_the_books_do_not_count_instead(self):
        party = a_party(tenant=CONTOSO)
        directory = Directory([a_customer()], [says(party, OTHER)])
        assert (directory.of(party), directory.how(party)) == (None, MappingMethod.NONE)
        assert directory.suggestion_for(party) is None

    @pytest.mark.parametrize("domain", ["gmail.com", "outlook.com", "QQ.com", "163.com", "t-online.de"])
    def test_a_mail_providers_domain_is_nobodys(self, domain: str):
        directory = Directory([a_customer(domain=domain.lower())])
        assert directory.of(a_party(tenant=domain)) is None

    def test_a_customer_added_later_is_known_too(self):
        directory = Directory([])
        assert directory.suggestion_for(a_party("Fabrikam")) is None
        directory.add(OTHER)
        assert directory.of(a_party(tenant=OTHER.id)) == OTHER
        assert directory.suggestion_for(a_party("Fabrikam")) == OTHER


class TestWhatIsNotClear:
    """It is nobody's until a person says so."""

    @pytest.mark.parametrize(
        ("items", "doubt"),
        [
            pytest.param([owes("A", tenant=CONTOSO), owes("A", 2, tenant=CONTOSO)], None, id="one debtor"),
            pytest.param(
                [owes("Bär Ltd", tenant=CONTOSO), owes("BAR, LTD.", 2, tenant=CONTOSO)],
                None,
                id="one name spelled in two ways",
            ),
            pytest.param(
                [owes("A", tenant=CONTOSO), owes("A", 2, tenant="contoso.onmicrosoft.com")],
                None,
                id="one debtor, tenant id here and domain there",
            ),
            pytest.param(
                [owes("A", tenant=CONTOSO, customer_code="1"), owes("A", 2, tenant=CONTOSO)],
                None,
                id="the code left out once",
            ),
            pytest.param(
                [owes("A Ltd", tenant=CONTOSO), owes("A GmbH", 2, tenant=CONTOSO)],
                Doubt.SEVERAL_DEBTORS,
                id="two names, one tenant",
            ),
            pytest.param(
                [
                    owes("A", tenant=CONTOSO, customer_code="1"),
                    owes("A", 2, tenant=CONTOSO, customer_code="2"),
                ],
                Doubt.SEVERAL_DEBTORS,
                id="two accounts, one tenant",
            ),
            pytest.param(
                [owes("A", tenant=CONTOSO), owes("B", 2, tenant="contoso.onmicrosoft.com")],
                Doubt.SEVERAL_DEBTORS,
                id="two debtors, by tenant id and by domain",
            ),
            pytest.param(
                [
                    owes("A", tenant=CONTOSO, customer_code="1"),
                    owes("A", 2, tenant=OTHER.id, customer_code="1"),
                ],
                Doubt.SEVERAL_CUSTOMERS,
                id="one account, two tenants",
            ),
            pytest.param(
                [owes("A", tenant=CONTOSO), owes("A", 2, tenant=OTHER.id)],
                None,
                id="two of one name, each with a tenant",
            ),
        ],
    )
    def test_what_is_shared(self, items: list[OpenItem], doubt: Doubt | None):
        directory = Directory([a_customer(), OTHER])
        found = parties(*items)
        directory.see(found)
        for party in found:
            assert directory.doubt(party) is doubt
            assert (directory.of(party) is None) is (doubt is not None)
            assert (directory.how(party) is MappingMethod.NONE) is (doubt is not None)
            named_by_books = OTHER if party.tenant == OTHER.id else a_customer()
            assert directory.suggestion_for(party) == (named_by_books if doubt else None)

    def test_a_customers_debtors_are_those_that_are_clear(self):
        said, clear = a_party("Old name", code="9"), a_party(tenant=OTHER.id, code="8")
        doubtful = parties(
            owes("A", tenant=CONTOSO, customer_code="1"),
            owes("B", 2, tenant="contoso.onmicrosoft.com", customer_code="2"),
        )
        directory = Directory([a_customer(), OTHER], [says(said, a_customer())])
        directory.see([*doubtful, said, clear])
        assert directory.debtors_of(CONTOSO) == (said,)
        assert directory.debtors_of(OTHER.id) == (clear,)
        assert directory.debtors_of(STRANGE) == ()
        assert set(directory.seen()) == {CONTOSO, OTHER.id}

    def test_who_is_not_in_the_books_any_more_shares_with_who_is(self):
        directory = Directory([a_customer(), OTHER])
        directory.see([a_party(tenant=CONTOSO, code="1")])
        assert directory.doubt(a_party(tenant=CONTOSO, code="2")) is Doubt.SEVERAL_DEBTORS
        assert directory.doubt(a_party(tenant=OTHER.id, code="1")) is Doubt.SEVERAL_CUSTOMERS
        assert directory.doubt(a_party(tenant=CONTOSO, code="1")) is None

    def test_a_domain_that_two_bear(self):
        directory = Directory([a_customer(), a_customer(id=OTHER.id, name="Twin")])
        party = a_party(tenant="contoso.onmicrosoft.com")
        assert (directory.of(party), directory.doubt(party)) == (None, Doubt.SEVERAL_CUSTOMERS)

    def test_each_is_settled_by_a_word_of_its_own(self):
        one, other = parties(owes("A", tenant=CONTOSO), owes("B", 2, tenant="contoso.onmicrosoft.com"))
        directory = Directory([a_customer()], [says(one, a_customer())])
        directory.see([one, other])
        assert (directory.of(one), directory.doubt(one)) == (a_customer(), None)
        assert (directory.of(other), directory.doubt(other)) == (None, Doubt.SEVERAL_DEBTORS)

    def test_whom_a_person_named_shares_too(self):
        by_word, by_books = parties(owes("A"), owes("B", 2, tenant=CONTOSO))
        directory = Directory([a_customer()], [says(by_word, a_customer())])
        directory.see([by_word, by_books])
        assert directory.of(by_word) == a_customer()
        assert (directory.of(by_books), directory.suggestion_for(by_books)) == (None, a_customer())


class TestSuggestions:
    @pytest.mark.parametrize(
        ("debtor", "customers", "suggested"),
        [
            pytest.param("contoso  ltd.", ["Contoso Ltd"], "Contoso Ltd", id="spaces and dots"),
            pytest.param(
                "CONTOSO LTD", ["Contoso Ltd", "Contoso GmbH"], "Contoso Ltd", id="the very name first"
            ),
            pytest.param("Contoso", ["Contoso Ltd"], "Contoso Ltd", id="without its legal form"),
            pytest.param("Contoso Limited", ["Contoso Ltd", "Contoso GmbH"], None, id="two are as like"),
            pytest.param("Contoso Ltd & Sons", ["Contoso Ltd"], None, id="half of the words"),
            pytest.param("Alpine Ski Club", ["Alpine Ski House"], None, id="another club"),
            pytest.param(
                "Fourth Coffee",
                ["Fourth Coffee Inc.", "Fourth Coffee Berlin GmbH"],
                "Fourth Coffee Inc.",
                id="the likest",
            ),
            pytest.param(
                "Woodgrove Bank", ["Trey Bank", "Woodgrove Bank plc"], "Woodgrove Bank plc", id="common words"
            ),
            pytest.param(
                "Mueller & Soehne Maschinenbau",
                ["Müller & Söhne Maschinenbau GmbH"],
                "Müller & Söhne Maschinenbau GmbH",
                id="umlauts written out",
            ),
            pytest.param(
                "Bäckerei Grünwald",
                ["Bäckerei Grünwald GmbH & Co. KG"],
                "Bäckerei Grünwald GmbH & Co. KG",
                id="German",
            ),
            pytest.param(
                "云杉科技（北京）",
                ["北京云杉科技有限公司"],
                "北京云杉科技有限公司",
                id="Chinese, place behind",
            ),
            pytest.param(
                "深圳启程物流",
                ["深圳市启程物流有限公司"],
                "深圳市启程物流有限公司",
                id="Chinese, place shorter",
            ),
            pytest.param(
                "上海云图信息技术有限公司",
                ["上海澜图信息技术有限公司"],
                None,
                id="Chinese, another of that trade",
            ),
            pytest.param("㈱さくら商事", ["さくら商事株式会社"], "さくら商事株式会社", id="Japanese"),
            pytest.param("(주)한빛소프트", ["주식회사 한빛소프트"], "주식회사 한빛소프트", id="Korean"),
            pytest.param("ООО «Северный Ветер»", ["Северный Ветер"], "Северный Ветер", id="Cyrillic"),
            pytest.param('בזק בע"מ', ["בזק"], "בזק", id="Hebrew"),
            pytest.param("النور", ["شركة النور ذ.م.م"], "شركة النور ذ.م.م", id="Arabic"),
            pytest.param("บริษัทไทยคลาวด์จำกัด", ["บริษัท ไทยคลาวด์ จำกัด"], "บริษัท ไทยคลาวด์ จำกัด", id="Thai"),
            pytest.param("Sao Mai", ["Công ty TNHH Sao Mai"], "Công ty TNHH Sao Mai", id="Vietnamese"),
            pytest.param("Kowalski", ["Kowalski Sp. z o.o."], "Kowalski Sp. z o.o.", id="Polish"),
            pytest.param("GmbH", ["AG"], None, id="legal forms alone"),
            pytest.param("---", ["!!!"], None, id="no letters"),
        ],
    )
    def test_of_a_name(self, debtor: str, customers: list[str], suggested: str | None):
        directory = Directory(named(*customers))
        party = a_party(debtor)
        found = directory.suggestion_for(party)
        assert (found.name if found else None) == suggested
        assert directory.of(party) is None
        assert directory.how(party) is MappingMethod.NONE

    def test_there_is_none_for_whom_the_books_name(self):
        directory = Directory([a_customer(), OTHER])
        assert directory.suggestion_for(a_party("Fabrikam, Inc.", tenant=CONTOSO)) is None

    def test_the_best_is_found_among_thousands_of_like_names(self):
        names = [f"Contoso {n} Trading Ltd" for n in range(3000)]
        found = Directory(named(*names, "Halden Marine Supplies")).suggestion_for(a_party("Halden Marine"))
        assert found is not None
        assert found.name == "Halden Marine Supplies"


def test_an_id_tells_nothing_of_the_debtor():
    id = party_id(a_party("Contoso Ltd").customer_key)
    assert id == party_id("name:contoso ltd")
    assert id != party_id("name:contoso")
    assert "contoso" not in id
    assert len(id) == 22


def test_the_keys_that_may_hold_something_against_a_customer_do_not_need_anything_open():
    said = says(a_party("Contoso Trading", code="4711"), a_customer())
    directory = Directory([a_customer(), OTHER], [said, says(a_party("Fabrikam"), OTHER)])
    assert directory.keys_of(a_customer().id) == {
        f"tenant:{CONTOSO}",
        "tenant:contoso.onmicrosoft.com",
        "code:4711",
    }
    assert directory.keys_of(CustomerId(STRANGE)) == {f"tenant:{STRANGE}"}


class TestSeveralBooks:
    def test_a_code_of_one_is_not_that_code_of_another(self):
        """Else two customers who are number 7, each in its own books, would be nobody's."""
        directory = Directory([a_customer(), OTHER])
        both = parties(
            owes("Contoso Ltd", source="tryton", tenant=CONTOSO, customer_code="7"),
            owes("Fabrikam, Inc.", source="xero", tenant=OTHER.id, customer_code="7"),
        )
        directory.see(both)
        assert {directory.of(party) for party in both} == {a_customer(), OTHER}

    def test_one_tenant_in_two_of_them_needs_a_persons_word(self):
        directory = Directory([a_customer()])
        (party,) = parties(
            owes("Contoso Ltd", source="tryton", tenant=CONTOSO, customer_code="7"),
            owes("Contoso Ltd", source="xero", tenant=CONTOSO, customer_code="c-1"),
        )
        directory.see([party])
        assert (directory.of(party), directory.doubt(party)) == (None, Doubt.SEVERAL_DEBTORS)
        assert Directory([a_customer()], [says(party, a_customer())]).of(party) == a_customer()


class TestExpectedNames:
    """Only what the suggestions that will be asked for need is kept of all names."""

    KNOWN = named(
        "Nordlicht Werft AG", "Nordlicht Bau GmbH", "Halden Marine Ltd", "Halden Foods Ltd", "Sturm AG"
    )
    ASKED = ("Nordlicht Werft", "Halden Marine AS", "Halden", "STURM AG", "Somebody Else")

    def suggested(self, directory: Directory, name: str) -> str | None:
        found = directory.suggestion_for(a_party(name))
        return found.name if found else None

    def test_make_no_difference_to_what_is_suggested(self):
        expecting = Directory(self.KNOWN)
        expecting.expect(self.ASKED)
        found = {name: self.suggested(expecting, name) for name in self.ASKED}
        assert found == {name: self.suggested(Directory(self.KNOWN), name) for name in self.ASKED}
        assert (found["Nordlicht Werft"], found["Halden"]) == ("Nordlicht Werft AG", None)

    def test_one_that_was_not_expected_is_looked_for_among_all(self):
        directory = Directory(self.KNOWN)
        directory.expect(["Halden Marine AS"])
        assert self.suggested(directory, "Nordlicht Werft") == "Nordlicht Werft AG"
