"""Letters to customers: their words from the facts, the form, the preview, and what the writer is told."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from bot.domain.customer import Customer
from bot.domain.letter import (
    MOST_ADDRESS,
    MOST_BODY,
    MOST_DOCUMENTS,
    MOST_SUBJECT,
    Letter,
    LetterKind,
    LetterStatus,
    Matter,
)
from bot.domain.receivables import OpenItem
from bot.texts import LANGUAGES, Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block, Option, View

MOST_SERVICES = 12


class Way(StrEnum):
    """How a letter gets to the customer."""

    SEND = "send"
    COPIED = "copied"
    """The person sends it by hand, and says so."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A form, filled in as far as anybody knows."""

    origin: str
    """The form's own id: what it follows from, and where the answer goes."""
    customer: Customer
    kind: LetterKind
    language: str
    to: str
    subject: str
    body: str
    can_send: bool
    hints: tuple[str, ...] = field(default=())
    """What to know before sending it, in mrkdwn."""


# The letter itself, in the customer's language


def subject(matter: Matter, texts: Texts) -> str:
    customer = blocks.shortened(blocks.harmless(matter.customer_name), 80)
    return blocks.shortened(texts(f"letter-subject-{matter.kind}", customer=customer), MOST_SUBJECT)


def text(matter: Matter, texts: Texts) -> str:
    """The letter. It names as many documents as fit, MOST_DOCUMENTS at the most, and counts the others."""
    most = min(MOST_DOCUMENTS, len(matter.account.documents))
    for n in range(most, 0, -1):
        written = _text(matter, texts, documents=n)
        if len(written) <= MOST_BODY:
            return written
    return _text(matter, texts, documents=0)


def _text(matter: Matter, texts: Texts, *, documents: int) -> str:
    signed = matter.signature.strip()
    written = texts(
        f"letter-body-{matter.kind}",
        greeting=_greeting(matter, texts),
        customer=blocks.shortened(blocks.harmless(matter.customer_name), 80),
        documents=_documents(matter, texts, most=documents),
        next=_next(matter, texts),
        services=_services(matter, texts),
        data=_data(matter, texts),
        contact=texts("letter-contact" if signed else "letter-contact-reply"),
        closing=texts("letter-closing", signature=signed),
    )
    return re.sub(r"\n{3,}", "\n\n", written).strip()


def _greeting(matter: Matter, texts: Texts) -> str:
    if not matter.contact:
        return texts("letter-greeting")
    return texts("letter-greeting-name", name=blocks.shortened(blocks.harmless(matter.contact), 80))


def _documents(matter: Matter, texts: Texts, *, most: int) -> str:
    owed = matter.account
    if not owed.documents:
        return ""
    lines = [texts("letter-documents")]
    lines += [_document(item, texts) for item in owed.documents[:most]]
    left = len(owed.documents) - most
    if left:
        lines.append(texts.count("letter-documents-more", left))
    lines.append("")
    for currency, sum_ in (owed.owed or {}).items():
        net = texts.money(sum_.net, currency)
        if sum_.credits:
            overdue, credits = texts.money(sum_.overdue, currency), texts.money(sum_.credits, currency)
            lines.append(texts("letter-total-with-credits", amount=net, overdue=overdue, credits=credits))
        else:
            lines.append(texts("letter-total", amount=net))
    lines.append(texts("letter-disputed"))
    return "\n".join(lines)


def _document(item: OpenItem, texts: Texts) -> str:
    number = blocks.shortened(blocks.harmless(item.document_number), 40)
    return texts(
        "letter-document",
        number=number,
        due=texts.day(item.due_date),
        amount=texts.money(item.open_amount, item.currency),
    )


def _next(matter: Matter, texts: Texts) -> str:
    if matter.deadline is None:
        return texts("letter-next-open")
    stage = blocks.shortened(blocks.harmless(matter.deadline.stage), 40)
    key = "letter-next-final" if matter.kind is LetterKind.FINAL else "letter-next"
    return texts(key, day=texts.day(matter.deadline.day), stage=stage)


