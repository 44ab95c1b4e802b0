"""What a file decides as a whole before any row is read: number style, date order, currency.

Decided by row, the same text would mean one thing here and another there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import Final

from bot.domain.receivables import MINOR_UNITS
from bot.receivables.currencies import CurrencyOf
from bot.receivables.dates import ContradictoryOrder, DateOrder, DateReader, has_two_digit_year, proven_order
from bot.receivables.header import Field, Header
from bot.receivables.lines import Line
from bot.receivables.notes import Code, FileRefused, RowRejected, shown
from bot.receivables.numbers import DecimalStyle, parse_amount, settle_style

Warnings = list[tuple[Code, str]]

_AMOUNTS: Final = (Field.OPEN_AMOUNT, Field.TOTAL, Field.PAID)
_DATES: Final = (Field.DUE_DATE, Field.ISSUE_DATE, Field.PROMISE)


def _texts(lines: list[Line], column: int) -> Iterable[str]:
    """List the different texts of a column in the order they appear."""
    return dict.fromkeys(cell for line in lines if isinstance(cell := line.cells[column], str) and cell)


def _columns(header: Header, fields: Iterable[Field]) -> Iterator[tuple[Field, int]]:
    for field in fields:
        if (column := header.column(field)) is not None:
            yield field, column


def number_style(lines: list[Line], header: Header, warnings: Warnings) -> DecimalStyle:
    """Settle the decimal mark; where nothing proves it, the language of the headings decides."""
    assume = DecimalStyle.COMMA if header.language == "de" else DecimalStyle.DOT
    texts = (text for _, column in _columns(header, _AMOUNTS) for text in _texts(lines, column))
    style, assumed = settle_style(texts, assume=assume)
    if assumed:
        warnings.append(
            (
                Code.NUMBER_FORMAT_ASSUMED,
                f"No amount shows the decimal mark; {shown(style.value)} was assumed. Check the totals.",
            )
        )
    return style


def date_readers(
    lines: list[Line],
    header: Header,
    warnings: Warnings,
    *,
    as_of: date,
    setting: DateOrder | None,
    epoch_1904: bool,
) -> dict[Field, DateReader]:
    """Settle the order of day and month: each column by its own proof, else the others', else the setting."""
    proofs: dict[Field, DateOrder] = {}
    questions: dict[Field, str] = {}
    columns = dict(_columns(header, _DATES))
    for field, column in columns.items():
        texts = _texts(lines, column)
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
            warnings.append(
                (
                    Code.TWO_DIGIT_YEAR,
                    f"Years in “{header.heading(field)}” have two digits and were read as 20YY; export four.",
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
    if questions and general is None:
        raise FileRefused(
            Code.AMBIGUOUS_DATE_ORDER,
            f"{shown(next(iter(questions.values())))} can be read in two ways; "
            "say whether the day (DMY) or the month (MDY) comes first.",
        )
    return {
        field: DateReader(proofs.get(field, general), as_of=as_of, epoch_1904=epoch_1904) for field in columns
    }


def currency_finder(
    lines: list[Line], header: Header, *, default: str | None, style: DecimalStyle
) -> CurrencyOf:
    """Settle where currencies come from. Raises `FileRefused` when no row could have one."""
    code = default.strip().upper() if default else None
    if code and code not in MINOR_UNITS:
        raise FileRefused(
            Code.BAD_CURRENCY,
            f"{shown(code)} is no currency code; use three letters of ISO 4217, such as EUR.",
        )
    finder = CurrencyOf(heading=header.currency, default=code, chinese=header.language == "zh")
    if Field.CURRENCY in header.columns or not lines or finder.knows(""):
        return finder
    texts = (text for _, column in _columns(header, _AMOUNTS) for text in _texts(lines, column))
    if not any(finder.knows(_sign(text, style)) for text in texts):
        raise FileRefused(
            Code.MISSING_CURRENCY,
            "The file names no currency; add a currency column or say which one it is in.",
        )
    return finder


def _sign(text: str, style: DecimalStyle) -> str:
    try:
        return parse_amount(text, style).sign
    except RowRejected:
        return ""
