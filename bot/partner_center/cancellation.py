"""Cancel one Azure subscription inside an Azure plan.

learn.microsoft.com/partner-center/developer/cancel-an-azure-subscription
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from bot.domain.errors import NotReady
from bot.partner_center import wire
from bot.partner_center.answers import Trouble
from bot.partner_center.change import Change
from bot.partner_center.exchange import Call, Exchange
from bot.partner_center.fields import encode
from bot.partner_center.wire import AzureEntitlement

_COMPROMISE: Final = encode({"cancellationReason": "compromise"})
"""The one reason Microsoft accepts."""


@dataclass(frozen=True, slots=True)
class Cancelled:
    """What a cancellation came to."""

    entitlement: AzureEntitlement
    """As last seen."""
    sent: bool
    """False: it was not active any more, and nothing was cancelled by this call."""
    took: bool
    """False: accepted, but it still shows as active, as it does for about ten minutes; look again later."""
    correlation_id: str


class Cancellation(Change[AzureEntitlement]):
    """One cancellation. It has one request id for good.

    What was taken goes on showing as active for minutes, so a look cannot rule out that an attempt took
    effect; under another id the next attempt might be a second cancellation.
    """

    READ_BACK = (0.0,)

    def __init__(
        self,
        exchange: Exchange,
        *,
        call: Call,
        entitlement: str,
        request_id: UUID,
    ) -> None:
        super().__init__(exchange, call=call, request_id=request_id)
        self._entitlement = entitlement

    async def run(self, *, timeout: float) -> Cancelled:
        settled = await self._settle(timeout)
        return Cancelled(
            entitlement=settled.seen,
            sent=settled.changed,
            took=settled.confirmed,
            correlation_id=self._call.correlation_id,
        )

    def _read(self, value: object) -> AzureEntitlement:
        return wire.one_azure_entitlement(value, id=self._entitlement)

    def _shows(self, seen: AzureEntitlement) -> bool:
        return not seen.is_active

    def _write_call(self, seen: AzureEntitlement) -> Call:
        return replace(self._call, method="POST", url=f"{self._call.url}/cancel", body=_COMPROMISE)

    async def _may_send_again(self, trouble: Trouble, tries: int) -> bool:
        # "Still working on it" is a definite answer, which uses the request id up.
        return not isinstance(trouble.error, NotReady) and await super()._may_send_again(trouble, tries)
