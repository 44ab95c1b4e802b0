"""What an import and a reading of an accounting system took, refused and changed: as documents and in words."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import TextIO

from bot.domain.aging import bucket, days_overdue
from bot.domain.receivables import Changes, OpenItem
from bot.receivables import RowNote
from bot.report import Document
from bot.services.intake import Intake
from bot.services.sources import Reading
from bot.store.readings import Outcome
from bot.texts import Texts
from handlers.views import errors


def intake(taken: Intake, *, file: str) -> Document:
    """What an import took, refused and changed; money as text, dates ISO. The items come one by one."""
    export = taken.export
    refused = (
        {"code": export.refused.code, "message": export.refused.message} if export.refused else _held(taken)
    )
    what = taken.changes
    return {
        "file": file,
        "sha256": export.sha256,
        "as_of": export.as_of.isoformat(),
        "applied": taken.applied,
        "accepted": export.accepted,
        "skipped": export.skipped,
        "duplicates": export.duplicates,
        "not_open": export.not_open,
        "refused": refused,
        "rejected": [_note(note) for note in export.rejected],
        "warnings": [_note(note) for note in export.warnings],
        "items": (_item(item, export.as_of) for item in export.items),
        "changes": _changes(what),
    }


def _changes(what: Changes | None) -> Document:
    return {
        "new": len(what.new) if what else 0,
        "changed": len(what.changed) if what else 0,
        "unchanged": len(what.unchanged) if what else 0,
        "closed": len(what.closed) if what else 0,
    }


def write(document: Document, out: TextIO) -> None:
    """Write a document as JSON; of a list that comes one by one each on its own line, for it may be very long."""
    before = "{\n"
    for key, value in document.items():
        out.write(f"{before}  {json.dumps(key)}: ")
        if isinstance(value, Iterator):
            opening = "[\n"
            for each in value:
                out.write(f"{opening}    {json.dumps(each, ensure_ascii=False)}")
                opening = ",\n"
            out.write("[]" if opening == "[\n" else "\n  ]")
        else:
            out.write(json.dumps(value, ensure_ascii=False, indent=2).replace("\n", "\n  "))
        before = ",\n"
    out.write("\n}\n")


def intake_words(taken: Intake) -> str:
    export, what = taken.export, taken.changes
    if export.refused:
        return f"Refused ({export.refused.code}): {export.refused.message}"
    lines = [
        f"{'Applied' if taken.applied else 'Not applied'}: {export.accepted} open items as of {export.as_of}, "
        f"{len(export.rejected)} rows rejected, {export.skipped} skipped, {export.duplicates} duplicates, "
        f"{export.not_open} not open."
    ]
    if what:
        lines.append(
            f"New {len(what.new)}, changed {len(what.changed)}, unchanged {len(what.unchanged)}, "
            f"closed {len(what.closed)}."
        )
    if held := _held(taken):
        lines.append(str(held["message"]))
    lines += [f"  {note.at}: {note.code}: {note.message}" for note in (*export.rejected, *export.warnings)]
    return "\n".join(lines)


def _held(taken: Intake) -> Document | None:
    match taken.held:
        case "shrinks":
            message = "Held: over 30 % of the open items would close. If the file is complete, add --yes."
        case "older_than_books":
            message = (
                "Held: the books already speak for a later day. Import exports in the order of their days."
            )
        case "in_the_future":
            message = "Held: an export cannot speak for a day that has not come. Check --as-of."
        case None:
            return None
    return {"code": taken.held, "message": message}


def reading(found: Reading, texts: Texts) -> Document:
    """One reading of an accounting system; `outcome` is `busy` where somebody else reads it right now."""
    snapshot, what = found.snapshot, found.changes
    return {
        "source": found.source,
        "outcome": found.outcome.value if found.outcome else "busy",
        "as_of": snapshot.as_of.isoformat() if snapshot else None,
        "complete": snapshot.complete if snapshot else None,
        "items": len(snapshot.items) if snapshot else None,
        "rejected": [_note(note) for note in snapshot.rejected] if snapshot else [],
        "warnings": [_note(note) for note in snapshot.warnings] if snapshot else [],
        "changes": _changes(what) if what else None,
        "error": {"code": found.error.code, "message": errors.plain_words(found.error, texts)}
        if found.error
        else None,
    }


def reading_words(found: Reading, texts: Texts) -> str:
    snapshot, what = found.snapshot, found.changes
    if found.error:
        return f"{found.source}: {errors.plain_words(found.error, texts)}"
    if snapshot is None or what is None:
        return f"{found.source}: is being read by another process right now; nothing was done."
    lines = [
        f"{found.source}: {len(snapshot.items)} open items as of {snapshot.as_of}. "
        f"New {len(what.new)}, changed {len(what.changed)}, unchanged {len(what.unchanged)}, "
        f"closed {len(what.closed)}."
    ]
    if found.outcome is Outcome.HELD:
        lines.append(
            "  Not applied: over 30 % of its open items would close. "
            f"If that is right: backstop read {found.source} --yes"
        )
    lines += [f"  {n.at}: {n.code}: {n.message}" for n in (*snapshot.rejected, *snapshot.warnings)]
    return "\n".join(lines)


def _note(note: RowNote) -> Document:
    return {"at": note.at, "code": note.code, "message": note.message}


def _item(item: OpenItem, on: date) -> Document:
    return {
        "customer": item.customer,
        "tenant": item.tenant,
        "document_number": item.document_number,
        "instalment": item.instalment,
        "kind": item.kind.value,
        "issue_date": item.issue_date.isoformat() if item.issue_date else None,
        "due_date": item.due_date.isoformat(),
        "currency": item.currency,
        "total": str(item.total) if item.total is not None else None,
        "open_amount": str(item.open_amount),
        "disputed": item.disputed,
        "days_overdue": days_overdue(item.due_date, on=on),
        "bucket": bucket(item.due_date, on=on).value,
    }
