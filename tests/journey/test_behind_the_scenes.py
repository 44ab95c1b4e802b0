"""What the page does behind the scenes: the clock moves, a customer pays, something goes wrong, all begins anew."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import expect

from tests.journey.conftest import Arrive

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_day_passes_in_a_minute(arrive: Arrive):
    ana = await arrive(1280, 900)
    page = ana.page
    clock = page.get_by_role("timer", name="The sandbox's clock")
    await expect(page.get_by_role("heading", name=re.compile("^Overdue on"))).to_be_visible()
    first_day = await clock.locator("span").first.inner_text()
    await ana.ask_to_suspend("contoso", "Microsoft 365 E3 × 120")
    await ana.ask_to_suspend("lamna", "Office 365 E3 × 180")

    await ana.play("ben")
    await ana.open("csp-approvals")
    approved = page.get_by_role("article").filter(has_text="Contoso Ltd")
    await ana.approve(approved)
    await page.get_by_role("button", name="+1 h").click()
    await expect(approved).to_contain_text("The subscription is suspended.")

    waiting = page.get_by_role("article").filter(has_text="Lamna Healthcare, Inc.").first
    await page.get_by_role("button", name="+1 day").click()
    await expect(waiting).to_contain_text("Expired")
    await expect(waiting.get_by_role("button", name="Approve")).to_be_hidden()
    await expect(clock).not_to_contain_text(first_day)
    await ana.picture("behind-1-a-day-later")

    await page.get_by_role("button", name="Wire").click()
    await page.reload()
    wire = page.get_by_role("complementary", name="Wire")
    await wire.get_by_role("searchbox", name="Filter").fill("patch")
    exchange = wire.get_by_role("listitem").filter(has_text="PATCH").filter(has_text="app → Partner Center")
    await exchange.first.locator("summary").press("Enter")
    await expect(exchange.first).to_contain_text('"status": "suspended"')
    await expect(exchange.first).to_contain_text("Bearer ***")
    await ana.picture("behind-2-wire")

    await page.get_by_role("button", name="Partner Center").click()
    pane = page.get_by_role("complementary", name="Partner Center")
    await pane.get_by_text("Let something go wrong").click()
    fault = pane.get_by_role("checkbox", name="500")
    await fault.check()
    trouble = page.get_by_text("Something goes wrong at Partner Center: 500")
    await expect(trouble).to_be_visible()
    await fault.uncheck()
    await expect(trouble).to_be_hidden()

    await page.set_viewport_size({"width": 900, "height": 900})
    below, over = await page.get_by_role("main").bounding_box(), await pane.bounding_box()
    assert below is not None
    assert over is not None
    assert (below["y"], below["x"] + below["width"]) == (over["y"], 900), (
        "the pane lies over the conversation"
    )
    assert (over["width"], over["x"] + over["width"]) == (400, 900)
    await page.set_viewport_size({"width": 1280, "height": 900})

    payer = pane.get_by_role("region", name="Trey Research", exact=True)
    await expect(payer).to_contain_text("owes USD")
    await payer.get_by_role("button", name="Trey Research: pay or order").click()
    await page.get_by_role("menuitem", name="Customer pays").click()
    await expect(pane.get_by_text("Trey Research has paid")).to_be_visible()
    await expect(payer).not_to_contain_text("owes USD")

    await ana.open("csp-overdue")
    digests = page.get_by_role("article").filter(
        has=page.get_by_role("heading", name=re.compile("^Overdue on"))
    )
    shown = await digests.last.get_by_role("heading").first.inner_text()
    await page.get_by_role("button", name="Next digest").click()
    await expect(digests.last.get_by_role("heading").first).not_to_have_text(shown)
    titles = await page.get_by_role("heading", name=re.compile("^Overdue on")).all_inner_texts()
    assert len(titles) == len(set(titles)) > 1, "each day has one"
    listed = re.compile("^Suspend a subscription of Trey Research")
    await expect(digests.first.get_by_role("button", name=listed)).to_be_visible()
    await expect(digests.last.get_by_role("button", name=listed)).to_be_hidden()
    assert ana.complaints == []


async def test_the_sandbox_begins_anew_at_the_same_address(arrive: Arrive):
    ana = await arrive(390, 844)
    page = ana.page
    await ana.open("csp-billing")
    await ana.say("Forget this")
    await expect(page.get_by_role("article").filter(has_text="Forget this")).to_be_visible()
    await page.get_by_role("button", name="+1 h").click()
    await page.get_by_role("button", name="Start over").click()
    sure = page.get_by_role("alertdialog", name="Start over?")
    await expect(sure.get_by_role("button", name="Cancel")).to_be_focused()
    async with page.expect_navigation():
        await sure.get_by_role("button", name="Start over").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("#csp-billing")
    await expect(page.get_by_text("Forget this")).to_be_hidden()
    await ana.open("csp-overdue")
    await expect(page.get_by_role("heading", name=re.compile("^Overdue on"))).to_be_visible()
    await page.get_by_role("button", name="Partner Center").click()
    await expect(page.get_by_text("46 customers")).to_be_visible()
    await expect(page.get_by_text("Just changed")).to_be_hidden()
    assert [said for said in ana.complaints if "net::ERR_" not in said] == [], "it was away for a moment"
