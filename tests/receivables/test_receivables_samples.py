"""Six exports as programs write them, each against what a person reads in it."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot.domain.aging import bucket
from bot.receivables import Export, read_export

SAMPLES = Path(__file__).parent.parent / "samples" / "receivables"
EXPECTED: dict[str, Any] = json.loads((SAMPLES / "expected.json").read_text(encoding="utf-8"))
AS_OF = date.fromisoformat(EXPECTED["as_of"])


def read(name: str) -> Export:
    wanted = EXPECTED["files"][name].get("settings", {})
    return read_export((SAMPLES / name).read_bytes(), file_name=name, as_of=AS_OF, **wanted)


@pytest.mark.parametrize("name", EXPECTED["files"])
class TestEverySample:
    def test_rows_are_counted_as_expected(self, name):
        export, expected = read(name), EXPECTED["files"][name]
        assert export.refused is None
        assert {
            "accepted": export.accepted,
            "rejected": [[note.at, note.code] for note in export.rejected],
            "skipped": export.skipped,
            "duplicates": export.duplicates,
            "not_open": export.not_open,
        } == {key: expected[key] for key in ("accepted", "rejected", "skipped", "duplicates", "not_open")}

    def test_amounts_are_right_to_the_last_unit(self, name):
        by_currency: dict[str, Decimal] = defaultdict(Decimal)
        aging: dict[str, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
        for item in read(name).items:
            by_currency[item.currency] += item.open_amount
            aging[item.currency][bucket(item.due_date, on=AS_OF)] += item.open_amount
        expected = EXPECTED["files"][name]
        assert {code: str(amount) for code, amount in by_currency.items()} == expected["open_by_currency"]
        assert {
            code: {name: str(amount) for name, amount in by_bucket.items()}
            for code, by_bucket in aging.items()
        } == expected["aging"]

    def test_protected_items_are_known(self, name):
        export, expected = read(name), EXPECTED["files"][name]
        assert [item.document_number for item in export.items if item.disputed] == expected.get(
            "disputed", []
        )
        assert [item.document_number for item in export.items if item.dunning_blocked] == expected.get(
            "dunning_blocked", []
        )
        assert {
            item.document_number: item.promise_to_pay.isoformat()
            for item in export.items
            if item.promise_to_pay
        } == expected.get("promise", {})


def test_a_derived_due_date_is_told():
    warnings = read("01_open_invoices_en_utf8.csv").warnings
    assert [(note.at, note.code) for note in warnings] == [("line 13", "due_date_derived")]


def test_a_remark_about_a_dispute_is_told():
    warnings = read("02_yingshou_zh_gbk.csv").warnings
    assert [(note.at, note.code) for note in warnings] == [("line 6", "dispute_hint")]


def test_the_chinese_file_is_read_as_gb18030():
    assert read("02_yingshou_zh_gbk.csv").encoding == "gb18030"


def test_umlauts_and_quotation_marks_survive():
    customers = [item.customer for item in read("03_offene_posten_de_cp1252.csv").items]
    assert 'Bäckerei "Zum Löwen"; Inh. K. Weiß' in customers


def test_a_grouped_row_takes_customer_and_tenant_from_above():
    second = read("04_aged_ar_titles.xlsx").items[1]
    assert (second.customer, second.tenant) == ("Relecloud Ltd", "11111111-2222-3333-4444-555555550001")


def test_a_tenant_noted_on_one_invoice_counts_for_the_customer():
    tenants = {item.customer: item.tenant for item in read("05_xero_utf8_bom_dmy.csv").items}
    assert tenants == {
        "Graphic Design Institute": "33333333-0000-4000-8000-000000000041",
        "Margie's Travel": None,
    }


def test_a_customer_called_by_its_tenant_domain_is_mapped():
    [item] = read("06_template_minimal.csv").items
    assert item.tenant == "acme.onmicrosoft.com"


def test_parties_with_rejected_rows_are_incomplete():
    assert read("01_open_invoices_en_utf8.csv").incomplete_parties == {
        "name:woodgrove bank",
        "name:tailspin toys",
    }


def test_without_a_currency_the_file_is_refused():
    name = "01_open_invoices_en_utf8.csv"
    export = read_export((SAMPLES / name).read_bytes(), file_name=name, as_of=AS_OF)
    assert export.refused is not None
    assert (export.refused.code, export.items, export.accepted) == ("missing_currency", (), 0)


def test_reading_twice_gives_the_same():
    name = "04_aged_ar_titles.xlsx"
    assert read(name) == read(name)
