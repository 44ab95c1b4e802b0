"""What the command line prints: the documents of `--json`, and the same in words."""

from __future__ import annotations

import csv as csv_format
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, TextIO
from zoneinfo import ZoneInfo

from bot.domain.audit import Aged, Anchor, AuditEvent, Verified
from bot.domain.customer import TENANT_ID, Countdown
from bot.domain.digest import Change, Debtor, OverdueDigest, Paid, Since, proposal
from bot.domain.followup import Pause
from bot.domain.policy import BillingPolicy, Condition, Stage
from bot.domain.policy import Changes as StageChanges
from bot.domain.receivables import Balance, Changes, OpenItem, bucket, days_overdue
from bot.domain.request import MOST_TARGETS
from bot.domain.shadow import ShadowReport
from bot.domain.signal import THRESHOLDS, Rule, RuleBook
from bot.domain.simulation import paid_anyway
from bot.policy_check import Remark
from bot.receivables import RowNote
from bot.receivables.reject_report import safe_cell
from bot.services.customers import MirrorState
from bot.services.digests import Replayed
from bot.services.intake import Intake
from bot.services.sources import Reading
from bot.store.readings import Outcome
from bot.texts import Texts
from handlers.views import digests as views
from handlers.views import errors
from handlers.views import shadow as shadow_views
from handlers.views.countdown import others_suspended_words, suspended_words

Document = dict[str, Any]