def _services(matter: Matter, texts: Texts) -> str:
    if not matter.services:
        return texts("letter-services-unnamed")
    named = [blocks.shortened(blocks.harmless(name), 60) for name in matter.services[:MOST_SERVICES]]
    left = len(matter.services) - len(named)
    lines = [texts("letter-service", name=name) for name in named]
    return "\n".join([*lines, *([texts.count("letter-services-more", left)] if left else [])])


def _data(matter: Matter, texts: Texts) -> str:
    if matter.data_until is None:
        return texts("letter-data-unknown")
    return texts("letter-data-until", day=texts.day(matter.data_until))


# What the operator sees


def letter_form(sheet: Sheet, texts: Texts) -> View:
    """Another kind or language, other blocks: Slack then shows the new words and not those typed before."""
    drawn_for = f"{sheet.kind}:{sheet.language}"
    ways = [way_option(way, texts) for way in Way if sheet.can_send or way is Way.COPIED]
    body = [blocks.section(texts.mrkdwn("letter-form-about", customer=_named(sheet.customer)))]
    if sheet.hints:
        body.append(blocks.context("\n".join(sheet.hints)))
    body += [
        _choice(
            texts("letter-form-kind"),
            ids.LETTER_KIND,
            (kind_option(k, texts) for k in LetterKind),
            sheet.kind,
        ),
        _choice(
            texts("letter-form-language"),
            ids.LETTER_LANGUAGE,
            (language_option(language, texts) for language in LANGUAGES),
            sheet.language,
            hint=texts("letter-form-language-hint"),
        ),
        blocks.input_block(
            texts("letter-form-to"),
            blocks.text_input(ids.LETTER_TO, multiline=False, most=MOST_ADDRESS, initial=sheet.to),
            ids.LETTER_TO,
            optional=True,
            hint=texts("letter-form-to-hint"),
        ),
        blocks.input_block(
            texts("letter-form-subject"),
            blocks.text_input(ids.LETTER_SUBJECT, multiline=False, most=MOST_SUBJECT, initial=sheet.subject),
            f"{ids.LETTER_SUBJECT}:{drawn_for}",
        ),
        blocks.input_block(
            texts("letter-form-body"),
            blocks.text_input(ids.LETTER_BODY, most=MOST_BODY, initial=sheet.body),
            f"{ids.LETTER_BODY}:{drawn_for}",
        ),
        blocks.input_block(
            texts("letter-form-way"),
            blocks.radio_buttons(ids.LETTER_WAY, ways, chosen=ways[0]),
            ids.LETTER_WAY,
            hint="" if sheet.can_send else texts("letter-form-no-mail"),
        ),
    ]
    return blocks.modal(
        texts("letter-title"),
        body,
        callback_id=ids.LETTER_FORM,
        submit=texts("continue"),
        close=texts("cancel"),
        private_metadata=sheet.origin,
    )


def preview(letter: Letter, way: Way, origin: str, texts: Texts, *, dry_run: bool = False) -> View:
    """The letter exactly as it will go, and what *Confirm* does."""
    what = texts.mrkdwn(
        f"letter-preview-{way}",
        kind=texts(f"letter-kind-{letter.kind}"),
        customer=blocks.name(letter.customer_name),
    )
    facts = [
        (texts("letter-form-to"), blocks.escaped(letter.to) or texts("letter-to-nobody")),
        (texts("letter-form-language"), texts(f"language-{letter.language}")),
    ]
    known = [texts("letter-preview-once" if way is Way.SEND else "letter-preview-by-hand")]
    if letter.kind.is_warning:
        known.append(texts("letter-preview-warning"))
    if dry_run and way is Way.SEND:
        known.append(texts("letter-preview-dry-run"))
    return blocks.modal(
        texts("letter-title"),
        [
            blocks.section(what),
            blocks.fields(facts),
            blocks.divider(),
            blocks.context(texts("letter-form-subject")),
            blocks.verbatim(letter.subject),
            blocks.context(texts("letter-form-body")),
            blocks.verbatim(letter.body),
            blocks.divider(),
            blocks.context(*known),
        ],
        callback_id=ids.LETTER_SEND if way is Way.SEND else ids.LETTER_COPIED,
        submit=texts("confirm"),
        close=texts("back"),
        private_metadata=origin,
    )


