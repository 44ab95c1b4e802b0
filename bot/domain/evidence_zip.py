"""The ZIP of an evidence pack, byte for byte: the same members give the same file under every version of Python.

No compression, so nothing that swells. pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterable
from typing import Final

MANIFEST: Final = "manifest.json"
END: Final = "the end of the ZIP"
"""What comes behind all members, and belongs to none of them."""
MOST_BYTES: Final = 64 * 1024 * 1024
MOST_MEMBERS: Final = 100

_LOCAL = struct.Struct("<4s5H3I2H")
_CENTRAL = struct.Struct("<4s6H3I5H2I")
_END = struct.Struct("<4s4H2IH")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_STORED: Final = 0
_VERSION: Final = 20
_MADE_BY: Final = 3 << 8 | _VERSION  # Unix, so that the rights of the files count
_FIRST_DAY: Final = 1 << 5 | 1  # 1980-01-01: when it was made is in the manifest
_OUR_DAY: Final = (1980, 1, 1, 0, 0, 0)
_RIGHTS: Final = 0o100600 << 16

Member = tuple[bytes, bytes]
"""Name and content."""


class NotAPack(Exception):
    """Bytes that are no evidence pack, or not in the form it was made in; `why` is `too-large` or `no-pack`."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def zipped(members: Iterable[Member]) -> bytes:
    """These and nothing else, in the order of their names."""
    return b"".join(region for _, region in _regions(members))


def _regions(members: Iterable[Member]) -> list[tuple[str, bytes]]:
    """The ZIP in pieces, each with the member it belongs to."""
    files, directory, at = [], [], 0
    ordered = sorted(members)
    for name, content in ordered:
        about = (_VERSION, 0, _STORED, 0, _FIRST_DAY, zlib.crc32(content), len(content), len(content))
        head = _LOCAL.pack(_LOCAL_MARK, *about, len(name), 0) + name
        entry = _CENTRAL.pack(_CENTRAL_MARK, _MADE_BY, *about, len(name), 0, 0, 0, 0, _RIGHTS, at % (1 << 32))
        files += [(shown(name), head), (shown(name), content)]
        directory.append((shown(name), entry + name))
        at += len(head) + len(content)
    size = sum(len(entry) for _, entry in directory)
    count = len(ordered)
    end = _END.pack(_END_MARK, 0, 0, count % (1 << 16), count % (1 << 16), size, at % (1 << 32), 0)
    return [*files, *directory, (END, end)]


def members_in(data: bytes) -> tuple[list[Member], list[str], bool]:
    """The members, those whose surroundings in the ZIP are not what we would write, and whether that is all of them.

    A ZIP says twice what is in it, before each member and at its end. What fits the bytes better is believed; where
    both fit as well, what fits the manifest better. One that another program wrote is read as ZIPs are. Raises
    NotAPack.
    """
    readings = []
    for members in (_by_directory(data), _in_sequence(data)):
        manifest = next((content for name, content in members if name == MANIFEST.encode()), None)
        if manifest is not None:
            differing = _differing(members, data)
            strangers = sum(b'"%s"' % name not in manifest for name, _ in members)
            readings.append((len(differing), strangers, members, differing))
    _, _, members, differing = min(readings, key=lambda reading: reading[:2], default=(0, 0, [], []))
    if not members or {shown(name) for name, _ in members} <= set(differing):
        anew = _as_others_read(data)
        if any(name == MANIFEST.encode() for name, _ in anew):
            return anew, [], True
    if not members:
        raise NotAPack("no-pack")
    return members, differing, False


def _as_others_read(data: bytes) -> list[Member]:
    """What any program finds in that ZIP, within our bounds; nothing, where it is none, or is ours."""
    members: list[Member] = []
    left = MOST_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if len(infos) > MOST_MEMBERS or any(info.date_time == _OUR_DAY for info in infos):
                return []
            for info in infos:
                with archive.open(info) as file:
                    content = file.read(left + 1)
                left -= len(content)
                if left < 0:
                    return []
                members.append((info.filename.encode("utf-8", "replace"), content))
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, OSError, ValueError):
        return []
    return members


def _differing(members: list[Member], data: bytes) -> list[str]:
    differing, at = [], 0
    for owner, region in _regions(members):
        if data[at : at + len(region)] != region:
            differing.append(owner)
        at += len(region)
    return differing if at == len(data) or END in differing else [*differing, END]


def _by_directory(data: bytes) -> list[Member]:
    """By what stands at its end; nothing, where that cannot be ours."""
    if len(data) < _END.size:
        return []
    mark, _, _, _, count, _, at, _ = _END.unpack_from(data, len(data) - _END.size)
    if mark != _END_MARK or count > MOST_MEMBERS:
        return []
    members: list[Member] = []
    left = len(data)
    for _ in range(count):
        if at + _CENTRAL.size > len(data):
            return []
        mark, _, _, _, method, _, _, _, _, size, width, *_, start = _CENTRAL.unpack_from(data, at)
        begin, left = start + _LOCAL.size + width, left - size
        if mark != _CENTRAL_MARK or method != _STORED or begin + size > len(data) or left < 0:
            return []
        at += _CENTRAL.size
        members.append((data[at : at + width], data[begin : begin + size]))
        at += width
    return members


def _in_sequence(data: bytes) -> list[Member]:
    """By what stands before each member, as far as that goes."""
    members: list[Member] = []
    at = 0
    while len(members) < MOST_MEMBERS and data[at : at + 4] == _LOCAL_MARK:
        if at + _LOCAL.size > len(data):
            break
        _, _, _, method, _, _, _, _, size, width, _ = _LOCAL.unpack_from(data, at)
        at += _LOCAL.size
        if method != _STORED or at + width + size > len(data):
            break
        members.append((data[at : at + width], data[at + width : at + width + size]))
        at += width + size
    return members


def shown(name: bytes) -> str:
    """A name fit to be printed: the names of our own are as they are."""
    words = name.decode("ascii", "backslashreplace")
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in words)[:80] or "(no name)"
