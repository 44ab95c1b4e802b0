"""The card of a shared export: what it says, what it would do to the books, and what came of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from bot.domain.preview import Finding, Noted, Owed, Preview, PreviewStatus
from bot.texts import Texts
from handlers import ids
from handlers.views import blocks
from handlers.views.blocks import Block, Option, View

MOST_CURRENCIES = 10
MOST_NOTES = 6
SHORT_HASH = 12
FILE_LEVEL = frozenset(
    {
        "ambiguous_columns",
        "ambiguous_date_order",
        "damaged",
        "gone",
        "missing_currency",
        "mixed_number_format",
        "no-scope",
        "not-at-slack",
        "strange-address",
        "too_large",
        "unreachable",
        "unreadable",
        "unsupported_file",
    }
)
"""Why a whole file is not taken, as far as there are words of its own for it."""


def preview_card(preview: Preview, texts: Texts) -> list[Block]:
    """The buttons go with the decision; what was found stays where it counts."""
    title = texts("import-title-asks" if preview.asks else f"import-title-{preview.status}")
    card = [blocks.header(title), blocks.fields(_facts(preview, texts))]
    if preview.status is PreviewStatus.READING:
        return [*card, blocks.section(texts("import-reading"))]
    if preview.status in (PreviewStatus.DISCARDED, PreviewStatus.EXPIRED):
        return [*card, blocks.section(_said(preview, texts))]
    if preview.refusal:
        refused = _refused(preview, texts)
        card.append(blocks.section(f"{refused} {texts('import-asks')}" if preview.asks else refused))
    elif preview.finding:
        card += _found(preview, preview.finding, texts)
    if said := _said(preview, texts):
        card.append(blocks.section(said))
    if preview.status is PreviewStatus.OPEN:
        card += [_decide(preview, texts), blocks.context(_until(preview, texts))]
    return card


def headline(preview: Preview, texts: Texts) -> str:
    """One line of plain words: the notification, what a screen reader says."""
    file = blocks.shortened(blocks.harmless(preview.file), 80) or preview.file_id
    found = preview.finding
    if preview.status is PreviewStatus.OPEN and found:
        return texts(
            "import-headline-found",
            file=file,
            accepted=texts.number(found.accepted),
            rejected=texts.number(found.rejected),
        )
    return texts(f"import-headline-{preview.status}", file=file)


def settings_form(preview: Preview, texts: Texts) -> View:
    """How it is read: what the file leaves open comes first, where it was refused for that."""
    reading, asked = preview.reading, preview.refusal.code if preview.refusal else ""
    currency = blocks.input_block(
        texts("import-currency"),
        blocks.text_input(ids.EXPORT_CURRENCY, multiline=False, most=3, initial=reading.currency or ""),
        ids.EXPORT_CURRENCY,
        hint=texts("import-currency-hint"),
        optional=asked != "missing_currency",
    )
    orders = [
        blocks.option(texts("import-date-order-proven"), "proven"),
        blocks.option(texts("import-date-order-dmy"), "DMY"),
        blocks.option(texts("import-date-order-mdy"), "MDY"),
    ]
    order = _select(
        texts("import-date-order"), ids.EXPORT_DATE_ORDER, orders, reading.date_order or "proven", texts
    )
    modes = [
        blocks.option(texts("import-mode-snapshot"), "snapshot", texts("import-mode-snapshot-hint")),
        blocks.option(texts("import-mode-merge"), "merge", texts("import-mode-merge-hint")),
    ]
    as_of = blocks.input_block(
        texts("import-as-of"),
        {
            "type": "datepicker",
            "action_id": ids.EXPORT_AS_OF,
            "initial_date": reading.as_of.isoformat(),
        },
        ids.EXPORT_AS_OF,
        hint=texts("import-as-of-hint"),
    )
    inputs = [
        currency,
        order,
        as_of,
        _select(texts("import-mode"), ids.EXPORT_MODE, modes, reading.mode, texts),
    ]
    if asked == "ambiguous_date_order":
        inputs[0], inputs[1] = order, currency
    said = _refused(preview, texts) if preview.refusal else texts.mrkdwn("import-file", file=_name(preview))
    return blocks.modal(
        texts("import-settings-title"),
        [blocks.section(said), *inputs],
        callback_id=ids.EXPORT_SETTINGS_FORM,
        submit=texts("import-look-again"),
        close=texts("cancel"),
        private_metadata=_bound(preview),
    )


def _select(label: str, action_id: str, options: Sequence[Option], chosen: str, texts: Texts) -> Block:
    initial = next(option for option in options if option["value"] == chosen)
    return blocks.input_block(
        label, blocks.static_select(action_id, label, options, chosen=initial), action_id
    )


def _facts(preview: Preview, texts: Texts) -> list[tuple[str, str]]:
    rows = [(texts("import-file-name"), _name(preview))]
    if preview.sha256:
        rows += [
            (texts("import-as-of"), texts.day(preview.reading.as_of)),
            (texts("import-hash"), f"`{preview.sha256[:SHORT_HASH]}…`"),
            (texts("import-mode"), _read_as(preview, texts)),
        ]
    rows.append((texts("import-shared-by"), blocks.person(preview.shared_by)))
    return rows


def _read_as(preview: Preview, texts: Texts) -> str:
    reading = preview.reading
    parts = [texts(f"import-mode-{reading.mode}"), reading.currency or "", reading.date_order or ""]
    return " · ".join(filter(None, parts))


def _name(preview: Preview) -> str:
    return blocks.name(preview.file, 120) or f"`{blocks.escaped(preview.file_id)}`"


def _found(preview: Preview, found: Finding, texts: Texts) -> list[Block]:
    card = [blocks.columns(_rows(found, texts), _books(found, texts))]
    if found.owed:
        card.append(blocks.section(_owed(found.owed, texts)))
    if found.rejects:
        title = texts.count("import-rejected-rows", found.rejected)
        card.append(blocks.section(f"*{title}*\n{_notes(found.rejects, texts)}"))
    if found.remarks:
        card.append(blocks.section(f"*{texts('import-remarks')}*\n{_notes(found.remarks, texts)}"))
    if warnings := _warnings(preview, found, texts):  # last: right above the buttons
        card.append(blocks.section("\n".join(warnings)))
    return card


def _rows(found: Finding, texts: Texts) -> str:
    """What became of the rows of the file."""
    counted = {
        texts("import-accepted"): found.accepted,
        texts("import-rejected"): found.rejected,
        texts("import-skipped"): found.skipped,
        texts("import-duplicates"): found.duplicates,
        texts("import-not-open"): found.not_open,
    }
    return _counted(texts("import-rows"), counted, texts)


def _books(found: Finding, texts: Texts) -> str:
    """What it does to the books."""
    if not found.may_be_applied:
        return f"*{texts('import-books')}*\n{texts('import-books-not-compared')}"
    counted = {
        texts("import-new"): found.new,
        texts("import-changed"): found.changed,
        texts("import-unchanged"): found.unchanged,
        texts("import-closed"): found.closed,
    }
    if found.kept:
        counted[texts("import-kept")] = found.kept
    return _counted(texts("import-books"), counted, texts)


def _counted(title: str, counted: dict[str, int], texts: Texts) -> str:
    return "\n".join([f"*{title}*", *(f"{label}: {texts.number(n)}" for label, n in counted.items())])


def _owed(owed: Sequence[Owed], texts: Texts) -> str:
    """Each currency by itself: two are never added."""
    lines = [f"*{texts('import-owed')}*"]
    for each in owed[:MOST_CURRENCIES]:
        facts = {
            "open": texts.money(each.open, each.currency),
            "overdue": texts.amount(each.overdue, each.currency),
            "credits": texts.amount(each.credits, each.currency),
        }
        lines.append(
            texts("import-owed-line-credits", **facts) if each.credits else texts("import-owed-line", **facts)
        )
    if len(owed) > MOST_CURRENCIES:
        lines.append(texts.count("import-owed-more", len(owed) - MOST_CURRENCIES))
    return "\n".join(lines)


def _warnings(preview: Preview, found: Finding, texts: Texts) -> list[str]:
    """What whoever applies it has to know first; nothing once it is decided."""
    if preview.status is not PreviewStatus.OPEN:
        return []
    warnings = []
    if preview.voided == "books":
        warnings.append(texts("import-voided-books"))
    if preview.voided == "rules":
        warnings.append(texts("import-voided-rules"))
    if found.held == "shrinks":
        warnings.append(texts("import-shrinks", percent=texts.number(found.shrinks_by)))
    if found.held == "older_than_books":
        warnings.append(texts("import-older-than-books"))
    if found.held == "in_the_future":
        warnings.append(texts("import-in-the-future"))
    if found.kept:
        warnings.append(texts.count("import-kept-because", found.kept))
    if found.seen_before:
        warnings.append(texts.mrkdwn("import-seen-before", at=blocks.moment(found.seen_before)))
    if found.may_be_applied and found.changes_nothing:
        warnings.append(texts("import-changes-nothing"))
    return [f"⚠ {warning}" for warning in warnings]


def _notes(notes: Sequence[Noted], texts: Texts) -> str:
    lines = [_note(note, texts) for note in notes[:MOST_NOTES]]
    if len(notes) > MOST_NOTES:
        rest = sum(note.rows for note in notes[MOST_NOTES:])
        lines.append(texts.count("import-more-rows", rest))
    return "\n".join(f"• {line}" for line in lines)


def _note(note: Noted, texts: Texts) -> str:
    key = f"import-note-{note.code}"
    said = texts(key) if texts.has(key) else blocks.escaped(note.code)
    where = texts.listed(_where(note.where, texts))
    more = "…" if note.rows > len(note.where) else ""
    return f"{texts.number(note.rows)} × {said} ({where}{more})"


def _where(where: Iterable[str], texts: Texts) -> list[str]:
    """*line 14* or *row 12*, in the reader's language."""
    said = []
    for at in where:
        noun, _, number = at.partition(" ")
        key = f"import-at-{noun}"
        said.append(texts(key, n=number) if texts.has(key) else at)
    return said


