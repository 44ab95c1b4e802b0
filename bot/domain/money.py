"""Amounts in their currencies. Two currencies are never added: a sum without a rate is a lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Final

ZERO: Final = Decimal(0)


def _minor_units() -> dict[str, int]:
    two = (
        "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BTN BWP BYN BZD "
        "CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD "
        "GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD "
        "MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP "
        "PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS "
        "TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
    )
    none = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
    three = "BHD IQD JOD KWD LYD OMR TND"
    units = ((two, 2), (none, 0), (three, 3))
    return {code: digits for codes, digits in units for code in codes.split()}


MINOR_UNITS: Final[Mapping[str, int]] = MappingProxyType(_minor_units())
"""Decimals of every currency an invoice may be in (ISO 4217, without metals, funds and test codes)."""


class DifferentCurrencies(ValueError):
    """Somebody tried to add or compare amounts in two currencies."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other} cannot be added or compared")


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in its currency; arithmetic never crosses currencies."""

    amount: Decimal
    currency: str

    def _of_same_currency(self, other: Money) -> Decimal:
        if self.currency != other.currency:
            raise DifferentCurrencies(self.currency, other.currency)
        return other.amount

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._of_same_currency(other), self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._of_same_currency(other), self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._of_same_currency(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._of_same_currency(other)

    def __str__(self) -> str:
        return f"{self.amount:,} {self.currency}"
