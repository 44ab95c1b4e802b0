"""A broken glass: the form that asks why, what everybody is told, its review, and what still waits for one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.domain.glass import LEAST, MOST, BrokenGlass, Finding
from bot.domain.request import ActionRequest
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.authenticator import code_input
from handlers.views.blocks import Block, View
from handlers.views.request_card import headline, what

MOST_LINES: Final = 10


def glass_form(
    request: ActionRequest, texts: Texts, *, needs_code: bool, everybody: str, reason: str = ""
) -> View:
    """`everybody` is the channel that is told; `reason` what they have typed already."""
    body = [
        blocks.verbatim(headline(request, texts)),
        blocks.section(f"{texts('glass-form-acts')}\n{texts('glass-form-holds')}"),
        blocks.section(texts.mrkdwn("glass-form-told", channel=blocks.channel(everybody))),
        blocks.input_block(
            texts("glass-reason"),
            blocks.text_input(ids.GLASS_REASON, least=LEAST, most=MOST, initial=reason),
            ids.GLASS_REASON,
            hint=texts("glass-reason-hint", least=texts.number(LEAST), most=texts.number(MOST)),
        ),
    ]
    if request.dry_run:
        body.insert(1, blocks.context(f"*{texts('dry-run')}* {texts('dry-run-explained')}"))
    if needs_code:
        body += [blocks.context(texts("rights-code-why")), code_input(texts)]
    return blocks.modal(
        texts("glass-title"),
        body,
        callback_id=ids.GLASS_FORM,
        submit=texts("glass-title"),
        close=texts("cancel"),
        private_metadata=request.id,
    )


def review_form(broken: BrokenGlass, request: ActionRequest, texts: Texts) -> View:
    findings = [blocks.option(texts(f"glass-finding-{finding}"), finding.value) for finding in Finding]
    return blocks.modal(
        texts("glass-review-title"),
        [
            blocks.verbatim(headline(request, texts)),
            blocks.section(_who_and_why(broken, texts)),
            blocks.input_block(
                texts("glass-finding"), blocks.radio_buttons(ids.GLASS_FINDING, findings), ids.GLASS_FINDING
            ),
            blocks.input_block(
                texts("glass-note"),
                blocks.text_input(ids.GLASS_NOTE, most=MOST),
                ids.GLASS_NOTE,
                hint=texts("glass-note-hint"),
            ),
        ],
        callback_id=ids.GLASS_REVIEW,
        submit=texts("save"),
        close=texts("cancel"),
        private_metadata=broken.request_id,
    )


def summary(broken: BrokenGlass, request: ActionRequest, texts: Texts) -> str:
    """In one line of plain words."""
    customer = blocks.shortened(blocks.harmless(request.action.customer_name), 60)
    said = texts(
        "glass-summary-reviewed" if broken.reviewed else "glass-summary",
        customer=customer,
        id=broken.request_id,
    )
    return f"{texts('dry-run')} {said}" if request.dry_run else said


def glass_card(broken: BrokenGlass, request: ActionRequest, texts: Texts) -> list[Block]:
    """As it stands in the approvals channel; its button goes once it is reviewed."""
    body = told(broken, request, texts)
    if broken.reviewed is None:
        about = blocks.harmless(request.action.customer_name)
        button = blocks.button(
            texts("glass-review"),
            ids.REVIEW_GLASS,
            broken.request_id,
            style="primary",
            label=texts("glass-review-label", about=about),
        )
        body.append(blocks.actions(button, block_id=f"glass:{broken.request_id}"))
    return body


def told(broken: BrokenGlass, request: ActionRequest, texts: Texts) -> list[Block]:
    """Who let act what, and why; then what the review came to, or that one is due."""
    body = [
        blocks.header(texts("glass-told-title")),
        blocks.section(f"{what(request, texts)}\n{_who_and_why(broken, texts)}"),
    ]
    if request.dry_run:
        body.append(blocks.context(f"*{texts('dry-run')}* {texts('dry-run-explained')}"))
    if review := broken.reviewed:
        said = texts.mrkdwn(
            "glass-reviewed",
            by=blocks.person(review.by),
            at=blocks.moment(review.at),
            finding=texts(f"glass-finding-{review.finding}"),
            note=blocks.name(review.note, MOST),
        )
    else:
        own = broken.by == broken.requested_by
        said = texts.mrkdwn(
            "glass-due-own" if own else "glass-due",
            by=blocks.person(broken.by),
            asked=blocks.person(broken.requested_by),
        )
    return [*body, blocks.section(said)]


def message_to(
    person: str, broken: BrokenGlass, request: ActionRequest, texts: Texts, *, channel: str
) -> list[Block]:
    """The same for one of those who are told: where its review stands, and whoever it was not has to know."""
    body = told(broken, request, texts)
    if person == broken.by and broken.reviewed is None:
        body.insert(1, blocks.section(f"⚠ {texts('glass-yours')}"))
    return [*body, blocks.context(texts.mrkdwn("glass-where", channel=blocks.channel(channel)))]


def unreviewed(waiting: Sequence[BrokenGlass], texts: Texts) -> str:
    """A line each, the oldest first."""
    lines = [f"⚠ *{texts.count('glass-unreviewed', len(waiting))}*"]
    lines += [
        "• "
        + texts.mrkdwn(
            "glass-line", id=broken.request_id, by=blocks.person(broken.by), at=blocks.moment(broken.at)
        )
        for broken in waiting[:MOST_LINES]
    ]
    left = len(waiting) - MOST_LINES
    return "\n".join([*lines, texts.count("requests-more", left)] if left > 0 else lines)


def reminder(waiting: Sequence[BrokenGlass], texts: Texts) -> tuple[str, list[Block]]:
    """What the approvals channel is told once a day."""
    said = texts.count("glass-unreviewed", len(waiting))
    return said, [
        blocks.section(unreviewed(waiting, texts)),
        blocks.context(texts("glass-reminder-how")),
    ]


def _who_and_why(broken: BrokenGlass, texts: Texts) -> str:
    own = broken.by == broken.requested_by
    said = texts.mrkdwn(
        "glass-broken-own" if own else "glass-broken",
        by=blocks.person(broken.by),
        at=blocks.moment(broken.at),
        asked=blocks.person(broken.requested_by),
        id=broken.request_id,
    )
    return f"{said}\n{texts.mrkdwn('glass-why', why=blocks.name(broken.reason, MOST))}"
