"""The pictures in the README and the docs are screenshots of the demo, taken anew with `BACKSTOP_PICTURE=1`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.journey.conftest import Arrive

PICTURES = Path(__file__).parents[2] / ".readme"
WIDE = 1400, 900

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(
        os.environ.get("BACKSTOP_PICTURE") != "1", reason="BACKSTOP_PICTURE=1 takes the pictures"
    ),
]


async def taken(page: Page, name: str) -> None:
    PICTURES.mkdir(exist_ok=True)
    await page.mouse.click(600, 60)
    await page.screenshot(path=PICTURES / f"{name}.png")


async def test_one_request_is_done_and_the_next_waits(arrive: Arrive):
    ana = await arrive(*WIDE)
    page = ana.page
    await ana.ask_to_suspend("contoso", "Microsoft 365 E3 × 120")
    await ana.ask_to_suspend("lamna", "Office 365 E3 × 180")
    await ana.play("ben")
    await page.get_by_role("button", name="Partner Center").click()
    await ana.open("csp-approvals")
    card = page.get_by_role("article").filter(has_text="Contoso Ltd")
    await ana.approve(card)
    await expect(card).to_contain_text("The subscription is suspended.")
    await expect(page.get_by_role("region", name="Contoso Ltd")).to_contain_text("changed")
    await taken(page, "demo")


async def test_the_digest_the_confirmation_and_the_home_tab(arrive: Arrive):
    ana = await arrive(1100, 860)
    page = ana.page
    await ana.open("csp-overdue")
    await page.get_by_role("article").first.scroll_into_view_if_needed()
    await page.get_by_text("Overdue", exact=False).first.scroll_into_view_if_needed()
    await taken(page, "digest")

    await ana.open("csp-billing")
    dialog = page.get_by_role("dialog")
    await ana.say("/csp-suspend contoso")
    await ana.choose("Subscription", "Microsoft 365 E3 × 120")
    await ana.choose("Reason", "Non-payment")
    await dialog.get_by_role("button", name="Continue").click()
    await expect(dialog.get_by_role("button", name="Confirm")).to_be_visible()
    await page.screenshot(path=PICTURES / "confirmation.png")
    await dialog.get_by_role("button", name="Confirm").click()
    await expect(page.get_by_text("waits for approval in").last).to_be_visible()

    await ana.play("ben")
    await page.get_by_role("link", name="Backstop").click()
    await page.get_by_role("link", name="Home").click()
    await expect(page.get_by_text("Contoso Ltd").first).to_be_visible()
    await taken(page, "home")
