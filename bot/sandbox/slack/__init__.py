"""A small Slack workspace over its real protocols; no slack_sdk, slack_bolt or other room of ours in it."""

from __future__ import annotations

from bot.sandbox.slack.delivery import ACK_SECONDS, Ack
from bot.sandbox.slack.player import Player
from bot.sandbox.slack.sample import sample_workspace
from bot.sandbox.slack.server import SlackSandbox
from bot.sandbox.slack.workspace import Workspace

__all__ = ["ACK_SECONDS", "Ack", "Player", "SlackSandbox", "Workspace", "sample_workspace"]
