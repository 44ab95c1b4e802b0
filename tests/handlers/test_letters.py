"""Writing to a customer, as Slack and the mail server see it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot import policy_file
from bot.core import utc_now
from bot.domain.letter import Letter, LetterStatus
from bot.sandbox.partner_center import PartnerCenterSandbox
from bot.sandbox.slack import Player
from handlers import ids
from tests.conftest import SetStage
from tests.handlers import story
from tests.post_office import CUT, PostOffice, post_office
from tests.services.workshop import Clock
from tests.stage import Stage, Transport

SIGNATURE = "Partner GmbH\n+49 30 1234567"


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as opened:
        yield opened


@pytest.fixture
def mail(office: PostOffice) -> dict[str, Any]:
    """The settings that lead to the mail server."""
    return {
        "smtp_url": SecretStr(f"smtp://127.0.0.1:{office.port}"),
        "backstop_mail_from": "Billing <billing@partner.example>",
        "backstop_mail_signature": SIGNATURE,
    }


async def form(stage: Stage, customer: str = "contoso", *, who: Player | None = None) -> story.Json:
    """`/csp find`, then *Notice*: the form once it is filled in."""
    writer = who or stage.ana
    await story.leaves(writer)
    ack = await writer.command(f"/csp find {customer}")
    assert ack.ok
    assert ack.body
    found = await story.is_told(writer, ack.body["text"], channel="csp-billing")
    assert (await writer.click(found, "Notice")).ok
    return await writer.modal_appears(callback_id="letter_form")


def filled_in(view: story.Json, action_id: str) -> str:
    return str(story.element(view, action_id).get("initial_value") or "")


def chosen(view: story.Json, action_id: str) -> str:
    return str(story.element(view, action_id)["initial_option"]["value"])


async def redrawn(who: Player, before: story.Json) -> story.Json:
    """The form once it is another one than before."""

    def look() -> story.Json | None:
        view = who.modal()
        return view if view and view["blocks"] != before["blocks"] else None

    return await who.wait_for(look)


async def confirmed(stage: Stage) -> Letter:
    """*Continue*, then *Confirm*; the letter that comes of it."""
    ack = await stage.ana.submit()
    assert ack.ok, ack
    letter_id = (await story.seen(stage.ana))["private_metadata"].split()[0]
    assert (await stage.ana.submit()).ok
    assert stage.ana.modal() is None
    return await letter(stage, letter_id)


async def letter(stage: Stage, letter_id: str) -> Letter:
    return await stage.app.core.backstop.letters.get(letter_id)


async def imports_books(stage: Stage) -> None:
    await story.imports_books(stage, stage.app.core.backstop.digests.today(), warned=False)


async def test_a_letter_is_written_previewed_sent_and_recorded(
    set_stage: SetStage, office: PostOffice, mail: dict[str, Any], transport: Transport
):
    stage = await set_stage(transport=transport, **mail)
    await imports_books(stage)
    view = await form(stage)
    held = stage.partner_center.customer("Contoso")
    assert filled_in(view, "letter_to") == held.contact.email
    assert chosen(view, "letter_language") == "en"
    assert chosen(view, "letter_kind") == "warn", "late, but nobody has warned them"
    text = filled_in(view, "letter_body")
    assert f"Dear {held.contact.first_name} {held.contact.last_name}," in text
    assert text.endswith(SIGNATURE)
    stage.ana.type("letter_subject", "Overdue & urgent")
    assert (await stage.ana.submit()).ok
    preview = await story.seen(stage.ana)
    assert text in story.words(preview)
    assert "Overdue & urgent" in story.words(preview)
    assert office.taken == []
    letter_id = preview["private_metadata"].split()[0]
    assert (await letter(stage, letter_id)).status is LetterStatus.DRAFT
    assert (await stage.ana.submit()).ok
    await story.is_told(stage.ana, "on its way", channel="csp-billing")
    message = await story.is_messaged(stage.ana, f"Warning to {held.name}: sent. ({letter_id})")
    (mailed,) = office.taken
    assert str(mailed.get_content()).replace("\r\n", "\n").rstrip("\n") == text
    assert mailed["Subject"] == "Overdue & urgent"
    assert office.recipients == [[held.contact.email]]
    recorded = await letter(stage, letter_id)
    assert recorded.counts_as_warning
    assert recorded.stage is not None
    assert "on record as a warning" in story.words(message)
    again = await form(stage)
    assert "The last notice on record: Warning" in story.lines(again)
    assert chosen(again, "letter_kind") == "final"


async def test_continue_is_acknowledged_before_the_books_are_read(set_stage: SetStage):
    stage = await set_stage()
    await form(stage)
    async with story.books_unanswered():
        assert (await stage.ana.submit()).ok
        assert story.top(stage.ana)["callback_id"] == ids.READING
    assert (await story.seen(stage.ana))["callback_id"] == ids.LETTER_COPIED


async def test_a_field_that_will_not_do_is_told_under_it_before_the_books_are_read(set_stage: SetStage):
    stage = await set_stage()
    await form(stage)
    stage.ana.type("letter_to", "billing@contoso,com")
    async with story.books_unanswered():
        ack = await stage.ana.submit()
    assert "one mail address" in (ack.body or {})["errors"]["letter_to"]


async def test_nobody_else_sees_address_or_text(
    set_stage: SetStage, office: PostOffice, mail: dict[str, Any]
):
    stage = await set_stage(**mail)
    await form(stage)
    address = stage.partner_center.customer("Contoso").contact.email
    await confirmed(stage)
    await story.is_messaged(stage.ana, "sent.")
    shown = [str(stage.slack.messages(name)) for name in ("csp-billing", "csp-approvals", "csp-overdue")]
    shown += [str(stage.ana.dms()), str(stage.ben.dms()), str(stage.eve.messages("csp-billing"))]
    for place in shown:
        assert address not in place
        assert "Kind regards" not in place


async def test_another_kind_and_language_bring_other_words_and_keep_the_address(
    set_stage: SetStage, mail: dict[str, Any]
):
    stage = await set_stage(**mail)
    await imports_books(stage)
    first = await form(stage)
    stage.ana.type("letter_to", "cfo@contoso.example")
    await stage.ana.choose("letter_language", "German")
    german = await redrawn(stage.ana, first)
    assert "Mit freundlichen Grüßen" in filled_in(german, "letter_body")
    await stage.ana.choose("letter_kind", "Notice of suspension")
    other = await redrawn(stage.ana, german)
    assert filled_in(other, "letter_subject").startswith("Ihre Dienste wurden gesperrt")
    written = await confirmed(stage)
    assert (written.to, written.language, written.kind) == ("cfo@contoso.example", "de", "suspended")
    assert written.subject.startswith("Ihre Dienste wurden gesperrt")


async def test_the_day_named_is_that_of_the_policy_and_a_draft_of_yesterday_is_not_sent(
    set_stage: SetStage, office: PostOffice, mail: dict[str, Any]
):
    clock = Clock()
    stage = await set_stage(now=clock, **mail)
    await imports_books(stage)
    view = await form(stage, "woodgrove")  # 22 days overdue; a suspension from 30 on
    assert "before Dec 1, 2026, we may suspend" in filled_in(view, "letter_body")
    assert "The amounts are from the books as of Nov 23, 2026." in story.lines(view)
    assert (await stage.ana.submit()).ok
    drafted = await letter(stage, (await story.seen(stage.ana))["private_metadata"].split()[0])
    clock.passes(timedelta(days=1))
    assert (await stage.ana.submit()).ok
    assert "worked out yesterday or before" in story.words(await story.seen(stage.ana))
    assert (await letter(stage, drafted.id)).status is LetterStatus.DRAFT
    assert office.taken == []


async def test_neither_is_a_form_that_was_filled_in_yesterday_shown_as_a_warning(
    set_stage: SetStage, mail: dict[str, Any]
):
    clock = Clock()
    stage = await set_stage(now=clock, **mail)
    await imports_books(stage)
    await form(stage, "woodgrove")
    clock.passes(timedelta(days=1))
    assert (await stage.ana.submit()).ok
    assert "worked out yesterday or before" in story.words(await story.seen(stage.ana))


async def test_whoever_is_exempt_is_not_told_a_day_and_the_writer_hears_why(
    set_stage: SetStage, mail: dict[str, Any], tmp_path: Path
):
    far_side = PartnerCenterSandbox(now=utc_now)
    held = far_side.customer("Contoso")
    policy = tmp_path / "policy.toml"
    policy.write_text(
        policy_file.packaged()
        + f'\n[[exempt]]\ntenant = "{held.id}"\nreason = "Hospital <b>"\nuntil = 2999-12-31\nby = "U0ANA"\n'
    )
    stage = await set_stage(partner_center=far_side, backstop_policy_file=policy, **mail)
    await imports_books(stage)
    view = await form(stage)
    assert "exempts this customer from suspension until Dec 31, 2999: Hospital &lt;b&gt;" in story.lines(view)
    assert "If the amount does not reach us, we may suspend" in filled_in(view, "letter_body")


async def test_a_notice_of_what_nobody_here_did_asks_the_writer_to_look(set_stage: SetStage):
    stage = await set_stage()
    first = await form(stage)
    await stage.ana.choose("letter_kind", "Notice of suspension")
    view = await redrawn(stage.ana, first)
    assert "does not know what was suspended" in story.lines(view)


async def test_an_address_the_mail_server_does_not_take_is_told_and_written_anew(
    set_stage: SetStage, office: PostOffice, mail: dict[str, Any]
):
    stage = await set_stage(**mail)
    await form(stage)
    stage.ana.type("letter_to", "jürgen@contoso.example")
    assert (await confirmed(stage)).to == "jürgen@contoso.example"
    failed = await story.is_messaged(stage.ana, "not sent.")
    assert "takes only addresses in ASCII" in story.words(failed)
    assert "rgen" not in str(failed)
    assert office.taken == []


async def test_a_dry_run_says_that_the_notice_does_go(
    set_stage: SetStage, office: PostOffice, mail: dict[str, Any]
):
    stage = await set_stage(backstop_dry_run=True, **mail)
    await form(stage)
    assert (await stage.ana.submit()).ok
    assert "the notice does go to the customer" in story.words(await story.seen(stage.ana))


async def test_what_a_person_sent_is_recorded_and_no_mail_leaves(
    set_stage: SetStage, office: PostOffice, mail: dict[str, Any]
):
    stage = await set_stage(**mail)
    await imports_books(stage)
    await form(stage)
    await stage.ana.choose("letter_way", "I sent it myself")
    stage.ana.type("letter_to", "")
    written = await confirmed(stage)
    assert (written.status, written.to) == (LetterStatus.COPIED, "")
    assert written.counts_as_warning
    await story.is_told(stage.ana, "recorded as sent by you", channel="csp-billing")
    assert office.taken == []


async def test_without_a_mail_server_only_a_person_can_send_it(set_stage: SetStage):
    stage = await set_stage()
    view = await form(stage)
    assert story.names(story.element(view, "letter_way")["options"]) == ["I sent it myself"]
    assert "SMTP_URL" in story.words(view)
    assert "BACKSTOP_MAIL_SIGNATURE" in story.lines(view)
    assert (await confirmed(stage)).status is LetterStatus.COPIED


async def test_what_partner_center_does_not_tell_is_typed(set_stage: SetStage, mail: dict[str, Any]):
    stage = await set_stage(**mail)
    stage.partner_center.faults.add(status=403, path_contains="profiles/billing", times=None)
    view = await form(stage)
    said = story.lines(view)
    assert "names no usable mail address" in said
    assert "language is not known" in said
    assert "The books show nothing overdue" in said
    assert filled_in(view, "letter_to") == ""
    assert filled_in(view, "letter_body").startswith("Dear Sir or Madam,")
    ack = await stage.ana.submit()
    assert (ack.body or {})["errors"] == {"letter_to": "Please fill this in."}
    stage.ana.type("letter_to", "billing@contoso,com")
    ack = await stage.ana.submit()
    assert "one mail address" in (ack.body or {})["errors"]["letter_to"]
    stage.ana.type("letter_to", "billing@contoso.example")
    assert (await stage.ana.submit()).ok
    assert (await story.seen(stage.ana))["callback_id"] == "letter_send"


async def test_a_name_that_would_be_a_header_is_none(
    set_stage: SetStage, office: PostOffice, mail: dict[str, Any]
):
    stage = await set_stage(**mail)
    await form(stage)
    stage.ana.type("letter_subject", "Pay\u2028Bcc: all@example.com")
    await confirmed(stage)
    await story.is_messaged(stage.ana, "sent.")
    assert office.taken[0]["Subject"] == "Pay Bcc: all@example.com"
    assert office.taken[0]["Bcc"] is None
    assert len(office.recipients[0]) == 1


async def test_what_failed_says_why_and_is_written_anew_with_the_same_words(
    set_stage: SetStage, office: PostOffice, mail: dict[str, Any]
):
    stage = await set_stage(**mail)
    office.at_rcpt = "550 no such user"
    await form(stage)
    stage.ana.type("letter_body", "Only these words.")
    first = await confirmed(stage)
    failed = await story.is_messaged(stage.ana, "not sent.")
    assert "The mail server refused it (550)" in story.words(failed)
    office.at_rcpt = ""
    assert (await stage.ana.click(failed, "Write again")).ok
    view = await stage.ana.modal_appears(callback_id="letter_form")
    assert filled_in(view, "letter_body") == "Only these words."
    second = await confirmed(stage)
    await story.is_messaged(stage.ana, f"sent. ({second.id})")
    assert second.id != first.id
    assert [str(m["Message-ID"]) for m in office.taken] == [f"<{second.id}@partner.example>"]


@pytest.mark.parametrize(
    ("button", "said", "status"),
    [
        ("It was sent", ": sent.", LetterStatus.SENT),
        ("It was not sent", ": not sent.", LetterStatus.FAILED),
    ],
)
async def test_what_nobody_knows_a_person_decides_once(
    set_stage: SetStage,
    office: PostOffice,
    mail: dict[str, Any],
    button: str,
    said: str,
    status: LetterStatus,
):
    stage = await set_stage(**mail)
    office.after_data = CUT
    await form(stage)
    written = await confirmed(stage)
    question = await story.is_messaged(stage.ana, "nobody knows whether it was sent")
    assert story.buttons(question) == ["It was sent", "It was not sent"]
    assert written.id in story.words(question)
    assert (await stage.ana.click(question, button)).ok
    answered = await story.is_messaged(stage.ana, said)
    assert answered["ts"] == question["ts"], "the answer stands in place of the question"
    assert "It was sent" not in story.buttons(answered)
    assert (await letter(stage, written.id)).status is status
    assert len(office.taken) == 1


async def test_a_confirm_that_slack_delivers_twice_sends_one_mail(
    set_stage: SetStage, office: PostOffice, mail: dict[str, Any]
):
    stage = await set_stage(transport="http", **mail)
    await form(stage)
    await confirmed(stage)
    payload = story.delivered(stage, "view_submission")
    assert (await story.forges(stage, payload))[0] == 200
    await story.is_messaged(stage.ana, "sent.")
    await stage.app.core.backstop.letters.sweep()
    assert len(office.taken) == 1


async def test_who_may_not_operate_may_neither_write_nor_confirm(
    set_stage: SetStage, office: PostOffice, mail: dict[str, Any]
):
    stage = await set_stage(transport="http", **mail)
    await form(stage)
    clicked = story.delivered(stage, "block_actions")
    assert (await stage.ana.submit()).ok
    continued = story.delivered(stage, "view_submission")
    draft = await letter(stage, (await story.seen(stage.ana))["private_metadata"].split()[0])
    assert (await stage.ana.submit()).ok
    confirmed = story.delivered(stage, "view_submission")
    await story.is_messaged(stage.ana, "sent.")
    for payload in (clicked, continued, confirmed):
        status, answer = await story.forges(stage, payload | {"user": {"id": stage.eve.person.id}})
        assert status == 200
        assert draft.to not in answer
        assert payload is clicked or "BACKSTOP_OPERATORS" in answer
    await stage.app.desk.drain()
    assert stage.eve.modal() is None
    async with stage.app.core.store.read() as tx:
        refused = [event.by async for event in tx.audit.since() if event.tag == "access:refused"]
    assert refused == [stage.eve.person.id] * 3
    assert len(office.taken) == 1


async def test_after_a_suspension_and_a_resumption_the_requester_is_offered_the_letter(
    set_stage: SetStage, mail: dict[str, Any]
):
    stage = await set_stage(backstop_approvals_suspend=0, **mail)
    asked = await story.asks(stage)
    done = await asked.is_messaged("suspended")
    assert story.buttons(done) == ["Notice"]
    assert (await stage.ana.click(done, "Notice")).ok
    view = await stage.ana.modal_appears(callback_id="letter_form")
    assert chosen(view, "letter_kind") == "suspended"
    assert "- Microsoft 365 E3\n" in filled_in(view, "letter_body")
    outcome = (await stage.app.core.backstop.requests.get(asked.id)).targets[0].outcome
    assert outcome is not None
    assert outcome.deletes_on is not None
    assert f"after {stage.app.desk.texts.day(outcome.deletes_on)} Microsoft may delete" in filled_in(
        view, "letter_body"
    )
    view = await story.continues(
        stage.ana, story.CONTOSO, subscription="E3", reason="Customer request", command="/csp-resume"
    )
    assert (await stage.ana.submit()).ok
    resumed = await story.is_messaged(stage.ana, "active")
    assert (await stage.ana.click(resumed, "Notice")).ok
    view = await stage.ana.modal_appears(callback_id="letter_form")
    assert chosen(view, "letter_kind") == "resumed"
    assert "- Microsoft 365 E3\n" in filled_in(view, "letter_body")


async def test_a_dry_run_offers_no_letter(set_stage: SetStage, mail: dict[str, Any]):
    stage = await set_stage(backstop_approvals_suspend=0, backstop_dry_run=True, **mail)
    asked = await story.asks(stage)
    assert story.buttons(await asked.is_messaged("Dry run")) == []
