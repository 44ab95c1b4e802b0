"""The audit chain: whatever is changed, removed, put in or swapped later is noticed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.audit import GENESIS, Anchor, AuditEvent, AuditTag, Chain, Verified, chained, is_intact
from tests.builders import noon

TAGS = [
    AuditTag.REQUEST_PLACED,
    AuditTag.REQUEST_APPROVED,
    AuditTag.REQUEST_STARTED,
    AuditTag.REQUEST_FINISHED,
]


def a_chain() -> list[AuditEvent]:
    chain: list[AuditEvent] = []
    for number, tag in enumerate(TAGS, start=1):
        chain.append(
            chained(
                seq=number,
                at=noon + timedelta(minutes=number),
                tag=tag,
                subject="R-TEST000001",
                by=f"U{number}",
                facts={"note": "Überfällig – 逾期", "amount": str(number), "changed": True},
                previous=chain[-1].hash if chain else GENESIS,
            )
        )
    return chain


def first_broken(chain: Sequence[AuditEvent]) -> int | None:
    """The position of the first entry that does not follow from the one before it."""
    previous = GENESIS
    for position, event in enumerate(chain):
        if not is_intact(event, previous=previous, seq=position + 1):
            return position
        previous = event.hash
    return None


OTHER: dict[str, Callable[[AuditEvent], Any]] = {
    "seq": lambda e: e.seq + 1,
    "at": lambda e: e.at + timedelta(microseconds=1),
    "tag": lambda e: AuditTag.REQUEST_DENIED,
    "subject": lambda e: "R-TEST000002",
    "by": lambda e: "U0EVE",
    "facts": lambda e: {**e.facts, "amount": "0"},
    "previous": lambda e: "f" * 64,
    "hash": lambda e: "f" * 64,
}


def test_a_chain_nobody_touched_holds():
    assert first_broken(a_chain()) is None


def test_this_table_knows_every_field():
    assert OTHER.keys() == {field.name for field in fields(AuditEvent)}


@pytest.mark.parametrize("position", range(len(TAGS)))
@pytest.mark.parametrize("field", OTHER)
def test_a_changed_field_is_noticed_at_its_entry(field: str, position: int):
    chain = a_chain()
    chain[position] = replace(chain[position], **{field: OTHER[field](chain[position])})
    assert first_broken(chain) == position


@pytest.mark.parametrize("position", range(len(TAGS)))
@pytest.mark.parametrize(
    "facts", [{}, {"note": ""}, {"amount": 1}], ids=["none", "fewer", "a number for a text"]
)
def test_lost_or_retyped_facts_are_noticed(facts: dict[str, Any], position: int):
    chain = a_chain()
    chain[position] = replace(chain[position], facts=facts)
    assert first_broken(chain) == position


@pytest.mark.parametrize("position", range(len(TAGS) - 1))
def test_a_removed_entry_is_noticed_at_the_next(position: int):
    chain = a_chain()
    del chain[position]
    assert first_broken(chain) == position


@pytest.mark.parametrize("position", range(len(TAGS) - 1))
def test_two_swapped_entries_are_noticed(position: int):
    chain = a_chain()
    chain[position], chain[position + 1] = chain[position + 1], chain[position]
    assert first_broken(chain) == position


@pytest.mark.parametrize("position", range(len(TAGS)))
def test_an_entry_rewritten_with_a_fitting_hash_is_noticed_at_the_next(position: int):
    chain = a_chain()
    event = chain[position]
    chain[position] = chained(
        seq=event.seq,
        at=event.at,
        tag=event.tag,
        subject=event.subject,
        by="U0EVE",
        facts=event.facts,
        previous=event.previous,
    )
    assert first_broken(chain) == (position + 1 if position + 1 < len(TAGS) else None)


def test_an_entry_put_in_is_noticed():
    chain = a_chain()
    chain.insert(2, chain[1])
    assert first_broken(chain) == 2


def test_the_order_of_the_facts_does_not_matter():
    first = a_chain()[0]
    assert is_intact(replace(first, facts=dict(reversed(list(first.facts.items())))), previous=GENESIS, seq=1)


def verified(chain: Sequence[AuditEvent], *anchors: Anchor) -> Verified:
    checked = Chain(anchors=anchors)
    for event in chain:
        if not checked.add(event):
            break
    return checked.verified()


def an_anchor(event: AuditEvent, **other: Any) -> Anchor:
    return replace(Anchor(event.seq, event.hash), **other)


def test_anchors_hold_whose_entries_are_as_they_were():
    chain = a_chain()
    found = verified(chain, an_anchor(chain[1]), an_anchor(chain[3]))
    assert (found.ok, found.count, found.held) == (True, 4, 2)
    assert found.head == an_anchor(chain[3])


def test_a_chain_written_anew_from_some_entry_on_is_shown_by_the_anchor_behind_it():
    chain = a_chain()
    anew: list[AuditEvent] = [chain[0]]
    for event in chain[1:]:
        facts = event.facts if event.seq != 2 else {"amount": "0"}
        anew.append(
            chained(
                seq=event.seq,
                at=event.at,
                tag=event.tag,
                subject=event.subject,
                by=event.by,
                facts=facts,
                previous=anew[-1].hash,
            )
        )
    assert verified(anew).ok, "by itself it holds"
    found = verified(anew, an_anchor(chain[0]), an_anchor(chain[2]))
    assert not found.ok
    assert (found.held, found.lost) == (1, (an_anchor(chain[2]),))


def test_a_chain_whose_end_was_cut_off_is_shown_by_the_anchor_of_what_is_gone():
    chain = a_chain()
    assert verified(chain[:2]).ok, "by itself it holds"
    assert verified(chain[:2], an_anchor(chain[3])).lost == (an_anchor(chain[3]),)
    assert verified([], an_anchor(chain[3])).lost == (an_anchor(chain[3]),)


def test_behind_a_broken_entry_no_anchor_is_judged():
    chain = a_chain()
    chain[1] = replace(chain[1], by="U0EVE")
    found = verified(chain, an_anchor(chain[0]), an_anchor(chain[3]))
    assert (found.broken, found.expected, found.held, found.lost) == (chain[1], 2, 1, ())


def test_two_anchors_of_one_entry_are_judged_each():
    chain = a_chain()
    forged = an_anchor(chain[1], hash="f" * 64)
    found = verified(chain, an_anchor(chain[1]), forged)
    assert (found.held, found.lost) == (1, (forged,))


def test_an_anchor_is_read_as_it_is_written():
    anchor = Anchor(41, "ab" * 32)
    assert Anchor.parse(str(anchor)) == anchor
    assert Anchor.parse(f" 41:{'AB' * 32} ") == anchor


@pytest.mark.parametrize(
    "text", ["", "41", "41:", "0:" + "a" * 64, "-1:" + "a" * 64, "41:" + "a" * 63, "٤:" + "a" * 64, "x"]
)
def test_what_is_no_anchor_is_refused(text: str):
    with pytest.raises(ValueError, match="an anchor is"):
        Anchor.parse(text)
