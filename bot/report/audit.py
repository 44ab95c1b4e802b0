"""The audit trail for whoever checks it, and what came of checking it."""

from __future__ import annotations

import csv as csv_format
import json
from collections.abc import AsyncIterator
from datetime import date, datetime, time, timedelta
from typing import TextIO
from zoneinfo import ZoneInfo

from bot.domain.audit import Aged, Anchor, AuditEvent, Verified
from bot.receivables.reject_report import safe_cell


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
