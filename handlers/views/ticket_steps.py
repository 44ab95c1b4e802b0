"""The forms behind the buttons of a ticket's card, and the words a customer is told at its end."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from bot.domain.customer import Cloud
from bot.domain.matter import shown
from bot.domain.ticket import MOST_NOTE, MOST_NUMBER, Ticket
from bot.texts import LANGUAGES, Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import View
from handlers.views.ticket_card import headline

PART, MOST_PARTS, MOST_BYTES = 3000, 14, 200_000
"""What an input holds, so many of them, and what all of them may weigh: Slack refuses a view above 250,000 bytes."""
MOST_WORDS, MOST_HOW = 3000, 1500


def number_form(ticket: Ticket, texts: Texts) -> View:
    """*I filed it*, and *Change number* where it has one."""
    field = blocks.input_block(
        texts("ticket-step-number-label"),
        blocks.text_input(ids.TICKET_NUMBER, multiline=False, most=MOST_NUMBER + 20, initial=ticket.number),
        ids.TICKET_NUMBER,
        hint=texts("ticket-step-number-hint"),
    )
    title = texts("ticket-step-number" if ticket.number else "ticket-step-filed")
    return _form(ticket, texts, ids.TICKET_FILED, title, [field])


def copy_form(ticket: Ticket, texts: Texts) -> View:
    """Subject and draft, to be copied field by field; nothing of it is read when the form is closed."""
    parts = list(parts_of(ticket.text))
    label = texts("ticket-step-copy-text")
    said = [blocks.context(texts("ticket-step-copy-hint"))]
    if len("".join(parts)) < len(shown(ticket.text)):
        said.append(blocks.context(f"⚠ {texts('ticket-step-copy-more')}"))
    said.append(
        blocks.input_block(
            texts("ticket-step-copy-subject"),
            blocks.text_input(
                f"{ids.TICKET_COPY}:subject", multiline=False, most=PART, initial=_line(ticket.subject)
            ),
            f"{ids.TICKET_COPY}:subject",
            optional=True,
        )
    )
    for number, part in enumerate(parts, start=1):
        of_many = texts("ticket-step-copy-part", n=texts.number(number), of=texts.number(len(parts)))
        said.append(
            blocks.input_block(
                label if len(parts) == 1 else of_many,
                blocks.text_input(f"{ids.TICKET_COPY}:{number}", most=PART, initial=part),
                f"{ids.TICKET_COPY}:{number}",
                optional=True,
            )
        )
    return blocks.modal(
        texts("ticket-step-copy"),
        said,
        callback_id=ids.TICKET_COPY,
        submit=texts("ticket-step-copy-done"),  # Slack wants one wherever there are inputs
        close=texts("close"),
    )


def parts_of(text: str) -> Iterator[str]:
    """The text in pieces that fit an input, cut between lines where that can be; all of it, or as much as fits."""
    left, weight = shown(text), 0
    for _ in range(MOST_PARTS):
        if not left:
            return
        part = left[:PART]
        if len(left) > PART and (end := part.rfind("\n")) > PART // 2:
            part = part[: end + 1]
        weight += len(json.dumps(part))
        if weight > MOST_BYTES:
            return
        yield part
        left = left[len(part) :]


def note_form(ticket: Ticket, kept: str, texts: Texts) -> View:
    """`kept` names the ticket and where the answer goes."""
    field = blocks.input_block(
        texts("ticket-step-note-label"),
        blocks.text_input(ids.TICKET_NOTE, most=MOST_NOTE),
        ids.TICKET_NOTE,
        hint=texts("ticket-step-note-hint"),
    )
    return _form(ticket, texts, ids.TICKET_NOTE, texts("ticket-step-note"), [field], kept=kept)


def resolved_form(ticket: Ticket, texts: Texts) -> View:
    field = blocks.input_block(
        texts("ticket-step-resolution"),
        blocks.text_input(ids.TICKET_RESOLUTION, most=MOST_NOTE),
        ids.TICKET_RESOLUTION,
        optional=True,
        hint=texts("ticket-step-resolution-hint"),
    )
    return _form(ticket, texts, ids.TICKET_RESOLVED, texts("ticket-step-resolved"), [field])


def informed_form(ticket: Ticket, language: str, words: str, texts: Texts, *, is_theirs: bool) -> View:
    """Another language, another block: Slack then shows the new words and not those typed before.

    `is_theirs`: the language is the customer's own as far as anybody knows.
    """
    options = [blocks.option(texts(f"language-{spoken}"), spoken) for spoken in LANGUAGES]
    hint = texts("ticket-informed-hint" if ticket.about.customer_id else "ticket-informed-hint-own")
    said = [blocks.context(hint)]
    if not is_theirs:
        said.append(blocks.context(texts("ticket-informed-language-unknown")))
    said += [
        blocks.input_block(
            texts("ticket-informed-language"),
            blocks.static_select(
                ids.TICKET_LANGUAGE,
                texts("ticket-informed-language"),
                options,
                chosen=options[LANGUAGES.index(language)],
            ),
            ids.TICKET_LANGUAGE,
            hint=texts("ticket-informed-language-hint"),
            tells_at_once=True,
        ),
        blocks.input_block(
            texts("ticket-informed-words"),
            blocks.text_input(ids.TICKET_WORDS, most=MOST_WORDS, initial=words),
            f"{ids.TICKET_WORDS}:{language}",
            hint=texts("ticket-informed-words-hint"),
        ),
    ]
    return _form(ticket, texts, ids.TICKET_INFORMED, texts("ticket-step-informed"), said)


def informed_words(ticket: Ticket, texts: Texts, *, contact: str, signature: str, cloud: Cloud) -> str:
    """What the customer may be sent: the matter, that it is solved and how, and what to do if it is not.

    `texts` are in the customer's language; what was typed about the ticket stays in the language it was typed in.
    """
    matter = ticket.matter
    how = blocks.shortened(ticket.resolution, MOST_HOW)
    name = blocks.shortened(blocks.harmless(contact), 80)
    written = texts(
        "ticket-informed-text",
        greeting=texts("letter-greeting-name", name=name) if name else texts("letter-greeting"),
        matter=texts(
            f"ticket-informed-matter-{matter.kind}" if matter else "ticket-informed-matter-service",
            title=blocks.harmless(matter.title) if matter else ticket.id,
            number=blocks.harmless(ticket.number),
            vendor=texts("ticket-informed-21vianet") if cloud is Cloud.CHINA else "Microsoft",
        ),
        how=texts("ticket-informed-how", how=how) if how else "",
        closing=texts("letter-closing", signature=blocks.shortened(signature.strip(), 400)),
    )
    return re.sub(r"\n{3,}", "\n\n", written).strip()


def _line(text: str) -> str:
    return " ".join(shown(text).split())


def _form(
    ticket: Ticket, texts: Texts, callback_id: str, title: str, body: list[blocks.Block], *, kept: str = ""
) -> View:
    """A form about one ticket, which is named first; where it does more than keep something, its submit says what."""
    return blocks.modal(
        title,
        [blocks.verbatim(headline(ticket, texts)), *body],
        callback_id=callback_id,
        submit=title if callback_id in (ids.TICKET_INFORMED, ids.TICKET_NOTE) else texts("save"),
        close=texts("cancel"),
        private_metadata=kept or ticket.id,
    )
