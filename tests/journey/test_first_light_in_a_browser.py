"""The story a newcomer sees: from the morning's digest to a suspended subscription, in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Locator, Page, expect

from tests.journey.conftest import Arrive, DemoProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("device", "width", "height"),
    [
        pytest.param("desk", 1280, 900, id="at a desk"),
        pytest.param("phone", 390, 844, id="on a phone"),
    ],
)
async def test_a_suspension_is_asked_for_approved_and_done(
    device: str, width: int, height: int, demo: DemoProcess, arrive: Arrive
):
    ana = await arrive(width, height)
    page = ana.page
    await expect(page.get_by_role("heading", level=1)).to_have_text("#csp-overdue")
    await expect(page.get_by_role("heading", name=re.compile("^Overdue on"))).to_be_in_viewport()
    await ana.picture(f"{device}-1-digest")

    await ana.say("/csp-suspend contoso")
    form = page.get_by_role("dialog", name="Suspend subscription")
    await ana.choose("Subscription", "Microsoft 365 E3 × 120")
    await ana.choose("Reason", "Non-payment")
    await ana.picture(f"{device}-2-form")
    await form.get_by_role("button", name="Continue").click()

    await expect(form).to_contain_text("Microsoft 365 E3 of Contoso Ltd will be suspended.")
    await expect(form).to_contain_text("all its data is deleted for good")
    await expect(form).to_contain_text("It calls for this: stage “suspend” is reached")
    await expect(form).to_contain_text("1 person other than you has to approve it in #csp-approvals")
    await ana.picture(f"{device}-3-confirmation")
    await form.get_by_role("button", name="Confirm").click()
    await expect(form).to_be_hidden()
    await expect(page.get_by_role("log")).to_contain_text("waits for approval in #csp-approvals")

    await ana.play("ben")
    await ana.open("csp-approvals")
    card = page.get_by_role("article").last
    await expect(card).to_contain_text("Waiting for approval")
    await ana.picture(f"{device}-4-card")
    await card.get_by_role("button", name="Approve: Contoso Ltd: Microsoft 365 E3").click()
    sure = page.get_by_role("alertdialog", name="Approve this request?")
    await expect(sure).to_contain_text("Its users lose access.")
    await sure.get_by_role("button", name="Approve").click()
    await expect(card).to_contain_text("Approved by @Ben Okafor")
    await expect(card.get_by_role("button", name="Cancel: Contoso Ltd")).to_be_visible()
    await ana.picture(f"{device}-5-approved")

    await expect(card).to_contain_text("Done")
    await expect(card).to_contain_text("The subscription is suspended.")
    await page.get_by_role("button", name="Partner Center").click()
    await expect(subscription(page, "Contoso Ltd", "Microsoft 365 E3")).to_contain_text("suspended")
    await expect(subscription(page, "Contoso Ltd", "Microsoft 365 Business Premium")).to_contain_text(
        "active"
    )
    await ana.picture(f"{device}-6-done")

    await ana.play("ana")
    await ana.open("Backstop")
    news = page.get_by_role("log", name="Messages in Backstop")
    await expect(news).to_contain_text("Done: suspend Microsoft 365 E3 × 120 of Contoso Ltd")
    await ana.picture(f"{device}-7-told")

    await page.get_by_role("link", name="Home").click()
    home = page.get_by_role("region", name="Home")
    await expect(home).to_contain_text("Microsoft 365 E3 of Contoso Ltd: data deleted after")
    await ana.picture(f"{device}-8-home")
    await home.get_by_role("button", name="Resume subscription").click()
    await expect(page.get_by_role("dialog", name="Resume subscription")).to_be_visible()
    assert await ana.fits()
    assert ana.complaints == []
    assert [url for url in ana.requests if not url.startswith((demo.url, "data:"))] == []


async def test_the_whole_story_needs_no_mouse(arrive: Arrive):
    ana = await arrive()
    page, keys = ana.page, ana.page.keyboard
    await expect(page.get_by_role("heading", name=re.compile("^Overdue on"))).to_be_visible()
    await keys.type("/csp-sus")
    await expect(page.get_by_role("option", name="/csp-suspend")).to_be_visible()
    await keys.press("Tab")
    await keys.type("contoso")
    await keys.press("Enter")
    await expect(page.get_by_role("combobox", name="Subscription")).to_be_focused()
    await keys.press("ArrowDown")
    await expect(page.get_by_role("option", name="Microsoft 365 E3 × 120")).to_be_visible()
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await expect(page.get_by_role("combobox", name="Subscription")).to_have_value("Microsoft 365 E3 × 120")
    await ana.tab_to("Reason")
    await keys.press("ArrowDown")
    await keys.press("Enter")
    await ana.tab_to("Continue")
    await keys.press("Enter")
    await expect(page.get_by_role("dialog")).to_contain_text("will be suspended")
    await ana.tab_to("Confirm")
    await keys.press("Enter")
    await expect(page.get_by_role("dialog")).to_be_hidden()

    await ana.tab_to("You are", key="Shift+Tab")
    await keys.press("ArrowDown")
    await expect(page.get_by_label("You are")).to_have_value("ben")
    await expect(page.get_by_label("You are")).to_be_focused()
    await ana.tab_to("#csp-approvals", key="Shift+Tab")
    await keys.press("Enter")
    card = page.get_by_role("article").last
    await expect(card).to_contain_text("Waiting for approval")
    await ana.tab_to("Approve: Contoso Ltd")
    await keys.press("Enter")
    await expect(page.get_by_role("alertdialog").get_by_role("button", name="Cancel")).to_be_focused()
    await keys.press("Tab")
    await keys.press("Enter")
    await expect(card).to_contain_text("The subscription is suspended.")
    await ana.tab_to("Partner Center", key="Shift+Tab")
    await keys.press("Enter")
    await expect(page.get_by_role("searchbox", name="Filter")).to_be_focused()
    await keys.type("contoso")
    await expect(subscription(page, "Contoso Ltd", "Microsoft 365 E3")).to_contain_text("suspended")
    await keys.press("Escape")
    await keys.press("Escape")
    await expect(page.get_by_role("button", name="Partner Center")).to_be_focused()
    assert ana.complaints == []


async def test_who_may_not_approve_is_told_so_alone(arrive: Arrive):
    ana = await arrive()
    await ana.ask_to_suspend("contoso", "Microsoft 365 E3 × 120")
    await ana.play("eve")
    await ana.open("csp-approvals")
    card = ana.page.get_by_role("article").filter(has_text="Suspend a subscription")
    await ana.approve(card)
    refusal = ana.page.get_by_role("article", name=re.compile("only visible to you"))
    await expect(refusal).to_contain_text("approver")
    await expect(card).to_contain_text("Waiting for approval")
    await ana.picture("desk-eve-refused")
    assert ana.complaints == []


async def test_the_portal_can_get_ahead_of_backstop(arrive: Arrive):
    ana = await arrive()
    page = ana.page
    await page.get_by_role("button", name="Partner Center").click()
    e3 = subscription(page, "Contoso Ltd", "Microsoft 365 E3")
    for act, status in (("Suspend", "suspended"), ("Resume", "active")):
        await e3.get_by_role("button", name=f"{act} outside Backstop").click()
        await page.get_by_role("menuitem", name=f"{act} outside Backstop").click()
        await expect(e3).to_contain_text(status)
    assert ana.complaints == []


async def test_the_controls_have_names(arrive: Arrive):
    ana = await arrive()
    page = ana.page
    await expect(page.get_by_role("heading", name=re.compile("^Overdue on"))).to_be_visible()
    for role, name in (
        ("navigation", "Workspace"),
        ("link", "csp-approvals"),
        ("combobox", "You are"),
        ("button", "Partner Center"),
        ("log", "Messages in #csp-overdue"),
        ("button", "Suspend a subscription of Coho Winery"),
        ("textbox", "Message #csp-overdue"),
        ("button", "Attach a file"),
        ("button", "Shortcuts"),
        ("button", "Send"),
        ("button", "Dark colours"),
    ):
        await expect(page.get_by_role(role, name=name, exact=True)).to_be_visible()  # type: ignore[arg-type]
    await page.get_by_role("button", name="Suspend a subscription of Lamna Healthcare, Inc.").click()
    form = page.get_by_role("dialog", name="Suspend subscription", exact=True)
    for field in ("Customer", "Subscription", "Reason"):
        await expect(form.get_by_role("combobox", name=field, exact=True)).to_be_visible()
    await expect(form.get_by_role("combobox", name="Customer")).to_have_value("Lamna Healthcare, Inc.")
    await expect(form.get_by_role("textbox", name="Note")).to_have_accessible_description(
        "For the approver and the audit trail; the customer does not see it."
    )
    controls = page.locator("button:visible, a:visible, input:visible, select:visible, textarea:visible")
    assert await controls.evaluate_all(NAMELESS) == []


NAMELESS = """nodes => nodes
  .filter(node => !node.ariaLabel && !node.textContent.trim() && !node.labels?.length)
  .filter(node => !document.getElementById(node.getAttribute("aria-labelledby")))
  .map(node => node.outerHTML)"""


def subscription(page: Page, customer: str, name: str) -> Locator:
    """A row of the *Partner Center* pane."""
    return page.get_by_role("region", name=customer, exact=True).get_by_role("listitem").filter(has_text=name)
