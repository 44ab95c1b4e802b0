"""axe finds nothing serious on the page: at both widths, in light and dark, whatever is open."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import expect

from tests import axe
from tests.journey.conftest import Arrive

pytestmark = pytest.mark.asyncio(loop_scope="module")

RUN = """async (rules) => {
  const { violations } = await axe.run(document, { resultTypes: ["violations"], ...rules });
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => [id, ...nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`)].join("\\n"));
}"""

SCHEMES: dict[Literal["light", "dark"], dict[str, list[str]]] = {
    "light": {},
    "dark": {
        "runOnly": ["color-contrast", "link-in-text-block"]
    },  # what colours can break; all else is the same
}


@pytest.fixture(scope="session")
def axe_script() -> str:
    try:
        return axe.script()
    except axe.NotFetched as error:
        pytest.skip(f"{error}: nothing but axe would look at the page so")


@pytest.mark.parametrize(
    ("width", "height"), [pytest.param(1280, 900, id="at a desk"), pytest.param(390, 844, id="on a phone")]
)
async def test_axe_finds_nothing_serious(width: int, height: int, axe_script: str, arrive: Arrive):
    ana = await arrive(width, height)
    page = ana.page
    await page.evaluate(axe_script)
    found: dict[str, list[str]] = {}

    async def look(at: str) -> None:
        for scheme, rules in SCHEMES.items():
            await page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            if serious := await page.evaluate(RUN, rules):
                found[f"{at}, {scheme}"] = serious

    await expect(page.get_by_role("heading", name="Overdue on")).to_be_visible()
    await look("the digest")

    await page.get_by_role("article").first.get_by_role("button", name="More actions").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menu", name="More actions")).to_be_visible()
    await look("a menu")
    await page.keyboard.press("Escape")

    await ana.say("/csp-suspend contoso")
    form = page.get_by_role("dialog", name="Suspend subscription")
    await ana.choose("Reason", "Non-payment")
    await form.get_by_role("button", name="Continue").click()
    await expect(form).to_contain_text("Please complete this required field.")
    await page.get_by_role("combobox", name="Subscription").click()
    await expect(page.get_by_role("option", name="Microsoft 365 E3 × 120")).to_be_visible()
    await look("a form with an error and an open list")
    await page.keyboard.press("Escape")
    await ana.choose("Subscription", "Microsoft 365 E3 × 120")
    await form.get_by_role("button", name="Continue").click()
    await expect(form).to_contain_text("will be suspended.")
    await look("a confirmation")
    await form.get_by_role("button", name="Leave").click()

    await page.get_by_role("button", name="Partner Center").click()
    await expect(page.get_by_role("region", name="Contoso Ltd", exact=True)).to_be_visible()
    await page.get_by_text("Let something go wrong").click()
    await page.get_by_role("checkbox", name="Changed meanwhile").check()
    await expect(page.get_by_text("Something goes wrong at Partner Center")).to_be_attached()
    await page.get_by_role("button", name="Contoso Ltd: pay or order").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitem", name="Customer pays")).to_be_visible()
    await look("Partner Center with a fault, and a menu")
    await page.keyboard.press("Escape")
    await page.get_by_role("button", name="Close pane").click()

    await page.get_by_role("button", name="Wire").click()
    wire = page.get_by_role("complementary", name="Wire")
    await wire.get_by_role("searchbox", name="Filter").fill("auditrecords")
    await wire.locator("summary:visible").first.click()
    await expect(wire.locator("pre").first).to_be_visible()
    await look("the wire, with an exchange open")
    await wire.get_by_role("searchbox", name="Filter").fill("no such thing")
    await expect(wire.get_by_text("Nothing fits.")).to_be_visible()
    await look("the wire without a match")
    await page.get_by_role("button", name="Close pane").click()

    await page.get_by_role("button", name="replies").first.click()
    await expect(page.get_by_role("complementary", name="Thread")).to_be_visible()
    await look("a thread")
    await page.get_by_role("button", name="Close pane").click()

    await ana.open("Backstop")
    await page.get_by_role("link", name="Home").click()
    await expect(page.get_by_role("region", name="Home")).to_contain_text("open")
    await look("Home")

    await page.get_by_role("button", name="Start over").click()
    await expect(page.get_by_role("alertdialog", name="Start over?")).to_be_visible()
    await look("whether to start over")

    assert found == {}
    assert ana.complaints == []
