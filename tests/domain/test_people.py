"""Rights: nobody has any by default, and who is no full member can have none."""

from __future__ import annotations

import pytest

from bot.domain.errors import NotPermitted, Outsider
from bot.domain.limit import DailyLimit
from bot.domain.people import Outside, Person, PersonId, Right
from tests.builders import a_request, ada, ana, ben, eve, ida, noon

GUEST = Person(ana.id, outside=Outside.GUEST)


@pytest.mark.parametrize("right", Right)
def test_nobody_may_do_anything_by_default(right: Right):
    with pytest.raises(NotPermitted):
        Person(PersonId("U1")).must(right)
    with pytest.raises(Outsider):
        GUEST.must(right)


@pytest.mark.parametrize("what", Outside)
def test_an_outsider_cannot_be_given_rights(what: Outside):
    with pytest.raises(ValueError, match=what):
        Person(PersonId("U1"), frozenset({Right.APPROVE}), outside=what)


def test_every_right_lets_read_and_nothing_else_does():
    for person in (ana, ben, ida, ada):
        person.must_read()
    with pytest.raises(NotPermitted):
        eve.must_read()
    with pytest.raises(Outsider):
        GUEST.must_read()


@pytest.mark.parametrize("person", [ida, ada], ids=lambda person: person.id)
def test_auditors_and_admins_ask_for_nothing_and_decide_on_nothing(person: Person):
    waiting = a_request()
    with pytest.raises(NotPermitted):
        a_request(by=person)
    with pytest.raises(NotPermitted):
        waiting.approve(by=person, at=noon)
    with pytest.raises(NotPermitted):
        waiting.deny(by=person, at=noon, why="")
    with pytest.raises(NotPermitted):
        waiting.approve(by=ben, at=noon).cancel(by=person, at=noon)
    with pytest.raises(NotPermitted):
        DailyLimit(noon.date(), most=1, begun=1).lift(by=person)


def test_who_became_a_guest_does_not_even_take_back_what_they_asked_for():
    with pytest.raises(Outsider):
        a_request(by=ana).withdraw(by=GUEST, at=noon)
