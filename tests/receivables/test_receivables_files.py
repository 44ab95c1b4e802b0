"""Files: what they are by content, their encoding, delimiter, sheets and limits."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from contextlib import nullcontext
from datetime import date, datetime
from typing import Any

import pytest
import xlsxwriter
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.receivables import read_export
from bot.receivables.archive import inspect
from bot.receivables.notes import FileRefused
from tests.receivables.exports import AS_OF, HEADER, ROW, read, repacked, said, workbook


def refusal(data: bytes | str, **given: Any) -> str | None:
    refused = read(data, **given).refused
    return refused.code if refused else None


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
            pytest.param(f"{HEADER}\n{ROW}\n".encode("utf-32"), id="UTF-32"),
            pytest.param(f"{HEADER}\nCon\0toso,1,2026-10-31,EUR,1\n".encode(), id="a NUL byte"),
            pytest.param(b"MIME-Version: 1.0\r\nContent-Type: multipart/related\r\n", id="web archive"),
            pytest.param(b"{\\rtf1 Customer}", id="RTF"),
            pytest.param(b'[{"customer": "Contoso"}]', id="JSON"),
            pytest.param(b"just a sentence", id="no table"),
        ],
    )
    def test_what_is_no_table_is_refused(self, data):
        assert refusal(data) == "unsupported_file"

    @pytest.mark.parametrize(
        ("member", "renamed"),
        [
            pytest.param("xl/workbook.xml", "xl/workbook.bin", id="binary workbook"),
            pytest.param("xl/workbook.xml", "content.xml", id="OpenDocument"),
            pytest.param("xl/worksheets/sheet1.xml", "xl/worksheets/gone.xml", id="its sheet is missing"),
            pytest.param("xl/_rels/workbook.xml.rels", "gone.rels", id="its relations are missing"),
        ],
    )
    def test_an_archive_that_is_no_whole_workbook_is_refused(self, member, renamed):
        out = io.BytesIO()
        with (
            zipfile.ZipFile(io.BytesIO(workbook(TABLE))) as source,
            zipfile.ZipFile(out, "w") as target,
        ):
            for name in source.namelist():
                target.writestr(renamed if name == member else name, source.read(name))
        assert refusal(out.getvalue()) == "unsupported_file"

    def test_an_archive_without_a_workbook_is_refused(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("readme.txt", "hello")
        assert refusal(out.getvalue()) == "unsupported_file"

    def test_the_name_proves_nothing(self):
        export = read_export(workbook(TABLE), file_name="open.csv", as_of=AS_OF)
        assert export.accepted == 1

    @settings(deadline=None, derandomize=True, max_examples=150)
    @given(st.binary(max_size=300))
    def test_no_bytes_raise(self, data):
        assert read(data).accepted == 0

    @settings(deadline=None, derandomize=True, max_examples=100)
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

    @pytest.mark.parametrize(
        "promised", [b"4294967295", b"18446744073709551615", b"&#57;&#57;&#57;&#57;&#57;&#57;&#57;&#57;"]
    )
    def test_texts_that_are_only_promised_take_no_memory(self, promised):
        data = repacked(
            workbook(TABLE), "xl/sharedStrings.xml", b'uniqueCount="8"', b'uniqueCount="' + promised + b'"'
        )
        assert refusal(data) == "unsupported_file"

    def test_the_sizes_that_an_archive_declares_are_not_believed(self):
        """A megabyte is declared, with its right checksum, and two hundred are packed."""
        first = b"<sheetData>".ljust(1024 * 1024)
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("xl/workbook.xml", "<workbook/>")
            archive.writestr("xl/worksheets/sheet1.xml", first + bytes(200 * 1024 * 1024))
            declared = archive.getinfo("xl/worksheets/sheet1.xml")
            declared.file_size, declared.CRC = len(first), zlib.crc32(first)
        assert refusal(out.getvalue()) == "too_large"

    def test_a_sheet_is_measured_wherever_it_is(self):
        data = workbook([TABLE[0], ["Contoso", "INV-1", "2026-10-31", "EUR", 1]])
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
            for name in source.namelist():
                content = source.read(name).replace(b"worksheets/sheet1.xml", b"elsewhere.xml")
                content = content.replace(b'r="E2"', b'r="XFD1048576"')
                target.writestr(name.replace("worksheets/sheet1.xml", "elsewhere.xml"), content)
        assert refusal(out.getvalue()) == "too_large"

    @pytest.mark.parametrize(
        "corner",
        [
            pytest.param(b"XFD2", id="last column"),
            pytest.param(b"GR1048576", id="last row"),
            pytest.param(b"gr1048576", id="in small letters"),
        ],
    )
    def test_a_cell_far_out_does_not_fill_the_memory(self, corner):
        data = repacked(workbook(TABLE), "xl/worksheets/sheet1.xml", b'r="E2"', b'r="' + corner + b'"')
        assert refusal(data) == "too_large"

    def test_a_row_far_out_whose_cells_name_no_place_does_not_fill_the_memory(self):
        far = b'</row><row r="9999999"><c><v>1</v></c></row></sheetData>'
        data = repacked(workbook(TABLE), "xl/worksheets/sheet1.xml", b"</row></sheetData>", far)
        assert refusal(data) == "too_large"

    @pytest.mark.parametrize(
        "cell",
        [
            pytest.param(b"<c r='XFD1048576'>", id="other quotation marks"),
            pytest.param(b'<c r = "XFD1048576">', id="blanks around the equals sign"),
            pytest.param(b'<c\n r="XFD1048576">', id="a line break"),
            pytest.param(b'<c s="1" r="XFD1048576">', id="another attribute before it"),
            pytest.param(b'<c s=">" r="XFD1048576">', id="what looks like the end of the tag"),
            pytest.param(b'<x:c xmlns:x="urn:x" r="XFD1048576">', id="a prefix"),
        ],
    )
    def test_a_cell_far_out_is_found_however_it_is_written(self, cell):
        far = cell + b"<v>1</v></c></row></sheetData>"
        data = repacked(workbook(TABLE), "xl/worksheets/sheet1.xml", b"</row></sheetData>", far)
        assert refusal(data) == "too_large"

    def test_a_large_sheet_whose_cells_name_no_place_is_read(self):
        """It is looked at in several pieces, and a piece may begin within a cell."""
        rows = [
            ["Contoso", f"INV-{n}", "2026-10-31", "EUR", n, f"note {n}", "x" * 40] for n in range(1, 12_001)
        ]
        data = workbook([[*TABLE[0], "Note", "Extra"], *rows], constant_memory=True, in_memory=False)
        out = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
            for name in source.namelist():
                content = re.sub(rb'<(c|row) r="[A-Z]*[0-9]+"', rb"<\1", source.read(name))
                target.writestr(name, content)
        assert read(out.getvalue()).accepted == 12_000

    @pytest.mark.parametrize("place", [b"ABCDEFG2", b"A99999999999", b"2A", b"A-1", b""])
    def test_a_place_that_is_none_refuses_the_file(self, place):
        odd = b'<c r="' + place + b'"><v>1</v></c></row></sheetData>'
        data = repacked(workbook(TABLE), "xl/worksheets/sheet1.xml", b"</row></sheetData>", odd)
        assert refusal(data) == "unsupported_file"

    def test_cells_that_name_no_place_are_counted(self):
        row = b'<row r="200000">' + b"<c><v>1</v></c>" * 150 + b"</row>"
        data = repacked(workbook(TABLE), "xl/worksheets/sheet1.xml", b"</sheetData>", row + b"</sheetData>")
        assert refusal(data) == "too_large"

    @pytest.mark.parametrize(
        "far",
        [
            pytest.param(b'<c r="XFD2" s="1"/></row></sheetData>', id="column"),
            pytest.param(b'<c r="XFD2" s="1"></c></row></sheetData>', id="column, with an end tag"),
            pytest.param(b'</row><row r="1048576" ht="15"/></sheetData>', id="row"),
            pytest.param(b'</row><row r="1048576"><c r="XFD1048576" s="1"/></row></sheetData>', id="corner"),
        ],
    )
    def test_a_formatted_empty_cell_far_out_is_none(self, far):
        data = repacked(workbook(TABLE), "xl/worksheets/sheet1.xml", b"</row></sheetData>", far)
        assert said(read(data)) == {"items": ["Contoso|INV-1|2026-10-31|150.50 EUR"]}

    def test_a_wide_sheet_is_measured_to_its_end(self):
        """It is larger than what is looked at in one go, and the far cell comes last."""
        wide = [[f"note {n} {column}" for column in range(60)] for n in range(900)]
        far = b'<c r="GS905"><v>1</v></c></row></sheetData>'
        data = repacked(workbook([*TABLE, *wide]), "xl/worksheets/sheet1.xml", b"</row></sheetData>", far)
        assert refusal(data) == "too_large"

    @pytest.mark.parametrize(("columns", "code"), [(200, None), (201, "too_large")])
    def test_two_hundred_columns_are_the_most(self, columns, code):
        more = [f"more {n}" for n in range(columns - 5)]
        assert refusal(workbook([TABLE[0] + more, TABLE[1]])) == code
        assert refusal(",".join([HEADER, *more]) + f"\n{ROW}\n") == code

    @pytest.mark.parametrize(
        ("corner", "is_too_large"),
        [
            pytest.param(b"GR99999", False, id="the widest sheet has a hundred thousand rows"),
            pytest.param(b"GR100001", True, id="and not more"),
            pytest.param(b"T1000000", False, id="one of twenty columns has a million"),
            pytest.param(b"T1000001", True, id="and not more than that"),
        ],
    )
    def test_a_sheet_may_have_twenty_million_cells(self, corner, is_too_large):
        """Only measured here: to read it takes its memory."""
        data = repacked(workbook(TABLE), "xl/worksheets/sheet1.xml", b'r="E2"', b'r="' + corner + b'"')
        with pytest.raises(FileRefused) if is_too_large else nullcontext():
            inspect(data)

    def test_the_declared_dimension_is_ignored(self):
        data = repacked(
            workbook(TABLE),
            "xl/worksheets/sheet1.xml",
            b'<dimension ref="A1:E2"',
            b'<dimension ref="A1:XFD1048576"',
        )
        assert read(data).accepted == 1

    @pytest.mark.parametrize(
        "options", [{}, {"constant_memory": True, "in_memory": False}], ids=["apart", "inline"]
    )
    @pytest.mark.parametrize("before", [0, 3000, 6543], ids=["at once", "later", "much later"])
    def test_a_cell_of_a_sheet_may_have_ten_thousand_characters(self, options, before):
        """Wherever it is in the file, and whether its text is in the sheet or apart from it."""
        rows = [[f"customer {n} of many", f"{n}", "2026-10-31", "EUR", 1] for n in range(1, before + 1)]
        rows += [["x" * length, f"N{length}", "2026-10-31", "EUR", 1] for length in (10_000, 10_001)]
        export = read(workbook([TABLE[0], *rows], **options))
        assert [item.document_number for item in export.items[before:]] == ["N10000"]
        assert [(note.at, note.code) for note in export.rejected] == [(f"row {before + 3}", "cell_too_long")]

    def test_so_it_is_with_a_text_in_several_fonts(self):
        out = io.BytesIO()
        book = xlsxwriter.Workbook(out, {"in_memory": True})
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, TABLE[0])
        sheet.write_row(1, 1, ["INV-1", "2026-10-31", "EUR", 1])
        bold = book.add_format({"bold": True})
        sheet.write_rich_string(1, 0, *(part for n in range(120) for part in (bold, f"{n:03}" * 30)))
        book.close()
        assert [note.code for note in read(out.getvalue()).rejected] == ["cell_too_long"]

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

    @pytest.mark.parametrize(
        ("encoding", "names"),
        [
            pytest.param("cp1252", ["Müller GmbH"], id="German"),
            pytest.param("cp1252", ["Crème Brûlée SARL", "Société Générale"], id="French"),
            pytest.param("cp1252", ["Sørensen A/S", "Bjørn Færge", "Skånska Åkeri"], id="Scandinavian"),
            pytest.param("cp1252", ["Peña e Hijos", "São João Ltda"], id="Spanish and Portuguese"),
            pytest.param("cp1252", ["Café “Noir” – €uro Ltd"], id="typography"),
            pytest.param("cp1250", ["Łódź Sp. z o.o.", "Żółć Gdańsk"], id="Polish"),
            pytest.param("cp1250", ["Dvořák a.s.", "Škoda Plzeň", "Jiří Nováček"], id="Czech"),
            pytest.param("gb18030", ["北京蓝鲸科技有限公司"], id="simplified Chinese"),
            pytest.param("gb18030", ["上海", "联通"], id="simplified Chinese, few letters"),
            pytest.param("big5", ["台灣積體電路製造股份有限公司"], id="traditional Chinese"),
            pytest.param("big5", ["台北", "華碩電腦"], id="traditional Chinese, few letters"),
            pytest.param("shift_jis", ["株式会社トヨタ", "ソニー"], id="Japanese"),
        ],
    )
    def test_names_tell_the_encoding_where_the_header_does_not(self, encoding, names):
        rows = "".join(f"{name},INV-{n},2026-10-31,EUR,1.50\n" for n, name in enumerate(names))
        export = read(f"{HEADER}\n{rows}".encode(encoding))
        assert [item.customer for item in export.items] == names

    @pytest.mark.parametrize(
        ("encoding", "name"),
        [
            pytest.param("gb18030", "甲", id="one Chinese letter"),
            pytest.param("gb18030", "实业", id="Chinese that is UTF-8 by accident"),
            pytest.param("cp1250", "Żółć", id="four Polish letters, two Chinese ones"),
        ],
    )
    def test_where_nothing_tells_it_the_file_is_refused(self, encoding, name):
        assert refusal(f"{HEADER}\n{name},INV-1,2026-10-31,EUR,1.50\n".encode(encoding)) == "unsupported_file"

    @pytest.mark.parametrize(
        ("good", "bad"),
        [
            pytest.param(
                "Müller,1,2026-10-31,EUR,1\n", b"M\xfcller,2,2026-10-31,EUR,1\n", id="two files joined"
            ),
            pytest.param(
                "北京,1,2026-10-31,EUR,1\n", b"M\xfcller,2,2026-10-31,EUR,1\n", id="Chinese and German"
            ),
            pytest.param("北京,1,2026-10-31,EUR,1\n", b"\xe5\x8c", id="cut off within a letter"),
        ],
    )
    def test_what_is_utf8_in_part_is_refused(self, good, bad):
        assert refusal(f"{HEADER}\n{good}".encode() + bad) == "unsupported_file"

    def test_traditional_headings_are_known(self):
        export = read(
            '客戶名稱,發票號碼,到期日,幣別,餘額\n鴻海精密,FP-1,2026/10/31,TWD,"1,250.00"\n'.encode("big5")
        )
        assert said(export) == {"items": ["鴻海精密|FP-1|2026-10-31|1250.00 TWD"]}
        assert export.encoding == "big5"

    @settings(deadline=None, derandomize=True, max_examples=60)
    @given(st.text(alphabet="äöüÄÖÜßéABCabc ", min_size=1, max_size=20).filter(str.strip))
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

    @pytest.mark.parametrize(
        "first",
        [
            pytest.param("sep=;\n", id="plain"),
            pytest.param("SEP=;\r\n", id="capitals"),
            pytest.param('"sep=;"\n', id="quoted"),
            pytest.param("sep=;;;;;\n", id="filled up"),
            pytest.param("sep=;\r", id="old Macintosh"),
            pytest.param("\ufeffsep=;\n", id="behind a byte order mark"),
        ],
    )
    def test_a_told_delimiter_is_no_row(self, first):
        end = first[len(first.rstrip("\r\n")) :]
        export = read(f"{first}{HEADER}{end}{ROW}{end}A,1,never,EUR,1{end}".replace(",", ";"))
        assert said(export) == {
            "items": ["Contoso|INV-1|2026-10-31|150.00 EUR"],
            "rejected": ["line 4 bad_date"],
        }

    def test_a_told_delimiter_that_is_none_refuses_the_file(self):
        assert refusal(f"sep=;\n{HEADER}\n{ROW}\n") == "unsupported_file"

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

    @pytest.mark.parametrize(
        ("header", "row"),
        [
            pytest.param(f"{HEADER},", f"{ROW},", id="in every row"),
            pytest.param(HEADER, f"{ROW},,", id="in a row"),
            pytest.param(f"{HEADER},,", ROW, id="in the header"),
            pytest.param(f",{HEADER}", f",{ROW}", id="at the beginning"),
        ],
    )
    def test_an_empty_column_is_fine(self, header, row):
        assert said(read(f"{header}\n{row}\n")) == {"items": ["Contoso|INV-1|2026-10-31|150.00 EUR"]}

    @pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
    def test_every_line_end_counts_as_one(self, end):
        lines = ["Open invoices", "", HEADER, "A,1,never,EUR,1", ROW]
        assert said(read(end.join(lines))) == {
            "items": ["Contoso|INV-1|2026-10-31|150.00 EUR"],
            "rejected": ["line 4 bad_date"],
        }

    def test_a_header_over_two_lines_is_one_row(self):
        export = read('Customer,Invoice No,"Due\nDate",Currency,Balance\n' + ROW + "\nA,1,never,EUR,1\n")
        assert said(export)["rejected"] == ["line 4 bad_date"]


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

    @pytest.mark.parametrize(
        ("column", "code"),
        [
            pytest.param(0, "missing_customer", id="customer"),
            pytest.param(1, "missing_number", id="number"),
            pytest.param(2, "bad_date", id="date"),
            pytest.param(3, "bad_currency", id="currency"),
            pytest.param(4, "bad_amount", id="amount"),
        ],
    )
    @pytest.mark.parametrize("error", ["#N/A", "#REF!"])
    def test_a_failed_formula_is_no_empty_cell(self, column, code, error):
        """An empty customer is the one above, and an empty amount may follow from total and paid."""
        out = io.BytesIO()
        book = xlsxwriter.Workbook(out, {"in_memory": True, "default_date_format": "yyyy-mm-dd"})
        book.add_worksheet("Notes").write_formula(0, 0, "=NA()", None, "#N/A")
        sheet = book.add_worksheet("Invoices")
        for row, cells in enumerate(
            [[*TABLE[0], "Total", "Paid"], [*TABLE[1], 150.5, 0], [*TABLE[1], 150.5, 0]]
        ):
            sheet.write_row(row, 0, cells)
        sheet.write_formula(2, column, "=NA()", None, error)
        book.close()
        export = read(out.getvalue())
        assert said(export)["rejected"] == [f"row 3 {code}"]
        assert error in export.rejected[0].row

    def test_dates_of_a_workbook_that_counts_from_1904_are_read(self):
        assert read(workbook(TABLE, date_1904=True)).items[0].due_date == date(2026, 10, 31)

    @pytest.mark.parametrize(
        "cell",
        [
            pytest.param(46326.75, id="a time of that day"),
            pytest.param(20261031, id="eight digits"),
            pytest.param("31.10.2026", id="text"),
            pytest.param("20261031", id="eight digits as text"),
        ],
    )
    def test_a_date_may_come_as(self, cell):
        data = workbook([TABLE[0], ["Contoso", "INV-1", cell, "EUR", 1]])
        assert read(data).items[0].due_date == date(2026, 10, 31)

    @pytest.mark.parametrize("cell", [0, -5, 1e9, True, "46326"])
    def test_what_is_no_date_in_a_sheet_is_rejected(self, cell):
        data = workbook([TABLE[0], ["Contoso", "INV-1", cell, "EUR", 1]])
        assert said(read(data)) == {"rejected": ["row 2 bad_date"]}

    def test_amounts_have_the_decimals_of_their_currency(self):
        amounts = [
            ("EUR", 1.005),
            ("JPY", 100.5),
            ("KWD", 1.2345),
            ("EUR", 1e17),
            ("KWD", 1.234),
            ("EUR", -0.0),
        ]
        rows = [["A", f"{n}", "2026-10-31", *amount] for n, amount in enumerate(amounts)]
        assert said(read(workbook([TABLE[0], *rows]))) == {
            "items": ["A|4|2026-10-31|1.234 KWD"],
            "rejected": [f"row {row} too_many_decimals" for row in (2, 3, 4)] + ["row 5 bad_amount"],
            "not_open": 1,
        }

    def test_numbers_as_text_and_numbers_may_be_mixed(self):
        rows = [["A", 1001, "2026-10-31", "EUR", "1.234,50"], [4711, "1002", "2026-10-31", "EUR", 2.5]]
        assert said(read(workbook([TABLE[0], *rows]))) == {
            "items": ["A|1001|2026-10-31|1234.50 EUR", "4711|1002|2026-10-31|2.50 EUR"],
        }

    def test_a_very_hidden_sheet_is_not_read(self):
        data = repacked(workbook(TABLE, TABLE, hidden=1), "xl/workbook.xml", b'"hidden"', b'"veryHidden"')
        assert read(data).accepted == 1

    def test_a_merged_customer_counts_for_all_its_rows(self):
        out = io.BytesIO()
        book = xlsxwriter.Workbook(out, {"in_memory": True})
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, TABLE[0])
        for row in (1, 2):
            sheet.write_row(row, 1, [f"INV-{row}", "2026-10-31", "EUR", 5])
        sheet.merge_range(1, 0, 2, 0, "Contoso")
        book.close()
        assert [item.customer for item in read(out.getvalue()).items] == ["Contoso", "Contoso"]

    def test_a_truth_value_is_no_amount(self):
        data = workbook([TABLE[0], ["Contoso", "INV-1", "2026-10-31", "EUR", True]])
        assert [note.code for note in read(data).rejected] == ["bad_amount"]
