"""An evidence pack: a ZIP of what is known of one matter, in which any later change shows and is named.

The same state at the same moment gives the same file, and whoever checks one reads nothing but what was written so.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any, Final

from bot.domain.audit import GENESIS, AuditEvent, chained
from bot.domain.errors import PackTooLarge
from bot.domain.evidence_zip import MANIFEST, MOST_BYTES, NotAPack, members_in, shown, zipped

FORMAT: Final = "backstop-evidence-1"
AUDIT: Final = "audit.jsonl"
MOST_ENTRIES: Final = 10_000
MOST_MANIFEST: Final = 4 * 1024 * 1024
MOST_LINE: Final = 512 * 1024
"""Of one entry. What may be anything is not read as JSON beyond that."""

_MEMBER = re.compile(r"[a-z]{1,20}(\.[a-z]{1,8}){1,2}")
_HASH = re.compile(r"[0-9a-f]{64}")
_TAG = re.compile(r"[a-z:-]{1,60}")
_LISTED = re.compile(r"(\d{1,18}) ([a-z:-]{1,60}) (\d{1,9}) ([0-9a-f]{64})")
_FIELDS: Final = ("seq", "at", "tag", "subject", "by", "facts", "previous", "hash")


@dataclass(frozen=True, slots=True)
class Label:
    """What a pack says of itself."""

    about: str
    """The id of a ticket or of a case."""
    customer: str
    """The tenant's id; empty where it is about no customer."""
    made_at: datetime
    made_by: str
    redacted: bool
    parts: tuple[str, ...]
    left_out: tuple[str, ...] = ()
    """Which kinds of things are not in it."""
    kept: tuple[str, ...] = ()
    """Which kinds of things stay in it all the same."""
    cut: Mapping[str, int] = field(default_factory=dict)
    """By part: how many of the oldest are not in it, because there are too many."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the audit trail. A redacted one keeps its hash, which cannot be worked out from it any more."""

    event: AuditEvent
    redacted: bool = False


