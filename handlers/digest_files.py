"""The overdue digest as files: every customer, a line per currency, safe to open in a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from bot.domain.aging import AgingBucket, Balance
from bot.domain.digest import Debtor, OverdueDigest, proposal
from bot.domain.money import MINOR_UNITS
from bot.receivables.reject_report import safe_cell
from bot.texts import Texts
from handlers.views import blocks
from handlers.views.digests import bucket_name, change_words
from handlers.views.policy import reasons

Cell = str | int | Decimal
COLUMNS = (
    "customer",
    "domain",
    "tenant",
    "linked",
    "currency",
    "open",
    "overdue",
    "disputed",
    *AgingBucket,
    "days",
    "change",
    "stage",
    "next",
    "proposal",
    "reasons",
    "promised",
    "snoozed",
    "owner",
    "suspended",
    "deletes",
)
WIDE = {"customer": 34, "domain": 30, "tenant": 38, "reasons": 60}
USUAL = 14


@dataclass(frozen=True, slots=True)
class Line:
    """One customer in one currency, in the order of `COLUMNS`."""

    currency: str
    cells: tuple[Cell, ...]


def as_csv(digest: OverdueDigest, texts: Texts) -> bytes:
    """UTF-8 with a byte order mark, by which Excel knows it; no text in it can become a formula."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(_heads(texts))
    for line in _lines(digest, texts):
        writer.writerow([safe_cell(cell) if isinstance(cell, str) else cell for cell in line.cells])
    return out.getvalue().encode("utf-8-sig")


def as_xlsx(digest: OverdueDigest, texts: Texts) -> bytes:
    """Amounts are numbers with the decimals of their currency; every text is a string, never a formula or a link."""
    import xlsxwriter

    out = io.BytesIO()
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with xlsxwriter.Workbook(out, options) as book:
        sheet = book.add_worksheet(digest.on.isoformat())
        head = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        money = {
            digits: book.add_format({"num_format": "#,##0" + (f".{'0' * digits}" if digits else "")})
            for digits in {0, 2, 3}
        }
        for column, (name, words) in enumerate(zip(COLUMNS, _heads(texts), strict=True)):
            sheet.write_string(0, column, words, head)
            sheet.set_column(column, column, WIDE.get(name, USUAL))
        count = 0
        for count, line in enumerate(_lines(digest, texts), start=1):
            amount = money.get(MINOR_UNITS.get(line.currency, 2), money[2])
            for column, cell in enumerate(line.cells):
                if isinstance(cell, Decimal):
                    sheet.write_number(count, column, cell, amount)
                elif isinstance(cell, int):
                    sheet.write_number(count, column, cell)
                elif cell:
                    sheet.write_string(count, column, cell)
        sheet.freeze_panes(1, 1)
        sheet.autofilter(0, 0, count, len(COLUMNS) - 1)
    return out.getvalue()


def _heads(texts: Texts) -> list[str]:
    return [
        bucket_name(name, texts) if isinstance(name, AgingBucket) else texts(f"column-{name}")
        for name in COLUMNS
    ]


def _lines(digest: OverdueDigest, texts: Texts) -> Iterator[Line]:
    for debtor in digest.debtors:
        party, known, stands = debtor.party, debtor.customer, debtor.standing
        said = proposal(stands)
        before: tuple[Cell, ...] = (
            blocks.harmless(party.customer),
            blocks.harmless(known.domain or "" if known else ""),
            known.id if known else blocks.harmless(party.tenant or ""),
            texts("yes") if known else texts("no"),
        )
        after: tuple[Cell, ...] = (
            party.oldest_days,
            change_words(debtor.change, texts),
            stands.stage.id if stands.stage else "",
            stands.next_stage.id if stands.next_stage else "",
            texts(f"proposal-{said}") if said else "",
            "; ".join(reasons(stands, texts)),
            debtor.promise.until.isoformat() if debtor.promise else "",
            debtor.snooze.until.isoformat() if debtor.snooze else "",
            debtor.owner or "",
            len(debtor.suspended),
            _deletes(debtor, texts),
        )
        for currency, balance in party.balances.items():
            sums = (balance.open, balance.overdue, balance.disputed)
            yield Line(currency, (*before, currency, *sums, *_aged(balance), *after))


def _aged(balance: Balance) -> tuple[Decimal, ...]:
    return tuple(balance.buckets[name] for name in AgingBucket)


def _deletes(debtor: Debtor, texts: Texts) -> str:
    """The nearest day after which data is gone; unknown is said, for it may be the nearest."""
    days = [c.deadline for c in debtor.suspended]
    if not days:
        return ""
    known = [day for day in days if day]
    said = [min(known).isoformat()] if known else []
    return ", ".join([*said, *([texts("unknown")] if len(known) < len(days) else [])])
