"""Who does which of the jobs that the courier carries."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from bot.core import Core
from bot.courier import Courier, Handler
from bot.services import Backstop, jobs
from handlers import authenticator, glass, stamps
from handlers.anchor import post_anchor
from handlers.desk import Desk
from handlers.digests import post_overdue, redraw_overdue, say_overdue_is_late
from handlers.drift import show_drift, tell_more_drifts
from handlers.intake import fetch_export, show_preview
from handlers.letters import tell_letter
from handlers.notices import Notices
from handlers.suspicious import post_suspicious, redraw_suspicious, tell_case
from handlers.ticket_card import nudge_ticket, show_ticket

FRESH_ENOUGH = timedelta(minutes=10)
"""What was read so short a time before the digest is not read again for it."""
DIGEST_WAITS = timedelta(minutes=2)
FRESH_FOR_ACTING = timedelta(minutes=1)
ACTING_WAITS = timedelta(minutes=1)


def work_of(made: Core, desk: Desk) -> dict[str, Handler]:
    """By the name of the job."""
    backstop, notices = made.backstop, Notices(desk)
    return {
        jobs.EXECUTE: partial(_read_and_execute, backstop),
        jobs.SHOW_REQUEST: notices.show_request,
        jobs.TELL_RESULT: notices.tell_result,
        jobs.REMIND: notices.remind,
        jobs.SHOW_LIMIT: notices.show_limit,
        jobs.WARN_OF_DELETION: notices.warn_of_deletion,
        jobs.REDRAW_OVERDUE: partial(redraw_overdue, desk),
        jobs.SAY_OVERDUE_IS_LATE: partial(say_overdue_is_late, desk),
        jobs.POST_OVERDUE: partial(_read_and_post_overdue, desk),
        jobs.POST_SUSPICIOUS: partial(_look_and_post_suspicious, desk),
        jobs.REDRAW_SUSPICIOUS: partial(redraw_suspicious, desk),
        jobs.TELL_CASE: partial(tell_case, desk),
        jobs.TELL_MICROSOFT: backstop.write_back.tell,
        jobs.READ_SOURCE: backstop.sources.work,
        jobs.REFRESH_MIRROR: backstop.customers.refresh_if_old,
        jobs.REREAD_MIRROR: backstop.customers.look,
        jobs.CRAWL: backstop.customers.lend_a_hand,
        jobs.READ_RISK: partial(_read_risk, backstop, made.courier),
        jobs.TELL_DRIFTS: backstop.drifts.tell,
        jobs.SHOW_DRIFT: partial(show_drift, desk),
        jobs.TELL_MORE_DRIFTS: partial(tell_more_drifts, desk),
        jobs.SEND_LETTER: backstop.letters.deliver,
        jobs.POST_STAMPS: partial(stamps.post, desk),
        jobs.TELL_AUTHENTICATOR: partial(authenticator.tell, desk),
        jobs.TELL_GLASS: partial(glass.tell, desk),
        jobs.REMIND_OF_REVIEWS: partial(glass.remind, desk),
        jobs.TELL_LETTER: partial(tell_letter, desk),
        jobs.FETCH_EXPORT: partial(fetch_export, desk),
        jobs.READ_EXPORT: backstop.previews.read,
        jobs.APPLY_EXPORT: backstop.previews.carry_out,
        jobs.SHOW_PREVIEW: partial(show_preview, desk),
        jobs.HAND_OVER_TICKET: backstop.support.hand_over,
        jobs.SHOW_TICKET: partial(show_ticket, desk),
        jobs.NUDGE_TICKET: partial(nudge_ticket, desk),
        jobs.READ_TICKETS: backstop.support.read,
        jobs.POST_ANCHOR: partial(post_anchor, desk),
        jobs.PURGE_AUDIT: backstop.audit.purge,
    }


async def _read_and_execute(backstop: Backstop, request_id: str) -> None:
    """Whoever is to be cut off for non-payment may have paid since the accounting systems were last read."""
    if backstop.sources.names and (await backstop.requests.get(request_id)).action.is_for_debt:
        await backstop.sources.freshen(older_than=FRESH_FOR_ACTING, patience=ACTING_WAITS)
    await backstop.execution.run(request_id)


async def _read_and_post_overdue(desk: Desk, day: str) -> None:
    """The digest shows what the accounting systems say now; one that does not answer delays it no longer."""
    await desk.backstop.sources.freshen(older_than=FRESH_ENOUGH, patience=DIGEST_WAITS)
    await post_overdue(desk, day)


async def _look_and_post_suspicious(desk: Desk, day: str) -> None:
    """The digest shows what every source says now; one that does not answer is said to be missing.

    Whoever reads them already posts it as well; should they die, it is tried again by the clock.
    """
    if await desk.backstop.watch.read():
        await post_suspicious(desk, day)


async def _read_risk(backstop: Backstop, courier: Courier, customer: str | None) -> None:
    """Between two digests: what Microsoft found, and the customer that an event is about."""
    if customer:
        await backstop.watch.read_customer(customer)
    await backstop.watch.alerts()
    for case in await backstop.cases.record():
        await courier.post(jobs.tell_case(case.id, len(case.earlier)))
