"""Bent payloads, rightly signed, to every listener: never a 500, and nothing that only a person may change is changed.

`pytest -m long -s tests/attacks` sends 20,000 of them instead of 300, and prints what came of them.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count

import aiohttp
import pytest
from hypothesis import given, seed, settings

import handlers
from handlers import ids, slack
from handlers.listeners import Kind, Listeners
from tests.attacks.mutations import MANY, Bent, Workshop
from tests.attacks.office import Office, Rows, at_work
from tests.conftest import SetStage
from tests.handlers import story

STRANGERS = ["U0EVE", "U0BACKSTOP", "U0NOBODY", "", "USLACKBOT", "S0BILLING", "S0APPROVERS", "*", "u0ben"]
INSIDERS = ["U0ANA", "U0BEN", "U0MEI"]
DECIDED = (
    "requests",
    "targets",
    "limit_lifts",
    "imports",
    "open_items",
    "policies",
    "refresh_tokens",
    "mappings",
)
"""What is decided; of these nothing changes, whoever sends the payload, if it is not what that person may click."""
DECIDES = {ids.APPROVE, ids.DENY_REASON, ids.WITHDRAW, ids.CANCEL, ids.RETRY, ids.LOOK_AGAIN}
CONFIRMS = {ids.SUSPEND_CONFIRMATION, ids.RESUME_CONFIRMATION, ids.CANCEL_AZURE_CONFIRMATION}

A_BATCH = 150


@dataclass
class Fuzz:
    office: Office
    session: aiohttp.ClientSession
    seen: Counter[str] = field(default_factory=Counter)
    """What the log told, by the kind of error and where it came from."""
    statuses: Counter[int] = field(default_factory=Counter)

    def workshop(self, people: list[str]) -> Workshop:
        about = [each for known in self.office.ids().values() for each in known]
        inputs = [str(value) for name, value in vars(ids).items() if name.isupper()]
        return Workshop(self.office.sent, all_listeners(self.office), people, list(about), inputs)

    async def send(self, bent: Bent) -> int:
        """Deliver it as Slack would, and wait for what is done behind the ack; the status of the answer."""
        body, content_type = bent.body
        headers = story.signed(self.office.stage.slack.signing_secret, body) | {"Content-Type": content_type}
        url = self.office.stage.slack.events_url
        assert url
        async with self.session.post(url, data=body, headers=headers) as answer:
            assert "Traceback" not in await answer.text()
        await self.office.stage.app.desk.drain()
        self.statuses[answer.status] += 1
        return answer.status


@pytest.fixture
async def fuzz(set_stage: SetStage) -> AsyncIterator[Fuzz]:
    async with aiohttp.ClientSession() as session:
        found = Fuzz(await at_work(set_stage), session)
        with _listening(found.seen):
            yield found
    print(f"\n{sum(found.statuses.values())} payloads, by status {dict(found.statuses)}; in the log:")  # noqa: T201
    for what, times in found.seen.most_common():
        print(f"{times:6} {what}")  # noqa: T201


def all_listeners(office: Office) -> list[tuple[Kind, str]]:
    listeners = Listeners()
    for feature in handlers.features():
        feature.register(listeners, office.stage.app.desk)
    return sorted(
        ((kind, name) for kind in Kind for name in listeners.of(kind)), key=lambda one: (one[0].value, one[1])
    )


# Threads of the engine draw lots while hypothesis chooses; it thinks that we do.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")
@pytest.mark.parametrize(
    "times", [pytest.param(A_BATCH, id="some"), pytest.param(10_000, id="all", marks=pytest.mark.long)]
)
async def test_of_bent_payloads_nothing_comes(fuzz: Fuzz, times: int):
    """So many by people without any right, and as many by those who have some."""
    office = fuzz.office
    writes, newest = len(office.stage.partner_center.writes), office.newest()

    await sends_many(fuzz, STRANGERS, times, keeps=office.rows())
    assert set(office.tags(newest)) <= {"access:refused"}

    await sends_many(fuzz, INSIDERS, times, keeps=office.rows(DECIDED))
    assert len(office.stage.partner_center.writes) == writes
    assert (await office.stage.ana.command("/csp help")).ok


async def sends_many(fuzz: Fuzz, people: list[str], times: int, *, keeps: Rows) -> None:
    """Send so many payloads of these people, and see after each that these rows are as they were."""
    workshop, sent = fuzz.workshop(people), 0
    for number in count():
        for bent in made(workshop, number):
            if may_be_meant(fuzz.office, bent):
                continue
            sent += 1
            if sent > times:
                return
            status, after = await fuzz.send(bent), fuzz.office.rows(keeps)
            changed = {name: after[name] ^ keeps[name] for name in after if after[name] != keeps[name]}
            assert (status < 500, changed) == (True, {}), f"{slack.actor(bent.read)!r}: {bent.text[:4000]}"


def made(workshop: Workshop, number: int) -> list[Bent]:
    """A batch of payloads, the same ones for the same number."""
    batch: list[Bent] = []

    @seed(number)
    @settings(MANY, max_examples=A_BATCH)
    @given(workshop.payloads)
    def keep(bent: Bent) -> None:
        batch.append(bent)

    keep()  # before anything is sent: hypothesis knows no event loop
    return batch


def may_be_meant(office: Office, bent: Bent) -> bool:
    """Whether it is, or holds, what the person who sends it may do by a click."""
    by, text = slack.actor(bent.read), bent.text
    if bent.name in DECIDES and office.request.id in text:
        return True
    if bent.name in CONFIRMS and office.draft in text:
        return by == "U0ANA"
    return bent.name in (ids.LIFT_LIMIT, ids.LINK_FORM, ids.UNLINK_FORM)


class _Counting(logging.Handler):
    def __init__(self, seen: Counter[str]) -> None:
        super().__init__(logging.WARNING)
        self._seen = seen

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            trace, where = record.exc_info[2], ""
            while trace:
                code = trace.tb_frame.f_code
                if "/bot/" in code.co_filename or "/handlers/" in code.co_filename:
                    where = f"{code.co_filename.rpartition('/attack-t/')[2]}:{trace.tb_lineno}"
                trace = trace.tb_next
            error = record.exc_info[1]
            said = re.sub(r"\d+", "N", str(error))[:60]
            self._seen[f"{record.name} {type(error).__name__} {said!r} {where}"] += 1


@contextmanager
def _listening(seen: Counter[str]) -> Iterator[None]:
    counting = _Counting(seen)
    logging.getLogger().addHandler(counting)
    try:
        yield
    finally:
        logging.getLogger().removeHandler(counting)
