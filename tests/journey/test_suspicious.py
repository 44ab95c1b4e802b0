"""A suspicion is looked at and settled, in a real browser: at a desk and on a phone."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from tests.journey.conftest import Arrive

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("device", "width", "height"),
    [
        pytest.param("desk", 1400, 1000, id="at a desk"),
        pytest.param("phone", 390, 844, id="on a phone"),
    ],
)
async def test_a_case_is_called_fraud_and_what_follows_is_offered(
    device: str, width: int, height: int, arrive: Arrive
):
    ana = await arrive(width, height)
    page = ana.page
    await ana.open("csp-suspicious")
    digest = page.get_by_role("article").filter(has_text="What looks wrong").first
    await expect(digest).to_contain_text("Woodgrove Bank")
    await expect(digest).to_contain_text("from 25 to 400 seats")
    await ana.picture(f"{device}-10-suspicious")
    assert await ana.fits()

    if device == "desk":
        await digest.get_by_role("button", name="Fraud: Woodgrove Bank").click()
        form = page.get_by_role("dialog", name="Call it fraud")
        await expect(form).to_contain_text("Nothing is suspended by this")
        await form.get_by_role("textbox", name="Note").fill("Their admin did not know of it.")
        await ana.picture(f"{device}-11-fraud")
        await form.get_by_role("button", name="Confirm").click()
        await expect(digest).to_contain_text("Settled: 1 case")
        answer = page.get_by_role("article").filter(has_text="called fraud").last
        await answer.get_by_role("button", name="Suspend").click()
        asked = page.get_by_role("dialog", name="Suspend subscription")
        await expect(asked.get_by_role("combobox", name="Customer")).to_have_value("Woodgrove Bank")
        await expect(asked.get_by_role("combobox", name="Reason")).to_have_value("Fraud")
    assert ana.complaints == []
