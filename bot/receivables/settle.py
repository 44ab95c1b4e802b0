"""What a file decides as a whole before any row is read: number style, date order, currency.

Decided by row, the same text would mean one thing here and another there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from bot.domain.money import MINOR_UNITS
from bot.receivables.cells import Cell
from bot.receivables.currencies import CurrencyOf
from bot.receivables.dates import ContradictoryOrder, DateOrder, has_two_digit_year, proven_order
from bot.receivables.header import Field, Header
from bot.receivables.lines import Line
from bot.receivables.notes import Code, FileRefused, RowRejected, shown
from bot.receivables.numbers import Amount, DecimalStyle, StyleProof, parse_amount
from bot.receivables.parties import Party, with_known_tenants

Warnings = list[tuple[Code, str]]

_AMOUNTS: Final = (Field.OPEN_AMOUNT, Field.TOTAL, Field.PAID)
DATES: Final = (Field.DUE_DATE, Field.ISSUE_DATE, Field.PROMISE)


@dataclass(frozen=True, slots=True)
class Settled:
    """What holds for all rows."""

    style: DecimalStyle
    style_is_assumed: bool
    """No amount shows it, and there are amounts that would be others in the other style."""
    orders: Mapping[Field, DateOrder | None]
    tenants: Mapping[Party, Party]
    """The parties that get their tenant from other rows."""


class Survey:
    """What all lines together show; the lines themselves are not kept."""

    def __init__(self, header: Header, dates: Mapping[Field, Mapping[Cell, object]]) -> None:
        """`dates` has the different cells of each column in the order they appear, once all are seen."""
        self.proof = StyleProof()
        self.parties: set[Party] = set()
        self._header = header
        self._dates = dates
        self._amounts = [column for _, column in _columns(header, _AMOUNTS)]

    def see_amounts(self, cells: list[Cell]) -> None:
        for column in self._amounts:
            if isinstance(cell := cells[column], str):
                self.proof.see(cell)

    def settled(self, warnings: Warnings, *, setting: DateOrder | None, expected: bool = False) -> Settled:
        """Settle it. Raises `FileRefused` for a contradiction, and, unless more is `expected`, for a doubt."""
        lacking = [party for party in self.parties if not party.tenant]
        known = with_known_tenants(self.parties) if lacking else {}
        return Settled(
            *self._style(warnings),
            self._orders(warnings, setting, doubt_is_fine=expected),
            {party: known[party] for party in lacking if known[party] != party},
        )

    def _style(self, warnings: Warnings) -> tuple[DecimalStyle, bool]:
        """Settle the decimal mark; where nothing proves it, the language of the headings decides."""
        assume = DecimalStyle.COMMA if self._header.language == "de" else DecimalStyle.DOT
        style, assumed = self.proof.settled(assume=assume)
        if assumed:
            warnings.append(
                (
                    Code.NUMBER_FORMAT_ASSUMED,
                    f"No amount shows the decimal mark; {shown(style)} was assumed. Check the totals.",
                )
            )
        return style, assumed

    def _orders(
        self, warnings: Warnings, setting: DateOrder | None, *, doubt_is_fine: bool
    ) -> dict[Field, DateOrder | None]:
        """Settle the order of day and month: each column by its own proof, else the others', else the setting."""
        proofs: dict[Field, DateOrder] = {}
        questions: dict[Field, str] = {}
        for field, cells in self._dates.items():
            texts = [cell for cell in cells if isinstance(cell, str) and cell]
            try:
                proof, question = proven_order(texts)
            except ContradictoryOrder as both:
                raise FileRefused(
                    Code.AMBIGUOUS_DATE_ORDER,
                    f"{shown(both.day_first)} begins with the day, {shown(both.month_first)} with the month; "
                    "export the file again with one date format.",
                ) from both
            if proof:
                proofs[field] = proof
            elif question:
                questions[field] = question
            if any(map(has_two_digit_year, texts)):
                heading = self._header.heading(field)
                warnings.append(
                    (
                        Code.TWO_DIGIT_YEAR,
                        f"Years in “{heading}” have two digits and were read as 20YY; export four.",
                    )
                )
        if setting and any(proof != setting for proof in proofs.values()):
            warnings.append(
                (
                    Code.DATE_ORDER_OVERRIDDEN,
                    f"The dates prove another order than {setting}; the file was believed.",
                )
            )
        general = proofs[next(iter(proofs))] if len(set(proofs.values())) == 1 else setting
        if questions and general is None and not doubt_is_fine:
            raise FileRefused(
                Code.AMBIGUOUS_DATE_ORDER,
                f"{shown(next(iter(questions.values())))} can be read in two ways; "
                "say whether the day (DMY) or the month (MDY) comes first.",
            )
        return {field: proofs.get(field, general) for field in self._dates}


def _columns(header: Header, fields: Iterable[Field]) -> list[tuple[Field, int]]:
    return [(field, header.columns[field][0]) for field in fields if field in header.columns]


def currency_finder(header: Header, *, default: str | None) -> CurrencyOf:
    """Settle where currencies come from. Raises `FileRefused` for a default that is none."""
    code = default.strip().upper() if default else None
    if code and code not in MINOR_UNITS:
        raise FileRefused(
            Code.BAD_CURRENCY,
            f"{shown(code)} is no currency code; use three letters of ISO 4217, such as EUR.",
        )
    return CurrencyOf(heading=header.currency, default=code, chinese=header.is_chinese)


def check_currency(
    header: Header, finder: CurrencyOf, lines: Callable[[], Iterable[Line]], *, style: DecimalStyle
) -> None:
    """Raise `FileRefused` when no row can have a currency.

    `lines` gives all lines once more: only where nothing but the amounts' signs can name one.
    """
    if Field.CURRENCY in header.columns or finder.knows(""):
        return
    columns = [column for _, column in _columns(header, _AMOUNTS)]
    signs = {_sign(cells[at], style) for _, cells, _, _ in lines() for at in columns}
    if signs and not any(map(finder.knows, signs)):
        message = "The file names no currency; add a currency column or say which one it is in."
        if header.in_home_currency:
            message = (
                "The amounts are in your own currency, which the file does not name; say which one it is."
            )
        raise FileRefused(Code.MISSING_CURRENCY, message)


def _sign(cell: Cell, style: DecimalStyle) -> str:
    if not isinstance(cell, str):
        return ""
    try:
        amount = parse_amount(cell, style)
    except RowRejected:
        return ""
    return amount.sign if isinstance(amount, Amount) else ""
