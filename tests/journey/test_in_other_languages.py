"""The same story where nobody speaks English: all that Backstop says is in their language."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from string import Formatter

import pytest
from babel.messages.pofile import read_po
from playwright.async_api import expect

from bot.texts import in_language
from tests.journey.conftest import Arrive, DemoProcess, Visitor

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize(
    ("demo", "device", "width", "height"),
    [
        pytest.param("de", "phone", 390, 844, id="German, on a phone"),
        pytest.param("de", "desk", 1280, 900, id="German, at a desk"),
        pytest.param("zh-CN", "phone", 390, 844, id="Chinese, on a phone"),
        pytest.param("zh-CN", "desk", 1280, 900, id="Chinese, at a desk"),
    ],
    indirect=["demo"],
)
async def test_a_suspension_is_asked_for_approved_and_done(
    device: str, width: int, height: int, demo: DemoProcess, arrive: Arrive
):
    texts = in_language(demo.language)
    ana = await arrive(width, height)
    page, seen = ana.page, f"{device}-{demo.language}"
    title = re.compile(re.escape(texts("overdue-title", day="@")).replace("@", ".+"))
    await expect(page.get_by_role("heading", name=title)).to_be_in_viewport()
    await in_their_words(ana, demo.language)
    await ana.picture(f"{seen}-1-digest")

    await ana.say("/csp-suspend contoso")
    form = page.get_by_role("dialog", name=texts("title-suspend"))
    await ana.choose(texts("form-subscription"), "Microsoft 365 E3 × 120")
    await ana.choose(texts("form-reason"), texts("reason-non_payment"))
    await in_their_words(ana, demo.language)
    await ana.picture(f"{seen}-2-form")
    await form.get_by_role("button", name=texts("continue")).click()
    await expect(form).to_contain_text(texts("effect-access"))
    await in_their_words(ana, demo.language)
    await ana.picture(f"{seen}-3-confirmation")
    await form.get_by_role("button", name=texts("confirm")).click()
    await expect(form).to_be_hidden()

    await ana.play("ben")
    await ana.open("csp-approvals")
    card = page.get_by_role("article").last
    await expect(card).to_contain_text(texts("status-pending"))
    await in_their_words(ana, demo.language)
    await ana.picture(f"{seen}-4-card")
    await card.get_by_role("button", name=texts("approve")).click()
    sure = page.get_by_role("alertdialog", name=texts("approve-title"))
    await sure.get_by_role("button", name=texts("approve")).click()
    await expect(card).to_contain_text(texts("outcome-suspend"))
    await in_their_words(ana, demo.language)
    await ana.picture(f"{seen}-5-done")

    await ana.play("ana")
    await ana.open("Backstop")
    await page.get_by_role("link", name="Home").click()
    home = page.get_by_role("region", name="Home")
    await expect(home).to_contain_text("Microsoft 365 E3")
    await in_their_words(ana, demo.language)
    await ana.picture(f"{seen}-6-home")
    assert await ana.fits()
    assert ana.complaints == []


async def in_their_words(visitor: Visitor, language: str) -> None:
    """Nothing of the English catalogue stands in what the app wrote; the page around it is English."""
    said = "\n".join(await visitor.page.locator(".blocks").all_inner_texts())
    assert said.strip()
    assert [words for words in english(language) if words in said] == []


@cache
def english(language: str) -> tuple[str, ...]:
    """Pieces of English sentences, long enough to be nothing else, that the other language does not have."""
    theirs = (resources.files("bot.texts") / f"{language.replace('-', '_')}.po").read_text("utf-8")
    with (resources.files("bot.texts") / "en.po").open("rb") as po:
        strings = [message.string or "" for message in read_po(po)]
    forms = [form for said in strings for form in ([said] if isinstance(said, str) else said)]
    pieces = {piece.strip(" *.") for form in forms for piece, *_ in Formatter().parse(form)}
    return tuple(piece for piece in pieces if len(piece) >= 8 and piece not in theirs)
