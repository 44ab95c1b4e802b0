"""Amounts as accountants write them, read without ever guessing where the decimals begin.

No amount passes through binary floating point: text becomes `Decimal` at once, and a number from a sheet is
taken by its shortest decimal form and must be a whole count of the currency's smallest unit.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Final, NamedTuple

from bot.domain.receivables import MINOR_UNITS
from bot.receivables.currencies import SIGN_OR_CODE
from bot.receivables.notes import Code, FileRefused, RowRejected, shown


class DecimalStyle(Enum):
    """Which mark separates the decimals; the other one groups thousands."""

    DOT = "."
    COMMA = ","


class Amount(NamedTuple):
    """A number and the currency sign or code written beside it, if any."""

    value: Decimal
    sign: str = ""


class _Split(NamedTuple):
    negative: bool
    digits: str
    sign: str


_MOST_DIGITS: Final = 24
_LONE_DASHES: Final = re.compile(r"[-–—]+")


def _form(style: DecimalStyle, group: str) -> re.Pattern[str]:
    """Build the pattern of one style; a group never begins with a zero: `0.500` is a half."""
    grouped = "|".join(rf"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+" for mark in (group, " ", "'"))
    lakh_and_crore = rf"[1-9][0-9]?(?:{group}[0-9]{{2}})+{group}[0-9]{{3}}"
    return re.compile(rf"(?:[0-9]+|{grouped}|{lakh_and_crore})?(?:{re.escape(style.value)}[0-9]+)?")


_FORMS: Final = {
    DecimalStyle.DOT: _form(DecimalStyle.DOT, ","),
    DecimalStyle.COMMA: _form(DecimalStyle.COMMA, r"\."),
}
_MARKS: Final = {"CR": True, "H": True, "贷": True, "DR": False, "S": False, "借": False}
_AFFIX: Final = rf"(?:(?P<minus>-)|\+|(?P<currency>{SIGN_OR_CODE})|(?P<mark>CR|DR|H|S|贷|借))"
_PREFIX: Final = re.compile(rf"{_AFFIX}\s*", re.IGNORECASE)
_SUFFIX: Final = re.compile(rf"\s*{_AFFIX}$", re.IGNORECASE)
_SAME: Final = str.maketrans(
    {"−": "-", "’": "'", "‘": "'", "ʼ": "'", "\u2009": " ", "\u202f": " ", "\xa0": " "}
)


def not_an_amount(text: object) -> RowRejected:
    return RowRejected(Code.BAD_AMOUNT, f"{shown(text)} is not an amount; write digits, such as 1234.56.")


def settle_style(texts: Iterable[str], *, assume: DecimalStyle) -> tuple[DecimalStyle, bool]:
    """Find the one style all amounts of a file agree on; the second value says it had to be assumed.

    `1.234` alone proves nothing. Raises `FileRefused` when two amounts prove the contrary of each other.
    """
    proofs: dict[DecimalStyle, str] = {}
    undecided = False
    for text in texts:
        if DecimalStyle.DOT in proofs and _is_plain(text):
            continue
        styles = _possible_styles(text)
        if len(styles) == 1:
            proofs.setdefault(styles[0], text)
        undecided = undecided or len(styles) == 2
    if len(proofs) == 2:
        raise FileRefused(
            Code.MIXED_NUMBER_FORMAT,
            f"The decimal marks in {shown(proofs[DecimalStyle.DOT])} and {shown(proofs[DecimalStyle.COMMA])} "
            "differ; export again with one number format.",
        )
    if proofs:
        return next(iter(proofs)), False
    return assume, undecided


def _is_plain(text: str) -> bool:
    """Tell quickly whether the text is nothing but digits, with two decimals or none, as most exports are."""
    whole = text[:-3] if text[-3:-2] == "." else text
    return text.isascii() and whole.isdigit() and text[-2:].isdigit() and len(text) <= _MOST_DIGITS


def _possible_styles(text: str) -> list[DecimalStyle]:
    """List the styles the text can be read in; none when it has no separator or is no amount."""
    try:
        digits = _split(text).digits
    except RowRejected:
        return []
    if "." not in digits and "," not in digits:
        return []
    return [style for style, form in _FORMS.items() if form.fullmatch(digits)]


def parse_amount(text: str, style: DecimalStyle) -> Amount:
    """Read an amount in the file's style; a lone dash is the spreadsheet's zero."""
    if style is DecimalStyle.DOT and _is_plain(text):
        return Amount(Decimal(text))
    negative, digits, sign = _split(text)
    if not _FORMS[style].fullmatch(digits):
        raise not_an_amount(text)
    group = "," if style is DecimalStyle.DOT else "."
    plain = digits.replace(group, "").replace(" ", "").replace("'", "").replace(style.value, ".")
    value = Decimal(plain)
    return Amount(-value if negative else value, sign)


@lru_cache(maxsize=4096)
def _split(text: str) -> _Split:
    """Take sign, credit mark and currency off the digits; two signs on one amount are refused."""
    if any(char.isnumeric() and not char.isdecimal() for char in text):
        raise not_an_amount(text)  # NFKC would make 52 of 5²
    rest = unicodedata.normalize("NFKC", text).translate(_SAME).strip()
    signs: list[bool] = []
    currency = ""
    while rest:
        if _LONE_DASHES.fullmatch(rest):
            return _Split(False, "0", currency)
        if rest.startswith("(") and rest.endswith(")"):
            signs.append(True)
            rest = rest[1:-1].strip()
            continue
        affix = _PREFIX.match(rest) or _SUFFIX.search(rest)
        if not affix:
            break
        rest = rest[affix.end() :] if affix.start() == 0 else rest[: affix.start()]
        if affix["currency"]:
            if currency:
                raise not_an_amount(text)
            currency = affix["currency"]
        else:
            signs.append(bool(affix["minus"]) or _MARKS.get((affix["mark"] or "").upper(), False))
    if len(signs) > 1 or len(rest) > _MOST_DIGITS or not any("0" <= char <= "9" for char in rest):
        raise not_an_amount(text)
    return _Split(signs == [True], rest, currency)


def from_sheet_number(number: float, currency: str) -> Decimal:
    """Turn a number of a sheet into money without taking over the errors of binary fractions.

    A sum of cells may be 12600.499999999998 where the accountant sees 12,600.50: anything closer to a whole
    smallest unit than a ten-thousandth of it is that unit. Numbers too large to hold it exactly are refused.
    """
    digits = MINOR_UNITS[currency]
    if not math.isfinite(number) or abs(number) * 10**digits >= 2**53:
        raise not_an_amount(number)
    exact = Decimal(repr(number))
    rounded = exact.quantize(_UNIT[digits])
    return rounded if abs(exact - rounded) < _UNIT[digits].scaleb(-4) else exact


def in_currency(value: Decimal, currency: str) -> Decimal:
    """Give the amount the currency's own number of decimals; refuse to round money."""
    quantised = value.quantize(_UNIT[MINOR_UNITS[currency]])
    if quantised != value:
        raise RowRejected(
            Code.TOO_MANY_DECIMALS,
            f"{shown(value)} has more decimals than {currency} has; correct the amount or the currency.",
        )
    return quantised


_UNIT: Final = {digits: Decimal(1).scaleb(-digits) for digits in range(4)}
