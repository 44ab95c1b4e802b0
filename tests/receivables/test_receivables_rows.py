"""Rows: what is an item, what is skipped, and every reason to reject."""

from __future__ import annotations

import csv
import io
from dataclasses import FrozenInstanceError, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bot.domain.receivables import UNKNOWN_PARTY, OpenItem
from bot.receivables import Export, RowNote, read_export, reject_report
from bot.receivables.notes import Code
from bot.receivables.reject_report import safe_cell

AS_OF = date(2026, 11, 22)


def read(text: str, **given: Any) -> Export:
    return read_export(text.encode(), file_name="open.csv", as_of=AS_OF, **given)


def a_file(*rows: dict[str, str]) -> str:
    """Write rows that need say only what is special about them."""
    defaults = {
        "Customer": "Contoso",
        "Invoice No": "INV-1",
        "Due Date": "2026-10-31",
        "Currency": "EUR",
        "Balance": "150.00",
    }
    filled = [defaults | row for row in rows]
    headings = list(dict.fromkeys(heading for row in filled for heading in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, headings, restval="")
    writer.writeheader()
    writer.writerows(filled)
    return out.getvalue()


def the_item(**cells: str) -> OpenItem:
    export = read(a_file(cells))
    assert export.rejected == ()
    [item] = export.items
    return item


def codes(notes: tuple[RowNote, ...]) -> list[str]:
    return [note.code for note in notes]


@pytest.mark.parametrize(
    ("cells", "code", "column"),
    [
        pytest.param({"Balance": "abc"}, "bad_amount", "Balance", id="no amount"),
        pytest.param({"Balance": ""}, "bad_amount", "Balance", id="empty amount"),
        pytest.param({"Balance": "1.005"}, "too_many_decimals", "Balance", id="a tenth of a cent"),
        pytest.param({"Due Date": "31.11.2026"}, "bad_date", "Due Date", id="no such day"),
        pytest.param({"Due Date": "1926-10-31"}, "date_out_of_range", "Due Date", id="a hundred years ago"),
        pytest.param(
            {"Due Date": "", "Terms": "Net 30"}, "missing_due_date", "Due Date", id="terms without a start"
        ),
        pytest.param({"Invoice No": ""}, "missing_number", "Invoice No", id="a date but no number"),
        pytest.param({"Currency": "EURO"}, "bad_currency", "Currency", id="no ISO code"),
        pytest.param({"Currency": "XXX"}, "bad_currency", "Currency", id="the code for no currency"),
        pytest.param({"Currency": "$"}, "bad_currency", "Currency", id="a sign of many"),
        pytest.param({"Currency": ""}, "missing_currency", "Currency", id="no currency"),
        pytest.param({"Balance": "$150.00"}, "bad_currency", "Currency", id="sign against code"),
        pytest.param(
            {"Total": "200.00", "Paid": "10.00"},
            "inconsistent_amounts",
            "Balance",
            id="amounts that disagree",
        ),
        pytest.param({"S/H": "X"}, "bad_amount", "S/H", id="neither side"),
    ],
)
def test_a_row_in_doubt_is_rejected_with_its_column(cells, code, column):
    export = read(a_file({"Invoice No": "GOOD", "Customer": "Fabrikam"}, cells))
    assert [(note.at, note.code, note.column) for note in export.rejected] == [("line 3", code, column)]
    assert export.accepted == 1


class TestCurrency:
    @pytest.mark.parametrize(
        ("cell", "code"),
        [("eur", "EUR"), ("€", "EUR"), ("人民币", "CNY"), ("RMB", "CNY"), ("港币", "HKD"), ("US$", "USD")],
    )
    def test_codes_and_clear_signs_are_known(self, cell, code):
        assert the_item(Currency=cell).currency == code

    def test_a_clear_sign_beside_the_amount_is_enough(self):
        export = read("Customer,Invoice No,Due Date,Balance\nA,1,2026-10-31,€5.00\nB,2,2026-10-31,5.00\n")
        assert [item.currency for item in export.items] == ["EUR"]
        assert codes(export.rejected) == ["missing_currency"]

    def test_the_heading_may_name_it(self):
        assert (
            read("Customer,Invoice No,Due Date,Balance (CHF)\nA,1,2026-10-31,5.00\n").items[0].currency
            == "CHF"
        )

    def test_a_yen_sign_under_chinese_headings_is_yuan(self):
        assert read("客户,发票号,到期日,余额\n甲,1,2026-10-31,￥5.00\n").items[0].currency == "CNY"

    @pytest.mark.parametrize(
        ("default", "code"),
        [
            pytest.param(None, "missing_currency", id="none"),
            pytest.param("EURO", "bad_currency", id="a wrong one"),
        ],
    )
    def test_there_is_no_silent_default(self, default, code):
        export = read(
            "Customer,Invoice No,Due Date,Balance\nA,1,2026-10-31,$5.00\n", default_currency=default
        )
        assert export.refused is not None
        assert export.refused.code == code


class TestDates:
    def test_one_column_proves_the_order_for_another(self):
        rows = [{"Invoice Date": "13/10/2026", "Due Date": "12/11/2026"}]
        assert read(a_file(*rows)).items[0].due_date == date(2026, 11, 12)

    def test_each_column_has_its_own_order_where_it_proves_one(self):
        rows = [
            {"Invoice Date": "10/13/2026", "Due Date": "12/11/2026"},
            {"Invoice No": "2", "Invoice Date": "10/01/2026", "Due Date": "13/11/2026"},
        ]
        assert [(item.issue_date, item.due_date) for item in read(a_file(*rows)).items] == [
            (date(2026, 10, 13), date(2026, 11, 12)),
            (date(2026, 10, 1), date(2026, 11, 13)),
        ]

    def test_an_open_question_refuses_the_file(self):
        export = read(a_file({"Due Date": "03/04/2026"}))
        assert export.refused is not None
        assert export.refused.code == "ambiguous_date_order"

    def test_the_setting_answers_it(self):
        assert read(a_file({"Due Date": "03/04/2026"}), date_order="MDY").items[0].due_date == date(
            2026, 3, 4
        )

    def test_the_files_proof_beats_the_setting_and_says_so(self):
        export = read(a_file({"Due Date": "13/04/2026"}), date_order="MDY")
        assert export.items[0].due_date == date(2026, 4, 13)
        assert codes(export.warnings) == ["date_order_overridden"]

    def test_both_orders_in_one_column_refuse_the_file(self):
        export = read(a_file({"Due Date": "13/04/2026"}, {"Invoice No": "2", "Due Date": "04/13/2026"}))
        assert export.refused is not None
        assert export.refused.code == "ambiguous_date_order"

    def test_two_digit_years_are_told(self):
        export = read(a_file({"Due Date": "13.04.26"}))
        assert export.items[0].due_date == date(2026, 4, 13)
        assert codes(export.warnings) == ["two_digit_year"]


class TestNumberStyle:
    @pytest.mark.parametrize(
        ("header", "amount", "value"),
        [
            pytest.param(
                "Kunde;Rechnungsnr;Fälligkeit;Währung;Offen", "1.234", "1234", id="German groups by dots"
            ),
            pytest.param(
                "Customer;Invoice No;Due Date;Currency;Balance", "1,234", "1234", id="English by commas"
            ),
        ],
    )
    def test_the_headings_language_decides_what_nothing_proves(self, header, amount, value):
        export = read(f"{header}\nA;1;2026-10-31;EUR;{amount}\n")
        assert export.items[0].open_amount == Decimal(value)
        assert codes(export.warnings) == ["number_format_assumed"]

    def test_contradicting_amounts_refuse_the_file(self):
        export = read(a_file({"Balance": "1,234.56"}, {"Invoice No": "2", "Balance": "1.234,56"}))
        assert export.refused is not None
        assert export.refused.code == "mixed_number_format"


class TestCredits:
    @pytest.mark.parametrize(
        "kind",
        [
            *("Credit Note", "Sales credit memo", "Refund", "Gutschrift", "红字发票"),
            *("Return", "Sales Return", "RTN", "Discount", "Retoure", "Rabatt", "Kreditnota", "退货单"),
        ],
    )
    def test_a_credit_is_negative_however_it_is_written(self, kind):
        item = the_item(Type=kind, Balance="50.00")
        assert (item.open_amount, item.kind) == (Decimal("-50.00"), "credit_note")

    @pytest.mark.parametrize(
        "kind",
        [
            *("Payment", "Payment received", "PMT", "On account", "Prepayment", "Zahlungseingang", "收款单"),
            *("Receipt", "Customer Receipt", "Cash receipt", "Bank Receipt", "回款单"),
        ],
    )
    def test_money_that_came_in_is_no_debt(self, kind: str):
        item = the_item(Type=kind, Balance="50.00")
        assert (item.open_amount, item.kind) == (Decimal("-50.00"), "payment_on_account")

    @pytest.mark.parametrize("kind", ["Quittung", "RV", "入金"])
    def test_a_type_nobody_taught_us_is_taken_for_an_invoice_and_told(self, kind: str):
        export = read(a_file({"Type": kind, "Balance": "50.00"}, {"Invoice No": "2", "Type": "Invoice"}))
        item = next(iter(export.items))
        assert (item.kind, item.open_amount) == ("invoice", Decimal("50.00"))
        assert codes(export.warnings) == ["unknown_type"]
        assert kind in export.warnings[0].message

    @pytest.mark.parametrize("said", [{"Balance": "-50.00"}, {"S/H": "S"}, {"S/H": "H"}, {"Balance": "0"}])
    def test_it_is_not_told_where_the_row_itself_says_what_it_is(self, said: dict[str, str]):
        assert not read(a_file({"Type": "RV", **said})).warnings

    def test_a_credit_given_as_negative_stays_so(self):
        assert the_item(Type="Gutschrift", Balance="-50.00").open_amount == Decimal("-50.00")

    def test_a_credit_without_a_due_date_has_its_issue_date(self):
        item = the_item(**{"Type": "Credit note", "Invoice Date": "2026-09-01", "Due Date": ""})
        assert item.due_date == date(2026, 9, 1)

    def test_a_payment_on_account_is_no_debt(self):
        item = the_item(Type="Payment", Balance="50.00")
        assert (item.open_amount, item.kind) == (Decimal("-50.00"), "payment_on_account")

    @pytest.mark.parametrize(
        ("side", "sign"), [("H", -1), ("Haben", -1), ("CR", -1), ("贷", -1), ("S", 1), ("DR", 1)]
    )
    def test_the_side_gives_the_sign(self, side, sign):
        assert the_item(**{"S/H": side}).open_amount == sign * 150


class TestProtection:
    @pytest.mark.parametrize(
        ("cells", "disputed"),
        [
            pytest.param({"Status": "Disputed"}, True, id="status"),
            pytest.param({"Disputed": "x"}, True, id="mark"),
            pytest.param({"Disputed": "wrong price"}, True, id="a reason is a yes"),
            pytest.param({"Disputed": "no"}, False, id="no"),
            pytest.param({"Disputed": "否"}, False, id="Chinese no"),
            pytest.param({"Notes": "customer disputes this"}, True, id="remark"),
            pytest.param({"Memo": "Kunde reklamiert", "Notes": "ok"}, True, id="one of two remarks"),
            pytest.param({"Notes": "undisputed"}, False, id="undisputed"),
        ],
    )
    def test_a_dispute_is_noticed(self, cells, disputed):
        assert the_item(**cells).disputed is disputed

    @pytest.mark.parametrize(
        ("cells", "blocked"),
        [
            ({"Mahnsperre": "X"}, True),
            ({"Mahnsperre": ""}, False),
            ({"Mahnsperre": "nein"}, False),
            ({"Status": "On hold"}, True),
        ],
    )
    def test_a_dunning_block_is_noticed(self, cells, blocked):
        assert the_item(**cells).dunning_blocked is blocked

    def test_a_promise_to_pay_is_kept(self):
        assert the_item(**{"Promise to pay": "2026-11-30"}).promise_to_pay == date(2026, 11, 30)


class TestNotOpen:
    @pytest.mark.parametrize(
        "status", ["Paid", "VOIDED", "Draft", "written-off", "storniert", "已结清", "作废"]
    )
    def test_a_closed_status_is_not_open(self, status):
        export = read(a_file({"Status": status, "Balance": "0.00"}))
        assert (export.accepted, export.not_open, export.rejected) == (0, 1, ())

    @pytest.mark.parametrize(
        "status", ["Open", "Unpaid", "Partially paid", "Awaiting Payment", "Überfällig", "未付"]
    )
    def test_an_open_status_is_open(self, status):
        assert read(a_file({"Status": status})).accepted == 1

    @pytest.mark.parametrize("amount", ["0", "0.00", "-0.00", "-", "€ -"])
    def test_nothing_owed_is_not_open(self, amount):
        export = read(a_file({"Balance": amount}))
        assert (export.accepted, export.not_open) == (0, 1)

    def test_paid_with_an_open_amount_is_told(self):
        export = read(a_file({"Status": "Paid"}))
        assert (export.not_open, codes(export.warnings)) == (1, ["status_contradicts_amount"])

    def test_what_the_file_says_is_paid_is_named_by_its_key(self):
        assert read(a_file({"Status": "Paid", "Balance": "0"})).settled == {("name:contoso", "INV-1", 1)}


class TestSkipped:
    @pytest.mark.parametrize(
        "line",
        [
            pytest.param("", id="blank line"),
            pytest.param(",,,,", id="blank cells"),
            pytest.param("Customer,Invoice No,Due Date,Currency,Balance", id="header again"),
            pytest.param("TOTAL,,,,150.00", id="total"),
            pytest.param("Contoso total,,,,150.00", id="total of a customer"),
            pytest.param(",Summe,,,150.00", id="total in the number column"),
            pytest.param("合计,,2026-11-22,,150.00", id="total with a date"),
            pytest.param("本页合计,,,,150.00", id="total of a page"),
            pytest.param("* prices include tax,,,,", id="footer"),
        ],
    )
    def test_rows_that_are_no_documents_are_skipped(self, line):
        export = read(a_file({}) + line + "\n")
        assert (export.accepted, export.skipped, export.rejected) == (1, 1, ())

    def test_a_customer_called_total_is_a_customer(self):
        assert read(a_file({"Customer": "Total"})).accepted == 1

    def test_an_amount_lost_in_a_footer_is_told(self):
        export = read(a_file({}) + "Fabrikam,,,,99.00\n")
        assert codes(export.warnings) == ["row_without_number"]

    @pytest.mark.parametrize(
        ("type_", "amount"),
        [("", "-99.00"), ("", "(99.00)"), ("", "99.00-"), ("", "99.00 CR"), ("Payment", "99.00")],
    )
    def test_money_without_number_and_date_is_not_lost_in_a_footer(self, type_, amount):
        """Whoever paid it must not be taken for somebody who owes all of it."""
        header = "Customer,Invoice No,Type,Due Date,Currency,Balance\n"
        export = read(f"{header}Fabrikam,1,Invoice,2026-10-31,EUR,99.00\nFabrikam,,{type_},,,{amount}\n")
        assert codes(export.rejected) == ["missing_number"]
        assert export.incomplete_parties


class TestGroups:
    HEADER = "Customer,Invoice No,Due Date,Currency,Balance\n"

    def test_an_empty_customer_is_the_one_above(self):
        export = read(self.HEADER + "A,1,2026-10-31,EUR,1\n,2,2026-10-31,EUR,1\n")
        assert [item.customer for item in export.items] == ["A", "A"]

    def test_a_heading_names_the_group(self):
        export = read(self.HEADER + "A,,,,\n,1,2026-10-31,EUR,1\n")
        assert [item.customer for item in export.items] == ["A"]

    def test_customers_taken_from_above_are_told_once(self):
        export = read(self.HEADER + "A,1,2026-10-31,EUR,1\n,2,2026-10-31,EUR,1\n,3,2026-10-31,EUR,1\n")
        assert [(note.at, note.code) for note in export.warnings] == [("line 3", "customer_from_above")]

    def test_a_row_with_nobody_above_is_rejected(self):
        export = read(self.HEADER + ",1,2026-10-31,EUR,1\n")
        assert [(note.code, note.column) for note in export.rejected] == [("missing_customer", "Customer")]

    @pytest.mark.parametrize("line", ["A total,,,,1\n", ",,,,\n"], ids=["a total", "a blank row"])
    def test_a_group_ends_with(self, line):
        export = read(self.HEADER + "A,1,2026-10-31,EUR,1\n" + line + ",2,2026-10-31,EUR,1\n")
        assert codes(export.rejected) == ["missing_customer"]
        assert export.incomplete_parties == {UNKNOWN_PARTY}


class TestDuplicates:
    def test_identical_rows_are_taken_once(self):
        export = read(a_file({}, {}, {}))
        assert (export.accepted, export.duplicates) == (1, 2)

    def test_different_rows_are_all_rejected(self):
        export = read(a_file({}, {}, {"Balance": "1.00"}))
        assert codes(export.rejected) == ["conflicting_duplicate"] * 3
        assert (export.accepted, export.duplicates) == (0, 0)

    def test_one_number_at_two_customers_is_fine(self):
        assert read(a_file({}, {"Customer": "Fabrikam"})).accepted == 2

    def test_instalments_are_told_apart(self):
        rows = [{"Instalment": "1/2"}, {"Instalment": "2/2", "Due Date": "2026-11-30"}]
        assert [item.instalment for item in read(a_file(*rows)).items] == [1, 2]

    def test_numbers_are_text(self):
        assert read(a_file({"Invoice No": "200"}, {"Invoice No": "0200"})).accepted == 2

    def test_open_and_void_under_one_number_contradict(self):
        assert codes(read(a_file({}, {"Status": "Void"})).rejected) == ["conflicting_duplicate"] * 2


class TestTenants:
    @pytest.mark.parametrize(
        ("cell", "tenant"),
        [
            ("11111111-2222-4333-8444-555555555555", "11111111-2222-4333-8444-555555555555"),
            ("{11111111-2222-4333-8444-555555555555}", "11111111-2222-4333-8444-555555555555"),
            ("contoso.partner.onmschina.cn", "contoso.partner.onmschina.cn"),
            ("contoso.com", "contoso.com"),
            ("", None),
        ],
    )
    def test_ids_and_domains_are_taken(self, cell, tenant):
        assert the_item(**{"Tenant ID": cell}).tenant == tenant

    @pytest.mark.parametrize("cell", ["unknown", "gmail.com", "1234"])
    def test_what_is_nobodys_tenant_is_left_out_and_told(self, cell):
        export = read(a_file({"Tenant ID": cell}))
        assert export.items[0].tenant is None
        assert codes(export.warnings) == ["bad_tenant"]

    def test_a_name_like_a_web_address_is_no_tenant(self):
        assert the_item(Customer="Booking.com").tenant is None

    def test_two_tenants_under_one_name_are_not_lent_to_a_third_row(self):
        rows = [
            {"Invoice No": number, "Domain": domain}
            for number, domain in (("1", "a.example"), ("2", "b.example"), ("3", ""))
        ]
        assert [item.tenant for item in read(a_file(*rows)).items] == ["a.example", "b.example", None]


def test_names_are_cleaned_of_line_breaks_and_control_characters():
    assert the_item(Customer="  Con\u202etoso\n\tLtd \x07").customer == "Contoso Ltd"


class TestRejectReport:
    @pytest.mark.parametrize(
        "cell", ["=HYPERLINK(1)", "+1", "-1", "@SUM(A1)", "\t=1", "  =1", "＝1+1", "＠x", "\r=1", "\u202e=1"]
    )
    def test_no_cell_is_a_formula(self, cell):
        note = RowNote("line 2", Code.BAD_DATE, "…", (cell,), "Due Date")
        [_, row] = csv.reader(io.StringIO(reject_report([note]), newline=""))
        assert row[-1].startswith("'")

    @pytest.mark.parametrize(
        ("cell", "safe"),
        [
            pytest.param("Evil AG;=cmd|'/C calc'!A0;", "Evil AG;'=cmd|'/C calc'!A0;", id="semicolon"),
            pytest.param("Evil,@SUM(A1)", "Evil,'@SUM(A1)", id="comma"),
            pytest.param("Evil\t-2+3", "Evil\t'-2+3", id="tab"),
            pytest.param("Evil\n=1", "Evil\n'=1", id="line end"),
            pytest.param("Evil; =1", "Evil; '=1", id="a space between"),
            pytest.param('Evil;"" =1', 'Evil;"" \'=1', id="quotes between"),
            pytest.param("Evil;\u202e=1", "Evil;'=1", id="an unseen mark between"),
            pytest.param("Evil;;=1;+A1", "Evil;;'=1;'+A1", id="more than one"),
            pytest.param("Evil;＝1", "Evil;'＝1", id="full-width"),
            pytest.param("=1;=2", "'=1;'=2", id="at the start, too"),
        ],
    )
    def test_no_part_of_a_cell_is_a_formula_where_files_are_split_elsewhere(self, cell, safe):
        assert safe_cell(cell) == safe

    @pytest.mark.parametrize(
        "cell",
        ["1;-2", "5,-", "Contoso, +49 30 1234", "[1, -2]", "a-b; c+d", "ana@contoso.example, ben", "x = 1"],
    )
    def test_ordinary_text_stays_as_it_is(self, cell):
        assert safe_cell(cell) == cell

    def test_it_holds_where_why_and_the_row(self):
        export = read(a_file({"Due Date": "never"}))
        header, row = csv.reader(io.StringIO(reject_report(export.rejected), newline=""))
        assert header[:4] == ["at", "column", "code", "message"]
        assert row[:3] == ["line 2", "Due Date", "bad_date"]
        assert row[4:] == ["Contoso", "INV-1", "never", "EUR", "150.00"]

    def test_control_and_bidi_characters_are_dropped(self):
        assert "\u202e" not in reject_report([RowNote("line 2", Code.BAD_DATE, "…", ("a\u202eb\x00c",))])


class TestWhatTheFirstLinesDoNotShow:
    """A large file is read by what its first lines make likely; the rest may say otherwise."""

    MANY = 1200

    def export(self, *last: str, amount: str = "5", day: str = "2026-10-31") -> Export:
        lines = [f"Contoso,,INV-{n},{day},EUR,{amount}" for n in range(self.MANY)]
        header = "Customer,Tenant ID,Invoice No,Due Date,Currency,Balance"
        return read("\n".join([header, *lines, *last]))

    def test_the_decimal_mark(self):
        export = self.export('Fabrikam,,X,2026-10-31,EUR,"7,50"', amount="1.234")
        assert {item.open_amount for item in export.items} == {Decimal("1234.00"), Decimal("7.50")}
        assert export.warnings == ()

    def test_a_contradicting_mark(self):
        refused = self.export('Fabrikam,,X,2026-10-31,EUR,"7,50"', amount="5.25").refused
        assert refused is not None
        assert refused.code == "mixed_number_format"

    def test_the_order_of_day_and_month(self):
        export = self.export("Fabrikam,,X,10/31/2026,EUR,5", day="02/01/2026")
        assert {item.due_date for item in export.items} == {date(2026, 2, 1), date(2026, 10, 31)}

    def test_the_tenant(self):
        export = self.export("Contoso,contoso.com,X,2026-10-31,EUR,5")
        assert {item.tenant for item in export.items} == {"contoso.com"}
        assert [(note.at, note.code) for note in export.warnings] == [("line 2", "tenant_filled_in")]

    def test_a_repetition(self):
        export = self.export("Contoso,,INV-0,2026-10-31,EUR,5")
        assert (export.accepted, export.duplicates) == (self.MANY, 1)

    def test_a_contradiction(self):
        export = self.export("Contoso,,INV-0,2026-10-31,EUR,6")
        assert [note.at for note in export.rejected] == ["line 2", f"line {self.MANY + 2}"]
        assert export.accepted == self.MANY - 1


def test_a_document_that_is_not_open_still_proves_the_decimal_mark():
    export = read(a_file({"Balance": "1.234"}, {"Invoice No": "2", "Status": "void", "Balance": "2,50"}))
    assert [item.open_amount for item in export.items] == [Decimal("1234.00")]


def test_a_sign_beside_what_was_paid_contradicts_the_currency_too():
    export = read(a_file({"Total": "9.00", "Paid": "$0.00", "Balance": "9.00"}))
    assert codes(export.rejected) == ["bad_currency"]


def test_an_item_read_is_like_any_other():
    item = the_item()
    again = replace(item)
    assert type(item) is OpenItem
    assert (item, hash(item)) == (again, hash(again))
    with pytest.raises(FrozenInstanceError):
        item.customer = "Fabrikam"  # type: ignore[misc]
