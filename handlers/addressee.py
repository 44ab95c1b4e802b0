"""Whom a customer's letters go to, and in which language."""

from __future__ import annotations

import asyncio
import logging

from bot.domain.customer import CustomerId
from bot.domain.letter import BillingContact
from bot.texts import LANGUAGES
from handlers.desk import Desk

PATIENCE_SECONDS = 6.0
"""So long we wait for Partner Center to name the billing contact; a form can do without."""

log = logging.getLogger(__name__)


async def contact(desk: Desk, customer_id: CustomerId) -> BillingContact | None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await desk.backstop.letters.contact(customer_id)
    except TimeoutError:
        log.warning("billing profile of %s: timeout", customer_id)
        return None


def language(contact: BillingContact | None) -> str | None:
    """The customer's language, where it is one of ours."""
    if contact is None or not contact.language:
        return None
    word = contact.language.replace("_", "-").casefold()
    return next((ours for ours in LANGUAGES if word.split("-")[0] == ours.split("-")[0]), None)