def mirror(state: MirrorState) -> Document:
    return {
        "customers": state.customers,
        "subscriptions": state.subscriptions,
        "failed": state.failed,
        "as_of": state.as_of.isoformat() if state.as_of else None,
        "oldest": state.oldest.isoformat() if state.oldest else None,
        "complete": state.is_complete,
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


def overdue(digest: OverdueDigest, texts: Texts) -> Document:
    """The overdue digest; unknown is null, currencies stay apart."""
    return {
        "digest": "overdue",
        "date": digest.on.isoformat(),
        "as_of": digest.as_of.isoformat() if digest.as_of else None,
        "complete": digest.complete,
        "banners": [views.plain_banner(b, texts) for b in digest.banners],
        "banner_keys": [b.key for b in digest.banners],
        "policy_version": digest.policy_version,
        "totals": {
            currency: _amounts(b) | {"buckets": {name.value: str(sum_) for name, sum_ in b.buckets.items()}}
            for currency, b in digest.totals.items()
        },
        "since_last": _since(digest.since),
        "customers": [_debtor(debtor) for debtor in digest.debtors] + [_paid(paid) for paid in digest.paid],
    }


def digest_words(digest: OverdueDigest, texts: Texts) -> str:
    """The digest as plain text for a terminal."""
    lines = [texts("overdue-title", day=texts.day(digest.on))]
    lines += [f"! {views.plain_banner(b, texts)}" for b in digest.banners]
    if digest.since:
        lines.append(views.since_words(digest.since, texts))
    for currency, balance in digest.totals.items():
        lines.append(
            f"{currency}: {texts.money(balance.overdue, currency)} / {texts.money(balance.open, currency)}"
        )
    for debtor in digest.debtors:
        owed = ", ".join(
            texts.money(b.overdue, c) for c, b in debtor.party.balances.items() if b.overdue > Decimal(0)
        )
        mark = views.change_words(debtor.change, texts)
        mark = f"  ({mark})" if mark else ""
        lines.append(f"  {debtor.party.oldest_days:>4}  {debtor.party.customer}  {owed}{mark}")
        if debtor.snooze:
            lines.append(f"        {texts('snoozed-until', until=texts.day(debtor.snooze.until))}")
        if debtor.promise:
            lines.append(f"        {texts('promised-until', until=texts.day(debtor.promise.until))}")
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
    """Everything the policy says, with what holds where the file is silent."""
    holds = in_force
    return {
        "version": holds.version,
        "timezone": holds.timezone,
        "business_calendar": holds.calendar.name or None,
        "currency_unlisted": holds.currency_unlisted,
        "max_data_age_hours": holds.max_data_age_hours,
        "grace_days": holds.grace_days,
        "min_step_gap_days": holds.min_step_gap_days,
        "quiet_hours": [f"{clock:%H:%M}" for clock in holds.quiet_hours] if holds.quiet_hours else None,
        "no_cutoff_before_days_off": holds.no_cutoff_before_days_off,
        "freeze": [
            {"from": f.first.isoformat(), "to": f.last.isoformat(), "reason": f.reason} for f in holds.freezes
        ],
        "contact": holds.contact or None,
        "minimum": {currency: str(amount) for currency, amount in holds.minimum.items()},
        "stages": [_stage(stage) for stage in holds.stages],
        "exit": {
            "when": holds.exit.when,
            "confirm_readings": holds.exit.confirm_readings,
            "action": "propose_resume" if holds.exit.proposes_resume else "none",
            "approvals": holds.exit.approvals,
            "partial_payment": holds.exit.partial_payment,
            "promise_to_pay": {"max_days": holds.exit.promise_days, "max_times": holds.exit.promise_times},
        },
        "exempt": [
            {
                "tenant": e.tenant,
                "reason": e.reason,
                "actions": sorted(a.value for a in e.actions),
                "until": e.until.isoformat(),
                "by": e.by,
            }
            for e in holds.exemptions
        ],
        "override": [
            {
                "tenant": o.tenant,
                "reason": o.reason,
                "stages": _stage_changes(o.stages),
                "until": o.until.isoformat(),
                "by": o.by,
            }
            for o in holds.overrides
        ],
        "segments": {s.name: {"tag": s.tag, "stages": _stage_changes(s.stages)} for s in holds.segments},
        "tags": {tag: sorted(tenants) for tag, tenants in holds.tags.items()},
        "risk": _risk(holds.risk),
        "deletion_days": {
            cloud.value: {kind.value: days for kind, days in by_kind.items()}
            for cloud, by_kind in holds.deletion_days.items()
        },
    }


def _stage(stage: Stage) -> Document:
    return {
        "id": stage.id,
        "days_overdue": stage.days_overdue,
        "action": stage.action.value,
        "enabled": stage.enabled,
        "amount": _texts(stage.amount),
        "any": [_condition(c) for c in stage.any_of],
        "all": [_condition(c) for c in stage.all_of],
        "repeat_every_days": stage.repeat_every_days,
        "notice_days": stage.notice_days,
        "requires_stage": stage.requires_stage,
        "approvals": stage.approvals,
        "expires_hours": stage.expires_hours,
        "scope": {
            "exclude_products": sorted(kind.value for kind in stage.scope.exclude_products),
            "max_subscriptions": stage.scope.max_subscriptions,
        },
        "channel": stage.channel,
        "ticket": {"queue": stage.queue, "priority": stage.priority} if stage.queue else None,
    }


def _risk(book: RuleBook) -> Document:
    """With what holds where the file is silent; thresholds as text."""
    return {
        "case_from": book.case_from,
        "high_from": book.high_from,
        "live_days": book.live_days,
        "quiet_days": book.quiet_days,
        "business_hours": list(book.business_hours),
        "rules": {
            rule.value: {
                "enabled": book.is_enabled(rule),
                "points": book.points(rule),
                **{name: str(book.threshold(rule, name)) for name in THRESHOLDS[rule]},
            }
            for rule in Rule
        },
    }


def _condition(condition: Condition) -> Document:
    given = {
        "items_overdue": condition.items_overdue,
        "oldest_days": condition.oldest_days,
        "amount": _texts(condition.amount),
    }
    return {key: value for key, value in given.items() if value is not None}


def _stage_changes(stages: StageChanges) -> Document:
    """What is otherwise, by stage; amounts as text."""
    return {
        id: {
            key: {c: str(a) for c, a in value.items()} if isinstance(value, Mapping) else value
            for key, value in fields.items()
        }
        for id, fields in stages.items()
    }


POLICY_TABLES = (
    "stages",
    "freeze",
    "exempt",
    "override",
    "segments",
    "tags",
    "exit",
    "risk",
    "deletion_days",
)


def policy_words(in_force: BillingPolicy, *, name: str) -> str:
    """The same as a table a part, for a terminal."""
    said = policy(in_force)
    parts = [
        f"{name}, version {in_force.version}",
        _table([(key, _cell(value)) for key, value in said.items() if key not in POLICY_TABLES]),
        _titled("Stages", [_headed(stage, "id") for stage in said["stages"]], nothing="no stage"),
        _titled("Exit", [("exit", {k: v for k, v in said["exit"].items() if v is not None})]),
    ]
    for title, key, by in (
        ("Freezes", "freeze", "from"),
        ("Exempt", "exempt", "tenant"),
        ("Overrides", "override", "tenant"),
    ):
        parts.append(_titled(title, [_headed(entry, by) for entry in said[key]]))
    parts.append(_titled("Segments", list(said["segments"].items())))
    parts.append(_titled("Tags", [(tag, {"tenants": tenants}) for tag, tenants in said["tags"].items()]))
    risk = said["risk"]
    parts.append(_titled("Suspicion", [("all rules", {k: v for k, v in risk.items() if k != "rules"})]))
    parts.append(_titled("Rules of suspicion", list(risk["rules"].items())))
    parts.append(_titled("Days until data is deleted", list(said["deletion_days"].items())))
    return "\n\n".join(part for part in parts if part)


def _headed(entry: Document, by: str) -> tuple[str, Document]:
    """What an entry says beside what holds anyway."""
    usual: Document = {
        "enabled": True,
        "approvals": 0,
        "notice_days": 0,
        "scope": {"exclude_products": [], "max_subscriptions": MOST_TARGETS},
    }
    told = {k: v for k, v in entry.items() if k != by and v not in (None, []) and usual.get(k, "") != v}
    return str(entry[by]), told


def _titled(title: str, rows: Sequence[tuple[str, Document]], *, nothing: str = "") -> str:
    """A line an entry, its name before what it says; nothing where there is no entry."""
    if not rows:
        return f"{title}\n  {nothing}" if nothing else ""
    width = max(len(head) for head, _ in rows)
    lines = [
        f"  {head:<{width}}  " + "; ".join(f"{k} {_cell(v)}" for k, v in row.items()) for head, row in rows
    ]
    return "\n".join([title, *lines])


def _table(rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(head) for head, _ in rows)
    return "\n".join(f"  {head:<{width}}  {cell}" for head, cell in rows)


def _cell(value: object) -> str:
    match value:
        case None | []:
            return "–"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{k} {_cell(v)}" for k, v in value.items()) or "–"
        case list() if value and isinstance(value[0], Mapping):
            return " or ".join(_cell(v) for v in value)
        case list():
            return ", ".join(_cell(v) for v in value)
        case _:
            return " / ".join(str(value).splitlines())


def policy_check(in_force: BillingPolicy, remarks: Sequence[Remark], *, name: str) -> Document:
    """What `policy check` found in a file that holds."""
    warnings = [{"code": r.code, "where": r.where, "message": r.message} for r in remarks]
    return {"ok": True, "file": name, "warnings": warnings} | policy(in_force)


def policy_check_words(in_force: BillingPolicy, remarks: Sequence[Remark], *, name: str) -> str:
    stages = f"{len(in_force.stages)} stage{'' if len(in_force.stages) == 1 else 's'}"
    head = f"{name[:1].upper()}{name[1:]} holds: {stages}, version {in_force.version}."
    if not remarks:
        return head
    count = f"{len(remarks)} warning{'' if len(remarks) == 1 else 's'}:"
    return "\n".join([head, count, *(f"  {r.where}: {r.message}" for r in remarks)])


async def write_audit(
    events: AsyncIterator[AuditEvent], out: TextIO, *, csv: bool, heads: bool = True
) -> tuple[int, int] | None:
    """Every entry with its hash, so that whoever receives it can verify the chain; the first and the last number.

    Without heads it can be put behind an earlier export: both together are what one export would have been.
    """
    first = last = 0
    writer = csv_format.writer(out)
    names = ("seq", "at", "tag", "subject", "by", "facts", "previous", "hash")
    if csv and heads:
        writer.writerow(names)
    async for event in events:
        first, last = first or event.seq, event.seq
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
    return (first, last) if last else None


def verified_words(verified: Verified) -> str:
    """What came of checking the trail: every entry and anchor that does not hold is named."""
    lines = []
    broken = verified.broken
    if broken:
        # A forger's words must not move the cursor.
        tag = "".join(c if c.isprintable() else "?" for c in str(broken.tag))
        found = f"ntry {broken.seq} ({tag}, {broken.at.isoformat()})"
        if broken.seq == verified.expected:
            lines.append(f"E{found} is not as it was written.")
        else:
            lines.append(
                f"Entry {verified.expected} is missing: e{found} stands in its place, "
                "which is not as it was written."
            )
    for anchor in verified.lost:
        lines.append(f"Anchor {anchor} does not hold: {_why_lost(anchor, verified)}.")
    for anchor in verified.gone:
        lines.append(f"Anchor {anchor} cannot be checked any more: its entry was purged.")
    if broken:
        lines.append("Nothing behind it was looked at.")
    elif not lines:
        lines.append(f"All {verified.count} entries are as they were written.")
    if verified.purged:
        lines.append(f"Up to entry {verified.purged} they were purged, and the trail says so.")
    if verified.held:
        lines.append(f"Anchors that hold: {verified.held}.")
    return "\n".join(lines)


def aged_words(aged: Aged | None, retention: timedelta) -> str:
    """What is past retention."""
    kept = f"BACKSTOP_AUDIT_RETENTION ({retention / timedelta(days=1):g} days)"
    if aged is None:
        return f"No entry is older than {kept}: there is nothing to remove."
    return (
        f"{aged.count} entries are older than {kept}: up to entry {aged.last.seq}, "
        f"from {aged.oldest.isoformat()} to {aged.newest.isoformat()}."
    )


def purged_words(removed: int) -> str:
    return f"{removed} entries were removed. The trail says so itself, and `backstop audit verify` begins behind them."


def _why_lost(anchor: Anchor, verified: Verified) -> str:
    if anchor.seq >= verified.expected:
        return f"there is no entry {anchor.seq}, the trail ends with {verified.expected - 1}"
    return f"entry {anchor.seq} has another hash"


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
        "proposal": proposal(standing),
        "reasons": [{"rule": r.rule, "fact": r.fact} for r in standing.reasons],
        "suspended": _suspended(debtor.suspended),
        "since_last": debtor.change.value if debtor.change else None,
        "snoozed": _pause(debtor.snooze),
        "promised": _pause(debtor.promise),
        "owner": debtor.owner,
        "active_subscriptions": debtor.running,
        "monthly_cost": None,
    }


