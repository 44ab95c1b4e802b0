"""Linking a debtor of the books to a customer: a form, a person's word, and what the digest makes of it."""

from __future__ import annotations

import asyncio

from bot.domain.directory import party_id
from bot.sandbox.slack import Player
from handlers import ids
from handlers.views import blocks
from handlers.views.mapping import link_button
from tests.builders import ana
from tests.conftest import SetStage
from tests.handlers import story
from tests.handlers.test_digests import OVERDUE, post, take_in
from tests.stage import Stage, Transport

HALDEN = "Halden Marine"
KEY = "name:halden marine"


async def debtors(who: Player, words: str = "") -> story.Json:
    """What `/csp debtors` answers."""
    since = max((m["ts"] for m in who.messages(OVERDUE)), default="")
    assert (await who.command(f"/csp debtors {words}".strip(), channel=OVERDUE)).ok
    return await story.is_told(who, "Debtors and customers", channel=OVERDUE, since=since)


async def opens(who: Player, message: story.Json, button: str = "Link") -> story.Json:
    assert (await who.click(message, button)).ok
    form = "link_form" if button == "Link" else "unlink_form"
    return await who.modal_appears(callback_id=form)


async def owes(stage: Stage, *names: str) -> None:
    await take_in(stage, [(name, "") for name in names or (HALDEN,)], stage.app.core.backstop.digests.today())


async def in_the_channel(stage: Stage) -> story.Json:
    """The button where everybody sees it."""
    desk = stage.app.desk
    body = [blocks.section(HALDEN, accessory=link_button(KEY, HALDEN, desk.texts))]
    answer = await desk.client.chat_postMessage(channel="C0OVERDUE", text=HALDEN, blocks=body)
    return next(m for m in stage.slack.messages(OVERDUE) if m["ts"] == answer["ts"])


async def digest(stage: Stage) -> story.Json:
    return await post(stage, stage.app.core.backstop.digests.today())


async def audited(stage: Stage, tag: str) -> list[tuple[str, str]]:
    async with stage.app.core.store.read() as tx:
        return [(e.by, e.subject) async for e in tx.audit.since() if e.tag == tag]


async def test_once_linked_the_digest_knows_the_customer(set_stage: SetStage, transport: Transport):
    stage = await set_stage(transport=transport)
    await owes(stage)
    listed = await debtors(stage.ana)
    assert f"*{HALDEN}*" in story.words(listed)
    assert HALDEN not in story.element(listed, "link_customer")["value"]

    form = await opens(stage.ana, listed)
    assert HALDEN in story.words(form)
    assert "EUR\u00a0200.00" in story.words(form)
    assert HALDEN.lower() not in form["private_metadata"].lower()
    assert "customer" in ((await stage.ana.submit()).body or {})["errors"]
    offered = await stage.ana.suggest("linked_customer", "contoso")
    await stage.ana.choose("linked_customer", offered[0])
    assert (await stage.ana.submit()).ok

    said = await story.is_told(stage.ana, "From now on", channel=OVERDUE)
    assert f"*{HALDEN}* in the books is *Contoso Ltd* (contoso.onmicrosoft.com)" in story.lines(said)
    assert stage.ana.modal() is None
    assert await audited(stage, "mapping:confirmed") == [("U0ANA", party_id(KEY))]
    posted = await digest(stage)
    assert "Contoso Ltd" in story.words(posted)
    assert story.buttons(posted) == ["Suspend", "Open ticket", "Snooze", "Notice", "Promise to pay", "Owner"]
    assert stage.partner_center.writes == []


async def test_the_suggestion_is_chosen_but_only_a_person_confirms_it(set_stage: SetStage):
    stage = await set_stage()
    await owes(stage, "CONTOSO Limited")
    listed = await debtors(stage.ana)
    assert "Perhaps *Contoso Ltd*" in story.words(listed)
    form = await opens(stage.ana, listed)
    assert story.is_chosen(form, "linked_customer")
    await stage.ana.close_modal()
    assert await stage.app.core.backstop.mappings.confirmed() == ()

    await opens(stage.ana, listed)
    assert (await stage.ana.submit()).ok
    await story.is_told(stage.ana, "is *Contoso Ltd*", channel=OVERDUE)
    assert len(await stage.app.core.backstop.mappings.confirmed()) == 1


