"""The jobs the courier carries: name, id, arguments. Who does them is told in `bot.work`."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final
from uuid import uuid4

from bot.courier import Job
from bot.domain.drift import Drift
from bot.domain.glass import BrokenGlass
from bot.domain.letter import Letter
from bot.domain.preview import Preview
from bot.domain.request import ActionRequest, Reminder
from bot.domain.ticket import Due, Ticket

EXECUTE = "execute"
SHOW_REQUEST = "show_request"
TELL_RESULT = "tell_result"
REMIND = "remind"
SHOW_LIMIT = "show_limit"
POST_OVERDUE = "post_overdue"
REDRAW_OVERDUE = "redraw_overdue"
SAY_OVERDUE_IS_LATE = "say_overdue_is_late"
WARN_OF_DELETION = "warn_of_deletion"
REFRESH_MIRROR = "refresh_mirror"
REREAD_MIRROR = "reread_mirror"
CRAWL = "crawl"
READ_SOURCE = "read_source"
READ_RISK = "read_risk"
TELL_DRIFTS = "tell_drifts"
SHOW_DRIFT = "show_drift"
TELL_MORE_DRIFTS = "tell_more_drifts"
SEND_LETTER = "send_letter"
TELL_LETTER = "tell_letter"
POST_STAMPS = "post_stamps"
TELL_GLASS = "tell_glass"
REMIND_OF_REVIEWS = "remind_of_reviews"
TELL_AUTHENTICATOR = "tell_authenticator"
FETCH_EXPORT = "fetch_export"
READ_EXPORT = "read_export"
APPLY_EXPORT = "apply_export"
SHOW_PREVIEW = "show_preview"
POST_SUSPICIOUS = "post_suspicious"
REDRAW_SUSPICIOUS = "redraw_suspicious"
TELL_CASE = "tell_case"
TELL_MICROSOFT = "tell_microsoft"
HAND_OVER_TICKET = "hand_over_ticket"
SHOW_TICKET = "show_ticket"
NUDGE_TICKET = "nudge_ticket"
READ_TICKETS = "read_tickets"
POST_ANCHOR = "post_anchor"
PURGE_AUDIT = "purge_audit"

REPEATABLE: Final = frozenset(
    {
        *(SHOW_REQUEST, TELL_RESULT, REMIND, SHOW_LIMIT),
        *(SHOW_TICKET, NUDGE_TICKET, TELL_LETTER, SHOW_PREVIEW),
        *(SHOW_DRIFT, TELL_MORE_DRIFTS, TELL_CASE),
        *(TELL_GLASS, REMIND_OF_REVIEWS, TELL_AUTHENTICATOR),
        *(REDRAW_OVERDUE, REDRAW_SUSPICIOUS),
    }
)
"""What tells Slack something and nothing else: run again it tells what it could not, and the rest not twice."""


def execute(request: ActionRequest, *, delay: float = 0.0) -> Job:
    """Do what was approved. A new id per attempt: a worker that died must not block the next."""
    return Job(
        EXECUTE,
        id=f"exec:{request.id}:{request.attempt + 1}:{uuid4().hex[:8]}",
        args={"request_id": request.id},
        delay=delay,
        acts=True,
    )


def show_request(request: ActionRequest, *, delay: float = 0.0) -> Job:
    """Post the request's card, or redraw it as the request then stands."""
    return Job(
        SHOW_REQUEST,
        id=f"show:{request.id}:{uuid4().hex[:12]}",
        args={"request_id": request.id},
        delay=delay,
    )


def tell_result(request: ActionRequest) -> Job:
    """Tell the requester, once, what became of it."""
    return Job(
        TELL_RESULT,
        id=f"tell:{request.id}:{request.status}:{uuid4().hex[:8]}",
        args={"request_id": request.id},
    )


def remind(request: ActionRequest, reminder: Reminder, *, at: datetime) -> Job:
    """Remind the approvers of a request; whom Slack did not let us tell are told in the next ten minutes."""
    return Job(
        REMIND,
        id=f"remind:{request.id}:{reminder}:{_ten_minutes(at)}",
        args={"request_id": request.id, "reminder": reminder.value},
    )


def show_limit(day: date) -> Job:
    """Tell the approvers that the daily limit holds requests back, or show what became of it."""
    return Job(SHOW_LIMIT, id=f"limit:{day.isoformat()}:{uuid4().hex[:8]}", args={"day": day.isoformat()})


def post_overdue(day: date, *, slot: datetime | None = None, again: int = 0) -> Job:
    """Post the overdue digest of that day; of all replicas' jobs for one slot, one is kept.

    `again` tells a second attempt at the same slot from the first.
    """
    at = slot.isoformat() if slot else f"{day.isoformat()}:{uuid4().hex[:8]}"
    attempt = f":{again}" if again else ""
    return Job(POST_OVERDUE, id=f"digest:overdue:{at}{attempt}", args={"day": day.isoformat()})