def _refused(preview: Preview, texts: Texts) -> str:
    """One line that says what to do; the reader's own words are English and name what is wrong."""
    refusal = preview.refusal
    if refusal is None:
        return ""
    key = f"import-refused-{refusal.code}" if refusal.code in FILE_LEVEL else "import-refused"
    said = texts.mrkdwn(key, detail=blocks.shortened(blocks.harmless(refusal.detail), 500))
    return f"⚠ {said}"


def _said(preview: Preview, texts: Texts) -> str:
    """What came of it, and by whom."""
    by = blocks.person(preview.by) if preview.by else ""
    at = blocks.moment(preview.at) if preview.at else ""
    match preview.status:
        case PreviewStatus.APPLYING:
            return texts.mrkdwn("import-applying", by=by, at=at)
        case PreviewStatus.APPLIED if preview.finding and preview.finding.changes_nothing:
            return texts.mrkdwn("import-applied-nothing", by=by, at=at)
        case PreviewStatus.APPLIED:
            return texts.mrkdwn("import-applied", by=by, at=at)
        case PreviewStatus.DISCARDED:
            return texts.mrkdwn("import-discarded", by=by, at=at)
        case PreviewStatus.EXPIRED:
            return texts("import-expired")
    return ""


def _until(preview: Preview, texts: Texts) -> str:
    may_be_applied = preview.finding is not None and preview.finding.may_be_applied
    key = "import-until" if may_be_applied else "import-kept-until"
    return texts.mrkdwn(key, at=blocks.moment(preview.expires_at), id=preview.id)


