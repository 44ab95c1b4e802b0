"""What one reading of an accounting system has brought together, and which of it contradicts itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date

from bot.domain.receivables import UNKNOWN_PARTY, ItemKey, OpenItem
from bot.receivables.live import Snapshot
from bot.receivables.notes import Code, RowNote, RowRejected, shown
from bot.receivables.parties import Party, with_known_tenants

NOBODY = Party("")


@dataclass(frozen=True, slots=True)
class _Taken:
    at: str
    party: Party
    item: OpenItem
    row: tuple[str, ...]


class Gathering:
    """Takes what was read, one by one; `snapshot` settles the rest.

    What could not be read of a known party leaves that party incomplete; what may be anybody's, everybody.
    """

    def __init__(self, source_id: str, *, as_of: date, shows: tuple[str, ...] = ()) -> None:
        """`shows` are the fields that a note on a document repeats."""
        self._source_id = source_id
        self._as_of = as_of
        self._shows = shows
        self._taken: list[_Taken] = []
        self._parties: set[Party] = set()
        self._doubtful: list[Party] = []
        self._rejected: list[RowNote] = []
        self._warnings: list[RowNote] = []

    def read(
        self,
        at: str,
        document: object,
        party: Party | None,
        read: Callable[[Mapping[str, object]], OpenItem | None],
    ) -> None:
        """Take what `read` makes of a document; where it rejects the document, the party is in doubt."""
        try:
            if not isinstance(document, Mapping):
                raise RowRejected(Code.MISSING_NUMBER, f"{shown(document)} is no document.")
            item = read(document)
        except RowRejected as error:
            self.reject(at, party or NOBODY, error, self._cells(document))
        else:
            if item is not None:
                self.take(at, party or NOBODY, item, self._cells(document))

    def take(self, at: str, party: Party, item: OpenItem, row: tuple[str, ...]) -> None:
        self._parties.add(party)
        self._taken.append(_Taken(at, party, replace(item, source=self._source_id), row))

    def reject(self, at: str, party: Party, error: RowRejected, row: tuple[str, ...]) -> None:
        """Keep the reason why something was not taken; `party` is `NOBODY` when it is not known whose it is."""
        self.doubt(party)
        self._rejected.append(RowNote(at, error.code, error.message, row, error.column))

    def doubt(self, party: Party) -> None:
        """What this party owes is not known for sure, though all of it could be read."""
        if party.name:
            self._parties.add(party)
        self._doubtful.append(party)

    def warn(self, at: str, code: Code, message: str, row: tuple[str, ...] = (), column: str = "") -> None:
        self._warnings.append(RowNote(at, code, message, row, column))

    def snapshot(self) -> Snapshot:
        known = with_known_tenants(self._parties)
        self._tell_what_was_filled_in(known)
        items = self._without_contradictions(known)
        return Snapshot(
            source_id=self._source_id,
            as_of=self._as_of,
            items=tuple(items),
            incomplete_parties=frozenset(
                known[party].key_in(self._source_id) if party.name else UNKNOWN_PARTY
                for party in self._doubtful
            ),
            rejected=tuple(self._rejected),
            warnings=tuple(self._warnings),
        )

    def _tell_what_was_filled_in(self, known: dict[Party, Party]) -> None:
        told: set[Party] = set()
        for taken in self._taken:
            party = known[taken.party]
            if party != taken.party and taken.party not in told:
                told.add(taken.party)
                message = f"Other rows of {party.name} name the tenant {party.tenant}; it was taken for all of them."
                self.warn(taken.at, Code.TENANT_FILLED_IN, message, taken.row)

    def _without_contradictions(self, known: dict[Party, Party]) -> list[OpenItem]:
        by_key: dict[ItemKey, list[tuple[_Taken, OpenItem]]] = {}
        for taken in self._taken:
            party, item = known[taken.party], taken.item
            if party != taken.party:
                item = replace(item, tenant=party.tenant or None)
            by_key.setdefault(item.key, []).append((taken, item))
        items: list[OpenItem] = []
        for alike in by_key.values():
            first = alike[0][1]
            if all(item == first for _, item in alike):
                items.append(first)
                continue
            where = ", ".join(taken.at for taken, _ in alike[:5])
            for taken, item in alike:
                message = (
                    f"Document {item.document_number} was read with different contents ({where}); keep one."
                )
                self.reject(
                    taken.at, taken.party, RowRejected(Code.CONFLICTING_DUPLICATE, message), taken.row
                )
        return items

    def _cells(self, document: object) -> tuple[str, ...]:
        if not isinstance(document, Mapping):
            return ()
        return tuple("" if document.get(name) is None else str(document[name])[:200] for name in self._shows)
