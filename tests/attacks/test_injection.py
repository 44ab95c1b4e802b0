"""Names, notes and files that are made to mention, to link, to format and to turn text around: they stay text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bot.core import utc_now
from bot.domain.customer import CustomerId
from bot.domain.observation import Observation, Reported
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.partner_center.samples import sample_customers
from handlers.digests import post_overdue
from handlers.suspicious import post_suspicious
from tests.attacks.office import CHANNELS, at_work
from tests.builders import HOUR, ana
from tests.conftest import SetStage
from tests.views.drawn_suspicious import spent_by_day

EVIL = "<!channel> <@U0EVE> <https://evil.example|pay here> *bo* _it_ ~st~ `co` &lt;!here&gt; \u202egnp\u202c\u200b"
CALLS = re.compile(r"<!(channel|here|everyone)|<@U0EVE|<https?://evil")
MARKS = re.compile(r"(?<!\S)[*_~`](bo|it|st|co)[*_~`]")
ADDRESS = re.compile(r"\w://|evil\.example")
TURNED = re.compile(r"[\u202a-\u202e\u2066-\u2069]")


async def test_in_a_whole_day_nobody_is_called_and_nothing_links(set_stage: SetStage):
    customers = [
        replace(
            customer,
            name=f"{customer.name} {EVIL}",
            subscriptions=tuple(replace(s, name=f"{s.name} {EVIL}") for s in customer.subscriptions),
        )
        if customer.domain.startswith(("contoso", "fourthcoffee"))
        else customer
        for customer in sample_customers(datetime.now(UTC).date())
    ]
    office = await at_work(
        set_stage,
        note=f"They wrote: {EVIL}",
        file=f"../../open {EVIL}.csv",
        partner_center=PartnerCenterSandbox(now=utc_now, customers=customers),
    )
    stage = office.stage
    today = stage.app.core.backstop.digests.today().isoformat()
    assert await post_overdue(stage.app.desk, today)
    assert await post_suspicious(stage.app.desk, today)
    for line in (
        "find contoso",
        "why contoso",
        f"find {EVIL}",
        "requests",
        f"audit {office.request.id}",
        "debtors",
    ):
        await stage.ana.command(f"/csp {line}")
    await stage.app.desk.drain()  # what is read behind the ack is told as well
    assert (await stage.ben.click(office.request.card, "Approve")).ok
    await office.request.is_messaged("Done")

    shown: list[Any] = [
        m for channel in stage.slack.workspace.channels for m in stage.slack.messages(channel)
    ]
    for who in (stage.ana, stage.ben):
        shown += [*who.dms(), *who.modals(), await who.open_home()]
    named = [text for thing in shown for kind, text in texts(thing) if "evil.example" in text]
    assert len(named) > 20
    for thing in shown:
        for kind, text in texts(thing):
            assert not TURNED.search(text), text
            assert kind == "plain_text" or not CALLS.search(text), text
            assert kind != "mrkdwn" or not MARKS.search(text), text


async def test_the_words_beside_the_chart_of_spend_neither_format_nor_link(set_stage: SetStage):
    """They stand in no block, where Slack makes links by itself."""
    customers = [
        replace(customer, name="*bo* https://evil.example/pay <!channel>")
        if customer.domain.startswith("contoso")
        else customer
        for customer in sample_customers(datetime.now(UTC).date())
    ]
    stage = await set_stage(**CHANNELS, partner_center=PartnerCenterSandbox(now=utc_now, customers=customers))
    core, who = stage.app.core, CustomerId(next(c.id for c in customers if "evil" in c.name))
    now, told = core.backstop.now(), spent_by_day(who)
    seen: list[Observation] = [
        Reported(who, now - HOUR, "click-1", ana.id, "odd"),
        *(replace(each, at=each.at + (now - told[-1].at)) for each in told),
    ]
    async with core.store.begin() as tx:
        await tx.observations.keep(seen, at=now)
    assert await post_suspicious(stage.app.desk, core.backstop.digests.today().isoformat())

    (beside,) = [m["text"] for m in stage.slack.messages("csp-suspicious") if m.get("files")]
    assert "evil" in beside
    assert not ADDRESS.search(beside), beside
    assert not CALLS.search(beside), beside
    assert not MARKS.search(beside), beside


def texts(node: Any) -> Iterator[tuple[str, str]]:
    """Every text that Slack shows, with how it is read; what people wrote themselves is left out."""
    if isinstance(node, list):
        for item in node:
            yield from texts(item)
    elif isinstance(node, dict):
        if node.get("type") in ("mrkdwn", "plain_text"):
            yield node["type"], str(node["text"])
            return
        if isinstance(node.get("text"), str) and node.get("bot_id"):
            yield ("notification" if node.get("blocks") else "mrkdwn"), node["text"]
        for key, value in node.items():
            if key not in ("state", "files"):
                yield from texts(value)


def test_what_is_live_is_seen():
    for text in ("a <!channel>", "<@U0EVE|eve>", "<https://evil.example|x>"):
        assert CALLS.search(text)
    for text in ("*bo*", "x `co`"):
        assert MARKS.search(text)
    for text in ("&lt;!channel&gt;", "\u2060*\u2060bo\u2060*\u2060", "<@U0ANA>", "*Contoso*"):
        assert not CALLS.search(text)
        assert not MARKS.search(text)
    assert list(texts({"text": "x", "bot_id": "B"})) == [("mrkdwn", "x")]
