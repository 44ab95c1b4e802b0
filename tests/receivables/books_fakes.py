"""The books behind small fakes of Business Central, Xero and Stripe; each speaks its vendor's published shapes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

from bot.domain.receivables import ItemKind
from bot.receivables.live import LiveSource

from .books import CONTOSO, IN_ONE, TENANTS, Doc, Open
from .business_central_side import BusinessCentralSide
from .far_side import FarSide
from .stripe_side import StripeSide
from .xero_side import XeroSide

NUMBERS: Mapping[Doc, str] = {doc: f"INV-{n}" for n, doc in enumerate(Doc, start=1)}


class FakeBooks:
    has_instalments = False
    has_disputes = False
    has_tenants = True
    credit_kind = ItemKind.CREDIT_NOTE

    def __init__(self, side: Any, wrong: Mapping[str, str], tell_tenant: Callable[[Any, str, str], object]):
        """`wrong` are credentials that open nothing; `tell_tenant` notes a customer's tenant as the partner would."""
        self.side = side
        self.numbers = dict(NUMBERS)
        self.secrets = (*side.secrets, *wrong.values())
        self._wrong = wrong
        self._sources: list[LiveSource] = []
        for party, tenant in TENANTS.items():
            if tenant:
                tell_tenant(side, party, tenant)
        for each in IN_ONE:
            self._put(each)
        for state in ("paid", "void"):
            gone = replace(IN_ONE[0], customer=CONTOSO, total=Decimal("50.00"), open=Decimal("50.00"))
            document = side.invoice(gone.customer, f"INV-{state}", gone.due, "EUR", gone.total)
            document.open = Decimal(0)

    def _put(self, each: Open) -> None:
        number = self.numbers[each.doc]
        if each.open < 0:
            self.side.credit(each.customer, number, each.currency, -each.open)
            return
        document = self.side.invoice(each.customer, number, each.due, each.currency, each.total)
        document.open = each.open
        document.issued = each.issued

    def source(self, *, locked_out: bool = False, fails_midway: bool = False) -> LiveSource:
        if fails_midway:
            self.side.fail_next_page(pages_before=2)
        source: LiveSource = self.side.source(**(self._wrong if locked_out else {}))
        self._sources.append(source)
        return source

    async def pay(self, doc: Doc, amount: Decimal) -> None:
        self.side.pay(self.numbers[doc], amount)

    async def dispute(self, doc: Doc) -> None:
        self.side.dispute_payment_of(self.numbers[doc])

    async def close(self) -> None:
        for source in self._sources:
            await source.close()


class BusinessCentralBooks(FakeBooks):
    has_tenants = False
    """It has no field for a tenant's id, only a website."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.side.rate("USD", "0.90")


class StripeBooks(FakeBooks):
    has_disputes = True
    credit_kind = ItemKind.ADJUSTMENT

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        # Credit is a balance of the customer there, and no document.
        self.numbers[Doc.CREDIT] = f"{self.side.customers['Fabrikam Inc']['id']} credit balance EUR"


def _opener(
    far_side: type[FarSide],
    books: type[FakeBooks],
    wrong: Mapping[str, str],
    tell_tenant: Callable[[Any, str, str], object],
) -> Callable[[object], AbstractAsyncContextManager[FakeBooks]]:
    @asynccontextmanager
    async def opened(_: object) -> AsyncIterator[FakeBooks]:
        async with far_side() as side:
            made = books(side, wrong, tell_tenant)
            try:
                yield made
            finally:
                await made.close()

    return opened


business_central_books = _opener(
    BusinessCentralSide,
    BusinessCentralBooks,
    {"client_secret": "bc-canary-wrong"},
    lambda side, party, tenant: side.customer(party),
)
xero_books = _opener(
    XeroSide,
    FakeBooks,
    {"client_secret": "xero-canary-wrong"},
    lambda side, party, tenant: side.contact(party, AccountNumber=tenant),
)
stripe_books = _opener(
    StripeSide,
    StripeBooks,
    {"api_key": "rk_test_canary_wrong"},
    lambda side, party, tenant: side.customer(party, metadata={"csp_tenant_id": tenant}),
)
