"""The billing policy, what is odd about it and what it would have done: as documents and in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from bot.domain.customer import TENANT_ID
from bot.domain.policy import BillingPolicy, Condition, Stage
from bot.domain.policy import Changes as StageChanges
from bot.domain.request import MOST_TARGETS
from bot.domain.signal import THRESHOLDS, Rule, RuleBook
from bot.domain.simulation import paid_anyway
from bot.policy_check import Remark
from bot.report import Document
from bot.services.digests import Replayed


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


def _texts(amounts: Mapping[str, Decimal] | None) -> Document | None:
    return {currency: str(amount) for currency, amount in amounts.items()} if amounts else None


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
