"""Tickets as the tests of their card and of the clicks on it speak of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bot.domain.customer import CustomerId
from bot.domain.matter import About, Matter, TicketKind, TicketSeverity
from bot.domain.people import Person
from bot.domain.ticket import Ticket
from tests.builders import ana
from tests.handlers import story
from tests.stage import Stage

TICKETS, CHANNEL = "csp-tickets", {"backstop_tickets_channel": "C0TICKETS"}
PORTAL = "https://partner.microsoft.com/dashboard/support/csp/servicerequests/create"


@dataclass(frozen=True)
class Opened:
    """One ticket about Contoso, and what can be seen of it."""

    stage: Stage
    id: str

    async def card(self, said: str = "", *, channel: str = TICKETS) -> story.Json:
        """Its card in that channel, once it says so."""

        def fits(m: story.Json) -> bool:
            is_card = self.id in m["text"] and not m["ephemeral"] and bool(m.get("blocks"))
            is_first = m.get("thread_ts") in (None, m["ts"])
            return is_card and is_first and said in f"{m['text']}\n{story.lines(m)}"

        return await self.stage.slack.message_appears(channel, fits)

    async def now(self) -> Ticket:
        return await self.stage.app.core.backstop.tickets.get(self.id)

    async def draft_file(self, *, channel: str = TICKETS) -> str:
        """The text of the draft that hangs in the thread of its card."""
        card = await self.card(channel=channel)
        attached = await self.stage.slack.message_appears(
            channel, lambda m: m.get("thread_ts") == card["ts"] != m["ts"] and bool(m.get("files"))
        )
        (file,) = attached["files"]
        assert file["name"] == f"{self.id}.txt"
        content = self.stage.slack.workspace.files[file["id"]].content
        assert content is not None
        return content.decode()

    async def tags(self) -> list[str]:
        async with self.stage.app.core.store.read() as tx:
            return [event.tag for event in await tx.audit.of(self.id)]


def a_matter(**fields: Any) -> Matter:
    given: dict[str, Any] = {
        "kind": TicketKind.SERVICE,
        "severity": TicketSeverity.CRITICAL,
        "title": "Nobody can open a mailbox",
        "description": "Since Monday.",
    }
    return Matter(**(given | fields))


async def opens(
    stage: Stage, *, by: Person = ana, matter: Matter | None = None, text: str = "Since Monday."
) -> Opened:
    """As the form does it, up to *Confirm*."""
    tickets, held = stage.app.core.backstop.tickets, stage.partner_center.customer("Contoso")
    draft = await tickets.begin(by=by, channel="C0BILLING")
    what = About(CustomerId(held.id), held.name, held.domain)
    await tickets.confirmable(
        draft.id,
        draft.nonce,
        matter or a_matter(),
        what,
        subject="Mailboxes (A)",
        text=text,
        portal=PORTAL,
        by=by,
    )
    return Opened(stage, (await tickets.confirm(draft.id, draft.nonce, by=by)).id)
