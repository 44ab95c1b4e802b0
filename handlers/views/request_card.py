"""The card of a request: one function for every status; the buttons go when the waiting is over."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from bot.domain.action import Verb
from bot.domain.collection import Gone
from bot.domain.request import CALLED_OFF, ActionRequest, Outcome, Result, Status, Target
from bot.texts import Mrkdwn, Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block

MOST_TARGETS = 15
"""Subscriptions told of one by one; a section ends at 3,000 characters."""

_MARK = {
    Status.PENDING: "◷",
    Status.APPROVED: "✓",
    Status.EXECUTING: "…",
    Status.DONE: "✔",
    Status.FAILED: "✖",
    Status.UNKNOWN: "?",
    Status.DENIED: "✖",
    Status.EXPIRED: "◌",
    Status.WITHDRAWN: "↩",
}
_RESULT_MARK = {Result.OPEN: "…", Result.DONE: "✔", Result.FAILED: "✖", Result.UNKNOWN: "?"}
_WORST_FIRST = (Result.FAILED, Result.UNKNOWN, Result.OPEN, Result.DONE)
_AGAIN = {Verb.SUSPEND: ids.SUSPEND_AGAIN, Verb.RESUME: ids.RESUME_AGAIN}


def request_card(
    request: ActionRequest,
    texts: Texts,
    *,
    deadlines: Sequence[date | None] = (),
    breakable: bool = False,
) -> list[Block]:
    """`deadlines`: until when each subscription that is not suspended yet would have to be resumed, None for unknown.

    `breakable`: the billing policy lets somebody break the glass for it; who that is the click decides.
    """
    action = request.action
    card = [
        blocks.header(texts(f"card-title-{action.verb}")),
        blocks.section(what(request, texts)),
        blocks.fields(_summary(request, texts)),
    ]
    if request.dry_run:
        card.append(blocks.context(f"*{texts('dry-run')}* {texts('dry-run-explained')}"))
    if request.policy_note:
        card.append(blocks.context(texts.mrkdwn("card-policy", note=request.policy_note)))
    if lines := _will_be_deleted(deadlines, texts):
        card.append(blocks.section("\n".join(lines)))
    card.append(blocks.section("\n".join(progress(request, texts))))
    if len(request.targets) > 1:
        card.append(blocks.section("\n".join(_each(request, texts))))
    if buttons := _buttons(request, texts, breakable=breakable):
        card.append(blocks.actions(*buttons, block_id=f"request:{request.id}"))
    return card


def headline(request: ActionRequest, texts: Texts) -> str:
    """One line of plain words: the notification, the list, what a screen reader says."""
    line = texts(
        "card-headline",
        status=texts(_status(request)),
        what=texts(f"verb-{request.action.verb}"),
        subscription=_subject(request, texts, limit=60),
        customer=blocks.shortened(blocks.harmless(request.action.customer_name), 60),
        id=request.id,
    )
    return f"{texts('dry-run')} {line}" if request.dry_run else line


def _status(request: ActionRequest) -> str:
    """The key of the word for where it stands; who paid is told apart from what somebody took back."""
    if request.gone is None or request.status is not Status.WITHDRAWN:
        return f"status-{request.status}"
    return "status-paid" if request.gone is Gone.PAID else "status-called-off"


def _subject(request: ActionRequest, texts: Texts, *, limit: int) -> str:
    """What it is about, in plain words: the one subscription by its name, several by their number."""
    if len(request.targets) > 1:
        return texts.count("subscriptions", len(request.targets))
    (only,) = request.targets
    return f"{blocks.shortened(blocks.harmless(only.name), limit)}{_times(only, texts)}"


def _times(target: Target, texts: Texts) -> str:
    """How many seats or units, where that is known: a slip is easier seen by that than by a name."""
    return f" × {texts.number(target.quantity)}" if target.quantity is not None else ""


def what(request: ActionRequest, texts: Texts) -> Mrkdwn:
    key, customer = f"card-what-{request.action.verb}", blocks.name(request.action.customer_name)
    if len(request.targets) > 1:
        return texts.mrkdwn(key, subscription=_subject(request, texts, limit=60), customer=customer)
    (only,) = request.targets
    named = Mrkdwn(f"{blocks.name(only.name)}{_times(only, texts)}")
    return texts.mrkdwn(key, subscription=named, customer=customer)


def progress(request: ActionRequest, texts: Texts) -> list[str]:
    """What happened so far, line by line, and what happens next."""
    lines = [f"{_MARK[request.status]} *{texts(_status(request))}*"]
    for decision in request.approvals:
        lines.append(
            texts.mrkdwn("card-approved-by", by=blocks.person(decision.by), at=blocks.moment(decision.at))
        )
    if broken := request.broken_glass:
        lines.append(
            texts.mrkdwn(
                "glass-card",
                by=blocks.person(broken.by),
                at=blocks.moment(broken.at),
                why=blocks.name(broken.why, 500),
            )
        )
    match request.status:
        case Status.PENDING:
            missing = request.approvals_needed - len(request.approvals)
            lines.append(texts.count("card-waits", missing))
            lines.append(texts.mrkdwn("card-expires", at=blocks.moment(request.expires_at)))
        case Status.APPROVED if request.acts_at:
            if request.over_daily_limit:
                lines.append(texts("card-waits-daily-limit"))
            if request.outside_hours:
                lines.append(texts("card-waits-hours"))
            lines.append(
                texts.mrkdwn(
                    "card-acts-at", at=blocks.moment(request.acts_at, seconds=bool(request.acts_at.second))
                )
            )
        case Status.EXECUTING:
            lines.append(texts("card-executing" if request.attempt <= 1 else "card-executing-again"))
            if len(request.targets) > 1:
                lines.append(_counted(request, texts))
            elif request.targets[0].was_accepted:
                lines.append(texts("card-accepted"))
        case Status.DENIED if request.denial:
            lines.append(
                texts.mrkdwn(
                    "card-denied-by",
                    by=blocks.person(request.denial.by),
                    at=blocks.moment(request.denial.at),
                    why=blocks.name(request.denial.why, 500),
                )
            )
        case Status.EXPIRED:
            lines.append(texts.mrkdwn("card-expired", at=blocks.moment(request.expires_at)))
        case Status.WITHDRAWN if request.gone and request.closed_at:
            lines.append(texts.mrkdwn(f"card-gone-{request.gone}", at=blocks.moment(request.closed_at)))
        case Status.WITHDRAWN if request.closed_by and request.closed_at:
            lines.append(
                texts.mrkdwn(
                    "card-withdrawn-by",
                    by=blocks.person(request.closed_by),
                    at=blocks.moment(request.closed_at),
                )
            )
        case Status.DONE | Status.FAILED | Status.UNKNOWN if request.closed_at:
            lines[0] += f" · {texts.mrkdwn('card-ended-at', at=blocks.moment(request.closed_at))}"
            if len(request.targets) > 1:
                lines.append(_counted(request, texts))
                lines += _clock(request, texts)
            elif came := request.targets[0].outcome:
                lines.append(outcome(request, request.targets[0], came, texts))
                lines += _clock(request, texts)
    if request.must_be_confirmed_again:
        lines.append(texts("card-confirm-again"))
    return lines


def _counted(request: ActionRequest, texts: Texts) -> str:
    """How far it has come, in numbers."""
    n = {result: sum(t.result is result for t in request.targets) for result in Result}
    said = [texts("card-counted-done", n=texts.number(n[Result.DONE]), of=texts.number(len(request.targets)))]
    said += [
        texts(f"card-counted-{result}", n=texts.number(n[result]))
        for result in (Result.FAILED, Result.UNKNOWN)
        if n[result]
    ]
    return texts.listed(said)


def _each(request: ActionRequest, texts: Texts) -> list[str]:
    """A line a subscription, what needs somebody first."""
    shown = sorted(request.targets, key=lambda t: _WORST_FIRST.index(t.result))
    begun = request.attempt > 0 or request.round > 0
    lines = []
    for target in shown[:MOST_TARGETS]:
        mark = _RESULT_MARK[target.result] if begun else "•"
        line = f"{mark} {blocks.name(target.name, 60)}{_times(target, texts)}"
        if target.outcome and target.result in (Result.FAILED, Result.UNKNOWN):
            line += f": {blocks.escaped(_why(target.outcome, texts))}"
        lines.append(line)
    more = len(shown) - MOST_TARGETS
    return [*lines, texts.count("requests-more", more)] if more > 0 else lines


def _clock(request: ActionRequest, texts: Texts) -> list[str]:
    """What was suspended lives so long; for several, until the first of them dies."""
    suspended = [t.outcome for t in request.targets if t.result is Result.DONE and t.outcome]
    if request.action.verb is not Verb.SUSPEND or request.dry_run or not suspended:
        return []
    known = [outcome.deletes_on for outcome in suspended if outcome.deletes_on]
    lines: list[str] = (
        [texts.mrkdwn("card-deletes", day=Mrkdwn(f"*{texts.day(min(known))}*"))] if known else []
    )
    if len(known) < len(suspended):
        lines.append(texts("card-deletes-unknown"))
    return lines


def _will_be_deleted(deadlines: Sequence[date | None], texts: Texts) -> list[str]:
    """What whoever approves has to know: what a suspension destroys in the end."""
    known = [day for day in deadlines if day]
    lines: list[str] = []
    if known:
        key = "card-would-delete" if len(deadlines) == 1 else "card-would-delete-first"
        lines.append(texts.mrkdwn(key, day=Mrkdwn(f"*{texts.day(min(known))}*")))
    if unknown := len(deadlines) - len(known):
        alone = len(deadlines) == 1
        lines.append(
            texts("card-would-delete-unknown") if alone else texts.count("effect-deleted-unknown-of", unknown)
        )
    return lines


def outcome(request: ActionRequest, target: Target, came: Outcome, texts: Texts) -> str:
    """What came of it, in words; for a failure with the ids Microsoft's support asks for."""
    verb = request.action.verb
    if target.result is Result.DONE:
        if came.dry_run:
            return texts(f"outcome-dry-run-{verb}")
        if not came.confirmed:
            return texts(f"outcome-accepted-{verb}")
        return texts(f"outcome-{verb}" if came.changed else f"outcome-already-{verb}")
    key = "outcome-unknown" if target.result is Result.UNKNOWN else "outcome-failed"
    if target.was_accepted:
        key = "outcome-not-shown"
    said = texts(key, why=_why(came, texts))
    of_microsoft = (came.reason, came.correlation_id) if came.error != CALLED_OFF else ()
    trail = " · ".join(part for part in of_microsoft if part)
    return f"{said}\n{texts.mrkdwn('outcome-trail', trail=trail)}" if trail else said


