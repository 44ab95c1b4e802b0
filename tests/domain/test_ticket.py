"""A ticket: opened by one, approved by others, handed over once, and closed only with the customer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.calendar import MONDAY_TO_FRIDAY
from bot.domain.customer import Cloud, SubscriptionId
from bot.domain.errors import (
    AlreadyApproved,
    BackstopError,
    Invalid,
    NotPermitted,
    OwnRequest,
    RequestExpired,
    TicketSettled,
)
from bot.domain.matter import (
    MOST_DESCRIPTION,
    About,
    Check,
    TicketKind,
    TicketSeverity,
    first_response,
    shown,
)
from bot.domain.ticket import (
    Due,
    HandOver,
    Nudge,
    Stage,
    Ticket,
    TicketStatus,
    VendorNote,
    VendorState,
    Way,
    way_for,
)
from tests.builders import DAY, HOUR, a_draft_ticket, a_matter, a_ticket, ana, ben, boss, eve, mei, noon

MAIL = HandOver(Way.EMAIL, "support@21vianet.example")
AZURE = HandOver(Way.AZURE)


def due_mail() -> Ticket:
    return a_ticket(hand_over=MAIL)


def claimed(hand_over: HandOver = MAIL) -> Ticket:
    return a_ticket(hand_over=hand_over).claim(holder="w-0", at=noon)


STEPS = {
    "confirm": lambda t: t.confirm(by=ana, at=noon, approvals_needed=0, time_to_live=DAY),
    "approve": lambda t: t.approve(by=ben, at=noon),
    "deny": lambda t: t.deny(by=ben, at=noon, why="no"),
    "withdraw": lambda t: t.withdraw(by=ana, at=noon),
    "file": lambda t: t.file("42", by=ana.id, at=noon),
    "answered": lambda t: t.answered(by=ana, at=noon),
    "resolve": lambda t: t.resolve(by=ana, at=noon, how=""),
    "close": lambda t: t.close(by=ana, at=noon, language="de", text_hash="1" * 64),
}
ALLOWED = {
    TicketStatus.DRAFT: {"confirm"},
    TicketStatus.PENDING: {"approve", "deny", "withdraw"},
    TicketStatus.OPEN: {"withdraw", "file"},
    TicketStatus.FILED: {"file", "answered", "resolve"},
    TicketStatus.RESOLVED: {"close"},
    TicketStatus.CLOSED: set(),
    TicketStatus.DENIED: set(),
    TicketStatus.EXPIRED: set(),
    TicketStatus.WITHDRAWN: set(),
}


@pytest.mark.parametrize("status", TicketStatus)
@pytest.mark.parametrize("step", STEPS)
def test_every_step_only_where_it_belongs(status: TicketStatus, step: str):
    ticket = a_ticket(status)
    assert ticket.status is status
    if step in ALLOWED[status]:
        assert STEPS[step](ticket).status is not TicketStatus.DRAFT
    else:
        with pytest.raises(TicketSettled) as refusal:
            STEPS[step](ticket)
        assert refusal.value.why == status


def test_the_loop_needs_its_three_steps():
    filed = a_ticket().file(" #2611230040001234 ", by=ana.id, at=noon)
    closed = filed.resolve(by=ana, at=noon + HOUR, how="Mended").close(
        by=boss, at=noon + DAY, language="zh-CN", text_hash="2" * 64
    )
    assert (filed.number, closed.status, closed.open_key) == ("2611230040001234", TicketStatus.CLOSED, None)
    assert (closed.filed_by, closed.resolved_by, closed.informed_by) == (ana.id, ana.id, boss.id)


@pytest.mark.parametrize(
    ("step", "by", "refusal"),
    [
        pytest.param("approve", ana, NotPermitted, id="approve without the right"),
        pytest.param("deny", eve, NotPermitted, id="deny without any right"),
        pytest.param("withdraw", ben, NotPermitted, id="withdraw what is another's"),
    ],
)
def test_nobody_decides_who_may_not(step: str, by, refusal: type[BackstopError]):
    steps = {
        "approve": lambda t: t.approve(by=by, at=noon),
        "deny": lambda t: t.deny(by=by, at=noon, why=""),
        "withdraw": lambda t: t.withdraw(by=by, at=noon),
    }
    with pytest.raises(refusal):
        steps[step](a_ticket(TicketStatus.PENDING))


def test_the_opener_does_not_approve_even_as_an_approver():
    waiting = a_draft_ticket(by=boss).confirm(by=boss, at=noon, approvals_needed=1, time_to_live=DAY)
    with pytest.raises(OwnRequest):
        waiting.approve(by=boss, at=noon)


def test_two_approvals_are_two_people_and_start_the_hand_over():
    waiting = a_draft_ticket(hand_over=MAIL).confirm(by=ana, at=noon, approvals_needed=2, time_to_live=DAY)
    once = waiting.approve(by=ben, at=noon)
    assert (once.status, once.hand_over.stage) == (TicketStatus.PENDING, None)
    with pytest.raises(AlreadyApproved):
        once.approve(by=ben, at=noon)
    twice = once.approve(by=mei, at=noon + HOUR)
    assert (twice.status, twice.hand_over.stage, twice.opened_at) == (
        TicketStatus.OPEN,
        Stage.DUE,
        noon + HOUR,
    )


def test_an_approval_too_late_is_refused():
    with pytest.raises(RequestExpired):
        a_ticket(TicketStatus.PENDING).approve(by=ben, at=noon + DAY)


def test_a_dry_run_hands_nothing_over():
    ticket = a_draft_ticket(hand_over=MAIL).confirm(
        by=ana, at=noon, approvals_needed=0, time_to_live=DAY, dry_run=True
    )
    assert (ticket.dry_run, ticket.hand_over.stage) == (True, None)


def test_a_mail_is_claimed_once_and_what_is_lost_is_a_persons_to_say():
    taken = claimed()
    for again in (taken, a_ticket()):  # the second is filed by hand
        with pytest.raises(TicketSettled):
            again.claim(holder="w-1", at=noon)
    lost = taken.lost_sight_of("unavailable", "interrupted")
    with pytest.raises(TicketSettled):
        lost.hand_over_again(by=ana, at=noon)
    assert lost.decide_hand_over(was_sent=True, by=ana, at=noon).hand_over.stage is Stage.DONE
    not_sent = lost.decide_hand_over(was_sent=False, by=ana, at=noon)
    again = not_sent.hand_over_again(by=ana, at=noon + HOUR)
    assert (again.hand_over.stage, again.hand_over.attempt) == (Stage.DUE, 1)
    with pytest.raises(TicketSettled):
        taken.due_again()  # a mail is never handed out again by itself


def test_what_azure_was_told_may_be_told_again():
    assert claimed(AZURE).due_again().hand_over.stage is Stage.DUE


@pytest.mark.parametrize(
    ("ticket", "may"),
    [
        pytest.param(a_ticket(), True, id="to be filed by hand"),
        pytest.param(due_mail(), False, id="a mail about to go"),
        pytest.param(claimed(), False, id="a mail on its way"),
        pytest.param(claimed().not_handed_over("rejected", "550"), True, id="a mail that was refused"),
        pytest.param(claimed().handed_over(at=noon), False, id="a mail that was sent"),
    ],
)
def test_is_withdrawn_only_while_nothing_went_out(ticket: Ticket, may: bool):
    if may:
        assert ticket.withdraw(by=ana, at=noon).status is TicketStatus.WITHDRAWN
    else:
        with pytest.raises(TicketSettled):
            ticket.withdraw(by=ana, at=noon)


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        pytest.param("  ", "missing", id="nothing"),
        pytest.param("<!channel>", "no-ticket-number", id="a mention"),
        pytest.param("none yet", "no-ticket-number", id="words"),
        pytest.param("4" * 41, "no-ticket-number", id="endless"),
    ],
)
def test_what_is_no_number_is_refused(number: str, reason: str):
    with pytest.raises(Invalid) as refusal:
        a_ticket().file(number, by=ana.id, at=noon)
    assert (refusal.value.at, refusal.value.reason) == ("number", reason)


def test_a_mistyped_number_is_put_right_and_what_was_read_of_it_forgotten():
    state = VendorState("1", "open", (VendorNote("We look", "Li", noon),))
    wrong = a_ticket().file("1", by=ana.id, at=noon).heard(state, at=noon)
    assert wrong.answered_at == noon
    right = wrong.file("2", by=ana.id, at=noon + DAY)
    assert (right.vendor, right.answered_at, right.filed_at) == (None, None, noon)


@pytest.mark.parametrize(
    ("severity", "hours"),
    [(TicketSeverity.CRITICAL, 2), (TicketSeverity.MODERATE, 4), (TicketSeverity.MINIMAL, 8)],
)
def test_microsofts_first_response(severity: TicketSeverity, hours: int):
    assert first_response(severity, Cloud.GLOBAL) == timedelta(hours=hours)
    assert first_response(severity, Cloud.CHINA) is None
    filed = a_ticket(TicketStatus.FILED, matter=a_matter(severity=severity))
    assert filed.response_due(Cloud.GLOBAL) == noon + timedelta(hours=hours)
    assert filed.answered(by=ana, at=noon).response_due(Cloud.GLOBAL) is None


MONDAY, SATURDAY = noon, datetime(2026, 11, 28, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ticket", "at", "cloud", "due"),
    [
        pytest.param(a_ticket(), MONDAY + HOUR, Cloud.GLOBAL, None, id="just opened"),
        pytest.param(
            a_ticket(), MONDAY + 4 * HOUR, Cloud.GLOBAL, Nudge.FILE, id="not filed after four hours"
        ),
        pytest.param(a_ticket(), SATURDAY, Cloud.GLOBAL, None, id="not on a Saturday"),
        pytest.param(
            a_ticket(TicketStatus.PENDING), MONDAY + 12 * HOUR, Cloud.GLOBAL, Nudge.DECIDE, id="undecided"
        ),
        pytest.param(a_ticket(TicketStatus.FILED), MONDAY + 3 * HOUR, Cloud.GLOBAL, None, id="just filed"),
        pytest.param(
            a_ticket(TicketStatus.FILED),
            MONDAY + 5 * HOUR,
            Cloud.GLOBAL,
            Nudge.ANSWER,
            id="no answer in time",
        ),
        pytest.param(
            a_ticket(TicketStatus.FILED), MONDAY + 5 * HOUR, Cloud.CHINA, None, id="no time published there"
        ),
        pytest.param(
            a_ticket(TicketStatus.FILED), MONDAY + 3 * DAY, Cloud.CHINA, Nudge.FOLLOW, id="no news for days"
        ),
        pytest.param(
            a_ticket(TicketStatus.FILED), MONDAY + 4 * DAY, Cloud.CHINA, None, id="not every day, though"
        ),
        pytest.param(a_ticket(TicketStatus.RESOLVED), MONDAY + HOUR, Cloud.CHINA, None, id="just resolved"),
        pytest.param(
            a_ticket(TicketStatus.RESOLVED), MONDAY + DAY, Cloud.CHINA, Nudge.INFORM, id="customer not told"
        ),
        pytest.param(a_ticket(TicketStatus.CLOSED), MONDAY + 9 * DAY, Cloud.GLOBAL, None, id="closed"),
    ],
)
def test_people_are_reminded(ticket: Ticket, at: datetime, cloud: Cloud, due: Nudge | None):
    found = ticket.due(at=at, zone=UTC, calendar=MONDAY_TO_FRIDAY, cloud=cloud)
    assert (found.nudge if found else None) is due


def test_a_reminder_is_one_a_day():
    at = MONDAY + 5 * HOUR
    first = a_ticket().due(at=at, zone=UTC, calendar=MONDAY_TO_FRIDAY, cloud=Cloud.CHINA)
    assert first == Due(Nudge.FILE, "2026-11-23")
    assert a_ticket().due(at=at + HOUR, zone=UTC, calendar=MONDAY_TO_FRIDAY, cloud=Cloud.CHINA) == first


def test_one_open_ticket_has_one_key_by_customer_and_kind():
    ticket = a_ticket()
    assert ticket.open_key == f"{ticket.about.customer_id}|service"
    assert a_ticket(TicketStatus.DRAFT).open_key is None
    ours = a_draft_ticket(matter=a_matter(kind=TicketKind.PARTNER_CENTER), what=About())
    opened = ours.confirm(by=ana, at=noon, approvals_needed=0, time_to_live=DAY)
    assert opened.open_key == "partner|partner_center"


def test_only_a_problem_of_ours_is_about_no_customer():
    with pytest.raises(Invalid) as refusal:
        a_draft_ticket(what=About())
    assert refusal.value.at == "customer"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        pytest.param("a\r\nb\rc", "a\nb\nc", id="line ends"),
        pytest.param("nul\x00 esc\x1b del\x7f", "nul\u2400 esc\u241b del\u2421", id="control characters"),
        pytest.param("c1\x85x", "c1\ufffdx", id="controls without a picture"),
        pytest.param("half \ud800 pair", "half \ufffd pair", id="half a surrogate pair"),
        pytest.param("*b* <!channel> שלום \u200f", "*b* <!channel> שלום \u200f", id="marks and directions"),
    ],
)
def test_what_was_typed_is_kept_and_not_obeyed(typed: str, kept: str):
    assert shown(typed) == kept


def test_a_long_description_is_kept_whole():
    long = "שלום *x* <!channel> 漢字\n" * 1000
    matter = a_matter(description=long).checked_over()
    assert matter.description == long.strip("\n")
    with pytest.raises(Invalid) as refusal:
        a_matter(description="x" * (MOST_DESCRIPTION + 1)).checked_over()
    assert (refusal.value.at, refusal.value.reason) == ("description", "too-long")


def test_a_message_that_came_along_may_stand_for_the_description():
    assert a_matter(description="", quoted="It burns").checked_over().quoted == "It burns"
    with pytest.raises(Invalid):
        a_matter(description=" ").checked_over()


def test_only_services_have_something_to_check_before():
    assert a_matter(checked=(Check.HEALTH,)).left_unchecked == (Check.SELF_HELP,)
    assert a_matter(kind=TicketKind.FRAUD).left_unchecked == ()


@pytest.mark.parametrize(
    ("chosen", "cloud", "is_azure", "way"),
    [
        pytest.param((("*", Way.EMAIL),), Cloud.CHINA, False, Way.EMAIL, id="for all"),
        pytest.param((("*", Way.PORTAL), ("fraud", Way.EMAIL)), Cloud.CHINA, False, Way.EMAIL, id="for it"),
        pytest.param((("*", Way.EMAIL), ("service", Way.PORTAL)), Cloud.CHINA, False, Way.EMAIL, id="others"),
        pytest.param((("*", Way.AZURE),), Cloud.GLOBAL, True, Way.AZURE, id="of Azure"),
        pytest.param((("*", Way.AZURE),), Cloud.GLOBAL, False, Way.PORTAL, id="not of Azure"),
        pytest.param((("*", Way.AZURE),), Cloud.CHINA, True, Way.PORTAL, id="not on 21Vianet"),
        pytest.param((), Cloud.GLOBAL, False, Way.PORTAL, id="nothing said"),
    ],
)
def test_the_way_is_the_settings(chosen, cloud: Cloud, is_azure: bool, way: Way):
    what = About(azure_id=SubscriptionId("a") if is_azure else None)
    assert way_for(TicketKind.FRAUD, what, chosen, cloud) is way


def test_what_is_heard_twice_is_news_once():
    state = VendorState("42", "attention_needed")
    heard = a_ticket(TicketStatus.FILED).heard(state, at=noon + HOUR)
    assert heard.heard(state, at=noon + DAY).answered_at == noon + HOUR
    assert replace(heard, vendor_read_at=None) != a_ticket(TicketStatus.FILED)