def headline(letter: Letter, texts: Texts) -> str:
    """One line of plain words: what became of the letter."""
    return texts(
        f"letter-became-{letter.status}",
        kind=texts(f"letter-kind-{letter.kind}"),
        customer=blocks.shortened(blocks.harmless(letter.customer_name), 80),
        id=letter.id,
    )


def result(letter: Letter, texts: Texts) -> list[Block]:
    """What the writer is told; never the address, nor a word of the letter."""
    said = [f"*{blocks.escaped(headline(letter, texts))}*"]
    if letter.status is LetterStatus.FAILED and letter.error:
        said.append(texts.mrkdwn(_why(letter, texts), reason=letter.reason))
    if letter.status is LetterStatus.UNKNOWN:
        said.append(texts.mrkdwn("letter-look", id=letter.id))
    elif letter.status is LetterStatus.SENT and letter.counts_as_warning:
        said.append(texts("letter-counts"))
    body = [blocks.section("\n".join(said))]
    if letter.status is LetterStatus.FAILED:
        body.append(blocks.actions(notice_button(letter.id, letter.customer_name, texts, again=True)))
    if letter.status is LetterStatus.UNKNOWN:
        body.append(
            blocks.actions(
                _decision(letter, ids.LETTER_ARRIVED, "letter-was-sent", texts),
                _decision(letter, ids.LETTER_LOST, "letter-was-not-sent", texts),
            )
        )
    return body


def notice_button(origin: str, customer_name: str, texts: Texts, *, again: bool = False) -> Block:
    """Opens the form. `origin` is what the letter follows from: the id of a customer, of a request that was carried
    out, or of a letter that was not sent.
    """
    name = blocks.harmless(customer_name)
    said = texts("notice-again" if again else "notice")
    label = texts("notice-again-label" if again else "notice-label", customer=name)
    return blocks.button(said, ids.WRITE_LETTER, origin, label=label)


def kind_option(kind: LetterKind, texts: Texts) -> Option:
    return blocks.option(texts(f"letter-kind-{kind}"), kind.value)


def language_option(language: str, texts: Texts) -> Option:
    return blocks.option(texts(f"language-{language}"), language)


def way_option(way: Way, texts: Texts) -> Option:
    return blocks.option(texts(f"letter-way-{way}"), way.value)


def _choice(label: str, id: str, options: Iterable[Option], chosen: str, *, hint: str = "") -> Block:
    offered = list(options)
    first = next(option for option in offered if option["value"] == chosen)
    element = blocks.static_select(id, label, offered, chosen=first)
    return blocks.input_block(label, element, id, hint=hint, tells_at_once=True)


def _decision(letter: Letter, action_id: str, key: str, texts: Texts) -> Block:
    ask = blocks.confirm_dialog(
        texts(key), texts("letter-sure", id=letter.id), texts("confirm"), texts("cancel")
    )
    return blocks.button(texts(key), action_id, letter.id, confirm=ask)


def _why(letter: Letter, texts: Texts) -> str:
    """The key of why it was not sent, and what to do."""
    closer = f"letter-failed-{letter.error}-{letter.reason}"
    return closer if texts.has(closer) else f"letter-failed-{letter.error}"


def _named(customer: Customer) -> blocks.Mrkdwn:
    domain = f" ({blocks.name(customer.domain)})" if customer.domain else ""
    return blocks.Mrkdwn(f"*{blocks.name(customer.name)}*{domain}")
