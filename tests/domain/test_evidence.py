"""An evidence pack: made twice it is the same, and whatever is changed in it is named."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain import evidence, evidence_zip
from bot.domain.audit import GENESIS, AuditEvent, AuditTag, chained
from bot.domain.errors import PackTooLarge
from bot.domain.evidence import AUDIT, Entry, Label, Verified, pack, verify
from bot.domain.evidence_zip import MANIFEST, NotAPack
from tests.builders import CONTOSO, noon

LABEL = Label(
    about="T-TEST000001",
    customer=CONTOSO,
    made_at=noon,
    made_by="U0ANA",
    redacted=False,
    parts=("timeline", "audit"),
    left_out=("names",),
)
MEMBERS = {
    "timeline.txt": "2026-11-23 Überfällig – 逾期\n".encode(),
    "requests.json": b"[]\n",
    "draft.txt": b"",
}
SKIPPED = 3


def a_trail(tags: int = 6) -> list[AuditEvent]:
    chain: list[AuditEvent] = []
    for number, tag in enumerate(list(AuditTag)[:tags], start=1):
        chain.append(
            chained(
                seq=number,
                at=noon + timedelta(minutes=number),
                tag=tag,
                subject="R-TEST000001",
                by="U0ANA",
                facts={"note": "Überfällig – 逾期", "amount": str(number), "nested": {"a": [1, None, True]}},
                previous=chain[-1].hash if chain else GENESIS,
            )
        )
    return chain


def entries(*, redacted: tuple[int, ...] = ()) -> list[Entry]:
    """Of the trail all but one: not everything in it is about the matter."""
    return [
        Entry(replace(event, by="person-1", facts={}), True) if event.seq in redacted else Entry(event)
        for event in a_trail()
        if event.seq != SKIPPED
    ]


def a_pack(**label: Any) -> bytes:
    return pack(replace(LABEL, **label), MEMBERS, entries()).content


PACK = a_pack()


def names(verified: Verified) -> set[str]:
    return {broken.name for broken in verified.broken}


def with_member(name: str, content: bytes, data: bytes = PACK) -> bytes:
    """Changed by somebody who knows how a ZIP is made, but not what stands in the manifest."""
    members = {info.filename: content_of(data, info.filename) for info in listing(data)} | {name: content}
    return zipped(list(members.items()))


def zipped(members: list[tuple[str, bytes]]) -> bytes:
    return evidence_zip.zipped((name.encode(), content) for name, content in members)


def listing(data: bytes) -> list[zipfile.ZipInfo]:
    return zipfile.ZipFile(io.BytesIO(data)).infolist()


def content_of(data: bytes, name: str) -> bytes:
    return zipfile.ZipFile(io.BytesIO(data)).read(name)


def test_it_is_a_zip_as_everybody_reads_it():
    archive = zipfile.ZipFile(io.BytesIO(PACK))
    assert archive.testzip() is None
    assert archive.namelist() == sorted([*MEMBERS, AUDIT, MANIFEST])
    assert archive.read("timeline.txt") == MEMBERS["timeline.txt"]
    assert all(info.external_attr >> 16 == 0o100600 for info in archive.infolist())


def test_the_same_at_the_same_moment_is_the_same_to_the_byte():
    assert a_pack() == PACK
    assert a_pack(made_at=noon + timedelta(seconds=1)) != PACK


def test_as_it_was_made_it_is_intact():
    made = pack(LABEL, MEMBERS, entries())
    verified = verify(made.content)
    assert verified.ok
    assert verified.label == LABEL
    assert verified.manifest_sha256 == made.manifest_sha256
    assert verified.intact == tuple(sorted([*MEMBERS, AUDIT, MANIFEST]))
    assert (verified.by_content, verified.by_place, verified.by_manifest) == (5, 0, 0)


def test_a_redacted_entry_is_checked_by_its_place_or_only_by_the_manifest():
    label = replace(LABEL, redacted=True)
    beside = verify(pack(label, {}, entries(redacted=(1, 5))).content)
    assert (beside.by_content, beside.by_place, beside.by_manifest) == (3, 2, 0)
    alone = verify(pack(label, {}, entries(redacted=(1, 2))[1:2]).content)
    assert alone.ok
    assert (alone.by_content, alone.by_place, alone.by_manifest) == (0, 0, 1)


def test_a_pack_without_the_audit_trail_has_none():
    verified = verify(pack(LABEL, MEMBERS).content)
    assert verified.ok
    assert AUDIT not in verified.intact


@pytest.mark.parametrize("seq", [1, 2, 4, 5, 6])
@pytest.mark.parametrize(
    "where", [b'"amount"', b'"at":"2', b'"hash":"', b'"previous":"', b'"seq":', b'"tag":"']
)
def test_one_byte_changed_names_the_entry(seq: int, where: bytes):
    line = evidence._line(next(entry for entry in entries() if entry.event.seq == seq))
    at = PACK.index(line) + line.index(where) + len(where)
    tag = list(AuditTag)[seq - 1]
    verified = verify(flipped(PACK, at))
    assert names(verified) == {f"audit.jsonl entry {seq} ({tag})"}
    assert verified.by_content == 4


def test_a_line_end_changed_names_the_one_entry():
    line = evidence._line(entries()[1])
    verified = verify(flipped(PACK, PACK.index(line) + len(line) - 1))
    assert names(verified) == {"audit.jsonl entry 2 (request:approved)"}


@pytest.mark.parametrize("member", [*sorted(name for name, content in MEMBERS.items() if content), MANIFEST])
def test_one_byte_changed_names_the_member(member: str):
    content = content_of(PACK, member)
    for at in (0, len(content) // 2, len(content) - 1):
        assert names(verify(flipped(PACK, PACK.index(content) + at))) == {member}


def flipped(data: bytes, at: int, mask: int = 1) -> bytes:
    return data[:at] + bytes([data[at] ^ mask]) + data[at + 1 :]


@given(at=st.integers(0, len(PACK) - 1), mask=st.integers(1, 255))
def test_any_byte_changed_anywhere_is_named(at: int, mask: int):
    verified = verify(flipped(PACK, at, mask))
    assert not verified.ok
    assert names(verified)
    assert len(verified.broken) == 1, "nothing else is blamed"


def test_every_single_byte_of_the_zip_around_the_members_is_watched():
    inside = set()
    for info in listing(PACK):
        begin = info.header_offset + 30 + len(info.filename)
        inside |= set(range(begin, begin + info.file_size))
    for at in set(range(len(PACK))) - inside:
        assert len(verify(flipped(PACK, at, 0x20)).broken) == 1, at


@given(st.binary(max_size=300), st.integers(0, len(PACK)), st.integers(0, len(PACK)))
def test_whatever_the_bytes_they_are_refused_or_named(put: bytes, begin: int, end: int):
    data = PACK[: min(begin, end)] + put + PACK[max(begin, end) :]
    try:
        verified = verify(data)
    except NotAPack:
        return
    assert verified.ok == (data == PACK)


FORGERIES: dict[str, tuple[Callable[[], bytes], set[str]]] = {
    "a member put in": (lambda: with_member("notices.json", b"[]"), {"notices.json"}),
    "a way out of the folder": (lambda: with_member("../../etc/passwd", b"x"), {"../../etc/passwd"}),
    "a name to draw on the terminal": (lambda: with_member("\x1b[2J", b"x"), {"\\x1b[2J"}),
    "a member taken out": (
        lambda: zipped(
            [(i.filename, content_of(PACK, i.filename)) for i in listing(PACK) if "req" not in i.filename]
        ),
        {"requests.json"},
    ),
    "a member twice": (
        lambda: zipped(
            [*((i.filename, content_of(PACK, i.filename)) for i in listing(PACK)), ("draft.txt", b"")]
        ),
        {"draft.txt"},
    ),
    "a member written anew": (lambda: with_member("draft.txt", b"words"), {"draft.txt"}),
    "an entry taken out": (
        lambda: with_member(AUDIT, b"".join(evidence._line(e) for e in entries() if e.event.seq != 4)),
        {"audit.jsonl entry 4 (request:withdrawn)"},
    ),
    "an entry put in": (
        lambda: with_member(AUDIT, content_of(PACK, AUDIT) + evidence._line(Entry(a_trail()[2]))),
        {"audit.jsonl entry 3 (request:denied)"},
    ),
    "something behind it": (lambda: PACK + b"\0", {evidence_zip.END}),
    "the manifest without its seal": (
        lambda: with_member(
            MANIFEST, evidence.as_json(json.loads(content_of(PACK, MANIFEST)) | {"seal": "0" * 64})
        ),
        {MANIFEST},
    ),
    "a manifest of another kind": (lambda: with_member(MANIFEST, b"[" * 100_000), {MANIFEST}),
    "a manifest with half a character": (lambda: with_member(MANIFEST, b'{"format":"\\ud800"}'), {MANIFEST}),
}


@pytest.mark.parametrize("forgery", FORGERIES)
def test_who_changes_it_with_care_is_found_out(forgery: str):
    make, named = FORGERIES[forgery]
    assert names(verify(make())) == named


def changed(event: AuditEvent, **fields: Any) -> AuditEvent:
    return replace(event, **fields)


@pytest.mark.parametrize(
    ("trail", "seq"),
    [
        pytest.param(lambda t: [t[0], changed(t[1], facts={"note": "kind"})], 2, id="other facts"),
        pytest.param(lambda t: [t[0], changed(t[1], by="U0EVE")], 2, id="another person"),
        pytest.param(lambda t: [t[1], t[0]], 1, id="another order"),
        pytest.param(lambda t: [t[0], rehashed(t[1], previous="f" * 64)], 2, id="behind another entry"),
        pytest.param(
            lambda t: [rehashed(t[0], previous="f" * 64)], 1, id="a first entry that was not the first"
        ),
        pytest.param(lambda t: [t[0], nested(t[1])], 2, id="facts nested beyond all measure"),
    ],
)
def test_a_new_manifest_does_not_make_false_entries_true(
    trail: Callable[[list[AuditEvent]], list[AuditEvent]], seq: int
):
    forged = pack(LABEL, MEMBERS, [Entry(event) for event in trail(a_trail())])
    assert [broken.seq for broken in verify(forged.content).broken] == [seq]


def rehashed(event: AuditEvent, *, previous: str) -> AuditEvent:
    return chained(
        seq=event.seq,
        at=event.at,
        tag=event.tag,
        subject=event.subject,
        by=event.by,
        facts=event.facts,
        previous=previous,
    )


def nested(event: AuditEvent) -> AuditEvent:
    facts: dict[str, object] = {}
    for _ in range(400):
        facts = {"a": facts}
    return replace(event, facts=facts)


def test_what_says_to_be_complete_has_no_redacted_entries():
    forged = pack(LABEL, {}, entries(redacted=(2,)))
    assert [broken.seq for broken in verify(forged.content).broken] == [2]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"PK\x05\x06" + b"\0" * 18, id="an empty ZIP"),
        pytest.param(b"PK\x05\x06" + b"\xff" * 18, id="an end that promises much"),
        pytest.param(PACK[: len(PACK) // 3], id="a beginning"),
        pytest.param(zipped([("timeline.txt", b"x")]), id="a ZIP without a manifest"),
    ],
)
def test_what_is_no_pack_is_refused(data: bytes):
    with pytest.raises(NotAPack, match="no-pack"):
        verify(data)


def test_what_is_too_large_is_not_looked_into(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evidence, "MOST_BYTES", len(PACK) - 1)
    with pytest.raises(NotAPack, match="too-large"):
        verify(PACK)
    with pytest.raises(PackTooLarge):
        a_pack()


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_written_anew_by_another_program_its_content_is_checked(method: int):
    def anew(change: Callable[[str, bytes], bytes]) -> Verified:
        made = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(a_pack())) as before, zipfile.ZipFile(made, "w", method) as after:
            for name in before.namelist():
                after.writestr(name, change(name, before.read(name)))
        return verify(made.getvalue())

    assert (anew(lambda _, content: content).ok, anew(lambda _, content: content).is_repacked) == (True, True)
    changed = anew(lambda name, content: content.replace(b'"amount":"2"', b'"amount":"9"'))
    assert [broken.seq for broken in changed.broken] == [2]
    other = anew(lambda name, content: content + b" " if name == "timeline.txt" else content)
    assert [broken.name for broken in other.broken] == ["timeline.txt"]


def test_what_swells_beyond_our_bounds_is_not_a_pack(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(evidence_zip, "MOST_BYTES", 100_000)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, b"{}")
        archive.writestr("timeline.txt", b"0" * 10_000_000)
    with pytest.raises(NotAPack):
        verify(made.getvalue())
