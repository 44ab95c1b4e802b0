"""The picture in the README is a screenshot of the demo, taken anew with `BACKSTOP_PICTURE=1`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.journey.conftest import Arrive

PICTURE = Path(__file__).parents[2] / ".readme" / "demo.png"


@pytest.mark.skipif(os.environ.get("BACKSTOP_PICTURE") != "1", reason="BACKSTOP_PICTURE=1 takes the picture")
async def test_one_request_is_done_and_the_next_waits(arrive: Arrive):
    ana = await arrive(1400, 900)
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
    await page.mouse.click(600, 30)
    PICTURE.parent.mkdir(exist_ok=True)
    await page.screenshot(path=PICTURE)
