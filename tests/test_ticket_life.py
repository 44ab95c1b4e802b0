"""A ticket's whole life, seen from outside: the program as a process, a Slack, a Partner Center and a mail server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.slack import Player, SlackSandbox
from handlers import ids
from tests.handlers.story import buttons, modal_says, words
from tests.post_office import PostOffice, post_office
from tests.program import Program, settings_of
from tests.stage import slack_sandbox

Json = dict[str, Any]
TICKETS = "csp-tickets"
NUMBER = "615150729004433"


@dataclass
class Firm:
    """A partner with Backstop: what it is told and what it says."""

    slack: SlackSandbox
    partner_center: PartnerCenterSandbox
    settings: dict[str, str]
    cwd: Path
    ends: AsyncExitStack
    programs: list[Program] = field(default_factory=list)

    @property
    def ana(self) -> Player:
        return self.slack.person("ana")

    async def backstop(self) -> Program:
        """Start the program, again if it was killed."""
        program = Program(
            "run", name=f"run-{len(self.programs)}", settings=self.settings, cwd=self.cwd
        )
        self.programs.append(await self.ends.enter_async_context(program))
        await program.start()
        await program.comes_up()
        await self.slack.app_connects()
        return program

    async def opens(self, *, title: str = "Mail does not arrive", description: str = "Since noon.") -> Json:
        """From `/csp-ticket` to *Confirm*; the card."""
        ana = self.ana
        assert (await ana.command("/csp-ticket contoso")).ok
        await ana.modal_appears(callback_id=ids.TICKET_FORM)
        ana.type(ids.TICKET_TITLE, title)
        ana.type(ids.TICKET_DESCRIPTION, description)
        await ana.choose(ids.TICKET_KIND, "Service problem")
        assert (await ana.submit()).ok
        await ana.modal_appears(callback_id=ids.TICKET_CONFIRMATION)
        assert (await ana.submit()).ok
        return await self.slack.message_appears(TICKETS, lambda m: title in words(m))

    async def card_says(self, card: Json, said: str) -> Json:
        return await self.slack.message_appears(
            TICKETS, lambda m: m["ts"] == card["ts"] and said in f"{m['text']}\n{words(m)}"
        )

    async def clicks(self, card: Json, button: str) -> None:
        now = await self.slack.message_appears(
            TICKETS, lambda m: m["ts"] == card["ts"] and button in buttons(m)
        )
        assert (await self.ana.click(now, button)).ok


@pytest.fixture
async def firm(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Firm]:
    cloud = getattr(request, "param", "global")
    async with AsyncExitStack() as ends:
        partner_center = PartnerCenterSandbox(now=lambda: datetime.now(UTC), cloud=cloud)
        await partner_center.start()
        ends.push_async_callback(partner_center.stop)
        slack = slack_sandbox()
        await slack.start()
        ends.push_async_callback(slack.stop)
        settings = settings_of(slack, partner_center, database_url=f"sqlite:///{tmp_path / 'backstop.db'}") | {
            "PARTNER_CENTER_CLOUD": cloud,
            "PARTNER_CENTER_REFRESH_TOKEN": partner_center.refresh_token,
            "BACKSTOP_TICKETS_CHANNEL": slack.workspace.channel(TICKETS).id,
        }
        yield Firm(slack, partner_center, settings, tmp_path, ends)


@pytest.mark.parametrize("firm", ["global", "china"], indirect=True)
async def test_the_loop_is_closed_in_three_steps(firm: Firm):
    await firm.backstop()
    card = await firm.opens()
    assert "Resolved" not in buttons(card)
    assert "Customer informed" not in buttons(card)

    await firm.clicks(card, "I filed it")
    await firm.ana.modal_appears()
    firm.ana.type(ids.TICKET_NUMBER, NUMBER)
    assert (await firm.ana.submit()).ok
    filed = await firm.card_says(card, NUMBER)
    assert "Customer informed" not in buttons(filed)

    await firm.clicks(card, "Resolved")
    await firm.ana.modal_appears()
    assert (await firm.ana.submit()).ok

    await firm.clicks(card, "Customer informed")
    asked = await modal_says(firm.ana, "Contoso")
    assert asked["submit"]["text"]
    assert (await firm.ana.submit()).ok
    closed = await firm.card_says(card, "Closed")
    assert not {"I filed it", "Resolved", "Customer informed"} & set(buttons(closed))


async def test_a_process_that_is_killed_between_mail_and_record_mails_once(firm: Firm):
    async with post_office() as office:
        await _killed_over_the_mail(firm, office)


async def _killed_over_the_mail(firm: Firm, office: PostOffice) -> None:
    firm.settings |= {
        "BACKSTOP_TICKET_HANDOVER": "email",
        "BACKSTOP_TICKET_EMAIL": "support@21vianet.example",
        "SMTP_URL": f"smtp://127.0.0.1:{office.port}",
        "BACKSTOP_MAIL_FROM": "billing@partner.example",
    }
    office.slow = asyncio.Event()  # it has the mail, and does not say so
    program = await firm.backstop()
    card = await firm.opens()
    await office.arrived.wait()
    await program.kill()
    office.slow.set()

    await firm.backstop()
    told = await firm.card_says(card, "It was sent")
    assert {"It was sent", "It was not sent"} <= set(buttons(told))
    await firm.clicks(card, "It was sent")
    await _until_gone(firm, card, "It was not sent")
    assert len(office.taken) == 1


async def _until_gone(firm: Firm, card: Json, button: str) -> None:
    gone: Callable[[Json], bool] = lambda m: m["ts"] == card["ts"] and button not in buttons(m)  # noqa: E731
    await firm.slack.message_appears(TICKETS, gone)
