"""Records of Tryton become open items; no I/O.

Of an invoice, Tryton knows what is open as a whole (`amount_to_pay`, in the invoice's currency) and when each
instalment is due (the lines to pay, whose debit and credit are in the company's currency). A part payment
is one more line, without a date and tied to no instalment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Final, NamedTuple

from bot.domain.money import MINOR_UNITS
from bot.domain.receivables import ItemKind, OpenItem
from bot.receivables.cells import clean
from bot.receivables.fields import in_range
from bot.receivables.gathering import NOBODY, Gathering
from bot.receivables.notes import Code, RowRejected, shown
from bot.receivables.numbers import in_currency, not_an_amount
from bot.receivables.parties import Party, as_tenant

Record = Mapping[str, object]

_TOO_MUCH: Final = Decimal(10) ** 18
_PARTY: Final = ("party.name", "party.code", "party.identifiers.type", "party.identifiers.code")
_AMOUNT: Final = ("debit", "credit", "amount_second_currency", "second_currency.code")
INVOICE_FIELDS: Final = (
    *("number", "type", "state", "invoice_date", "total_amount", "amount_to_pay"),
    *("currency.code", "company.currency.code", *_PARTY),
    *(f"lines_to_pay.{name}" for name in (*_AMOUNT, "maturity_date", "reconciliation", "dunnings.blocked")),
    "payment_lines.id",
)
LINE_FIELDS: Final = (
    *("move.number", "date", "company.currency.code"),
    *_AMOUNT,
    *_PARTY,
)


class MissingField(Exception):
    """A field was asked for and left out of the answer: the key's user may not see it."""


def check_fields(value: object, paths: tuple[str, ...]) -> None:
    """Raise `MissingField` unless each path is there, as far as there is anything on the way to it."""
    for path in paths:
        _check_path(value, path, path)


def _check_path(value: object, path: str, whole: str) -> None:
    if isinstance(value, list):
        for each in value:
            _check_path(each, path, whole)
    elif isinstance(value, dict):
        name, _, rest = path.partition(".")
        if name not in value:
            raise MissingField(whole)
        if rest:
            _check_path(value[name], rest, whole)


class _Instalment(NamedTuple):
    number: int
    due: date | None
    amount: Decimal
    """In the invoice's currency."""
    disputed: bool


