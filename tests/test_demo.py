"""The demo from inside: what needs no browser to be seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo import Demo
from bot.sandbox.receivables import WARNED
from tests.handlers import story


@pytest.fixture
async def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Demo]:
    monkeypatch.setenv("SMTP_URL", "smtp://mail.invalid:25")
    monkeypatch.setenv("BACKSTOP_MAIL_FROM", "me@mine.invalid")
    opened = Demo(tmp_path)
    try:
        await opened.start(0)
        yield opened
    finally:
        await opened.stop()


async def test_a_notice_goes_to_the_post_office_of_the_sandbox_and_no_further(demo: Demo):
    assert demo.app is not None
    smtp_url = demo.app.settings.smtp_url
    assert smtp_url is not None
    assert smtp_url.get_secret_value() == demo.post_office.url, "whatever the environment says"
    ana = demo.slack.person("ana")
    ack = await ana.command("/csp find contoso")
    assert ack.body is not None
    found = await story.is_told(ana, ack.body["text"], channel="csp-billing")
    assert (await ana.click(found, "Notice")).ok
    view = await ana.modal_appears(callback_id="letter_form")
    address = str(story.element(view, "letter_to")["initial_value"])
    assert (await ana.submit()).ok
    assert (await ana.submit()).ok
    message = await story.is_messaged(ana, "sent.")
    assert "on record as a warning" in story.words(message)
    (mailed,) = demo.slack.messages("customer-mail")
    shown = story.words(mailed)
    assert f"To: {address}" in shown
    assert "Final notice before a suspension of your services" in shown, "Contoso was warned before"
    assert "Northwind Cloud, Accounts" in shown


async def test_its_first_digest_proposes_suspensions_of_those_who_were_warned_and_of_nobody_else(demo: Demo):
    assert demo.app is not None
    debtors = (await demo.app.core.backstop.digests.overdue()).debtors
    proposed = {d.customer.domain for d in debtors if d.customer and d.standing.proposes_suspension}
    assert "contoso.onmicrosoft.com" in proposed
    assert 5 <= len(proposed) <= len(WARNED)
    assert proposed <= WARNED
    late = [d for d in debtors if d.customer and d.customer.domain == "mueller-soehne.onmicrosoft.com"]
    assert [rule.rule for rule in late[0].standing.reasons][:2] == ["stage:suspend", "requires:warn"]
