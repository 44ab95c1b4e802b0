"""Files: what they are by content, their encoding, delimiter, sheets and limits."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.receivables import Export, read_export

AS_OF = date(2026, 11, 22)
HEADER = "Customer,Invoice No,Due Date,Currency,Balance"
ROW = "Contoso,INV-1,2026-10-31,EUR,150.00"


def read(data: bytes | str, **given: Any) -> Export:
    raw = data.encode() if isinstance(data, str) else data
    return read_export(raw, file_name="open.csv", as_of=AS_OF, **given)


def refusal(data: bytes | str, **given: Any) -> str | None:
    refused = read(data, **given).refused
    return refused.code if refused else None


def workbook(
    *sheets: list[list[Any]], hidden: int | None = None, at: tuple[int, int] = (0, 0), **options: Any
) -> bytes:
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd", **options})
    for number, rows in enumerate(sheets):
        sheet = book.add_worksheet(f"S{number}")
        for offset, row in enumerate(rows):
            sheet.write_row(at[0] + offset, at[1], row)
        if number == hidden:
            sheet.hide()
    book.close()
    return out.getvalue()


def repacked(data: bytes, member: str, old: bytes, new: bytes) -> bytes:
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(data)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target,
    ):
        for name in source.namelist():
            content = source.read(name)
            if name == member:
                assert old in content
                content = content.replace(old, new)
            target.writestr(name, content)
    return out.getvalue()


TABLE: list[list[Any]] = [
    ["Customer", "Invoice No", "Due Date", "Currency", "Balance"],
    ["Contoso", "INV-1", datetime(2026, 10, 31), "EUR", 150.5],  # noqa: DTZ001
]


class TestKind:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="empty"),
            pytest.param(b" \r\n ", id="blank"),
            pytest.param(bytes.fromhex("d0cf11e0a1b11ae1") + b"x" * 600, id="old or encrypted Excel"),
            pytest.param(b"<html><table><tr><td>Customer</td></tr></table>", id="HTML table saved as .xls"),
            pytest.param(b"\xef\xbb\xbf  <?xml version='1.0'?><Workbook/>", id="XML with a byte order mark"),
            pytest.param(b"%PDF-1.7 ...", id="PDF"),
            pytest.param(f"{HEADER}\n{ROW}\n".encode("utf-16-le"), id="UTF-16 without a mark"),
            pytest.param(b"PK\x03\x04 broken", id="broken archive"),
            pytest.param(b"\xff\xfe" + HEADER.encode("utf-16-le") + b"\x00", id="UTF-16 cut off"),
            pytest.param(b"just a sentence", id="no table"),
        ],
    )
    def test_what_is_no_table_is_refused(self, data):
        assert refusal(data) == "unsupported_file"

    def test_an_archive_without_a_workbook_is_refused(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("readme.txt", "hello")
        assert refusal(out.getvalue()) == "unsupported_file"

    def test_the_name_proves_nothing(self):
        export = read_export(workbook(TABLE), file_name="open.csv", as_of=AS_OF)
        assert export.accepted == 1

    @settings(deadline=None, max_examples=150)
    @given(st.binary(max_size=300))
    def test_no_bytes_raise(self, data):
        assert read(data).accepted == 0

    @settings(deadline=None, max_examples=100)
    @given(st.text(max_size=200))
    def test_no_text_below_a_header_raises(self, text):
        read(f"{HEADER}\n{ROW}\n{text}")


class TestLimits:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"a," * (10 * 1024 * 1024 + 1), id="20 MB"),
            pytest.param((HEADER + "\n" + ROW + "," * 200).encode(), id="200 columns"),
            pytest.param(
                (HEADER + "\n" + "".join(f"C,{n},2026-10-31,EUR,1\n" for n in range(200_001))).encode(),
                id="200 000 rows",
            ),
        ],
    )
    def test_large_files_are_refused(self, data):
        assert refusal(data) == "too_large"

    def test_a_workbook_that_unpacks_beyond_bounds_is_refused(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/workbook.xml", "<workbook/>")
            archive.writestr("xl/media/image.png", bytes(201 * 1024 * 1024))
        assert refusal(out.getvalue()) == "too_large"

    @pytest.mark.parametrize("corner", [b"XFD2", b"GR1048576"], ids=["last column", "last row"])
    def test_a_cell_far_out_does_not_fill_the_memory(self, corner):
        data = repacked(workbook(TABLE), "xl/worksheets/sheet1.xml", b'r="E2"', b'r="' + corner + b'"')
        assert refusal(data) == "too_large"

    def test_the_declared_dimension_is_ignored(self):
        data = repacked(
            workbook(TABLE),
            "xl/worksheets/sheet1.xml",
            b'<dimension ref="A1:E2"',
            b'<dimension ref="A1:XFD1048576"',
        )
        assert read(data).accepted == 1

    def test_a_cell_that_is_too_long_costs_its_row_only(self):
        export = read(f"{HEADER}\n{'x' * 10_001},INV-0,2026-10-31,EUR,1\n{ROW}\n")
        assert [(note.at, note.code) for note in export.rejected] == [("line 2", "cell_too_long")]
        assert export.accepted == 1


class TestEncoding:
    @pytest.mark.parametrize(
        ("encoding", "header", "name"),
        [
            pytest.param("utf-8", HEADER, "Müller 北京", id="UTF-8"),
            pytest.param("utf-8-sig", HEADER, "Müller", id="UTF-8 with a mark"),
            pytest.param("utf-16", HEADER, "Müller 北京", id="UTF-16"),
            pytest.param(
                "cp1252", "Kunde,Rechnungsnr,Fälligkeit,Währung,Offen", "Müller", id="German header in cp1252"
            ),
            pytest.param("gbk", "客户,发票号,到期日,币种,余额", "北京蓝鲸", id="Chinese header in GBK"),
            pytest.param("cp1252", HEADER, "Müller & Söhne", id="English header, German names"),
            pytest.param("gb18030", HEADER, "北京蓝鲸科技有限公司", id="English header, Chinese names"),
        ],
    )
    def test_names_survive(self, encoding, header, name):
        export = read(f"{header}\n{name},INV-1,2026-10-31,EUR,150.00\n".encode(encoding))
        assert [item.customer for item in export.items] == [name]

    def test_one_bad_byte_far_down_is_not_ascii(self):
        rows = "".join(f"Contoso,INV-{n},2026-10-31,EUR,1.00\n" for n in range(5000))
        export = read(f"{HEADER}\n{rows}".encode() + "Müller,X-1,2026-10-31,EUR,1.00\n".encode("cp1252"))
        assert export.items[-1].customer == "Müller"

    def test_an_assumed_encoding_is_told(self):
        export = read(f"{HEADER}\n{ROW.replace('Contoso', 'Müller')}\n".encode("cp1252"))
        assert [(note.at, note.code) for note in export.warnings] == [("line 1", "encoding_assumed")]

    @settings(deadline=None, max_examples=60)
    @given(st.text(alphabet="äöüßéèñABCabc ", min_size=1, max_size=20).filter(str.strip))
    def test_german_files_are_never_taken_for_chinese(self, name):
        header = "Kunde;Rechnungsnr;Fälligkeit;Währung;Offen"
        export = read(f"{header}\n{name};R-1;31.10.2026;EUR;1,50\n".encode("cp1252"))
        assert [item.customer for item in export.items] == [" ".join(name.split())]


class TestDelimiter:
    @pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
    def test_the_one_that_makes_a_header_is_taken(self, delimiter):
        assert read(f"{HEADER}\n{ROW}\n".replace(",", delimiter)).accepted == 1

    def test_a_told_delimiter_is_obeyed(self):
        export = read(f"sep=^\n{HEADER}\n{ROW}\nC,bad\n".replace(",", "^"))
        assert export.accepted == 1

    def test_commas_in_a_semicolon_file_are_text(self):
        data = f"Report, monthly, all customers, EUR, open\n{HEADER}\n".replace(
            HEADER, HEADER.replace(",", ";")
        )
        assert (
            read(data + "Contoso, Inc.;INV-1;2026-10-31;EUR;1,234.50\n").items[0].customer == "Contoso, Inc."
        )

    def test_lines_are_counted_as_an_editor_does(self):
        export = read(f'{HEADER}\n"Contoso\nLtd",INV-1,2026-10-31,EUR,1.00\n\nContoso,INV-2,never,EUR,1.00\n')
        assert [note.at for note in export.rejected] == ["line 5"]
        assert export.items[0].customer == "Contoso Ltd"

    def test_a_quotation_mark_never_closed_refuses_the_file(self):
        assert refusal(f'{HEADER}\n"Contoso,INV-1,2026-10-31,EUR,1.00\n{ROW}\n') == "unsupported_file"

    def test_a_row_shifted_by_a_bare_comma_is_rejected(self):
        export = read(f"{HEADER}\nContoso, Inc.,INV-1,2026-10-31,EUR,150.00\n{ROW}\n")
        assert [(note.at, note.code) for note in export.rejected] == [("line 2", "ambiguous_columns")]

    def test_trailing_empty_cells_are_fine(self):
        assert read(f"{HEADER}\n{ROW},,\n").accepted == 1


class TestWorkbook:
    def test_dates_and_numbers_are_read(self):
        [item] = read(workbook(TABLE)).items
        assert (str(item.open_amount), item.due_date) == ("150.50", date(2026, 10, 31))

    def test_rows_are_counted_as_the_sheet_shows_them(self):
        export = read(workbook([*TABLE, ["Contoso", "INV-2", "never", "EUR", 1]], at=(6, 3)))
        assert [note.at for note in export.rejected] == ["row 9"]

    def test_a_date_without_format_is_its_serial(self):
        [item] = read(workbook([TABLE[0], ["Contoso", 1001, 46326, "EUR", 1]])).items
        assert (item.due_date, item.document_number) == (date(2026, 10, 31), "1001")

    def test_serials_follow_the_workbooks_epoch(self):
        data = workbook([TABLE[0], ["Contoso", "1", 46326 - 1462, "EUR", 1]], date_1904=True)
        assert read(data).items[0].due_date == date(2026, 10, 31)

    def test_hidden_sheets_are_not_read(self):
        assert read(workbook(TABLE, TABLE, hidden=1)).accepted == 1

    def test_two_sheets_with_invoices_are_one_too_many(self):
        assert refusal(workbook(TABLE, TABLE)) == "ambiguous_columns"

    def test_the_list_may_be_on_any_visible_sheet(self):
        assert read(workbook([["Notes"], ["nothing here"]], TABLE)).accepted == 1

    def test_a_formula_without_a_value_is_an_empty_cell(self):
        data = workbook([TABLE[0], ["Contoso", "INV-1", "2026-10-31", "EUR", "=1/0"]])
        data = repacked(data, "xl/worksheets/sheet1.xml", b"<f>1/0</f><v>0</v>", b"<f>1/0</f>")
        assert [note.code for note in read(data).rejected] == ["bad_amount"]

    def test_a_truth_value_is_no_amount(self):
        data = workbook([TABLE[0], ["Contoso", "INV-1", "2026-10-31", "EUR", True]])
        assert [note.code for note in read(data).rejected] == ["bad_amount"]