def _why(came: Outcome, texts: Texts) -> str:
    """The specific words where there are some: for the reason, else for the kind of error."""
    for key in (f"outcome-error-{came.error}-{came.reason}", f"outcome-error-{came.error}"):
        if texts.has(key):
            return texts(key)
    return texts("outcome-error")


def _summary(request: ActionRequest, texts: Texts) -> list[tuple[str, str]]:
    rows = [
        (texts("card-requested-by"), blocks.person(request.requested_by)),
        (texts("card-requested-at"), blocks.moment(request.placed_at)),
        (texts("form-reason"), texts(f"reason-{request.action.reason}")),
        (texts("card-request"), f"`{request.id}`"),
        # Names are not unique.
        (texts("card-tenant"), f"`{blocks.escaped(request.action.customer_id)}`"),
    ]
    if request.not_before and request.status.is_open:
        rows.append((texts("card-not-before"), blocks.moment(request.not_before)))
    if request.action.note:
        rows.append((texts("form-note"), blocks.name(request.action.note, 500)))
    return rows


def _buttons(request: ActionRequest, texts: Texts, *, breakable: bool) -> list[Block]:
    """What can be done now, and by whom the click decides; none once it is over for good."""
    match request.status:
        case Status.PENDING:
            return [*_decide(request, texts), *([_glass(request, texts)] if breakable else [])]
        case Status.APPROVED:
            return [_button(ids.CANCEL, "cancel", "cancel-label", request, texts, style="danger")]
        case Status.UNKNOWN:
            return [
                _button(ids.LOOK_AGAIN, "look-again", "look-again-label", request, texts, style="primary"),
                _ticket(request, texts),
            ]
        case Status.FAILED:
            made = []
            if request.must_be_confirmed_again and request.action.verb in _AGAIN:
                again = _AGAIN[request.action.verb]
                made.append(
                    _button(again, "confirm-again", "confirm-again-label", request, texts, style="primary")
                )
            if request.may_be_retried and len(request.targets) > 1:
                made.append(_button(ids.RETRY, "retry", "retry-label", request, texts))
            if request.may_be_retried:  # Microsoft said no; what had changed before was never asked of it
                made.append(_ticket(request, texts))
            return made
        case Status.DONE if any(target.was_accepted for target in request.targets):
            return [_ticket(request, texts)]
        case _:
            return []


