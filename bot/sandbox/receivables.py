"""The sample partner's open invoices, as its accounting system would export them on a given day."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal

HEADER = (
    "Date",
    "Transaction Type",
    "Num",
    "Customer",
    "Domain",
    "Due Date",
    "Terms",
    "Currency",
    "Amount",
    "Open Balance",
)
NET_DAYS = 30


@dataclass(frozen=True)
class Line:
    """An open invoice, or a credit if `amount` is negative; `overdue` days may lie ahead (negative)."""

    overdue: int
    amount: str
    open_amount: str = ""


Account = tuple[str, str, str, tuple[Line, ...]]  # customer, domain, currency, what is open

ACCOUNTS: tuple[Account, ...] = (
    (
        "Contoso Ltd",
        "contoso.onmicrosoft.com",
        "USD",
        (Line(45, "18640.00"), Line(14, "9320.00"), Line(-16, "9320.00")),
    ),
    (
        "Adatum Corporation",
        "adatum.onmicrosoft.com",
        "USD",
        (Line(71, "4320.00"), Line(24, "4320.00", "2000.00"), Line(20, "-250.00")),
    ),
    ("Fourth Coffee", "fourthcoffee.onmicrosoft.com", "USD", (Line(-7, "189.90"),)),
    (
        "Lamna Healthcare, Inc.",
        "lamnahealthcare.onmicrosoft.com",
        "USD",
        (Line(114, "12500.00"), Line(-9, "12500.00")),
    ),
    ("Woodgrove Bank", "woodgrovebank.onmicrosoft.com", "USD", (Line(22, "15200.00"), Line(-8, "15200.00"))),
    ("Tailspin Toys", "tailspintoys.onmicrosoft.com", "USD", (Line(53, "1210.00", "605.00"),)),
    ("Fabrikam, Inc.", "fabrikam.onmicrosoft.com", "USD", (Line(96, "3375.00"), Line(66, "3375.00"))),
    ("Fabrikam, Inc.", "fabrikam.onmicrosoft.com", "EUR", (Line(4, "1180.00"),)),
    (
        "北京云杉科技有限公司",
        "yunshan.partner.onmschina.cn",
        "CNY",
        (Line(62, "48600.00"), Line(31, "48600.00")),
    ),
    (
        "Müller & Söhne Maschinenbau GmbH",
        "mueller-soehne.onmicrosoft.com",
        "EUR",
        (Line(38, "2884.00"), Line(8, "2884.00"), Line(3, "-412.00")),
    ),
    ("Северный Ветер", "severnyveter.onmicrosoft.com", "EUR", (Line(97, "1064.00"),)),
    ("さくら商事株式会社", "sakura-shoji.onmicrosoft.com", "USD", (Line(0, "940.50"), Line(-30, "940.50"))),
    ("Trey Research", "treyresearch.onmicrosoft.com", "USD", (Line(82, "638.00"), Line(51, "638.00"))),
    ("Wingtip Toys", "wingtiptoys.onmicrosoft.com", "EUR", (Line(16, "412.80"),)),
    ("Coho Winery", "cohowinery.onmicrosoft.com", "USD", (Line(121, "264.00"),)),
    ("Humongous Insurance", "humongousinsurance.onmicrosoft.com", "USD", (Line(-3, "7560.00"),)),
    ("VanArsdel, Ltd.", "vanarsdel.onmicrosoft.com", "USD", (Line(35, "2310.75"), Line(35, "-2310.75"))),
    ("Alpine Ski House", "alpineskihouse-davos.onmicrosoft.com", "EUR", (Line(28, "148.20"),)),
    ("Bäckerei Grünwald GmbH & Co. KG", "gruenwald.onmicrosoft.com", "EUR", (Line(1, "96.00"),)),
    ("Émile et Filles SARL", "emile-filles.onmicrosoft.com", "EUR", (Line(-12, "351.00"),)),
    ("上海澜图信息技术有限公司", "lantu.partner.onmschina.cn", "CNY", (Line(-5, "12400.00"),)),
    (
        "深圳市启程物流有限公司",
        "qicheng.partner.onmschina.cn",
        "CNY",
        (Line(93, "26150.00"), Line(12, "8700.00")),
    ),
    (
        "Graphic Design Institute",
        "graphicdesign.onmicrosoft.com",
        "USD",
        (Line(67, "415.00"), Line(-20, "415.00")),
    ),
    ("Панорама Софт ЕООД", "panorama-soft.onmicrosoft.com", "EUR", (Line(26, "207.60"),)),
    ("Halden Marine Supplies", "haldenmarine.example", "EUR", (Line(64, "1975.00"),)),
)


WARNED = frozenset(
    {
        "contoso.onmicrosoft.com",
        "adatum.onmicrosoft.com",
        "lamnahealthcare.onmicrosoft.com",
        "tailspintoys.onmicrosoft.com",
        "fabrikam.onmicrosoft.com",
        "yunshan.partner.onmschina.cn",
        "severnyveter.onmicrosoft.com",
        "treyresearch.onmicrosoft.com",
        "cohowinery.onmicrosoft.com",
        "qicheng.partner.onmschina.cn",
    }
)
"""Domains of whom the sample partner warned some weeks ago. Others who are as late were not, and have to be first."""
SETTLED: Account = ("Proseware, Inc.", "proseware.onmicrosoft.com", "USD", (Line(19, "730.00"),))
"""Was open the day before, and is paid since."""
PAID_SINCE = {("Tailspin Toys", "605.00"): "1210.00", ("Adatum Corporation", "2000.00"): "4320.00"}
"""What of theirs is open now, and was the day before: they have paid a part."""


def sample_receivables(today: date, *, earlier: bool = False) -> str:
    """A CSV export made on `today`: title lines, a header, then one line an open invoice or credit.

    The same on every call for the same day. One customer in it is unknown to Partner Center. `earlier` is the export
    of the day before, when one customer had not paid yet and two had not paid a part.
    """
    rows = []
    number = 1000
    for customer, domain, currency, lines in (*ACCOUNTS, *((SETTLED,) if earlier else ())):
        for line in lines:
            number += 1
            before = PAID_SINCE.get((customer, line.open_amount)) if earlier else None
            line = replace(line, open_amount=before) if before else line
            rows.append(_row(customer, domain, currency, line, number, today))
    return _export(today - timedelta(days=1) if earlier else today, rows)


@dataclass
class Books:
    """The sample partner's accounting system from a day on: invoices grow older, and customers can pay."""

    opened: date
    _paid: set[str] = field(default_factory=set)

    def export(self, on: date) -> str:
        """What is open on that day, as `sample_receivables` has it on the first."""
        return _export(on, [_row(*each, self.opened) for each in self._open()])

    def owed(self) -> dict[str, dict[str, Decimal]]:
        """What each domain has to pay, by currency, net of its credits; of some it is nothing."""
        owed: dict[str, dict[str, Decimal]] = {}
        for _, domain, currency, line, _ in self._open():
            of_domain = owed.setdefault(domain, {})
            amount = Decimal(line.open_amount or line.amount)
            of_domain[currency] = of_domain.get(currency, Decimal(0)) + amount
        return owed

    def pay(self, domain: str) -> None:
        """All that is open there is paid. Raises LookupError where nothing is."""
        if domain not in self.owed():
            raise LookupError(domain)
        self._paid.add(domain)

    def _open(self) -> list[tuple[str, str, str, Line, int]]:
        numbered = (
            (customer, domain, currency, line)
            for customer, domain, currency, lines in ACCOUNTS
            for line in lines
        )
        return [(*each, number) for number, each in enumerate(numbered, 1001) if each[1] not in self._paid]


def _export(made_on: date, rows: Iterable[tuple[str, ...]]) -> str:
    text = io.StringIO(newline="")
    export = csv.writer(text, lineterminator="\n")
    export.writerows([["Open Invoices"], ["Northwind Cloud"], [f"As of {made_on.isoformat()}"], []])
    export.writerow(HEADER)
    export.writerows(rows)
    return text.getvalue()


def _row(customer: str, domain: str, currency: str, line: Line, number: int, today: date) -> tuple[str, ...]:
    is_credit = Decimal(line.amount) < 0
    due = today - timedelta(days=line.overdue)
    issued = due if is_credit else due - timedelta(days=NET_DAYS)
    return (
        issued.isoformat(),
        "Credit Memo" if is_credit else "Invoice",
        f"{'CM' if is_credit else 'INV'}-{number}",
        customer,
        domain,
        due.isoformat(),
        "" if is_credit else f"Net {NET_DAYS}",
        currency,
        line.amount,
        line.open_amount or line.amount,
    )