class TrytonBooks:
    """Reads record by record into a gathering. Invoices must come before lines."""

    def __init__(self, gathering: Gathering, *, as_of: date, identifier_type: str | None) -> None:
        self._gathering = gathering
        self._identifier_type = identifier_type
        self._as_of = as_of
        self._of_invoices: set[object] = set()
        self._lines_of_move: Counter[tuple[str, str]] = Counter()
        self._told: set[object] = set()

    def take_invoice(self, record: Record) -> None:
        """Take what is open of a posted invoice or credit note, one item an instalment."""
        for line in (*_records(record, "lines_to_pay"), *_records(record, "payment_lines")):
            self._of_invoices.add(line.get("id"))
        at = f"invoice {_text(record, 'number') or record.get('id')}"
        row = tuple(_as_text(record.get(name)) for name in INVOICE_FIELDS[:6])
        party = NOBODY
        try:
            if (record.get("type"), record.get("state")) != ("out", "posted"):
                raise RowRejected(Code.UNSUPPORTED_FILE, "The server sent an invoice that was not asked for.")
            party = self._party(record, at)
            for item in self._open_items(record, party):
                self._gathering.take(at, party, item, row)
        except RowRejected as error:
            self._gathering.reject(at, party, error, row)

    def take_line(self, record: Record) -> None:
        """Take a credit that is tied to no invoice: a payment on account, or one not yet allocated.

        A debit that is no invoice is left out: it has gone through no invoicing, and may be a refund.
        """
        if record.get("id") in self._of_invoices:
            return
        number = _text(_record(record, "move"), "number")
        at = f"move {number or record.get('id')}"
        row = (at, *(_as_text(record.get(name)) for name in ("date", "debit", "credit")))
        party = NOBODY
        try:
            debit, credit = _decimal(record.get("debit")), _decimal(record.get("credit"))
            if debit >= credit:
                return
            party = self._party(record, at)
            second = _text(_record(record, "second_currency"), "code")
            currency = _currency(second or _company_currency(record))
            amount = _decimal(record.get("amount_second_currency")) if second else debit - credit
            day = self._day(record.get("date"))
            if day is None or not number:
                raise RowRejected(Code.MISSING_NUMBER, "The credit has no number or no date; post its move.")
            self._lines_of_move[party.key, number] += 1
            item = OpenItem(
                customer=party.name,
                tenant=party.tenant or None,
                customer_code=party.code or None,
                document_number=at,  # moves and invoices are counted separately: their numbers may be the same
                instalment=self._lines_of_move[party.key, number],
                kind=ItemKind.PAYMENT_ON_ACCOUNT,
                issue_date=day,
                due_date=day,
                currency=currency,
                open_amount=in_currency(-abs(amount), currency),
            )
            self._gathering.take(at, party, item, row)
        except RowRejected as error:
            self._gathering.reject(at, party, error, row)

    def _party(self, record: Record, at: str) -> Party:
        of = _record(record, "party")
        code = _text(of, "code")
        name = _text(of, "name") or code
        if not name:
            raise RowRejected(Code.MISSING_CUSTOMER, "The document names no customer with a name or code.")
        return Party(name, code, self._tenant(of, at))

    def _tenant(self, party: Record, at: str) -> str:
        """The one tenant id among the identifiers of the type, else the one domain; none when in doubt."""
        codes = [
            _text(identifier, "code")
            for identifier in _records(party, "identifiers")
            if (identifier.get("type") or None) == self._identifier_type
        ]
        tenants = {tenant.casefold() for code in codes if (tenant := as_tenant(code))}
        ids = {tenant for tenant in tenants if "." not in tenant}
        found = ids or tenants
        if len(found) == 1:
            return found.pop()
        if (found or (codes and self._identifier_type)) and party.get("id") not in self._told:
            self._told.add(party.get("id"))
            message = f"The identifiers {shown(', '.join(codes))} name no tenant beyond doubt; keep one for the party."
            self._gathering.warn(at, Code.BAD_TENANT, message)
        return ""

    def _open_items(self, record: Record, party: Party) -> list[OpenItem]:
        open_amount = _decimal(record.get("amount_to_pay"))
        if not open_amount:
            return []
        number = _text(record, "number")
        if not number:
            raise RowRejected(Code.MISSING_NUMBER, "The invoice is posted but has no number.")
        currency = _currency(_text(_record(record, "currency"), "code"))
        issued = self._day(record.get("invoice_date"))
        total = _decimal(record.get("total_amount"))
        instalments = self._instalments(record, currency)
        items: list[OpenItem] = []
        for instalment, part in _spread(open_amount, total, instalments):
            due = instalment.due or (issued if part < 0 else None)
            if due is None:
                raise RowRejected(Code.MISSING_DUE_DATE, "A line to pay has no due date; add it.")
            items.append(
                OpenItem(
                    customer=party.name,
                    tenant=party.tenant or None,
                    customer_code=party.code or None,
                    document_number=number,
                    instalment=instalment.number,
                    kind=_kind(total, part),
                    issue_date=issued,
                    due_date=due,
                    currency=currency,
                    total=in_currency(instalment.amount, currency),
                    open_amount=in_currency(part, currency),
                    disputed=instalment.disputed,
                )
            )
        return items

    def _instalments(self, record: Record, currency: str) -> list[_Instalment]:
        """The lines that are not settled, numbered as they came to be: a paid one keeps its number."""
        company_currency = _company_currency(record)
        lines = sorted(_records(record, "lines_to_pay"), key=lambda line: int(str(line.get("id"))))
        return [
            _Instalment(
                number,
                self._day(line.get("maturity_date")),
                _in_currency_of_invoice(line, currency, company_currency),
                # A blocked dunning is how Tryton's users note that a claim is disputed.
                any(dunning.get("blocked") for dunning in _records(line, "dunnings")),
            )
            for number, line in enumerate(lines, start=1)
            if line.get("reconciliation") is None
        ]

    def _day(self, value: object) -> date | None:
        if value is None:
            return None
        if isinstance(value, dict) and value.get("__class__") == "date":
            try:
                day = date(value["year"], value["month"], value["day"])
            except (KeyError, TypeError, ValueError):
                pass
            else:
                return in_range(day, as_of=self._as_of)
        raise RowRejected(Code.BAD_DATE, f"{shown(value)} is no date.")