def _bound(preview: Preview) -> str:
    """A confirmation counts for this file, read and compared in this way, and for nothing else."""
    return f"{preview.id}:{preview.sha256}:{preview.seal}"


def _decide(preview: Preview, texts: Texts) -> Block:
    bound, file = _bound(preview), blocks.harmless(preview.file)
    buttons = []
    if preview.finding and preview.finding.may_be_applied:
        buttons.append(_apply(preview, preview.finding, bound, texts))
    buttons += [
        blocks.button(
            texts("import-settings"),
            ids.EXPORT_SETTINGS,
            bound,
            style="primary" if preview.asks else None,
            label=texts("import-settings-label", file=file),
        ),
        blocks.button(
            texts("import-discard"), ids.DISCARD_EXPORT, bound, label=texts("import-discard-label", file=file)
        ),
    ]
    return blocks.actions(*buttons, block_id=f"import:{preview.id}")


def _apply(preview: Preview, found: Finding, bound: str, texts: Texts) -> Block:
    """What closes a large part of the books asks once more."""
    file = blocks.harmless(preview.file)
    if found.held != "shrinks":
        label = texts("import-apply-label", file=file)
        return blocks.button(texts("import-apply"), ids.APPLY_EXPORT, bound, style="primary", label=label)
    return blocks.button(
        texts("import-apply-anyway"),
        ids.APPLY_EXPORT,
        bound,
        style="danger",
        label=texts("import-apply-anyway-label", file=file),
        confirm=blocks.confirm_dialog(
            texts("import-apply-anyway"),
            texts(
                "import-apply-confirm",
                closed=texts.number(found.closed),
                percent=texts.number(found.shrinks_by),
            ),
            texts("import-apply"),
            texts("cancel"),
            danger=True,
        ),
    )
