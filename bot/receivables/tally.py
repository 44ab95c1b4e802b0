"""What the rows of one file come to, and which of them contradict each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import islice
from operator import lt
from typing import Final

from bot.domain.receivables import UNKNOWN_PARTY, ItemKey, OpenItem
from bot.receivables.cells import Cell, text_of
from bot.receivables.lines import Line
from bot.receivables.notes import Code, RowNote, RowRejected
from bot.receivables.parties import Party
from bot.receivables.rows import Reading
from bot.receivables.source import Source

_PARTS: Final = 2


class Tally:
    """Collects what the rows of one file say, and settles which of them contradict each other."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._keys: dict[Party, str] = {}
        self._rejected: dict[int, RowNote] = {}
        self._remarks: list[tuple[int, RowNote]] = []
        self._warnings: list[tuple[int, RowNote]] = []
        self._not_open: list[ItemKey] = []
        self.items: list[OpenItem] = []
        self.settled: frozenset[ItemKey] = frozenset()
        self.duplicates = 0
        self.incomplete: set[str] = set()

    def take(self, line: Line, reading: Reading) -> None:
        instalment, item, remarks = reading
        if item is not None:
            self.items.append(item)
        else:
            self._not_open.append(self._key(line, instalment))
        if remarks:
            position, cells, _, _ = line
            self._remarks += [(position, self._note(position, cells, *remark)) for remark in remarks]

    def reject(self, position: int, cells: list[Cell], party: Party | None, error: RowRejected) -> None:
        self.incomplete.add(party.key if party and party.name else UNKNOWN_PARTY)
        self._rejected[position] = self._note(position, cells, error.code, error.message, error.column)

    def warn(self, position: int, cells: list[Cell], code: Code, message: str) -> None:
        self._warnings.append((position, self._note(position, cells, code, message)))

    def _key(self, line: Line, instalment: int) -> ItemKey:
        _, _, party, number = line
        customer = self._keys.get(party)
        if customer is None:
            customer = self._keys[party] = party.key
        return customer, number, instalment

    def _note(self, position: int, cells: list[Cell], code: Code, message: str, column: str = "") -> RowNote:
        return RowNote(self._source.at(position), code, message, tuple(map(text_of, cells)), column)

    def settle(self, read_again: Callable[[frozenset[str]], Iterable[tuple[Line, Reading]]]) -> None:
        """Count exact repetitions, and reject the lines that say different things of one document.

        `read_again` gives the lines with these document numbers once more: few files have any to look at.
        """
        doubled = self._doubled()
        self.settled = frozenset(self._not_open)
        if not doubled:
            return
        groups: dict[ItemKey, list[tuple[Line, Reading]]] = {}
        for line, reading in read_again(frozenset(number for _, number, _ in doubled)):
            if (key := self._key(line, reading[0])) in doubled:
                groups.setdefault(key, []).append((line, reading))
        silent: set[int] = set()
        kept: dict[ItemKey, OpenItem | None] = {}
        for key, (first, *again) in groups.items():
            silent.update(line[0] for line, _ in again)
            if all(_is_same(reading[1], first[1][1]) for _, reading in again):
                self.duplicates += len(again)
                kept[key] = first[1][1]
            else:
                silent.add(first[0][0])
                self._reject_all([first[0], *(line for line, _ in again)])
        self.settled = frozenset(key for key in self.settled if key not in doubled or key in kept)
        self.items = [item for item in self.items if item.key not in doubled or kept.pop(item.key, None)]
        self._remarks = [(position, note) for position, note in self._remarks if position not in silent]

    def _doubled(self) -> frozenset[ItemKey]:
        """The keys that more than one line has."""
        numbers = [item.document_number for item in self.items]
        numbers += [number for _, number, _ in self._not_open]
        repeated = _repeated(numbers)
        if not repeated:
            return frozenset()
        keys = Counter(item.key for item in self.items if item.document_number in repeated)
        keys.update(self._not_open)
        return frozenset(key for key, count in keys.items() if count > 1)

    def _reject_all(self, lines: list[Line]) -> None:
        where = ", ".join(self._source.at(position) for position, *_ in lines[:5])
        for position, cells, party, number in lines:
            error = RowRejected(
                Code.CONFLICTING_DUPLICATE,
                f"Document {number} is in the file with different contents ({where}); keep one.",
            )
            self.reject(position, cells, party, error)

    @property
    def rejected(self) -> tuple[RowNote, ...]:
        return tuple(note for _, note in sorted(self._rejected.items()))

    @property
    def warnings(self) -> tuple[RowNote, ...]:
        both = (*self._warnings, *self._remarks)
        return tuple(note for _, note in sorted(both, key=lambda warning: warning[0]))


def _repeated(numbers: Sequence[str]) -> set[str]:
    """Find the numbers that occur twice, a part at a time: a set of all of them would be a tenth of the memory."""
    if all(map(lt, numbers, islice(numbers, 1, None))):
        return set()  # many programs sort them
    found: set[str] = set()
    for part in range(_PARTS):
        some = [number for number in numbers if hash(number) % _PARTS == part]
        if len(set(some)) < len(some):
            found.update(number for number, count in Counter(some).items() if count > 1)
    return found


def _is_same(one: OpenItem | None, other: OpenItem | None) -> bool:
    """The key says whose both are; how the name is written makes no difference."""
    if one is None or other is None:
        return one is other
    return replace(one, customer=other.customer) == other
