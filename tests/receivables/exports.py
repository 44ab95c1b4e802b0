"""Building odd files, and saying in a few words what came of them."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from typing import Any

import xlsxwriter

from bot.receivables import Export, read_export

AS_OF = date(2026, 11, 22)
HEADER = "Customer,Invoice No,Due Date,Currency,Balance"
ROW = "Contoso,INV-1,2026-10-31,EUR,150.00"


def read(data: bytes | str, **given: Any) -> Export:
    raw = data.encode() if isinstance(data, str) else data
    return read_export(raw, file_name="open.csv", as_of=AS_OF, **given)


def workbook(
    *sheets: list[list[Any]], hidden: int | None = None, at: tuple[int, int] = (0, 0), **options: Any
) -> bytes:
    """Lists of rows as an Excel file, one a sheet."""
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
    """The same archive with something in one of its files replaced."""
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


def said(export: Export) -> dict[str, Any]:
    """All an export says that is not empty or zero; an item as `customer|number|due|amount`."""
    items = [
        f"{i.customer}|{i.document_number}|{i.due_date}|{i.open_amount} {i.currency}" for i in export.items
    ]
    everything = {
        "refused": str(export.refused.code) if export.refused else "",
        "items": items,
        "rejected": [f"{note.at} {note.code}" for note in export.rejected],
        "warnings": [f"{note.at} {note.code}" for note in export.warnings],
        "skipped": export.skipped,
        "duplicates": export.duplicates,
        "not_open": export.not_open,
    }
    return {key: value for key, value in everything.items() if value}
