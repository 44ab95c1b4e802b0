"""Approvals that need a code, over a real database: RFC 6238 as it is, each code once, tries that count for good."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from bot.domain.action import Reason
from bot.domain.audit import AuditTag
from bot.domain.errors import (
    AlreadyApproved,
    BackstopError,
    CodeNeeded,
    Invalid,
    MayNotEnrol,
    NotEnrolled,
    OwnRequest,
    TooManyCodes,
)
from bot.domain.people import Person, Right
from bot.domain.reach import Grant
from bot.domain.request import Status
from bot.domain.step_up import MOST_TRIES, TRIES_WITHIN, StepUp
from bot.services.step_up import STEP_SECONDS, Authenticators, step_of
from tests.builders import ada, ana, ben, boss, mei
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import AFTER_A_WARNING, PREMIUM, Workshop

STEP = timedelta(seconds=STEP_SECONDS)
FOR_FRAUD = StepUp(reasons=frozenset({Reason.FRAUD}))
SAFE = replace(AFTER_A_WARNING, step_up=FOR_FRAUD)
RFC_KEY = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),  # RFC 6238, appendix B, the last six of the eight digits
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_vectors_of_the_rfc(seconds: int, code: str):
    at = datetime.fromtimestamp(seconds, UTC)
    step = seconds // STEP_SECONDS
    assert step_of(code, RFC_KEY, at=at) == step
    assert step_of(code, RFC_KEY, at=at + STEP) == step
    assert step < 2 or step_of(code, RFC_KEY, at=at - STEP) == step
    assert step_of(code, RFC_KEY, at=at + 2 * STEP) is None
    assert step_of(code, RFC_KEY, at=at, after=step) is None
    for wrong in ("", "0", code[:-1], code + "0", "０" + code[1:], "x" * 6):
        assert step_of(wrong, RFC_KEY, at=at) is None


class App:
    """What a person has on their phone."""

    def __init__(self, text: str) -> None:
        self._totp = TOTP(base64.b32decode(text), 6, SHA1(), STEP_SECONDS)  # noqa: S303  what authenticator apps know

    def code(self, w: Workshop) -> str:
        return self._totp.generate(int(w.clock().timestamp())).decode()

    def wrong(self, w: Workshop) -> str:
        right = {self._totp.generate(int((w.clock() + n * STEP).timestamp())).decode() for n in (-1, 0, 1)}
        return next(code for code in ("000000", "111111", "222222", "333333") if code not in right)


async def enrols(w: Workshop, who: Person) -> App:
    await w.authenticators.open(who.id, by=ada)
    app = App((await w.authenticators.begin(by=who)).text)
    await w.authenticators.enrol(app.code(w), by=who)
    w.clock.passes(STEP)
    return app


async def refusals(w: Workshop, request_id: str) -> int:
    return sum(event.tag == AuditTag.AUTHENTICATOR_REFUSED for event in await w.story(request_id))


async def test_an_approval_counts_only_with_a_code_and_that_code_only_once(workshop: OpenWorkshop):
    w = await workshop(policy=SAFE)
    one, other = await w.placed(reason=Reason.FRAUD), await w.placed(PREMIUM, reason=Reason.FRAUD)
    app = await enrols(w, ben)
    with pytest.raises(CodeNeeded):
        await w.requests.approve(one.id, by=ben)
    with pytest.raises(Invalid):
        await w.requests.approve(one.id, by=ben, code=app.wrong(w))
    assert (await w.requests.get(one.id)).decisions == ()

    code = app.code(w)
    assert (await w.requests.approve(one.id, by=ben, code=code)).status is Status.APPROVED
    with pytest.raises(Invalid) as replayed:
        await w.requests.approve(other.id, by=ben, code=code)
    assert replayed.value.reason == "wrong-code"
    assert (await w.requests.get(other.id)).decisions == ()
    assert [await refusals(w, r.id) for r in (one, other)] == [1, 1]
    approved = [e for e in await w.story(one.id) if e.tag == AuditTag.REQUEST_APPROVED]
    assert [event.facts["code"] for event in approved] == [True]

    w.clock.passes(STEP)
    assert (await w.requests.approve(other.id, by=ben, code=app.code(w))).status is Status.APPROVED


async def test_what_the_policy_does_not_name_needs_none(workshop: OpenWorkshop):
    w = await workshop(policy=SAFE)
    assert (await w.requests.approve((await w.placed()).id, by=ben)).status is Status.APPROVED


async def test_the_code_that_set_it_up_approves_nothing(workshop: OpenWorkshop):
    w = await workshop(policy=SAFE)
    request = await w.placed(reason=Reason.FRAUD)
    await w.authenticators.open(ben.id, by=ada)
    app = App((await w.authenticators.begin(by=ben)).text)
    code = app.code(w)
    with pytest.raises(NotEnrolled):
        await w.requests.approve(request.id, by=ben, code=code)
    await w.authenticators.enrol(code, by=ben)
    with pytest.raises(Invalid):
        await w.requests.approve(request.id, by=ben, code=code)


async def test_one_code_given_twice_at_once_counts_once(workshop: OpenWorkshop, database_url: str):
    w = await workshop(policy=SAFE, database_url=database_url)
    requests = [
        await w.placed(reason=Reason.FRAUD, approvals=2),
        await w.placed(PREMIUM, reason=Reason.FRAUD, approvals=2),
    ]
    code = (await enrols(w, ben)).code(w)
    came_of = await asyncio.gather(
        *(w.requests.approve(r.id, by=ben, code=code) for r in requests), return_exceptions=True
    )
    assert sum(isinstance(each, Invalid) for each in came_of) == 1
    decided = [len((await w.requests.get(r.id)).decisions) for r in requests]
    assert sorted(decided) == [0, 1]


async def test_tries_count_for_good_and_end(workshop: OpenWorkshop):
    w = await workshop(policy=SAFE)
    request, app = await w.placed(reason=Reason.FRAUD), await enrols(w, ben)
    for _ in range(MOST_TRIES):
        with pytest.raises(Invalid):
            await w.requests.approve(request.id, by=ben, code=app.wrong(w))
    with pytest.raises(TooManyCodes):
        await w.requests.approve(request.id, by=ben, code=app.code(w))
    assert await refusals(w, request.id) == MOST_TRIES
    w.clock.passes(TRIES_WITHIN)
    assert (await w.requests.approve(request.id, by=ben, code=app.code(w))).status is Status.APPROVED


async def test_a_stolen_session_cannot_set_up_another(workshop: OpenWorkshop):
    w = await workshop(policy=SAFE)
    for person in (ben, mei):
        if person is ben:
            await enrols(w, ben)
        with pytest.raises(MayNotEnrol) as refused:
            await w.authenticators.begin(by=person)
        assert refused.value.why == ("enrolled" if person is ben else "not-opened")


async def test_an_admins_word_makes_the_old_one_void_and_all_of_it_is_on_record(workshop: OpenWorkshop):
    w = await workshop(policy=SAFE)
    request, old = await w.placed(reason=Reason.FRAUD), await enrols(w, ben)
    await w.authenticators.open(ben.id, by=ada)
    with pytest.raises(NotEnrolled):
        await w.requests.approve(request.id, by=ben, code=old.code(w))
    new = App((await w.authenticators.begin(by=ben)).text)
    with pytest.raises(Invalid):
        await w.authenticators.enrol(old.code(w), by=ben)
    await w.authenticators.enrol(new.code(w), by=ben)
    told = [(event.tag, event.by, event.facts) for event in await w.story(ben.id)]
    assert told == [
        (AuditTag.AUTHENTICATOR_OPENED, ada.id, {"replaces": False}),
        (AuditTag.AUTHENTICATOR_ENROLLED, ben.id, {}),
        (AuditTag.AUTHENTICATOR_OPENED, ada.id, {"replaces": True}),
        (AuditTag.AUTHENTICATOR_ENROLLED, ben.id, {}),
    ]


async def test_a_code_lifts_no_other_rule(workshop: OpenWorkshop):
    w = await workshop(policy=SAFE)
    own, twice = (
        await w.placed(reason=Reason.FRAUD, by=boss),
        await w.placed(PREMIUM, reason=Reason.FRAUD, approvals=2),
    )
    app = await enrols(w, boss)
    refused: type[BackstopError]
    for request, refused in ((own, OwnRequest), (twice, AlreadyApproved)):
        if request is twice:
            await w.requests.approve(twice.id, by=boss, code=app.code(w))
            w.clock.passes(STEP)
        with pytest.raises(refused):
            await w.requests.approve(request.id, by=boss, code=app.code(w))


async def test_a_form_counts_where_its_card_was_clicked(workshop: OpenWorkshop):
    rights = (Grant(Right.APPROVE, channels=frozenset({"C0APPROVALS"})),)
    w = await workshop(policy=replace(SAFE, rights=rights))
    request, app = await w.placed(reason=Reason.FRAUD), await enrols(w, ben)
    await w.authenticators.ask(request.id, by=replace(ben, channel="C0APPROVALS"))
    assert (await w.requests.approve(request.id, by=ben, code=app.code(w))).status is Status.APPROVED


async def test_secrets_are_sealed_and_each_for_its_own_person(workshop: OpenWorkshop):
    w = await workshop(policy=SAFE)
    request = await w.placed(reason=Reason.FRAUD)
    bens, meis = await enrols(w, ben), await enrols(w, mei)
    async with w.store.begin() as tx:
        mine, theirs = await tx.authenticators.get(ben.id), await tx.authenticators.get(mei.id)
        assert mine is not None
        assert theirs is not None
        await tx.authenticators.save(replace(mine, secret=theirs.secret))
    for app in (bens, meis):
        with pytest.raises(Invalid):
            await w.requests.approve(request.id, by=ben, code=app.code(w))
    stranger = Authenticators(w.store, w.courier, key="other" * 10, now=w.clock)
    async with w.store.begin() as tx:
        with pytest.raises(Invalid):
            await stranger.spend(tx, meis.code(w), by=mei)


async def test_without_a_key_nobody_can_set_one_up_and_nothing_is_approved(workshop: OpenWorkshop):
    w = await workshop(policy=SAFE)
    keyless = Authenticators(w.store, w.courier, key=None, now=w.clock)
    await keyless.open(ben.id, by=ada)
    with pytest.raises(MayNotEnrol) as refused:
        await keyless.begin(by=ben)
    assert refused.value.why == "no-key"
    request = await w.placed(reason=Reason.FRAUD, by=ana)
    with pytest.raises(NotEnrolled):
        await w.requests.approve(request.id, by=ben, code="000000")
