"""Workbooks that are made to do harm. What unpacks beyond bounds is in tests/receivables/test_receivables_files.py."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from bot.receivables.export import Export, read_export
from tests.receivables.exports import repacked, workbook

TABLE = [
    ["Customer", "Invoice No", "Due Date", "Currency", "Balance"],
    ["Contoso", "INV-1", "2026-10-31", "EUR", "1.00"],
]
LAUGHS = b'<!DOCTYPE lolz [<!ENTITY a "ha">' + b"".join(
    f'<!ENTITY {name} "{f"&{before};" * 10}">'.encode() for before, name in zip("abcdefgh", "bcdefghi", strict=True)
) + b"]>"  # fmt: skip
PARTS = ["xl/workbook.xml", "xl/_rels/workbook.xml.rels"]


def read(data: bytes) -> Export:
    return read_export(data, file_name="open.xlsx", as_of=date(2026, 11, 23))


def begun_with(part: str, doctype: bytes, entity: bytes) -> bytes:
    """A workbook in which that part declares this document type, and uses the entity where its root begins."""
    root = {"xl/workbook.xml": b"<fileVersion", "xl/_rels/workbook.xml.rels": b"<Relationship "}[part]
    head = b'standalone="yes"?>'
    data = repacked(workbook(TABLE), part, head, head + doctype)
    return repacked(data, part, root, entity + root)


def test_the_workbook_itself_is_read():
    assert read(workbook(TABLE)).accepted == 1


@pytest.mark.parametrize("part", PARTS)
def test_a_billion_laughs_are_not_laughed(part: str):
    export = read(begun_with(part, LAUGHS, b"&i;"))
    assert export.refused
    assert export.refused.code == "unsupported_file"


@pytest.mark.parametrize("part", PARTS)
def test_not_even_one_word_is_put_in(part: str):
    """Whatever the parser that comes with Python may know of laughs."""
    export = read(begun_with(part, b'<!DOCTYPE x [<!ENTITY e "">]>', b"&e;"))
    assert export.refused
    assert export.refused.code == "unsupported_file"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("place", ["file:///etc/hostname", "http://127.0.0.1:9/x"])
def test_no_other_file_is_looked_into(part: str, place: str):
    doctype = f'<!DOCTYPE x [<!ENTITY e SYSTEM "{place}">]>'.encode()
    export = read(begun_with(part, doctype, b"&e;"))
    assert export.refused
    hostname = Path("/etc/hostname")
    assert not hostname.exists() or hostname.read_text().strip() not in str(export.refused)


@pytest.mark.parametrize("part", ["xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"])
def test_laughs_in_a_sheet_stay_what_they_are(part: str):
    head = b'standalone="yes"?>'
    data = repacked(workbook(TABLE), part, head, head + LAUGHS)
    export = read(repacked(data, part, b"Contoso" if "shared" in part else b"<sheetData>", b"&i;"))
    assert export.refused or not any("haha" in item.customer for item in export.items)
