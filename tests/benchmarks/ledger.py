"""A large, reproducible export of open items: the same rows as CSV and as XLSX."""

from __future__ import annotations

import csv
import random
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import xlsxwriter

HEADINGS = (
    "Customer",
    "Tenant ID",
    "Invoice No",
    "Invoice Date",
    "Due Date",
    "Currency",
    "Invoice Total",
    "Balance Due",
    "Status",
)
AS_OF = date(2026, 11, 22)
BAD_EVERY = 1000
"""Every so many rows one has a due date that does not exist."""

_FIRST_DUE = date(2026, 5, 1)
_CURRENCIES = (("EUR", 2), ("USD", 2), ("CNY", 2), ("JPY", 0), ("GBP", 2))

Row = tuple[str, str, str, date, date | str, str, Decimal, Decimal, str]


def rows(count: int, *, seed: int = 7) -> Iterator[Row]:
    """About twenty rows a customer, a tenth of them paid in part."""
    chance = random.Random(seed)
    customers = [
        (f"Customer {n:05} Ltd", str(uuid.UUID(int=chance.getrandbits(128), version=4)))
        for n in range(max(1, count // 20))
    ]
    for number in range(1, count + 1):
        name, tenant = chance.choice(customers)
        currency, digits = chance.choice(_CURRENCIES)
        total = Decimal(chance.randrange(100, 5_000_000)).scaleb(-digits)
        paid = (total / 4).quantize(total) if chance.random() < 0.1 else Decimal(0)
        due = _FIRST_DUE + timedelta(days=chance.randrange(240))
        yield (
            name,
            tenant,
            f"INV-{number:07}",
            due - timedelta(days=30),
            "2026-02-30" if number % BAD_EVERY == 0 else due,
            currency,
            total,
            total - paid,
            "Partially paid" if paid else "Open",
        )


def write_csv(path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADINGS)
        writer.writerows(rows(count))


def write_xlsx(path: Path, count: int, *, as_excel: bool) -> None:
    """Dates and amounts as dates and numbers; every text once for the whole book as Excel has it, or in its cell."""
    book = xlsxwriter.Workbook(path, {"constant_memory": not as_excel, "default_date_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADINGS)
    for at, row in enumerate(rows(count), start=1):
        for column, cell in enumerate(row):
            if isinstance(cell, date):
                sheet.write_datetime(at, column, cell)
            elif isinstance(cell, Decimal):
                sheet.write_number(at, column, float(cell))
            else:
                sheet.write_string(at, column, cell)
    book.close()
