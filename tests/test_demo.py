"""The demo from inside: what needs no browser to be seen."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from bot.demo import Demo
from bot.sandbox.receivables import WARNED, sample_receivables
from bot.sandbox.slack.backstage_api import Impossible
from tests.handlers import story
from tests.stage import Stage


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


async def test_a_day_brings_the_reminder_the_end_of_what_nobody_decided_and_the_next_digest(demo: Demo):
    assert demo.app is not None
    stage = Stage(demo.slack, demo.partner_center, demo.app)
    first = demo.now()
    left = await story.asks(stage, demo.slack.person("ana"), "lamna")
    approved = await story.asks(stage, demo.slack.person("ana"))
    assert (await demo.slack.person("ben").click(approved.card, "Approve")).ok
    await demo.forward("hour")
    await approved.shows("is suspended")
    assert approved.writes == 1
    await demo.forward("day")
    await left.shows("Expired")
    reminded = [m for m in demo.slack.person("ben").dms() if "Your decision is missing" in story.words(m)]
    assert len(reminded) == 2, "at half of its time, and shortly before the end"
    assert first + timedelta(hours=25) <= demo.now() < first + timedelta(hours=26)

    trey = demo.partner_center.customer("Trey Research")
    await demo.pay(trey.id)
    await demo.forward("digest")
    digest = [m for m in demo.slack.messages("csp-overdue") if "overdue" in m["text"]][-1]
    assert float(digest["ts"]) > (first + timedelta(hours=25)).timestamp()
    debtors = (await demo.app.core.backstop.digests.overdue()).debtors
    assert trey.domain not in {d.customer.domain for d in debtors if d.customer}
    assert len(debtors) >= 15, "the others still owe, by an export of that day"
    assert trey.id not in demo.owed()


async def test_a_players_own_books_are_left_alone(demo: Demo):
    assert demo.app is not None
    receivables, today = demo.app.core.backstop.receivables, demo.app.core.backstop.digests.today()
    own = sample_receivables(today).replace("INV-1001", "INV-9001").encode()
    assert (await receivables.take_in(own, file_name="mine.csv", as_of=today)).applied
    with pytest.raises(Impossible, match=r"mine\.csv"):
        await demo.pay(demo.partner_center.customer("Trey Research").id)
    await demo.forward("day")
    last = await receivables.last_file()
    assert last is not None
    assert last.file == "mine.csv"
