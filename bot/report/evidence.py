"""What became of checking an evidence pack, in words for the terminal."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Final

from bot.domain.evidence import Broken, Label, Verified

NO_PACK: Final[Mapping[str, str]] = {
    "too-large": "larger than any evidence pack",
    "no-pack": "not an evidence pack that can be read: take the very file that Backstop made",
}
MOST_BROKEN: Final = 50
_WHY: Final[Mapping[str, str]] = {
    "changed": "is not as it was written",
    "missing": "is missing",
    "put-in": "was put in",
    "twice": "is in it twice",
    "zip": "is not as it was written: what the ZIP says about it was changed",
    "chain": "does not follow from the entry before it",
}


def verified_words(verified: Verified) -> str:
    """What was checked and how, the fingerprint to compare, and every part that is broken by its name."""
    lines = _about(verified.label) if verified.label else []
    lines.append(f"SHA-256 of the manifest: {verified.manifest_sha256}")
    lines.append("Compare it with the one in Slack, or with `evidence:packed` in the audit trail.")
    lines.append(
        f"Files as they were written: {len(verified.intact)} ({', '.join(verified.intact) or 'none'})"
    )
    if verified.is_repacked:
        lines.append("Another program wrote this ZIP anew; what is in it was checked all the same.")
    lines += _entries(verified)
    lines += [_broken(broken) for broken in verified.broken[:MOST_BROKEN]]
    if len(verified.broken) > MOST_BROKEN:
        lines.append(f"... and {len(verified.broken) - MOST_BROKEN} more.")
    lines.append("The pack is as it was made." if verified.ok else "The pack is NOT as it was made.")
    return "\n".join(lines)


def _about(label: Label) -> list[str]:
    kind = "redacted" if label.redacted else "complete"
    made = label.made_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    tenant = f", tenant {_plain(label.customer)}" if label.customer else ""
    lines = [
        f"Evidence pack of {_plain(label.about)}{tenant}: {kind}, made {made} by {_plain(label.made_by)}"
    ]
    lines += [
        f"Of {_plain(part)} the oldest {count} are not in it." for part, count in sorted(label.cut.items())
    ]
    return lines


def _entries(verified: Verified) -> list[str]:
    by = (verified.by_content, verified.by_place, verified.by_manifest)
    if not any(by):
        return []
    lines = [f"Audit entries checked by their content: {verified.by_content}"]
    if verified.by_place or verified.by_manifest:
        lines.append(f"Redacted ones checked by their place in the chain: {verified.by_place}")
        lines.append(f"Redacted ones that only the manifest vouches for: {verified.by_manifest}")
    return lines


def _broken(broken: Broken) -> str:
    return f"BROKEN: {_plain(broken.name)} {_WHY[broken.why]}."


def _plain(outside: str) -> str:
    """Nothing in it moves the cursor: whoever made the file chose the words."""
    return "".join(c if c.isprintable() else "?" for c in outside)[:200]
