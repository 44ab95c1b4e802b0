"""A code for an approval, from an admin's word to the approval that counts, as people see it in Slack."""

from __future__ import annotations

import base64
import time
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from pydantic import SecretStr

from bot.domain.request import Status
from bot.policy_file import packaged
from tests.conftest import SetStage
from tests.handlers import story
from tests.stage import Stage

CODE = "authenticator_code"
STEP_UP = """
[step_up]
reasons = ["non_payment"]
"""


async def set_up(set_stage: SetStage, tmp_path: Path) -> Stage:
    policy = tmp_path / "policy.toml"
    policy.write_text(packaged() + STEP_UP, "utf-8")
    return await set_stage(
        backstop_policy_file=policy,
        backstop_admins=("U0EVE",),
        backstop_secret_key=SecretStr("k" * 32),
    )


def code(secret: str, *, later: int = 0) -> str:
    """Of this moment, or some steps later: within one test no time passes."""
    totp = TOTP(base64.b32decode(secret.replace(" ", "")), 6, SHA1(), 30)  # noqa: S303  what authenticator apps know
    return totp.generate(int(time.time()) + 30 * later).decode()


async def test_an_approval_is_asked_for_a_code_and_counts_with_it(set_stage: SetStage, tmp_path: Path):
    stage = await set_up(set_stage, tmp_path)
    asked = await story.asks(stage)
    assert (await stage.ben.click(asked.card, "Approve")).ok
    await asked.is_told(stage.ben, "you have set none up")
    refused = await stage.ben.command("/csp authenticator")
    assert "an admin (BACKSTOP_ADMINS) has to let you first" in story.words(refused.body or {})

    assert (await stage.eve.command("/csp authenticator U0BEN")).ok
    await stage.ben.wait_for(lambda: [m for m in stage.ben.dms() if "<@U0EVE> lets you" in story.words(m)])
    assert (await stage.ben.command("/csp authenticator")).ok
    form = await stage.ben.modal_appears(callback_id="enrol_authenticator")
    secret = form["blocks"][1]["text"]["text"]
    assert form["blocks"][2]["text"]["text"].startswith("otpauth://totp/Backstop:U0BEN?")
    stage.ben.type(CODE, code(secret))
    assert (await stage.ben.submit()).ok
    assert "is set up" in story.words(story.top(stage.ben))
    await stage.ben.wait_for(lambda: [m for m in stage.ben.dms() if "in your name" in story.words(m)])
    await story.leaves(stage.ben)

    assert (await stage.ben.click(asked.card, "Approve")).ok
    await stage.ben.modal_appears(callback_id="approve_code")
    assert await asked.status() is Status.PENDING
    stage.ben.type(CODE, "12345")
    refused = await stage.ben.submit()
    assert "wrong, too old, or was used before" in str(refused.body)
    assert await asked.status() is Status.PENDING
    stage.ben.type(CODE, code(secret, later=1))
    assert (await stage.ben.submit()).ok
    done = await asked.shows("Done")
    assert "Approved by <@U0BEN>" in story.words(done)
    assert asked.writes == 1


async def test_only_an_admin_lets_somebody_and_by_their_id(set_stage: SetStage, tmp_path: Path):
    stage = await set_up(set_stage, tmp_path)
    refused = await stage.ana.command("/csp authenticator U0ANA")
    assert "BACKSTOP_ADMINS" in story.words(refused.body or {})
    for named, said in (("@ben", "U…"), ("U0EVE", "anderer Admin"), ("<@U0BEN|ben>", "<@U0BEN>")):
        answer = await stage.eve.command(f"/csp authenticator {named}")
        assert said in story.words(answer.body or {})
