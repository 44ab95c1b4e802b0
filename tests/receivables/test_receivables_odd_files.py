"""Odd files, rule by rule: what is taken of them, what is rejected where and why, and what is passed over."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from bot.domain.receivables import OpenItem
from tests.receivables.exports import HEADER, read, said

SAID = dict[str, Any]
A = "A|1|2026-10-31|1.50 EUR"


def a_file(*lines: str, header: str = HEADER) -> str:
    return "\n".join((header, *lines)) + "\n"


def the_item(header: str, line: str, **given: Any) -> OpenItem:
    export = read(a_file(line, header=header), **given)
    assert export.rejected == ()
    [item] = export.items
    return item


WITH_TOTAL = "Customer,Invoice No,Due Date,Currency,Total,Paid,Balance"


class TestWhichAmount:
    @pytest.mark.parametrize(
        ("amounts", "said_of_it"),
        [
            pytest.param("100,0,100", "100.00", id="nothing paid"),
            pytest.param("100,40,60", "60.00", id="paid in part"),
            pytest.param("100,40,", "60.00", id="open is not given"),
            pytest.param(",40,60", "60.00", id="total is not given"),
            pytest.param("100,,100", "100.00", id="paid is not given"),
            pytest.param("100,-40,60", "60.00", id="payments below zero"),
            pytest.param("100,120,-20", "-20.00", id="overpaid"),
            pytest.param("-100,0,-100", "-100.00", id="a credit"),
            pytest.param("-100,40,-60", "-60.00", id="a credit, used in part"),
            pytest.param("(100),(40),(60)", "-60.00", id="a credit in parentheses"),
            pytest.param("100,40,50", "inconsistent_amounts", id="ten are missing"),
            pytest.param("100,0,0", "inconsistent_amounts", id="neither paid nor open"),
            pytest.param("100,40,-60", "inconsistent_amounts", id="open of another sign"),
            pytest.param("100,-40,", "inconsistent_amounts", id="paid of another sign, open is not given"),
            pytest.param("100,,", "bad_amount", id="only a total where open has a column"),
            pytest.param("100,40,x", "bad_amount", id="open is no amount"),
            pytest.param("100,100,0", None, id="paid"),
            pytest.param("0,0,0", None, id="nothing at all"),
        ],
    )
    def test_open_total_and_paid(self, amounts, said_of_it):
        export = read(a_file(f"A,1,2026-10-31,EUR,{amounts}", header=WITH_TOTAL))
        found = [str(item.open_amount) for item in export.items] + [note.code for note in export.rejected]
        assert found == ([said_of_it] if said_of_it else [])
        assert export.not_open == (0 if said_of_it else 1)

    @pytest.mark.parametrize(
        ("header", "cells", "amount"),
        [
            pytest.param("币种,本位币余额,原币余额", "USD,700,100", "100.00 USD", id="原币 before 本位币"),
            pytest.param("Currency,Balance (LCY),Balance", "USD,700,100", "100.00 USD", id="LCY"),
            pytest.param(
                "Local Currency,Amount in local currency,Document Currency,Amount in doc. curr.",
                "EUR,700,USD,100",
                "100.00 USD",
                id="each with its own currency",
            ),
            pytest.param(
                "币种,原币金额,原币已收金额,本位币余额",
                "USD,100,40,420",
                "60.00 USD",
                id="total and paid before an open amount in the home currency",
            ),
            pytest.param(
                "原币币种,本位币币种,本位币余额",
                "USD,CNY,700",
                "700.00 CNY",
                id="only the home currency, named",
            ),
            pytest.param(
                "币种,本位币余额（CNY）", "USD,700", "700.00 CNY", id="the home currency in the heading"
            ),
            pytest.param(
                "币种,价税合计,本位币余额",
                "USD,100,700",
                "missing_currency",
                id="the home currency is not named",
            ),
        ],
    )
    def test_a_transaction_currency_wins_and_no_amount_gets_the_others(self, header, cells, amount):
        export = read(a_file(f"甲,1,2026-10-31,{cells}", header=f"客户,发票号,到期日,{header}"))
        found = [f"{item.open_amount} {item.currency}" for item in export.items]
        found += [export.refused.code] if export.refused else []
        assert found == [amount]

    def test_the_home_currency_may_be_said(self):
        item = the_item(
            "客户,发票号,到期日,币种,本位币余额", "甲,1,2026-10-31,USD,700", default_currency="CNY"
        )
        assert (item.currency, str(item.open_amount)) == ("CNY", "700.00")


class TestNumbers:
    @pytest.mark.parametrize(
        ("cell", "currency", "amount"),
        [
            pytest.param("1,250", "JPY", "1250", id="yen"),
            pytest.param("1250.00", "JPY", "1250", id="yen with needless decimals"),
            pytest.param("1,250.50", "JPY", "too_many_decimals", id="half a yen"),
            pytest.param("1,234.500", "KWD", "1234.500", id="dinar"),
            pytest.param("12.345", "KWD", "12.345", id="dinar, three decimals"),
            pytest.param("1.2345", "KWD", "too_many_decimals", id="dinar, four decimals"),
            pytest.param("\u200e1,234.50", "EUR", "1234.50", id="an unseen mark before"),
            pytest.param("1,234.50\u200b", "EUR", "1234.50", id="an unseen mark after"),
            pytest.param("\u202e05.432\u202c", "EUR", "bad_amount", id="digits shown the other way round"),
            pytest.param("#N/A", "EUR", "bad_amount", id="a failed formula"),
            pytest.param("TBD", "EUR", "bad_amount", id="letters"),
        ],
    )
    def test_an_amount(self, cell, currency, amount):
        export = read(a_file(f'A,1,2026-10-31,{currency},"{cell}"'))
        found = [str(item.open_amount) for item in export.items] + [note.code for note in export.rejected]
        assert found == [amount]

    @pytest.mark.parametrize(
        ("amounts", "read_as"),
        [
            pytest.param(["1.234,56", "7.890"], ["1234.56", "7890.00"], id="one shows it for all"),
            pytest.param(["7.890", "0,5"], ["7890.00", "0.50"], id="a later one too"),
            pytest.param(["1,23,456", "7,890"], ["123456.00", "7890.00"], id="Indian groups"),
            pytest.param(["1'234", "7'890.5"], ["1234.00", "7890.50"], id="Swiss groups"),
        ],
    )
    def test_the_file_settles_the_decimal_mark(self, amounts, read_as):
        lines = [f'A,{n},2026-10-31,EUR,"{amount}"' for n, amount in enumerate(amounts)]
        assert [str(item.open_amount) for item in read(a_file(*lines)).items] == read_as


class TestCurrency:
    @pytest.mark.parametrize(
        ("cell", "default", "currency"),
        [
            pytest.param(" eur ", None, "EUR", id="small letters"),
            pytest.param("人民币(CNY)", None, "CNY", id="word and code"),
            pytest.param("CNY 人民币", None, "CNY", id="code and word"),
            pytest.param("USD/EUR", None, "bad_currency", id="two codes"),
            pytest.param("$", None, "bad_currency", id="a dollar of many"),
            pytest.param("$", "USD", "USD", id="a dollar, and it is said which"),
            pytest.param("$", "EUR", "bad_currency", id="a dollar, and euros are said"),
            pytest.param("¥", "USD", "bad_currency", id="a yen sign, and dollars are said"),
            pytest.param("EURO", None, "bad_currency", id="no code"),
            pytest.param("XTS", None, "bad_currency", id="the code for tests"),
            pytest.param("", "CHF", "CHF", id="an empty cell is the one that is said"),
        ],
    )
    def test_a_cell(self, cell, default, currency):
        export = read(a_file(f"A,1,2026-10-31,{cell},5"), default_currency=default)
        found = [item.currency for item in export.items] + [note.code for note in export.rejected]
        assert found == [currency]

    @pytest.mark.parametrize(
        ("header", "currency"),
        [
            pytest.param("客户,发票号,到期日,余额", "CNY", id="Chinese"),
            pytest.param(
                "Customer 客户,Invoice No 发票号,Due Date 到期日,Balance 余额", "CNY", id="bilingual"
            ),
            pytest.param("Customer,Invoice No,Due Date,Balance", "missing_currency", id="English"),
            pytest.param(
                "Customer 顧客名,Invoice No 請求番号,Due Date 支払期日,Amount 金額",
                "missing_currency",
                id="bilingual, but Japanese",
            ),
        ],
    )
    def test_a_yen_sign_beside_an_amount_is_yuan_under_chinese_headings(self, header, currency):
        export = read(a_file("甲,1,2026-10-31,￥5.00", header=header))
        found = [item.currency for item in export.items] + ([export.refused.code] if export.refused else [])
        assert found == [currency]


class TestGroups:
    ONE, TWO = "A,1,2026-10-31,EUR,1", ",2,2026-10-31,EUR,1"

    @pytest.mark.parametrize(
        ("between", "customer"),
        [
            pytest.param([], "A", id="nothing"),
            pytest.param([HEADER], "A", id="the header of the next page"),
            pytest.param([HEADER.upper()], "A", id="the header in capitals"),
            pytest.param(["本页合计,,,,1", HEADER], "A", id="the sum of a page and the next header"),
            pytest.param(["Page 2 of 3,,,,", HEADER], "A", id="the number of the page and the header"),
            pytest.param(["A total,,,,1"], None, id="the customer's total"),
            pytest.param([",Subtotal,,,1"], None, id="a subtotal beside the numbers"),
            pytest.param([",,,,"], None, id="a blank row"),
            pytest.param(["-----,-----,-----,-----,-----"], None, id="a ruled line"),
            pytest.param(["B,,,,"], "B", id="the heading of the next group"),
            pytest.param(["B,9,never,EUR,1"], "B", id="a rejected row of another customer"),
        ],
    )
    def test_an_empty_customer_is_the_one_above_unless_the_group_ended(self, between, customer):
        export = read(a_file(self.ONE, *between, self.TWO))
        found = {item.document_number: item.customer for item in export.items}
        assert found.get("2") == customer
        assert export.accepted + len(export.rejected) + export.skipped == len(between) + 2

    def test_a_code_repeats_its_name(self):
        export = read(
            a_file("C1,A,1,2026-10-31,EUR,1", "C1,,2,2026-10-31,EUR,1", header=f"Customer No,{HEADER}")
        )
        assert [(item.customer, item.customer_code) for item in export.items] == [("A", "C1")] * 2

    def test_a_name_repeats_its_code(self):
        export = read(
            a_file("C1,A,1,2026-10-31,EUR,1", ",A,2,2026-10-31,EUR,1", header=f"Customer No,{HEADER}")
        )
        assert [(item.customer, item.customer_code) for item in export.items] == [("A", "C1")] * 2

    def test_a_failed_formula_is_not_the_customer_above(self):
        export = read(a_file(self.ONE, "#N/A,2,2026-10-31,EUR,1", ",3,2026-10-31,EUR,1"))
        assert said(export) == {
            "items": ["A|1|2026-10-31|1.00 EUR"],
            "rejected": ["line 3 missing_customer", "line 4 missing_customer"],
            "warnings": ["line 4 customer_from_above"],
        }


class TestSkipped:
    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(line, id=line)
            for line in (
                "Grand Total,,,,1.50", "Sub-total,,,,1", "Total for A,,,,1.50", "Totals:,,,EUR,1",
                "Gesamtsumme:,,,,1", "Zwischensumme,,,,1", "Summe EUR,,,,1",
                "合 计,,,,1", "合计：,,,,1", "A小计,,,,1", "總計,,,,1", "累计,,,,1", "本页小计,,2026-11-22,,1",
                ",,Total,,1", ",,,Total,1", ",,,,1.50",
                "Page 1 of 2,,,,", ",Page 1 of 2,,,", ",,Page 1 of 2,,", "第 1 页,,,,",
                ",Printed on 2026-11-22 by admin,,,", ",,Printed 2026-11-22 09:30,,", ",共12条记录,,,",
                ",制表人：张三,,,", "End of list", "* prices include tax", '"Notes, and more",,,,', "* one, two",
                "Total,12,,EUR,1.50", "合计,3,,,1.50", "=====,,,,", "-----,-----,-----,-----,-----", " , ,\t, ,",
            )
        ],
    )  # fmt: skip
    def test_a_row_without_number_and_date_is_no_document(self, line):
        export = read(a_file("A,1,2026-10-31,EUR,1.50", line))
        assert said(export) == {"items": [A], "skipped": 1}

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param("Sunday Nov 22 2026 09:00 AM GMT-5 - Accrual Basis,,,,,", id="the time it was made"),
            pytest.param("As of 2026-11-22,,,,,", id="the day it speaks for"),
            pytest.param("Contoso,,,,,", id="the heading of a group"),
            pytest.param("TOTAL,,,,,1.50", id="the total"),
        ],
    )
    def test_the_first_column_may_be_one_of_dates(self, line):
        header = "Date,Num,Customer,Due Date,Currency,Open Balance"
        export = read(a_file("2026-10-01,1,A,2026-10-31,EUR,1.50", line, header=header))
        assert said(export) == {"items": [A], "skipped": 1}

    @pytest.mark.parametrize(
        ("line", "code"),
        [
            pytest.param("B,,2026-10-31,EUR,5", "missing_number", id="a date but no number"),
            pytest.param("B,,31.11.2026,EUR,5", "missing_number", id="no such day, but no number either"),
            pytest.param("B,,n/a,EUR,5", "missing_number", id="customer, amount and something for a date"),
            pytest.param("B,-,2026-10-31,EUR,5", "missing_number", id="a dash for a number"),
            pytest.param("B,9,,EUR,5", "missing_due_date", id="a number but no date"),
            pytest.param(",INV-9,,,", "bad_amount", id="nothing but a number"),
            pytest.param("Total Energies,9,2026-10-31,EUR,x", "bad_amount", id="a customer called Total"),
        ],
    )
    def test_what_may_be_a_debt_is_rejected_instead(self, line, code):
        export = read(a_file("A,1,2026-10-31,EUR,1.50", line))
        assert ([note.code for note in export.rejected], export.skipped) == ([code], 0)

    def test_a_heading_that_ends_in_a_digit_is_known_again(self):
        header = "Kunde;Belegfeld 1;Fälligkeit;WKZ;Offen"
        export = read(a_file("A;1;31.10.2026;EUR;1,50", header, header.upper(), header=header))
        assert said(export) == {"items": [A], "skipped": 2}


class TestCredits:
    HEADER = f"{HEADER},Type,Invoice Date"

    @pytest.mark.parametrize(
        "kind",
        [
            "Credit Note", "CREDIT MEMO", "CreditNote", "Credit", "C/N", "ACCRECCREDIT", "Cr. Memo", "Refund",
            "Gutschrift", "Rechnungskorrektur", "Stornorechnung",
            "红字", "红字发票", "红冲", "退款", "贷项通知单", "销售退货", "折让单",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("amount", ["50.00", "-50.00"])
    def test_a_credit_is_below_zero_and_has_its_issue_date(self, kind, amount):
        item = the_item(self.HEADER, f"A,1,,EUR,{amount},{kind},2026-09-01")
        assert (str(item.open_amount), item.due_date, item.kind) == (
            "-50.00",
            date(2026, 9, 1),
            "credit_note",
        )

    @pytest.mark.parametrize(
        "kind", ["Invoice", "Rechnung", "销售发票", "Credit card sale", "Lastschrift", "???"]
    )
    def test_everything_else_keeps_its_sign(self, kind):
        assert str(the_item(self.HEADER, f"A,1,2026-10-31,EUR,50,{kind},").open_amount) == "50.00"

    def test_a_credit_without_any_date_is_rejected(self):
        export = read(a_file("A,1,,EUR,50.00,Gutschrift,", header=self.HEADER))
        assert said(export) == {"rejected": ["line 2 missing_due_date"]}


class TestDuplicates:
    ONE = "A,1,2026-10-31,EUR,1.50"

    @pytest.mark.parametrize(
        ("again", "said_of_it"),
        [
            pytest.param("A,1,2026-10-31,EUR,1.50", {"items": [A], "duplicates": 1}, id="the same"),
            pytest.param('a,1,31.10.2026,eur,"1.5"', {"items": [A], "duplicates": 1}, id="in other words"),
            pytest.param(
                "A,01,2026-10-31,EUR,1.50", {"items": [A, A.replace("|1|", "|01|")]}, id="01 is not 1"
            ),
            pytest.param(
                "B,1,2026-10-31,EUR,1.50", {"items": [A, A.replace("A", "B", 1)]}, id="of somebody else"
            ),
            *(
                pytest.param(
                    line,
                    {"rejected": ["line 2 conflicting_duplicate", "line 3 conflicting_duplicate"]},
                    id=name,
                )
                for name, line in (
                    ("another amount", "A,1,2026-10-31,EUR,1.60"),
                    ("another date", "A,1,2026-11-01,EUR,1.50"),
                    ("another currency", "A,1,2026-10-31,USD,1.50"),
                    ("open and paid", "A,1,2026-10-31,EUR,0"),
                )
            ),
            pytest.param(
                "A,1,never,EUR,1.50", {"items": [A], "rejected": ["line 3 bad_date"]}, id="one cannot be read"
            ),
        ],
    )
    def test_a_document_named_twice(self, again, said_of_it):
        assert said(read(a_file(self.ONE, again))) == said_of_it

    def test_columns_that_are_not_read_make_no_difference(self):
        lines = [f"{self.ONE},{person}" for person in ("Ana", "Ben")]
        assert said(read(a_file(*lines, header=f"{HEADER},Salesperson"))) == {"items": [A], "duplicates": 1}

    def test_paid_twice_is_not_open_once(self):
        assert said(read(a_file(*["A,1,2026-10-31,EUR,0"] * 2))) == {"duplicates": 1, "not_open": 1}

    @pytest.mark.parametrize(
        ("cell", "instalment"),
        [
            ("2", 2),
            ("2/3", 2),
            ("2 of 3", 2),
            ("2 von 3", 2),
            ("第2期", 2),
            ("Rate 2", 2),
            ("2. Rate", 2),
            ("", 1),
        ],
    )
    def test_an_instalment(self, cell, instalment):
        assert the_item(f"{HEADER},Instalment", f"{self.ONE},{cell}").instalment == instalment


class TestMarks:
    @pytest.mark.parametrize(
        ("heading", "cell", "marked"),
        [
            *(
                ("Disputed", yes, True)
                for yes in ("yes", "x", "1", "true", "ja", "是", "wrong price", "resolved?")
            ),
            *(
                ("Disputed", no, False)
                for no in ("", "no", "0", "-", "FALSE", "n/a", "nein", "否", "无", "undisputed")
            ),
            ("Reklamation", "ja", True),
            ("争议", "是", True),
            ("Status", "In dispute", True),
            ("Status", "Not disputed", False),
            ("Remark", "customer disputes this", True),
            ("备注", "客户有争议", True),
            ("备注", "无争议", False),
            ("Bemerkung", "strittig", True),
            ("Bemerkung", "unstrittig", False),
            ("Bemerkung", "keine Reklamation", False),
            ("Memo", "no dispute so far; last year's was disputed", True),
        ],
    )
    def test_a_dispute(self, heading, cell, marked):
        assert the_item(f"{HEADER},{heading}", f"A,1,2026-10-31,EUR,5,{cell}").disputed is marked

    @pytest.mark.parametrize(
        ("heading", "cell", "blocked"),
        [
            ("Mahnsperre", "X", True),
            ("Mahnsperre", "2026-12-31", True),
            ("Mahnsperre", "keine", False),
            ("On hold", "yes", True),
            ("On hold", "no", False),
            ("Status", "Gesperrt", True),
        ],
    )
    def test_a_dunning_block(self, heading, cell, blocked):
        assert the_item(f"{HEADER},{heading}", f"A,1,2026-10-31,EUR,5,{cell}").dunning_blocked is blocked

    @pytest.mark.parametrize(
        "heading", ["Promise to pay", "ExpectedPaymentDate", "承诺付款日", "Zahlungszusage"]
    )
    def test_a_promise(self, heading):
        item = the_item(f"{HEADER},{heading}", "A,1,2026-10-31,EUR,5,2026-12-01")
        assert item.promise_to_pay == date(2026, 12, 1)


def test_what_is_wrong_first_is_told():
    """A row with nothing but a customer and a number lacks its amount, before its currency and its date."""
    assert said(read(a_file("B,9,,,"))) == {"rejected": ["line 2 bad_amount"]}