def _glass(request: ActionRequest, texts: Texts) -> Block:
    about = blocks.harmless(request.action.customer_name)
    return blocks.button(
        texts("glass-button"), ids.BREAK_GLASS, request.id, label=texts("glass-label", about=about)
    )


def _ticket(request: ActionRequest, texts: Texts) -> Block:
    said = texts("open-ticket-label", customer=blocks.harmless(request.action.customer_name))
    return blocks.button(texts("open-ticket"), ids.OPEN_TICKET, request.id, label=said)


def _button(
    action_id: str, key: str, label: str, request: ActionRequest, texts: Texts, *, style: str | None = None
) -> Block:
    said = texts(label, about=request.action.customer_name)
    return blocks.button(texts(key), action_id, request.id, style=style, label=said)


def _decide(request: ActionRequest, texts: Texts) -> list[Block]:
    about = f"{request.action.customer_name}: {_subject(request, texts, limit=60)}"
    return [
        blocks.button(
            texts("approve"),
            ids.APPROVE,
            request.id,
            style="primary",
            label=texts("approve-label", about=about),
            confirm=blocks.confirm_dialog(
                texts("approve-title"),
                texts(
                    f"approve-confirm-{request.action.verb}",
                    subscription=_subject(request, texts, limit=80),
                    customer=blocks.shortened(blocks.harmless(request.action.customer_name), 80),
                ),
                texts("approve"),
                texts("cancel"),
            ),
        ),
        blocks.button(
            texts("deny"), ids.DENY, request.id, style="danger", label=texts("deny-label", about=about)
        ),
        blocks.button(
            texts("withdraw"), ids.WITHDRAW, request.id, label=texts("withdraw-label", about=about)
        ),
    ]
