"""The demo from inside: what needs no browser to be seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo import Demo
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
    assert "Payments due from Contoso Ltd are overdue." in shown
    assert "Northwind Cloud, Accounts" in shown
