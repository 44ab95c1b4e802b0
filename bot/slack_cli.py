"""What Slack's own command line (`slack run`, `slack manifest`) asks of a project: its hooks.

The contract: docs.slack.dev/tools/slack-cli/reference/hooks. A hook is a process that answers on stdout, under the
default protocol with nothing there but the answer. Its command is split at white space and run without a shell, in
the project's directory. The CLI adds arguments of its own (`--source` to `get-manifest`), which mean nothing to us.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

HOOKS: Final = ("get-hooks", "get-manifest", "start")

_TOKENS: Final = {"SLACK_BOT_TOKEN": "SLACK_CLI_XOXB", "SLACK_APP_TOKEN": "SLACK_CLI_XAPP"}


class NotBySlack(Exception):
    """`start` without the tokens that the CLI hands over; one line."""


def interface(command: str) -> dict[str, Any]:
    """The answer to `get-hooks`; `command` is how Backstop was called, and how it is called for the others.

    The connection is ours: the CLI starts one process and lets it listen. Nothing is watched for changes, since a
    restart in the middle of somebody's click is worth less than it costs.
    """
    return {
        "runtime": "python",
        "hooks": {hook: f"{command} hook {hook}" for hook in HOOKS if hook != "get-hooks"},
        "config": {"sdk-managed-connection-enabled": True},
    }


def tokens(environment: Mapping[str, str]) -> dict[str, str]:
    """Our names of what the CLI hands over: the tokens of the app that was chosen there.

    They outweigh what is set besides: whoever types `slack run` must not find themselves in production.
    """
    handed = {ours: environment.get(theirs, "") for ours, theirs in _TOKENS.items()}
    for ours, token in handed.items():
        if not token:
            raise NotBySlack(
                f"{_TOKENS[ours]} is not set: `slack run` sets it; without Slack's CLI use `backstop run`"
            )
    return handed
