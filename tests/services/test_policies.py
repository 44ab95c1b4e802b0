"""The policy in force: the file's; the last good one where the file is refused; remembered once, whoever reads it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy.exc import DBAPIError

from bot import policy_file
from bot import store as database
from bot.domain.errors import Unavailable
from bot.policy_file import BadPolicy
from bot.services.policies import Policies
from bot.store import Store
from tests.services.conftest import OpenWorkshop
from tests.services.workshop import Clock

UTC = ZoneInfo("UTC")
GOOD = "schema = 1\ngrace_days = 1\n"
BETTER = "schema = 1\ngrace_days = 2\n"
BAD = "schema = 1\nmercy = true\n"
ENDED = """schema = 1
[[exempt]]
tenant = "11111111-2222-4333-8444-555555555555"
reason = "payment plan"
until = 2026-11-22
by = "Ana"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "policy.toml"


@pytest.fixture
async def store(database_url: str, clock: Clock) -> AsyncIterator[Store]:
    await asyncio.to_thread(database.migrate, database_url)
    opened = Store(database_url, now=clock)
    yield opened
    await opened.close()


@pytest.fixture
def process(store: Store, file: Path, clock: Clock) -> Callable[..., Policies]:
    """A process over that database, that reads that file."""
    return lambda host="here", path=file: Policies(store, path, zone=UTC, now=clock, host=host)


async def begun(made: Policies, *, keeps: bool = True) -> Policies:
    await made.begin(keeps=keeps)
    return made


async def history(store: Store) -> list[tuple[str, str]]:
    async with store.read() as tx:
        return [(kept.text, kept.host) for kept in await tx.policies.all()]


async def told(store: Store) -> list[tuple[str, object, object]]:
    async with store.read() as tx:
        return [
            (e.subject, e.facts["before"], e.facts["host"])
            async for e in tx.audit.since()
            if e.tag == "policy:changed"
        ]


async def test_a_changed_file_comes_into_force_and_both_are_remembered(process, file, store, clock):
    file.write_text(GOOD)
    policies = await begun(process())
    first = policies.in_force()
    assert (first.policy.grace_days, first.since, first.refused) == (1, clock(), None)
    clock.passes(timedelta(hours=1))
    file.write_text(BETTER)
    await policies.reread()
    assert (policies.in_force().policy.grace_days, policies.in_force().since) == (2, clock())
    assert first.policy.grace_days == 1, "who took the policy before stays with it"
    assert await history(store) == [(GOOD, "here"), (BETTER, "here")]
    versions = [policy_file.version_of(text) for text in (GOOD, BETTER)]
    assert await told(store) == [(versions[0], None, "here"), (versions[1], versions[0], "here")]


async def test_a_refused_file_changes_nothing_and_is_told_once(process, file, store, caplog):
    file.write_text(GOOD)
    policies = await begun(process())
    file.write_text(BAD)
    with caplog.at_level(logging.WARNING):
        await policies.reread()
        await policies.reread()
    assert policies.in_force().policy.grace_days == 1
    assert policies.in_force().refused == (
        f"{file}: mercy: this version does not know that key; remove it or correct its name"
    )
    assert caplog.text.count("stays in force") == 1
    assert await history(store) == [(GOOD, "here")]


@pytest.mark.parametrize("after", [pytest.param(GOOD, id="as before"), pytest.param(BETTER, id="another")])
@pytest.mark.parametrize("broken", [pytest.param(BAD, id="refused"), pytest.param(None, id="away")])
async def test_once_the_file_is_good_again_nothing_is_refused(process, file, after, broken):
    file.write_text(GOOD)
    policies = await begun(process())
    if broken is None:
        file.unlink()
    else:
        file.write_text(broken)
    await policies.reread()
    assert policies.in_force().refused
    file.write_text(after)
    await policies.reread()
    assert policies.in_force().refused is None
    assert policies.in_force().policy.version == policy_file.version_of(after)


async def test_a_start_with_a_refused_file_takes_the_last_good_one(process, file, store, clock):
    file.write_text(GOOD)
    await begun(process())
    since = clock()
    clock.passes(timedelta(days=1))
    file.write_text(BAD)
    again = (await begun(process())).in_force()
    assert (again.policy.grace_days, again.since) == (1, since)
    assert "mercy" in (again.refused or "")
    assert await history(store) == [(GOOD, "here")]


async def test_a_start_with_a_refused_file_and_no_other_is_refused(process, file, store):
    file.write_text(BAD)
    with pytest.raises(BadPolicy, match="mercy"):
        await begun(process())
    assert await history(store) == []


async def test_a_single_command_writes_nothing(process, file, store):
    file.write_text(GOOD)
    made = await begun(process(), keeps=False)
    assert (made.in_force().policy.grace_days, made.in_force().since) == (1, None)
    assert await history(store) == []


async def test_an_exemption_that_ended_is_refused_in_a_new_file_and_outlived_by_the_one_in_force(
    process, file, clock
):
    file.write_text(ENDED)
    with pytest.raises(BadPolicy, match="ended on 2026-11-22"):
        await begun(process())
    clock.passes(-timedelta(days=2))
    await begun(process())
    clock.passes(timedelta(days=2))
    restarted = (await begun(process())).in_force()
    assert restarted.refused is None
    assert restarted.policy.exemptions


async def test_many_processes_that_start_at_once_remember_it_once(process, file, store):
    file.write_text(GOOD)
    started = await asyncio.gather(*(begun(process(f"host-{n}")) for n in range(8)))
    assert len(await history(store)) == len(await told(store)) == 1
    assert len({p.in_force().since for p in started}) == 1


async def test_two_hosts_with_different_files_each_hold_their_own(process, file, tmp_path, store):
    file.write_text(GOOD)
    other = tmp_path / "other.toml"
    other.write_text(BETTER)
    one, two = await asyncio.gather(begun(process("one")), begun(process("two", other)))
    for each in (one, two):
        await each.reread()
    assert [p.in_force().policy.grace_days for p in (one, two)] == [1, 2]
    assert sorted(await history(store)) == [(GOOD, "one"), (BETTER, "two")]


async def test_a_file_that_could_not_be_remembered_is_tried_again(process, file, store):
    file.write_text(GOOD)
    policies = await begun(process())
    file.write_text(BETTER)
    async with store.begin() as tx:
        await tx.connection.exec_driver_sql("ALTER TABLE policies RENAME TO away")
    with pytest.raises((Unavailable, DBAPIError)):
        await policies.reread()
    assert policies.in_force().policy.grace_days == 1
    async with store.begin() as tx:
        await tx.connection.exec_driver_sql("ALTER TABLE away RENAME TO policies")
    await policies.reread()
    assert policies.in_force().policy.grace_days == 2


async def test_the_digest_tells_of_a_refused_file_and_of_the_version_that_judged(
    workshop: OpenWorkshop, tmp_path: Path, clock: Clock, file: Path
):
    w = await workshop()
    policies = Policies(w.store, file, zone=UTC, now=clock)
    file.write_text(GOOD)
    await policies.begin(keeps=True)
    file.write_text(BAD)
    await policies.reread()
    w = await workshop(in_force=policies.in_force)
    digest = await w.digests.overdue()
    banner = next(b for b in digest.banners if b.key == "policy_refused")
    assert "mercy" in banner.facts["why"]
    assert banner.facts["version"] == digest.policy_version == policy_file.version_of(GOOD)
