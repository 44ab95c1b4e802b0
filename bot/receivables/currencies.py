"""Currency codes, signs and words, and which of them leave no doubt."""

from __future__ import annotations

import re
from typing import Final

from bot.domain.money import MINOR_UNITS
from bot.receivables.cells import clean
from bot.receivables.notes import Code, RowRejected, shown

_EXACT: Final = {
    "€": "EUR", "£": "GBP", "₹": "INR", "₽": "RUB", "₺": "TRY", "₪": "ILS", "₫": "VND", "₴": "UAH",
    "US$": "USD", "HK$": "HKD", "NT$": "TWD", "NZ$": "NZD", "A$": "AUD", "C$": "CAD", "S$": "SGD",
    "R$": "BRL", "RMB": "CNY", "CN¥": "CNY", "人民币": "CNY", "人民币元": "CNY", "港币": "HKD", "港元": "HKD",
    "美元": "USD", "美金": "USD", "欧元": "EUR", "日元": "JPY", "英镑": "GBP", "澳元": "AUD", "加元": "CAD",
    "瑞士法郎": "CHF", "新加坡元": "SGD", "新台币": "TWD",
}  # fmt: skip
_DOLLARS: Final = "USD CAD AUD NZD HKD SGD TWD MXN ARS CLP COP BRL BND BSD BBD BZD FJD JMD TTD XCD"
_HINTS: Final = {
    "$": frozenset(_DOLLARS.split()),
    "¥": frozenset({"CNY", "JPY"}),
    "元": frozenset({"CNY", "TWD", "HKD", "USD", "JPY"}),
}
"""Signs that several currencies share: they can contradict a currency, but not name one."""

_PARTS: Final = re.compile(r"[\s()/|,;:\[\]-]+")
_BY_LENGTH: Final = sorted([*_EXACT, *_HINTS], key=len, reverse=True)
SIGN_OR_CODE: Final = "|".join([*map(re.escape, _BY_LENGTH), *MINOR_UNITS])
"""A regular expression for what may stand beside an amount."""


def named(text: str) -> str | None:
    """Name the currency a code, sign or word stands for without doubt; None for every other text."""
    word = clean(text).upper()
    return word if word in MINOR_UNITS else _EXACT.get(word)


def named_in_parts(text: str) -> str | None:
    """Name the currency that every part of a text names, as in `人民币 (CNY)`."""
    names = {named(part) for part in _PARTS.split(text) if part}
    return names.pop() if len(names) == 1 else None


def contradicts(sign: str, currency: str) -> bool:
    """Tell whether the sign written beside an amount cannot mean that currency."""
    if not sign:
        return False
    return currency not in _HINTS.get(sign, frozenset({named(sign)}))


class CurrencyOf(dict[tuple[str, str], str]):
    """Each row's currency by its cell and the amount's sign; else the heading and the setting name it.

    A look-up raises `RowRejected` where none of them does, or where they contradict each other.
    There is no silent default: a debt in the wrong currency is a wrong debt.
    """

    def __init__(self, *, heading: str | None, default: str | None, chinese: bool) -> None:
        super().__init__()
        self._default = heading or default
        self._chinese = chinese

    def __missing__(self, key: tuple[str, str]) -> str:
        cell, sign = key
        currency = self._of_cell(clean(cell)) if cell and not cell.isspace() else self._without_cell(sign)
        if contradicts(sign, currency):
            raise RowRejected(
                Code.BAD_CURRENCY,
                f"The amount shows {shown(sign)} but the currency is {currency}; correct one.",
            )
        self[key] = currency
        return currency

    def knows(self, sign: str) -> bool:
        """Tell whether an amount with that sign has a currency when no cell names one."""
        return self._guess(sign) is not None

    def _of_cell(self, text: str) -> str:
        currency = named(text) or named_in_parts(text) or (self._guess(text) if text in _HINTS else None)
        if currency is None or contradicts(text if text in _HINTS else "", currency):
            raise RowRejected(
                Code.BAD_CURRENCY,
                f"{shown(text)} is no currency code; use three letters of ISO 4217, such as EUR.",
            )
        return currency

    def _without_cell(self, sign: str) -> str:
        currency = self._guess(sign)
        if currency is None:
            raise RowRejected(Code.MISSING_CURRENCY, "The row names no currency; add its code, such as EUR.")
        return currency

    def _guess(self, sign: str) -> str | None:
        if sign and (currency := named(sign)):
            return currency
        if sign == "¥" and self._chinese and self._default != "JPY":
            return "CNY"
        return self._default
