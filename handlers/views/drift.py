"""The card of a change outside Backstop, and the forms behind its two buttons."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from bot.domain.action import Reason
from bot.domain.customer import Countdown
from bot.domain.drift import Drift, DriftStatus
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block, View
from handlers.views.countdown import deadline_words
from handlers.views.forms import reason_option

Form = Callable[[Drift, Texts], View]


def drift_card(drift: Drift, countdown: Countdown | None, texts: Texts, *, on: date) -> list[Block]:
    """What happened, when as far as anybody knows, and what follows; the buttons go with the decision."""
    card = [
        blocks.header(texts(f"drift-title-{drift.became}")),
        blocks.section(
            texts.mrkdwn(
                f"drift-what-{drift.became}",
                subscription=blocks.name(drift.subscription_name),
                customer=blocks.name(drift.customer_name),
            )
        ),
        blocks.fields(_facts(drift, countdown, texts, on)),
        blocks.section("\n".join(_said(drift, texts))),
    ]
    if drift.status is DriftStatus.OPEN:
        card.append(_decide(drift, texts))
    return card


def headline(drift: Drift, texts: Texts) -> str:
    """One line of plain words: the notification, what a screen reader says."""
    return texts(
        f"drift-headline-{drift.became}",
        subscription=blocks.shortened(blocks.harmless(drift.subscription_name), 60),
        customer=blocks.shortened(blocks.harmless(drift.customer_name), 60),
        id=drift.id,
    )


def adopt_form(drift: Drift, texts: Texts) -> View:
    return _form(
        drift,
        texts,
        title=texts("drift-adopt-title"),
        inputs=[
            blocks.input_block(
                texts("form-reason"),
                blocks.static_select(
                    ids.REASON, texts("form-reason-placeholder"), [reason_option(r, texts) for r in Reason]
                ),
                ids.REASON,
            ),
            blocks.input_block(texts("form-note"), blocks.text_input(ids.NOTE), ids.NOTE, optional=True),
        ],
        callback_id=ids.ADOPT_FORM,
        submit=texts("adopt"),
    )


def explain_form(drift: Drift, texts: Texts) -> View:
    return _form(
        drift,
        texts,
        title=texts("drift-explain-title"),
        inputs=[
            blocks.input_block(
                texts("drift-explanation"),
                blocks.text_input(ids.EXPLANATION),
                ids.EXPLANATION,
                hint=texts("drift-explanation-hint"),
            )
        ],
        callback_id=ids.EXPLAIN_FORM,
        submit=texts("explain"),
    )


def _form(
    drift: Drift, texts: Texts, *, title: str, inputs: list[Block], callback_id: str, submit: str
) -> View:
    return blocks.modal(
        title,
        [blocks.section(blocks.escaped(headline(drift, texts))), *inputs],
        callback_id=callback_id,
        submit=submit,
        close=texts("cancel"),
        private_metadata=drift.id,
    )


def _facts(drift: Drift, countdown: Countdown | None, texts: Texts, on: date) -> list[tuple[str, str]]:
    rows = [
        (texts("drift-when"), _when(drift, texts)),
        (texts("drift-words"), blocks.name(texts.listed(drift.words), 300) or texts("drift-no-words")),
    ]
    if countdown:
        rows.append((texts("drift-data"), deadline_words([countdown], texts, on=on)))
    rows.append((texts("form-subscription"), f"`{blocks.escaped(drift.subscription_id)}`"))
    return rows


def _when(drift: Drift, texts: Texts) -> str:
    if drift.changed_at is not None:
        return blocks.moment(drift.changed_at)
    seen = blocks.moment(drift.seen_at)
    if drift.not_before is None:
        return texts.mrkdwn("drift-before", at=seen)
    return texts.mrkdwn("drift-between", since=blocks.moment(drift.not_before), until=seen)


def _said(drift: Drift, texts: Texts) -> list[str]:
    """What people said to it, or what they may say."""
    if drift.status is DriftStatus.OPEN:
        return [texts("drift-open")]
    lines: list[str] = []
    if drift.by and drift.at:
        facts = {"by": blocks.person(drift.by), "at": blocks.moment(drift.at)}
        note = blocks.name(drift.note, 500)
        if drift.reason:
            lines.append(texts.mrkdwn("drift-adopted-by", reason=texts(f"reason-{drift.reason}"), **facts))
            lines += [note] if note else []
        else:
            lines.append(texts.mrkdwn("drift-explained-by", note=note, **facts))
    if drift.status is DriftStatus.OVER:
        lines.append(texts("drift-over"))
    return lines


def _decide(drift: Drift, texts: Texts) -> Block:
    about = f"{drift.customer_name}: {drift.subscription_name}"
    return blocks.actions(
        blocks.button(
            texts("adopt"), ids.ADOPT, drift.id, style="primary", label=texts("adopt-label", about=about)
        ),
        blocks.button(texts("explain"), ids.EXPLAIN, drift.id, label=texts("explain-label", about=about)),
        block_id=f"drift:{drift.id}",
    )
