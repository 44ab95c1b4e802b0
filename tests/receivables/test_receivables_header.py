"""Headings: how columns are known, and when they are not certain enough."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bot.receivables import Export, accepted_columns, read_export, template
from bot.receivables.words import folded

AS_OF = date(2026, 11, 22)


def read(text: str, **given: Any) -> Export:
    return read_export(text.encode(), file_name="open.csv", as_of=AS_OF, **given)


def test_no_heading_stands_for_two_fields():
    headings = [
        folded(alias)
        for by_language in accepted_columns().values()
        for aliases in by_language.values()
        for alias in aliases
    ]
    assert len(headings) == len(set(headings))


REFERENCE = {
    "customer": "customer, client, company, contactname, account name, bill to, debtor"
    ", 客户, 客户名称, 往来单位, 购方名称, 公司名称, Kunde, Kundenname, Debitor, Kontobezeichnung, Firma",
    "customer_code": "customer no, customer code, customer id, account no, 客户编码, 客户编号, 客户代码"
    ", Kundennr, Debitorennr, Kontonummer, Konto",
    "tenant": "tenant id, microsoft id, domain, primary domain, 租户ID, 域名, Mandanten-ID, Domäne",
    "document_number": "invoice no, invoice number, invoice #, inv no, num, document no, reference no"
    ", 发票号, 发票号码, 单据编号, 单据号, 账单编号, Rechnungsnr, Rechnung, Belegnr, Belegfeld 1",
    "issue_date": "date, invoice date, issue date, document date, 开票日期, 单据日期, 业务日期"
    ", Rechnungsdatum, Belegdatum, Datum",
    "due_date": "due, due date, payment due, 到期日, 应收日期, 付款到期日"
    ", Fällig, Fällig am, Fälligkeit, Fälligkeitsdatum, Zahlbar bis",
    "currency": "currency, curr, ccy, 币种, 币别, 原币币种, Währung, WKZ, Whg",
    "total": "total, amount, gross, invoice total, 价税合计, 金额, 应收金额, Betrag, Bruttobetrag, Rechnungsbetrag",
    "paid": "paid, amount paid, 已收金额, 已核销金额, Bezahlt, Zahlbetrag",
    "open_amount": "balance, open balance, balance due, amount due, outstanding, remaining"
    ", 未收金额, 余额, 原币余额, 未核销金额, 欠款金额, Offen, Offener Betrag, Saldo, Restbetrag",
    "debit_credit": "dr/cr, 借贷方向, S/H, Soll/Haben",
    "status": "status, 状态",
    "type": "type, transaction type, 单据类型, Belegart",
    "terms": "terms, 付款条件, Zahlungsbedingung",
    "disputed": "disputed, 争议, Reklamation",
    "promise_to_pay": "promise to pay, expected payment date, 承诺付款日, Zahlungszusage",
    "dunning_blocked": "on hold, Mahnsperre",
}
"""The words programs use, field by field."""

DRESSES = [
    pytest.param("{}", id="plain"),
    pytest.param("*{}", id="asterisk before"),
    pytest.param("{} *", id="asterisk after"),
    pytest.param("{} (required)", id="brackets"),
    pytest.param("{}（必填）", id="full-width brackets"),
    pytest.param("【{}】", id="in Chinese brackets"),
    pytest.param("{}:", id="colon"),
    pytest.param(" {}\u3000", id="blanks"),
    pytest.param("Angabe / {}", id="after another language"),
    pytest.param("{} | Angabe", id="before another language"),
]


@pytest.mark.parametrize("dress", DRESSES)
@pytest.mark.parametrize("field", REFERENCE)
def test_every_heading_of_the_reference_is_known_in_every_dress(field, dress):
    for heading in REFERENCE[field].split(", "):
        for word in {heading, heading.upper(), heading.replace(" ", "_")}:
            found = found_in(field, dress.format(word))
            assert found == FOUND[field], (word, found)


FOUND: dict[str, Any] = {
    "customer": "Fabrikam",
    "customer_code": "C-7",
    "tenant": "fabrikam.example",
    "document_number": "FAB-1",
    "issue_date": date(2026, 9, 30),
    "due_date": date(2026, 10, 31),
    "currency": "CHF",
    "total": Decimal("80.00"),
    "paid": Decimal("50.00"),
    "open_amount": Decimal("75.00"),
    "debit_credit": Decimal("-80.00"),
    "status": 1,
    "type": Decimal("-80.00"),
    "terms": date(2026, 10, 30),
    "disputed": True,
    "promise_to_pay": date(2026, 12, 1),
    "dunning_blocked": True,
}
CELLS = {
    "issue_date": "2026-09-30",
    "due_date": "2026-10-31",
    "total": "80.00",
    "paid": "30.00",
    "open_amount": "75.00",
    "debit_credit": "H",
    "status": "Paid",
    "type": "Gutschrift",
    "terms": "30 days",
    "disputed": "yes",
    "promise_to_pay": "2026-12-01",
    "dunning_blocked": "yes",
}


def found_in(field: str, heading: str) -> Any:
    """What one row says through the column of that heading, beside no more columns than it needs."""
    row = {
        "customer": ("Customer", "Contoso"),
        "document_number": ("Invoice No", "INV-1"),
        "issue_date": ("Invoice Date", "2026-09-30"),
        "due_date": ("Due Date", "2026-10-31"),
        "currency": ("Currency", "EUR"),
        "total": ("Invoice Total", "80.00"),
    }
    if field in {"customer_code", "tenant"}:
        del row["customer"]
    if field == "terms":
        del row["due_date"]
    row[field] = (heading, CELLS.get(field, str(FOUND[field])))
    lines = (",".join(f'"{cell}"' for cell in cells) for cells in zip(*row.values(), strict=True))
    export = read("\n".join(lines))
    assert (export.refused, export.rejected) == (None, ())
    if field == "status":
        return export.not_open
    attribute = {
        "terms": "due_date",
        "paid": "open_amount",
        "debit_credit": "open_amount",
        "type": "open_amount",
    }
    return getattr(export.items[0], attribute.get(field, field))


@pytest.mark.parametrize(
    ("field", "heading"),
    [
        (field, alias)
        for field, by_language in accepted_columns().items()
        for aliases in by_language.values()
        for alias in aliases
        if field in {"customer", "document number", "due date", "open amount"}
    ],
)
def test_every_documented_heading_is_known(field, heading):
    needed = {
        "customer": ("Customer", "Contoso"),
        "document number": ("Invoice No", "INV-1"),
        "due date": ("Due Date", "2026-10-31"),
        "open amount": ("Balance", "1.50"),
    }
    needed[field] = (heading, needed[field][1])
    headings = ",".join(heading for heading, _ in needed.values())
    values = ",".join(value for _, value in needed.values())
    assert read(f"{headings}\n{values}\n", default_currency="EUR").accepted == 1


def test_the_template_is_accepted():
    export = read(template() + "Contoso,,2026-001,2026-10-01,2026-10-31,EUR,150.00\n")
    assert export.accepted == 1


@pytest.mark.parametrize(
    "heading",
    [
        pytest.param("*BALANCE DUE", id="asterisk and case"),
        pytest.param("balance_due", id="underscore"),
        pytest.param("Balance  Due (incl. tax)", id="brackets"),
        pytest.param("Ｂａｌａｎｃｅ　Ｄｕｅ", id="full width"),
        pytest.param("未收金额 Balance Due", id="bilingual with a space"),
        pytest.param("未收金额BalanceDue", id="bilingual without"),
        pytest.param("Offener Betrag / Balance due", id="bilingual with a slash"),
        pytest.param("Something (Balance due)", id="known part in brackets"),
    ],
)
def test_headings_match_whatever_their_dress(heading):
    assert read(f"Customer,Invoice No,Due Date,Currency,{heading}\nA,1,2026-10-31,EUR,5\n").accepted == 1


@pytest.mark.parametrize(
    ("headings", "amounts"),
    [
        pytest.param("Invoice Total,Balance", "100.00,40.00", id="open wins over total"),
        pytest.param("Balance (LCY),Balance", "999.00,40.00", id="transaction currency wins over local"),
        pytest.param("本位币余额,原币余额", "999.00,40.00", id="原币 wins over 本位币"),
        pytest.param("Total,Paid", "100.00,60.00", id="total less paid"),
        pytest.param("Amount", "40.00", id="the only amount there is"),
    ],
)
def test_the_amount_is_the_open_one(headings, amounts):
    [item] = read(f"Customer,Invoice No,Due Date,Currency,{headings}\nA,1,2026-10-31,EUR,{amounts}\n").items
    assert item.open_amount == Decimal("40.00")


def test_an_amount_of_unclear_meaning_is_told():
    export = read("Customer,Invoice No,Due Date,Currency,Amount\nA,1,2026-10-31,EUR,40.00\n")
    assert [note.code for note in export.warnings] == ["open_from_total"]


@pytest.mark.parametrize(
    "headings",
    [
        pytest.param("Customer,Invoice No,Due Date,Balance,Balance", id="the same twice"),
        pytest.param("Customer,Invoice No,Due Date,Balance,Outstanding", id="two words for one"),
        pytest.param("Customer,Invoice No,Due Date,Payment due date,Balance", id="two due dates"),
    ],
)
def test_two_columns_for_one_field_refuse_the_file(headings):
    export = read(f"{headings}\nA,1,2026-10-31,5,5\n", default_currency="EUR")
    assert export.refused is not None
    assert export.refused.code == "ambiguous_columns"


@pytest.mark.parametrize(
    ("headings", "missing"),
    [
        ("Invoice No,Due Date,Currency,Balance", "customer"),
        ("Customer,Due Date,Currency,Balance", "document number"),
        ("Customer,Invoice No,Currency,Balance", "due date"),
        ("Customer,Invoice No,Due Date,Currency", "open amount"),
        ("Customer,Invoice No,Invoice Date,Balance", "due date"),
    ],
)
def test_a_missing_column_is_named(headings, missing):
    refused = read(f"{headings}\na,b,c,d\n").refused
    assert refused is not None
    assert missing in refused.message


def test_a_header_below_thirty_rows_is_not_found():
    title = "".join(f"note {number}\n" for number in range(30))
    table = "Customer,Invoice No,Due Date,Currency,Balance\nA,1,2026-10-31,EUR,5\n"
    assert read(title.replace("note 29\n", "") + table).accepted == 1
    assert read(title + table).refused is not None
