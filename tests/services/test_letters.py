"""Letters over a real database and a real mail server: sent once, never twice, and recorded for what they are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from bot import policy_file
from bot.domain.customer import CustomerId
from bot.domain.errors import Invalid, LetterSettled, NotFound, NotPermitted
from bot.domain.letter import Letter, LetterKind, LetterStatus
from bot.domain.people import Person
from bot.domain.policy import StageAction
from bot.services.letters import DRAFTS_LIVE, GIVEN_UP_AFTER, STRANDED_AFTER, Written
from tests.builders import CONTOSO, a_customer, ana, ben, boss, eve, noon
from tests.post_office import CUT, SILENCE, PostOffice, mail_to, post_office
from tests.services.conftest import OpenWorkshop
from tests.services.test_digests import TODAY, a_row, know, take_in
from tests.services.workshop import Clock, Workshop

ADDRESS, SECRET = "billing@contoso.example", "Please pay 4,711.00"


@pytest.fixture
async def office() -> AsyncIterator[PostOffice]:
    async with post_office() as opened:
        yield opened


def written(**fields: Any) -> Written:
    given: dict[str, Any] = {
        "kind": LetterKind.WARN,
        "customer_id": CONTOSO,
        "customer_name": "Contoso Ltd",
        "language": "en",
        "to": ADDRESS,
        "subject": "Overdue payment",
        "body": SECRET,
        "stage": "warn",
    }
    return Written(**(given | fields))


async def asked(w: Workshop, *, by: Person = ana, **fields: Any) -> Letter:
    """A letter somebody pressed *Confirm* for; no worker has been at it."""
    draft = await w.letters.draft(written(**fields), by=by)
    return await w.letters.send(draft.id, by=by)


async def delivered(w: Workshop, letter: Letter) -> Letter:
    await w.letters.deliver(letter.id)
    return await w.letters.get(letter.id)


async def test_it_is_sent_and_stands_as_a_warning(
    workshop: OpenWorkshop, office: PostOffice, database_url: str
):
    w = await workshop(database_url=database_url, mail=mail_to(office))
    letter = await delivered(w, await asked(w))
    assert (letter.status, letter.sent_at) == (LetterStatus.SENT, noon)
    assert letter.counts_as_warning
    assert office.taken[0]["Message-ID"] == f"<{letter.id}@partner.example>"
    assert await w.letters.recorded([CONTOSO]) == {CONTOSO: (letter,)}


async def test_many_workers_send_it_once(workshop: OpenWorkshop, office: PostOffice, database_url: str):
    one, two = [await workshop(database_url=database_url, mail=mail_to(office)) for _ in range(2)]
    letter = await asked(one)
    await asyncio.gather(*(w.letters.deliver(letter.id) for w in (one, two) * 4))
    assert len(office.taken) == 1
    assert (await two.letters.get(letter.id)).status is LetterStatus.SENT


async def test_a_second_confirm_changes_nothing(workshop: OpenWorkshop, office: PostOffice):
    w = await workshop(mail=mail_to(office))
    draft = await w.letters.draft(written(), by=ana)
    await asyncio.gather(*(w.letters.send(draft.id, by=ana) for _ in range(4)))
    assert [event.tag for event in await w.story(draft.id)] == ["letter:written"]
    await w.letters.deliver(draft.id)
    assert (await w.letters.copied(draft.id, by=ana)).status is LetterStatus.SENT
    assert len(office.taken) == 1


async def dies_over(w: Workshop, office: PostOffice, letter: Letter) -> None:
    """The worker is killed when the mail server has the text and has not answered yet."""
    office.after_data = SILENCE
    sending = asyncio.create_task(w.letters.deliver(letter.id))
    await asyncio.wait_for(office.arrived.wait(), 10)
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    office.after_data = ""


async def test_a_worker_that_dies_over_it_leaves_it_unknown_and_nobody_sends_it_again(
    workshop: OpenWorkshop, office: PostOffice, clock: Clock, database_url: str
):
    w = await workshop(database_url=database_url, mail=mail_to(office))
    await w.letters.begin("host-0")
    letter = await asked(w)
    await dies_over(w, office, letter)
    other = await workshop(database_url=database_url, mail=mail_to(office))
    await other.letters.begin("host-1")
    assert (await delivered(other, letter)).status is LetterStatus.SENDING
    clock.passes(GIVEN_UP_AFTER + timedelta(seconds=1))
    await other.letters.sweep()
    given_up = await delivered(other, letter)
    assert (given_up.status, given_up.reason) == (LetterStatus.UNKNOWN, "interrupted")
    assert not given_up.counts_as_warning
    assert await other.letters.recorded([CONTOSO]) == {}
    assert len(office.taken) == 1


async def test_whoever_takes_the_dead_workers_name_says_at_once_that_nobody_knows(
    workshop: OpenWorkshop, office: PostOffice
):
    w = await workshop(mail=mail_to(office))
    await w.letters.begin("host-0")
    letter = await asked(w)
    await dies_over(w, office, letter)
    again = await workshop(mail=mail_to(office))
    await again.letters.begin("host-0")
    assert (await delivered(again, letter)).status is LetterStatus.UNKNOWN
    assert len(office.taken) == 1


async def test_a_worker_that_was_given_up_and_lives_says_what_it_knows(
    workshop: OpenWorkshop, office: PostOffice, clock: Clock
):
    w = await workshop(mail=mail_to(office))
    letter = await asked(w)
    office.slow = asyncio.Event()
    sending = asyncio.create_task(w.letters.deliver(letter.id))
    await asyncio.wait_for(office.arrived.wait(), 10)
    clock.passes(GIVEN_UP_AFTER + timedelta(seconds=1))
    await w.letters.sweep()
    assert (await w.letters.get(letter.id)).status is LetterStatus.UNKNOWN
    office.slow.set()
    await sending
    assert (await w.letters.get(letter.id)).status is LetterStatus.SENT


async def test_a_job_that_was_lost_is_handed_out_again(
    workshop: OpenWorkshop, office: PostOffice, clock: Clock
):
    w = await workshop(mail=mail_to(office))
    letter = await asked(w)
    clock.passes(STRANDED_AFTER + timedelta(seconds=1))
    async with w.store.read() as tx:
        assert [found.id for found in await tx.letters.unclaimed(before=clock() - STRANDED_AFTER)] == [
            letter.id
        ]
    await w.letters.sweep()
    assert (await delivered(w, letter)).status is LetterStatus.SENT
    assert len(office.taken) == 1


@pytest.mark.parametrize(
    ("fault", "status", "error", "reason"),
    [
        pytest.param({"at_rcpt": "550 no"}, LetterStatus.FAILED, "rejected", "550", id="refused for good"),
        pytest.param({"at_rcpt": "450 later"}, LetterStatus.FAILED, "not-ready", "450", id="refused for now"),
        pytest.param({"at_data": "554 spam"}, LetterStatus.FAILED, "rejected", "554", id="text refused"),
        pytest.param({"at_rcpt": CUT}, LetterStatus.FAILED, "not-ready", "cut-off", id="cut before the text"),
        pytest.param({"after_data": CUT}, LetterStatus.UNKNOWN, "unavailable", "cut-off", id="cut over it"),
    ],
)
async def test_what_did_not_go_well_is_told_for_what_it_is(
    workshop: OpenWorkshop, office: PostOffice, fault: dict[str, str], status: str, error: str, reason: str
):
    w = await workshop(mail=mail_to(office))
    for where, said in fault.items():
        setattr(office, where, said)
    letter = await delivered(w, await asked(w))
    assert (letter.status, letter.error, letter.reason) == (status, error, reason)
    assert await w.letters.recorded([CONTOSO]) == {}
    events = [event.tag for event in await w.story(letter.id)]
    assert events == ["letter:written", f"letter:{status}"]


async def test_what_failed_is_not_sent_again(workshop: OpenWorkshop, office: PostOffice):
    w = await workshop(mail=mail_to(office))
    office.at_rcpt = "450 later"
    letter = await delivered(w, await asked(w))
    office.at_rcpt = ""
    assert (await delivered(w, letter)).status is LetterStatus.FAILED
    assert office.taken == []


async def test_without_a_mail_server_it_fails_and_says_why(workshop: OpenWorkshop):
    w = await workshop()
    assert not w.letters.can_send
    letter = await delivered(w, await asked(w))
    assert (letter.status, letter.error) == (LetterStatus.FAILED, "not-configured")


async def test_what_a_person_sent_is_recorded_and_nothing_is_sent(workshop: OpenWorkshop, office: PostOffice):
    w = await workshop(mail=mail_to(office))
    draft = await w.letters.draft(written(to=""), by=ana)
    copied = await w.letters.copied(draft.id, by=ana)
    assert copied.counts_as_warning
    assert (await delivered(w, copied)).status is LetterStatus.COPIED
    assert [event.tag for event in await w.story(draft.id)] == ["letter:copied"]
    assert office.taken == []


@pytest.mark.parametrize(
    ("was_sent", "status", "tag"),
    [(True, LetterStatus.SENT, "letter:sent"), (False, LetterStatus.FAILED, "letter:failed")],
)
async def test_a_person_decides_what_nobody_knew(
    workshop: OpenWorkshop, office: PostOffice, was_sent: bool, status: LetterStatus, tag: str
):
    w = await workshop(mail=mail_to(office))
    office.after_data = CUT
    letter = await delivered(w, await asked(w))
    decided = await w.letters.decide(letter.id, was_sent=was_sent, by=boss)
    assert decided.status is status
    last = (await w.story(letter.id))[-1]
    assert (last.tag, last.by, last.facts["decided"]) == (tag, boss.id, True)
    with pytest.raises(LetterSettled):
        await w.letters.decide(letter.id, was_sent=not was_sent, by=boss)
    await w.letters.deliver(letter.id)
    assert len(office.taken) == 1


async def test_the_audit_trail_says_who_told_whom_where_and_which_text_and_not_a_word_of_it(
    workshop: OpenWorkshop, office: PostOffice
):
    w = await workshop(mail=mail_to(office))
    letter = await delivered(w, await asked(w))
    asked_for, sent = await w.story(letter.id)
    assert (asked_for.tag, asked_for.by) == ("letter:written", ana.id)
    assert dict(asked_for.facts) == {
        "kind": "warn",
        "customer": CONTOSO,
        "customer_name": "Contoso Ltd",
        "language": "en",
        "stage": "warn",
        "to": ADDRESS,
        "text_sha256": letter.text_hash,
        "before": "draft",
        "after": "sending",
    }
    assert sent.tag == "letter:sent"
    for secret in (SECRET, "Overdue payment"):
        assert secret not in f"{asked_for}{sent}"


async def test_no_log_holds_the_address_or_a_word_of_it(
    workshop: OpenWorkshop, office: PostOffice, caplog: pytest.LogCaptureFixture
):
    w = await workshop(mail=mail_to(office))
    caplog.set_level("INFO")
    office.at_rcpt = f"550 {ADDRESS} is unknown"
    refused = await delivered(w, await asked(w))
    office.at_rcpt = ""
    sent = await delivered(w, await asked(w))
    assert (refused.status, sent.status) == (LetterStatus.FAILED, LetterStatus.SENT)
    ours = [r for r in caplog.records if not r.name.startswith("mail.log")]  # that is the mail server's own
    told = "".join(record.getMessage() for record in ours)
    for secret in (ADDRESS, SECRET, "Overdue payment"):
        assert secret not in told


async def test_an_error_of_the_database_repeats_neither(workshop: OpenWorkshop, database_url: str):
    w = await workshop(database_url=database_url)
    draft = await w.letters.draft(written(), by=ana)
    with pytest.raises(IntegrityError) as raised:
        async with w.store.begin() as tx:
            await tx.letters.add(draft)
    assert ADDRESS not in str(raised.value)
    assert SECRET not in str(raised.value)


@pytest.mark.parametrize(
    ("by", "error"),
    [
        pytest.param(eve, NotPermitted, id="without a right"),
        pytest.param(ben, NotPermitted, id="an approver"),
        pytest.param(boss, NotFound, id="another operator"),
    ],
)
async def test_a_draft_is_its_writers(workshop: OpenWorkshop, by: Person, error: type[Exception]):
    w = await workshop()
    draft = await w.letters.draft(written(), by=ana)
    for use in (w.letters.send, w.letters.copied):
        with pytest.raises(error):
            await use(draft.id, by=by)
    assert (await w.letters.get(draft.id)).status is LetterStatus.DRAFT


async def test_a_draft_to_nobody_is_not_sent(workshop: OpenWorkshop):
    w = await workshop()
    draft = await w.letters.draft(written(to=""), by=ana)
    with pytest.raises(Invalid):
        await w.letters.send(draft.id, by=ana)


async def test_drafts_are_forgotten_and_letters_are_not(workshop: OpenWorkshop, clock: Clock):
    w = await workshop()
    draft, copied = [await w.letters.draft(written(), by=ana) for _ in range(2)]
    await w.letters.copied(copied.id, by=ana)
    clock.passes(DRAFTS_LIVE + timedelta(seconds=1))
    await w.letters.sweep()
    assert (await w.letters.get(copied.id)).status is LetterStatus.COPIED
    with pytest.raises(NotFound):
        await w.letters.get(draft.id)


async def test_what_a_customer_was_told_is_found_oldest_first_and_of_nobody_else(
    workshop: OpenWorkshop, clock: Clock, database_url: str
):
    w = await workshop(database_url=database_url)
    other, silent = CustomerId("other"), CustomerId("silent")
    told = []
    for customer, kind in (
        (CONTOSO, LetterKind.REMIND),
        (other, LetterKind.WARN),
        (CONTOSO, LetterKind.WARN),
    ):
        draft = await w.letters.draft(written(customer_id=customer, kind=kind), by=ana)
        told.append((await w.letters.copied(draft.id, by=ana)).id)
        clock.passes(timedelta(hours=1))
    await w.letters.draft(written(customer_id=silent), by=ana)
    found = await w.letters.recorded([CONTOSO, silent])
    assert {c: [letter.id for letter in letters] for c, letters in found.items()} == {
        CONTOSO: [told[0], told[2]]
    }


async def test_the_contact_is_nobody_where_partner_center_does_not_say(workshop: OpenWorkshop):
    w = await workshop()
    held = w.far_side.customer("Contoso")
    contact = await w.letters.contact(CustomerId(held.id))
    assert contact is not None
    assert contact.email == held.contact.email
    w.far_side.faults.add(status=403, path_contains="profiles/billing", times=None)
    assert await w.letters.contact(CustomerId(held.id)) is None


async def documents(w: Workshop) -> list[str]:
    found = await w.letters.situation(a_customer())
    assert found.account.as_of == TODAY
    assert {c: owed.net for c, owed in (found.account.owed or {}).items()} == {
        c: debt.overdue for c, debt in found.facts.exposure.items()
    }, "asked for is what the policy counts"
    return [item.document_number for item in found.account.documents]


async def test_an_account_is_what_is_known_to_be_theirs_and_a_name_is_no_knowledge(workshop: OpenWorkshop):
    w = await workshop()
    await know(w, a_customer())
    await take_in(
        w,
        a_row("1", "Contoso", "contoso.onmicrosoft.com", 30, "10.00"),
        a_row("2", "Contoso", a_customer().id, 20, "5.00"),
        a_row("3", "Contoso Ltd", "", 90, "99.00"),
        a_row("4", "Other", "other.onmicrosoft.com", 90, "99.00"),
    )
    assert await documents(w) == ["1", "2"]


async def test_a_debtor_that_a_person_linked_is_asked(workshop: OpenWorkshop):
    w = await workshop()
    await know(w, a_customer())
    await take_in(w, a_row("1", "Contoso Ltd", "", 90, "99.00"))
    assert await documents(w) == []
    await w.mappings.confirm("name:contoso ltd", CONTOSO, by=ana)
    assert await documents(w) == ["1"]


async def test_debts_of_two_debtors_are_asked_of_nobody_until_a_person_says_whose_they_are(
    workshop: OpenWorkshop,
):
    w = await workshop()
    await know(w, a_customer())
    await take_in(
        w,
        a_row("1", "Contoso", "contoso.onmicrosoft.com", 30, "10.00"),
        a_row("2", "Kontor AG", a_customer().id, 20, "5.00"),
    )
    assert await documents(w) == []


async def test_a_suspension_is_proposed_once_the_warning_is_on_record_and_from_the_day_it_named(
    workshop: OpenWorkshop, clock: Clock, database_url: str
):
    packaged = policy_file.load(None)
    asks: dict[StageAction, dict[str, Any]] = {
        StageAction.WARN: {"notice_days": 7},
        StageAction.PROPOSE_SUSPEND: {"requires_stage": "warn"},
    }
    stages = tuple(replace(stage, **asks.get(stage.action, {})) for stage in packaged.stages)
    w = await workshop(database_url=database_url, policy=replace(packaged, stages=stages))
    await know(w, a_customer())

    async def proposed() -> bool:
        today = w.digests.today()
        await take_in(w, a_row("1", "Contoso", a_customer().id, 45, "500.00"), as_of=today)
        await w.digests.record(on=today)
        return (await w.digests.judge(a_customer())).standing.proposes_suspension

    assert not await proposed()
    told = (await w.letters.situation(a_customer())).deadline(LetterKind.WARN)
    assert told is not None
    assert told.day == TODAY + timedelta(days=7)
    draft = await w.letters.draft(written(), by=ana)
    assert not await proposed(), "a draft is no warning"
    await w.letters.copied(draft.id, by=ana)
    while w.digests.today() < told.day:
        assert not await proposed()
        clock.passes(timedelta(days=1))
    assert await proposed()