def _since(since: Since | None) -> Document | None:
    if since is None:
        return None
    counts: Document = {change.value: since.counts.get(change, 0) for change in Change}
    return {"date": since.on.isoformat()} | counts | {"cleared": list(since.cleared)}


def _pause(pause: Pause | None) -> Document | None:
    if pause is None:
        return None
    return {"until": pause.until.isoformat(), "by": pause.by, "note": pause.note}


def _paid(paid: Paid) -> Document:
    return {
        "customer": paid.customer.name,
        "tenant": paid.customer.id,
        "mapped": True,
        "amounts": {},
        "oldest_days": 0,
        "stage": None,
        "next_step": None,
        "proposal": proposal(paid.standing),
        "reasons": [{"rule": r.rule, "fact": r.fact} for r in paid.standing.reasons],
        "suspended": _suspended(paid.suspended),
        "since_last": None,
        "snoozed": None,
        "promised": None,
        "owner": None,
        "active_subscriptions": None,
        "monthly_cost": None,
    }


def simulation(found: Replayed, *, days: int) -> Document:
    """What a policy would have done, and who of those it went for paid anyway."""
    return {
        "days": days,
        "on_books_alone": found.on_books_alone,
        "from": found.since.isoformat(),
        "to": found.until.isoformat(),
        "proposals": [
            {
                "date": f.on.isoformat(),
                "customer": found.names.get(f.party, f.party),
                "tenant": f.tenant if f.tenant and TENANT_ID.fullmatch(f.tenant) else None,
                "stage": f.stage.id,
                "action": f.stage.action.value,
                "reasons": [{"rule": r.rule, "fact": r.fact} for r in f.reasons],
                "paid_on": f.paid_on.isoformat() if f.paid_on else None,
            }
            for f in found.fired
        ],
        "paid_anyway": paid_anyway(found.fired),
    }


def simulation_words(found: Replayed) -> str:
    """The same for a terminal, a line a step."""
    cut = len({f.party for f in found.fired if f.stage.action.cuts_off})
    lines = [
        f"From {found.since} to {found.until}: {len(found.fired)} steps; {cut} customers would have been cut off, "
        f"{paid_anyway(found.fired)} of them paid anyway."
    ]
    if found.on_books_alone:
        lines.append(
            "No customer was ever read from Partner Center, so every debtor in the books was taken for one."
        )
    for f in found.fired:
        paid = f"paid {f.paid_on}" if f.paid_on else "not paid"
        lines.append(f"  {f.on}  {f.stage.id:<12}  {found.names.get(f.party, f.party)}  ({paid})")
    return "\n".join(lines)


def _suspended(countdowns: Sequence[Countdown]) -> list[Document]:
    return [
        {
            "subscription": c.subscription.id,
            "name": c.subscription.name,
            "deletes_on": c.deadline.isoformat() if c.deadline else None,
        }
        for c in countdowns
    ]


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
