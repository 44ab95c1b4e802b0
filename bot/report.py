"""What the command line prints: the documents of `--json`, and the same in words."""

from __future__ import annotations

import csv as csv_format
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from bot.domain.audit import AuditEvent
from bot.domain.digest import Debtor, OverdueDigest
from bot.domain.policy import BillingPolicy
from bot.domain.receivables import Balance, OpenItem, bucket, days_overdue
from bot.domain.shadow import ShadowReport
from bot.receivables import RowNote
from bot.receivables.reject_report import safe_cell
from bot.services.customers import MirrorState
from bot.services.intake import Intake
from bot.texts import Texts
from handlers.views import digests as views
from handlers.views import shadow as shadow_views
from handlers.views.countdown import others_suspended_words, suspended_words

Document = dict[str, Any]


def mirror(state: MirrorState) -> Document:
    return {
        "customers": state.customers,
        "subscriptions": state.subscriptions,
        "failed": state.failed,
        "as_of": state.as_of.isoformat() if state.as_of else None,
    }


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
        "changes": {
            "new": len(what.new) if what else 0,
            "changed": len(what.changed) if what else 0,
            "unchanged": len(what.unchanged) if what else 0,
            "closed": len(what.closed) if what else 0,
        },
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


def overdue(digest: OverdueDigest) -> Document:
    """The overdue digest; unknown is null, currencies stay apart."""
    return {
        "digest": "overdue",
        "date": digest.on.isoformat(),
        "as_of": digest.as_of.isoformat() if digest.as_of else None,
        "complete": digest.complete,
        "banners": [b.key for b in digest.banners],
        "totals": {
            currency: _amounts(b) | {"buckets": {name.value: str(sum_) for name, sum_ in b.buckets.items()}}
            for currency, b in digest.totals.items()
        },
        "customers": [_debtor(debtor) for debtor in digest.debtors],
    }


def digest_words(digest: OverdueDigest, texts: Texts) -> str:
    """The digest as plain text for a terminal."""
    lines = [texts("overdue-title", day=texts.day(digest.on))]
    lines += [f"! {views.banner(b, texts)}" for b in digest.banners]
    for currency, balance in digest.totals.items():
        lines.append(
            f"{currency}: {texts.money(balance.overdue, currency)} / {texts.money(balance.open, currency)}"
        )
    for debtor in digest.debtors:
        owed = ", ".join(
            texts.money(b.overdue, c) for c, b in debtor.party.balances.items() if b.overdue > Decimal(0)
        )
        lines.append(f"  {debtor.party.oldest_days:>4}  {debtor.party.customer}  {owed}")
        if debtor.suspended:
            lines.append(f"        {suspended_words(debtor.suspended, texts, on=digest.on)}")
    if not digest.debtors and digest.as_of:
        lines.append(texts("overdue-nobody"))
    if digest.others_suspended:
        lines.append(others_suspended_words(digest.others_suspended, texts, on=digest.on))
    return "\n".join(lines)


def shadow(found: ShadowReport) -> Document:
    """What the policy would have proposed beside what people did."""
    return {
        "from": found.since.isoformat(),
        "to": found.until.isoformat(),
        "agreed": found.agreed,
        "only_proposed": found.only_proposed,
        "only_done": found.only_done,
        "customers": [
            {
                "customer": line.customer_name,
                "tenant": line.customer_id,
                "proposed_on": line.proposed_on.isoformat() if line.proposed_on else None,
                "proposed_until": line.proposed_until.isoformat() if line.proposed_until else None,
                "reasons": [{"rule": r.rule, "fact": r.fact} for r in line.reasons],
                "requests": [
                    {"id": d.id, "date": d.on.isoformat(), "status": d.status, "dry_run": d.dry_run}
                    for d in line.deeds
                ],
            }
            for line in found.lines
        ],
    }


def shadow_words(found: ShadowReport, texts: Texts) -> str:
    """The same for a terminal."""
    head = shadow_views.summary(found, texts)
    return "\n".join([head, *(f"  {line}" for line in shadow_views.lines(found, texts))])


def policy(in_force: BillingPolicy) -> Document:
    return {
        "version": in_force.version,
        "max_data_age_hours": in_force.max_data_age_hours,
        "minimum": {currency: str(amount) for currency, amount in in_force.minimum.items()},
        "stages": [
            {
                "id": stage.id,
                "days_overdue": stage.days_overdue,
                "action": stage.action.value,
                "amount": _texts(stage.amount),
                "approvals": stage.approvals,
            }
            for stage in in_force.stages
        ],
        "exempt": [
            {
                "tenant": e.tenant,
                "reason": e.reason,
                "actions": sorted(a.value for a in e.actions),
                "until": e.until.isoformat(),
                "by": e.by,
            }
            for e in in_force.exemptions
        ],
        "deletion_days": {
            cloud.value: {kind.value: days for kind, days in by_kind.items()}
            for cloud, by_kind in in_force.deletion_days.items()
        },
    }


async def write_audit(events: AsyncIterator[AuditEvent], out: TextIO, *, csv: bool) -> None:
    """Every entry with its hash, so that whoever receives it can verify the chain."""
    writer = csv_format.writer(out)
    names = ("seq", "at", "tag", "subject", "by", "facts", "previous", "hash")
    if csv:
        writer.writerow(names)
    async for event in events:
        row = {
            "seq": event.seq,
            "at": event.at.isoformat(),
            "tag": str(event.tag),
            "subject": event.subject,
            "by": event.by,
            "facts": dict(event.facts),
            "previous": event.previous,
            "hash": event.hash,
        }
        if csv:
            facts = json.dumps(row["facts"], ensure_ascii=False)
            writer.writerow([safe_cell(str(value)) for value in (row | {"facts": facts}).values()])
        else:
            out.write(json.dumps(row, ensure_ascii=False) + "\n")


def start_of(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone)


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


def _debtor(debtor: Debtor) -> Document:
    standing = debtor.standing
    return {
        "customer": debtor.party.customer,
        "tenant": debtor.customer.id if debtor.customer else debtor.party.tenant,
        "mapped": debtor.customer is not None,
        "amounts": {currency: _amounts(b) for currency, b in debtor.party.balances.items()},
        "oldest_days": debtor.party.oldest_days,
        "stage": standing.stage.id if standing.stage else None,
        "next_step": standing.next_stage.id if standing.next_stage else None,
        "proposal": "suspend" if standing.proposes_suspension else None,
        "reasons": [{"rule": r.rule, "fact": r.fact} for r in standing.reasons],
        "suspended": [
            {
                "subscription": c.subscription.id,
                "name": c.subscription.name,
                "deletes_on": c.deadline.isoformat() if c.deadline else None,
            }
            for c in debtor.suspended
        ],
    }


def _amounts(balance: Balance) -> Document:
    return {
        "open": str(balance.open),
        "overdue": str(balance.overdue),
        "disputed": str(balance.disputed),
        "credits": str(balance.credits),
        "net": str(balance.net),
    }


def _texts(amounts: Mapping[str, Decimal] | None) -> Document | None:
    return {currency: str(amount) for currency, amount in amounts.items()} if amounts else None