def _spread(
    open_amount: Decimal, total: Decimal, instalments: list[_Instalment]
) -> list[tuple[_Instalment, Decimal]]:
    """Say how much of each instalment is open: a part payment settles the one due first.

    It is the customer's most favourable reading that the ledger allows, and what Tryton itself assumes in
    `amount_to_pay_today`.
    """
    sign = 1 if total > 0 else -1
    owed = [instalment for instalment in instalments if instalment.amount * sign > 0]
    if not owed:
        raise RowRejected(
            Code.MISSING_DUE_DATE, f"{open_amount} is open, but no line to pay says until when."
        )
    owed.sort(key=lambda instalment: (instalment.due or date.max, instalment.number))
    if sign > 0 > open_amount:  # paid more than was asked for
        return [(owed[0], open_amount)]
    settled = sum((abs(instalment.amount) for instalment in owed), Decimal(0)) - open_amount * sign
    if settled < 0 or open_amount * sign < 0:
        raise RowRejected(
            Code.INCONSISTENT_AMOUNTS, f"The open amount {open_amount} is more than its lines to pay."
        )
    parts: list[tuple[_Instalment, Decimal]] = []
    for instalment in owed:
        covered = min(settled, abs(instalment.amount))
        settled -= covered
        if rest := abs(instalment.amount) - covered:
            parts.append((instalment, rest * sign))
    return parts


def _kind(total: Decimal, part: Decimal) -> ItemKind:
    if total < 0:
        return ItemKind.CREDIT_NOTE
    return ItemKind.INVOICE if part > 0 else ItemKind.PAYMENT_ON_ACCOUNT


def _in_currency_of_invoice(line: Record, currency: str, company_currency: str) -> Decimal:
    if _text(_record(line, "second_currency"), "code") == currency:
        return _decimal(line.get("amount_second_currency"))
    if currency != company_currency:
        raise RowRejected(
            Code.BAD_CURRENCY, f"A line to pay is not in {currency}, the currency of the invoice."
        )
    return _decimal(line.get("debit")) - _decimal(line.get("credit"))


def _company_currency(record: Record) -> str:
    return _text(_record(_record(record, "company"), "currency"), "code")


def _currency(code: str) -> str:
    if code not in MINOR_UNITS:
        raise RowRejected(Code.BAD_CURRENCY, f"{shown(code)} is no currency code of ISO 4217.")
    return code


def _decimal(value: object) -> Decimal:
    """A decimal as the server gave it, never through a binary fraction."""
    if isinstance(value, dict) and value.get("__class__") == "Decimal":
        try:
            read = Decimal(value["decimal"]) if isinstance(value.get("decimal"), str) else None
        except InvalidOperation:
            read = None
        if read is not None and read.is_finite() and abs(read) < _TOO_MUCH:
            return read
    raise not_an_amount(value)


def _record(record: Record, name: str) -> Record:
    value = record.get(name)
    return value if isinstance(value, dict) else {}


def _records(record: Record, name: str) -> list[Record]:
    value = record.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _text(record: Record, name: str) -> str:
    value = record.get(name)
    return clean(value) if isinstance(value, str) else ""


def _as_text(value: object) -> str:
    if isinstance(value, dict):
        if value.get("__class__") == "date":
            return "-".join(str(value.get(part)) for part in ("year", "month", "day"))
        return str(value.get("decimal", ""))
    return "" if value is None else str(value)
