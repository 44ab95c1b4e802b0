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