def redraw_overdue(day: date) -> Job:
    """Show in the posted digest of that day what was said about a customer meanwhile."""
    return Job(
        REDRAW_OVERDUE, id=f"redraw:{day.isoformat()}:{uuid4().hex[:12]}", args={"day": day.isoformat()}
    )


def say_overdue_is_late(slot: datetime, *, attempt: int) -> Job:
    """Tell the approvals channel that the digest of that slot has not been posted."""
    return Job(
        SAY_OVERDUE_IS_LATE, id=f"late:{slot.isoformat()}:{attempt}", args={"day": slot.date().isoformat()}
    )


def warn_of_deletion(slot: datetime) -> Job:
    """Tell of the data that is going to be deleted, as things stand on the slot's day."""
    return Job(WARN_OF_DELETION, id=f"deletion:{slot.isoformat()}", args={"day": slot.date().isoformat()})


def refresh_mirror(*, slot: str) -> Job:
    """Read all customers and subscriptions again; `slot` makes several replicas' wishes one job."""
    return Job(REFRESH_MIRROR, id=f"sync:{slot}")


def reread_mirror(*, slot: str) -> Job:
    """Read again what may have changed, and a part of all by its age; `slot` as for `refresh_mirror`."""
    return Job(REREAD_MIRROR, id=f"reread:{slot}")


def crawl(*, slot: str | int | None = None, hop: int = 0, delay: float = 0.0) -> Job:
    """Take part in reading customers; `slot` makes the wishes of several one job, `hop` counts who passed it on."""
    return Job(CRAWL, id=f"crawl:{slot or uuid4().hex[:12]}:{hop}", args={"hop": hop}, delay=delay)


def read_source(source: str, *, slot: str, because: str, delay: float) -> Job:
    """Read one accounting system; `slot` makes the wishes of several, or of many events, one job."""
    return Job(
        READ_SOURCE,
        id=f"read:{source}:{slot}",
        args={"source": source, "because": because},
        delay=delay,
    )


def read_risk(customer: str | None, *, slot: str | None = None, delay: float = 0.0) -> Job:
    """Look at what Microsoft tells of one customer's risk, or of everybody's; `slot` makes several wishes one job."""
    about = customer or "all"
    return Job(
        READ_RISK,
        id=f"risk:{about}:{slot or uuid4().hex[:12]}",
        args={"customer": customer},
        delay=delay,
    )


def tell_drifts(only: Iterable[Drift] | None = None) -> Job:
    """Find out more about new drifts, then tell of them; of all of them unless told which."""
    ids = None if only is None else [drift.id for drift in only]
    return Job(TELL_DRIFTS, id=f"drifts:{uuid4().hex[:12]}", args={"only": ids})


def show_drift(drift: Drift) -> Job:
    """Post the drift's card, or redraw it as the drift now stands."""
    return Job(SHOW_DRIFT, id=f"drift:{drift.id}:{uuid4().hex[:12]}", args={"drift_id": drift.id})


def tell_more_drifts(line: str) -> Job:
    """Tell in one line of the drifts that have no card of their own."""
    return Job(TELL_MORE_DRIFTS, id=f"drifts:{line}:{uuid4().hex[:8]}", args={"line": line})


def send_letter(letter: Letter) -> Job:
    """Have a worker send it; however many jobs there are, one worker claims it."""
    return Job(
        SEND_LETTER, id=f"letter:{letter.id}:{uuid4().hex[:12]}", args={"letter_id": letter.id}, acts=True
    )


def tell_letter(letter: Letter) -> Job:
    """Tell its writer, once, what became of it."""
    return Job(
        TELL_LETTER,
        id=f"letter:{letter.id}:{letter.status}:{uuid4().hex[:8]}",
        args={"letter_id": letter.id},
    )


def tell_authenticator(person: str, what: str, *, by: str, at: datetime) -> Job:
    """Tell whose it is that it was opened, or set up."""
    told = {"person": person, "what": what, "by": by, "at": at.isoformat()}
    return Job(TELL_AUTHENTICATOR, id=f"authenticator:{person}:{what}:{uuid4().hex[:12]}", args=told)


def post_stamps(on: date) -> Job:
    """Post the report on rubber stamps of the month before; the day makes the jobs of all replicas one."""
    return Job(POST_STAMPS, id=f"stamps:{on}", args={"month": on.isoformat()})


def tell_glass(broken: BrokenGlass, *, again: int | None = None) -> Job:
    """Tell everybody that somebody broke the glass, or show what its review came to; each is told once.

    `again` makes the wishes of several sweeps one job.
    """
    state = "reviewed" if broken.reviewed else "broken"
    when = uuid4().hex[:12] if again is None else f"{state}-{again}"
    return Job(TELL_GLASS, id=f"glass:{broken.request_id}:{when}", args={"request_id": broken.request_id})


