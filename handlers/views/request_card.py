"""The card of a request: one function for every status; the buttons go when the waiting is over."""

from __future__ import annotations

from bot.domain.request import ActionRequest, Outcome, Status
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block

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


def request_card(request: ActionRequest, texts: Texts) -> list[Block]:
    action = request.action
    card = [
        blocks.header(texts(f"card-title-{action.verb}")),
        blocks.section(
            texts.mrkdwn(
                f"card-what-{action.verb}",
                subscription=blocks.name(action.subscription_name),
                customer=blocks.name(action.customer_name),
            )
        ),
        blocks.fields(_summary(request, texts)),
    ]
    if request.dry_run:
        card.append(blocks.context(f"*{texts('dry-run')}* {texts('dry-run-explained')}"))
    if request.policy_note:
        card.append(blocks.context(texts.mrkdwn("card-policy", note=request.policy_note)))
    card.append(blocks.section("\n".join(progress(request, texts))))
    if request.status is Status.PENDING:
        card.append(_decide(request, texts))
    elif request.status is Status.APPROVED:
        card.append(blocks.actions(_cancel(request, texts), block_id=f"request:{request.id}"))
    elif request.status is Status.UNKNOWN:
        card.append(blocks.actions(_look_again(request, texts), block_id=f"request:{request.id}"))
    return card


def headline(request: ActionRequest, texts: Texts) -> str:
    """One line of plain words: the notification, the list, what a screen reader says."""
    action = request.action
    return texts(
        "card-headline",
        status=texts(f"status-{request.status}"),
        what=texts(f"verb-{action.verb}"),
        subscription=blocks.shortened(blocks.harmless(action.subscription_name), 60),
        customer=blocks.shortened(blocks.harmless(action.customer_name), 60),
        id=request.id,
    )


def progress(request: ActionRequest, texts: Texts) -> list[str]:
    """What happened so far, line by line, and what happens next."""
    lines = [f"{_MARK[request.status]} *{texts(f'status-{request.status}')}*"]
    for decision in request.approvals:
        lines.append(
            texts.mrkdwn("card-approved-by", by=blocks.person(decision.by), at=blocks.moment(decision.at))
        )
    match request.status:
        case Status.PENDING:
            missing = request.approvals_needed - len(request.approvals)
            lines.append(texts.count("card-waits", missing))
            lines.append(texts.mrkdwn("card-expires", at=blocks.moment(request.expires_at)))
        case Status.APPROVED if request.acts_at:
            if request.over_daily_limit:
                lines.append(texts("card-waits-daily-limit"))
            lines.append(texts.mrkdwn("card-acts-at", at=blocks.moment(request.acts_at)))
        case Status.EXECUTING:
            lines.append(texts("card-executing" if request.attempt <= 1 else "card-executing-again"))
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
        case Status.WITHDRAWN if request.closed_by and request.closed_at:
            lines.append(
                texts.mrkdwn(
                    "card-withdrawn-by",
                    by=blocks.person(request.closed_by),
                    at=blocks.moment(request.closed_at),
                )
            )
        case Status.DONE | Status.FAILED | Status.UNKNOWN if request.outcome and request.closed_at:
            lines[0] += f" · {texts.mrkdwn('card-ended-at', at=blocks.moment(request.closed_at))}"
            lines.append(outcome(request, request.outcome, texts))
    return lines


def outcome(request: ActionRequest, came: Outcome, texts: Texts) -> str:
    """What came of it, in words; for a failure with the ids Microsoft's support asks for."""
    verb = request.action.verb
    if request.status is Status.DONE:
        if came.dry_run:
            return texts(f"outcome-dry-run-{verb}")
        if not came.confirmed:
            return texts(f"outcome-accepted-{verb}")
        return texts(f"outcome-{verb}" if came.changed else f"outcome-already-{verb}")
    key = f"outcome-error-{came.error}"
    why = texts(key if texts.has(key) else "outcome-error")
    said = texts("outcome-unknown" if request.status is Status.UNKNOWN else "outcome-failed", why=why)
    trail = " · ".join(part for part in (came.reason, came.correlation_id) if part)
    return f"{said}\n{texts.mrkdwn('outcome-trail', trail=trail)}" if trail else said


def _summary(request: ActionRequest, texts: Texts) -> list[tuple[str, str]]:
    rows = [
        (texts("card-requested-by"), blocks.person(request.requested_by)),
        (texts("card-requested-at"), blocks.moment(request.placed_at)),
        (texts("form-reason"), texts(f"reason-{request.action.reason}")),
        (texts("card-request"), f"`{request.id}`"),
    ]
    if request.action.note:
        rows.append((texts("form-note"), blocks.name(request.action.note, 500)))
    return rows


def _decide(request: ActionRequest, texts: Texts) -> Block:
    action = request.action
    about = f"{action.customer_name}: {action.subscription_name}"
    return blocks.actions(
        blocks.button(
            texts("approve"),
            ids.APPROVE,
            request.id,
            style="primary",
            label=texts("approve-label", about=about),
            confirm=blocks.confirm_dialog(
                texts("approve-title"),
                texts(
                    f"approve-confirm-{action.verb}",
                    subscription=blocks.shortened(blocks.harmless(action.subscription_name), 80),
                    customer=blocks.shortened(blocks.harmless(action.customer_name), 80),
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
        block_id=f"request:{request.id}",
    )


def _look_again(request: ActionRequest, texts: Texts) -> Block:
    return blocks.button(
        texts("look-again"),
        ids.LOOK_AGAIN,
        request.id,
        style="primary",
        label=texts("look-again-label", about=request.action.customer_name),
    )


def _cancel(request: ActionRequest, texts: Texts) -> Block:
    return blocks.button(
        texts("cancel"),
        ids.CANCEL,
        request.id,
        style="danger",
        label=texts("cancel-label", about=request.action.customer_name),
    )
