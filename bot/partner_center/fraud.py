"""Fraud events: the two models in which they come, and how Microsoft is told what came of them.

learn.microsoft.com/partner-center/developer/get-fraud-events and update-fraud-event-status
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Final

from bot.domain.errors import FeatureMissing, NotFound, Rejected
from bot.domain.observation import VendorAlert
from bot.domain.vendor import FraudUpdate, Outcome
from bot.partner_center.exchange import Call
from bot.partner_center.reading import Reads
from bot.partner_center.risk_wire import CONTENT, fraud_event

log = logging.getLogger(__name__)

EVENTS_A_PAGE: Final = 100
_NEW_MODEL: Final = MappingProxyType({"X-NewEventsModel": "true"})

# Microsoft knows no word here for what the customer meant to do.
_SAID: Final[Mapping[Outcome, Mapping[str, str]]] = MappingProxyType(
    {
        Outcome.INVESTIGATING: {"EventStatus": "Investigating"},
        Outcome.FRAUD: {"EventStatus": "Resolved", "ResolvedReason": "Fraud"},
        Outcome.LEGITIMATE: {"EventStatus": "Resolved", "ResolvedReason": "Ignore"},
        Outcome.IGNORE: {"EventStatus": "Resolved", "ResolvedReason": "Ignore"},
    }
)


async def events(reads: Reads, call: Call, *, now: datetime) -> AsyncGenerator[VendorAlert, None]:
    """Every event once, in the newer model; in the first one where the newer is refused from the beginning."""
    read, begun = partial(fraud_event, now=now), False
    newer = replace(call, headers={**call.headers, **_NEW_MODEL})
    try:
        async for event in reads.numbered(newer, read, size=EVENTS_A_PAGE, key=_id):
            begun = True
            yield event
    except (NotFound, FeatureMissing, Rejected) as error:
        if begun:
            raise
        log.info("the newer model of fraud events is refused (%s); asking for the first one", error.code)
    else:
        return
    async for event in reads.all(call, read):
        yield event


def _id(event: VendorAlert) -> str:
    return event.id


def told(update: FraudUpdate, call: Call) -> Call:
    """The write that tells it, of the events that have an id of Microsoft's. Raises Rejected where none has."""
    ids = [id for id in update.event_ids if not id.startswith(CONTENT)]
    if not ids:
        raise Rejected(reason="no-event-id", correlation_id=call.correlation_id)
    body = {"EventIds": ids, **_SAID[update.outcome]}
    return replace(call, method="POST", body=json.dumps(body).encode("ascii"))