def remind_of_reviews(at: datetime) -> Job:
    """Say once a day what still waits for its review; the hour makes the jobs of all sweeps and replicas one.

    Where Slack refuses it there is another try each hour.
    """
    return Job(REMIND_OF_REVIEWS, id=f"reviews:{at:%Y-%m-%d:%H}", args={"day": at.date().isoformat()})


def fetch_export(preview: Preview, *, delay: float = 0.0) -> Job:
    """Fetch the file that was shared."""
    return _of_preview(FETCH_EXPORT, preview, delay=delay)


def read_export(preview: Preview) -> Job:
    """Read the file that was fetched and say what it would do."""
    return _of_preview(READ_EXPORT, preview)


def apply_export(preview: Preview) -> Job:
    """Write what somebody applied."""
    return _of_preview(APPLY_EXPORT, preview)


def show_preview(preview: Preview) -> Job:
    """Post the preview's card, or redraw it as things stand."""
    return _of_preview(SHOW_PREVIEW, preview)


def _of_preview(name: str, preview: Preview, *, delay: float = 0.0) -> Job:
    """A new id each time: what it does is guarded by the preview's own state."""
    return Job(
        name, id=f"{name}:{preview.id}:{uuid4().hex[:12]}", args={"preview_id": preview.id}, delay=delay
    )


def post_suspicious(day: date, *, slot: datetime | None = None, again: int = 0) -> Job:
    """Look at every source and post the digest of that day; of all replicas' jobs for one slot, one is kept."""
    when = slot.isoformat() if slot else uuid4().hex[:12]
    return Job(
        POST_SUSPICIOUS, id=f"suspicious:{day.isoformat()}:{when}:{again}", args={"day": day.isoformat()}
    )


def redraw_suspicious(day: date) -> Job:
    """Draw the day's digest again, where it was posted."""
    return Job(
        REDRAW_SUSPICIOUS,
        id=f"redraw-suspicious:{day.isoformat()}:{uuid4().hex[:12]}",
        args={"day": day.isoformat()},
    )


def tell_case(case_id: str, said: int) -> Job:
    """Tell of a case at once, each time it wakes; `said` counts the verdicts before."""
    return Job(TELL_CASE, id=f"case:{case_id}:{said}", args={"case_id": case_id, "said": said})


def tell_microsoft(case_id: str, said: int) -> Job:
    """Write what people said of Microsoft's own findings back to Microsoft."""
    return Job(TELL_MICROSOFT, id=f"tell-microsoft:{case_id}:{said}", args={"case_id": case_id})


def hand_over_ticket(ticket: Ticket) -> Job:
    """Have a worker hand it over; however many jobs there are, one worker claims it."""
    return Job(
        HAND_OVER_TICKET,
        id=f"hand-over:{ticket.id}:{uuid4().hex[:12]}",
        args={"ticket_id": ticket.id},
        acts=True,
    )


def show_ticket(ticket: Ticket) -> Job:
    """Post the ticket's card, or redraw it as the ticket now stands."""
    return Job(SHOW_TICKET, id=f"ticket:{ticket.id}:{uuid4().hex[:12]}", args={"ticket_id": ticket.id})


def nudge_ticket(ticket: Ticket, due: Due, *, at: datetime) -> Job:
    """Remind whoever has to do the next step; whom Slack did not let us tell are told in the next ten minutes."""
    return Job(
        NUDGE_TICKET,
        id=f"nudge:{ticket.id}:{due.nudge}:{due.key}:{_ten_minutes(at)}",
        args={"ticket_id": ticket.id, "nudge": due.nudge.value, "key": due.key},
    )


def read_tickets(*, slot: str) -> Job:
    """Read what Microsoft has of the open tickets by now; `slot` makes several replicas' wishes one job."""
    return Job(READ_TICKETS, id=f"read-tickets:{slot}")


def post_anchor(slot: datetime, *, again: int) -> Job:
    """Post the audit trail's anchor of the slot's day; of all replicas' jobs for one slot, one is kept."""
    return Job(POST_ANCHOR, id=f"anchor:{slot.isoformat()}:{again}", args={"day": slot.date().isoformat()})


def purge_audit(slot: datetime) -> Job:
    """Remove what is past retention in the audit trail; of all replicas' jobs for one slot, one is kept."""
    return Job(PURGE_AUDIT, id=f"purge-audit:{slot.isoformat()}")


def _ten_minutes(at: datetime) -> str:
    """Makes the jobs of all sweeps and replicas one, for so long."""
    return f"{at:%Y-%m-%dT%H}:{at.minute // 10}"