async def test_a_link_can_be_taken_back_and_the_answer_says_what_then_holds(set_stage: SetStage):
    stage = await set_stage()
    await owes(stage, "CONTOSO Limited")
    await opens(stage.ana, await debtors(stage.ana))
    assert (await stage.ana.submit()).ok
    await story.is_told(stage.ana, "From now on", channel=OVERDUE)

    listed = await debtors(stage.ana, "limited")
    assert "Links that people confirmed" in story.words(listed)
    assert "confirmed by <@U0ANA>" in story.words(listed)
    form = await opens(stage.ana, listed, "Change")
    assert "<@U0ANA> linked this debtor" in story.words(form)
    assert form["submit"]["text"] == "Remove"
    assert (await stage.ana.submit()).ok
    await story.is_told(stage.ana, "is linked to no customer", channel=OVERDUE)
    assert await audited(stage, "mapping:removed") == [("U0ANA", party_id("name:contoso limited"))]
    assert "linked to no customer" in story.words(await debtors(stage.ana))


async def test_who_may_not_operate_is_refused(set_stage: SetStage):
    stage = await set_stage()
    await owes(stage)
    assert (await stage.eve.command("/csp debtors", channel=OVERDUE)).ok
    await story.is_told(stage.eve, "BACKSTOP_OPERATORS", channel=OVERDUE)
    assert story.buttons(await debtors(stage.ben)) == []  # an approver may look

    assert (await stage.eve.click(await in_the_channel(stage), "Link")).ok
    await story.is_told(stage.eve, "BACKSTOP_OPERATORS", channel=OVERDUE)
    assert stage.eve.modal() is None
    assert [by for by, _ in await audited(stage, "access:refused")] == ["U0EVE", "U0EVE"]


async def test_the_form_is_acknowledged_and_open_before_the_books_are_read(set_stage: SetStage):
    stage = await set_stage()
    await owes(stage)
    async with story.books_unanswered():
        assert (await stage.ana.click(await in_the_channel(stage), "Link")).ok
        await stage.ana.modal_appears(callback_id=ids.READING)
    await stage.ana.modal_appears(callback_id=ids.LINK_FORM)


async def test_of_two_at_once_one_hears_who_was_first(set_stage: SetStage):
    stage = await set_stage(backstop_operators=("U0ANA", "U0BEN"))
    await owes(stage)
    for who, customer in ((stage.ana, "contoso"), (stage.ben, "adatum")):
        await opens(who, await debtors(who))
        await who.choose("linked_customer", (await who.suggest("linked_customer", customer))[0])
    await asyncio.gather(stage.ana.submit(), stage.ben.submit())
    (entry,) = await stage.app.core.backstop.mappings.confirmed()
    assert entry.mapping is not None
    assert entry.customer is not None
    first, late = (stage.ana, stage.ben) if entry.mapping.confirmed_by == "U0ANA" else (stage.ben, stage.ana)
    said = f"<@{entry.mapping.confirmed_by}> has already linked this debtor to {entry.customer.name}"
    await story.modal_says(late, said)
    await story.is_told(first, "From now on", channel=OVERDUE)
    assert first.modal() is None
    assert len(await audited(stage, "mapping:confirmed")) == 1


async def test_a_customer_that_is_not_ours_is_neither_offered_nor_taken(set_stage: SetStage):
    stage = await set_stage(transport="http")
    await owes(stage)
    foreign = next(c for c in stage.partner_center.customers if c.relationship != "reseller")
    await opens(stage.ana, await debtors(stage.ana))
    assert foreign.id not in [o["value"] for o in await stage.ana.suggest("linked_customer", foreign.name)]

    offered = await stage.ana.suggest("linked_customer", "contoso")
    await stage.ana.choose("linked_customer", offered[0])
    assert (await stage.ana.submit()).ok
    await story.is_told(stage.ana, "From now on", channel=OVERDUE)
    await stage.app.core.backstop.mappings.remove(KEY, by=ana)
    sent = story.delivered(stage, "view_submission")
    for inputs in sent["view"]["state"]["values"].values():
        inputs["linked_customer"]["selected_option"]["value"] = foreign.id
    status, said = await story.forges(stage, sent)
    assert status == 200
    assert "reseller" in said
    assert await stage.app.core.backstop.mappings.confirmed() == ()