@dataclass(frozen=True, slots=True)
class Pack:
    content: bytes
    manifest_sha256: str
    """Who has it from elsewhere knows that no other pack was put in the place of this one."""


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that is not as it was written; `why` is `changed`, `missing`, `put-in`, `twice`, `zip` or `chain`."""

    member: str
    why: str
    seq: int | None = None
    """Of the entry of the audit trail that it is."""
    tag: str = ""

    @property
    def name(self) -> str:
        return self.member if self.seq is None else f"{self.member} entry {self.seq} ({self.tag})"


@dataclass(frozen=True, slots=True)
class Verified:
    """What became of checking a pack."""

    manifest_sha256: str
    label: Label | None
    """None where the manifest itself is not as it was written."""
    intact: tuple[str, ...]
    broken: tuple[Broken, ...]
    by_content: int = 0
    """How many entries of the audit trail give their own hash again."""
    by_place: int = 0
    """Redacted ones whose hash fits the entry before or behind them."""
    by_manifest: int = 0
    """Redacted ones that have no neighbour in the pack: only the manifest vouches for them."""
    is_repacked: bool = False
    """Another program wrote the ZIP: what is in it was checked all the same."""

    @property
    def ok(self) -> bool:
        return not self.broken


def pack(label: Label, members: Mapping[str, bytes], entries: Sequence[Entry] | None = None) -> Pack:
    """Put it together; `entries` come in the order of the trail. Raises PackTooLarge."""
    files = dict(members)
    lines = [_line(entry) for entry in entries or ()]
    if entries is not None:
        files[AUDIT] = b"".join(lines)
    index = [
        f"{entry.event.seq} {entry.event.tag} {len(line)} {_sha256(line)}"
        for entry, line in zip(entries or (), lines, strict=True)
    ]
    manifest = _manifest_of(label, files, index)
    files[MANIFEST] = manifest
    content = zipped((name.encode(), content) for name, content in files.items())
    is_long = len(manifest) > MOST_MANIFEST or any(len(line) > MOST_LINE for line in lines)
    if len(content) > MOST_BYTES or len(lines) > MOST_ENTRIES or is_long:
        raise PackTooLarge(label.about)
    return Pack(content, _sha256(manifest))


def as_json(document: object) -> bytes:
    """As people and programs can read it. Half of a surrogate pair, which no text can hold, becomes a question mark."""
    words = json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1)
    return f"{words}\n".encode("utf-8", "replace")


def verify(data: bytes) -> Verified:
    """Check every byte of it. Raises NotAPack, and nothing else whatever the bytes."""
    if len(data) > MOST_BYTES:
        raise NotAPack("too-large")
    members, differing, is_repacked = members_in(data)
    names = [shown(name) for name, _ in members]
    files = dict(zip(names, (content for _, content in members), strict=True))
    raw = files[MANIFEST]
    broken = [Broken(name, "twice") for name in sorted({n for n in names if names.count(n) > 1})]
    manifest: _Manifest | None = None
    try:
        manifest = _manifest_in(raw)
        broken += _against(manifest, files)
    except ValueError:
        broken.append(Broken(MANIFEST, "changed"))
    checked, entries_broken = _entries(files.get(AUDIT), manifest)
    broken += entries_broken
    named = {each.member for each in broken}
    broken += [Broken(name, "zip") for name in dict.fromkeys(differing) if name not in named]
    named |= set(differing)
    return Verified(
        manifest_sha256=_sha256(raw),
        label=manifest.label if manifest else None,
        intact=tuple(sorted(set(names) - named)),
        broken=tuple(broken),
        is_repacked=is_repacked,
        **checked,
    )


# The manifest.


@dataclass(frozen=True, slots=True)
class _Manifest:
    label: Label
    members: Mapping[str, tuple[str, int]]
    """SHA-256 and size."""
    index: tuple[tuple[int, str, int, str], ...]
    """Of each entry of the audit trail: its number, its tag, and size and SHA-256 of its line."""


def _manifest_of(label: Label, files: Mapping[str, bytes], index: Sequence[str]) -> bytes:
    document = {
        "format": FORMAT,
        "about": label.about,
        "customer": label.customer,
        "made_at": label.made_at.astimezone(UTC).isoformat(),
        "made_by": label.made_by,
        "redacted": label.redacted,
        "parts": list(label.parts),
        "left_out": list(label.left_out),
        "kept": list(label.kept),
        "cut": dict(label.cut),
        "members": {name: {"sha256": _sha256(c), "size": len(c)} for name, c in files.items()},
        "audit": list(index),
    }
    return as_json(document | {"seal": _seal(document)})


def _manifest_in(raw: bytes) -> _Manifest:
    """Read it. Raises ValueError unless it is, to the byte, what was written and sealed."""
    document = _parsed(raw, most=MOST_MANIFEST)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise ValueError("another format")
    rest = {key: value for key, value in document.items() if key != "seal"}
    if document.get("seal") != _seal(rest) or as_json(document) != raw:
        raise ValueError("the seal does not fit")
    try:
        label = Label(
            about=_text(document["about"]),
            customer=_text(document["customer"]),
            made_at=_moment(document["made_at"]),
            made_by=_text(document["made_by"]),
            redacted=_is(bool, document["redacted"]),
            parts=tuple(_text(each) for each in _is(list, document["parts"])),
            left_out=tuple(_text(each) for each in _is(list, document["left_out"])),
            kept=tuple(_text(each) for each in _is(list, document["kept"])),
            cut={_text(name): _is(int, n) for name, n in _is(dict, document["cut"]).items()},
        )
        members = {
            _fits(_MEMBER, name): (_fits(_HASH, each["sha256"]), _is(int, each["size"]))
            for name, each in _is(dict, document["members"]).items()
        }
        listed = _is(list, document["audit"])[:MOST_ENTRIES]
        index = tuple(_listed(_LISTED.fullmatch(_text(each))) for each in listed)
    except (KeyError, TypeError) as error:
        raise ValueError("something is missing") from error
    return _Manifest(label, members, index)


def _listed(line: re.Match[str] | None) -> tuple[int, str, int, str]:
    if line is None:
        raise ValueError("no such entry")
    return int(line[1]), line[2], int(line[3]), line[4]


def _seal(rest: Mapping[str, object]) -> str:
    """Over everything else in the manifest."""
    return _sha256(_canonical(rest))


def _against(manifest: _Manifest, files: Mapping[str, bytes]) -> list[Broken]:
    """What is missing, changed or put in; of the audit trail its entries are looked at one by one."""
    broken = []
    for name, (digest, _) in sorted(manifest.members.items()):
        if name not in files:
            broken.append(Broken(name, "missing"))
        elif _sha256(files[name]) != digest and name != AUDIT:
            broken.append(Broken(name, "changed"))
    known = {*manifest.members, MANIFEST}
    return broken + [Broken(name, "put-in") for name in sorted(set(files) - known)]


# The audit trail.


def _line(entry: Entry) -> bytes:
    event = entry.event
    document: dict[str, object] = {
        "seq": event.seq,
        "at": event.at.isoformat(),
        "tag": str(event.tag),
        "subject": event.subject,
        "by": event.by,
        "facts": dict(event.facts),
        "previous": event.previous,
        "hash": event.hash,
    }
    return _canonical(document | ({"redacted": True} if entry.redacted else {})) + b"\n"


def _entry_in(line: bytes) -> Entry:
    """Read it. Raises ValueError unless it is, to the byte, what `_line` writes."""
    document = _parsed(line, most=MOST_LINE)
    if not isinstance(document, dict) or set(document) - {"redacted"} != set(_FIELDS):
        raise ValueError("other fields")
    if document.get("redacted", True) is not True:
        raise ValueError("neither redacted nor not")
    event = AuditEvent(
        seq=_is(int, document["seq"]),
        at=_moment(document["at"]),
        tag=_fits(_TAG, document["tag"]),
        subject=_text(document["subject"]),
        by=_text(document["by"]),
        facts=_is(dict, document["facts"]),
        previous=_fits(_HASH, document["previous"]),
        hash=_fits(_HASH, document["hash"]),
    )
    entry = Entry(event, "redacted" in document)
    if _line(entry) != line:
        raise ValueError("another spelling")
    return entry


def _entries(content: bytes | None, manifest: _Manifest | None) -> tuple[dict[str, int], list[Broken]]:
    """Check the entries one by one: against the manifest, by their own hashes, and as links of the chain."""
    counts = {"by_content": 0, "by_place": 0, "by_manifest": 0}
    if content is None:
        return counts, []
    broken: dict[tuple[int, str], Broken] = {}
    found: list[Entry] = []
    for line, seq, tag, is_as_listed in _lines(content, manifest):
        try:
            entry = _entry_in(line) if is_as_listed else None
        except ValueError:
            entry = None
        if entry and _is_itself(entry) and (manifest is None or _is_listed(entry, seq, tag, manifest)):
            found.append(entry)
        else:
            broken[seq, tag] = Broken(AUDIT, "changed", seq, tag)
    for entry, why in _out_of_chain(found):
        key = entry.event.seq, str(entry.event.tag)
        broken.setdefault(key, Broken(AUDIT, why, *key))
    tied = _tied(found)
    for entry in found:
        if (entry.event.seq, str(entry.event.tag)) in broken:
            continue
        by = "by_content" if not entry.redacted else "by_place" if entry.event.seq in tied else "by_manifest"
        counts[by] += 1
    if not broken and manifest and manifest.members.get(AUDIT, ("",))[0] not in ("", _sha256(content)):
        return counts, [Broken(AUDIT, "changed")]
    return counts, list(broken.values())


def _lines(content: bytes, manifest: _Manifest | None) -> Iterable[tuple[bytes, int, str, bool]]:
    """Each line, of which entry it is, and whether it is as the manifest has it.

    The manifest tells how long each is, so that a line end that was changed is of one entry only. Where lines were
    taken out or put in, they are known again by their hashes.
    """
    if manifest is None:
        lines = content.split(b"\n", MOST_ENTRIES)[:MOST_ENTRIES]
        for number, line in enumerate((line + b"\n" for line in lines if line), start=1):
            yield line, *_said_by(line, number), True
        return
    if len(content) == sum(size for _, _, size, _ in manifest.index):
        at = 0
        for seq, tag, size, digest in manifest.index:
            line = content[at : at + size]
            yield line, seq, tag, _sha256(line) == digest
            at += size
        return
    lines = content.splitlines(keepends=True) if content.count(b"\n") <= 2 * MOST_ENTRIES else []
    there = {_sha256(line): line for line in lines}
    for seq, tag, _, digest in manifest.index:
        yield there.get(digest, b""), seq, tag, digest in there
    listed = {digest for _, _, _, digest in manifest.index}
    for number, (digest, line) in enumerate(there.items(), start=1):
        if digest not in listed and number <= MOST_ENTRIES:
            yield line, *_said_by(line, number), False


def _said_by(line: bytes, number: int) -> tuple[int, str]:
    """Which entry a line says it is, as far as that can be read; else the number of the line."""
    seq = re.search(rb'"seq":(\d{1,18})', line)
    tag = re.search(rb'"tag":"([a-z:-]{1,60})"', line)
    return int(seq[1]) if seq else number, tag[1].decode() if tag else "unreadable"


def _is_itself(entry: Entry) -> bool:
    """Whether it says what it said when it was written; of a redacted one only the trail itself can tell."""
    event = entry.event
    if entry.redacted:
        return True
    try:
        again = chained(
            seq=event.seq,
            at=event.at,
            tag=event.tag,
            subject=event.subject,
            by=event.by,
            facts=event.facts,
            previous=event.previous,
        )
    except RecursionError:
        return False
    return again.hash == event.hash


def _is_listed(entry: Entry, seq: int, tag: str, manifest: _Manifest) -> bool:
    is_allowed = manifest.label.redacted or not entry.redacted
    return is_allowed and (entry.event.seq, str(entry.event.tag)) == (seq, tag)


def _out_of_chain(found: Sequence[Entry]) -> Iterable[tuple[Entry, str]]:
    """Those that cannot stand behind the one before them."""
    if found and found[0].event.seq == 1 and found[0].event.previous != GENESIS:
        yield found[0], "chain"
    for before, after in pairwise(found):
        first, then = before.event, after.event
        follows = then.seq == first.seq + 1
        if then.seq <= first.seq or (follows and then.previous != first.hash):
            yield after, "chain"


def _tied(found: Sequence[Entry]) -> set[int]:
    """The entries whose hash, or whose predecessor's, a neighbour in the pack confirms."""
    tied = set()
    for before, after in pairwise(found):
        if after.event.seq == before.event.seq + 1 and after.event.previous == before.event.hash:
            tied |= {before.event.seq, after.event.seq}
    return tied


# Reading what may be anything.


def _canonical(document: object) -> bytes:
    """Raises ValueError for what is nested too deep, or cannot be written down."""
    try:
        return json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()
    except RecursionError as error:
        raise ValueError("too deep") from error


def _parsed(raw: bytes, *, most: int) -> Any:
    if len(raw) > most:
        raise ValueError("too long")
    try:
        return json.loads(raw.decode())
    except RecursionError as error:
        raise ValueError("too deep") from error


def _is(kind: type, value: Any) -> Any:
    if type(value) is not kind:
        raise ValueError("of another kind")
    return value


def _text(value: Any) -> str:
    return str(_is(str, value))


def _fits(pattern: re.Pattern[str], value: Any) -> str:
    if not pattern.fullmatch(_text(value)):
        raise ValueError("of another form")
    return str(value)


def _moment(value: Any) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None or moment.isoformat() != value:
        raise ValueError("no moment")
    return moment


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
