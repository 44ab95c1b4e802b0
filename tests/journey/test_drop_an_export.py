"""An export is dropped into Slack, looked at and applied, in a real browser: by hand, from the keyboard, on a phone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.async_api import FilePayload, Locator, Page, expect

from bot.sandbox.receivables import sample_receivables
from tests.journey.conftest import Arrive, DemoProcess

pytestmark = pytest.mark.asyncio(loop_scope="module")

NEW = "2026-10-01,Invoice,X-1,Contoso Ltd,contoso.onmicrosoft.com,2026-10-31,Net 30,USD,10.00,10.00"
UNREADABLE = "2026-10-01,Invoice,X-2,Contoso Ltd,contoso.onmicrosoft.com,someday,Net 30,USD,10.00,10.00"

DROP = """([name, text]) => {
  const carried = new DataTransfer();
  carried.items.add(new File([text], name, { type: "text/csv" }));
  const place = document.querySelector("#messages-panel textarea");
  for (const kind of ["dragenter", "dragover"])
    place.dispatchEvent(new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true }));
  const panel = document.querySelector("#messages-panel");
  const words = getComputedStyle(panel, "::after").content;
  place.dispatchEvent(new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true }));
  return [words, !("drop" in panel.dataset)];
}"""


def an_export(*more: str) -> str:
    """What the books have already, and these rows."""
    return sample_receivables(datetime.now(UTC).date()) + "\n".join(more)


async def preview_of(page: Page, name: str) -> Locator:
    """Open the thread of a file that was shared, and wait for its card."""
    shared = page.get_by_role("article").filter(has_text=name).first
    await shared.get_by_role("button", name=re.compile(r"repl(y|ies)")).click()
    thread = page.get_by_role("region", name="Thread").or_(page.get_by_role("log", name="Thread"))
    card = thread.get_by_role("article").filter(has_text="Receivables export")
    await expect(card.first).to_be_visible()
    return card.first


@pytest.mark.parametrize(
    ("device", "width", "height"),
    [
        pytest.param("desk", 1400, 900, id="at a desk"),
        pytest.param("phone", 390, 844, id="on a phone"),
    ],
)
async def test_a_file_is_dropped_previewed_and_applied(
    device: str, width: int, height: int, demo: DemoProcess, arrive: Arrive
):
    ana = await arrive(width, height)
    page = ana.page
    await ana.open("csp-overdue")
    words, veil_is_gone = await page.evaluate(DROP, ["open items.csv", an_export(NEW, UNREADABLE)])
    assert (words, veil_is_gone) == ('"Drop to share with #csp-overdue"', True)
    card = await preview_of(page, "open items.csv")
    await expect(card).to_contain_text("Receivables export: preview")
    await expect(card).to_contain_text("Rejected: 1")
    await expect(card).to_contain_text("New: 1")
    await expect(card).to_contain_text("1 × the date cannot be read")
    await expect(
        page.get_by_role("link", name=re.compile("^Download Rows of open items.csv"))
    ).to_be_visible()
    await ana.picture(f"{device}-8-export")
    assert await ana.fits()

    await card.get_by_role("button", name="Apply open items.csv").click()
    await expect(card).to_contain_text("The books say now what the file says.")
    await expect(card.get_by_role("button", name="Apply")).to_have_count(0)
    await ana.picture(f"{device}-9-applied")
    assert ana.complaints == []
    assert [url for url in ana.requests if not url.startswith((demo.url, "data:", "blob:"))] == []


async def test_it_needs_no_mouse_and_the_card_asks_for_what_is_missing(arrive: Arrive):
    ana = await arrive()
    page, keys = ana.page, ana.page.keyboard
    await ana.open("Backstop")
    await expect(page.get_by_role("textbox", name="Message Backstop")).to_be_visible()
    async with page.expect_file_chooser() as choosing:  # early: Playwright takes a moment to be on the watch
        await ana.tab_to("Attach a file")
        await keys.press("Enter")
    content = b"Customer,Invoice No,Due Date,Balance\nContoso Ltd,X-1,2026-10-31,10.00\n"
    file = FilePayload(name="no currency.csv", mimeType="text/csv", buffer=content)
    await (await choosing.value).set_files(file)

    card = await preview_of(page, "no currency.csv")
    await expect(card).to_contain_text("The file names no currency")
    await card.get_by_role("button", name="Settings: no currency.csv").press("Enter")
    form = page.get_by_role("dialog", name="How to read the file")
    await expect(form.get_by_role("textbox", name="Currency")).to_be_focused()
    await keys.type("usd")
    await ana.tab_to("Preview again")
    await keys.press("Enter")
    await expect(form).to_be_hidden()
    await expect(card).to_contain_text("USD 10.00 open")
    await card.get_by_role("button", name="Discard no currency.csv").press("Enter")
    await expect(card).to_contain_text("Nothing was changed, and the file was deleted here.")
    assert ana.complaints == []


async def test_a_file_for_the_thread_and_one_beside_every_place(arrive: Arrive):
    ana = await arrive()
    page = ana.page
    await ana.open("csp-billing")
    await ana.say("Here?")
    asked = page.get_by_role("article").filter(has_text="Here?")
    await asked.hover()
    await asked.get_by_role("button", name="Reply in thread").click()
    chooser = page.locator(".pane input[type=file]")
    for name in ("one.csv", "two.csv"):
        await chooser.set_input_files({"name": name, "mimeType": "text/csv", "buffer": b"a,b"})
    await expect(page.get_by_role("link", name="Download two.csv")).to_be_visible()
    await page.evaluate(
        """() => {
          const carried = new DataTransfer();
          carried.items.add(new File(["a"], "beside.csv"));
          const dropped = new DragEvent("drop", { dataTransfer: carried, bubbles: true, cancelable: true });
          document.querySelector("#rail").dispatchEvent(dropped);
          if (!dropped.defaultPrevented) throw new Error("the page would be replaced");
        }"""
    )
    await expect(page.get_by_text("beside.csv")).to_have_count(0)
    assert ana.complaints == []
