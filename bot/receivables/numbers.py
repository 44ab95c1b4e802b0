"""Amounts as accountants write them, read without ever guessing where the decimals begin.

No amount passes through binary floating point: text becomes `Decimal` at once, and a number from a sheet is
taken by its shortest decimal form and must be a whole count of the currency's smallest unit.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final, NamedTuple, cast

from bot.domain.money import MINOR_UNITS
from bot.receivables.currencies import SIGN_OR_CODE
from bot.receivables.notes import Code, FileRefused, RowRejected, shown


class DecimalStyle(StrEnum):
    """Which mark separates the decimals; the other one groups thousands."""

    DOT = "."
    COMMA = ","


class Amount(NamedTuple):
    """A number and the currency sign or code written beside it, if any."""

    value: Decimal
    sign: str


class _Split(NamedTuple):
    negative: bool
    digits: str
    sign: str


MOST_DIGITS: Final = 24
_LONE_DASHES: Final = re.compile(r"[-–—]+")


def _form(style: DecimalStyle, group: str) -> re.Pattern[str]:
    """Build the pattern of one style; a group never begins with a zero: `0.500` is a half."""
    grouped = "|".join(rf"[1-9][0-9]{{0,2}}(?:{mark}[0-9]{{3}})+" for mark in (group, " ", "'"))
    lakh_and_crore = rf"[1-9][0-9]?(?:{group}[0-9]{{2}})+{group}[0-9]{{3}}"
    return re.compile(rf"(?:[0-9]+|{grouped}|{lakh_and_crore})?(?:{re.escape(style)}[0-9]+)?")


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
    | dict.fromkeys("\u200b\u200e\u200f\u2060\ufeff", "")  # unseen, and they move no digit
)


def not_an_amount(text: object) -> RowRejected:
    return RowRejected(Code.BAD_AMOUNT, f"{shown(text)} is not an amount; write digits, such as 1234.56.")


class StyleProof:
    """Which decimal mark the amounts of a file prove; `1.234` alone proves nothing."""

    def __init__(self) -> None:
        self.proven: DecimalStyle | None = None
        self._proofs: dict[DecimalStyle, str] = {}
        self._undecided = False

    def see(self, text: str) -> None:
        if self.proven and unsigned(text, self.proven) is not None:
            return  # it can be read in the proven style, so it cannot prove the other one
        styles = _possible_styles(text)
        if len(styles) == 1:
            self.proven = styles[0]
            self._proofs.setdefault(self.proven, text)
        self._undecided = self._undecided or len(styles) == 2

    def settled(self, *, assume: DecimalStyle) -> tuple[DecimalStyle, bool]:
        """The one style all amounts agree on; the second value says it had to be assumed.

        Raises `FileRefused` when two amounts prove the contrary of each other.
        """
        if len(self._proofs) == 2:
            dot, comma = self._proofs[DecimalStyle.DOT], self._proofs[DecimalStyle.COMMA]
            raise FileRefused(
                Code.MIXED_NUMBER_FORMAT,
                f"The decimal marks in {shown(dot)} and {shown(comma)} differ; "
                "export again with one number format.",
            )
        return (self.proven, False) if self.proven else (assume, self._undecided)


def unsigned(text: str, style: DecimalStyle) -> str | None:
    """Give the digits of an amount with nothing beside them, as most exports have them; None for all others.

    It is quick, and finds nothing that the long way would not find: one decimal mark at most is looked for first,
    then groups.
    """
    if len(text) > MOST_DIGITS or not text.isascii():
        return None
    if text.replace(style, "", 1).isdigit():
        return None if text[-1] == style else text if style == "." else text.replace(style, ".")
    if not text or not text[-1].isdigit() or not _FORMS[style].fullmatch(text):
        return None
    return _without_groups(text, style)


def _without_groups(digits: str, style: DecimalStyle) -> str:
    group = "," if style is DecimalStyle.DOT else "."
    return digits.replace(group, "").replace(" ", "").replace("'", "").replace(style, ".")


def _possible_styles(text: str) -> list[DecimalStyle]:
    """List the styles the text can be read in; none when it has no separator or is no amount."""
    try:
        digits = _split(text).digits
    except RowRejected:
        return []
    if "." not in digits and "," not in digits:
        return []
    return [style for style, form in _FORMS.items() if form.fullmatch(digits)]


def parse_amount(text: str, style: DecimalStyle) -> Decimal | Amount:
    """Read an amount in the file's style, as `Amount` where a currency stands beside it.

    A lone dash is the spreadsheet's zero.
    """
    if (plain := unsigned(text, style)) is not None:
        return Decimal(plain)
    negative, digits, sign = _split(text)
    if not _FORMS[style].fullmatch(digits):
        raise not_an_amount(text)
    value = Decimal(_without_groups(digits, style))
    value = -value if negative else value
    return Amount(value, sign) if sign else value


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
    if len(signs) > 1 or len(rest) > MOST_DIGITS or not any("0" <= char <= "9" for char in rest):
        raise not_an_amount(text)
    return _Split(signs == [True], rest, currency)


def from_sheet_number(number: float, currency: str) -> Decimal:
    """Turn a number of a sheet into money without taking over the errors of binary fractions.

    A sum of cells may be 12600.499999999998 where the accountant sees 12,600.50: anything closer to a whole
    smallest unit than a ten-thousandth of it is that unit. Numbers too large to hold it exactly are refused.
    """
    largest = LARGEST[currency]
    if not -largest < number < largest:
        raise not_an_amount(number)
    exact = Decimal(repr(number))
    unit = UNIT_OF[currency]
    rounded = exact.quantize(unit)
    if rounded == exact:
        return rounded
    return rounded if abs(exact - rounded) < unit.scaleb(-4) else exact


def in_currency(value: Decimal, currency: str, *, zeros_are_fine: bool = True) -> Decimal:
    """Give the amount the currency's own number of decimals; refuse to round money.

    Zeros to spare are no decimals, unless they may be the thousands of somebody whose decimal mark is the other one.
    """
    quantised = value.quantize(UNIT_OF[currency])
    decimals = -cast(int, value.as_tuple().exponent)
    if quantised != value or (not zeros_are_fine and decimals > MINOR_UNITS[currency]):
        raise RowRejected(
            Code.TOO_MANY_DECIMALS,
            f"{shown(value)} has more decimals than {currency} has; correct the amount or the currency.",
        )
    return quantised or abs(quantised)  # no zero below zero


UNIT_OF: Final = {currency: Decimal(1).scaleb(-digits) for currency, digits in MINOR_UNITS.items()}
LARGEST: Final = {currency: 2.0**53 / 10**digits for currency, digits in MINOR_UNITS.items()}
